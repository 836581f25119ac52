/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_WARDEN_H
#define REEVE_BENCH_WARDEN_H

/*
 * Run fn in a child.  However that ends (it returns, fails, is killed, or we
 * are told to stop by SIGINT, SIGTERM or SIGHUP), every process that came of
 * it is ended and dir is removed before this returns.  The exit code: fn's,
 * or 128 and the signal that ended it.
 *
 * Call it before anything makes a thread.
 */
int	warden_run(const char *dir, int (*fn)(void *), void *arg);

#endif
