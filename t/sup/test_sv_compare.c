/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <check.h>
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stage.h"

/*
 * Debian's sv, told the same of two copies of a service directory: reeved
 * has the one, runsv the other.  What it prints and its exit code must be
 * alike but for pids and seconds, and so must be what is in supervise/ once
 * the service is as it is to be.
 */

#define TEXT	2048
#define RUNIT	"runit"		/* where runsv's copy is, beside state/ */

enum { REEVED, RUNSV, SIDES };

static const char *const dirs[SIDES] = { "state/service", RUNIT };

/* A call of sv and what it leads to. */
struct step {
	const char	*args;		/* the name of the service follows */
	const char	*settled;	/* what `sv status` says afterwards */
	const char	*seen;		/* content of the file seen; or NULL */
	bool		 again;		/* it is another process then */
	bool		 unlike;	/* supervise/ need not be the same */
};

struct file {
	const char	*path, *content;
};

/* A service, and what is done to it. */
struct play {
	const char	*name;
	struct file	 files[4];
	const char	*begins;
	struct step	 steps[24];
};

/* Every run says who it is, when it is ready to be told things. */
#define ARMED		"echo $$ >armed\n"
#define SLEEPS		"#!/bin/sh\n" ARMED "exec sleep 1000\n"

#define RUN(name)	"run: " name ": (pid N) Ns\n"
#define DOWN(name)	"down: " name ": Ns, normally up\n"
#define GONE(name)	"fail: " name ": runsv not running\n"

