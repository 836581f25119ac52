/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "jsonscan.h"
#include "utf8.h"

#define NUMBER_MAX	63		/* cJSON reads no more */
#define REPLACEMENT	"\\ufffd"

struct scan {
	const char		*data, *p, *end;
	unsigned		 depth;		/* left */
	unsigned		 top;		/* depth within the outermost */
	const char		*want;		/* a member of that; or NULL */
	struct json_scan	*out;
};

/* What needs no look in a string: ASCII but quote, backslash and control. */
static const bool	plain[256] = { [' ' ... '!'] = true,
			    ['#' ... '['] = true, [']' ... 0x7f] = true };

static bool	scan_value(struct scan *);

static bool
wrong(struct scan *s, const char *why)
{
	if (s->p < s->end && *s->p == '\0')
		why = "a NUL byte";
	s->out->why = why;
	s->out->at = (size_t)(s->p - s->data);
	return false;
}

static const char *
skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' ||
	    *p == '\t'))
		p++;
	return p;
}

/* Four hexadecimal digits at p; -1 when they are not. */
static int32_t
hex4(const char *p, const char *end)
{
	int32_t	v = 0;
	int	i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			v = v * 16 + (p[i] - '0');
		else if (p[i] >= 'a' && p[i] <= 'f')
			v = v * 16 + (p[i] - 'a' + 10);
		else if (p[i] >= 'A' && p[i] <= 'F')
			v = v * 16 + (p[i] - 'A' + 10);
		else
			return -1;
	}
	return v;
}

