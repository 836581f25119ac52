/* SPDX-License-Identifier: ISC */

/* Agent files: what is taken, what is refused and where, and that what is
 * written reads back the same; and files below a root that others write to. */
#include <sys/resource.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "agentfile.h"
#include "files.h"
#include "safepath.h"

#define OWNER	"UABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTUVW"

static struct agent_file	 f, g;
static struct error		 e;

static int
read_text(const char *text)
{
	e.text[0] = '\0';
	return agent_file_read(&f, text, strlen(text), &e);
}

static void
is_list(const struct agent_list *l, size_t n, const char *first)
{
	ck_assert(l->given);
	ck_assert_uint_eq(l->items.n, n);
	if (n > 0)
		ck_assert_str_eq(l->items.v[0], first);
}

static void
same_strings(const struct strlist *a, const struct strlist *b)
{
	size_t	i;

	ck_assert_uint_eq(a->n, b->n);
	for (i = 0; i < a->n; i++)
		ck_assert_str_eq(a->v[i], b->v[i]);
}

static void
same_list(const struct agent_list *a, const struct agent_list *b)
{
	ck_assert_int_eq(a->given, b->given);
	same_strings(&a->items, &b->items);
}

static void
same_text(const char *a, const char *b)
{
	ck_assert_int_eq(a == NULL, b == NULL);
	if (a != NULL)
		ck_assert_str_eq(a, b);
}

/* f is g. */
static void
same(void)
{
	size_t	i;

	same_text(f.name, g.name);
	same_text(f.role, g.role);
	same_text(f.kind, g.kind);
	same_text(f.description, g.description);
	same_text(f.model, g.model);
	same_text(f.owner, g.owner);
	same_text(f.body, g.body);
	same_list(&f.tags, &g.tags);
	same_list(&f.subscribe, &g.subscribe);
	same_list(&f.allow_subscribe, &g.allow_subscribe);
	same_list(&f.allow_publish, &g.allow_publish);
	same_list(&f.quiet, &g.quiet);
	same_list(&f.muted, &g.muted);
	same_list(&f.capabilities, &g.capabilities);
	ck_assert_uint_eq(f.n_meta, g.n_meta);
	for (i = 0; i < f.n_meta; i++) {
		ck_assert_str_eq(f.meta[i].key, g.meta[i].key);
		same_text(f.meta[i].value, g.meta[i].value);
		same_strings(&f.meta[i].items, &g.meta[i].items);
	}
}

/* --- reading ---------------------------------------------------------------------- */

START_TEST(every_key_is_taken)
{
	ck_assert_msg(read_text("---\n# who\nname: critic\nrole: reviewer\n"
	    "kind: agent\n\ndescription: says: what \"is\" wrong, #12\n"
	    "tags: [a, \"b c\", 'd']\nsubscribe: [general]\n"
	    "allowSubscribe: [general, team.>, random]\n"
	    "allowPublish: general\nquiet: [random]\nmuted: []\n"
	    "model: opus\ncapabilities: [spawn]\nowner: " OWNER "\n"
	    "command: \"sh -c 'echo hi'\"\nthemes: [dark, light]\nempty:\n"
	    "---\n\nYou are a critic.\n---\nStill the body.\n\n") == 0, "%s",
	    e.text);
	ck_assert_str_eq(f.name, "critic");
	ck_assert_str_eq(f.role, "reviewer");
	ck_assert_str_eq(f.kind, "agent");
	ck_assert_str_eq(f.description, "says: what \"is\" wrong, #12");
	is_list(&f.tags, 3, "a");
	ck_assert_str_eq(f.tags.items.v[1], "b c");
	ck_assert_str_eq(f.tags.items.v[2], "d");
	is_list(&f.subscribe, 1, "general");
	is_list(&f.allow_subscribe, 3, "general");
	is_list(&f.allow_publish, 1, "general");
	is_list(&f.quiet, 1, "random");
	is_list(&f.muted, 0, NULL);
	ck_assert_str_eq(f.model, "opus");
	ck_assert(agent_file_can(&f, "spawn"));
	ck_assert(!agent_file_can(&f, "purge"));
	ck_assert_str_eq(f.owner, OWNER);
	ck_assert_str_eq(agent_file_meta(&f, "command"), "sh -c 'echo hi'");
	ck_assert_ptr_null(agent_file_meta(&f, "themes"));
	ck_assert_ptr_null(agent_file_meta(&f, "empty"));
	ck_assert_uint_eq(f.n_meta, 2);
	ck_assert_str_eq(f.body, "You are a critic.\n---\nStill the body.");
	agent_file_free(&f);
}
END_TEST

