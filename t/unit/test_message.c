/* SPDX-License-Identifier: ISC */
#include "message.h"
#include "vectors.h"

#define HEAD	"\"id\":\"m1\",\"ts\":5,\"space\":\"s\","		\
		"\"from\":{\"id\":\"UA\",\"name\":\"alice\"}"
#define CHAT	"{" HEAD ",\"channel\":\"general\""
#define PARTS	",\"parts\":[]}"

static int
parse(struct message *m, const char *text, struct error *e)
{
	size_t	 len = strlen(text);
	char	*exact = malloc(len);
	int	 rc;

	/* Freed at once: nothing may point into it. */
	memcpy(exact, text, len);
	rc = message_parse(m, exact, len, e);
	free(exact);
	return rc;
}

static void
good(struct message *m, const char *text)
{
	struct error	e = { .text = "" };

	ck_assert_msg(parse(m, text, &e) == 0, "%s: %s", text, e.text);
}

START_TEST(all_fields)
{
	struct message	m;
	char		*text;

	good(&m, "{\"x\":{\"deep\":[1]},\"id\":\"m1\",\"ts\":5.5,"
	    "\"space\":\"s\",\"from\":{\"id\":\"UA\",\"name\":\"alice\","
	    "\"role\":\"rev\",\"extra\":1},\"channel\":\"team.a\","
	    "\"mentions\":[\"bob\",\"eve\"],\"parts\":["
	    "{\"kind\":\"text\",\"text\":\"\",\"x\":1},"
	    "{\"kind\":\"data\",\"data\":null},"
	    "{\"kind\":\"com.acme.snap-1\",\"text\":7},"
	    "{\"kind\":\"text\",\"text\":\"two\\ud83d\"},"
	    "{\"kind\":\"data\",\"data\":{\"a\":1}}],"
	    "\"replyTo\":\"m0\",\"contextId\":\"c\"}");
	ck_assert_str_eq(m.id, "m1");
	ck_assert_int_eq(m.ts_ms, 6);
	ck_assert_str_eq(m.space, "s");
	ck_assert_str_eq(m.from_id, "UA");
	ck_assert_str_eq(m.from_name, "alice");
	ck_assert_str_eq(m.from_role, "rev");
	ck_assert_str_eq(m.channel, "team.a");
	ck_assert_ptr_null(m.to);
	ck_assert_ptr_null(m.to_service);
	ck_assert_uint_eq(m.mentions.n, 2);
	ck_assert_str_eq(m.mentions.v[1], "eve");
	ck_assert_int_eq(cJSON_GetArraySize(m.parts), 5);
	ck_assert_str_eq(m.reply_to, "m0");
	ck_assert_str_eq(m.context_id, "c");
	text = message_text(&m);
	ck_assert_str_eq(text, "\ntwo\xef\xbf\xbd");
	free(text);
	message_free(&m);
	message_free(&m);
}
END_TEST

START_TEST(least_fields)
{
	struct message	m;
	char		*text;

	good(&m, "{" HEAD ",\"to\":\"UB\"" PARTS);
	ck_assert_str_eq(m.to, "UB");
	ck_assert_ptr_null(m.from_role);
	ck_assert_ptr_null(m.reply_to);
	ck_assert_uint_eq(m.mentions.n, 0);
	text = message_text(&m);
	ck_assert_str_eq(text, "");
	free(text);
	message_free(&m);
	good(&m, "{" HEAD ",\"toService\":\"rev\",\"replyTo\":null,"
	    "\"mentions\":null" PARTS);
	ck_assert_str_eq(m.to_service, "rev");
	message_free(&m);
	good(&m, CHAT ",\"Channel\":1,\"TO\":2" PARTS);
	message_free(&m);
}
END_TEST