static bool
is_high(int32_t unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static bool
is_low(int32_t unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* Is the escape at p (a backslash) the second half of a pair? */
static bool
low_follows(const char *p, const char *end)
{
	return end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
	    is_low(hex4(p + 2, end));
}

static bool
repair(struct scan *s)
{
	struct json_scan	*o = s->out;
	size_t			 len = (size_t)(s->end - s->data);

	if (o->repaired == NULL) {
		if ((o->repaired = malloc(len)) == NULL) {
			o->memory = true;
			return wrong(s, "out of memory");
		}
		memcpy(o->repaired, s->data, len);
	}
	memcpy(o->repaired + (s->p - s->data), REPLACEMENT,
	    sizeof(REPLACEMENT) - 1);
	return true;
}

/* At the backslash of \uXXXX. */
static bool
scan_unicode(struct scan *s)
{
	int32_t	unit = hex4(s->p + 2, s->end);

	if (unit == -1)
		return wrong(s, "a bad escape");
	if (unit == 0)
		return wrong(s, "\\u0000");
	if (is_high(unit) && low_follows(s->p + 6, s->end)) {
		s->p += 12;
		return true;
	}
	if ((is_high(unit) || is_low(unit)) && !repair(s))
		return false;
	s->p += 6;
	return true;
}

/* At a backslash. */
static bool
scan_escape(struct scan *s)
{
	if (s->end - s->p < 2)
		return wrong(s, "a bad escape");
	if (s->p[1] == 'u')
		return scan_unicode(s);
	if (s->p[1] == '\0' || strchr("\"\\/bfnrt", s->p[1]) == NULL)
		return wrong(s, "a bad escape");
	s->p += 2;
	return true;
}

static bool
scan_string(struct scan *s)
{
	unsigned char	c;
	uint32_t	cp;
	size_t		n;

	if (s->p == s->end || *s->p != '"')
		return wrong(s, "expected a string");
	s->p++;
	for (;;) {
		while (s->p < s->end && plain[(unsigned char)*s->p])
			s->p++;
		if (s->p == s->end)
			return wrong(s, "the end inside a string");
		c = (unsigned char)*s->p;
		if (c == '"') {
			s->p++;
			return true;
		}
		if (c == '\\') {
			if (!scan_escape(s))
				return false;
		} else if (c < 0x20)
			return wrong(s, "a control character in a string");
		else if ((n = utf8_decode(s->p, (size_t)(s->end - s->p),
		    &cp)) == 0)
			return wrong(s, "bytes that are not UTF-8");
		else
			s->p += n;
	}
}

static bool
scan_digits(struct scan *s)
{
	const char	*from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return s->p > from ? true : wrong(s, "a bad number");
}

static bool
scan_number(struct scan *s)
{
	const char	*from = s->p;

	if (*s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!scan_digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (s->p - from > NUMBER_MAX)
		return wrong(s, "a number of over 63 characters");
	return true;
}

static bool
scan_word(struct scan *s, const char *word)
{
	size_t	n = strlen(word);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return wrong(s, "an unknown word");
	s->p += n;
	return true;
}

/* --- a member by its name ------------------------------------------------ */

/* The code point of the escape at p; *n is how long it is. */
static uint32_t
unescape(const char *p, const char *end, size_t *n)
{
	int32_t	unit;

	*n = 2;
	switch (p[1]) {
	case 'b':
		return '\b';
	case 'f':
		return '\f';
	case 'n':
		return '\n';
	case 'r':
		return '\r';
	case 't':
		return '\t';
	case 'u':
		break;
	default:
		return (unsigned char)p[1];
	}
	unit = hex4(p + 2, end);
	*n = 6;
	if (is_high(unit) && low_follows(p + 6, end)) {
		*n = 12;
		return 0x10000u + ((uint32_t)(unit - 0xd800) << 10) +
		    (uint32_t)(hex4(p + 8, end) - 0xdc00);
	}
	if (unit == -1 || is_high(unit) || is_low(unit))
		return UTF8_REPLACEMENT;
	return (uint32_t)unit;
}

/* Is the string between p and end, as it is written, this name? */
static bool
name_is(const char *p, const char *end, const char *name)
{
	char		buf[UTF8_MAX];
	uint32_t	cp;
	size_t		n, used;

	while (p < end) {
		if (*p != '\\') {
			if (*name == '\0' || *p++ != *name++)
				return false;
			continue;
		}
		if (end - p < 2)
			return false;
		cp = unescape(p, end, &used);
		n = utf8_encode(cp, buf);
		if (cp == 0 || used > (size_t)(end - p) ||
		    strncmp(name, buf, n) != 0)
			return false;
		p += used;
		name += n;
	}
	return *name == '\0';
}

/* --- values ---------------------------------------------------------------- */

/* A member's name and colon; is it the one that is wanted? */
static bool
scan_name(struct scan *s, bool *wanted)
{
	const char	*from;

	from = s->p = skip_space(s->p, s->end);
	if (!scan_string(s))
		return false;
	*wanted = s->want != NULL && s->depth == s->top &&
	    name_is(from + 1, s->p - 1, s->want);
	s->p = skip_space(s->p, s->end);
	if (s->p == s->end || *s->p != ':')
		return wrong(s, "expected a colon");
	s->p++;
	return true;
}

static bool
scan_member(struct scan *s)
{
	struct json_scan	*o = s->out;
	const char		*from;
	bool			 wanted;

	if (!scan_name(s, &wanted))
		return false;
	from = s->p = skip_space(s->p, s->end);
	if (!scan_value(s))
		return false;
	if (wanted && o->times++ == 0) {
		o->value = from;
		o->value_len = (size_t)(s->p - from);
	}
	return true;
}

/* At the opening bracket of an array or object. */
static bool
scan_nested(struct scan *s)
{
	bool	object = *s->p == '{';
	char	close = object ? '}' : ']';

	if (s->depth == 0)
		return wrong(s, "nested too deep");
	s->depth--;
	s->p = skip_space(s->p + 1, s->end);
	if (s->p < s->end && *s->p == close)
		goto done;
	for (;;) {
		if (object ? !scan_member(s) : !scan_value(s))
			return false;
		s->p = skip_space(s->p, s->end);
		if (s->p < s->end && *s->p == close)
			break;
		if (s->p == s->end || *s->p != ',')
			return wrong(s, object ? "expected , or }" :
			    "expected , or ]");
		s->p++;
	}
done:
	s->p++;
	s->depth++;
	return true;
}

static bool
scan_value(struct scan *s)
{
	s->p = skip_space(s->p, s->end);
	if (s->p == s->end)
		return wrong(s, "the end where a value belongs");
	switch (*s->p) {
	case '{':
	case '[':
		return scan_nested(s);
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (*s->p == '-' || (*s->p >= '0' && *s->p <= '9'))
			return scan_number(s);
		return wrong(s, "expected a value");
	}
}

bool
json_scan(struct json_scan *out, const char *data, size_t len,
    unsigned depth, const char *want)
{
	struct scan	s = { .data = data, .p = data, .end = data + len,
			    .depth = depth, .top = depth - 1, .want = want,
			    .out = out };

	memset(out, 0, sizeof(*out));
	if (!scan_value(&s))
		return false;
	s.p = skip_space(s.p, s.end);
	return s.p == s.end ? true : wrong(&s, "bytes after the value");
}
