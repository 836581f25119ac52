/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/wait.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keep.h"
#include "log.h"
#include "needs.h"
#include "orphan.h"
#include "process.h"
#include "roster.h"
#include "scan.h"
#include "smallfile.h"
#include "supervise.h"
#include "tally.h"

#define RETRY_MIN_MS	100
#define RETRY_MAX_MS	60000
#define UNFINISHED_MS	5000	/* to look again at one without run */
#define REPUBLISH_MS	1000	/* to write again what could not be written, */
				/* twice as long each time, to RETRY_MAX_MS */
#define REAP_MAX	64	/* children in a turn */

/* Descriptors: of a process, see struct service; of the pipe to a log; and
 * what is open for a moment, or ours. */
#define PROCESS_FDS	5
#define PIPE_FDS	2
#define SPARE_FDS	KEEP_FROM

/* A directory without run, as it is looked at again. */
struct unfinished {
	SLIST_ENTRY(unfinished)	 entry;
	char			 run[];		/* NAME/run */
};

static void	record(struct service *);
static void	publish(struct service *);
static void	unfinished_clear(struct roster *);

static const struct service_ops real_ops = {
	.spawn = process_spawn,
	.go = process_go,
	.signal = process_signal,
	.signal_group = process_signal_group,
	.record = record,
	.publish = publish,
	.orphan_remains = orphan_remains,
	.has_finish = process_has_finish,
	.needs_met = needs_met,
	.number = process_number,
	.random_below = arc4random_uniform,
};

int64_t
roster_now_ms(void)
{
	struct timespec	ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
roster_init(struct roster *r)
{
	memset(r, 0, sizeof(*r));
	TAILQ_INIT(&r->services);
	r->epoll_fd = r->null_fd = r->dir_fd = -1;
	SLIST_INIT(&r->unfinished);
	r->scan_due_ms = r->unfinished_due_ms = r->publish_due_ms = NEVER;
	r->scan_retry_ms = RETRY_MIN_MS;
	r->publish_retry_ms = REPUBLISH_MS;
	r->fds_max = RLIM_INFINITY;
	r->fds_due = SPARE_FDS;
}

/* Should it fail, publish will say so. */
static void
record(struct service *sv)
{
	(void)supervise_record(sv, sv->roster->boot_id);
}

/* What cannot be written, on a full disk say, is written later: the service
 * goes on meanwhile. */
static void
publish(struct service *sv)
{
	struct roster	*r = sv->roster;
	bool		 failed;

	r->changed = true;
	failed = supervise_publish(sv, r->boot_id) == -1;
	/* What was removed with everything in it has no readers. */
	if (failed && errno == ENOENT && sv->gone) {
		sv->unpublished = false;
		return;
	}
	if (failed && !sv->unpublished)
		log_warn("cannot write status", "service=%s error=%s",
		    log_str(sv->name), log_str(strerror(errno)));
	else if (!failed && sv->unpublished)
		log_info("status written", "service=%s", log_str(sv->name));
	sv->unpublished = failed;
	if (failed && r->publish_due_ms == NEVER)
		r->publish_due_ms = roster_now_ms() + r->publish_retry_ms;
}

/* The pipe is ours so that either side can restart without the other. */
static void
close_log_pipe(struct service *sv)
{
	int	i;

	for (i = 0; i < 2; i++) {
		if (sv->log_pipe[i] != -1)
			close(sv->log_pipe[i]);
		sv->log_pipe[i] = -1;
	}
}

/* How many it may come to have open, its log's with them. */
static rlim_t
descriptors(const struct service *sv)
{
	return sv->log == NULL ? PROCESS_FDS : 2 * PROCESS_FDS + PIPE_FDS;
}

static void
let_go(struct service *sv)
{
	watch_close(&sv->control);
	watch_close(&sv->notify);
	supervise_close(sv);
}

static void
free_service(struct service *sv)
{
	if (sv == NULL)
		return;
	free_service(sv->log);
	needs_free(sv);
	tally_clear(&sv->deaths);
	close_log_pipe(sv);
	let_go(sv);
	watch_close(&sv->orphan);
	if (sv->dir_fd != -1)
		close(sv->dir_fd);
	free(sv);
}

static void
forget(struct service *sv)
{
	struct roster	*r = sv->roster;

	log_info("forgotten", "service=%s", log_str(sv->name));
	TAILQ_REMOVE(&r->services, sv, entry);
	r->fds_due -= descriptors(sv);
	needs_departed(sv);
	free_service(sv);
}

void
roster_free(struct roster *r)
{
	struct service	*sv;

	while ((sv = TAILQ_FIRST(&r->services)) != NULL) {
		TAILQ_REMOVE(&r->services, sv, entry);
		free_service(sv);
	}
	unfinished_clear(r);
	close(r->dir_fd);
	close(r->null_fd);
	close(r->epoll_fd);
}

/* Once, whatever more there is: others have their turn, too. */
static void
read_control(struct watch *w)
{
	struct service		*sv = w->arg;
	enum service_event	 ev;
	char			 buf[64];
	ssize_t			 n, i;

	n = read(w->fd, buf, sizeof(buf));
	for (i = 0; i < n; i++) {
		ev = service_control_event(buf[i]);
		log_debug("control", "service=%s byte=0x%02x known=%d",
		    log_str(sv->name), (unsigned char)buf[i], ev != EV_MAX);
		if (ev != EV_MAX)
			service_event(sv, ev, roster_now_ms());
	}
}

/*
 * -1: whether it has an orphan cannot be told now, or it cannot be put on
 * record.  It would be started beside itself, by us or by the successor of a
 * killed reeved.  What else may be wrong with its files than a full disk is
 * said by publish.
 */
static int
take_record(struct service *sv)
{
	const char	*boot_id = sv->roster->boot_id;

	if (orphan_find(sv, boot_id) == -1)
		return -1;
	return supervise_reserve(sv, boot_id) == -1 &&
	    smallfile_no_space(errno) ? -1 : 0;
}

static bool
is_at(const struct service *sv, const struct stat *st)
{
	return sv->dev == st->st_dev && sv->ino == st->st_ino;
}

/* By ourselves.  To find that out by its lock would end it: a process has one
 * of fcntl, whichever of its descriptors is closed. */
static bool
is_held(const struct roster *r, const struct stat *st)
{
	const struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry)
		if (is_at(sv, st) || (sv->log != NULL && is_at(sv->log, st))) {
			errno = EWOULDBLOCK;
			return true;
		}
	return false;
}