START_TEST(what_is_not_given_has_its_default)
{
	struct agent_acl	a;

	ck_assert_msg(read_text("---\nname: a\n---") == 0, "%s", e.text);
	ck_assert_ptr_null(f.body);
	agent_file_acl(&f, &a);
	ck_assert_uint_eq(a.n_subscribe, 1);
	ck_assert_str_eq(a.subscribe[0], "general");
	ck_assert_uint_eq(a.n_allow_subscribe, 1);
	ck_assert_str_eq(a.allow_subscribe[0], "general");
	ck_assert_uint_eq(a.n_allow_publish, 0);
	ck_assert_ptr_nonnull(a.allow_publish);
	agent_file_free(&f);

	ck_assert_msg(read_text("---\nname: a\nsubscribe: []\n---\n") == 0,
	    "%s", e.text);
	agent_file_acl(&f, &a);
	ck_assert_uint_eq(a.n_subscribe, 0);
	ck_assert_uint_eq(a.n_allow_subscribe, 0);
	ck_assert_ptr_nonnull(a.subscribe);
	agent_file_free(&f);

	ck_assert_msg(read_text("---\nname: a\nsubscribe: [x]\n---\n") == 0,
	    "%s", e.text);
	agent_file_acl(&f, &a);
	ck_assert_str_eq(a.allow_subscribe[0], "x");
	agent_file_free(&f);
}
END_TEST

START_TEST(a_pattern_may_begin_with_a_wildcard)
{
	char	*text;

	ck_assert_msg(read_text("---\nname: a\nallowSubscribe: [*.b, >]\n"
	    "---\n") == 0, "%s", e.text);
	is_list(&f.allow_subscribe, 2, "*.b");
	ck_assert_str_eq(f.allow_subscribe.items.v[1], ">");
	ck_assert_ptr_nonnull(text = agent_file_text(&f, &e));
	ck_assert_ptr_nonnull(strstr(text, "[\"*.b\", \">\"]"));
	free(text);
	agent_file_free(&f);
}
END_TEST