static const struct play plays[] = {
	{ "plain", { { "run", SLEEPS } }, RUN("plain"), {
		{ "status", RUN("plain"), NULL, false, false },
		{ "-v status", RUN("plain"), NULL, false, false },
		{ "up", RUN("plain"), NULL, false, false },
		{ "-v up", RUN("plain"), NULL, false, false },
		{ "start", RUN("plain"), NULL, false, false },
		{ "check", RUN("plain"), NULL, false, false },
		{ "-v cont", RUN("plain"), NULL, false, false },
		{ "term", RUN("plain"), NULL, true, false },
		{ "restart", RUN("plain"), NULL, true, false },
		{ "-v term", RUN("plain"), NULL, true, false },
		{ "hup", RUN("plain"), NULL, true, false },
		{ "down", DOWN("plain"), NULL, false, false },
		{ "-v down", DOWN("plain"), NULL, false, false },
		{ "check", DOWN("plain"), NULL, false, false },
		{ "term", DOWN("plain"), NULL, false, false },
		{ "hup", DOWN("plain"), NULL, false, false },
		{ "try-restart", DOWN("plain"), NULL, false, false },
		{ "-v up", RUN("plain"), NULL, true, false },
		{ "try-restart", RUN("plain"), NULL, true, false },
		{ "stop", DOWN("plain"), NULL, false, false },
		{ "once", "run: plain: (pid N) Ns, want down\n", NULL, true, false },
		{ "-v once", "run: plain: (pid N) Ns, want down\n", NULL,
		    false, false },
	} },
	{ "once", { { "run", SLEEPS } }, RUN("once"), {
		{ "once", "run: once: (pid N) Ns, want down\n", NULL, false, false },
		{ "check", "run: once: (pid N) Ns, want down\n", NULL,
		    false, false },
		{ "up", RUN("once"), NULL, false, false },
		{ "once", "run: once: (pid N) Ns, want down\n", NULL, false, false },
		{ "kill", DOWN("once"), NULL, false, false },
		{ "-v once", "run: once: (pid N) Ns, want down\n", NULL,
		    true, false },
		{ "term", DOWN("once"), NULL, false, false },
		{ "restart", RUN("once"), NULL, true, false },
		{ "force-restart", RUN("once"), NULL, true, false },
		{ "force-reload", RUN("once"), NULL, true, false },
		{ "reload", RUN("once"), NULL, true, false },
		{ "force-stop", DOWN("once"), NULL, false, false },
		{ "force-stop", DOWN("once"), NULL, false, false },
		{ "start", RUN("once"), NULL, true, false },
		{ "force-shutdown", GONE("once"), NULL, false, false },
		{ "status", GONE("once"), NULL, false, false },
		{ "up", GONE("once"), NULL, false, false },
		{ "check", GONE("once"), NULL, false, false },
		{ "exit", GONE("once"), NULL, false, false },
		{ "shutdown", GONE("once"), NULL, false, false },
	} },
	{ "paused", { { "run", SLEEPS } }, RUN("paused"), {
		{ "pause", "run: paused: (pid N) Ns, paused\n", NULL, false, false },
		{ "status", "run: paused: (pid N) Ns, paused\n", NULL,
		    false, false },
		{ "check", "run: paused: (pid N) Ns, paused\n", NULL, false, false },
		{ "pause", "run: paused: (pid N) Ns, paused\n", NULL, false, false },
		{ "cont", RUN("paused"), NULL, false, false },
		{ "pause", "run: paused: (pid N) Ns, paused\n", NULL, false, false },
		{ "term", "run: paused: (pid N) Ns, paused, got TERM\n", NULL,
		    false, false },
		{ "status", "run: paused: (pid N) Ns, paused, got TERM\n",
		    NULL, false, false },
		{ "cont", RUN("paused"), NULL, true, false },
		{ "pause", "run: paused: (pid N) Ns, paused\n", NULL, false, false },
		{ "kill", RUN("paused"), NULL, true, false },
		{ "pause", "run: paused: (pid N) Ns, paused\n", NULL, false, false },
		{ "down", DOWN("paused"), NULL, false, false },
		{ "pause", DOWN("paused"), NULL, false, false },
		{ "once", "run: paused: (pid N) Ns, want down\n", NULL,
		    true, false },
		{ "pause", "run: paused: (pid N) Ns, paused, want down\n",
		    NULL, false, false },
		{ "term", DOWN("paused"), NULL, false, false },
		{ "kill", DOWN("paused"), NULL, false, false },
		{ "exit", GONE("paused"), NULL, false, false },
	} },
	{ "signals", { { "run", "#!/bin/sh\n"
	    "for s in HUP ALRM INT QUIT USR1 USR2; do\n"
	    "trap \"echo $s >>seen\" $s\ndone\n" ARMED
	    "while :; do sleep 0.01; done\n" } }, RUN("signals"), {
		{ "hup", RUN("signals"), "HUP\n", false, false },
		{ "reload", RUN("signals"), "HUP\nHUP\n", false, false },
		{ "alarm", RUN("signals"), "HUP\nHUP\nALRM\n", false, false },
		{ "interrupt", RUN("signals"), "HUP\nHUP\nALRM\nINT\n",
		    false, false },
		{ "quit", RUN("signals"), "HUP\nHUP\nALRM\nINT\nQUIT\n",
		    false, false },
		{ "1", RUN("signals"), "HUP\nHUP\nALRM\nINT\nQUIT\nUSR1\n",
		    false, false },
		{ "2", RUN("signals"),
		    "HUP\nHUP\nALRM\nINT\nQUIT\nUSR1\nUSR2\n", false, false },
		{ "-v hup", RUN("signals"),
		    "HUP\nHUP\nALRM\nINT\nQUIT\nUSR1\nUSR2\nHUP\n", false, false },
		{ "-v 1", RUN("signals"),
		    "HUP\nHUP\nALRM\nINT\nQUIT\nUSR1\nUSR2\nHUP\nUSR1\n",
		    false, false },
		{ "kill", RUN("signals"), NULL, true, false },
		{ "-v exit", GONE("signals"), NULL, false, false },
	} },
	{ "logged", { { "run", SLEEPS }, { "log/run",
	    "#!/bin/sh\nexec cat >/dev/null\n" } },
	    "run: logged: (pid N) Ns; run: log: (pid N) Ns\n", {
		{ "status", "run: logged: (pid N) Ns; run: log: (pid N) Ns\n",
		    NULL, false, false },
		{ "-v down", "down: logged: Ns, normally up; "
		    "run: log: (pid N) Ns\n", NULL, false, false },
		{ "check", "down: logged: Ns, normally up; "
		    "run: log: (pid N) Ns\n", NULL, false, false },
		{ "-v up", "run: logged: (pid N) Ns; run: log: (pid N) Ns\n",
		    NULL, true, false },
		{ "restart", "run: logged: (pid N) Ns; "
		    "run: log: (pid N) Ns\n", NULL, true, false },
		{ "shutdown", GONE("logged"), NULL, false, false },
	} },
	{ "logged/log", { { "run", "#!/bin/sh\n" ARMED
	    "exec cat >/dev/null\n" }, { "../run",
	    "#!/bin/sh\nexec sleep 1000\n" } },
	    RUN("logged/log"), {
		{ "-v down", DOWN("logged/log"), NULL, false, false },
		{ "-v up", RUN("logged/log"), NULL, true, false },
		{ "restart", RUN("logged/log"), NULL, true, false },
		{ "pause", "run: logged/log: (pid N) Ns, paused\n", NULL,
		    false, false },
		{ "cont", RUN("logged/log"), NULL, false, false },
		{ "exit", RUN("logged/log"), NULL, false, false },
		{ "-w 1 shutdown", RUN("logged/log"), NULL, false, false },
	} },
	{ "kept", { { "run", SLEEPS }, { "down", "" } },
	    "down: kept: Ns\n", {
		{ "status", "down: kept: Ns\n", NULL, false, false },
		{ "check", "down: kept: Ns\n", NULL, false, false },
		{ "-v up", "run: kept: (pid N) Ns, normally down\n", NULL,
		    true, false },
		{ "restart", "run: kept: (pid N) Ns, normally down\n", NULL,
		    true, false },
		{ "-v down", "down: kept: Ns\n", NULL, false, false },
		{ "once", "run: kept: (pid N) Ns, normally down, want down\n",
		    NULL, true, false },
		{ "exit", GONE("kept"), NULL, false, false },
	} },
	{ "finish", { { "run", SLEEPS }, { "finish",
	    "#!/bin/sh\necho $1 $2 >>seen\n" } }, RUN("finish"), {
		{ "-v down", DOWN("finish"), "-1 15\n", false, false },
		{ "-v up", RUN("finish"), NULL, true, false },
		{ "kill", RUN("finish"), "-1 15\n-1 9\n", true, false },
		{ "restart", RUN("finish"), "-1 15\n-1 9\n-1 15\n", true, false },
		{ "1", RUN("finish"), "-1 15\n-1 9\n-1 15\n-1 10\n", true, false },
		{ "shutdown", GONE("finish"),
		    "-1 15\n-1 9\n-1 15\n-1 10\n-1 15\n", false, false },
	} },
	{ "finishing", { { "run", SLEEPS }, { "timeout-finish", "0\n" },
	    { "finish", "#!/bin/sh\nexec sleep 1000\n" } },
	    RUN("finishing"), {
		{ "term", "finish: finishing: (pid N) Ns\n", NULL, false, false },
		{ "status", "finish: finishing: (pid N) Ns\n", NULL, false, false },
		{ "-w 1 check", "finish: finishing: (pid N) Ns\n", NULL,
		    false, false },
		{ "hup", "finish: finishing: (pid N) Ns\n", NULL, false, false },
		{ "term", "finish: finishing: (pid N) Ns\n", NULL, false, false },
		{ "down", "finish: finishing: (pid N) Ns, want down\n", NULL,
		    false, false },
		{ "-w 1 check", "finish: finishing: (pid N) Ns, want down\n",
		    NULL, false, false },
		{ "up", "finish: finishing: (pid N) Ns\n", NULL, false, false },
		{ "once", "finish: finishing: (pid N) Ns, want down\n", NULL,
		    false, false },
		/* not kill: reeved ends a finish by it, runsv does not */
	} },
	{ "deaf", { { "run", "#!/bin/sh\ntrap '' TERM\n" ARMED
	    "while :; do sleep 0.1; done\n" } }, RUN("deaf"), {
		{ "term", "run: deaf: (pid N) Ns, got TERM\n", NULL, false, false },
		{ "-w 1 term", "run: deaf: (pid N) Ns, got TERM\n", NULL,
		    false, false },
		{ "-w 1 restart", "run: deaf: (pid N) Ns, got TERM\n", NULL,
		    false, false },
		{ "-w 1 down", "run: deaf: (pid N) Ns, want down, got TERM\n",
		    NULL, false, false },
		{ "-w 1 check", "run: deaf: (pid N) Ns, want down, "
		    "got TERM\n", NULL, false, false },
		{ "up", "run: deaf: (pid N) Ns, got TERM\n", NULL, false, false },
		{ "-w 1 force-restart", RUN("deaf"), NULL, true, false },
		{ "-w 1 force-stop", DOWN("deaf"), NULL, false, false },
		{ "-v up", RUN("deaf"), NULL, true, false },
		{ "-w 1 shutdown",
		    "run: deaf: (pid N) Ns, want down, got TERM\n", NULL,
		    false, false },
		/* runsv does not stay to see the end of it */
		{ "kill", GONE("deaf"), NULL, false, true },
	} },
	{ "brief", { { "run", "#!/bin/sh\n" ARMED "exit 3\n" } },
	    "down: brief: Ns, normally up, want up\n", {
		{ "down", DOWN("brief"), NULL, false, false },
		{ "status", DOWN("brief"), NULL, false, false },
		{ "-v down", DOWN("brief"), NULL, false, false },
		/* it may begin before runsv has written that it runs */
		{ "once", DOWN("brief"), NULL, true, true },
		{ "up", "down: brief: Ns, normally up, want up\n", NULL,
		    true, false },
		{ "exit", GONE("brief"), NULL, false, false },
	} },
	{ "checked", { { "run", SLEEPS }, { "check",
	    "#!/bin/sh\nexec test -e healthy\n" }, { "healthy", "" } },
	    RUN("checked"), {
		{ "check", RUN("checked"), NULL, false, false },
		{ "restart", RUN("checked"), NULL, true, false },
		{ "start", RUN("checked"), NULL, false, false },
		{ "-v down", DOWN("checked"), NULL, false, false },
		{ "start", RUN("checked"), NULL, true, false },
	} },
	{ "unchecked", { { "run", SLEEPS }, { "check",
	    "#!/bin/sh\nexit 1\n" } }, RUN("unchecked"), {
		{ "-w 1 start", RUN("unchecked"), NULL, false, false },
		{ "-w 1 check", RUN("unchecked"), NULL, false, false },
		{ "-w 1 cont", RUN("unchecked"), NULL, false, false },
		{ "-v down", DOWN("unchecked"), NULL, false, false },
	} },
};

