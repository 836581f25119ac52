/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TEST_STAGE_H
#define REEVE_TEST_STAGE_H

#include <sys/types.h>

#include <check.h>
#include <stdbool.h>

/*
 * A state directory under /tmp with services that are sh scripts, and the
 * real reeved (environment: REEVED, default ./reeved) on it.  Everything
 * that works in that directory is killed at the end, by a guard process that
 * outlives a test that fails.
 */

#define AWAIT_MS	15000

/* Wait until it is true; fails the test when that takes too long. */
#define AWAIT(what)							\
	do {								\
		long long until_ms_ = stage_now_ms() + stage_patience_ms; \
									\
		while (!(what)) {					\
			if (stage_now_ms() > until_ms_)			\
				stage_fail(__FILE__, __LINE__, #what);	\
			stage_pause();					\
		}							\
	} while (0)

#define NEED_ROOT							\
	do {								\
		if (geteuid() != 0) {					\
			fprintf(stderr, "not root: skipped\n");		\
			return;						\
		}							\
	} while (0)

/* AWAIT_MS, but for a test of much more than others have. */
extern long long stage_patience_ms;

/* Fixture: to be added to every case. */
void	stage_setup(void);
void	stage_teardown(void);

/* A path below the directory, or an absolute one (a ring of static buffers).
 * The services are in stage_path("state/service/..."). */
const char *stage_path(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

/* Write a file below the directory; an executable one where it is run,
 * finish or check.  Directories on the way are made. */
void	stage_file(const char *path, const char *content);

/* A service with this script as run, after "#!/bin/sh". */
void	stage_service(const char *name, const char *script);

/* Start reeved -v on the state directory; its log is in the file "log". */
pid_t	stage_reeved(void);

/* Who is started below has this descriptor, not the file "log", for its log;
 * -1: the file. */
void	stage_log_to(int fd);

/*
 * The same as this user, whose the state directory becomes, with a limit of
 * processes (0: none).  The program is copied to where that user can run it.
 */
pid_t	stage_reeved_as(uid_t, unsigned long processes);

/* The same as process 1 of a pid namespace: its pid here, outside.  For root. */
pid_t	stage_reeved_init(void);

/* Wait for its end; the exit code, or -1 if it was killed. */
int	stage_wait(pid_t);

/* Run a command with SVDIR set: its exit code, its output in out. */
int	stage_run(char *out, size_t size, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

/* A file's content, "" if there is none; static. */
const char *stage_read(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

/* Lines of a file, 0 if there is none. */
unsigned	stage_lines(const char *path);

/* What supervise/reeve of a service says; "" and 0 if nothing. */
const char	*stage_value(const char *service, const char *key);
long long	 stage_number(const char *service, const char *key);
bool		 stage_is(const char *service, const char *state);

/* Write bytes to its control. */
void	stage_control(const char *service, const char *bytes);

/* Rename below the directory. */
void	stage_move(const char *from, const char *to);

/* The log has this text. */
bool	stage_logged(const char *text);

bool	stage_alive(pid_t);
bool	stage_have(const char *program);

long long stage_now_ms(void);
void	stage_pause(void);
void	stage_fail(const char *file, int line, const char *what)
	    __attribute__((noreturn));

/* The cases of the other files. */
TCase	*runit_case(void);
TCase	*hostile_case(void);
TCase	*limits_case(void);
TCase	*log_case(void);
TCase	*system_case(void);
TCase	*answers_case(void);
TCase	*orphans_case(void);
TCase	*turns_case(void);
TCase	*wait_case(void);
TCase	*needs_case(void);

/* What this program is when its tests start it as a service; its exit code,
 * or -1: it is none of these. */
int	log_helper(int argc, char *argv[]);

#endif
