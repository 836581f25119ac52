/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "strlist.h"
#include "utf8.h"

#define PORT_DEFAULT	"4222"
#define PORT_MAX	65535

/* The link is not repeated in an error: it may hold a secret. */
static int
bad(struct error *e, const char *what)
{
	return error_set(e, EX_USAGE, "not a join link "
	    "(cotal://[token@]host[:port]/space): %s", what);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Percent-decoded, malloc'd into *out.  Refused: empty, not UTF-8, control
 * characters. */
static int
decode(char **out, const char *s, size_t len, const char *what,
    struct error *e)
{
	size_t	i, used = 0;
	char	c;

	if ((*out = malloc(len + 1)) == NULL)
		return error_errno(e, EX_OSERR, "join link");
	for (i = 0; i < len; i++) {
		c = s[i];
		if (c == '%') {
			if (len - i < 3 || hex_digit(s[i + 1]) == -1 ||
			    hex_digit(s[i + 2]) == -1)
				return bad(e, "a bad percent escape");
			c = (char)(hex_digit(s[i + 1]) << 4 |
			    hex_digit(s[i + 2]));
			i += 2;
		}
		if ((unsigned char)c < 0x20 || c == 0x7f)
			return bad(e, "a control character");
		(*out)[used++] = c;
	}
	(*out)[used] = '\0';
	if (used == 0)
		return error_set(e, EX_USAGE, "not a join link: an empty %s",
		    what);
	return utf8_is_valid(*out, used) ? 0 : bad(e, "not UTF-8");
}

static int
parse_login(struct join_link *l, const char *s, size_t len, struct error *e)
{
	const char	*colon = memchr(s, ':', len);
	size_t		 n;

	if (colon == NULL)
		return decode(&l->token, s, len, "token", e);
	n = (size_t)(colon - s);
	if (decode(&l->user, s, n, "user", e) == -1)
		return -1;
	return decode(&l->pass, colon + 1, len - n - 1, "password", e);
}

/* Bytes of a host name, or of an IPv6 address with its brackets; 0: bad. */
static size_t
host_length(const char *s, size_t len)
{
	size_t	n = 0;

	if (len > 0 && s[0] == '[') {
		for (n = 1; n < len && (hex_digit(s[n]) != -1 ||
		    s[n] == ':' || s[n] == '.'); n++)
			;
		return n > 1 && n < len && s[n] == ']' ? n + 1 : 0;
	}
	while (n < len && ((s[n] >= 'a' && s[n] <= 'z') ||
	    (s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= '0' && s[n] <= '9') ||
	    s[n] == '-' || s[n] == '.' || s[n] == '_'))
		n++;
	return n;
}

static bool
port_is_valid(const char *s, size_t len)
{
	long	port = 0;
	size_t	i;

	for (i = 0; i < len && s[i] >= '0' && s[i] <= '9'; i++)
		if ((port = port * 10 + (s[i] - '0')) > PORT_MAX)
			return false;
	return i == len && port > 0;
}

static int
parse_host(struct join_link *l, const char *s, size_t len, struct error *e)
{
	const char	*port = PORT_DEFAULT;
	size_t		 host_len = host_length(s, len);
	size_t		 port_len = strlen(PORT_DEFAULT);

	if (host_len == 0 || (host_len < len && s[host_len] != ':'))
		return bad(e, "a bad host");
	if (host_len < len) {
		port = s + host_len + 1;
		port_len = len - host_len - 1;
	}
	if (!port_is_valid(port, port_len))
		return bad(e, "a bad port");
	if (asprintf(&l->server, "nats://%.*s:%.*s", (int)host_len, s,
	    (int)port_len, port) == -1) {
		l->server = NULL;
		return error_errno(e, EX_OSERR, "join link");
	}
	return 0;
}

static int
add_channels(struct join_link *l, const char *s, size_t len, struct error *e)
{
	struct strlist	 list = { .v = NULL };
	char		*text = NULL;
	size_t		 i;
	int		 rc;

	if ((rc = decode(&text, s, len, "channel", e)) == 0 &&
	    !strlist_split(&list, text, ','))
		rc = error_errno(e, EX_OSERR, "join link");
	for (i = 0; rc == 0 && i < list.n; i++)
		if (!channel_is_valid(list.v[i]))
			rc = bad(e, "a bad channel");
	free(text);
	if (rc == -1) {
		strlist_free(&list);
		return -1;
	}
	l->channels = list.v;
	l->n_channels = list.n;
	return 0;
}

/* Only `channel` is known; given twice, the first counts. */
static int
parse_query(struct join_link *l, const char *s, size_t len, struct error *e)
{
	static const char	name[] = "channel=";
	const size_t		name_len = sizeof(name) - 1;
	const char		*amp;
	size_t			 n;

	for (; len > 0; s += n, len -= n) {
		amp = memchr(s, '&', len);
		n = amp != NULL ? (size_t)(amp - s) : len;
		if (n > name_len && memcmp(s, name, name_len) == 0)
			return add_channels(l, s + name_len, n - name_len, e);
		if (amp != NULL)
			n++;
	}
	return 0;
}

/* `[login@]host[:port]/space[?query]`, the scheme and fragment cut off. */
static int
parse_rest(struct join_link *l, const char *s, size_t len, struct error *e)
{
	const char	*query = memchr(s, '?', len), *slash, *at;
	size_t		 head = query != NULL ? (size_t)(query - s) : len;
	size_t		 tail = query != NULL ? len - head - 1 : 0, n;

	if ((slash = memchr(s, '/', head)) == NULL)
		return bad(e, "no space");
	n = (size_t)(slash - s);
	if (memchr(slash + 1, '/', head - n - 1) != NULL)
		return bad(e, "a slash in the space");
	if (decode(&l->space, slash + 1, head - n - 1, "space", e) == -1)
		return -1;
	if ((at = memrchr(s, '@', n)) != NULL) {
		if (parse_login(l, s, (size_t)(at - s), e) == -1)
			return -1;
		n -= (size_t)(at + 1 - s);
		s = at + 1;
	}
	if (parse_host(l, s, n, e) == -1)
		return -1;
	return query == NULL ? 0 : parse_query(l, query + 1, tail, e);
}

int
join_link_parse(struct join_link *l, const char *s, struct error *e)
{
	static const char	plain[] = "cotal://", tls[] = "cotals://";
	size_t			skip;

	memset(l, 0, sizeof(*l));
	if (strncmp(s, plain, sizeof(plain) - 1) == 0)
		skip = sizeof(plain) - 1;
	else if (strncmp(s, tls, sizeof(tls) - 1) == 0)
		skip = sizeof(tls) - 1;
	else
		return bad(e, "it begins otherwise");
	l->tls = skip == sizeof(tls) - 1;
	s += skip;
	if (parse_rest(l, s, strcspn(s, "#"), e) == -1) {
		join_link_free(l);
		return -1;
	}
	return 0;
}

static void
free_secret(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

void
join_link_free(struct join_link *l)
{
	free(l->server);
	free(l->space);
	free_secret(l->token);
	free_secret(l->user);
	free_secret(l->pass);
	strings_free(l->channels, l->n_channels);
	memset(l, 0, sizeof(*l));
}