/* NULL, with errno as it is. */
static struct service *
give_back(struct service *sv)
{
	int	saved = errno;

	free_service(sv);
	errno = saved;
	return NULL;
}

/* One process's struct, with its directory open and locked. */
static struct service *
open_service(struct roster *r, int parent_fd, const char *dir,
    const char *name)
{
	struct service	*sv;
	struct stat	 st;

	if ((sv = calloc(1, sizeof(*sv))) == NULL)
		return NULL;
	service_init(sv, name, &real_ops);
	sv->roster = r;
	sv->fresh = true;
	sv->dir_fd = keep_open(openat(parent_fd, dir,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (sv->dir_fd == -1 || fstat(sv->dir_fd, &st) == -1 ||
	    is_held(r, &st) || supervise_open(sv) == -1)
		return give_back(sv);
	sv->dev = st.st_dev;
	sv->ino = st.st_ino;
	if (faccessat(sv->dir_fd, "down", F_OK, 0) == -1)
		sv->want = WANT_UP;
	return take_record(sv) == -1 ? give_back(sv) : sv;
}

/* log/ with a run in it.  -1: it is there, but not usable. */
static int
open_log(struct service *sv)
{
	char		name[sizeof(sv->name)];
	struct stat	st;

	if (faccessat(sv->dir_fd, "log/run", F_OK, 0) == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	if (fstatat(sv->dir_fd, "log", &st, 0) == -1)
		return -1;
	if (is_at(sv, &st)) {
		errno = EWOULDBLOCK;
		return -1;
	}
	snprintf(name, sizeof(name), "%.*s/log", NAME_MAX, sv->name);
	if (pipe2(sv->log_pipe, O_CLOEXEC) == -1)
		return -1;
	sv->log_pipe[0] = keep_open(sv->log_pipe[0]);
	sv->log_pipe[1] = keep_open(sv->log_pipe[1]);
	sv->log = open_service(sv->roster, sv->dir_fd, "log", name);
	if (sv->log == NULL)
		return -1;
	sv->log->main = sv;
	return 0;
}

static void
insert(struct roster *r, struct service *sv)
{
	struct service	*other;

	TAILQ_FOREACH(other, &r->services, entry)
		if (strcmp(sv->name, other->name) < 0) {
			TAILQ_INSERT_BEFORE(other, sv, entry);
			return;
		}
	TAILQ_INSERT_TAIL(&r->services, sv, entry);
}

/* One too many would leave those that are there without what they need to
 * be started again. */
static bool
has_room(const struct roster *r, const struct service *sv)
{
	if (keep_numbers(r->fds_due + descriptors(sv)) <= r->fds_max)
		return true;
	errno = EMFILE;
	return false;
}

/* What it needs is read now, for the order of a stop before its start. */
static void
enroll(struct roster *r, struct service *sv)
{
	insert(r, sv);
	r->fds_due += descriptors(sv);
	needs_arrived(sv);
	(void)needs_load(sv);
}

static void
scan_after(struct roster *r, int64_t ms)
{
	if (roster_now_ms() + ms < r->scan_due_ms)
		r->scan_due_ms = roster_now_ms() + ms;
}

/* Soon, as a killed reeved's last child may still be leaving its locks, then
 * more and more seldom. */
static void
retry_scan(struct roster *r)
{
	scan_after(r, r->scan_retry_ms);
	if ((r->scan_retry_ms *= 2) > RETRY_MAX_MS)
		r->scan_retry_ms = RETRY_MAX_MS;
}

/* Without memory it is found by looking at all. */
static void
unfinished_add(struct roster *r, const char *name)
{
	size_t			 size = strlen(name) + sizeof("/run");
	struct unfinished	*u;

	if ((u = malloc(sizeof(*u) + size)) == NULL) {
		scan_after(r, UNFINISHED_MS);
		return;
	}
	snprintf(u->run, size, "%s/run", name);
	SLIST_INSERT_HEAD(&r->unfinished, u, entry);
	r->unfinished_due_ms = roster_now_ms() + UNFINISHED_MS;
}

static void
unfinished_clear(struct roster *r)
{
	struct unfinished	*u;

	while ((u = SLIST_FIRST(&r->unfinished)) != NULL) {
		SLIST_REMOVE_HEAD(&r->unfinished, entry);
		free(u);
	}
	r->unfinished_due_ms = NEVER;
}

/* At these only: the other directories come and go with a notification. */
static void
look_at_unfinished(struct roster *r)
{
	const struct unfinished	*u;

	r->unfinished_due_ms = roster_now_ms() + UNFINISHED_MS;
	SLIST_FOREACH(u, &r->unfinished, entry)
		if (faccessat(r->dir_fd, u->run, F_OK, 0) == 0) {
			r->scan_due_ms = roster_now_ms();
			return;
		}
}

static void
take_up(struct roster *r, const char *name)
{
	struct service	*sv;
	char		 run[NAME_MAX + 5];
	int		 saved;

	snprintf(run, sizeof(run), "%s/run", name);
	if (faccessat(r->dir_fd, run, F_OK, 0) == -1) {
		log_debug("no service yet", "service=%s", log_str(name));
		unfinished_add(r, name);
		return;
	}
	sv = open_service(r, r->dir_fd, name, name);
	if (sv != NULL && open_log(sv) == 0 && has_room(r, sv)) {
		sv->seen = true;
		enroll(r, sv);
		return;
	}
	saved = errno;
	free_service(sv);
	log_error(saved == EWOULDBLOCK ? "has another supervisor" :
	    "cannot supervise", "service=%s error=%s", log_str(name),
	    log_str(strerror(saved)));
	r->scan_failed = true;
}

static struct service *
by_name(const struct roster *r, const char *name)
{
	struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry)
		if (strcmp(sv->name, name) == 0)
			return sv;
	return NULL;
}

static struct service *
by_directory(const struct roster *r, const struct stat *st)
{
	struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry)
		if (is_at(sv, st))
			return sv;
	return NULL;
}

/* As if it had been found so, before it has begun. */
static void
rename_service(struct service *sv, const char *name)
{
	needs_departed(sv);
	TAILQ_REMOVE(&sv->roster->services, sv, entry);
	snprintf(sv->name, sizeof(sv->name), "%.*s", NAME_MAX, name);
	if (sv->log != NULL)
		snprintf(sv->log->name, sizeof(sv->log->name), "%.*s/log",
		    NAME_MAX, name);
	insert(sv->roster, sv);
	needs_arrived(sv);
}

/* A directory has one name: the first of those that are found together, or
 * that of the service that runs. */
static void
found_again(struct service *sv, const char *name)
{
	sv->roster->aliased = true;
	if (sv->fresh && strcmp(name, sv->name) < 0)
		rename_service(sv, name);
}

/* One that has lost its name is on its way out, and comes back under this one
 * then. */
static void
log_alias(void *arg, const char *name, const struct stat *st)
{
	const struct service	*sv = by_directory(arg, st);

	if (sv != NULL && (sv->fresh || sv->seen) &&
	    strcmp(sv->name, name) != 0)
		log_error("another name of a service", "service=%s of=%s",
		    log_str(name), log_str(sv->name));
}

static void
found(void *arg, const char *name, const struct stat *st)
{
	struct roster	*r = arg;
	struct service	*sv;

	if ((sv = by_name(r, name)) != NULL) {
		/* Another of the same name waits for this one's end. */
		sv->seen = is_at(sv, st);
		return;
	}
	if ((sv = by_directory(r, st)) != NULL)
		found_again(sv, name);
	else
		take_up(r, name);
}

/* One that waits, whose needs may read otherwise now. */
static void
reconsider(struct service *sv)
{
	const char	*unmet = sv->unmet;

	service_event(sv, EV_START, roster_now_ms());
	if (sv->state == STATE_WAIT && sv->unmet != unmet)
		publish(sv);
}

/* From here on others see that it is supervised, and can give commands. */
static void
begin(struct service *sv)
{
	int	fd;

	sv->fresh = false;
	publish(sv);
	fd = supervise_open_control(sv->dir_fd);
	if (fd == -1 || watch_open(&sv->control, sv->roster->epoll_fd, fd,
	    read_control, sv) == -1 || supervise_announce(sv) == -1)
		log_error("cannot be controlled", "service=%s error=%s",
		    log_str(sv->name), log_str(strerror(errno)));
	service_event(sv, EV_START, roster_now_ms());
}

/* What was let go may be another supervisor's: not written to any more. */
static void
lose(struct service *sv)
{
	log_info("directory is gone", "service=%s", log_str(sv->name));
	if (sv->released)
		sv->gone = true;
	else
		service_event(sv, EV_GONE, roster_now_ms());
}

void
roster_scan(struct roster *r)
{
	struct service	*sv;

	r->scan_due_ms = NEVER;
	if (r->scan_every_ms != 0)
		r->scan_due_ms = roster_now_ms() + r->scan_every_ms;
	r->scan_failed = r->aliased = false;
	unfinished_clear(r);
	TAILQ_FOREACH(sv, &r->services, entry)
		sv->seen = false;
	if (scan_directory(r->dir_fd, found, r) == -1) {
		log_error("cannot list the service directory", "error=%s",
		    log_str(strerror(errno)));
		retry_scan(r);
		return;
	}
	if (r->aliased)
		(void)scan_directory(r->dir_fd, log_alias, r);
	if (r->scan_failed)
		retry_scan(r);
	else
		r->scan_retry_ms = RETRY_MIN_MS;
	TAILQ_FOREACH(sv, &r->services, entry) {
		if (sv->fresh) {
			if (sv->log != NULL)
				begin(sv->log);
			begin(sv);
		} else if (!sv->seen && !sv->gone) {
			lose(sv);
		} else if (sv->state == STATE_WAIT) {
			reconsider(sv);
		}
	}
}

void
roster_recall(struct roster *r)
{
	struct service	*sv, *next;

	TAILQ_FOREACH_SAFE(sv, &r->services, entry, next)
		if (sv->released)
			forget(sv);
}

static struct service *
by_pid(const struct roster *r, pid_t pid)
{
	struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry) {
		if (sv->pid == pid)
			return sv;
		if (sv->log != NULL && sv->log->pid == pid)
			return sv->log;
	}
	return NULL;
}

