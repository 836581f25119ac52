/* SPDX-License-Identifier: ISC */
#ifndef REEVE_ERROR_H
#define REEVE_ERROR_H

#include <sysexits.h>

/*
 * An error is a value: what went wrong, in a sentence that names the thing
 * and where possible what to do, and a code for the process's exit.
 *
 *	code	one of sysexits.h (EX_USAGE, EX_DATAERR, EX_CONFIG ...)
 *	api	JetStream's err_code when a server answered with one, else 0
 *
 * A function that takes a struct error sets it whenever it fails, and leaves
 * it alone when it succeeds.  NULL is accepted: the caller does not care.
 */
struct error {
	int	code;
	int	api;
	char	text[512];
};

/* Set *e and return -1, so that a caller can `return error_set(...)`. */
int	error_set(struct error *e, int code, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));
/* Prefix the text that is there ("FILE: ..."); returns -1. */
int	error_wrap(struct error *e, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* error_set with ": strerror(errno)" appended; EX_OSERR unless code given. */
int	error_errno(struct error *e, int code, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

#endif
