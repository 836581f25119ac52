/* SPDX-License-Identifier: ISC */
#include "names.h"
#include "strlist.h"
#include "vectors.h"

#define ID_A	"UAQGWOEVJKMIO4WXSYOTLARXYOZTCXFK67JASEH6AFFFYK6FOPSKQCAD"

/* Loaded for each test. */
static cJSON	*vectors;

static void
load(void)
{
	vectors = vectors_load("names.json");
}

static void
unload(void)
{
	cJSON_Delete(vectors);
}

/* A string, or NULL where it is null or absent. */
static const char *
maybe(const cJSON *o, const char *name)
{
	return cJSON_GetStringValue(
	    cJSON_GetObjectItemCaseSensitive(o, name));
}

#define EACH(v, family)							\
	cJSON_ArrayForEach(v, vectors_get(vectors, family))

/* --- tokens and names ---------------------------------------------------- */

START_TEST(token_vectors)
{
	const cJSON	*v;
	char		 buf[64];
	const char	*out;
	int		 n;

	EACH(v, "token") {
		out = vectors_str(v, "out");
		n = name_token(buf, sizeof(buf), vectors_str(v, "in"));
		ck_assert_str_eq(buf, out);
		ck_assert_int_eq(n, (int)strlen(out));
	}
}
END_TEST

START_TEST(token_edges)
{
	char	buf[8];

	ck_assert_int_eq(name_token(buf, sizeof(buf), "1234567"), 7);
	ck_assert_int_eq(name_token(buf, sizeof(buf), "12345678"), -1);
	ck_assert_int_eq(name_token(buf, 1, "a"), -1);
	ck_assert_int_eq(name_token(buf, 1, ""), -1);
	ck_assert_int_eq(name_token(buf, 2, ""), 1);
	/* Two UTF-16 units, two underscores. */
	ck_assert_int_eq(name_token(buf, sizeof(buf), "a\xf0\x9f\x98\x80z"),
	    4);
	ck_assert_str_eq(buf, "a__z");
	ck_assert_int_eq(name_token(buf, sizeof(buf), "\xc2\xa0x\xe3\x80\x80"),
	    1);
	ck_assert_str_eq(buf, "x");
	ck_assert_int_eq(name_token(buf, sizeof(buf), "\xff\xc3"), 2);
	ck_assert_str_eq(buf, "__");
	ck_assert_int_eq(name_token(buf, sizeof(buf), "*"), 1);
	ck_assert_str_eq(buf, "_");
}
END_TEST

START_TEST(shapes)
{
	ck_assert(name_is_token("a-B_9"));
	ck_assert(!name_is_token(""));
	ck_assert(!name_is_token("a.b"));
	ck_assert(!name_is_token("a\n"));
	ck_assert(name_is_id(ID_A));
	ck_assert(!name_is_id(""));
	ck_assert(!name_is_id(ID_A "A"));
	ck_assert(!name_is_id(ID_A + 1));
	ck_assert(!name_is_id("A" ID_A));
	ck_assert(!name_is_id("UAQGWOEVJKMIO4WXSYOTLARXYOZTCXFK67JASEH6AFFF"
	    "YK6FOPSKQCA1"));
	ck_assert(!name_is_id("UAQGWOEVJKMIO4WXSYOTLARXYOZTCXFK67JASEH6AFFF"
	    "YK6FOPSKQCAd"));
	ck_assert(name_is_instance("alice"));
	ck_assert(name_is_instance("J\xc3\xb6rg the 2nd"));
	ck_assert(!name_is_instance(""));
	ck_assert(!name_is_instance(" a"));
	ck_assert(!name_is_instance("a "));
	ck_assert(!name_is_instance("a\xc2\xa0"));
	ck_assert(!name_is_instance("a\nb"));
	ck_assert(!name_is_instance("a\xe2\x80\xa8" "b"));
	ck_assert(!name_is_instance("a\x1b[2Jb"));
	ck_assert(!name_is_instance("a/b"));
	ck_assert(!name_is_instance("a\\b"));
	ck_assert(!name_is_instance("a\xff"));
}
END_TEST