void
roster_reap(struct roster *r)
{
	struct service	*sv;
	siginfo_t	 info;
	int		 wstatus, i;

	r->unreaped = false;
	for (i = 0; i < REAP_MAX; i++) {
		/* Looked at first: while it is a zombie its pid, and so its
		 * group, cannot be anyone else's. */
		memset(&info, 0, sizeof(info));
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1
		    || info.si_pid == 0)
			return;
		if ((sv = by_pid(r, info.si_pid)) != NULL)
			kill(-info.si_pid, SIGKILL);
		/* Before there is a successor: a limit of processes counts
		 * both. */
		if (waitpid(info.si_pid, &wstatus, 0) == -1)
			return;
		if (sv == NULL) {
			log_debug("reaped", "pid=%d", (int)info.si_pid);
			continue;
		}
		sv->wstatus = wstatus;
		service_event(sv, EV_EXIT, roster_now_ms());
	}
	r->unreaped = true;
}

static void
timer(struct service *sv, int64_t now_ms)
{
	if (sv->deadline_ms <= now_ms)
		service_event(sv, EV_TIMER, now_ms);
}

static void
republish(struct roster *r)
{
	struct service	*sv;

	r->publish_due_ms = NEVER;
	if ((r->publish_retry_ms *= 2) > RETRY_MAX_MS)
		r->publish_retry_ms = RETRY_MAX_MS;
	TAILQ_FOREACH(sv, &r->services, entry) {
		if (sv->unpublished && !sv->released)
			publish(sv);
		if (sv->log != NULL && sv->log->unpublished && !sv->released)
			publish(sv->log);
	}
	if (r->publish_due_ms == NEVER)
		r->publish_retry_ms = REPUBLISH_MS;
}

