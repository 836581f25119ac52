/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "utf8.h"

#define ROOT		"cotal"
#define FNV_BASIS	2166136261u
#define FNV_PRIME	16777619u
#define DURATION_MAX_MS	(1LL << 53)	/* as large as JSON carries */

/* --- tokens and names ---------------------------------------------------- */

static bool
is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '-';
}

int
name_token(char *buf, size_t size, const char *s)
{
	uint32_t	cp;
	size_t		len, n, used = 0, units;

	for (s = utf8_trim(s, &len); len > 0; s += n, len -= n) {
		if ((n = utf8_decode(s, len, &cp)) == 0)
			n = 1, cp = UTF8_REPLACEMENT;
		for (units = cp >= 0x10000 ? 2 : 1; units > 0; units--) {
			if (used + 1 >= size)
				return -1;
			buf[used++] = is_token_char(*s) ? *s : '_';
		}
	}
	if (used == 0 && size > 1)
		buf[used++] = '_';
	if (used == 0)
		return -1;
	buf[used] = '\0';
	return (int)used;
}

bool
name_is_token(const char *s)
{
	const char	*p;

	for (p = s; is_token_char(*p); p++)
		;
	return p > s && *p == '\0';
}

bool
name_is_id(const char *s)
{
	const char	*p;

	if (s[0] != 'U')
		return false;
	for (p = s; (*p >= 'A' && *p <= 'Z') || (*p >= '2' && *p <= '7'); p++)
		;
	return *p == '\0' && p - s == ID_LEN;
}

bool
name_is_instance(const char *s)
{
	uint32_t	cp;
	size_t		len, n, left = strlen(s);

	if (left == 0 || utf8_trim(s, &len) != s || len != left)
		return false;
	for (; left > 0; s += n, left -= n) {
		if ((n = utf8_decode(s, left, &cp)) == 0 || cp < 0x20 ||
		    cp == 0x7f || cp == 0x2028 || cp == 0x2029 ||
		    cp == '/' || cp == '\\')
			return false;
	}
	return true;
}

unsigned
name_shard(const char *owner, unsigned shards)
{
	uint32_t	h = FNV_BASIS;

	for (; *owner != '\0'; owner++)
		h = (h ^ (unsigned char)*owner) * FNV_PRIME;
	return shards > 1 ? h % shards : 0;
}

/* --- walking dotted names ------------------------------------------------ */

/* The token at *s, its length in *len; *s moves behind its dot, to NULL after
 * the last. */
static const char *
next_token(const char **s, size_t *len)
{
	const char	*token = *s, *dot = strchr(token, '.');

	*len = dot != NULL ? (size_t)(dot - token) : strlen(token);
	*s = dot != NULL ? dot + 1 : NULL;
	return token;
}

static bool
token_is(const char *token, size_t len, const char *s)
{
	return strlen(s) == len && memcmp(token, s, len) == 0;
}

/* Would the broker take it?  No empty token, no blank or control character,
 * wildcards only as whole tokens, > only as the last. */
static bool
subject_is_valid(const char *s)
{
	const char	*token = s, *p;

	for (p = s;; p++)
		switch (*p) {
		case '\0':
			return p > token;
		case '.':
			if (p == token || *token == '>')
				return false;
			token = p + 1;
			break;
		case '*':
		case '>':
			if (p != token || (p[1] != '.' && p[1] != '\0'))
				return false;
			break;
		default:
			if ((unsigned char)*p <= ' ' || *p == 0x7f)
				return false;
		}
}

bool
reply_is_bound(const char *subject, const char *reply)
{
	size_t	n = strlen(subject);

	return reply != NULL && strncmp(reply, subject, n) == 0 &&
	    strncmp(reply + n, ".reply.", 7) == 0 && reply[n + 7] != '\0';
}

bool
subject_matches(const char *pattern, const char *s)
{
	const char	*want, *have;
	size_t		 want_len, have_len;

	while (pattern != NULL && s != NULL) {
		want = next_token(&pattern, &want_len);
		have = next_token(&s, &have_len);
		if (have_len == 0)
			return false;
		if (want_len == 1 && *want == '>' && pattern == NULL)
			return true;
		if (!(want_len == 1 && *want == '*') &&
		    (want_len != have_len || memcmp(want, have, want_len)))
			return false;
	}
	return pattern == NULL && s == NULL;
}

