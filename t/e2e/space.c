/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "clock.h"
#include "files.h"
#include "json.h"
#include "jwt.h"
#include "log.h"
#include "space.h"
#include "supervised.h"

struct space	*sp;

/* A test that ends drops what it holds.  The programs under test, and the
 * unit tests, are checked for leaks. */
int
__lsan_is_turned_off(void)
{
	return 1;
}

/* All of the test's process, for the logs of a failure. */
#define MADE_MAX	8
static struct space	*made[MADE_MAX];
static unsigned		 n_made;

/* --- time and failure ---------------------------------------------------------- */

int64_t
test_now_ms(void)
{
	return clock_ms();
}

void
test_pause(void)
{
	usleep(5000);
}

void
test_fail(const char *file, int line, const char *what)
{
	unsigned	i;

	for (i = 0; i < n_made; i++)
		log_dump(made[i]);
	ck_abort_msg("%s:%d: not in time: %s", file, line, what);
	abort();
}

/* --- the guard ------------------------------------------------------------------- */

static void
kill_below(const char *dir)
{
	char		 path[300], cwd[PATH_MAX];
	struct dirent	*de;
	size_t		 n = strlen(dir);
	ssize_t		 len;
	DIR		*d = opendir("/proc");

	while (d != NULL && (de = readdir(d)) != NULL) {
		if (de->d_name[0] < '1' || de->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cwd", de->d_name);
		len = readlink(path, cwd, sizeof(cwd) - 1);
		if (len <= 0)
			continue;
		cwd[len] = '\0';
		if (strncmp(cwd, dir, n) == 0 && (cwd[n] == '/' ||
		    cwd[n] == '\0'))
			kill((pid_t)atoi(de->d_name), SIGKILL);
	}
	if (d != NULL)
		closedir(d);
}

static void
remove_tree(const char *dir)
{
	char	cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (system(cmd) == -1)
		perror(dir);
}

/* Waits for the end of the test's process by a pipe that only it holds. */
static void
guard(const char *dir)
{
	int	p[2];
	char	c;

	ck_assert(pipe2(p, O_CLOEXEC) == 0);
	fflush(NULL);
	if (fork() == 0) {
		setsid();
		prctl(PR_SET_NAME, "test-guard");
		close(p[1]);
		while (read(p[0], &c, 1) == -1 && errno == EINTR)
			;
		kill_below(dir);
		usleep(20000);
		kill_below(dir);
		remove_tree(dir);
		_exit(0);
	}
	close(p[0]);
}

/* --- making ------------------------------------------------------------------------ */

static const char *
program(const char *name)
{
	static char	 path[PATH_MAX], real[PATH_MAX];
	const char	*dir = getenv("REEVE_BINDIR");

	snprintf(path, sizeof(path), "%s/%s", dir == NULL ? "." : dir, name);
	ck_assert_msg(realpath(path, real) != NULL, "%s: %s", path,
	    strerror(errno));
	return real;
}

static bool
port_is_free(int port)
{
	struct sockaddr_in	a = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(
				    INADDR_LOOPBACK) };
	int			fd = socket(AF_INET, SOCK_STREAM, 0);
	bool			is;

	is = fd != -1 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return is;
}

/* A name in the abstract namespace, which ends with who holds it. */
static bool
port_is_ours(int port)
{
	struct sockaddr_un	a = { .sun_family = AF_UNIX };
	int			fd = socket(AF_UNIX, SOCK_STREAM |
				    SOCK_CLOEXEC, 0);

	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "reeve-t-port-%d",
	    port);
	if (fd != -1 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return true;
	close(fd);
	return false;
}

/*
 * One below those that the kernel hands out, kept from other tests until this
 * process ends: a broker that is restarted must find it free.
 */
int
free_port(void)
{
	int	port;

	do
		port = 20000 + (int)randombytes_uniform(12000);
	while (!port_is_ours(port) || !port_is_free(port));
	return port;
}