START_TEST(partition_vectors)
{
	const cJSON	*v;

	EACH(v, "partition")
		ck_assert_uint_eq(name_shard(vectors_str(v, "key"),
		    (unsigned)vectors_get(v, "shards")->valueint),
		    (unsigned)vectors_get(v, "shard")->valueint);
	ck_assert_uint_eq(name_shard("a", 0), 0);
}
END_TEST

START_TEST(streams_and_buckets)
{
	static const char *const	streams[N_STREAMS] = { "CHAT_my_space",
	    "DM_my_space", "TASK_my_space", "INBOX_my_space",
	    "DLV_my_space", "DEAD_my_space" };
	static const char *const	buckets[N_BUCKETS] = { "presence",
	    "channels", "members", "acl", "delivery", "manager",
	    "membership" };
	char				buf[SUBJECT_MAX], want[SUBJECT_MAX];
	int				i;

	for (i = 0; i < N_STREAMS; i++) {
		ck_assert_int_eq(name_stream(buf, sizeof(buf), "my space",
		    (enum stream_kind)i), (int)strlen(streams[i]));
		ck_assert_str_eq(buf, streams[i]);
	}
	for (i = 0; i < N_BUCKETS; i++) {
		snprintf(want, sizeof(want), "cotal_%s_s", buckets[i]);
		ck_assert_int_eq(name_bucket(buf, sizeof(buf), "s",
		    (enum bucket_kind)i), (int)strlen(want));
		ck_assert_str_eq(buf, want);
	}
	name_bucket_stream(buf, sizeof(buf), "s", BUCKET_MEMBERS);
	ck_assert_str_eq(buf, "KV_cotal_members_s");
	name_bucket_key(buf, sizeof(buf), "s", BUCKET_MEMBERS, ">");
	ck_assert_str_eq(buf, "$KV.cotal_members_s.>");
	name_bucket_key(buf, sizeof(buf), "s", BUCKET_MEMBERS, "a.b/UX");
	ck_assert_str_eq(buf, "$KV.cotal_members_s.a.b/UX");
	ck_assert_int_eq(name_bucket_key(buf, sizeof(buf), "s", BUCKET_ACL,
	    "a b"), -1);
	ck_assert_str_eq(buf, "$KV.cotal_members_s.a.b/UX");
	ck_assert_int_eq(name_bucket_key(buf, sizeof(buf), "s", BUCKET_ACL,
	    ""), -1);
	ck_assert_int_eq(name_stream(buf, 5, "space", STREAM_CHAT), -1);
}
END_TEST

/* --- subjects ------------------------------------------------------------ */

static void
assert_view(const char *view, size_t len, const char *want)
{
	ck_assert_uint_eq(len, strlen(want));
	ck_assert_int_eq(memcmp(view, want, len), 0);
}

static const char *
kind_name(enum subject_kind kind)
{
	static const char *const	names[] = { "", "chat", "inst", "svc",
	    "ctl" };

	return names[kind];
}

START_TEST(parse_vectors)
{
	const cJSON	*v, *parsed;
	const char	*s, *owner, *want;
	struct subject	 out;

	EACH(v, "parse_subject") {
		s = vectors_str(v, "subject");
		parsed = vectors_get(v, "parsed");
		ck_assert_msg(subject_parse(&out, s) ==
		    !cJSON_IsNull(parsed), "%s", s);
		if (cJSON_IsNull(parsed))
			ck_assert_int_eq(out.kind, SUBJECT_NONE);
		else {
			ck_assert_str_eq(kind_name(out.kind),
			    vectors_str(parsed, "kind"));
			assert_view(out.space, out.space_len, "main");
			assert_view(out.sender, out.sender_len,
			    vectors_str(parsed, "sender"));
			assert_view(out.rest, out.rest_len,
			    vectors_str(parsed, "rest"));
		}
		owner = subject_dinbox_owner(s, "main", 1);
		want = maybe(v, "dinbox_owner");
		ck_assert_pstr_eq(owner, want);
	}
}
END_TEST