START_TEST(timestamps)
{
	static const struct { const char *text; int64_t ms; } ts[] = {
		{ "0", 0 }, { "-1.5", -2 }, { "1.49", 1 }, { "0.5", 1 },
		{ "1795223534189", 1795223534189 },
		{ "9007199254740992", 9007199254740992 } };
	struct message	m;
	char		text[512];

	snprintf(text, sizeof(text), "{\"id\":\"m\",\"ts\":%s,\"space\":"
	    "\"s\",\"from\":{\"id\":\"U\",\"name\":\"a\"},\"to\":\"x\""
	    PARTS, ts[_i].text);
	good(&m, text);
	ck_assert_int_eq(m.ts_ms, ts[_i].ms);
	message_free(&m);
}
END_TEST

/* A head with one field replaced. */
#define ID(v)	"{\"id\":" v ",\"ts\":5,\"space\":\"s\",\"from\":"	\
		"{\"id\":\"UA\",\"name\":\"a\"},\"channel\":\"c\"" PARTS
#define TS(v)	"{\"id\":\"m\",\"ts\":" v ",\"space\":\"s\",\"from\":"	\
		"{\"id\":\"UA\",\"name\":\"a\"},\"channel\":\"c\"" PARTS
#define FROM(v)	"{\"id\":\"m\",\"ts\":5,\"space\":\"s\",\"from\":" v	\
		",\"channel\":\"c\"" PARTS
#define PART(v)	CHAT ",\"parts\":[" v "]}"
#define BAD_ID	"id: expected 1 to 256 bytes without control characters"
#define ONE	"expected exactly one of channel, to, toService"
#define KIND	"expected text, data or a reverse-DNS name"