#define PLAYS	((int)(sizeof(plays) / sizeof(plays[0])))

/* What a failure is about. */
static char	doing[256];

/* --- what is said ------------------------------------------------------------ */

/* "(pid 12)" and "3s" become "(pid N)" and "Ns"; nothing else changes. */
static void
normalise(char *text)
{
	char	*in = text, *out = text, *end;

	while (*in != '\0') {
		end = in + strspn(in, "0123456789");
		if (end > in && ((*end == 's' && !isalnum((unsigned char)
		    end[1])) || (*end == ')' && out - text >= 5 &&
		    strncmp(out - 5, "(pid ", 5) == 0))) {
			*out++ = 'N';
			in = end;
		} else
			*out++ = *in++;
	}
	*out = '\0';
}

static int
sv(int side, const char *args, const char *name, char out[TEXT])
{
	int	code;

	code = stage_run(out, TEXT, "SVDIR=%s exec sv %s %s 2>&1",
	    stage_path("%s", dirs[side]), args, name);
	normalise(out);
	return code;
}

static bool
says(int side, const char *name, const char *settled)
{
	char	out[TEXT];

	sv(side, "status", name, out);
	return strcmp(out, settled) == 0;
}

/* Who runs there, as it says itself. */
static pid_t
armed(int side, const char *name)
{
	return (pid_t)atoi(stage_read("%s/%s/armed", dirs[side], name));
}

