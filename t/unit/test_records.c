/* SPDX-License-Identifier: ISC */
#include "records.h"
#include "vectors.h"

#define TEXT(s)	s, sizeof(s) - 1

/* A text and the error that reading it gives. */
struct misfit {
	const char	*text;
	const char	*error;
};

#define N(v)	(sizeof(v) / sizeof((v)[0]))
#define WHOLE	"expected a whole number from 0 to 9007199254740992"

/* --- membership ---------------------------------------------------------- */

#define MEMBER	"\"channel\":\"a.b\",\"owner\":\"UA\","			\
		"\"state\":\"durable-active\",\"joinCursor\":5,\"generation\":2"

static void
read_membership(struct membership *m, const char *text)
{
	struct error	e = { .text = "" };

	ck_assert_msg(membership_read(m, text, strlen(text), &e) == 0,
	    "%s: %s", text, e.text);
}

/* Each record of the recorded traffic is written again as it was, field by
 * field, also when it is written afresh. */
START_TEST(membership_traffic)
{
	cJSON			*all = vectors_load("traffic.json"), *v;
	struct membership	 m;
	char			*want, *got;
	int			 n = 0;

	cJSON_ArrayForEach(v, all) {
		if (strncmp(vectors_str(v, "subject"), "$KV.", 4) != 0)
			continue;
		want = cJSON_PrintUnformatted(vectors_get(v, "body"));
		read_membership(&m, want);
		got = membership_write(&m, NULL, 0);
		ck_assert_str_eq(got, want);
		free(got);
		got = membership_write(&m, want, strlen(want));
		ck_assert_str_eq(got, want);
		free(got);
		free(want);
		membership_free(&m);
		n++;
	}
	ck_assert_int_eq(n, 5);
	cJSON_Delete(all);
}
END_TEST

START_TEST(membership_fields)
{
	static const char	text[] = "{" MEMBER ",\"activated\":true,"
	    "\"writerIdentity\":\"UW\",\"updatedAt\":7,\"leaveCursor\":8,"
	    "\"fence\":6,\"previous\":{\"joinCursor\":1,\"leaveCursor\":3}}";
	struct membership	m;
	char			*got;

	read_membership(&m, text);
	ck_assert_str_eq(m.channel, "a.b");
	ck_assert_str_eq(m.owner, "UA");
	ck_assert_int_eq(m.state, MEMBER_DURABLE_ACTIVE);
	ck_assert_uint_eq(m.now.join_seq, 5);
	ck_assert_uint_eq(m.now.leave_seq, 8);
	ck_assert(m.now.left && m.has_previous && m.previous.left);
	ck_assert(m.activated);
	ck_assert_uint_eq(m.previous.join_seq, 1);
	ck_assert_uint_eq(m.previous.leave_seq, 3);
	ck_assert_uint_eq(m.fence_seq, 6);
	ck_assert_uint_eq(m.generation, 2);
	ck_assert_str_eq(m.writer, "UW");
	ck_assert_int_eq(m.updated_ms, 7);
	ck_assert(!membership_is_open(&m));
	got = membership_write(&m, NULL, 0);
	ck_assert_str_eq(got, "{\"channel\":\"a.b\",\"owner\":\"UA\","
	    "\"state\":\"durable-active\",\"joinCursor\":5,\"generation\":2,"
	    "\"activated\":true,\"writerIdentity\":\"UW\",\"updatedAt\":7,"
	    "\"leaveCursor\":8,\"fence\":6,"
	    "\"previous\":{\"joinCursor\":1,\"leaveCursor\":3}}");
	free(got);
	membership_free(&m);
	membership_free(&m);
}
END_TEST

START_TEST(membership_least)
{
	struct membership	m;

	read_membership(&m, "{" MEMBER ",\"leaveCursor\":null}");
	ck_assert(!m.now.left && !m.has_previous && !m.activated);
	ck_assert_uint_eq(m.fence_seq, 0);
	ck_assert_str_eq(m.writer, "");
	ck_assert(membership_is_open(&m));
	m.state = MEMBER_LIVE_CONFIRMED;
	ck_assert(!membership_is_open(&m));
	membership_free(&m);
}
END_TEST