static const struct { const char *text, *error; } refused[] = {
	{ "", "not JSON: empty" },
	{ "{", "not JSON: expected a string at byte 1" },
	{ "[]", "expected an object" },
	{ "\"x\"", "expected an object" },
	{ "{}", "id: missing" },
	{ ID("null"), "id: missing" },
	{ ID("5"), "id: expected a string" },
	{ ID("\"\""), BAD_ID },
	{ ID("\"a\\nb\""), BAD_ID },
	{ ID("\"a\\u007f\""), BAD_ID },
	{ ID("\"a\\u0000\""), "not JSON: \\u0000 at byte 8" },
	{ ID("\"a\",\"id\":\"b\""), "id: given twice" },
	{ ID("\"a\",\"\\u0069d\":\"b\""), "id: given twice" },
	{ ID("\"a\",\"zz\":1,\"zz\":2"), "zz: given twice" },
	{ TS("null"), "ts: missing" },
	{ TS("\"5\""), "ts: expected a number" },
	{ TS("1e17"), "ts: out of range" },
	{ TS("-1e999"), "ts: out of range" },
	{ "{\"id\":\"m\",\"ts\":1,\"from\":{\"id\":\"U\",\"name\":\"a\"},"
	    "\"to\":\"x\"" PARTS, "space: missing" },
	{ FROM("null"), "from: missing" },
	{ FROM("\"UA\""), "from: expected an object" },
	{ FROM("[1,2]"), "from: expected an object" },
	{ FROM("{}"), "from.id: missing" },
	{ FROM("{\"id\":1}"), "from.id: expected a string" },
	{ FROM("{\"id\":\"U\"}"), "from.name: missing" },
	{ FROM("{\"id\":\"U\",\"name\":[]}"),
	    "from.name: expected a string" },
	{ FROM("{\"id\":\"U\",\"name\":\"a\",\"role\":1}"),
	    "from.role: expected a string" },
	{ FROM("{\"id\":\"U\",\"name\":\"a\",\"id\":\"V\"}"),
	    "from.id: given twice" },
	{ FROM("{\"id\":\"U\",\"name\":\"a\",\"q\":1,\"q\":1}"),
	    "from.q: given twice" },
	{ "{" HEAD PARTS, ONE },
	{ CHAT ",\"to\":\"UB\"" PARTS, ONE },
	{ CHAT ",\"toService\":null" PARTS, ONE },
	{ "{" HEAD ",\"channel\":null" PARTS, ONE },
	{ "{" HEAD ",\"to\":\"UB\",\"toService\":\"r\"" PARTS, ONE },
	{ "{" HEAD ",\"channel\":5" PARTS, "channel: expected a string" },
	{ "{" HEAD ",\"to\":{}" PARTS, "to: expected a string" },
	{ "{" HEAD ",\"toService\":[]" PARTS,
	    "toService: expected a string" },
	{ CHAT ",\"mentions\":\"bob\"" PARTS,
	    "mentions: expected an array of strings" },
	{ CHAT ",\"mentions\":[\"a\",1]" PARTS,
	    "mentions[1]: expected a string" },
	{ CHAT ",\"replyTo\":1" PARTS, "replyTo: expected a string" },
	{ CHAT ",\"contextId\":{}" PARTS, "contextId: expected a string" },
	{ CHAT "}", "parts: missing" },
	{ CHAT ",\"parts\":{}}", "parts: expected an array" },
	{ PART("5"), "parts[0]: expected an object" },
	{ PART("{}"), "parts[0].kind: missing" },
	{ PART("{\"kind\":1}"), "parts[0].kind: expected a string" },
	{ PART("{\"kind\":\"text\"}"), "parts[0].text: missing" },
	{ PART("{\"kind\":\"text\",\"text\":1}"),
	    "parts[0].text: expected a string" },
	{ PART("{\"kind\":\"text\",\"text\":\"a\",\"text\":\"b\"}"),
	    "parts[0].text: given twice" },
	{ PART("{\"kind\":\"text\",\"text\":\"a\"},{\"kind\":\"data\"}"),
	    "parts[1].data: missing" },
	{ PART("{\"kind\":\"data\",\"data\":1,\"data\":2}"),
	    "parts[0].data: given twice" },
	{ PART("{\"kind\":\"text\",\"kind\":\"data\",\"data\":1}"),
	    "parts[0].kind: given twice" },
	{ PART("{\"kind\":\"\"}"), "parts[0].kind: " KIND },
	{ PART("{\"kind\":\"Text\",\"text\":\"a\"}"),
	    "parts[0].kind: " KIND },
	{ PART("{\"kind\":\"image\"}"), "parts[0].kind: " KIND },
	{ PART("{\"kind\":\".a\"}"), "parts[0].kind: " KIND },
	{ PART("{\"kind\":\"a.\"}"), "parts[0].kind: " KIND },
	{ PART("{\"kind\":\"a..b\"}"), "parts[0].kind: " KIND },
	{ PART("{\"kind\":\"a_b.c\"}"), "parts[0].kind: " KIND },
	{ PART("{\"kind\":\"a.b\\n\"}"), "parts[0].kind: " KIND },
	{ CHAT PARTS "x", "not JSON: bytes after the value at byte 95" },
	{ CHAT ",\"x\":\"\xff\"" PARTS,
	    "not JSON: bytes that are not UTF-8 at byte 89" },
};

START_TEST(refusals)
{
	struct message	m;
	struct error	e = { .code = 0 };

	ck_assert_msg(parse(&m, refused[_i].text, &e) == -1, "%s",
	    refused[_i].text);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_str_eq(e.text, refused[_i].error);
	message_free(&m);
}
END_TEST

START_TEST(nul_byte)
{
	static const char	text[] = CHAT PARTS "\0";
	struct message		m;
	struct error		e;

	ck_assert_int_eq(message_parse(&m, text, sizeof(text) - 1, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "a NUL byte"));
	message_free(&m);
}
END_TEST

/* What is accepted must still be read inside an entry and a dead letter. */
START_TEST(depth)
{
	struct message	m;
	struct error	e;
	char		text[1024], *p;
	int		i, n;

	for (n = MESSAGE_DEPTH_MAX - 1; n <= MESSAGE_DEPTH_MAX; n++) {
		p = text + sprintf(text, CHAT ",\"x\":");
		for (i = 0; i < n; i++)
			*p++ = '[';
		for (i = 0; i < n; i++)
			*p++ = ']';
		strcpy(p, PARTS);
		ck_assert_int_eq(parse(&m, text, &e),
		    n < MESSAGE_DEPTH_MAX ? 0 : -1);
		message_free(&m);
	}
	ck_assert_ptr_nonnull(strstr(e.text, "nested too deep"));
}
END_TEST