static pid_t
recorded(int side, const char *name)
{
	return (pid_t)atoi(stage_read("%s/%s/supervise/pid", dirs[side],
	    name));
}

/* --- what is written --------------------------------------------------------- */

static mode_t
mode(int side, const char *name, const char *file)
{
	struct stat	st;

	ck_assert_msg(stat(stage_path("%s/%s/supervise/%s", dirs[side], name,
	    file), &st) == 0, "no %s", file);
	return st.st_mode;
}

static void
read_status(int side, const char *name, unsigned char b[21])
{
	int	fd;

	fd = open(stage_path("%s/%s/supervise/status", dirs[side], name),
	    O_RDONLY | O_CLOEXEC);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(read(fd, b, 21), 20);
	close(fd);
	/* TAI64 labels of this epoch begin so. */
	ck_assert_mem_eq(b, "\x40\0\0\0", 4);
}

/* The 20 bytes but for the time, and the pid beside that in pid. */
static void
status_bytes(int side, const char *name, unsigned char state[4], pid_t *pid)
{
	unsigned char	b[21];

	read_status(side, name, b);
	*pid = b[12] | b[13] << 8 | b[14] << 16 | b[15] << 24;
	memcpy(state, b + 16, 4);
}

/* The second of the last change, of the TAI64 label. */
static long long
changed_s(int side, const char *name)
{
	unsigned char	b[21];
	long long	label = 0;
	int		i;

	read_status(side, name, b);
	for (i = 1; i < 8; i++)
		label = label << 8 | b[i];
	return label - 10;
}