START_TEST(parse_edges)
{
	static const char *const	bad[] = { "", ".", "cotal", "cotal.m",
	    "cotal.m.chat", "cotal.m.chat.U.", "cotal.m.chat..x",
	    "cotal..chat.U.x", "cotal.m.chat.U.x..y", "cotal.m.chat.U.*",
	    "cotal.m.chat.U.>", "cotal.m.chat.*.x", "cotal.m.chat.U.a b",
	    "cotal.m.chat.U.a\r\nb", "cotal.m.chatx.U.x", "cotal.m.cha.U.x",
	    "cotalx.m.chat.U.x", "COTAL.m.chat.U.x", "cotal.m.inst.T.",
	    "cotal.m.dlv.U", "cotal.m.svc.r.U.x", NULL };
	struct subject			out;
	size_t				i;

	for (i = 0; bad[i] != NULL; i++)
		ck_assert_msg(!subject_parse(&out, bad[i]) &&
		    out.kind == SUBJECT_NONE, "%s", bad[i]);
}
END_TEST

START_TEST(dinbox_owner)
{
	static const char *const	bad[] = { "cotal.m.dinbox",
	    "cotal.m.dinbox.", "cotal.m.dinbox.UA", "cotal.m.dinbox.x.UA",
	    "cotal.m.dinbox.2.UA.y", "cotal.m.dinbox..UA",
	    "cotal.o.dinbox.2.UA", "cotal.m.dlv.2.UA", "cotal.m.dinbox.2.*",
	    NULL };
	const char			*s;
	size_t				 i;

	s = subject_dinbox_owner("cotal.m.dinbox.2.UA", "m", 3);
	ck_assert_str_eq(s, "UA");
	for (i = 0; bad[i] != NULL; i++)
		ck_assert_msg(subject_dinbox_owner(bad[i], "m", 3) == NULL,
		    "%s", bad[i]);
	ck_assert_ptr_null(subject_dinbox_owner("cotal.m.dinbox.2.UA", "m",
	    1));
	ck_assert_str_eq(subject_dinbox_owner("cotal.m_y.dinbox.UA", "m y",
	    1), "UA");
}
END_TEST

#define BUILDS(call, want) do {						\
	ck_assert_int_eq(call, (int)strlen(want));			\
	ck_assert_str_eq(buf, want);					\
} while (0)

START_TEST(builders)
{
	char		buf[SUBJECT_MAX];
	const size_t	n = sizeof(buf);

	BUILDS(subject_chat(buf, n, "my space", "UA", "team.x"),
	    "cotal.my_space.chat.UA.team.x");
	BUILDS(subject_chat(buf, n, "s", "*", "team.>"),
	    "cotal.s.chat.*.team.>");
	BUILDS(subject_chat(buf, n, "s", ">", NULL), "cotal.s.chat.>");
	BUILDS(subject_inst(buf, n, "s", "UB", "UA"), "cotal.s.inst.UB.UA");
	BUILDS(subject_inst(buf, n, "s", ">", NULL), "cotal.s.inst.>");
	BUILDS(subject_svc(buf, n, "s", "rev", "*"), "cotal.s.svc.rev.*");
	BUILDS(subject_ctl(buf, n, "s", "delivery", "*"),
	    "cotal.s.ctl.delivery.*");
	BUILDS(subject_dlv(buf, n, "s", "UA"), "cotal.s.dlv.UA");
	BUILDS(subject_dinbox(buf, n, "s", 1, "UA"), "cotal.s.dinbox.UA");
	BUILDS(subject_dinbox(buf, n, "s", 0, ">"), "cotal.s.dinbox.>");
	BUILDS(subject_dinbox(buf, n, "s", 8, "a"), "cotal.s.dinbox.4.a");
	BUILDS(subject_dinbox(buf, n, "s", 8, ">"), "cotal.s.dinbox.>");
	BUILDS(subject_dinbox(buf, n, "s", 8, "*"), "cotal.s.dinbox.*.*");
	BUILDS(subject_health(buf, n, "s", "0", "fanout", "h1"),
	    "cotal.s.reeve.health.0.fanout.h1");
	BUILDS(subject_health(buf, n, "s", "0", "*", "*"),
	    "cotal.s.reeve.health.0.*.*");
	BUILDS(subject_dead(buf, n, "s", "0", "reader"),
	    "cotal.s.reeve.dead.0.reader");
	BUILDS(subject_pty(buf, n, "s t", "UA", "in", "*"),
	    "reeve.s_t.pty.UA.in.*");
	BUILDS(subject_pty(buf, n, "s", "*", "state", NULL), "reeve.s.pty.*.state");
}
END_TEST

