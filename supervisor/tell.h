/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TELL_H
#define REEVE_TELL_H

#include "roster.h"
#include "sdnotify.h"

/*
 * What the supervisor tells systemd, and when: that all is ready, what is
 * not, that it reloads, that it stops, that it is alive.
 */
struct tell {
	struct sdnotify	 socket;
	int64_t		 ping_ms;	/* next watchdog ping, or NEVER */
	int64_t		 again_ms;	/* to say what is due, or NEVER */
	int64_t		 status_ms;	/* the next status is not before */
	bool		 logged;	/* all were ready once */
	bool		 announced;	/* and that was sent */
	bool		 reloading;	/* to be followed by READY=1 */
	bool		 stopping;
	char		 status[320];	/* the last that was sent */
};

void	tell_init(struct tell *);
void	tell_close(struct tell *);

/* To be called when it begins; the end of a reload is the next tell_all. */
void	tell_reloading(struct tell *);
void	tell_stopping(struct tell *);

/* After every event: say what is new. */
void	tell_all(struct tell *, const struct roster *);

/* When tell_all is due without an event, or NEVER. */
int64_t	tell_deadline_ms(const struct tell *);

#endif