void
roster_timers(struct roster *r)
{
	struct service	*sv;
	int64_t		 now_ms = roster_now_ms();

	TAILQ_FOREACH(sv, &r->services, entry) {
		timer(sv, now_ms);
		if (sv->log != NULL)
			timer(sv->log, now_ms);
	}
	if (r->publish_due_ms <= now_ms)
		republish(r);
	if (!r->stopping && r->unfinished_due_ms <= now_ms)
		look_at_unfinished(r);
	if (!r->stopping && r->scan_due_ms <= roster_now_ms())
		roster_scan(r);
}

/* What one that was released does may release the next. */
void
roster_release(struct roster *r)
{
	struct service	*sv;
	const char	*unmet;

	while (r->changed && !r->stopping) {
		r->changed = false;
		TAILQ_FOREACH(sv, &r->services, entry) {
			if (sv->state != STATE_WAIT)
				continue;
			if ((unmet = needs_unmet(sv)) == NULL) {
				reconsider(sv);
			} else if (unmet != sv->unmet) {
				sv->unmet = unmet;
				publish(sv);
			}
		}
	}
}

int64_t
roster_deadline_ms(const struct roster *r)
{
	const struct service	*sv;
	int64_t			 first_ms;

	if (r->unreaped)
		return 0;
	first_ms = r->stopping ? NEVER : r->scan_due_ms;
	if (!r->stopping && r->unfinished_due_ms < first_ms)
		first_ms = r->unfinished_due_ms;
	if (r->publish_due_ms < first_ms)
		first_ms = r->publish_due_ms;
	TAILQ_FOREACH(sv, &r->services, entry) {
		if (sv->deadline_ms < first_ms)
			first_ms = sv->deadline_ms;
		if (sv->log != NULL && sv->log->deadline_ms < first_ms)
			first_ms = sv->log->deadline_ms;
	}
	return first_ms;
}