/* What is refused leaves an empty string, not a part of a subject. */
START_TEST(builders_refuse)
{
	char		buf[SUBJECT_MAX], big[SUBJECT_MAX + 1];
	const size_t	n = sizeof(buf);

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ck_assert_int_eq(subject_chat(buf, n, "s", "UA", "a b"), -1);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(subject_chat(buf, n, "s", "UA", "a\r\nPUB x"), -1);
	ck_assert_int_eq(subject_chat(buf, n, "s", "UA", "a..b"), -1);
	ck_assert_int_eq(subject_chat(buf, n, "s", "UA", ""), -1);
	ck_assert_int_eq(subject_chat(buf, n, "s", "U.A", "a"), -1);
	ck_assert_int_eq(subject_chat(buf, n, "s", ">", "a"), -1);
	ck_assert_int_eq(subject_chat(buf, n, "s", "UA", "a.>.b"), -1);
	ck_assert_int_eq(subject_chat(buf, n, "s", "UA", big), -1);
	ck_assert_str_eq(buf, "");
	ck_assert_int_eq(subject_chat(buf, n, big, "UA", "a"), -1);
	ck_assert_int_eq(subject_chat(buf, 10, "s", "UA", "a"), -1);
	ck_assert_int_eq(subject_inst(buf, n, "s", "a.b", "U"), -1);
	ck_assert_int_eq(subject_inst(buf, n, "s", "a", "U.V"), -1);
	ck_assert_int_eq(subject_svc(buf, n, "s", "", "U"), -1);
	ck_assert_int_eq(subject_ctl(buf, n, "s", "d", "U.reply.1"), -1);
	ck_assert_int_eq(subject_dlv(buf, n, "s", "U.V"), -1);
	ck_assert_int_eq(subject_dinbox(buf, n, "s", 2, "U.V"), -1);
	ck_assert_int_eq(subject_health(buf, n, "s", "0", "a.b", "h"), -1);
	ck_assert_int_eq(subject_dead(buf, n, "s", "0", "a.b"), -1);
	ck_assert_int_eq(subject_pty(buf, n, "s", "a", "in", "b.>"), -1);
	ck_assert_int_eq(subject_pty(buf, 12, "s", "a", "in", "b"), -1);
	ck_assert_int_eq(subject_pty(buf, n, "s", "", "state", NULL), -1);
}
END_TEST

START_TEST(match_vectors)
{
	const cJSON	*v;
	const char	*pattern, *s;

	EACH(v, "subject_matches") {
		pattern = vectors_str(v, "pattern");
		s = vectors_str(v, "subject");
		ck_assert_msg(subject_matches(pattern, s) ==
		    cJSON_IsTrue(vectors_get(v, "match")), "%s %s", pattern,
		    s);
	}
	ck_assert(!subject_matches("", ""));
	ck_assert(!subject_matches("a.>", "a."));
	ck_assert(!subject_matches("*", ""));
	ck_assert(!subject_matches("a", "a.b"));
	ck_assert(!subject_matches(">.a", "b.a"));
	ck_assert(!subject_matches("ab", "a"));
}
END_TEST

/* --- channels ------------------------------------------------------------ */