static void
compare_files(const char *name)
{
	static const char *const	files[] = { "", "lock", "control",
					    "ok", "status", "stat", "pid" };
	unsigned char			state[SIDES][4];
	char				text[SIDES][64];
	pid_t				pid[SIDES];
	size_t				i;
	int				side;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		ck_assert_msg(mode(REEVED, name, files[i]) == mode(RUNSV,
		    name, files[i]), "%s: %s has mode %o, runsv's has %o",
		    name, files[i], mode(REEVED, name, files[i]),
		    mode(RUNSV, name, files[i]));
	for (side = 0; side < SIDES; side++) {
		status_bytes(side, name, state[side], &pid[side]);
		snprintf(text[side], sizeof(text[side]), "%s",
		    stage_read("%s/%s/supervise/pid", dirs[side], name));
		ck_assert_int_eq(atoi(text[side]), pid[side]);
		/* A whole line, or nothing. */
		ck_assert(pid[side] != 0 || text[side][0] == '\0');
		ck_assert(pid[side] == 0 || strchr(text[side], '\n') ==
		    text[side] + strlen(text[side]) - 1);
		snprintf(text[side], sizeof(text[side]), "%s",
		    stage_read("%s/%s/supervise/stat", dirs[side], name));
	}
	ck_assert_msg((pid[REEVED] == 0) == (pid[RUNSV] == 0),
	    "%s: pid %d, runsv's %d", doing, (int)pid[REEVED],
	    (int)pid[RUNSV]);
	ck_assert_msg(memcmp(state[REEVED], state[RUNSV], 4) == 0,
	    "%s: status %d %c %d %d, runsv's %d %c %d %d", doing,
	    state[REEVED][0], state[REEVED][1], state[REEVED][2],
	    state[REEVED][3], state[RUNSV][0], state[RUNSV][1],
	    state[RUNSV][2], state[RUNSV][3]);
	ck_assert_msg(strcmp(text[REEVED], text[RUNSV]) == 0,
	    "%s: stat '%s', runsv's '%s'", doing, text[REEVED],
	    text[RUNSV]);
}

/* --- a play ------------------------------------------------------------------- */

static void
put_files(int side, const struct play *p)
{
	const struct file	*f;
	char			 path[128];

	for (f = p->files; f < p->files + 4 && f->path != NULL; f++) {
		snprintf(path, sizeof(path), "%s/%s/%s", dirs[side], p->name,
		    f->path);
		stage_file(path, f->content);
	}
}

/* Not by a shell, which would have it ignore INT and QUIT; nor with what we
 * were begun to ignore, as by nohup.  A log's runsv is that of its service. */
