/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keep.h"
#include "log.h"
#include "smallfile.h"
#include "supervise.h"

#define RECORD_SIZE	1024	/* of reeve, at most */

#define TAI_EPOCH	4611686018427387914ULL	/* 2^62 + 10 s, as runit's */

#define FNV_BASIS	14695981039346656037ULL
#define FNV_PRIME	1099511628211ULL

enum { RUNIT_DOWN, RUNIT_RUN, RUNIT_FINISH };

static const char *const files[] = { "supervise/status", "supervise/stat",
	"supervise/pid", "supervise/reeve" };

enum file { STATUS, STAT, PID, REEVE };

/* Packages link supervise/ to a volatile place that may not exist yet. */
static int
make_directory(int dir_fd)
{
	char	target[PATH_MAX];
	ssize_t	n;

	if (mkdirat(dir_fd, "supervise", 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return -1;
	n = readlinkat(dir_fd, "supervise", target, sizeof(target));
	if (n == -1)
		return errno == EINVAL ? 0 : -1;
	if ((size_t)n == sizeof(target)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	target[n] = '\0';
	if (mkdirat(dir_fd, target, 0700) == -1 && errno != EEXIST)
		return -1;
	return 0;
}

/* runsv takes flock, s6-supervise and others fcntl: hold both. */
static int
take_lock(int dir_fd)
{
	struct flock	whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int		fd, saved;

	/* To keep it later would close the first, and end the lock. */
	fd = keep_open(openat(dir_fd, "supervise/lock",
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600));
	if (fd == -1)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == -1 ||
	    fcntl(fd, F_SETLK, &whole) == -1) {
		saved = errno == EACCES || errno == EAGAIN ? EWOULDBLOCK :
		    errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int
make_fifo(int dir_fd, const char *path)
{
	struct stat	st;

	if (mkfifoat(dir_fd, path, 0600) == 0)
		return 0;
	if (errno != EEXIST || fstatat(dir_fd, path, &st, 0) == -1)
		return -1;
	if (!S_ISFIFO(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	return 0;
}

int
supervise_open(struct service *sv)
{
	int	saved;

	if (make_directory(sv->dir_fd) == -1 ||
	    (sv->lock_fd = take_lock(sv->dir_fd)) == -1)
		return -1;
	if (make_fifo(sv->dir_fd, "supervise/control") == 0 &&
	    make_fifo(sv->dir_fd, "supervise/ok") == 0)
		return 0;
	saved = errno;
	supervise_close(sv);
	errno = saved;
	return -1;
}

int
supervise_open_control(int dir_fd)
{
	/* Open for writing too, or the last writer's close would end it. */
	return openat(dir_fd, "supervise/control",
	    O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

int
supervise_announce(struct service *sv)
{
	sv->ok_fd = keep_open(openat(sv->dir_fd, "supervise/ok",
	    O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	return sv->ok_fd == -1 ? -1 : 0;
}

void
supervise_close(struct service *sv)
{
	if (sv->ok_fd != -1)
		close(sv->ok_fd);
	if (sv->lock_fd != -1)
		close(sv->lock_fd);
	sv->ok_fd = sv->lock_fd = -1;
}

static int
runit_state(const struct service *sv)
{
	switch (sv->state) {
	case STATE_UP:
	case STATE_READY:
	case STATE_ORPHAN:
		return RUNIT_RUN;
	case STATE_FINISH:
		return RUNIT_FINISH;
	case STATE_DOWN:
	case STATE_BACKOFF:
	default:
		return RUNIT_DOWN;
	}
}

void
supervise_pack_status(const struct service *sv,
    unsigned char status[STATUS_SIZE])
{
	uint64_t	label = TAI_EPOCH + (uint64_t)sv->stamp.tv_sec;
	uint32_t	nsec = (uint32_t)sv->stamp.tv_nsec;
	uint32_t	pid = (uint32_t)sv->pid;
	int		i;

	for (i = 0; i < 8; i++)
		status[i] = (unsigned char)(label >> (56 - 8 * i));
	for (i = 0; i < 4; i++) {
		status[8 + i] = (unsigned char)(nsec >> (24 - 8 * i));
		status[12 + i] = (unsigned char)(pid >> (8 * i));
	}
	status[16] = sv->paused;
	status[17] = sv->want == WANT_UP ? 'u' : 'd';
	status[18] = sv->got_term;
	status[19] = (unsigned char)runit_state(sv);
}

/* FNV-1a, never 0, which stands for nothing written. */
static uint64_t
hash(const void *data, size_t len)
{
	const unsigned char	*p = data;
	uint64_t		 h = FNV_BASIS;

	for (; len > 0; len--)
		h = (h ^ *p++) * FNV_PRIME;
	return h == 0 ? 1 : h;
}

/* Only what differs from what is there by us: replacing a file is the most
 * that a restart costs. */
static int
write_file(struct service *sv, enum file file, const void *data, size_t len)
{
	uint64_t	h = hash(data, len);

	if (sv->written[file] == h)
		return 0;
	sv->written[file] = 0;
	if (smallfile_write(sv->dir_fd, files[file], data, len) == -1)
		return -1;
	sv->written[file] = h;
	return 0;
}

static int
write_stat(struct service *sv)
{
	static const char *const names[] = { "down", "run", "finish" };
	int			 state = runit_state(sv), n;
	char			 buf[64];
	const char		*want = "";

	if (state != RUNIT_DOWN && sv->leaving)
		want = ", want exit";
	else if (state != RUNIT_DOWN && sv->want != WANT_UP)
		want = ", want down";
	n = snprintf(buf, sizeof(buf), "%s%s%s%s\n", names[state],
	    sv->paused ? ", paused" : "", sv->got_term ? ", got TERM" : "",
	    want);
	return write_file(sv, STAT, buf, (size_t)n);
}

static int
write_pid(struct service *sv)
{
	char	buf[16];
	int	n = 0;

	if (sv->pid != 0)
		n = snprintf(buf, sizeof(buf), "%d\n", (int)sv->pid);
	return write_file(sv, PID, buf, (size_t)n);
}

/* Why it is not running, for people. */
static void
reason(const struct service *sv, char *buf, size_t size)
{
	if (sv->state == STATE_WAIT)
		snprintf(buf, size, "needs %s", sv->unmet == NULL ? "" :
		    sv->unmet);
	else
		snprintf(buf, size, "%s", sv->given_up == NULL ? "" :
		    sv->given_up);
}

int
supervise_record(struct service *sv, const char *boot_id)
{
	char	buf[RECORD_SIZE], why[NAME_MAX + 16];
	int	n;

	reason(sv, why, sizeof(why));
	n = snprintf(buf, sizeof(buf),
	    "state=%s\nwant=%s\npid=%d\nsince_ms=%lld\nstarts=%u\n"
	    "last_exit=%d\nlast_signal=%d\nstart_ticks=%llu\nboot_id=%s\n"
	    "last_pid=%d\nlast_start_ticks=%llu\ntold_pid=%d\n"
	    "told_start_ticks=%llu\nnotifies=%d\nreason=%s\n",
	    service_state_name(sv->state), service_want_name(sv->want),
	    (int)sv->pid, (long long)sv->since_ms, sv->starts, sv->last_exit,
	    sv->last_signal, sv->pid != 0 ? sv->start_ticks : 0, boot_id,
	    (int)sv->last_pid, sv->last_ticks, (int)sv->told_pid,
	    sv->told_ticks, sv->notifies, why);
	return write_file(sv, REEVE, buf, (size_t)n);
}

static int
write_status(struct service *sv)
{
	unsigned char	status[STATUS_SIZE];

	supervise_pack_status(sv, status);
	return write_file(sv, STATUS, status, sizeof(status));
}

/* What can be is written, whatever cannot. */
int
supervise_publish(struct service *sv, const char *boot_id)
{
	int	error = 0;

	if (supervise_record(sv, boot_id) == -1)
		error = errno;
	if (write_pid(sv) == -1)
		error = errno;
	if (write_stat(sv) == -1)
		error = errno;
	if (write_status(sv) == -1)
		error = errno;
	errno = error;
	return error == 0 ? 0 : -1;
}

int
supervise_reserve(struct service *sv, const char *boot_id)
{
	if (smallfile_reserve(sv->dir_fd, files[REEVE], RECORD_SIZE) == -1 ||
	    smallfile_reserve(sv->dir_fd, files[STATUS], STATUS_SIZE) == -1 ||
	    supervise_record(sv, boot_id) == -1)
		return -1;
	return write_status(sv);
}

int
supervise_read_record(int dir_fd, struct supervise_record *record)
{
	char			 buf[2048], *line, *next;
	long			 pid = 0;

	memset(record, 0, sizeof(*record));
	if (smallfile_read(dir_fd, "supervise/reeve", buf, sizeof(buf)) == -1)
		return -1;
	for (line = buf; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		if (strncmp(line, "pid=", 4) == 0)
			pid = strtol(line + 4, NULL, 10);
		else if (strncmp(line, "start_ticks=", 12) == 0)
			record->start_ticks = strtoull(line + 12, NULL, 10);
		else if (strncmp(line, "told_pid=", 9) == 0)
			record->told_pid = (pid_t)strtol(line + 9, NULL, 10);
		else if (strncmp(line, "told_start_ticks=", 17) == 0)
			record->told_ticks = strtoull(line + 17, NULL, 10);
		else if (strncmp(line, "boot_id=", 8) == 0)
			snprintf(record->boot_id, sizeof(record->boot_id),
			    "%s", line + 8);
	}
	if (pid <= 1 || pid > INT_MAX || record->start_ticks == 0 ||
	    record->boot_id[0] == '\0') {
		errno = EINVAL;
		return -1;
	}
	record->pid = (pid_t)pid;
	return 0;
}