/* A head that is refused, and what the error begins with and speaks of. */
static const struct {
	const char	*text, *where, *what;
} refused[] = {
	{ "", "line 1: ", "expected ---" },
	{ "name: a\n", "line 1: ", "expected ---" },
	{ "--- \nname: a\n---\n", "line 1: ", "expected ---" },
	{ "---\r\nname: a\r\n---\r\n", "line 1: ", "CR LF" },
	{ "\xef\xbb\xbf---\nname: a\n---\n", "line 1: ", "expected ---" },
	{ "---\nname: a\n", "the ---", "missing" },
	{ "---\nname: a\n--- \n", "line 3: ", "expected key" },
	{ "---\n---\n", "there is no name", "" },
	{ "---\nname:\n---\n", "there is no name", "" },
	{ "---\nname: \"\"\n---\n", "line 2: name: ", "not a name" },
	{ "---\nname: a/b\n---\n", "line 2: name: ", "not a name" },
	{ "---\nname: \" a\"\n---\n", "line 2: name: ", "not a name" },
	{ "---\nname: [a]\n---\n", "line 2: name: ", "not a list" },
	{ "---\nname: a\nname: b\n---\n", "line 3: name: ", "given twice" },
	{ "---\nname: a\nx: b\nx: c\n---\n", "line 4: x: ", "given twice" },
	{ "---\nname: a\nrole: b.c\n---\n", "line 3: role: ", "not a role" },
	{ "---\nname: a\nkind: bot\n---\n", "line 3: kind: ", "neither" },
	{ "---\nname: a\nowner: me\n---\n", "line 3: owner: ", "not an id" },
	{ "---\nname: a\nmodel: ''\n---\n", "line 3: model: ", "not a model" },
	{ "---\nname: a\ntags: [a, b\n---\n", "line 3: tags: ",
	    "not closed on its line" },
	{ "---\nname: a\ntags: [\n---\n", "line 3: tags: ",
	    "not closed on its line" },
	{ "---\nname: a\ntags: [a,, b]\n---\n", "line 3: tags: ",
	    "an empty item" },
	{ "---\nname: a\ntags: [a, ]\n---\n", "line 3: tags: ",
	    "an empty item" },
	{ "---\nname: a\ntags: [,]\n---\n", "line 3: tags: ",
	    "an empty item" },
	{ "---\nname: a\ntags: [[a]]\n---\n", "line 3: tags: ", "quotes" },
	{ "---\nname: a\ntags: [a] # b\n---\n", "line 3: tags: ",
	    "not closed on its line" },
	{ "---\nname: a\ntags: [\"a, b\"]\n---\n", "line 3: tags: ",
	    "quote is not closed" },
	{ "---\nname: a\ntags: a, b\n---\n", "line 3: tags: ",
	    "expected a list" },
	{ "---\nname: a\ntags:\n  - a\n---\n", "line 4: ", "indented" },
	{ "---\nname: a\ntags:\n- a\n---\n", "line 4: ", "expected key" },
	{ "---\nname: a\nlaunch: {a: b}\n---\n", "line 3: launch: ",
	    "quotes" },
	{ "---\nname: a\nx: |\n---\n", "line 3: x: ", "quotes" },
	{ "---\nname: a\nx: >-\n---\n", "line 3: x: ", "quotes" },
	{ "---\nname: a\nx: &y\n---\n", "line 3: x: ", "quotes" },
	{ "---\nname: a\nx: - y\n---\n", "line 3: x: ", "expected a value" },
	{ "---\nname: a\nx: y # z\n---\n", "line 3: x: ", "own line" },
	{ "---\nname: a\nx: \"y\" # z\n---\n", "line 3: x: ", "follows" },
	{ "---\nname: a\nx: \"y\n---\n", "line 3: x: ", "not closed" },
	{ "---\nname: a\nx: 'y\"\n---\n", "line 3: x: ", "not closed" },
	{ "---\nname: a\nx: \"\n---\n", "line 3: x: ", "not closed" },
	{ "---\nname: a\nx: y\r\n---\n", "line 3: ", "CR LF" },
	{ "---\nname: a\nx: y\033[2J\n---\n", "line 3: x: ", "control" },
	{ "---\nname: a\nx:y\n---\n", "line 3: ", "expected key" },
	{ "---\nname: a\nx\n---\n", "line 3: ", "expected key" },
	{ "---\nname: a\n: y\n---\n", "line 3: ", "expected key" },
	{ "---\nname: a\n-x: y\n---\n", "line 3: ", "expected key" },
	{ "---\nname: a\n\"x\": y\n---\n", "line 3: ", "expected key" },
	{ "---\nname: a\nx y: z\n---\n", "line 3: ", "expected key" },
	{ "---\nname: a\n\tx: y\n---\n", "line 3: ", "indented" },
	{ "---\nname: a\nchannels: [b]\n---\n", "line 3: channels: ",
	    "subscribe" },
	{ "---\nname: a\npublish: [b]\n---\n", "line 3: publish: ",
	    "allowPublish" },
	{ "---\nname: a\nsubscribe: [a b]\n---\n", "line 3: subscribe: ",
	    "not a channel" },
	{ "---\nname: a\nallowPublish: [a..b]\n---\n", "line 3: allowPublish",
	    "not a channel" },
	{ "---\nname: a\nsubscribe: [b]\nallowSubscribe: [c]\n---\n",
	    "line 3: subscribe: \"b\"", "outside" },
	{ "---\nname: a\nallowSubscribe: [c]\n---\n",
	    "line 3: allowSubscribe: \"general\"", "outside" },
	{ "---\nname: a\nallowSubscribe: []\n---\n",
	    "line 3: allowSubscribe: \"general\"", "outside" },
	{ "---\nname: a\nquiet: [b]\n---\n", "line 3: quiet: \"b\"",
	    "outside" },
	{ "---\nname: a\nsubscribe: [b.>]\nquiet: [b.>]\n---\n",
	    "line 4: quiet: ", "wildcard" },
	{ "---\nname: a\nquiet: [general]\nmuted: [general]\n---\n",
	    "line 3: quiet: ", "muted too" },
	{ "---\nname: a\nsubscribe: [b.*]\n---\n",
	    "line 3: subscribe: \"b.*\"", "cannot end in *" },
	{ "---\nname: a\nallowSubscribe: [general, \"*\"]\n---\n",
	    "line 3: allowSubscribe: \"*\"", "cannot end in *" },
	{ "---\nname: a\ncapabilities: [a.b]\n---\n",
	    "line 3: capabilities: ", "not a capability" },
	{ "---\nname: \xff\n---\n", "not a text", "UTF-8" },
};