START_TEST(channel_vectors)
{
	const cJSON	*v;
	const char	*s;
	bool		 valid;

	EACH(v, "channel") {
		s = vectors_str(v, "channel");
		valid = cJSON_IsTrue(vectors_get(v, "valid"));
		ck_assert_msg(channel_is_valid(s) == valid, "%s", s);
		ck_assert_msg(channel_is_concrete(s) == (valid &&
		    cJSON_IsTrue(vectors_get(v, "concrete"))), "%s", s);
	}
}
END_TEST

START_TEST(channel_edges)
{
	char	big[CHANNEL_MAX + 2];

	ck_assert(channel_is_valid(">"));
	ck_assert(channel_is_valid("*.a"));
	ck_assert(channel_is_valid("a.*"));
	ck_assert(!channel_is_valid("a*"));
	ck_assert(!channel_is_valid("a.b>"));
	ck_assert(!channel_is_valid(">>"));
	ck_assert(!channel_is_valid("."));
	ck_assert(!channel_is_valid("a\n"));
	ck_assert(!channel_is_valid("\xc3\xbc"));
	ck_assert(!channel_is_concrete(">"));
	memset(big, 'x', sizeof(big));
	big[CHANNEL_MAX] = '\0';
	ck_assert(channel_is_concrete(big));
	big[CHANNEL_MAX] = 'x';
	big[CHANNEL_MAX + 1] = '\0';
	ck_assert(!channel_is_valid(big));
}
END_TEST

static bool
covered(const char *pattern, const char *entry)
{
	char	*allow[1];
	bool	 yes;

	allow[0] = strdup(entry);
	yes = channel_covered(pattern, allow, 1);
	free(allow[0]);
	return yes;
}

START_TEST(coverage)
{
	char	*allow[] = { (char []){ "general" }, (char []){ "team.>" } };

	ck_assert(channel_covered("general", allow, 2));
	ck_assert(channel_covered("team.a.b", allow, 2));
	ck_assert(!channel_covered("team", allow, 2));
	ck_assert(!channel_covered("other", allow, 2));
	ck_assert(!channel_covered("general", NULL, 0));
	ck_assert(covered(">", ">"));
	ck_assert(covered("team.>", ">"));
	ck_assert(covered("*", ">"));
	ck_assert(!covered(">", "*"));
	ck_assert(!covered(">", "team.>"));
	ck_assert(covered("team.>", "team.>"));
	ck_assert(!covered("team.>", "team.*"));
	ck_assert(covered("team.*", "team.>"));
	ck_assert(covered("team.*", "team.*"));
	ck_assert(covered("team.*", "*.*"));
	ck_assert(covered("team.a", "*.a"));
	ck_assert(!covered("*.a", "team.a"));
	ck_assert(!covered("team.*", "team.a"));
	ck_assert(!covered("team", "team.>"));
	ck_assert(!covered("team.a.b", "team.*"));
	ck_assert(!covered("team.a", "team"));
	ck_assert(covered("team.*.>", "team.>"));
	ck_assert(!covered("team.>", "team.*.>"));
	ck_assert(!covered("General", "general"));
	ck_assert(!covered("", ">"));
	ck_assert(!covered("a..b", "a.>"));
	ck_assert(!covered("b.c", ">.c"));
	ck_assert(!covered("", ""));
}
END_TEST

/* --- mentions, durations ------------------------------------------------- */

START_TEST(mention_vectors)
{
	const cJSON	 *v, *c, *want;
	char		 *in[16], **out;
	size_t		  n, i, out_n;

	EACH(v, "normalize_mentions") {
		n = 0;
		cJSON_ArrayForEach(c, vectors_get(v, "in"))
			in[n++] = c->valuestring;
		want = vectors_get(v, "out");
		out = mentions_normalize(in, n, &out_n);
		ck_assert_uint_eq(out_n, (size_t)cJSON_GetArraySize(want));
		ck_assert((out == NULL) == cJSON_IsNull(want));
		i = 0;
		cJSON_ArrayForEach(c, want)
			ck_assert_str_eq(out[i++], c->valuestring);
		strings_free(out, out_n);
	}
}
END_TEST

