/* SPDX-License-Identifier: ISC */
#include "json.h"
#include "utf8.h"
#include "vectors.h"

/* --- parsing ------------------------------------------------------------- */

/* Text with its length, NUL bytes and all. */
#define TEXT(s)	s, sizeof(s) - 1

static void
refuses(const char *data, size_t len, const char *why)
{
	struct error	 e = { .code = 0 };
	cJSON		*o;
	char		*exact = malloc(len > 0 ? len : 1);

	/* Of this very size, so that ASan sees a byte read beyond. */
	memcpy(exact, data, len);
	o = json_parse(exact, len, &e);
	ck_assert_msg(o == NULL, "accepted %s", data);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_str_eq(e.text, why);
	ck_assert_ptr_null(json_parse(exact, len, NULL));
	free(exact);
}

static char *
reprint(const char *data, size_t len)
{
	struct error	 e;
	cJSON		*o;
	char		*text, *exact = malloc(len);

	memcpy(exact, data, len);
	o = json_parse(exact, len, &e);
	ck_assert_msg(o != NULL, "%s: %s", data, e.text);
	free(exact);
	text = json_print(o);
	cJSON_Delete(o);
	return text;
}

static void
accepts(const char *data, size_t len, const char *printed)
{
	char	*text = reprint(data, len);

	ck_assert_str_eq(text, printed);
	free(text);
}

