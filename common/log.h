/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LOG_H
#define REEVE_LOG_H

#include <stddef.h>

/*
 * Daemons log logfmt lines to stderr:
 *
 *	ts=2026-01-02T03:04:05.678Z lvl=info role=fanout shard=0 msg="bound" pending=3
 *
 * One write(2) a line, so lines of several processes do not mix.  The text
 * after msg is the caller's own key=value pairs; log_str quotes a value that
 * comes from outside.  Uses no allocation and nothing else of common/: the
 * supervisor links it.
 */
enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN,
	LOG_LEVEL_ERROR };

/* who: fixed pairs for every line ("role=fanout shard=0"); copied. */
void	log_init(const char *who, enum log_level min);

/*
 * From here on a line that stderr does not take at once is dropped, and
 * counted; before the next that it takes goes one that says how many were
 * ("lines lost").  For the supervisor, which waits for no reader.  The roles
 * do wait: a slow reader of theirs misses nothing.
 *
 * stderr keeps its flags, as others have it, too: a FIFO or a terminal is
 * opened anew; to a socket is sent with MSG_DONTWAIT; a file is written to as
 * ever.  Where a FIFO cannot be opened, being another user's, the kernel is
 * told not to wait, and one that cannot be told is asked before (poll(2)):
 * only there a line still waits if others fill the pipe just then.
 */
void	log_never_wait(void);

/* In a fork of the above, which is about to close what it does not know: a
 * line goes to stderr itself, still without waiting. */
void	log_in_child(void);

/* msg is a constant sentence; fmt gives pairs ("seq=%llu") or is "". */
void	log_debug(const char *msg, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
void	log_info(const char *msg, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
void	log_warn(const char *msg, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
void	log_error(const char *msg, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/*
 * Quote s as a logfmt value: control characters and quotes escaped, cut at
 * 200 bytes.  Returns a pointer into a small ring of static buffers: good
 * for up to four values of one line.
 */
const char *log_str(const char *s);
/* The same into a buffer of at least 3 bytes, cut at max bytes of s and where
 * the buffer ends; returns it. */
char	*log_quote(char *buf, size_t size, const char *s, size_t max);
/* "ts=2026-01-02T03:04:05.678Z", now; its length. */
size_t	log_stamp(char *buf, size_t size);

/* Log that memory is out, and abort: the supervisor starts us afresh. */
void	fatal_memory(void) __attribute__((noreturn));

#endif