/* --- channels ------------------------------------------------------------ */

bool
channel_is_valid(const char *s)
{
	const char	*token, *p;
	size_t		 len;

	if (strlen(s) > CHANNEL_MAX)
		return false;
	while (s != NULL) {
		token = next_token(&s, &len);
		if (len == 1 && *token == '>' && s == NULL)
			return true;
		if (len == 1 && *token == '*')
			continue;
		for (p = token; p < token + len && is_token_char(*p); p++)
			;
		if (len == 0 || p < token + len)
			return false;
	}
	return true;
}

bool
channel_is_concrete(const char *s)
{
	return channel_is_valid(s) && strpbrk(s, "*>") == NULL;
}

/* Is every channel of `pattern` one of `wide` too? */
static bool
is_as_wide(const char *wide, const char *pattern)
{
	const char	*w, *p;
	size_t		 wlen, plen;

	while (wide != NULL && pattern != NULL) {
		w = next_token(&wide, &wlen);
		p = next_token(&pattern, &plen);
		if (plen == 0)
			return false;
		if (wlen == 1 && *w == '>' && wide == NULL)
			return true;
		if (plen == 1 && *p == '>')
			return false;
		if (!(wlen == 1 && *w == '*') &&
		    (wlen != plen || memcmp(w, p, wlen) != 0))
			return false;
	}
	return wide == NULL && pattern == NULL;
}

bool
channel_covered(const char *pattern, char *const *allow, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (is_as_wide(allow[i], pattern))
			return true;
	return false;
}

int
channel_transcript(char *buf, size_t size, const char *name)
{
	size_t	n = 3;
	bool	run = false, plain;

	if (size <= n)
		return -1;
	memcpy(buf, "tr-", n);
	for (; *name != '\0'; name++) {
		char	c = *name;

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
		if (plain || !run) {
			if (n + 1 >= size)
				return -1;
			buf[n++] = plain ? c : '-';
		}
		run = !plain;
	}
	buf[n] = '\0';
	return (int)n;
}

/* --- streams and buckets ------------------------------------------------- */

static int	build(char *, size_t, const char *, ...)
		    __attribute__((format(printf, 3, 4)));

/* What does not fit leaves nothing behind, rather than a part of a name. */
static int
build(char *buf, size_t size, const char *fmt, ...)
{
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < size)
		return n;
	buf[0] = '\0';
	return -1;
}

int
name_stream(char *buf, size_t size, const char *space, enum stream_kind kind)
{
	static const char *const	names[N_STREAMS] = { "CHAT", "DM",
	    "TASK", "INBOX", "DLV", "DEAD" };
	char				token[SPACE_MAX];

	if (name_token(token, sizeof(token), space) == -1)
		return -1;
	return build(buf, size, "%s_%s", names[kind], token);
}

int
name_bucket(char *buf, size_t size, const char *space, enum bucket_kind kind)
{
	static const char *const	names[N_BUCKETS] = { "presence",
	    "channels", "members", "acl", "delivery", "manager",
	    "membership" };
	char				token[SPACE_MAX];

	if (name_token(token, sizeof(token), space) == -1)
		return -1;
	return build(buf, size, ROOT "_%s_%s", names[kind], token);
}

int
name_bucket_stream(char *buf, size_t size, const char *space,
    enum bucket_kind kind)
{
	char	bucket[BUCKET_MAX];

	if (name_bucket(bucket, sizeof(bucket), space, kind) == -1)
		return -1;
	return build(buf, size, "KV_%s", bucket);
}

int
name_bucket_key(char *buf, size_t size, const char *space,
    enum bucket_kind kind, const char *key)
{
	char	bucket[BUCKET_MAX];

	if (name_bucket(bucket, sizeof(bucket), space, kind) == -1 ||
	    !subject_is_valid(key))
		return -1;
	return build(buf, size, "$KV.%s.%s", bucket, key);
}