/* A service that is down takes its log with it.  True: both are down. */
static bool
wind_down(struct service *sv)
{
	if (sv->state != STATE_DOWN)
		return false;
	if (sv->log == NULL)
		return true;
	if (!sv->log->final) {
		sv->final = true;
		close_log_pipe(sv);
		service_event(sv->log, EV_STOP, roster_now_ms());
	}
	return sv->log->state == STATE_DOWN;
}

void
roster_sweep(struct roster *r)
{
	struct service	*sv, *next;

	TAILQ_FOREACH_SAFE(sv, &r->services, entry, next) {
		if (!(sv->gone || (sv->leaving && !sv->released)) ||
		    !wind_down(sv))
			continue;
		if (sv->gone) {
			forget(sv);
			/* One of the same name may be waiting. */
			r->scan_due_ms = roster_now_ms();
			continue;
		}
		log_info("released", "service=%s", log_str(sv->name));
		sv->released = true;
		let_go(sv);
		if (sv->log != NULL)
			let_go(sv->log);
	}
}

bool
roster_is_ready(const struct roster *r)
{
	const struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry)
		if (sv->want == WANT_UP && !service_is_ready(sv))
			return false;
	return true;
}

const struct service *
roster_not_ready(const struct roster *r)
{
	const struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry)
		if ((sv->want == WANT_UP || sv->given_up != NULL) &&
		    !service_is_ready(sv))
			return sv;
	return NULL;
}

