/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BYTES_H
#define REEVE_BYTES_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Bytes that grow at the end.  Zero-initialized is empty; n is how many there
 * are.  What cannot be had for want of memory is not added, and `failed` says
 * so once all is done: nobody has to ask after each addition.
 */
struct bytes {
	char	*p;
	size_t	 n, cap;
	bool	 failed;
};

void	bytes_add(struct bytes *, const void *, size_t n);
void	bytes_str(struct bytes *, const char *);
/* At most 255 bytes at a time. */
void	bytes_fmt(struct bytes *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* Empty again, the memory kept. */
void	bytes_clear(struct bytes *);
void	bytes_free(struct bytes *);

#endif