START_TEST(what_is_wrong_is_named_with_its_line)
{
	ck_assert_msg(read_text(refused[_i].text) == -1, "taken: %s",
	    refused[_i].text);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_msg(strncmp(e.text, refused[_i].where,
	    strlen(refused[_i].where)) == 0, "\"%s\" does not begin with "
	    "\"%s\"", e.text, refused[_i].where);
	ck_assert_msg(strstr(e.text, refused[_i].what) != NULL,
	    "\"%s\" says nothing of \"%s\"", e.text, refused[_i].what);
	agent_file_free(&f);
}
END_TEST

START_TEST(a_zero_byte_and_a_long_file_are_refused)
{
	char	*text = malloc(AGENT_FILE_MAX + 1);

	ck_assert_int_eq(agent_file_read(&f, "---\nname: a\0\n---\n", 17, &e),
	    -1);
	agent_file_free(&f);
	ck_assert_ptr_nonnull(text);
	memset(text, 'x', AGENT_FILE_MAX + 1);
	memcpy(text, "---\nname: a\n---\n", 16);
	ck_assert_int_eq(agent_file_read(&f, text, AGENT_FILE_MAX, &e), 0);
	agent_file_free(&f);
	ck_assert_int_eq(agent_file_read(&f, text, AGENT_FILE_MAX + 1, &e),
	    -1);
	agent_file_free(&f);
	free(text);
}
END_TEST

/* --- writing ---------------------------------------------------------------------- */

/* g is written and read into f. */
static void
write_and_read(void)
{
	char	*text = agent_file_text(&g, &e);

	ck_assert_msg(text != NULL, "%s", e.text);
	ck_assert_msg(read_text(text) == 0, "%s: %s", e.text, text);
	same();
	free(text);
	agent_file_free(&f);
}

START_TEST(what_is_written_reads_back)
{
	static const char *const values[] = { "plain", "a: b", "#a", "a # b",
	    "it's", "say \"hi\"", " around ", "[a", "[a]", "- x", "{", "|",
	    "a,b", "", "\xc3\xa9\xe4\xb8\xad", "back\\slash", "\\n", "'",
	    "\"", "null", "a\tb", "---", "*x", "key:" };

	memset(&g, 0, sizeof(g));
	ck_assert_int_eq(agent_file_set(&g.name, "a b", &e), 0);
	ck_assert_int_eq(agent_file_set(&g.description, values[_i], &e), 0);
	ck_assert_int_eq(agent_file_set(&g.body, "---\nname: x\n---", &e), 0);
	g.tags.given = true;
	if (strchr(values[_i], ',') == NULL)
		ck_assert(strlist_add(&g.tags.items, values[_i]));
	ck_assert(strlist_add(&g.tags.items, "second"));
	g.muted.given = true;
	ck_assert_ptr_nonnull(g.meta = calloc(1, sizeof(*g.meta)));
	g.n_meta = 1;
	ck_assert_int_eq(agent_file_set(&g.meta->key, "x-1", &e), 0);
	ck_assert_int_eq(agent_file_set(&g.meta->value, values[_i], &e), 0);
	write_and_read();
	agent_file_free(&g);
}
END_TEST
#define N_VALUES	24

static void
cannot_write(const char *what)
{
	char	*text = agent_file_text(&g, &e);

	ck_assert_msg(text == NULL, "written: %s", text);
	ck_assert_int_eq(e.code, EX_DATAERR);
	ck_assert_msg(strstr(e.text, what) != NULL, "\"%s\" says nothing of "
	    "\"%s\"", e.text, what);
}