/* --- subjects ------------------------------------------------------------ */

/*
 * cotal.<space>.<family>.<a>.<b>; b NULL: without it.  What enters is
 * checked whole: a blank or line end in it would be read by the broker as
 * the end of the subject.
 */
static int
subject(char *buf, size_t size, const char *space, const char *family,
    const char *a, const char *b)
{
	const char	*part[] = { ROOT, NULL, family, a, b };
	char		 token[SPACE_MAX];
	size_t		 i, len, used = 0;

	if (name_token(token, sizeof(token), space) == -1)
		return -1;
	part[1] = token;
	for (i = 0; i < 5 && part[i] != NULL; i++) {
		len = strlen(part[i]);
		if (used + len + 1 > size)
			break;
		memcpy(buf + used, part[i], len);
		used += len;
		buf[used++] = '.';
	}
	if (i == 5 || part[i] == NULL) {
		buf[used - 1] = '\0';
		if (subject_is_valid(buf))
			return (int)used - 1;
	}
	buf[0] = '\0';
	return -1;
}

static bool
one_token(const char *s)
{
	return strchr(s, '.') == NULL;
}

int
subject_chat(char *buf, size_t size, const char *space, const char *sender,
    const char *channel)
{
	return one_token(sender) ?
	    subject(buf, size, space, "chat", sender, channel) : -1;
}

int
subject_inst(char *buf, size_t size, const char *space, const char *target,
    const char *sender)
{
	return one_token(target) && (sender == NULL || one_token(sender)) ?
	    subject(buf, size, space, "inst", target, sender) : -1;
}

int
subject_svc(char *buf, size_t size, const char *space, const char *role,
    const char *sender)
{
	return one_token(role) && (sender == NULL || one_token(sender)) ?
	    subject(buf, size, space, "svc", role, sender) : -1;
}

int
subject_ctl(char *buf, size_t size, const char *space, const char *service,
    const char *sender)
{
	return one_token(service) && (sender == NULL || one_token(sender)) ?
	    subject(buf, size, space, "ctl", service, sender) : -1;
}

int
subject_dinbox(char *buf, size_t size, const char *space, unsigned shards,
    const char *owner)
{
	char	shard[16];

	if (!one_token(owner))
		return -1;
	if (shards <= 1 || strcmp(owner, ">") == 0)
		return subject(buf, size, space, "dinbox", owner, NULL);
	if (strcmp(owner, "*") == 0)
		strcpy(shard, "*");
	else
		snprintf(shard, sizeof(shard), "%u",
		    name_shard(owner, shards));
	return subject(buf, size, space, "dinbox", shard, owner);
}

int
subject_dlv(char *buf, size_t size, const char *space, const char *owner)
{
	return one_token(owner) ?
	    subject(buf, size, space, "dlv", owner, NULL) : -1;
}

int
subject_health(char *buf, size_t size, const char *space, const char *shard,
    const char *role, const char *host)
{
	char	head[SUBJECT_MAX];

	if (!one_token(shard) || !one_token(role) || !one_token(host) ||
	    build(head, sizeof(head), "%s.%s", shard, role) == -1)
		return -1;
	return subject(buf, size, space, "reeve.health", head, host);
}

int
subject_mint(char *buf, size_t size, const char *space, const char *manager)
{
	return one_token(manager) ?
	    subject(buf, size, space, "reeve.mint", manager, NULL) : -1;
}

int
subject_dead(char *buf, size_t size, const char *space, const char *shard,
    const char *role)
{
	return one_token(shard) && one_token(role) ?
	    subject(buf, size, space, "reeve.dead", shard, role) : -1;
}

int
subject_pty(char *buf, size_t size, const char *space, const char *agent,
    const char *lane, const char *attacher)
{
	char	token[SPACE_MAX];
	int	n = -1;

	buf[0] = '\0';
	if (one_token(agent) && one_token(lane) &&
	    (attacher == NULL || one_token(attacher)) &&
	    name_token(token, sizeof(token), space) != -1)
		n = build(buf, size, "reeve.%s.pty.%s.%s%s%s", token, agent,
		    lane, attacher != NULL ? "." : "",
		    attacher != NULL ? attacher : "");
	if (n != -1 && subject_is_valid(buf))
		return n;
	buf[0] = '\0';
	return -1;
}

