/* SPDX-License-Identifier: ISC */
#ifndef REEVE_SERVICE_H
#define REEVE_SERVICE_H

#include <sys/types.h>

#include <bsd/sys/queue.h>

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "watch.h"

/*
 * One supervised process and its state machine.  A service directory is one
 * struct service, its log/ another.  What the machine does to the world goes
 * through struct service_ops, so a test can walk it without a process.
 */

enum service_state {
	STATE_DOWN,		/* no process, none due */
	STATE_WAIT,		/* no process, due when its needs are met */
	STATE_UP,		/* run is running, has not said it is ready */
	STATE_READY,		/* run has written its newline */
	STATE_FINISH,		/* finish is running */
	STATE_BACKOFF,		/* no process, the next start is timed */
	STATE_ORPHAN,		/* a killed reeved's process is to end */
	STATE_MAX
};

enum service_want { WANT_DOWN, WANT_UP, WANT_ONCE };

enum service_event {
	/* from reeved itself */
	EV_START,		/* start it if it is wanted */
	EV_EXIT,		/* its process is gone; of run and finish
				   wstatus is set */
	EV_NOTIFY,		/* a newline on the notification fd */
	EV_TIMER,		/* deadline_ms has passed */
	EV_GONE,		/* its directory left the service directory */
	EV_STOP,		/* reeved stops, or the service of this log did */
	EV_HURRY,		/* reeved stops now */
	/* a byte written to supervise/control, in the order of CONTROL_BYTES */
	EV_CTL_UP,
	EV_CTL_DOWN,
	EV_CTL_ONCE,
	EV_CTL_EXIT,
	EV_CTL_TERM,
	EV_CTL_KILL,
	EV_CTL_PAUSE,
	EV_CTL_CONT,
	EV_CTL_HUP,
	EV_CTL_ALRM,
	EV_CTL_INT,
	EV_CTL_QUIT,
	EV_CTL_USR1,
	EV_CTL_USR2,
	EV_MAX
};

#define CONTROL_BYTES	"udoxtkpchaiq12"

enum service_program { PROGRAM_RUN, PROGRAM_FINISH };
/* The files that hold a number. */
enum service_number {
	NUMBER_TIMEOUT_KILL,
	NUMBER_TIMEOUT_FINISH,
	NUMBER_MAX_DEATH_TALLY,
	NUMBER_DEATH_WINDOW,
};

/* Of an orphan that ended. */
enum service_rest { NOTHING_LEFT, SOME_LEFT, UNKNOWN_LEFT };

#define NEVER			INT64_MAX
#define BACKOFF_MIN_MS		100
#define BACKOFF_MAX_MS		30000
#define BACKOFF_RESET_MS	10000	/* up this long: failures forgotten */
#define STOP_KILL_MS		10000	/* timeout-kill when reeved insists */
#define FINISH_KILL_MS		5000
#define ORPHAN_LOG_MS		1000	/* for a log to see its input's end */
#define ORPHAN_AGAIN_MS	1000	/* to ask again what it has left */
#define DEATH_WINDOW_MS		3600000
#define FINISH_GIVES_UP		125	/* as s6's: its exit code */

/* The descriptors that a child is given, see child.h. */
enum given { GIVEN_GO, GIVEN_IN, GIVEN_OUT, GIVEN_NOTIFY, GIVEN_MAX };

struct service;
struct roster;
struct needs;
struct tally;

struct service_ops {
	/* Fork the program; it waits for go.  -1: could not, errno is set. */
	pid_t	(*spawn)(struct service *, enum service_program);
	/* Let the spawned program run: its record has been written. */
	void	(*go)(struct service *);
	/* To the process alone, or to its whole group. */
	void	(*signal)(const struct service *, int);
	void	(*signal_group)(const struct service *, int);
	/* Write by what a successor knows the process. */
	void	(*record)(struct service *);
	/* Write all that supervise/ tells others. */
	void	(*publish)(struct service *);
	/* Kill what an orphan that ended has left. */
	enum service_rest (*orphan_remains)(struct service *);
	bool	(*has_finish)(const struct service *);
	/* What it needs is ready. */
	bool	(*needs_met)(struct service *);
	/* The file's number, -1 if there is none. */
	int64_t	(*number)(const struct service *, enum service_number);
	/* A number below bound. */
	uint32_t (*random_below)(uint32_t);
};

struct service {
	TAILQ_ENTRY(service)	 entry;
	const struct service_ops *ops;
	struct roster		*roster;
	struct service		*log;	/* owned; NULL: none */
	struct service		*main;	/* of a log: whose; else NULL */
	char			 name[NAME_MAX + 5];	/* "x" or "x/log" */

	/* the machine */
	enum service_state	 state;
	enum service_want	 want;
	pid_t			 pid;		/* run, finish, orphan; 0: none */
	int64_t			 deadline_ms;	/* monotonic, or NEVER */
	int64_t			 started_ms;	/* monotonic, of run */
	int			 wstatus;	/* of the last process */
	int			 last_exit;	/* of run; -1: by signal, none */
	int			 last_signal;	/* of run; 0: none */
	pid_t			 last_pid;	/* whose these are; 0: none's */
	unsigned long long	 last_ticks;
	pid_t			 told_pid;	/* told to end, the last one */
	unsigned long long	 told_ticks;
	unsigned		 starts;
	unsigned		 failures;	/* in a row */
	struct tally		*deaths;	/* owned; NULL: none counted */
	const char		*given_up;	/* why, static; NULL: it is not */
	bool			 asked;		/* the last exit was asked for */
	bool			 paused;
	bool			 got_term;
	bool			 unsure;	/* what its orphan has left */
	bool			 leaving;	/* x: let go of it when down */
	bool			 gone;		/* its directory is */
	bool			 final;		/* will not start again */
	bool			 hurried;
	struct timespec		 stamp;		/* realtime, as runit's */
	int64_t			 since_ms;	/* realtime of the last change */

	/* what it needs, see needs.h */
	struct needs		*needs;		/* owned; NULL: nothing */
	const char		*unmet;		/* what it waits for, in needs */
	struct service		*via, *below;	/* of a walk */
	bool			 needed;	/* by one that has not ended */

	/* what it is in the file system, see supervise.h and process.h */
	dev_t			 dev;
	ino_t			 ino;
	int			 dir_fd;
	int			 lock_fd;
	int			 ok_fd;
	int			 log_pipe[2];
	int			 go_fd;		/* of a child that waits */
	int			 given[GIVEN_MAX]; /* -1: not, or no more */
	bool			 notifies;	/* has a notification-fd */
	uint64_t		 written[4];	/* hashes, see supervise.c */
	bool			 unpublished;	/* could not be written */
	bool			 fresh;		/* taken up, not yet begun */
	bool			 seen;		/* by the scan under way */
	bool			 released;	/* after x: not ours now */
	unsigned long long	 start_ticks;	/* of pid, in /proc/PID/stat */
	struct watch		 orphan;	/* its pidfd, see orphan.h */
	struct watch		 control;
	struct watch		 notify;
};

/* Set every field to that of a service that is down and has no files. */
void	service_init(struct service *, const char *name,
	    const struct service_ops *);

/* Look the pair of state and event up in the table and do what it says. */
void	service_event(struct service *, enum service_event, int64_t now_ms);

/* The event of a control byte; EV_MAX: none. */
enum service_event service_control_event(char);

/* Counts as ready: says so, or is up and never says. */
bool	service_is_ready(const struct service *);

const char *service_state_name(enum service_state);
const char *service_want_name(enum service_want);

#endif