START_TEST(what_cannot_be_carried_is_refused)
{
	memset(&g, 0, sizeof(g));
	cannot_write("no name");
	ck_assert_int_eq(agent_file_set(&g.name, "a", &e), 0);
	ck_assert_int_eq(agent_file_set(&g.description, "a\nb", &e), 0);
	cannot_write("line end");
	ck_assert_int_eq(agent_file_set(&g.description, "a\"'", &e), 0);
	write_and_read();
	ck_assert_int_eq(agent_file_set(&g.description, "\"a' # ", &e), 0);
	cannot_write("both kinds of quotes");
	ck_assert_int_eq(agent_file_set(&g.description, "\x01", &e), 0);
	cannot_write("control");
	ck_assert_int_eq(agent_file_set(&g.description, "\xff", &e), 0);
	cannot_write("UTF-8");
	ck_assert_int_eq(agent_file_set(&g.description, NULL, &e), 0);
	g.tags.given = true;
	ck_assert(strlist_add(&g.tags.items, "a,b"));
	cannot_write("comma");
	strlist_free(&g.tags.items);
	g.subscribe.given = true;
	ck_assert(strlist_add(&g.subscribe.items, "a b"));
	cannot_write("not a channel");
	strlist_free(&g.subscribe.items);
	ck_assert_ptr_nonnull(g.meta = calloc(1, sizeof(*g.meta)));
	g.n_meta = 1;
	ck_assert_int_eq(agent_file_set(&g.meta->value, "x", &e), 0);
	ck_assert_int_eq(agent_file_set(&g.meta->key, "a b", &e), 0);
	cannot_write("cannot be a key");
	ck_assert_int_eq(agent_file_set(&g.meta->key, "role", &e), 0);
	cannot_write("another");
	ck_assert_int_eq(agent_file_set(&g.meta->key, "publish", &e), 0);
	cannot_write("allowPublish");
	agent_file_free(&g);
}
END_TEST

/* Whatever is taken, is written and reads back the same. */
START_TEST(no_byte_of_it_does_harm)
{
	static const char	 base[] = "---\nname: critic\nrole: r\n"
	    "description: \"a: b\"\ntags: [a, 'b', \"c\"]\nsubscribe: [g]\n"
	    "allowSubscribe: [g, t.>]\nquiet: [g]\nx: y\nz: [1, 2]\n---\n"
	    "\nBody \"it\" is.\n";
	static const char	 chars[] = "\"'[],:#- \n\tab.>*\\{|\r\xc3";
	char			 text[sizeof(base)];
	int			 tries, i, taken = 0;

	srandom(2);
	for (tries = 0; tries < 40000; tries++) {
		memcpy(text, base, sizeof(text));
		for (i = 0; i <= tries % 4; i++)
			text[(size_t)random() % (sizeof(text) - 1)] =
			    chars[(size_t)random() % (sizeof(chars) - 1)];
		if (read_text(text) == 0) {
			g = f;
			memset(&f, 0, sizeof(f));
			write_and_read();
			agent_file_free(&g);
			taken++;
		} else
			agent_file_free(&f);
	}
	ck_assert_int_gt(taken, 1000);
}
END_TEST

/* --- on the disk ------------------------------------------------------------------- */

static char	root[64], elsewhere[64];

static void
make_root(void)
{
	snprintf(root, sizeof(root), "/tmp/reeve-agent-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(elsewhere, sizeof(elsewhere), "/tmp/reeve-other-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(elsewhere));
}

static void
remove_root(void)
{
	char	command[200];

	snprintf(command, sizeof(command), "rm -rf '%s' '%s'", root,
	    elsewhere);
	ck_assert_int_eq(system(command), 0);
}

static char *
in(const char *dir, const char *rel)
{
	static char	path[2][256];
	static int	turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, rel);
	return path[turn];
}

static unsigned
mode_at(const char *rel)
{
	struct stat	st;

	ck_assert_int_eq(lstat(in(root, rel), &st), 0);
	return st.st_mode & 07777;
}

static bool
is_there(const char *dir, const char *rel)
{
	struct stat	st;

	return lstat(in(dir, rel), &st) == 0;
}

