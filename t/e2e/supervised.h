/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_SUPERVISED_H
#define REEVE_T_SUPERVISED_H

#include <sys/types.h>

#include <stdbool.h>

/*
 * Who runs the service directories of a space: $REEVE_SUPERVISOR, which is
 * reeved (the default), runsvdir or s6-svscan.  All three take the same
 * bytes in supervise/control; what differs is here.
 */
enum supervisor { BY_REEVED, BY_RUNIT, BY_S6 };

enum supervisor supervised_by(void);
/* False for the others: the reason why this test is not for them is said. */
bool	supervised_by_reeved(const char *reason);

/* Become the supervisor of <state>/service; reeved: its path. */
void	supervised_exec(const char *reeved, const char *state)
	    __attribute__((noreturn));
/* The pid of a service, by its directory; 0: it does not run. */
pid_t	supervised_pid(const char *service);
/* It has said so on its notification-fd.  runit never knows. */
bool	supervised_is_ready(const char *service);
/* Somebody waits for commands. */
bool	supervised_at_all(const char *service);

/* Tell the supervisor to end itself and its services. */
void	supervised_end(pid_t top);
/* A signal to all of its own processes: runit and s6 have one a service. */
void	supervised_signal(pid_t top, int sig);

#endif