START_TEST(good_texts)
{
	accepts(TEXT("{}"), "{}");
	accepts(TEXT(" \t\r\n[ ] \n"), "[]");
	accepts(TEXT("null"), "null");
	accepts(TEXT("true"), "true");
	accepts(TEXT("\"\""), "\"\"");
	accepts(TEXT("-0"), "-0");
	accepts(TEXT("12"), "12");
	accepts(TEXT("1.5E+2"), "150");
	accepts(TEXT("{\"a\":[1,{\"b\":false}],\"c\":\"\\\"\\\\\\/\\b\\f\\n"
	    "\\r\\t\\u0041\"}"), "{\"a\":[1,{\"b\":false}],\"c\":\"\\\"\\\\/"
	    "\\b\\f\\n\\r\\tA\"}");
	accepts(TEXT("\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\x7f\""),
	    "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"");
	accepts(TEXT("\"\\ud83d\\uDE00\""), "\"\xf0\x9f\x98\x80\"");
}
END_TEST

START_TEST(numbers_are_exact)
{
	accepts(TEXT("[9007199254740993,9007199254740991,1795223534189]"),
	    "[9007199254740992,9007199254740991,1795223534189]");
	accepts(TEXT("{\"a\":0.30000000000000004,\"b\":[1e15,-1e15,0.1]}"),
	    "{\"a\":0.30000000000000004,"
	    "\"b\":[1000000000000000,-1000000000000000,0.1]}");
	accepts(TEXT("[1e300,1e999,5e-324]"),
	    "[1e+300,null,4.94065645841247e-324]");
}
END_TEST

START_TEST(lone_surrogates)
{
	accepts(TEXT("\"\\ud83d\""), "\"\xef\xbf\xbd\"");
	accepts(TEXT("\"\\ude00\""), "\"\xef\xbf\xbd\"");
	accepts(TEXT("\"a\\ud83dx\\ud83d\\n\\uDE00b\""),
	    "\"a\xef\xbf\xbdx\xef\xbf\xbd\\n\xef\xbf\xbd" "b\"");
	accepts(TEXT("\"\\ud83d\\ud83d\\ude00\""),
	    "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"");
	accepts(TEXT("\"\\ude00\\ud83d\""), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	accepts(TEXT("\"\\ud83d\\u0041\""), "\"\xef\xbf\xbd" "A\"");
	/* An escaped backslash begins no escape. */
	accepts(TEXT("\"\\\\ud83d\""), "\"\\\\ud83d\"");
	accepts(TEXT("{\"\\ud83d\":1}"), "{\"\xef\xbf\xbd\":1}");
}
END_TEST

START_TEST(nul_and_utf8)
{
	refuses(TEXT("{\"a\":1}\0"), "not JSON: a NUL byte at byte 7");
	refuses(TEXT("{\"a\":1}\0{\"a\":2}"),
	    "not JSON: a NUL byte at byte 7");
	refuses(TEXT("\"a\0b\""), "not JSON: a NUL byte at byte 2");
	refuses(TEXT("\0"), "not JSON: a NUL byte at byte 0");
	refuses(TEXT("\"\\\0\""), "not JSON: a bad escape at byte 1");
	refuses(TEXT("\"a\\u0000\""), "not JSON: \\u0000 at byte 2");
	refuses(TEXT("{\"\\u0000\":1}"), "not JSON: \\u0000 at byte 2");
	refuses(TEXT("\"\xff\""),
	    "not JSON: bytes that are not UTF-8 at byte 1");
	refuses(TEXT("\"\xc0\x80\""),
	    "not JSON: bytes that are not UTF-8 at byte 1");
	refuses(TEXT("\"\xe0\x80\xaf\""),
	    "not JSON: bytes that are not UTF-8 at byte 1");
	refuses(TEXT("\"\xed\xa0\x80\""),
	    "not JSON: bytes that are not UTF-8 at byte 1");
	refuses(TEXT("\"\xf4\x90\x80\x80\""),
	    "not JSON: bytes that are not UTF-8 at byte 1");
	refuses(TEXT("\"\xc3\""),
	    "not JSON: bytes that are not UTF-8 at byte 1");
	refuses(TEXT("\"\xf0\x9f\x98"),
	    "not JSON: bytes that are not UTF-8 at byte 1");
	refuses(TEXT("\xef\xbb\xbf{}"),
	    "not JSON: expected a value at byte 0");
}
END_TEST

START_TEST(bad_texts)
{
	refuses(TEXT(""), "not JSON: empty");
	refuses(TEXT(" "),
	    "not JSON: the end where a value belongs at byte 1");
	refuses(TEXT("{} {}"), "not JSON: bytes after the value at byte 3");
	refuses(TEXT("1 x"), "not JSON: bytes after the value at byte 2");
	refuses(TEXT("{\"a\":1"), "not JSON: expected , or } at byte 6");
	refuses(TEXT("[1 2]"), "not JSON: expected , or ] at byte 3");
	refuses(TEXT("[1,]"), "not JSON: expected a value at byte 3");
	refuses(TEXT("{\"a\":1,}"), "not JSON: expected a string at byte 7");
	refuses(TEXT("{a:1}"), "not JSON: expected a string at byte 1");
	refuses(TEXT("{\"a\" 1}"), "not JSON: expected a colon at byte 5");
	refuses(TEXT("{\"a\""), "not JSON: expected a colon at byte 4");
	refuses(TEXT("[}"), "not JSON: expected a value at byte 1");
	refuses(TEXT("\"a"), "not JSON: the end inside a string at byte 2");
	refuses(TEXT("\"a\\"), "not JSON: a bad escape at byte 2");
	refuses(TEXT("\"\\x41\""), "not JSON: a bad escape at byte 1");
	refuses(TEXT("\"\\u12"), "not JSON: a bad escape at byte 1");
	refuses(TEXT("\"\\u12g4\""), "not JSON: a bad escape at byte 1");
	refuses(TEXT("\"a\tb\""),
	    "not JSON: a control character in a string at byte 2");
	refuses(TEXT("tru"), "not JSON: an unknown word at byte 0");
	refuses(TEXT("nulL"), "not JSON: an unknown word at byte 0");
	refuses(TEXT("truex"), "not JSON: bytes after the value at byte 4");
	refuses(TEXT("NaN"), "not JSON: expected a value at byte 0");
	refuses(TEXT("/**/1"), "not JSON: expected a value at byte 0");
	refuses(TEXT("\v1"), "not JSON: expected a value at byte 0");
	refuses(TEXT("01"), "not JSON: bytes after the value at byte 1");
	refuses(TEXT("-"), "not JSON: a bad number at byte 1");
	refuses(TEXT("+1"), "not JSON: expected a value at byte 0");
	refuses(TEXT(".5"), "not JSON: expected a value at byte 0");
	refuses(TEXT("1."), "not JSON: a bad number at byte 2");
	refuses(TEXT("1e"), "not JSON: a bad number at byte 2");
	refuses(TEXT("1e+"), "not JSON: a bad number at byte 3");
	refuses(TEXT("0x10"), "not JSON: bytes after the value at byte 1");
	refuses(TEXT("1-2"), "not JSON: bytes after the value at byte 1");
	refuses(TEXT("0.0000000000000000000000000000000000000000000000000000"
	    "0000000000000"), "not JSON: a number of over 63 characters at "
	    "byte 67");
	accepts(TEXT("0.000000000000000000000000000000000000000000000000000"
	    "0000000000"), "0");
}
END_TEST

START_TEST(depth)
{
	char		 text[2 * JSON_DEPTH_MAX + 2];
	const size_t	 n = JSON_DEPTH_MAX;
	char		*big;
	cJSON		*o;

	memset(text, '[', n + 1);
	memset(text + n + 1, ']', n + 1);
	refuses(text, 2 * n + 2, "not JSON: nested too deep at byte 64");
	memset(text + n, ']', n);
	o = json_parse(text, 2 * n, NULL);
	ck_assert_ptr_nonnull(o);
	cJSON_Delete(o);
	ck_assert_ptr_null(json_parse_depth(text, 2 * n, n - 1, NULL));
	ck_assert_ptr_null(json_parse_depth("[]", 2, 0, NULL));

	/* Millions of brackets do not reach the stack's end. */
	big = malloc(4000000);
	memset(big, '[', 4000000);
	refuses(big, 4000000, "not JSON: nested too deep at byte 64");
	memset(big, '"', 4000000);
	refuses(big, 4000000, "not JSON: bytes after the value at byte 2");
	free(big);
}
END_TEST

/* No byte of a text can be cut or changed into a crash. */
START_TEST(hostile_bytes)
{
	static const char	good[] = "{\"a\\u00e9\":[1.5e3,\"\\ud83d\\ude00"
	    "\\ud83d\xc3\xa9\",null,true,{}],\"msg\":{\"id\":\"x\"}}";
	const size_t		len = sizeof(good) - 1;
	struct json_found	f;
	char			*text;
	size_t			i;
	int			c;
	cJSON			*o;

	for (i = 0; i <= len; i++) {
		text = malloc(i > 0 ? i : 1);
		memcpy(text, good, i);
		o = json_parse(text, i, NULL);
		ck_assert((o != NULL) == (i == len));
		cJSON_Delete(o);
		free(text);
	}
	text = malloc(len);
	for (i = 0; i < len; i++)
		for (c = 0; c < 256; c++) {
			memcpy(text, good, len);
			text[i] = (char)c;
			o = json_parse(text, len, NULL);
			ck_assert((json_find(&f, text, len, JSON_DEPTH_MAX,
			    "msg", NULL) == 0) == (o != NULL));
			if (o != NULL)
				ck_assert((json_get(o, "msg") != NULL) ==
				    (f.times > 0));
			cJSON_Delete(o);
		}
	free(text);
}
END_TEST

/* --- reading by a table -------------------------------------------------- */

struct inner {
	char		*s;
	uint64_t	 n;
};

struct all {
	char			*s;
	bool			 b, has_b;
	uint64_t		 u;
	int64_t			 i;
	struct json_strings	 list;
	struct inner		 in;
	const cJSON		*o, *a, *any;
	bool			 has_in;
};

static int
each_is_small(const cJSON *v, const char *path, struct error *e)
{
	return cJSON_IsNumber(v) && v->valuedouble < 10 ? 0 :
	    error_set(e, EX_DATAERR, "%s: too big", path);
}

static const char *const	colours[] = { "red", "green", NULL };

static const struct json_field	inner_table[] = {
	{ .name = "s", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct inner, s), .one_of = colours },
	{ .name = "n", .type = JSON_U64, .offset = offsetof(struct inner, n),
	    .max = 5 },
	JSON_END
};

static const struct json_field	table[] = {
	{ .name = "s", .type = JSON_STRING, .required = true, .max = 4,
	    .offset = offsetof(struct all, s) },
	{ .name = "b", .type = JSON_BOOL, .offset = offsetof(struct all, b),
	    .present = offsetof(struct all, has_b) },
	{ .name = "u", .type = JSON_U64, .offset = offsetof(struct all, u) },
	{ .name = "i", .type = JSON_I64, .offset = offsetof(struct all, i) },
	{ .name = "list", .type = JSON_STRINGS, .max = 3,
	    .offset = offsetof(struct all, list) },
	{ .name = "in", .type = JSON_OBJECT, .sub = inner_table,
	    .offset = offsetof(struct all, in),
	    .present = offsetof(struct all, has_in) },
	{ .name = "o", .type = JSON_OBJECT, .offset = offsetof(struct all, o) },
	{ .name = "a", .type = JSON_ARRAY, .offset = offsetof(struct all, a),
	    .each = each_is_small },
	{ .name = "any", .type = JSON_ANY,
	    .offset = offsetof(struct all, any) },
	JSON_END
};

START_TEST(reads_all)
{
	const char	 text[] = "{\"u\":9007199254740992,\"s\":\"\xc3\xa9x\","
	    "\"b\":false,\"i\":-9007199254740992,\"list\":[\"a\",\"bcd\"],"
	    "\"in\":{\"s\":\"green\",\"n\":5,\"x\":1},\"o\":{},\"a\":[9,1],"
	    "\"any\":3,\"S\":1,\"unknown\":[]}";
	cJSON		*o = json_parse(TEXT(text), NULL);
	struct all	 v;
	struct error	 e = { .code = 7 };

	memset(&v, 0, sizeof(v));
	ck_assert_int_eq(json_read(o, table, &v, "", &e), 0);
	ck_assert_int_eq(e.code, 7);
	ck_assert_str_eq(v.s, "\xc3\xa9x");
	ck_assert(v.has_b && !v.b && v.has_in);
	ck_assert_uint_eq(v.u, 1ULL << 53);
	ck_assert_int_eq(v.i, -(1LL << 53));
	ck_assert_uint_eq(v.list.n, 2);
	ck_assert_str_eq(v.list.v[1], "bcd");
	ck_assert_ptr_null(v.list.v[2]);
	ck_assert_str_eq(v.in.s, "green");
	ck_assert_uint_eq(v.in.n, 5);
	ck_assert(cJSON_IsObject(v.o) && cJSON_IsArray(v.a));
	ck_assert_double_eq(v.any->valuedouble, 3);
	json_strings_free(&v.list);
	ck_assert_ptr_null(v.list.v);
	ck_assert_int_eq(json_read_strict(o, table, &v, "", &e), -1);
	ck_assert_str_eq(e.text, "S: unknown field");
	json_strings_free(&v.list);
	cJSON_Delete(o);
}
END_TEST

START_TEST(absent_is_left_alone)
{
	cJSON		*o = json_parse(TEXT("{\"s\":\"x\",\"b\":null,"
			    "\"u\":null,\"in\":null,\"list\":[]}"), NULL);
	struct all	 v;

	memset(&v, 0, sizeof(v));
	v.b = true;
	v.u = 17;
	v.i = -3;
	ck_assert_int_eq(json_read_strict(o, table, &v, "", NULL), 0);
	ck_assert(v.b && !v.has_b && !v.has_in);
	ck_assert_uint_eq(v.u, 17);
	ck_assert_int_eq(v.i, -3);
	/* An empty list is there: it is not NULL. */
	ck_assert_ptr_nonnull(v.list.v);
	ck_assert_uint_eq(v.list.n, 0);
	json_strings_free(&v.list);
	cJSON_Delete(o);
}
END_TEST

static const struct { const char *text, *path, *error; bool strict; }
    misfits[] = {
	{ "[]", "", "expected an object", false },
	{ "3", "x.y", "x.y: expected an object", false },
	{ "{}", "", "s: missing", false },
	{ "{\"S\":\"x\"}", "", "s: missing", false },
	{ "{\"s\":null}", "top", "top.s: missing", false },
	{ "{\"s\":1}", "", "s: expected a string", false },
	{ "{\"s\":\"12345\"}", "", "s: over 4 bytes", false },
	{ "{\"s\":\"a\",\"s\":\"a\"}", "", "s: given twice", false },
	{ "{\"s\":\"a\",\"\\u0073\":\"b\"}", "", "s: given twice", false },
	{ "{\"s\":null,\"s\":\"b\"}", "", "s: given twice", false },
	{ "{\"s\":\"a\",\"b\":0}", "", "b: expected true or false", false },
	{ "{\"s\":\"a\",\"b\":\"true\"}", "", "b: expected true or false",
	    false },
	{ "{\"s\":\"a\",\"u\":-1}", "",
	    "u: expected a whole number from 0 to 9007199254740992", false },
	{ "{\"s\":\"a\",\"u\":1.5}", "",
	    "u: expected a whole number from 0 to 9007199254740992", false },
	{ "{\"s\":\"a\",\"u\":9007199254740994}", "",
	    "u: expected a whole number from 0 to 9007199254740992", false },
	{ "{\"s\":\"a\",\"u\":1e999}", "",
	    "u: expected a whole number from 0 to 9007199254740992", false },
	{ "{\"s\":\"a\",\"u\":\"1\"}", "",
	    "u: expected a whole number from 0 to 9007199254740992", false },
	{ "{\"s\":\"a\",\"i\":-1e17}", "", "i: expected a whole number from "
	    "-9007199254740992 to 9007199254740992", false },
	{ "{\"s\":\"a\",\"i\":true}", "", "i: expected a whole number from "
	    "-9007199254740992 to 9007199254740992", false },
	{ "{\"s\":\"a\",\"list\":\"x\"}", "",
	    "list: expected an array of strings", false },
	{ "{\"s\":\"a\",\"list\":[\"x\",null]}", "",
	    "list[1]: expected a string", false },
	{ "{\"s\":\"a\",\"list\":[\"x\",\"abcd\"]}", "p",
	    "p.list[1]: over 3 bytes", false },
	{ "{\"s\":\"a\",\"in\":[]}", "", "in: expected an object", false },
	{ "{\"s\":\"a\",\"in\":{}}", "", "in.s: missing", false },
	{ "{\"s\":\"a\",\"in\":{\"s\":\"blue\"}}", "",
	    "in.s: expected one of red, green", false },
	{ "{\"s\":\"a\",\"in\":{\"s\":\"red\",\"n\":6}}", "",
	    "in.n: expected a whole number from 0 to 5", false },
	{ "{\"s\":\"a\",\"in\":{\"s\":\"red\",\"s\":\"red\"}}", "",
	    "in.s: given twice", false },
	{ "{\"s\":\"a\",\"o\":[]}", "", "o: expected an object", false },
	{ "{\"s\":\"a\",\"a\":{}}", "", "a: expected an array", false },
	{ "{\"s\":\"a\",\"a\":[1,2,30]}", "", "a[2]: too big", false },
	{ "{\"s\":\"a\",\"x\":1}", "", "x: unknown field", true },
	{ "{\"s\":\"a\",\"in\":{\"s\":\"red\",\"y\":1}}", "q",
	    "q.in.y: unknown field", true },
	{ "{\"s\":\"a\",\"\":1}", "", "unknown field", true },
};

START_TEST(names_the_path)
{
	cJSON		*o;
	struct all	 v;
	struct error	 e = { .code = 0 };

	o = json_parse(misfits[_i].text, strlen(misfits[_i].text), &e);
	ck_assert_msg(o != NULL, "%s", e.text);
	memset(&v, 0, sizeof(v));
	ck_assert_int_eq((misfits[_i].strict ? json_read_strict : json_read)
	    (o, table, &v, misfits[_i].path, &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_str_eq(e.text, misfits[_i].error);
	json_strings_free(&v.list);
	cJSON_Delete(o);
}
END_TEST

START_TEST(unique_names)
{
	struct error	 e;
	cJSON		*o;
	char		*text, *p;
	int		 i;

	o = json_parse(TEXT("{\"b\":1,\"a\":2,\"B\":3,\"c\":{\"x\":1,"
	    "\"x\":2}}"), NULL);
	ck_assert_int_eq(json_unique(o, "", &e), 0);
	ck_assert_int_eq(json_unique(json_get(o, "c"), "c", &e), -1);
	ck_assert_str_eq(e.text, "c.x: given twice");
	ck_assert_int_eq(json_unique(json_get(o, "a"), "a", &e), 0);
	ck_assert_int_eq(json_unique(NULL, "", &e), 0);
	cJSON_Delete(o);
	o = json_parse(TEXT("[1,2]"), NULL);
	ck_assert_int_eq(json_unique(o, "", &e), 0);
	cJSON_Delete(o);
	/* A hundred thousand of them take no hours. */
	p = text = malloc(2000000);
	for (i = 0; i < 100000; i++)
		p += sprintf(p, "%c\"k%d\":0", i == 0 ? '{' : ',', i);
	p += sprintf(p, ",\"k50000\":0}");
	o = json_parse(text, (size_t)(p - text), NULL);
	ck_assert_int_eq(json_unique(o, "", &e), -1);
	ck_assert_str_eq(e.text, "k50000: given twice");
	cJSON_Delete(o);
	free(text);
}
END_TEST

/* --- found members ------------------------------------------------------- */

static const struct { const char *text, *value; } found[] = {
	{ "{\"msg\":{\"id\":1}}", "{\"id\":1}" },
	{ " \n{ \"msg\" :\t{ } \r\n}", "{ }" },
	{ "{\"a\":1,\"msg\":2}", "2" },
	{ "{\"a\":1 , \"msg\" : -2.5e3 , \"b\":0}", "-2.5e3" },
	{ "{\"msg\":null}", "null" },
	{ "{\"msg\":\"a,}\\\"]\"}", "\"a,}\\\"]\"" },
	{ "{\"msg\":\"\\\\\"}", "\"\\\\\"" },
	{ "{\"msg\":[1,[2,{}],\"]\"],\"z\":0}", "[1,[2,{}],\"]\"]" },
	/* One that is not at the top is another one. */
	{ "{\"a\":{\"msg\":1},\"msg\":2}", "2" },
	{ "{\"a\":[{\"msg\":1}],\"msg\":2}", "2" },
	{ "{\"a\":\"\\\"msg\\\":1,\",\"msg\":2}", "2" },
	{ "{\"a\":\"msg\",\"b\":\"x\"}", NULL },
	{ "{\"a\":{\"msg\":1}}", NULL },
	{ "{\"Msg\":1,\"msgs\":2,\"ms\":3,\"\":4,\"msg \":5}", NULL },
	/* Names may be written with escapes. */
	{ "{\"\\u006dsg\":7}", "7" },
	{ "{\"\\u006D\\u0073\\u0067\":7}", "7" },
	{ "{\"ms\\\\g\":1,\"ms\\/g\":2,\"m\\u0073gx\":3,\"msg\":4}", "4" },
	{ "{\"\\ud83dmsg\":1,\"msg\":2}", "2" },
	{ "{\"msg\\\"\":1,\"msg\":2}", "2" },
	/* Of two, the tree's first. */
	{ "{\"msg\":1,\"msg\":2}", "1" },
	{ "{\"\\u006dsg\":1,\"msg\":2}", "1" },
	{ "{}", NULL },
	{ "[\"msg\",1]", NULL },
	{ "\"msg\"", NULL },
	{ "3", NULL },
};

static unsigned
find(struct json_found *f, const char *text, const char *name)
{
	ck_assert_int_eq(json_find(f, text, strlen(text), JSON_DEPTH_MAX,
	    name, NULL), 0);
	return f->times;
}

START_TEST(finds)
{
	const char		*text = found[_i].text;
	const char		*want = found[_i].value;
	cJSON			*o = json_parse(text, strlen(text), NULL);
	cJSON			*part;
	struct json_found	 f;

	ck_assert_ptr_nonnull(o);
	if (want == NULL) {
		ck_assert_uint_eq(find(&f, text, "msg"), 0);
		ck_assert_ptr_null(json_get(o, "msg"));
	} else {
		ck_assert_uint_gt(find(&f, text, "msg"), 0);
		ck_assert_uint_eq(f.len, strlen(want));
		ck_assert_int_eq(memcmp(f.value, want, f.len), 0);
		part = json_parse(f.value, f.len, NULL);
		ck_assert(cJSON_Compare(part, json_get(o, "msg"), true));
		cJSON_Delete(part);
	}
	cJSON_Delete(o);
}
END_TEST

START_TEST(counts_what_it_finds)
{
	struct json_found	f;

	ck_assert_uint_eq(find(&f, "{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":3,"
	    "\"a\":4}", "a"), 3);
	ck_assert_int_eq(*f.value, '1');
	ck_assert_int_eq(json_find(&f, "{\"a\":1,}", 8, JSON_DEPTH_MAX, "a",
	    NULL), -1);
	ck_assert_int_eq(json_find(&f, "[[]]", 4, 1, "a", NULL), -1);
	ck_assert_int_eq(json_find(&f, "", 0, 1, "a", NULL), -1);
}
END_TEST

START_TEST(finds_escaped_names)
{
	static const char	text[] = "{\"\\ud83d\\ude00\":1,"
	    "\"\\n\\t\\b\\f\\r\":2,\"\\ud83d\":3,\"\xc3\xa9\":4,\"\":5}";
	struct json_found	f;

	find(&f, text, "\xf0\x9f\x98\x80");
	ck_assert_int_eq(*f.value, '1');
	find(&f, text, "\n\t\b\f\r");
	ck_assert_int_eq(*f.value, '2');
	find(&f, text, "\xef\xbf\xbd");
	ck_assert_int_eq(*f.value, '3');
	find(&f, text, "\xc3\xa9");
	ck_assert_int_eq(*f.value, '4');
	find(&f, text, "");
	ck_assert_int_eq(*f.value, '5');
}
END_TEST

/* --- writing ------------------------------------------------------------- */

START_TEST(setters)
{
	cJSON	*o = json_parse(TEXT("{\"a\":1,\"A\":2,\"b\":[3]}"), NULL);
	char	*list[] = { (char []){ "x" }, (char []){ "\xff" } }, *text;

	ck_assert(json_set_str(o, "a", "q\"\n\x01"));
	ck_assert(json_set_u64(o, "b", (1ULL << 53) - 1));
	ck_assert(json_set_i64(o, "c", -5));
	ck_assert(json_set_bool(o, "d", true));
	ck_assert(json_set_strings(o, "e", list, 2));
	ck_assert(json_set_strings(o, "f", NULL, 0));
	ck_assert(json_set_str(o, "g", "\xc3\xa9\xc3"));
	ck_assert(json_set_item(o, "A", cJSON_CreateNull()));
	ck_assert(!json_set_item(o, "h", NULL));
	text = json_print(o);
	ck_assert_str_eq(text, "{\"a\":\"q\\\"\\n\\u0001\",\"A\":null,"
	    "\"b\":9007199254740991,\"c\":-5,\"d\":true,"
	    "\"e\":[\"x\",\"\xef\xbf\xbd\"],\"f\":[],"
	    "\"g\":\"\xc3\xa9\xef\xbf\xbd\"}");
	free(text);
	cJSON_Delete(o);
}
END_TEST

START_TEST(members)
{
	cJSON	*o = json_parse(TEXT("{\"a\":1,\"A\":2}"), NULL);

	ck_assert_double_eq(json_get(o, "A")->valuedouble, 2);
	ck_assert_ptr_null(json_get(o, "b"));
	ck_assert_ptr_null(json_get(json_get(o, "a"), "b"));
	ck_assert_ptr_null(json_get(NULL, "b"));
	cJSON_Delete(o);
	o = json_parse(TEXT("[1]"), NULL);
	ck_assert_ptr_null(json_get(o, "b"));
	cJSON_Delete(o);
}
END_TEST

START_TEST(utf8)
{
	char		*s;
	size_t		 len;

	ck_assert_uint_eq(utf8_units("a\xc3\xa9\xf0\x9f\x98\x80\xff"), 5);
	ck_assert(utf8_is_valid("", 0));
	ck_assert(utf8_is_valid("\xef\xbf\xbf\xf4\x8f\xbf\xbf", 7));
	ck_assert(!utf8_is_valid("\xf5\x80\x80\x80", 4));
	ck_assert(!utf8_is_valid("\xe2\x82", 2));
	ck_assert(!utf8_is_valid("\x80", 1));
	s = utf8_repair("a\x80\xe2\x82z");
	ck_assert_str_eq(s, "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
	free(s);
	ck_assert_str_eq(utf8_trim("\xef\xbb\xbf x\xc2\xa0y \n", &len),
	    "x\xc2\xa0y \n");
	ck_assert_uint_eq(len, 4);
	(void)utf8_trim(" \t ", &len);
	ck_assert_uint_eq(len, 0);
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("json");
	TCase	*t = tcase_create("parse");

	tcase_add_test(t, good_texts);
	tcase_add_test(t, numbers_are_exact);
	tcase_add_test(t, lone_surrogates);
	tcase_add_test(t, nul_and_utf8);
	tcase_add_test(t, bad_texts);
	tcase_add_test(t, depth);
	tcase_add_test(t, hostile_bytes);
	suite_add_tcase(s, t);
	t = tcase_create("read");
	tcase_add_test(t, reads_all);
	tcase_add_test(t, absent_is_left_alone);
	tcase_add_loop_test(t, names_the_path, 0,
	    sizeof(misfits) / sizeof(misfits[0]));
	tcase_add_test(t, unique_names);
	suite_add_tcase(s, t);
	t = tcase_create("found");
	tcase_add_loop_test(t, finds, 0, sizeof(found) / sizeof(found[0]));
	tcase_add_test(t, counts_what_it_finds);
	tcase_add_test(t, finds_escaped_names);
	suite_add_tcase(s, t);
	t = tcase_create("write");
	tcase_add_test(t, setters);
	tcase_add_test(t, members);
	tcase_add_test(t, utf8);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return vectors_run(suite());
}