START_TEST(a_file_is_made_and_replaced)
{
	char	*text;
	size_t	 len;

	ck_assert_msg(safe_create(root, "a/b/c.md", "one", &e) == 0, "%s",
	    e.text);
	ck_assert_uint_eq(mode_at("a"), 0700);
	ck_assert_uint_eq(mode_at("a/b"), 0700);
	ck_assert_uint_eq(mode_at("a/b/c.md"), 0600);
	ck_assert_int_eq(safe_create(root, "a/b/c.md", "two", &e), -1);
	ck_assert_int_eq(e.code, EX_CANTCREAT);
	ck_assert_ptr_nonnull(text = safe_read(root, "a/b/c.md", 10, &len,
	    &e));
	ck_assert_str_eq(text, "one");
	free(text);
	ck_assert_int_eq(chmod(in(root, "a/b/c.md"), 0644), 0);
	ck_assert_int_eq(safe_replace(root, "a/b/c.md", "three", &e), 0);
	ck_assert_uint_eq(mode_at("a/b/c.md"), 0644);
	ck_assert_int_eq(safe_exists(root, "a/b/c.md", &e), 1);
	ck_assert_int_eq(safe_exists(root, "a/b/d.md", &e), 0);
	ck_assert_int_eq(safe_exists(root, "x/b/d.md", &e), 0);
	ck_assert_int_eq(safe_exists(root, "a/b", &e), -1);
	ck_assert_int_eq(safe_remove(root, "a", &e), 0);
	ck_assert(!is_there(root, "a"));
	ck_assert_int_eq(safe_remove(root, "a", &e), 0);
	ck_assert_int_eq(safe_remove(root, "a/b/c", &e), 0);
}
END_TEST