START_TEST(mention_edges)
{
	char	*in[] = { (char []){ "b" }, (char []){ "a" },
		    (char []){ "\xc3\x9cnI" }, (char []){ "B" },
		    (char []){ "\xc2\xa0\xc3\xbcni" },
		    (char []){ "3\xc3\x97" }, (char []){ "a" } };
	char	**out, **many;
	size_t	 i, n;

	out = mentions_normalize(in, 7, &n);
	ck_assert_uint_eq(n, 4);
	ck_assert_str_eq(out[0], "b");
	ck_assert_str_eq(out[1], "a");
	ck_assert_str_eq(out[2], "\xc3\xbcni");
	ck_assert_str_eq(out[3], "3\xc3\x97");
	strings_free(out, n);

	/* A message may carry very many: quick all the same. */
	many = calloc(200000, sizeof(*many));
	for (i = 0; i < 200000; i++)
		ck_assert_int_ne(asprintf(&many[i], "n%zu", i / 2), -1);
	out = mentions_normalize(many, 200000, &n);
	ck_assert_uint_eq(n, 100000);
	ck_assert_str_eq(out[99999], "n99999");
	strings_free(out, n);
	strings_free(many, 200000);

	ck_assert(name_same("J\xc3\x96rg", "j\xc3\xb6RG"));
	ck_assert(name_same("", ""));
	ck_assert(!name_same("a", "ab"));
	ck_assert(!name_same("\xc3\x97", "\xc3\xb7"));
	ck_assert(!name_same("\xe4", "\xc3\xa4"));
}
END_TEST

START_TEST(duration_vectors)
{
	const cJSON	*v, *ms;
	const char	*in;

	EACH(v, "parse_duration_ms") {
		in = vectors_str(v, "in");
		ms = vectors_get(v, "ms");
		ck_assert_msg(duration_ms(in) == (cJSON_IsNull(ms) ? -1 :
		    (int64_t)ms->valuedouble), "%s", in);
	}
	ck_assert_int_eq(duration_ms(""), -1);
	ck_assert_int_eq(duration_ms("  "), -1);
	ck_assert_int_eq(duration_ms("1.5h"), -1);
	ck_assert_int_eq(duration_ms("5 s"), -1);
	ck_assert_int_eq(duration_ms("1H"), -1);
	ck_assert_int_eq(duration_ms("0s"), 0);
	ck_assert_int_eq(duration_ms("99999999999999999999999999d"), -1);
	ck_assert_int_eq(duration_ms("9223372036854775807s"), -1);
	ck_assert_int_eq(duration_ms("104249991d"), 104249991LL * 86400000);
	ck_assert_int_eq(duration_ms("104249992d"), -1);
}
END_TEST

/* --- join links ---------------------------------------------------------- */

START_TEST(link_vectors)
{
	const cJSON		*v, *want, *c;
	struct join_link	 l;
	struct error		 e = { .code = 0 };
	size_t			 i;

	EACH(v, "join_link") {
		want = vectors_get(v, "parsed");
		if (cJSON_IsNull(want)) {
			ck_assert_int_eq(join_link_parse(&l,
			    vectors_str(v, "link"), &e), -1);
			ck_assert_int_eq(e.code, EX_USAGE);
			continue;
		}
		ck_assert_int_eq(join_link_parse(&l, vectors_str(v, "link"),
		    &e), 0);
		ck_assert_str_eq(l.server, vectors_str(want, "servers"));
		ck_assert_str_eq(l.space, vectors_str(want, "space"));
		ck_assert_pstr_eq(l.token, maybe(want, "token"));
		ck_assert_pstr_eq(l.user, maybe(want, "user"));
		ck_assert_pstr_eq(l.pass, maybe(want, "pass"));
		ck_assert(l.tls == cJSON_IsTrue(vectors_get(want, "tls")));
		i = 0;
		cJSON_ArrayForEach(c, cJSON_GetObjectItemCaseSensitive(want,
		    "channels"))
			ck_assert_str_eq(l.channels[i++], c->valuestring);
		ck_assert_uint_eq(l.n_channels, i);
		join_link_free(&l);
	}
}
END_TEST