static void
start_runsv(const char *name)
{
	const char	*dir = stage_path("%s/%.*s", RUNIT,
			    (int)strcspn(name, "/"), name);
	pid_t		 pid;
	int		 fd, sig;

	ck_assert_int_ge(pid = fork(), 0);
	if (pid != 0)
		return;
	for (sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
	setsid();
	fd = open(stage_path("runsv.log"), O_WRONLY | O_CREAT | O_APPEND |
	    O_CLOEXEC, 0644);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execlp("runsv", "runsv", dir, (char *)NULL);
	_exit(127);
}

/* It says so, has done what it should, and what runs is ready. */
static bool
has_settled(int side, const char *name, const struct step *s, pid_t was)
{
	pid_t	pid = armed(side, name);

	if (s->again && (pid == was || pid == 0))
		return false;
	if (s->seen != NULL && strcmp(stage_read("%s/%s/seen", dirs[side],
	    name), s->seen) != 0)
		return false;
	/* Nobody, and nobody noted, may be somebody a moment later. */
	if (strncmp(s->settled, "run:", 4) == 0 &&
	    (pid == 0 || pid != recorded(side, name)))
		return false;
	return says(side, name, s->settled);
}

static void
settle(const char *name, const struct step *s, const pid_t was[SIDES])
{
	long long	until_ms = stage_now_ms() + AWAIT_MS;
	char		out[TEXT];
	int		side;

	for (side = 0; side < SIDES; side++)
		while (!has_settled(side, name, s, was[side])) {
			if (stage_now_ms() < until_ms) {
				stage_pause();
				continue;
			}
			sv(side, "status", name, out);
			ck_abort_msg("%s with %s: '%s' instead of '%s', "
			    "seen '%s', pid %d then %d", doing,
			    side == REEVED ? "reeved" : "runsv", out,
			    s->settled, stage_read("%s/%s/seen", dirs[side],
			    name), (int)was[side], (int)armed(side, name));
		}
	/* One that starts again and again has moved on meanwhile. */
	if (!s->unlike && strstr(s->settled, "want up") == NULL)
		compare_files(name);
}

/* sv takes a service that went down in the second in which it is to run once
 * for one that has run already: whoever is slow would seem to differ. */
static void
await_next_second(const char *name)
{
	int	side;

	for (side = 0; side < SIDES; side++)
		AWAIT(time(NULL) > changed_s(side, name));
}

static void
take_step(const struct play *p, const struct step *s)
{
	char	out[SIDES][TEXT];
	pid_t	was[SIDES];
	int	code[SIDES], side;

	snprintf(doing, sizeof(doing), "sv %s %s, step %d", s->args, p->name,
	    (int)(s - p->steps));
	for (side = 0; side < SIDES; side++)
		was[side] = armed(side, p->name);
	if (strcmp(s->args, "-v once") == 0)
		await_next_second(p->name);
	for (side = 0; side < SIDES; side++)
		code[side] = sv(side, s->args, p->name, out[side]);
	ck_assert_msg(strcmp(out[REEVED], out[RUNSV]) == 0,
	    "%s: '%s' with reeved, '%s' with runsv", doing, out[REEVED],
	    out[RUNSV]);
	ck_assert_msg(code[REEVED] == code[RUNSV],
	    "%s: exit %d with reeved, %d with runsv", doing, code[REEVED],
	    code[RUNSV]);
	settle(p->name, s, was);
}

START_TEST(reeved_is_as_runsv)
{
	const struct play	*p = &plays[_i];
	const struct step	*s;
	struct step		 first = { "", p->begins, NULL, false, false };
	pid_t			 nobody[SIDES] = { 0, 0 };

	ck_assert_int_eq(mkdir(stage_path(RUNIT), 0755), 0);
	put_files(REEVED, p);
	put_files(RUNSV, p);
	stage_reeved();
	start_runsv(p->name);
	snprintf(doing, sizeof(doing), "beginning %s", p->name);
	settle(p->name, &first, nobody);
	for (s = p->steps; s->args != NULL; s++)
		take_step(p, s);
}
END_TEST

/* Of several at once, of none, and of what is no command. */
START_TEST(sv_speaks_of_many)
{
	static const char *const	calls[] = { "status", "-v status",
					    "up", "check", "sdown", "" };
	static const char *const	names[] = { "a b", "a nosuch b",
					    "nosuch", "" };
	struct play			a = { .name = "a", .files = {
					    { "run", SLEEPS } } };
	struct play			b = { .name = "b", .files = {
					    { "run", SLEEPS },
					    { "down", "" } } };
	char				out[SIDES][TEXT];
	int				code[SIDES], side;
	size_t				i, j;

	ck_assert_int_eq(mkdir(stage_path(RUNIT), 0755), 0);
	for (side = 0; side < SIDES; side++) {
		put_files(side, &a);
		put_files(side, &b);
	}
	stage_reeved();
	start_runsv("a");
	start_runsv("b");
	for (side = 0; side < SIDES; side++) {
		AWAIT(says(side, "a", RUN("a")));
		AWAIT(says(side, "b", "down: b: Ns\n"));
	}
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
			/* "up" is not for b, which would be on its way */
			if (i == 2 && j < 2)
				continue;
			for (side = 0; side < SIDES; side++)
				code[side] = sv(side, calls[i], names[j],
				    out[side]);
			ck_assert_str_eq(out[REEVED], out[RUNSV]);
			ck_assert_int_eq(code[REEVED], code[RUNSV]);
		}
}
END_TEST

/* With a name: that play alone. */
int
main(int argc, char **argv)
{
	Suite	*suite = suite_create("sv");
	TCase	*tc = tcase_create("compare");
	SRunner	*sr;
	int	 failed, i;

	if (system("command -v sv runsv >/dev/null") != 0) {
		printf("no sv and runsv to compare with\n");
		return 77;
	}
	tcase_set_timeout(tc, 180);
	tcase_add_checked_fixture(tc, stage_setup, stage_teardown);
	for (i = 0; i < PLAYS; i++)
		if (argc < 2 || strcmp(plays[i].name, argv[1]) == 0)
			tcase_add_loop_test(tc, reeved_is_as_runsv, i, i + 1);
	if (argc < 2)
		tcase_add_test(tc, sv_speaks_of_many);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