/* What we do not know stays; what no longer holds goes. */
START_TEST(membership_keeps)
{
	static const char	was[] = "{\"future\":{\"a\":[1.5,"
	    "9007199254740991]}," MEMBER ",\"leaveCursor\":8,\"fence\":6,"
	    "\"previous\":{\"joinCursor\":1,\"leaveCursor\":3},"
	    "\"activated\":true,\"writerIdentity\":\"UW\",\"updatedAt\":7,"
	    "\"Fence\":\"x\",\"z\":null}";
	struct membership	m;
	char			*got;

	read_membership(&m, was);
	m.now.left = false;
	m.now.join_seq = 9;
	m.has_previous = false;
	m.fence_seq = 0;
	m.generation = 3;
	got = membership_write(&m, was, sizeof(was) - 1);
	ck_assert_str_eq(got, "{\"future\":{\"a\":[1.5,9007199254740991]},"
	    "\"channel\":\"a.b\",\"owner\":\"UA\","
	    "\"state\":\"durable-active\",\"joinCursor\":9,\"generation\":3,"
	    "\"activated\":true,\"writerIdentity\":\"UW\",\"updatedAt\":7,"
	    "\"Fence\":\"x\",\"z\":null}");
	free(got);
	/* One that cannot be read, or has a field twice, is not kept. */
	got = membership_write(&m, TEXT("{\"x\":1,"));
	ck_assert_ptr_null(strstr(got, "\"x\""));
	free(got);
	got = membership_write(&m, TEXT("[1]"));
	ck_assert_int_eq(got[0], '{');
	free(got);
	got = membership_write(&m, TEXT("{\"x\":1,\"fence\":1,\"fence\":2}"));
	ck_assert_ptr_null(strstr(got, "fence"));
	free(got);
	membership_free(&m);
}
END_TEST

static const struct misfit bad_members[] = {
	{ "", "not JSON: empty" },
	{ "[]", "expected an object" },
	{ "{}", "channel: missing" },
	{ "{\"channel\":\"a\"}", "owner: missing" },
	{ "{\"channel\":\"a\",\"owner\":\"U\",\"state\":\"x\"}",
	    "state: expected one of durable-active, live-confirmed" },
	{ "{\"channel\":\"a.>\",\"owner\":\"U\",\"state\":\"durable-active\","
	    "\"joinCursor\":0,\"generation\":1}",
	    "channel: expected a channel without wildcards" },
	{ "{\"channel\":\"a\",\"owner\":\"U.V\",\"state\":\"durable-active\","
	    "\"joinCursor\":0,\"generation\":1}", "owner: expected an id" },
	{ "{\"channel\":\"a\",\"owner\":\"U\",\"state\":\"durable-active\","
	    "\"joinCursor\":0,\"generation\":0}",
	    "generation: expected at least 1" },
	{ "{\"channel\":\"a\",\"owner\":\"U\",\"state\":\"durable-active\","
	    "\"generation\":1}", "joinCursor: missing" },
	{ "{\"channel\":\"a\",\"owner\":\"U\",\"state\":\"durable-active\","
	    "\"joinCursor\":0}", "generation: missing" },
	{ "{\"channel\":\"a\",\"owner\":\"U\",\"state\":\"durable-active\","
	    "\"joinCursor\":-1,\"generation\":1}", "joinCursor: " WHOLE },
	{ "{" MEMBER ",\"leaveCursor\":1.5}", "leaveCursor: " WHOLE },
	{ "{" MEMBER ",\"leaveCursor\":\"8\"}", "leaveCursor: " WHOLE },
	{ "{" MEMBER ",\"leaveCursor\":9007199254740994}",
	    "leaveCursor: " WHOLE },
	{ "{" MEMBER ",\"leaveCursor\":1,\"leaveCursor\":2}",
	    "leaveCursor: given twice" },
	{ "{" MEMBER ",\"activated\":1}",
	    "activated: expected true or false" },
	{ "{" MEMBER ",\"writerIdentity\":1}",
	    "writerIdentity: expected a string" },
	{ "{" MEMBER ",\"previous\":{}}", "previous.joinCursor: missing" },
	{ "{" MEMBER ",\"previous\":{\"joinCursor\":1}}",
	    "previous.leaveCursor: missing" },
	{ "{" MEMBER ",\"previous\":[]}", "previous: expected an object" },
	{ "{" MEMBER "}x", "not JSON: bytes after the value at byte 85" },
};