START_TEST(long_id)
{
	struct message	m;
	char		text[1024];

	snprintf(text, sizeof(text), "{\"id\":\"%0256d\",\"ts\":1,\"space\":"
	    "\"s\",\"from\":{\"id\":\"U\",\"name\":\"a\"},\"to\":\"x\""
	    PARTS, 1);
	good(&m, text);
	message_free(&m);
	snprintf(text, sizeof(text), "{\"id\":\"%0257d\",\"ts\":1,\"space\":"
	    "\"s\",\"from\":{\"id\":\"U\",\"name\":\"a\"},\"to\":\"x\""
	    PARTS, 1);
	ck_assert_int_eq(parse(&m, text, NULL), -1);
	message_free(&m);
}
END_TEST

/* Every message in the recorded traffic is good, and is what its subject
 * says. */
START_TEST(traffic)
{
	cJSON		*all = vectors_load("traffic.json"), *v;
	struct message	 m;
	struct subject	 s;
	struct error	 e;
	char		*body;
	int		 n = 0;

	cJSON_ArrayForEach(v, all) {
		if (!subject_parse(&s, vectors_str(v, "subject")) ||
		    s.kind == SUBJECT_CTL)
			continue;
		body = cJSON_Print(vectors_get(v, "body"));
		good(&m, body);
		ck_assert_msg(message_check(&m, &s, &e) == 0, "%s", e.text);
		ck_assert_str_eq(m.id, vectors_str(v, "msg_id"));
		free(body);
		message_free(&m);
		n++;
	}
	ck_assert_int_eq(n, 4);
	cJSON_Delete(all);
}
END_TEST

static const struct { const char *address, *subject, *error; } checks[] = {
	{ "\"channel\":\"a.b\"", "cotal.s.chat.UA.a.b", NULL },
	{ "\"to\":\"UB\"", "cotal.s.inst.UB.UA", NULL },
	{ "\"toService\":\"my role\"", "cotal.s.svc.my_role.UA", NULL },
	{ "\"channel\":\"a\"", "cotal.s.chat.UX.a",
	    "from.id: is not the sender of its subject" },
	{ "\"channel\":\"a\"", "cotal.s.chat.U.a",
	    "from.id: is not the sender of its subject" },
	{ "\"channel\":\"a\"", "cotal.s.chat.UAA.a",
	    "from.id: is not the sender of its subject" },
	{ "\"channel\":\"a\"", "cotal.s.chat.UA.a.b",
	    "channel: is not that of its subject" },
	{ "\"to\":\"a\"", "cotal.s.chat.UA.a",
	    "channel: is not that of its subject" },
	{ "\"to\":\"UC\"", "cotal.s.inst.UB.UA",
	    "to: is not the target of its subject" },
	{ "\"channel\":\"UB\"", "cotal.s.inst.UB.UA",
	    "to: is not the target of its subject" },
	{ "\"toService\":\"x\"", "cotal.s.svc.y.UA",
	    "toService: is not the role of its subject" },
	{ "\"to\":\"y\"", "cotal.s.svc.y.UA",
	    "toService: is not the role of its subject" },
	{ "\"to\":\"y\"", "cotal.s.ctl.y.UA", "not a message's subject" },
	{ "\"to\":\"y\"", "cotal.s.dlv.UA", "not a message's subject" },
};

START_TEST(subjects)
{
	struct message	m;
	struct subject	s;
	struct error	e = { .text = "" };
	char		text[256];

	snprintf(text, sizeof(text), "{" HEAD ",%s" PARTS,
	    checks[_i].address);
	good(&m, text);
	(void)subject_parse(&s, checks[_i].subject);
	ck_assert_int_eq(message_check(&m, &s, &e),
	    checks[_i].error == NULL ? 0 : -1);
	ck_assert_str_eq(e.text, checks[_i].error == NULL ? "" :
	    checks[_i].error);
	message_free(&m);
}
END_TEST