START_TEST(what_is_no_name_is_refused)
{
	static const char *const	names[] = { "", "/", "/a", "a/", "a//b",
	    ".", "..", "../a", "a/..", "a/../b", "./a", "a/./b" };

	ck_assert_int_eq(safe_create(root, names[_i], "x", &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_int_eq(safe_remove(root, names[_i], &e), -1);
	ck_assert_int_eq(safe_dir(root, names[_i], true, &e), -1);
	ck_assert_ptr_null(safe_read(root, names[_i], 10, NULL, &e));
}
END_TEST

/* A link is planted at one component of a/b/c.md, and leads to where the rest
 * of it could be. */
static void
plant(int at)
{
	static const char *const	parts[] = { "a", "a/b", "a/b/c.md" };

	ck_assert_int_eq(mkdir(in(elsewhere, "a"), 0700), 0);
	ck_assert_int_eq(mkdir(in(elsewhere, "a/b"), 0700), 0);
	ck_assert_int_eq(file_write_private(in(elsewhere, "a/b/c.md"), "theirs",
	    0600, &e), 0);
	if (at > 0)
		ck_assert_int_eq(mkdir(in(root, "a"), 0700), 0);
	if (at > 1)
		ck_assert_int_eq(mkdir(in(root, "a/b"), 0700), 0);
	ck_assert_int_eq(symlink(in(elsewhere, parts[at]),
	    in(root, parts[at])), 0);
}

START_TEST(a_planted_link_is_not_followed)
{
	char	*text;
	int	 fd;

	plant(_i);
	ck_assert_ptr_null(safe_read(root, "a/b/c.md", 100, NULL, &e));
	ck_assert_int_eq(e.code, EX_NOPERM);
	ck_assert_ptr_nonnull(strstr(e.text, "symbolic link"));
	ck_assert_int_eq(safe_exists(root, "a/b/c.md", &e), -1);
	ck_assert_int_eq(safe_replace(root, "a/b/c.md", "ours", &e), -1);
	ck_assert_int_eq(e.code, EX_NOPERM);
	ck_assert_int_eq(safe_create(root, "a/b/c.md", "ours", &e), -1);
	ck_assert_int_eq(safe_create(root, "a/b/new.md", "ours", &e),
	    _i == 2 ? 0 : -1);
	fd = safe_dir(root, "a/b", true, &e);
	ck_assert_int_eq(fd != -1, _i == 2);
	if (fd != -1)
		close(fd);
	/* The link goes, or is not passed; what it leads to stays. */
	ck_assert_int_eq(safe_remove(root, "a/b/c.md", &e), _i == 2 ? 0 : -1);
	ck_assert_int_eq(safe_remove(root, "a", &e), 0);
	ck_assert(!is_there(elsewhere, "a/b/new.md"));
	ck_assert_ptr_nonnull(text = file_read(in(elsewhere, "a/b/c.md"), 100,
	    NULL, &e));
	ck_assert_str_eq(text, "theirs");
	free(text);
}
END_TEST

START_TEST(a_dangling_link_is_not_written_through)
{
	ck_assert_int_eq(symlink(in(elsewhere, "new"), in(root, "a")), 0);
	ck_assert_int_eq(safe_create(root, "a", "x", &e), -1);
	ck_assert_int_eq(safe_replace(root, "a", "x", &e), -1);
	ck_assert_int_eq(safe_create(root, "a/b", "x", &e), -1);
	ck_assert(!is_there(elsewhere, "new"));
	ck_assert_int_eq(safe_remove(root, "a", &e), 0);
	ck_assert(!is_there(root, "a"));
}
END_TEST

START_TEST(a_write_that_fails_leaves_nothing)
{
	int	fd;

	ck_assert_int_eq(mkdir(in(root, "a"), 0700), 0);
	ck_assert_int_eq(mkdir(in(root, "a/b"), 0700), 0);
	/* A directory stands where the file is to be. */
	ck_assert_int_eq(safe_replace(root, "a/b", "x", &e), -1);
	ck_assert_int_eq(safe_create(root, "a/b", "x", &e), -1);
	ck_assert((fd = safe_dir(root, "a", false, &e)) != -1);
	close(fd);
	ck_assert_int_eq(rmdir(in(root, "a/b")), 0);
	ck_assert_msg(rmdir(in(root, "a")) == 0, "something was left");
	ck_assert_int_eq(mkfifo(in(root, "f"), 0600), 0);
	ck_assert_ptr_null(safe_read(root, "f", 10, NULL, &e));
	ck_assert_int_eq(safe_replace(root, "f", "x", &e), -1);
}
END_TEST

/* A disk that is full after so many bytes. */
START_TEST(a_full_disk_leaves_what_was_there)
{
	struct rlimit	 none, few;
	char		*text;
	int		 made, replaced;

	ck_assert_int_eq(safe_create(root, "old", "old", &e), 0);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &none), 0);
	few = none;
	few.rlim_cur = 5;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &few), 0);
	made = safe_create(root, "d/new", "more than five", &e);
	replaced = safe_replace(root, "old", "more than five", &e);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(made, -1);
	ck_assert_int_eq(replaced, -1);
	ck_assert_int_eq(e.code, EX_IOERR);
	ck_assert_ptr_nonnull(text = safe_read(root, "old", 100, NULL, &e));
	ck_assert_str_eq(text, "old");
	free(text);
	ck_assert_msg(rmdir(in(root, "d")) == 0, "something was left");
	/* Nor beside what is there. */
	ck_assert_int_eq(unlink(in(root, "old")), 0);
	ck_assert_msg(rmdir(root) == 0, "something was left");
	ck_assert_int_eq(mkdir(root, 0700), 0);
}
END_TEST