START_TEST(link_edges)
{
	struct join_link	l;

	ck_assert_int_eq(join_link_parse(&l, "cotals://us%65r:p%40%3a:w@"
	    "[::1]:4333/my%20space?x=1&channel=%20a%20,,team.%3E&channel=z"
	    "#frag", NULL), 0);
	ck_assert_str_eq(l.server, "nats://[::1]:4333");
	ck_assert_str_eq(l.user, "user");
	ck_assert_str_eq(l.pass, "p@::w");
	ck_assert_str_eq(l.space, "my space");
	ck_assert_uint_eq(l.n_channels, 2);
	ck_assert_str_eq(l.channels[0], "a");
	ck_assert_str_eq(l.channels[1], "team.>");
	join_link_free(&l);
	ck_assert_int_eq(join_link_parse(&l, "cotal://h/s?", NULL), 0);
	join_link_free(&l);
	ck_assert_int_eq(join_link_parse(&l, "cotal://h/s?channel=", NULL),
	    0);
	ck_assert_uint_eq(l.n_channels, 0);
	join_link_free(&l);
	ck_assert_int_eq(join_link_parse(&l, "cotal://a@b@h/s", NULL), 0);
	ck_assert_str_eq(l.token, "a@b");
	join_link_free(&l);
	join_link_free(&l);
}
END_TEST

START_TEST(link_refusals)
{
	static const char *const	bad[][2] = {
		{ "", "it begins otherwise" },
		{ "COTAL://h/s", "it begins otherwise" },
		{ "cotal://", "no space" },
		{ "cotal://h", "no space" },
		{ "cotal://h/?x=/s", "an empty space" },
		{ "cotal:///s", "a bad host" },
		{ "cotal://tok@/s", "a bad host" },
		{ "cotal://h h/s", "a bad host" },
		{ "cotal://[::1/s", "a bad host" },
		{ "cotal://[]/s", "a bad host" },
		{ "cotal://[::1]x/s", "a bad host" },
		{ "cotal://h:/s", "a bad port" },
		{ "cotal://h:0/s", "a bad port" },
		{ "cotal://h:65536/s", "a bad port" },
		{ "cotal://h:99999999999999999999/s", "a bad port" },
		{ "cotal://h:4x/s", "a bad port" },
		{ "cotal://h/s/t", "a slash in the space" },
		{ "cotal://@h/s", "an empty token" },
		{ "cotal://:p@h/s", "an empty user" },
		{ "cotal://u:@h/s", "an empty password" },
		{ "cotal://h/%", "a bad percent escape" },
		{ "cotal://h/%4", "a bad percent escape" },
		{ "cotal://h/%zz", "a bad percent escape" },
		{ "cotal://h/a%00b", "a control character" },
		{ "cotal://h/a%0ab", "a control character" },
		{ "cotal://h/%ff", "not UTF-8" },
		{ "cotal://h/s?channel=a..b", "a bad channel" },
		{ "cotal://h/s?channel=a%20b", "a bad channel" },
	};
	struct join_link		l;
	struct error			e;
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.text[0] = '\0';
		ck_assert_msg(join_link_parse(&l, bad[i][0], &e) == -1, "%s",
		    bad[i][0]);
		ck_assert_msg(strstr(e.text, bad[i][1]) != NULL, "%s: %s",
		    bad[i][0], e.text);
		ck_assert_ptr_null(l.server);
		ck_assert_ptr_null(l.token);
	}
	/* What may be a secret is not repeated. */
	ck_assert_int_eq(join_link_parse(&l, "cotal://hunter2@h:0/s", &e),
	    -1);
	ck_assert_ptr_null(strstr(e.text, "hunter2"));
}
END_TEST

/* --- lists --------------------------------------------------------------- */