/* Run a program to its end; output into out. */
static int
run(struct space *s, char *const argv[], char *out, size_t size)
{
	int	p[2], status;
	size_t	n = 0;
	ssize_t	got;
	char	sink[4096];
	pid_t	pid;

	ck_assert(pipe(p) == 0);
	fflush(NULL);
	ck_assert((pid = fork()) != -1);
	if (pid == 0) {
		setenv("REEVE_STATE", s->state, 1);
		dup2(p[1], 1);
		dup2(p[1], 2);
		close(p[0]);
		close(p[1]);
		execv(argv[0], argv);
		_exit(127);
	}
	close(p[1]);
	while ((got = read(p[0], sink, sizeof(sink))) > 0)
		if (out != NULL && n + (size_t)got < size) {
			memcpy(out + n, sink, (size_t)got);
			n += (size_t)got;
		}
	if (out != NULL)
		out[n] = '\0';
	close(p[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
reeve(struct space *s, char *out, size_t size, const char *fmt, ...)
{
	char	 args[4096], *cmd = NULL, text[8192];
	char	*argv[] = { (char *)"/bin/sh", (char *)"-c", NULL, NULL };
	va_list	 ap;
	int	 code;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	ck_assert(asprintf(&cmd, "exec %s %s", program("reeve"), args) > 0);
	argv[2] = cmd;
	code = run(s, argv, out != NULL ? out : text,
	    out != NULL ? size : sizeof(text));
	free(cmd);
	return code;
}

static void
mint_root(struct space *s)
{
	struct permissions	 p;
	struct nkey		 signer;
	struct error		 e;

	memset(&p, 0, sizeof(p));
	ck_assert(strlist_add(&p.pub_allow, ">"));
	ck_assert(strlist_add(&p.sub_allow, ">"));
	OK(nkey_from_seed(&signer, s->trust.signing_seed, &e), e);
	OK(nkey_new(&s->root_creds.key, NKEY_USER, &e), e);
	s->root_creds.jwt = jwt_user(&signer, s->trust.account_pub,
	    s->root_creds.key.public, "root", &p, 0, &e);
	ck_assert_msg(s->root_creds.jwt != NULL, "%s", e.text);
	nkey_wipe(&signer);
	permissions_free(&p);
}

static void
load(struct space *s)
{
	char		path[300];
	struct error	e;

	OK(config_load(&s->config, s->state, &e), e);
	snprintf(path, sizeof(path), "%s/trust/auth.json", s->state);
	OK(trust_load(&s->trust, path, &e), e);
	mint_root(s);
}

struct space *
space_new(const struct space *first)
{
	struct space	*s = calloc(1, sizeof(*s));

	ck_assert(s != NULL && sodium_init() != -1 && n_made < MADE_MAX);
	made[n_made++] = s;
	log_init("role=test", LOG_LEVEL_WARN);
	signal(SIGPIPE, SIG_IGN);
	if (first == NULL) {
		snprintf(s->dir, sizeof(s->dir), "/tmp/reeve-t-XXXXXX");
		ck_assert(mkdtemp(s->dir) != NULL);
		guard(s->dir);
	} else
		snprintf(s->dir, sizeof(s->dir), "%s", first->dir);
	return s;
}

void
space_init(struct space *s, const char *fmt, ...)
{
	char	options[1024], out[8192];
	va_list	ap;
	int	code;

	va_start(ap, fmt);
	vsnprintf(options, sizeof(options), fmt, ap);
	va_end(ap);
	/* Delivery alone, but where a test says what agents it has. */
	code = reeve(s, out, sizeof(out), "init --space t %s%s", options,
	    strstr(options, "--workspace") == NULL ? " --no-agents" : "");
	ck_assert_msg(code == 0, "reeve init: %d: %s", code, out);
	load(s);
}

struct space *
space_make(const char *options)
{
	struct space	*s = space_new(NULL);

	snprintf(s->state, sizeof(s->state), "%s/a", s->dir);
	s->port = free_port();
	space_init(s, "--listen 127.0.0.1:%d %s", s->port, options);
	return s;
}

struct space *
space_join(const struct space *first)
{
	struct space	*s = space_new(first);
	static unsigned	 n;

	snprintf(s->state, sizeof(s->state), "%s/b%u", s->dir, n++);
	s->port = first->port;
	space_init(s, "--server nats://127.0.0.1:%d --import-trust "
	    "%s/trust/auth.json", s->port, first->state);
	space_connect_root(s);
	return s;
}

/* --- running ------------------------------------------------------------------------- */

void
space_start(struct space *s)
{
	const char	*reeved = program("reeved");
	char		 log[300];
	int		 fd;

	ck_assert(s->reeved == 0);
	snprintf(log, sizeof(log), "%s/said.log", s->state);
	fflush(NULL);
	ck_assert((s->reeved = fork()) != -1);
	if (s->reeved == 0) {
		fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
		dup2(fd, 1);
		dup2(fd, 2);
		close(fd);
		setsid();
		if (chdir(s->state) == -1 || (s->netns != 0 &&
		    setns(s->netns, CLONE_NEWNET) == -1))
			_exit(127);
		supervised_exec(reeved, s->state);
	}
}

void
space_connect_root(struct space *s)
{
	struct bus_conf	conf = { .servers = s->config.servers,
			    .creds = &s->root_creds, .name = "root" };
	struct error	e;
	int64_t		until = clock_ms() + AWAIT_MS;

	bus_close(s->root);
	s->root = NULL;
	while (bus_open(&s->root, &conf, &e) == -1) {
		if (clock_ms() > until)
			test_fail(__FILE__, __LINE__, e.text);
		test_pause();
	}
}

void
space_await_ready(struct space *s)
{
	space_connect_root(s);
	AWAIT(lease_ready(s));
}

void
space_reap(struct space *s)
{
	int	status;

	while (waitpid(s->reeved, &status, 0) == -1 && errno == EINTR)
		;
	s->reeved = 0;
	s->ending = false;
}

static char *
service_dir(struct space *s, const char *role)
{
	static char	path[300];

	snprintf(path, sizeof(path), "%s/service/%s", s->state, role);
	return path;
}

/* What reeved does by itself: what needs others goes before them. */
static void
stop_in_order(struct space *s)
{
	static const char *const	roles[] = { "control", "reader",
					    "fanout", "lease", "broker" };
	size_t				i;

	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (supervised_at_all(service_dir(s, roles[i])))
			role_down(s, roles[i]);
	supervised_end(s->reeved);
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		AWAIT(!supervised_at_all(service_dir(s, roles[i])));
}

void
space_stop(struct space *s)
{
	if (s->reeved == 0)
		return;
	if (s->ending || supervised_by() == BY_REEVED)
		supervised_end(s->reeved);
	else
		stop_in_order(s);
	space_reap(s);
}

void
space_end(struct space *s)
{
	s->ending = true;
	supervised_end(s->reeved);
}

void
space_freeze(struct space *s, bool frozen)
{
	supervised_signal(s->reeved, frozen ? SIGSTOP : SIGCONT);
}

void
space_kill(struct space *s)
{
	kill(s->reeved, SIGKILL);
	space_reap(s);
}

void
space_crash(struct space *s)
{
	static const char *const	roles[] = { "lease", "fanout",
					    "reader", "control" };
	pid_t				pids[4];
	size_t				i;

	for (i = 0; i < 4; i++)
		pids[i] = role_pid(s, roles[i]);
	supervised_signal(s->reeved, SIGKILL);
	for (i = 0; i < 4; i++)
		if (pids[i] != 0)
			kill(pids[i], SIGKILL);
	space_reap(s);
}

static void
space_free(struct space *s)
{
	n_made = 0;
	space_stop(s);
	bus_close(s->root);
	creds_wipe(&s->root_creds);
	trust_wipe(&s->trust);
	config_free(&s->config);
	free(s);
}

void
space_setup_idle(void)
{
	sp = space_make("");
}

void
space_setup(void)
{
	sp = space_make("");
	space_start(sp);
	space_await_ready(sp);
}

void
space_setup_shards(void)
{
	sp = space_make("--shards 2");
	space_start(sp);
	space_await_ready(sp);
}

void
space_setup_short(void)
{
	sp = space_make("--lease-ttl 3s");
	space_start(sp);
	space_await_ready(sp);
}

void
space_teardown(void)
{
	space_free(sp);
	sp = NULL;
}

static char	*log_text(struct space *);

/* --- roles ----------------------------------------------------------------------------- */

pid_t
role_pid(struct space *s, const char *role)
{
	return supervised_pid(service_dir(s, role));
}

/* By its own word, where the supervisor does not hear it. */
static bool
has_said_bound(struct space *s, const char *role)
{
	char	*log, *p, who[64], *last = NULL;
	bool	 is;

	if ((log = log_text(s)) == NULL || role_pid(s, role) == 0) {
		free(log);
		return false;
	}
	/* Not all are a shard's. */
	snprintf(who, sizeof(who), " role=%s ", role);
	for (p = log; (p = strstr(p, who)) != NULL; ) {
		p += strlen(who);
		if (strncmp(p, "shard=0 ", 8) == 0)
			p += 8;
		if (strncmp(p, "msg=\"", 5) != 0)
			continue;
		p += 5;
		if (strncmp(strchr(p, '"') + 1, " was=", 5) == 0)
			last = p;
	}
	is = last != NULL && strncmp(last, "bound\"", 6) == 0;
	free(log);
	return is;
}

bool
role_is_ready(struct space *s, const char *role)
{
	return supervised_by() == BY_RUNIT ? has_said_bound(s, role) :
	    supervised_is_ready(service_dir(s, role));
}

void
role_signal(struct space *s, const char *role, int sig)
{
	pid_t	pid = role_pid(s, role);

	ck_assert_msg(pid > 1, "%s has no pid", role);
	ck_assert(kill(pid, sig) == 0);
}

void
role_kill(struct space *s, const char *role)
{
	pid_t	pid;

	AWAIT((pid = role_pid(s, role)) > 1);
	kill(pid, SIGKILL);
	AWAIT(role_pid(s, role) != pid && role_pid(s, role) != 0);
}

void
role_control(struct space *s, const char *role, const char *bytes)
{
	char	path[400];
	int	fd;

	snprintf(path, sizeof(path), "%s/supervise/control",
	    service_dir(s, role));
	fd = open(path, O_WRONLY | O_NONBLOCK);
	ck_assert_msg(fd != -1, "%s is not supervised", role);
	ck_assert(write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
	close(fd);
}

void
role_down(struct space *s, const char *role)
{
	role_control(s, role, "d");
	AWAIT(role_pid(s, role) == 0);
}

void
role_up(struct space *s, const char *role)
{
	role_control(s, role, "u");
	AWAIT(role_is_ready(s, role));
}

static char *
log_text(struct space *s)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/said.log", s->state);
	return file_read(path, 256 * 1024 * 1024, NULL, NULL);
}

unsigned
logged_times(struct space *s, const char *text)
{
	char		*log = log_text(s), *p = log;
	unsigned	 n = 0;

	while (p != NULL && (p = strstr(p, text)) != NULL) {
		p += strlen(text);
		n++;
	}
	free(log);
	return n;
}

bool
logged(struct space *s, const char *text)
{
	return logged_times(s, text) > 0;
}

void
log_dump(struct space *s)
{
	char	*log = log_text(s);
	size_t	 n = log == NULL ? 0 : strlen(log);

	fprintf(stderr, "--- %s/said.log\n%s---\n", s->state, log == NULL ? "" :
	    log + (n > 12000 ? n - 12000 : 0));
	free(log);
}

void
broker_restart(struct space *s, int sig)
{
	pid_t	pid = role_pid(s, "broker");

	ck_assert(pid > 1 && kill(pid, sig) == 0);
	AWAIT(role_pid(s, "broker") != pid && role_pid(s, "broker") != 0);
	space_connect_root(s);
}

void
broker_down(struct space *s)
{
	role_control(s, "broker", "d");
	AWAIT(role_pid(s, "broker") == 0);
}

void
broker_up(struct space *s)
{
	role_control(s, "broker", "u");
	space_connect_root(s);
}

/* --- suites --------------------------------------------------------------------------------- */

TCase *
test_case(const char *name, SFun setup, double timeout_s)
{
	TCase	*tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, space_teardown);
	tcase_set_timeout(tc, timeout_s);
	return tc;
}

int
test_main(const char *name, ...)
{
	Suite	*suite = suite_create(name);
	SRunner	*sr;
	TCase	*tc;
	va_list	 ap;
	int	 failed;

	va_start(ap, name);
	while ((tc = va_arg(ap, TCase *)) != NULL)
		suite_add_tcase(suite, tc);
	va_end(ap);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
