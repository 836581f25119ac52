/* SPDX-License-Identifier: ISC */
#include "message.h"
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

/* --- entries ------------------------------------------------------------- */

#define REST	",\"channel\":\"a\",\"seq\":7,\"reason\":\"durable-channel\"," \
		"\"generation\":2}"

START_TEST(entry_traffic)
{
	cJSON		*all = vectors_load("traffic.json"), *v, *body;
	struct entry	 en;
	struct error	 e;
	char		*text, *msg, *head;
	size_t		 head_len;
	int		 n = 0;

	cJSON_ArrayForEach(v, all) {
		if (strstr(vectors_str(v, "subject"), ".dinbox.") == NULL)
			continue;
		body = vectors_get(v, "body");
		text = cJSON_PrintUnformatted(body);
		msg = cJSON_PrintUnformatted(vectors_get(body, "msg"));
		ck_assert_msg(entry_read(&en, text, strlen(text), &e) == 0,
		    "%s", e.text);
		ck_assert_str_eq(en.channel, "review");
		ck_assert_uint_eq(en.seq, 2);
		ck_assert_int_eq(en.reason, ENTRY_DURABLE_CHANNEL);
		ck_assert_uint_eq(en.generation, 1);
		ck_assert_uint_eq(en.msg_len, strlen(msg));
		ck_assert_int_eq(memcmp(en.msg, msg, en.msg_len), 0);
		ck_assert_str_eq(en.msg_id, vectors_str(vectors_get(body,
		    "msg"), "id"));
		/* Laid out again, it is what was recorded. */
		head = entry_head(en.msg, en.msg_len, en.channel, en.seq,
		    en.reason, &head_len);
		ck_assert_uint_eq(head_len, strlen(head));
		ck_assert_int_eq(strncmp(text, head, head_len), 0);
		ck_assert_str_eq(text + head_len, "1}");
		free(head);
		free(msg);
		free(text);
		entry_free(&en);
		n++;
	}
	ck_assert_int_eq(n, 1);
	cJSON_Delete(all);
}
END_TEST

/* The publisher's bytes, to the byte: order, blanks, escapes, unknowns. */
START_TEST(entry_bytes)
{
	static const char	msg[] = "{ \"z\" : 1.50 ,\"id\":\"m\\u0031\","
	    "\"msg\":{\"id\":2},\"t\":\"\\ud83d \\/\",\"id2\":[ ] }";
	struct entry		en;
	char			text[512];

	snprintf(text, sizeof(text), " { \"x\":{\"msg\":{\"id\":\"no\"}},"
	    "\"m\\u0073g\" : %s\n" REST " ", msg);
	ck_assert_int_eq(entry_read(&en, text, strlen(text), NULL), 0);
	ck_assert_uint_eq(en.msg_len, sizeof(msg) - 1);
	ck_assert_int_eq(memcmp(en.msg, msg, en.msg_len), 0);
	ck_assert_str_eq(en.msg_id, "m1");
	ck_assert(en.msg > text && en.msg < text + sizeof(text));
	entry_free(&en);
	entry_free(&en);
}
END_TEST

START_TEST(entry_layout)
{
	struct entry	 en;
	char		*head, text[256];
	size_t		 n;

	head = entry_head(TEXT("{\"id\":\"m\"}"), "q\"x\n", 1ULL << 53,
	    ENTRY_LIVE_MENTION, &n);
	ck_assert_str_eq(head, "{\"msg\":{\"id\":\"m\"},"
	    "\"channel\":\"q\\\"x\\n\",\"seq\":9007199254740992,"
	    "\"reason\":\"live-mention\",\"generation\":");
	ck_assert_uint_eq(n, strlen(head));
	snprintf(text, sizeof(text), "%s0}", head);
	free(head);
	ck_assert_int_eq(entry_read(&en, text, strlen(text), NULL), 0);
	ck_assert_str_eq(en.channel, "q\"x\n");
	ck_assert_uint_eq(en.seq, 1ULL << 53);
	ck_assert_int_eq(en.reason, ENTRY_LIVE_MENTION);
	ck_assert_uint_eq(en.generation, 0);
	entry_free(&en);
}
END_TEST

/* The deepest message that is accepted is read as an entry, and as what a
 * dead letter holds. */