/* --- writing ------------------------------------------------------------- */

START_TEST(writes)
{
	char			*mentions[] = { (char []){ "bob" } };
	struct message_draft	 d = { .id = "m1", .ts_ms = 1795223534761,
				    .space = "s", .from_id = "UA",
				    .from_name = "al\"ice",
				    .channel = "general", .text = "hi\n" };
	struct message		 m;
	cJSON			*data;
	char			*text;

	text = message_write(&d);
	ck_assert_str_eq(text, "{\"id\":\"m1\",\"ts\":1795223534761,"
	    "\"space\":\"s\",\"from\":{\"id\":\"UA\",\"name\":\"al\\\"ice\"},"
	    "\"channel\":\"general\",\"parts\":[{\"kind\":\"text\","
	    "\"text\":\"hi\\n\"}]}");
	good(&m, text);
	message_free(&m);
	free(text);

	data = cJSON_CreateObject();
	d.channel = NULL;
	d.to_service = "rev";
	d.from_role = "r";
	d.mentions = mentions;
	d.n_mentions = 1;
	d.text = NULL;
	d.data = data;
	d.reply_to = "m0";
	d.context_id = "c";
	text = message_write(&d);
	ck_assert_str_eq(text, "{\"id\":\"m1\",\"ts\":1795223534761,"
	    "\"space\":\"s\",\"from\":{\"id\":\"UA\",\"name\":\"al\\\"ice\","
	    "\"role\":\"r\"},\"toService\":\"rev\",\"mentions\":[\"bob\"],"
	    "\"parts\":[{\"kind\":\"data\",\"data\":{}}],"
	    "\"replyTo\":\"m0\",\"contextId\":\"c\"}");
	good(&m, text);
	message_free(&m);
	free(text);
	cJSON_Delete(data);
}
END_TEST

/* Bytes that are not UTF-8 would make it unreadable to everybody. */
START_TEST(writes_what_is_read)
{
	struct message_draft	 d = { .id = "m1", .space = "s",
				    .from_id = "UA", .from_name = "a\xff",
				    .to = "UB", .text = "\xc3(" };
	struct message		 m;
	char			*text = message_write(&d);

	good(&m, text);
	ck_assert_str_eq(m.from_name, "a\xef\xbf\xbd");
	free(text);
	text = message_text(&m);
	ck_assert_str_eq(text, "\xef\xbf\xbd(");
	free(text);
	message_free(&m);
}
END_TEST

START_TEST(new_ids)
{
	char	a[37], b[37];
	int	i;

	message_new_id(a);
	message_new_id(b);
	ck_assert_str_ne(a, b);
	ck_assert_uint_eq(strlen(a), 36);
	for (i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23)
			ck_assert_int_eq(a[i], '-');
		else
			ck_assert_ptr_nonnull(strchr("0123456789abcdef",
			    a[i]));
	ck_assert_int_eq(a[14], '4');
	ck_assert_ptr_nonnull(strchr("89ab", a[19]));
	ck_assert(message_id_is_valid(a));
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("message");
	TCase	*t = tcase_create("read");

	tcase_add_test(t, all_fields);
	tcase_add_test(t, least_fields);
	tcase_add_loop_test(t, timestamps, 0, 6);
	tcase_add_loop_test(t, refusals, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(t, nul_byte);
	tcase_add_test(t, depth);
	tcase_add_test(t, long_id);
	suite_add_tcase(s, t);
	t = tcase_create("subject");
	tcase_add_test(t, traffic);
	tcase_add_loop_test(t, subjects, 0,
	    sizeof(checks) / sizeof(checks[0]));
	suite_add_tcase(s, t);
	t = tcase_create("write");
	tcase_add_test(t, writes);
	tcase_add_test(t, writes_what_is_read);
	tcase_add_test(t, new_ids);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return vectors_run(suite());
}
