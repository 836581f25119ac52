/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_TERMINAL_H
#define REEVE_T_TERMINAL_H

#include "screen.h"
#include "space.h"

/*
 * Terminals of agents for tests: reeve-pty alone on a real broker, people who
 * watch through their own connections, and `reeve attach` in a real
 * pseudo-terminal.  All of it ends with the test.
 */
void	terminal_setup(void);		/* a space with its broker, no roles */
void	terminal_teardown(void);
void	terminal_broker(bool up);	/* take it away (SIGKILL), and back */

/* --- a terminal ------------------------------------------------------------ */

struct terminal {
	char		name[32], id[ID_MAX];
	char		dir[256];		/* of the agent */
	struct creds	creds;			/* of its reeve-pty */
	pid_t		pid;			/* of that */
};

/* What the manager would make.  launch: members of launch.json. */
void	terminal_make(struct terminal *, const char *name,
	    const char *launch);
/* The usual one: `sh -c SCRIPT`, with the policy. */
void	terminal_sh(struct terminal *, const char *policy,
	    const char *script);
void	terminal_start(struct terminal *);
/* SIGTERM, and its exit code. */
int	terminal_end(struct terminal *);
/* A file of the agent's directory, parsed; NULL: there is none (yet). */
cJSON	*terminal_file(const struct terminal *, const char *name);
long	terminal_rss_kb(const struct terminal *);

/* What a screen shows, with the history where that is shown, too; malloc'd.
 * Each row ends in a newline; the first begins after one. */
char	*terminal_text(struct screen *);

/* --- who watches -------------------------------------------------------------- */

struct watcher {
	struct terminal	*terminal;
	struct creds	 creds;
	struct bus	*bus;
	char		 in[SUBJECT_MAX];
	unsigned	 rows, cols;
	struct screen	*screen;	/* what he sees */
	char		*text;		/* all bytes, malloc'd */
	size_t		 text_len;
	uint64_t	 bytes, told;	/* consumed, as both sides count */
	uint64_t	 paint_bytes;	/* ... when the last painting was */
	unsigned	 asked;		/* how often */
	bool		 painted;	/* since */
	bool		 mute;		/* tells nothing of it */
	unsigned	 paints, holds, resumes, forgotten;
	char		 error[256];
	char		 end[256];	/* the last 'x' */
	unsigned	 size_rows, size_cols;	/* the last 'w' */
	char		 state[512];	/* the last state message */
};

/* Attach; returns when he is painted. */
void	watch(struct watcher *, struct terminal *, unsigned rows,
	    unsigned cols);
/* The same in parts: connect, send the frame of an attachment. */
void	watch_connect(struct watcher *, struct terminal *, unsigned rows,
	    unsigned cols);
void	watch_attach(struct watcher *);
void	watch_turn(struct watcher *, int64_t ms);
void	watch_tell(struct watcher *);	/* what has been consumed */
void	watch_send(struct watcher *, char type, const char *text);
void	watch_send_bytes(struct watcher *, char type, const void *, size_t);
void	watch_type(struct watcher *, const char *text);
/* Does terminal_text have it? */
bool	watch_shows(struct watcher *, const char *text);
/* The number after the text there; 0: none. */
pid_t	watch_pid_after(struct watcher *, const char *text);
/* A process that is there, and no zombie. */
bool	lives(pid_t);
/* Turn until it is so; fails the test when too late. */
#define WATCH_AWAIT(w, what)						\
	do {								\
		int64_t until_ms_ = test_now_ms() + AWAIT_MS;		\
									\
		while (!(what)) {					\
			if (test_now_ms() > until_ms_)			\
				watch_fail(__FILE__, __LINE__, #what, w); \
			watch_turn(w, 10);				\
		}							\
	} while (0)
void	watch_fail(const char *file, int line, const char *what,
	    struct watcher *) __attribute__((noreturn));
void	watch_end(struct watcher *);
/* Both see the same: every cell, cursor, mode. */
bool	watch_same(struct watcher *, struct watcher *);

/* --- `reeve attach` --------------------------------------------------------------- */

struct seat {
	int		 master;
	pid_t		 pid;		/* 0: reaped */
	int		 status;
	struct screen	*screen;	/* of the terminal it runs in */
	char		*text;
	size_t		 text_len;
};

void	seat_take(struct seat *, struct terminal *, unsigned rows,
	    unsigned cols, const char *options);
void	seat_turn(struct seat *, int64_t ms);
void	seat_type(struct seat *, const void *, size_t);
bool	seat_shows(struct seat *, const char *text);
bool	seat_has_ended(struct seat *);
#define SEAT_AWAIT(s, what)						\
	do {								\
		int64_t until_ms_ = test_now_ms() + AWAIT_MS;		\
									\
		while (!(what)) {					\
			if (test_now_ms() > until_ms_)			\
				seat_fail(__FILE__, __LINE__, #what, s); \
			seat_turn(s, 10);				\
		}							\
	} while (0)
void	seat_fail(const char *file, int line, const char *what,
	    struct seat *) __attribute__((noreturn));
void	seat_leave(struct seat *);

#endif