START_TEST(entry_depth)
{
	char			 msg[1024], text[2048], *p, *letter, *head;
	struct message		 m;
	struct entry		 en;
	struct dead_letter	 d = { .reason = "r", .subject = "s" };
	size_t			 n;
	cJSON			*o;
	int			 i;

	p = msg + sprintf(msg, "{\"id\":\"m\",\"ts\":1,\"space\":\"s\","
	    "\"from\":{\"id\":\"U\",\"name\":\"a\"},\"channel\":\"c\","
	    "\"parts\":[],\"x\":");
	for (i = 1; i < MESSAGE_DEPTH_MAX; i++)
		*p++ = '[';
	for (i = 1; i < MESSAGE_DEPTH_MAX; i++)
		*p++ = ']';
	strcpy(p, "}");
	ck_assert_int_eq(message_parse(&m, msg, strlen(msg), NULL), 0);
	message_free(&m);
	head = entry_head(msg, strlen(msg), "c", 1, ENTRY_DURABLE_CHANNEL,
	    &n);
	snprintf(text, sizeof(text), "%s1}", head);
	free(head);
	ck_assert_int_eq(entry_read(&en, text, strlen(text), NULL), 0);
	entry_free(&en);
	d.entry = text;
	d.entry_len = strlen(text);
	letter = dead_letter_write(&d);
	o = json_parse(letter, strlen(letter), NULL);
	ck_assert(cJSON_IsObject(json_get(o, "entry")));
	cJSON_Delete(o);
	free(letter);
}
END_TEST

static const struct misfit bad_entries[] = {
	{ "", "not JSON: empty" },
	{ "[]", "expected an object" },
	{ "{\"channel\":\"a\"}", "msg: missing" },
	{ "{\"Msg\":{\"id\":\"m\"}" REST, "msg: missing" },
	{ "{\"msg\":null" REST, "msg: missing" },
	{ "{\"msg\":\"m\"" REST, "msg: expected an object" },
	{ "{\"msg\":[{\"id\":\"m\"}]" REST, "msg: expected an object" },
	{ "{\"msg\":{}" REST, "msg.id: missing" },
	{ "{\"msg\":{\"id\":1}" REST, "msg.id: expected a string" },
	{ "{\"msg\":{\"id\":\"a\",\"id\":\"b\"}" REST,
	    "msg.id: given twice" },
	{ "{\"msg\":{\"id\":\"\"}" REST, "msg.id: expected 1 to 256 bytes "
	    "without control characters" },
	{ "{\"msg\":{\"id\":\"a\\r\\nb\"}" REST, "msg.id: expected 1 to 256 "
	    "bytes without control characters" },
	{ "{\"msg\":{\"id\":\"a\"},\"msg\":{\"id\":\"b\"}" REST,
	    "msg: given twice" },
	{ "{\"msg\":{\"id\":\"a\"},\"\\u006dsg\":{\"id\":\"b\"}" REST,
	    "msg: given twice" },
	{ "{\"msg\":{\"id\":\"m\"},\"seq\":7" REST, "seq: given twice" },
	{ "{\"msg\":{\"id\":\"m\"},\"channel\":5}",
	    "channel: expected a string" },
	{ "{\"msg\":{\"id\":\"m\"},\"channel\":\"a\"}", "seq: missing" },
	{ "{\"msg\":{\"id\":\"m\"},\"channel\":\"a\",\"seq\":0.5}",
	    "seq: " WHOLE },
	{ "{\"msg\":{\"id\":\"m\"},\"channel\":\"a\",\"seq\":1,"
	    "\"reason\":\"x\"}",
	    "reason: expected one of durable-channel, live-mention" },
	{ "{\"msg\":{\"id\":\"m\"},\"channel\":\"a\",\"seq\":1,"
	    "\"reason\":\"live-mention\"}", "generation: missing" },
	{ "{\"msg\":{\"id\":\"m\",\"t\":\"\\u0000\"}" REST,
	    "not JSON: \\u0000 at byte 22" },
	{ "{\"msg\":{\"id\":\"m\",\"parts\":[01]}" REST,
	    "not JSON: expected , or ] at byte 27" },
	{ "{\"msg\":{\"id\":\"a long one, given first\",\"id\":1}" REST,
	    "msg.id: given twice" },
};

START_TEST(entry_refuses)
{
	const char	*text = bad_entries[_i].text;
	struct entry	 en;
	struct error	 e;

	ck_assert_int_eq(entry_read(&en, text, strlen(text), &e), -1);
	ck_assert_str_eq(e.text, bad_entries[_i].error);
	entry_free(&en);
}
END_TEST

/* The layout that is read from its end is read as any other: a space in
 * front of it makes it another. */