START_TEST(lists)
{
	struct strlist	l = { .v = NULL };
	char		big[5000];
	int		i;

	ck_assert(!strlist_has(&l, "a"));
	for (i = 0; i < 100; i++)
		ck_assert(strlist_addf(&l, "n%d", i));
	ck_assert_uint_eq(l.n, 100);
	ck_assert(strlist_has(&l, "n99"));
	ck_assert(!strlist_has(&l, "n100"));
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	ck_assert(!strlist_addf(&l, "%s", big));
	ck_assert(strlist_add(&l, big));
	strlist_free(&l);
	ck_assert_uint_eq(l.n, 0);
	strlist_free(&l);
	ck_assert(strlist_split(&l, " a , b b,,\t\n,c", ','));
	ck_assert_uint_eq(l.n, 3);
	ck_assert_str_eq(l.v[0], "a");
	ck_assert_str_eq(l.v[1], "b b");
	ck_assert_str_eq(l.v[2], "c");
	ck_assert(strlist_split(&l, "", ','));
	ck_assert(strlist_split(&l, ",", ','));
	ck_assert_uint_eq(l.n, 3);
	strlist_free(&l);
}
END_TEST

START_TEST(replies)
{
	static const char	asked[] = "cotal.s.ctl.self.U";

	ck_assert(reply_is_bound(asked, "cotal.s.ctl.self.U.reply.n"));
	ck_assert(reply_is_bound(asked, "cotal.s.ctl.self.U.reply.n.m"));
	ck_assert(!reply_is_bound(asked, "cotal.s.ctl.self.U.reply."));
	ck_assert(!reply_is_bound(asked, "cotal.s.ctl.self.U.reply"));
	ck_assert(!reply_is_bound(asked, "cotal.s.ctl.self.U"));
	ck_assert(!reply_is_bound(asked, "cotal.s.ctl.self.V.reply.n"));
	ck_assert(!reply_is_bound(asked, "cotal.s.ctl.self.UU.reply.n"));
	ck_assert(!reply_is_bound(asked, "_INBOX_U.x"));
	ck_assert(!reply_is_bound(asked, ""));
	ck_assert(!reply_is_bound(asked, NULL));
}
END_TEST

START_TEST(requests_for_credentials)
{
	char	s[SUBJECT_MAX];

	ck_assert_int_gt(subject_mint(s, sizeof(s), "team", "U"), 0);
	ck_assert_str_eq(s, "cotal.team.reeve.mint.U");
	ck_assert_int_gt(subject_mint(s, sizeof(s), "team", "*"), 0);
	ck_assert_str_eq(s, "cotal.team.reeve.mint.*");
	ck_assert_int_eq(subject_mint(s, sizeof(s), "team", "U.x"), -1);
	ck_assert_int_eq(subject_mint(s, sizeof(s), "team", ""), -1);
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("names");
	TCase	*t = tcase_create("tokens");

	tcase_add_checked_fixture(t, load, unload);
	tcase_add_test(t, token_vectors);
	tcase_add_test(t, token_edges);
	tcase_add_test(t, shapes);
	tcase_add_test(t, partition_vectors);
	tcase_add_test(t, streams_and_buckets);
	suite_add_tcase(s, t);
	t = tcase_create("subjects");
	tcase_add_checked_fixture(t, load, unload);
	tcase_add_test(t, parse_vectors);
	tcase_add_test(t, parse_edges);
	tcase_add_test(t, dinbox_owner);
	tcase_add_test(t, builders);
	tcase_add_test(t, builders_refuse);
	tcase_add_test(t, match_vectors);
	suite_add_tcase(s, t);
	t = tcase_create("channels");
	tcase_add_checked_fixture(t, load, unload);
	tcase_add_test(t, channel_vectors);
	tcase_add_test(t, channel_edges);
	tcase_add_test(t, coverage);
	suite_add_tcase(s, t);
	t = tcase_create("words");
	tcase_add_checked_fixture(t, load, unload);
	tcase_add_test(t, mention_vectors);
	tcase_add_test(t, mention_edges);
	tcase_add_test(t, duration_vectors);
	tcase_add_test(t, link_vectors);
	tcase_add_test(t, link_edges);
	tcase_add_test(t, link_refusals);
	tcase_add_test(t, lists);
	tcase_add_test(t, replies);
	tcase_add_test(t, requests_for_credentials);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return vectors_run(suite());
}