void
roster_pass(struct roster *r, int sig, enum service_event ev)
{
	struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry)
		if (sv->pid != 0 && procfs_expects(sv->pid, sig))
			service_event(sv, ev, roster_now_ms());
}

void
roster_count(const struct roster *r, unsigned *all, unsigned *ready)
{
	const struct service	*sv;

	*all = *ready = 0;
	TAILQ_FOREACH(sv, &r->services, entry) {
		++*all;
		*ready += service_is_ready(sv);
	}
}

static bool
has_stopped(const struct service *sv)
{
	return sv->released || (sv->final && sv->state == STATE_DOWN &&
	    (sv->log == NULL || (sv->log->final &&
	    sv->log->state == STATE_DOWN)));
}

unsigned
roster_left(const struct roster *r)
{
	const struct service	*sv;
	unsigned		 n = 0;

	TAILQ_FOREACH(sv, &r->services, entry)
		n += !has_stopped(sv);
	return n;
}

/* The last that nothing needs which is still there; of a circle, the last.
 * NULL: all have stopped. */
static struct service *
last_to_stop(struct roster *r)
{
	struct service	*sv, *last = NULL;

	TAILQ_FOREACH(sv, &r->services, entry)
		sv->needed = false;
	TAILQ_FOREACH(sv, &r->services, entry)
		if (!has_stopped(sv))
			needs_mark(sv);
	TAILQ_FOREACH_REVERSE(sv, &r->services, service_list, entry) {
		if (has_stopped(sv))
			continue;
		if (!sv->needed)
			return sv;
		if (last == NULL)
			last = sv;
	}
	return last;
}

bool
roster_stop(struct roster *r)
{
	struct service	*sv;

	r->stopping = true;
	while ((sv = last_to_stop(r)) != NULL) {
		if (!sv->final)
			service_event(sv, EV_STOP, roster_now_ms());
		if (!wind_down(sv))
			return false;
	}
	return true;
}

void
roster_hurry(struct roster *r)
{
	struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry) {
		if (sv->released)
			continue;
		service_event(sv, EV_HURRY, roster_now_ms());
		if (sv->log != NULL)
			service_event(sv->log, EV_HURRY, roster_now_ms());
	}
}
