/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_PROXY_H
#define REEVE_T_PROXY_H

/*
 * A link that a test can break: a process that passes TCP connections on to
 * 127.0.0.1:<to>, and obeys.  It ends with the test.
 */
struct proxy {
	int	port;		/* where it listens */
	int	control;
	int	pid;
};

void	proxy_start(struct proxy *, int to);
/* Reset all connections; new ones are taken. */
void	proxy_cut(struct proxy *);
/* Pass nothing on, in no direction, and answer nobody; no FIN either. */
void	proxy_freeze(struct proxy *);
/* Pass on again: what was held back too. */
void	proxy_thaw(struct proxy *);
/* After so many bytes more from the broker, cut in the middle. */
void	proxy_cut_after(struct proxy *, unsigned kilobytes);
void	proxy_stop(struct proxy *);

#endif