static enum subject_kind
family_kind(const char *token, size_t len)
{
	if (token_is(token, len, "chat"))
		return SUBJECT_CHAT;
	if (token_is(token, len, "inst"))
		return SUBJECT_INST;
	if (token_is(token, len, "svc"))
		return SUBJECT_SVC;
	if (token_is(token, len, "ctl"))
		return SUBJECT_CTL;
	return SUBJECT_NONE;
}

/* The five parts of a subject, the last with all that follows. */
static bool
split5(const char *s, const char *part[5], size_t len[5])
{
	int	i;

	for (i = 0; i < 4 && s != NULL; i++)
		part[i] = next_token(&s, &len[i]);
	if (s == NULL)
		return false;
	part[4] = s;
	len[4] = strlen(s);
	return token_is(part[0], len[0], ROOT);
}

bool
subject_parse(struct subject *out, const char *s)
{
	const char		*part[5];
	size_t			 len[5];
	enum subject_kind	 kind;
	int			 sender, rest;

	memset(out, 0, sizeof(*out));
	if (!subject_is_valid(s) || !split5(s, part, len))
		return false;
	kind = family_kind(part[2], len[2]);
	/* What is published is never a wildcard. */
	if (kind == SUBJECT_NONE || strpbrk(s, "*>") != NULL)
		return false;
	if (kind != SUBJECT_CHAT && strchr(part[4], '.') != NULL)
		return false;
	sender = kind == SUBJECT_CHAT ? 3 : 4;
	rest = kind == SUBJECT_CHAT ? 4 : 3;
	out->kind = kind;
	out->space = part[1];
	out->space_len = len[1];
	out->sender = part[sender];
	out->sender_len = len[sender];
	out->rest = part[rest];
	out->rest_len = len[rest];
	return true;
}

const char *
subject_dinbox_owner(const char *s, const char *space, unsigned shards)
{
	const char	*part;
	char		 want[SPACE_MAX];
	size_t		 len;
	int		 i;

	if (name_token(want, sizeof(want), space) == -1 ||
	    !subject_is_valid(s) || strpbrk(s, "*>") != NULL)
		return NULL;
	for (i = 0; i < 3 && s != NULL; i++) {
		part = next_token(&s, &len);
		if (!token_is(part, len, i == 0 ? ROOT : i == 1 ? want :
		    "dinbox"))
			return NULL;
	}
	if (s != NULL && shards > 1) {
		part = next_token(&s, &len);
		if (strspn(part, "0123456789") != len)
			return NULL;
	}
	return s != NULL && strchr(s, '.') == NULL ? s : NULL;
}

int
name_entry(char *buf, size_t size, const char *msg_id, const char *owner,
    uint64_t generation, unsigned shards)
{
	char	layout[16] = "";
	int	n;

	if (shards > 1)
		snprintf(layout, sizeof(layout), ":%u", shards);
	n = snprintf(buf, size, "%s:%s:%llu%s", msg_id, owner,
	    (unsigned long long)generation, layout);
	return n < 0 || (size_t)n >= size ? -1 : n;
}

/* --- durations ----------------------------------------------------------- */

int64_t
duration_ms(const char *s)
{
	static const struct { char unit; int64_t ms; } units[] = {
		{ 's', 1000 }, { 'm', 60 * 1000 }, { 'h', 3600 * 1000 },
		{ 'd', 24 * 3600 * 1000 } };
	const char	*p, *end;
	size_t		 len, i;
	int64_t		 n = 0;

	p = utf8_trim(s, &len);
	if (len < 2)
		return -1;
	for (end = p + len - 1; p < end; p++) {
		if (*p < '0' || *p > '9' || n > DURATION_MAX_MS)
			return -1;
		n = n * 10 + (*p - '0');
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].unit)
			return n <= DURATION_MAX_MS / units[i].ms ?
			    n * units[i].ms : -1;
	return -1;
}

void
strings_free(char **v, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		free(v[i]);
	free(v);
}