START_TEST(entry_read_two_ways)
{
	static const char	good[] = " {\"msg\":{\"id\":\"m\\\\1\",\"p\":[{"
	    "\"id\":\"x\",\"t\":\"}\"}]},\"channel\":\"c.d\",\"seq\":120,"
	    "\"reason\":\"live-mention\",\"generation\":3}";
	static const char	plain[] = " {\"msg\":{\"ts\":1,\"id\":\"m1\"},"
	    "\"channel\":\"c\",\"seq\":9007199254740992,\"reason\":"
	    "\"durable-channel\",\"generation\":100000000000000}";
	const char		*base = _i == 0 ? good : plain;
	size_t			 i, len = strlen(base), taken = 0;
	char			 text[sizeof(good) + sizeof(plain)];
	struct entry		 a, b;
	int			 c, r;

	for (i = 1; i < len; i++)
		for (c = 0; c < 256; c++) {
			memcpy(text, base, len + 1);
			text[i] = (char)c;
			r = entry_read(&a, text + 1, len - 1, NULL);
			ck_assert_int_eq(entry_read(&b, text, len, NULL), r);
			if (r == 0) {
				taken++;
				ck_assert_str_eq(a.channel, b.channel);
				ck_assert_str_eq(a.msg_id, b.msg_id);
				ck_assert_uint_eq(a.seq, b.seq);
				ck_assert_uint_eq(a.generation, b.generation);
				ck_assert_int_eq(a.reason, b.reason);
				ck_assert_ptr_eq(a.msg, b.msg);
				ck_assert_uint_eq(a.msg_len, b.msg_len);
			}
			entry_free(&a);
			entry_free(&b);
		}
	ck_assert_uint_gt(taken, len);
}
END_TEST

/* --- dead letters -------------------------------------------------------- */

static const struct { const char *entry; size_t len; const char *written; }
    letters[] = {
	{ TEXT("{\"a\": 1.50,\"b\":\"\\u0041\"}"),
	    "\"entry\":{\"a\": 1.50,\"b\":\"\\u0041\"}" },
	{ TEXT("[1]"), "\"entry\":[1]" },
	/* A JSON string must not be taken for the text in it. */
	{ TEXT("\"x\""), "\"entry\":\"\\\"x\\\"\"" },
	{ TEXT("12"), "\"entry\":\"12\"" },
	{ TEXT("hello\n"), "\"entry\":\"hello\\n\"" },
	{ TEXT(""), "\"entry\":\"\"" },
	{ TEXT("{\"a\":\"\\u0000\"}"),
	    "\"entry\":\"{\\\"a\\\":\\\"\\\\u0000\\\"}\"" },
	{ TEXT("{\"a\":1} x"), "\"entry\":\"{\\\"a\\\":1} x\"" },
	{ TEXT("a\0b"), "\"entry64\":\"YQBi\"" },
	{ TEXT("\xff\xfe"), "\"entry64\":\"//4=\"" },
	{ TEXT("{\"a\":\"\xff\"}"), "\"entry64\":\"eyJhIjoi/yJ9\"" },
	{ NULL, 0, NULL },
};

START_TEST(letter)
{
	struct dead_letter	 d = { .reason = "no \"member\"\xff",
				    .subject = "cotal.s.dinbox.UA",
				    .owner = _i % 2 == 0 ? "UA" : NULL,
				    .deliveries = 10,
				    .ts_ms = 1795223534189,
				    .entry = letters[_i].entry,
				    .entry_len = letters[_i].len };
	char			*text = dead_letter_write(&d), want[512];
	cJSON			*o;

	snprintf(want, sizeof(want), "{\"reason\":\"no \\\"member\\\""
	    "\xef\xbf\xbd\",\"subject\":\"cotal.s.dinbox.UA\",%s"
	    "\"deliveries\":10,\"ts\":1795223534189%s%s}",
	    _i % 2 == 0 ? "\"owner\":\"UA\"," : "",
	    d.entry != NULL ? "," : "",
	    d.entry != NULL ? letters[_i].written : "");
	ck_assert_str_eq(text, want);
	o = json_parse(text, strlen(text), NULL);
	ck_assert_ptr_nonnull(o);
	cJSON_Delete(o);
	free(text);
}
END_TEST

/* One too deep to stand inside another is kept as text. */
START_TEST(letter_depth)
{
	char			 entry[2 * JSON_DEPTH_MAX], *text;
	struct dead_letter	 d = { .reason = "r", .subject = "s",
				    .entry = entry,
				    .entry_len = sizeof(entry) };
	cJSON			*o;

	memset(entry, '[', JSON_DEPTH_MAX);
	memset(entry + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	text = dead_letter_write(&d);
	o = json_parse(text, strlen(text), NULL);
	ck_assert(cJSON_IsString(json_get(o, "entry")));
	cJSON_Delete(o);
	free(text);
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("entries");
	TCase	*t = tcase_create("entries");

	tcase_add_test(t, entry_traffic);
	tcase_add_test(t, entry_bytes);
	tcase_add_test(t, entry_layout);
	tcase_add_test(t, entry_depth);
	tcase_add_loop_test(t, entry_read_two_ways, 0, 2);
	tcase_add_loop_test(t, entry_refuses, 0, N(bad_entries));
	suite_add_tcase(s, t);
	t = tcase_create("dead letters");
	tcase_add_loop_test(t, letter, 0, N(letters));
	tcase_add_test(t, letter_depth);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return vectors_run(suite());
}
