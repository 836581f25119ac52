/* SPDX-License-Identifier: ISC */
#ifndef REEVE_UTF8_H
#define REEVE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. */

#define UTF8_MAX		4	/* bytes of a code point */
#define UTF8_REPLACEMENT	0xfffdu

/* The code point at p: its length in bytes, 0 when it is not UTF-8. */
size_t	utf8_decode(const char *p, size_t len, uint32_t *cp);
/* Its length in bytes; out is not terminated. */
size_t	utf8_encode(uint32_t cp, char out[UTF8_MAX]);
bool	utf8_is_valid(const char *s, size_t len);
/* Length in UTF-16 units, as JavaScript counts; a wrong byte counts one. */
size_t	utf8_units(const char *s);
/* What JavaScript's trim takes for white space. */
bool	utf8_is_space(uint32_t cp);
/* s without the white space around it: a view, its length in *len. */
const char *utf8_trim(const char *s, size_t *len);
/* malloc'd, each byte that is not UTF-8 as U+FFFD; NULL: out of memory. */
char	*utf8_repair(const char *s);

#endif