START_TEST(agents_are_saved_listed_and_loaded)
{
	struct strlist	refs = { .v = NULL };

	ck_assert_int_eq(agent_file_list(&refs, root, &e), 0);
	ck_assert_uint_eq(refs.n, 0);
	ck_assert_int_eq(agent_file_load(&f, root, "critic", &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_ptr_nonnull(strstr(e.text, ".cotal/agents/critic.md"));
	memset(&g, 0, sizeof(g));
	ck_assert_int_eq(agent_file_set(&g.name, "Critic", &e), 0);
	ck_assert_msg(agent_file_save(&g, root, "critic", true, &e) == 0,
	    "%s", e.text);
	ck_assert_uint_eq(mode_at(".cotal/agents/critic.md"), 0600);
	ck_assert_int_eq(agent_file_save(&g, root, "critic", true, &e), -1);
	ck_assert_int_eq(agent_file_set(&g.body, "Be strict.", &e), 0);
	ck_assert_int_eq(agent_file_save(&g, root, "critic", false, &e), 0);
	ck_assert_int_eq(agent_file_load(&f, root, "critic", &e), 0);
	same();
	agent_file_free(&f);
	ck_assert_int_eq(agent_file_load(&f, "/nowhere",
	    in(root, ".cotal/agents/critic.md"), &e), 0);
	same();
	agent_file_free(&f);
	ck_assert_int_eq(agent_file_save(&g, root, "a", true, &e), 0);
	ck_assert_int_eq(safe_create(root, ".cotal/agents/.hid.md", "", &e),
	    0);
	ck_assert_int_eq(safe_create(root, ".cotal/agents/x.txt", "", &e), 0);
	ck_assert_int_eq(agent_file_list(&refs, root, &e), 0);
	ck_assert_uint_eq(refs.n, 2);
	ck_assert_str_eq(refs.v[0], "a");
	ck_assert_str_eq(refs.v[1], "critic");
	strlist_free(&refs);
	agent_file_free(&g);
}
END_TEST

START_TEST(an_unsafe_ref_is_refused)
{
	static const char *const	refs[] = { "", ".", "..", ".hidden",
	    "a\nb", " a", "a\\b" };

	memset(&g, 0, sizeof(g));
	ck_assert_int_eq(agent_file_set(&g.name, "a", &e), 0);
	ck_assert_int_eq(agent_file_load(&f, root, refs[_i], &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	agent_file_free(&f);
	ck_assert_int_eq(agent_file_save(&g, root, refs[_i], false, &e), -1);
	ck_assert_int_eq(e.code, EX_USAGE);
	ck_assert_int_eq(agent_file_save(&g, root, "../up", false, &e), -1);
	ck_assert_int_eq(agent_file_save(&g, root, "up.md", false, &e), -1);
	ck_assert(!is_there(root, ".cotal"));
	agent_file_free(&g);
}
END_TEST

START_TEST(a_path_is_a_file_s)
{
	ck_assert_int_eq(file_write_private(in(root, "a.md"),
	    "---\nname: a\n---\n", 0600, &e), 0);
	ck_assert_int_eq(agent_file_load(&f, root, in(root, "a.md"), &e), 0);
	agent_file_free(&f);
	/* Nobody writes to it: it must not be waited for. */
	ck_assert_int_eq(mkfifo(in(root, "f.md"), 0600), 0);
	ck_assert_int_eq(agent_file_load(&f, root, in(root, "f.md"), &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
	ck_assert_int_eq(agent_file_load(&f, root, in(root, "."), &e), -1);
	ck_assert_int_eq(e.code, EX_NOINPUT);
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("agentfile");
	TCase	*text = tcase_create("text"), *disk = tcase_create("disk");

	tcase_set_timeout(text, 60);
	tcase_add_test(text, every_key_is_taken);
	tcase_add_test(text, what_is_not_given_has_its_default);
	tcase_add_test(text, a_pattern_may_begin_with_a_wildcard);
	tcase_add_loop_test(text, what_is_wrong_is_named_with_its_line, 0,
	    sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(text, a_zero_byte_and_a_long_file_are_refused);
	tcase_add_loop_test(text, what_is_written_reads_back, 0, N_VALUES);
	tcase_add_test(text, what_cannot_be_carried_is_refused);
	tcase_add_test(text, no_byte_of_it_does_harm);
	suite_add_tcase(s, text);

	tcase_add_checked_fixture(disk, make_root, remove_root);
	tcase_add_test(disk, a_file_is_made_and_replaced);
	tcase_add_loop_test(disk, what_is_no_name_is_refused, 0, 12);
	tcase_add_loop_test(disk, a_planted_link_is_not_followed, 0, 3);
	tcase_add_test(disk, a_dangling_link_is_not_written_through);
	tcase_add_test(disk, a_write_that_fails_leaves_nothing);
	tcase_add_test(disk, a_full_disk_leaves_what_was_there);
	tcase_add_test(disk, agents_are_saved_listed_and_loaded);
	tcase_add_loop_test(disk, an_unsafe_ref_is_refused, 0, 7);
	tcase_add_test(disk, a_path_is_a_file_s);
	suite_add_tcase(s, disk);
	return s;
}

int
main(void)
{
	SRunner	*runner = srunner_create(suite());
	int	 failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