START_TEST(membership_refuses)
{
	const char		*text = bad_members[_i].text;
	struct membership	 m;
	struct error		 e = { .code = 0 };

	ck_assert_int_eq(membership_read(&m, text, strlen(text), &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_str_eq(e.text, bad_members[_i].error);
	membership_free(&m);
}
END_TEST

START_TEST(eligible_vectors)
{
	cJSON			*all = vectors_load("names.json"), *v, *r;
	const cJSON		*leave;
	struct interval		 i;
	struct membership	 m = { .generation = 3 };
	uint64_t		 seq;
	bool			 want;

	cJSON_ArrayForEach(v, vectors_get(all, "durable_eligible")) {
		r = vectors_get(v, "record");
		leave = json_get(r, "leaveCursor");
		i.join_seq = (uint64_t)vectors_get(r, "joinCursor")->valueint;
		i.left = leave != NULL;
		i.leave_seq = leave != NULL ? (uint64_t)leave->valueint : 0;
		seq = (uint64_t)vectors_get(v, "seq")->valueint;
		want = cJSON_IsTrue(vectors_get(v, "eligible"));
		ck_assert(interval_has(&i, seq) == want);
		m.now = i;
		ck_assert_uint_eq(membership_entitles(&m, seq), want ? 3 : 0);
	}
	cJSON_Delete(all);
}
END_TEST

START_TEST(entitles)
{
	struct membership	m = { .generation = 4, .has_previous = true,
				    .now = { .join_seq = 20 },
				    .previous = { .join_seq = 5,
				    .leave_seq = 10, .left = true } };

	ck_assert_uint_eq(membership_entitles(&m, 0), 0);
	ck_assert_uint_eq(membership_entitles(&m, 5), 0);
	ck_assert_uint_eq(membership_entitles(&m, 6), 3);
	ck_assert_uint_eq(membership_entitles(&m, 10), 3);
	ck_assert_uint_eq(membership_entitles(&m, 11), 0);
	ck_assert_uint_eq(membership_entitles(&m, 20), 0);
	ck_assert_uint_eq(membership_entitles(&m, 21), 4);
	ck_assert_uint_eq(membership_entitles(&m, UINT64_MAX), 4);
	m.now.left = true;
	m.now.leave_seq = 22;
	ck_assert_uint_eq(membership_entitles(&m, 22), 4);
	ck_assert_uint_eq(membership_entitles(&m, 23), 0);
	/* Where both would do, the copy is the present one's. */
	m.now.join_seq = 8;
	ck_assert_uint_eq(membership_entitles(&m, 8), 3);
	ck_assert_uint_eq(membership_entitles(&m, 9), 4);
	/* A leave before the join has no message. */
	m.now.leave_seq = 7;
	m.has_previous = false;
	ck_assert_uint_eq(membership_entitles(&m, 8), 0);
	ck_assert_uint_eq(membership_entitles(&m, 6), 0);
	/* There is no generation before the first. */
	m.has_previous = true;
	m.generation = 1;
	ck_assert_uint_eq(membership_entitles(&m, 6), 0);
}
END_TEST

START_TEST(keys)
{
	static const char *const	bad[] = { "", "/", "a/", "/U", "a",
	    "a/b/U", "=delivery", "a..b/U", "a.>/U", "*/U", "a/U.V", "a/*",
	    "a b/U", NULL };
	char				channel[16], owner[8];
	size_t				i;

	ck_assert(membership_key_split("team.x/UA", channel, sizeof(channel),
	    owner, sizeof(owner)));
	ck_assert_str_eq(channel, "team.x");
	ck_assert_str_eq(owner, "UA");
	for (i = 0; bad[i] != NULL; i++)
		ck_assert_msg(!membership_key_split(bad[i], channel,
		    sizeof(channel), owner, sizeof(owner)), "%s", bad[i]);
	ck_assert(membership_key_split("123456789012345/1234567", channel,
	    sizeof(channel), owner, sizeof(owner)));
	ck_assert(!membership_key_split("1234567890123456/U", channel,
	    sizeof(channel), owner, sizeof(owner)));
	ck_assert(!membership_key_split("a/12345678", channel,
	    sizeof(channel), owner, sizeof(owner)));
}
END_TEST

/* --- acl ----------------------------------------------------------------- */

START_TEST(acl_round)
{
	static const char	was[] = "{\"x\":[],\"revision\":3,"
	    "\"allowSubscribe\":[\"a\",\"team.>\"],\"updatedAt\":9,"
	    "\"name\":\"al\"}";
	struct acl		a;
	char			*got;

	ck_assert_int_eq(acl_read(&a, TEXT(was), NULL), 0);
	ck_assert_uint_eq(a.n_allow, 2);
	ck_assert_str_eq(a.allow[1], "team.>");
	ck_assert_uint_eq(a.revision, 3);
	ck_assert_int_eq(a.updated_ms, 9);
	ck_assert_str_eq(a.name, "al");
	got = acl_write(&a, was, sizeof(was) - 1);
	ck_assert_str_eq(got, was);
	free(got);
	got = acl_write(&a, NULL, 0);
	ck_assert_str_eq(got, "{\"allowSubscribe\":[\"a\",\"team.>\"],"
	    "\"revision\":3,\"updatedAt\":9,\"name\":\"al\"}");
	free(got);
	free(a.name);
	a.name = NULL;
	got = acl_write(&a, was, sizeof(was) - 1);
	ck_assert_ptr_null(strstr(got, "name"));
	ck_assert_ptr_nonnull(strstr(got, "\"x\":[]"));
	free(got);
	acl_free(&a);
	acl_free(&a);
}
END_TEST

START_TEST(acl_empty)
{
	struct acl	 a;
	char		*got;

	/* An empty list reads nothing, and is not an absent one. */
	ck_assert_int_eq(acl_read(&a, TEXT("{\"allowSubscribe\":[]}"), NULL),
	    0);
	ck_assert_uint_eq(a.n_allow, 0);
	ck_assert_ptr_null(a.name);
	got = acl_write(&a, NULL, 0);
	ck_assert_str_eq(got,
	    "{\"allowSubscribe\":[],\"revision\":0,\"updatedAt\":0}");
	free(got);
	acl_free(&a);
}
END_TEST

static const struct misfit bad_acls[] = {
	{ "", "not JSON: empty" },
	{ "null", "expected an object" },
	{ "{}", "allowSubscribe: missing" },
	{ "{\"allowSubscribe\":null}", "allowSubscribe: missing" },
	{ "{\"allowsubscribe\":[]}", "allowSubscribe: missing" },
	{ "{\"allowSubscribe\":\">\"}",
	    "allowSubscribe: expected an array of strings" },
	{ "{\"allowSubscribe\":[\"a\",{}]}",
	    "allowSubscribe[1]: expected a string" },
	{ "{\"allowSubscribe\":[],\"allowSubscribe\":[\">\"]}",
	    "allowSubscribe: given twice" },
	{ "{\"allowSubscribe\":[],\"revision\":-1}", "revision: " WHOLE },
	{ "{\"allowSubscribe\":[\"a\"],\"name\":1}",
	    "name: expected a string" },
};

START_TEST(acl_refuses)
{
	const char	*text = bad_acls[_i].text;
	struct acl	 a;
	struct error	 e;

	ck_assert_int_eq(acl_read(&a, text, strlen(text), &e), -1);
	ck_assert_str_eq(e.text, bad_acls[_i].error);
	acl_free(&a);
}
END_TEST

/* --- channels ------------------------------------------------------------ */

START_TEST(config_round)
{
	static const char	was[] = "{\"replay\":false,"
	    "\"replayWindow\":\"24h\",\"deliveryClass\":\"live\","
	    "\"description\":\"d\",\"instructions\":\"i\",\"x\":1}";
	struct channel_config	c;
	char			*got;

	ck_assert_int_eq(channel_config_read(&c, TEXT(was), NULL), 0);
	ck_assert(c.has_replay && !c.replay);
	ck_assert_int_eq(c.replay_window_ms, 86400000);
	ck_assert_str_eq(c.replay_window, "24h");
	ck_assert_int_eq(c.delivery_class, CLASS_LIVE);
	ck_assert_str_eq(c.description, "d");
	ck_assert_str_eq(c.instructions, "i");
	got = channel_config_write(&c, was, sizeof(was) - 1);
	ck_assert_str_eq(got, was);
	free(got);
	channel_config_free(&c);
	ck_assert_int_eq(channel_config_read(&c, TEXT("{}"), NULL), 0);
	ck_assert(!c.has_replay);
	ck_assert_int_eq(c.replay_window_ms, -1);
	ck_assert_int_eq(c.delivery_class, CLASS_UNSET);
	got = channel_config_write(&c, was, sizeof(was) - 1);
	ck_assert_str_eq(got, "{\"x\":1}");
	free(got);
	c.delivery_class = CLASS_DURABLE;
	c.has_replay = c.replay = true;
	got = channel_config_write(&c, NULL, 0);
	ck_assert_str_eq(got,
	    "{\"replay\":true,\"deliveryClass\":\"durable\"}");
	free(got);
	channel_config_free(&c);
}
END_TEST

static const struct misfit bad_configs[] = {
	{ "[]", "expected an object" },
	{ "{\"replay\":1}", "replay: expected true or false" },
	{ "{\"replayWindow\":\"5\"}", "replayWindow: expected a duration "
	    "like 90s, 30m, 24h, 7d" },
	{ "{\"replayWindow\":\" 5s\"}", "replayWindow: expected a duration "
	    "like 90s, 30m, 24h, 7d" },
	{ "{\"replayWindow\":\"\"}", "replayWindow: expected a duration "
	    "like 90s, 30m, 24h, 7d" },
	{ "{\"replayWindow\":5}", "replayWindow: expected a string" },
	{ "{\"deliveryClass\":\"Live\"}",
	    "deliveryClass: expected one of live, durable" },
	{ "{\"description\":1}", "description: expected a string" },
	{ "{\"instructions\":[]}", "instructions: expected a string" },
};

START_TEST(config_refuses)
{
	const char		*text = bad_configs[_i].text;
	struct channel_config	 c;
	struct error		 e;

	ck_assert_int_eq(channel_config_read(&c, text, strlen(text), &e), -1);
	ck_assert_str_eq(e.text, bad_configs[_i].error);
	channel_config_free(&c);
}
END_TEST

/* Counted in UTF-16 units, refused and not cut. */
START_TEST(config_lengths)
{
	struct channel_config	 c;
	struct error		 e;
	char			 text[8192], *p;
	int			 i, n;

	for (n = 100; n <= 101; n++) {
		p = text + sprintf(text, "{\"description\":\"");
		for (i = 0; i < n; i++)
			p += sprintf(p, "\xf0\x9f\x98\x80");
		strcpy(p, "\"}");
		ck_assert_int_eq(channel_config_read(&c, text, strlen(text),
		    &e), n == 100 ? 0 : -1);
		channel_config_free(&c);
	}
	ck_assert_str_eq(e.text, "description: over 200 characters");
	for (n = 2000; n <= 2001; n++) {
		snprintf(text, sizeof(text), "{\"instructions\":\"%0*d\"}", n,
		    1);
		ck_assert_int_eq(channel_config_read(&c, text, strlen(text),
		    &e), n == 2000 ? 0 : -1);
		channel_config_free(&c);
	}
	ck_assert_str_eq(e.text, "instructions: over 2000 characters");
}
END_TEST

START_TEST(config_effective)
{
	struct channel_config	c = { .replay_window_ms = -1 }, d = c;

	ck_assert_int_eq(channel_class(NULL, NULL), CLASS_DURABLE);
	ck_assert_int_eq(channel_class(&c, &d), CLASS_DURABLE);
	ck_assert(channel_replay(NULL, NULL) && channel_replay(&c, &d));
	ck_assert_int_eq(channel_replay_window_ms(&c, NULL), -1);
	d.delivery_class = CLASS_LIVE;
	d.has_replay = true;
	d.replay_window = (char []){ "5s" };
	d.replay_window_ms = 5000;
	ck_assert_int_eq(channel_class(NULL, &d), CLASS_LIVE);
	ck_assert_int_eq(channel_class(&c, &d), CLASS_LIVE);
	ck_assert(!channel_replay(&c, &d));
	ck_assert_int_eq(channel_replay_window_ms(&c, &d), 5000);
	c.delivery_class = CLASS_DURABLE;
	c.has_replay = c.replay = true;
	c.replay_window = (char []){ "1s" };
	c.replay_window_ms = 1000;
	ck_assert_int_eq(channel_class(&c, &d), CLASS_DURABLE);
	ck_assert(channel_replay(&c, &d));
	ck_assert_int_eq(channel_replay_window_ms(&c, &d), 1000);
}
END_TEST

/* --- presence ------------------------------------------------------------ */

#define CARD	"\"card\":{\"id\":\"UA\",\"name\":\"al\",\"kind\":\"agent\""

START_TEST(presence_round)
{
	static const char	text[] = "{" CARD ",\"role\":\"r\","
	    "\"description\":\"d\"},\"status\":\"working\","
	    "\"activity\":\"x\",\"attention\":\"dnd\",\"ts\":9}";
	struct presence		p;
	char			*got;

	ck_assert_int_eq(presence_read(&p, "UA", TEXT(text), NULL), 0);
	ck_assert_str_eq(p.id, "UA");
	ck_assert_str_eq(p.name, "al");
	ck_assert_str_eq(p.kind, "agent");
	ck_assert_str_eq(p.role, "r");
	ck_assert_str_eq(p.description, "d");
	ck_assert_int_eq(p.status, STATUS_WORKING);
	ck_assert_str_eq(p.activity, "x");
	ck_assert_str_eq(p.attention, "dnd");
	ck_assert_int_eq(p.ts_ms, 9);
	got = presence_write(&p);
	ck_assert_str_eq(got, text);
	free(got);
	p.status = STATUS_OFFLINE;
	got = presence_write(&p);
	ck_assert_ptr_null(strstr(got, "attention"));
	ck_assert_ptr_nonnull(strstr(got, "\"status\":\"offline\""));
	free(got);
	presence_free(&p);
	ck_assert_int_eq(presence_read(&p, "UA", TEXT("{" CARD ",\"tags\":[]}"
	    ",\"status\":\"idle\",\"channelModes\":{},\"ts\":1}"), NULL), 0);
	ck_assert_ptr_null(p.role);
	ck_assert_ptr_null(p.attention);
	got = presence_write(&p);
	ck_assert_str_eq(got, "{" CARD "},\"status\":\"idle\",\"ts\":1}");
	free(got);
	presence_free(&p);
	presence_free(&p);
}
END_TEST

START_TEST(presence_more)
{
	static const char	text[] = "{" CARD ",\"tags\":[\"a\",\"b\"],"
	    "\"meta\":{\"model\":\"opus\"}},\"status\":\"idle\","
	    "\"attention\":\"focus\",\"channelModes\":{\"x\":\"quiet\","
	    "\"y.z\":\"muted\"},\"ts\":9}";
	static const char	odd[] = "{" CARD ",\"tags\":[1,\"a\",null],"
	    "\"meta\":{\"model\":1,\"x\":{}}},\"status\":\"idle\","
	    "\"channelModes\":{\"x\":\"loud\",\"y\":\"muted\",\"z\":1},"
	    "\"ts\":9}";
	struct presence		p;
	char			*got;

	ck_assert_int_eq(presence_read(&p, "UA", TEXT(text), NULL), 0);
	ck_assert_uint_eq(p.tags.n, 2);
	ck_assert_str_eq(p.model, "opus");
	got = presence_write(&p);
	ck_assert_str_eq(got, text);
	free(got);
	p.status = STATUS_OFFLINE;
	got = presence_write(&p);
	ck_assert_ptr_null(strstr(got, "channelModes"));
	ck_assert_ptr_null(strstr(got, "attention"));
	ck_assert_ptr_nonnull(strstr(got, "opus"));
	free(got);
	presence_free(&p);
	ck_assert_int_eq(presence_read(&p, "UA", TEXT(odd), NULL), 0);
	got = presence_write(&p);
	ck_assert_str_eq(got, "{" CARD ",\"tags\":[\"a\"]},\"status\":"
	    "\"idle\",\"channelModes\":{\"y\":\"muted\"},\"ts\":9}");
	free(got);
	presence_free(&p);
	ck_assert_int_eq(presence_read(&p, "UA", TEXT("{" CARD ",\"tags\":"
	    "\"x\",\"meta\":[]},\"status\":\"idle\",\"channelModes\":"
	    "\"quiet\",\"ts\":1}"), NULL), 0);
	ck_assert_uint_eq(p.tags.n, 0);
	ck_assert_ptr_null(p.model);
	ck_assert_ptr_null(p.modes);
	presence_free(&p);
}
END_TEST

static const struct misfit bad_presences[] = {
	{ "", "not JSON: empty" },
	{ "[]", "expected an object" },
	{ "{}", "card: missing" },
	{ "{\"card\":\"x\"}", "card: expected an object" },
	{ "{\"card\":{}}", "card.id: missing" },
	{ "{\"card\":{\"id\":\"UA\"}}", "card.name: missing" },
	{ "{\"card\":{\"id\":\"UA\",\"name\":\"a\"}}", "card.kind: missing" },
	{ "{" CARD ",\"id\":\"UB\"},\"status\":\"idle\",\"ts\":1}",
	    "card.id: given twice" },
	{ "{" CARD "},\"ts\":1}", "status: missing" },
	{ "{" CARD "},\"status\":\"asleep\",\"ts\":1}", "status: expected "
	    "one of idle, waiting, working, offline" },
	{ "{" CARD "},\"status\":\"idle\"}", "ts: missing" },
	{ "{" CARD "},\"status\":\"idle\",\"ts\":\"1\"}",
	    "ts: expected a whole number from -9007199254740992 to "
	    "9007199254740992" },
	{ "{" CARD "},\"status\":\"idle\",\"ts\":1,\"activity\":1}",
	    "activity: expected a string" },
	{ "{\"card\":{\"id\":\"UB\",\"name\":\"b\",\"kind\":\"agent\"},"
	    "\"status\":\"idle\",\"ts\":1}",
	    "card.id: is not the key of its record" },
};

START_TEST(presence_refuses)
{
	const char	*text = bad_presences[_i].text;
	struct presence	 p;
	struct error	 e;

	ck_assert_int_eq(presence_read(&p, "UA", text, strlen(text), &e), -1);
	ck_assert_str_eq(e.text, bad_presences[_i].error);
	presence_free(&p);
}
END_TEST

/* --- leases -------------------------------------------------------------- */

START_TEST(lease_round)
{
	static const char	ours[] = "{\"holder\":\"UH\",\"since\":5,"
	    "\"ready\":true,\"host\":\"h\",\"nonce\":\"n\",\"renewed\":6,"
	    "\"ttl\":30000,\"releasing\":true}";
	static const char	theirs[] = "{\"holder\":\"UH\",\"since\":5,"
	    "\"ready\":false}";
	struct lease		l;
	char			*got;

	ck_assert_int_eq(lease_read(&l, TEXT(ours), NULL), 0);
	ck_assert_str_eq(l.holder, "UH");
	ck_assert_int_eq(l.since_ms, 5);
	ck_assert(l.ready && l.releasing);
	ck_assert_str_eq(l.host, "h");
	ck_assert_str_eq(l.nonce, "n");
	ck_assert_int_eq(l.renewed_ms, 6);
	ck_assert_int_eq(l.ttl_ms, 30000);
	got = lease_write(&l);
	ck_assert_str_eq(got, ours);
	free(got);
	l.releasing = false;
	got = lease_write(&l);
	ck_assert_ptr_null(strstr(got, "releasing"));
	free(got);
	lease_free(&l);
	ck_assert_int_eq(lease_read(&l, TEXT(theirs), NULL), 0);
	ck_assert_ptr_null(l.host);
	ck_assert(!l.ready && !l.releasing);
	got = lease_write(&l);
	ck_assert_str_eq(got, theirs);
	free(got);
	lease_free(&l);
	lease_free(&l);
}
END_TEST

static const struct misfit bad_leases[] = {
	{ "", "not JSON: empty" },
	{ "\"x\"", "expected an object" },
	{ "{}", "holder: missing" },
	{ "{\"holder\":\"h\",\"ready\":true}", "since: missing" },
	{ "{\"holder\":\"h\",\"since\":1}", "ready: missing" },
	{ "{\"holder\":\"h\",\"since\":1,\"ready\":1}",
	    "ready: expected true or false" },
	{ "{\"holder\":\"h\",\"since\":1,\"ready\":true,\"host\":1}",
	    "host: expected a string" },
	{ "{\"holder\":\"h\",\"since\":1,\"ready\":true,\"releasing\":0}",
	    "releasing: expected true or false" },
	{ "{\"holder\":\"h\",\"since\":1,\"ready\":true,\"ready\":false}",
	    "ready: given twice" },
};

START_TEST(lease_refuses)
{
	const char	*text = bad_leases[_i].text;
	struct lease	 l;
	struct error	 e;

	ck_assert_int_eq(lease_read(&l, text, strlen(text), &e), -1);
	ck_assert_str_eq(e.text, bad_leases[_i].error);
	lease_free(&l);
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("records");
	TCase	*t = tcase_create("membership");

	tcase_add_test(t, membership_traffic);
	tcase_add_test(t, membership_fields);
	tcase_add_test(t, membership_least);
	tcase_add_test(t, membership_keeps);
	tcase_add_loop_test(t, membership_refuses, 0, N(bad_members));
	tcase_add_test(t, eligible_vectors);
	tcase_add_test(t, entitles);
	tcase_add_test(t, keys);
	suite_add_tcase(s, t);
	t = tcase_create("buckets");
	tcase_add_test(t, acl_round);
	tcase_add_test(t, acl_empty);
	tcase_add_loop_test(t, acl_refuses, 0, N(bad_acls));
	tcase_add_test(t, config_round);
	tcase_add_loop_test(t, config_refuses, 0, N(bad_configs));
	tcase_add_test(t, config_lengths);
	tcase_add_test(t, config_effective);
	tcase_add_test(t, presence_round);
	tcase_add_test(t, presence_more);
	tcase_add_loop_test(t, presence_refuses, 0, N(bad_presences));
	tcase_add_test(t, lease_round);
	tcase_add_loop_test(t, lease_refuses, 0, N(bad_leases));
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return vectors_run(suite());
}
