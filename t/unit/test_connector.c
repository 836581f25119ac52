/* SPDX-License-Identifier: ISC */

/* What is to be run for an agent: its arguments and its environment, by each
 * connector; and nothing secret where others can read it. */
#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "connector.h"
#include "files.h"
#include "names.h"
#include "safepath.h"
#include "shared.h"
#include "words.h"

#define ID	"UABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGHIJKLMNOPQRSTUVW"
#define AGENT								\
	"---\nname: critic\nkind: agent\nsubscribe: [general]\n"	\
	"allowSubscribe: [general, team.>]\nallowPublish: [general]\n"	\
	"quiet: [general]\ncapabilities: [spawn]\n"			\
	"command: sh -c 'echo \"a  b\"'\n---\nBe \"strict\".\nLine 2.\n"

static char			 root[64], private_dir[96];
static struct agent_file	 file;
static struct launch_request	 r;
static struct launch_plan	 p;
static struct error		 e;

/* --- a stage ------------------------------------------------------------------------ */

static void
stage(void)
{
	snprintf(root, sizeof(root), "/tmp/reeve-plan-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	snprintf(private_dir, sizeof(private_dir), "%s/private", root);
	ck_assert_int_eq(mkdir(private_dir, 0700), 0);
	setenv("HOME", root, 1);
	unsetenv("XDG_CONFIG_HOME");
	ck_assert_msg(agent_file_read(&file, AGENT, strlen(AGENT), &e) == 0,
	    "%s", e.text);
	memset(&r, 0, sizeof(r));
	r.space = "main";
	r.servers = "nats://127.0.0.1:4222";
	r.name = "critic-2";
	r.id = ID;
	r.creds = "/state/agents/critic-2/agent.creds";
	r.file = &file;
	r.file_path = "/w/.cotal/agents/critic.md";
	r.workspace = root;
	r.private_dir = private_dir;
	r.reeve = "/usr/bin/reeve";
	r.hook = "/usr/libexec/reeve/reeve-hook";
	agent_file_acl(&file, &r.acl);
	r.capabilities = &file.capabilities.items;
	launch_plan_init(&p);
}

static void
strike(void)
{
	char	command[128];

	launch_plan_free(&p);
	agent_file_free(&file);
	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	ck_assert_int_eq(system(command), 0);
}

/* The plan of this connector. */
static void
plan(const char *name)
{
	const struct connector	*c = connector_find(name, &e);

	ck_assert_ptr_nonnull(c);
	ck_assert_msg(plan_make(c, &r, &p, &e) == 0, "%s", e.text);
}

static void
no_plan(const char *name, int code, const char *says)
{
	const struct connector	*c = connector_find(name, &e);

	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(plan_make(c, &r, &p, &e), -1);
	ck_assert_msg(e.code == code && strstr(e.text, says) != NULL,
	    "%d: \"%s\" says nothing of \"%s\"", e.code, e.text, says);
	launch_plan_free(&p);
}

static void
share(const char *rel, const char *text)
{
	ck_assert_msg(safe_create(root, rel, text, &e) == 0, "%s", e.text);
}

/* Where an argument stands; it must. */
static size_t
arg_at(const char *arg)
{
	size_t	i;

	for (i = 0; i < p.argv.n; i++)
		if (strcmp(p.argv.v[i], arg) == 0)
			return i;
	ck_abort_msg("%s is not an argument", arg);
	return 0;
}

static const char *
after(const char *arg)
{
	size_t	i = arg_at(arg);

	ck_assert_uint_lt(i + 1, p.argv.n);
	return p.argv.v[i + 1];
}

static void
has_env(const char *name, const char *value)
{
	const char	*got = launch_plan_get(&p, name);

	ck_assert_msg(got != NULL, "%s is not set", name);
	ck_assert_str_eq(got, value);
}

/* --- words ----------------------------------------------------------------------------- */

static const struct {
	const char	*line, *words[6];
} split[] = {
	{ "", { NULL } },
	{ "  \t ", { NULL } },
	{ "a", { "a", NULL } },
	{ " a\tb  c ", { "a", "b", "c", NULL } },
	{ "'a b' \"c d\"", { "a b", "c d", NULL } },
	{ "a'b'\"c\"d", { "abcd", NULL } },
	{ "'' \"\"", { "", "", NULL } },
	{ "'a\"b' \"c'd\"", { "a\"b", "c'd", NULL } },
	{ "a\\ b \\'c", { "a b", "'c", NULL } },
	{ "'a\\b'", { "a\\b", NULL } },
	{ "\"a\\\"b\\\\c\\$d\\`e\\f\"", { "a\"b\\c$d`e\\f", NULL } },
	{ "echo $HOME * | `x` ~ #y", { "echo", "$HOME", "*", "|", "`x`",
	    "~" } },
	{ "\xc3\xa9 '\xe4\xb8\xad'", { "\xc3\xa9", "\xe4\xb8\xad", NULL } },
};

START_TEST(a_line_is_split_by_quotes)
{
	struct strlist	words = { .v = NULL };
	size_t		i;

	ck_assert_int_eq(words_split(&words, split[_i].line, &e), 0);
	for (i = 0; i < 6 && split[_i].words[i] != NULL; i++) {
		ck_assert_uint_lt(i, words.n);
		ck_assert_str_eq(words.v[i], split[_i].words[i]);
	}
	if (i < 6)
		ck_assert_uint_eq(words.n, i);
	strlist_free(&words);
}
END_TEST

START_TEST(what_is_not_closed_is_refused)
{
	static const char *const	lines[] = { "'a", "a \"b", "a'b\"c\"",
	    "a\\", "\"a\\\"" };
	struct strlist			words = { .v = NULL };

	ck_assert_int_eq(words_split(&words, lines[_i], &e), -1);
	ck_assert_int_eq(e.code, EX_DATAERR);
	strlist_free(&words);
}
END_TEST

START_TEST(no_line_does_harm)
{
	static const char	chars[] = "ab '\"\\$`\t\n";
	struct strlist		words = { .v = NULL };
	char			line[24];
	int			tries, n, i, taken = 0;

	srandom(4);
	for (tries = 0; tries < 50000; tries++) {
		n = (int)(random() % (long)sizeof(line));
		for (i = 0; i < n; i++)
			line[i] = chars[(size_t)random() %
			    (sizeof(chars) - 1)];
		line[n] = '\0';
		if (words_split(&words, line, &e) == 0)
			taken++;
		ck_assert_uint_le(words.n, (size_t)n);
		strlist_free(&words);
	}
	ck_assert_int_gt(taken, 1000);
}
END_TEST

/* --- which, and what it needs ----------------------------------------------------------- */

START_TEST(a_connector_is_chosen_and_known)
{
	struct agent_file	f;
	const char		pinned[] = "---\nname: a\nagent: codex\n"
				    "command: x\n---\n",
				plain[] = "---\nname: a\n---\n";

	ck_assert_str_eq(connector_choose("opencode", &file), "opencode");
	ck_assert_str_eq(connector_choose(NULL, &file), "command");
	ck_assert_int_eq(agent_file_read(&f, pinned, strlen(pinned), &e), 0);
	ck_assert_str_eq(connector_choose(NULL, &f), "codex");
	agent_file_free(&f);
	ck_assert_int_eq(agent_file_read(&f, plain, strlen(plain), &e), 0);
	ck_assert_str_eq(connector_choose(NULL, &f), "claude");
	agent_file_free(&f);
	ck_assert_ptr_null(connector_find("../claude", &e));
	ck_assert_int_eq(e.code, EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.text, "claude, codex, opencode, "
	    "command"));
}
END_TEST

START_TEST(a_missing_program_is_named)
{
	char	bin[96], tool[112];

	snprintf(bin, sizeof(bin), "/nowhere::%s", root);
	snprintf(tool, sizeof(tool), "%s/claude", root);
	ck_assert_int_eq(connector_ready(&connector_claude, &file, bin, &e),
	    -1);
	ck_assert_int_eq(e.code, EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(e.text, "claude"));
	/* There, but nothing to be run. */
	ck_assert_int_eq(mkdir(tool, 0700), 0);
	ck_assert_int_eq(connector_ready(&connector_claude, &file, bin, &e),
	    -1);
	ck_assert_int_eq(rmdir(tool), 0);
	ck_assert_int_eq(file_write_private(tool, "#!/bin/sh\n", 0600, &e),
	    0);
	if (geteuid() != 0)
		ck_assert_int_eq(connector_ready(&connector_claude, &file,
		    bin, &e), -1);
	ck_assert_int_eq(chmod(tool, 0700), 0);
	ck_assert_int_eq(connector_ready(&connector_claude, &file, bin, &e),
	    0);
	ck_assert_int_eq(connector_ready(&connector_command, &file, bin, &e),
	    -1);
	ck_assert_ptr_nonnull(strstr(e.text, "program sh,"));
	ck_assert_int_eq(connector_ready(&connector_command, &file, "/bin",
	    &e), 0);
	ck_assert_int_eq(connector_ready(&connector_command, &file, NULL,
	    &e), 0);
}
END_TEST

START_TEST(a_command_must_be_there_and_whole)
{
	static const struct {
		const char	*text, *says;
	} wrong[] = {
		{ "---\nname: a\n---\n", "no command" },
		{ "---\nname: a\ncommand: \"'a\"\n---\n", "not closed" },
		{ "---\nname: a\ncommand: \"''\"\n---\n", "no program" },
		{ "---\nname: a\ncommand: \" \"\n---\n", "no program" },
		{ "---\nname: a\ncommand: [a]\n---\n", "no command" },
		{ "---\nname: a\ncommand: /nowhere/x\n---\n",
		    "/nowhere/x, which is not there" },
		{ "---\nname: a\ncommand: /bin/\n---\n", "not there" },
	};
	struct agent_file	f;

	ck_assert_int_eq(agent_file_read(&f, wrong[_i].text,
	    strlen(wrong[_i].text), &e), 0);
	ck_assert_int_eq(connector_ready(&connector_command, &f, "/bin", &e),
	    -1);
	ck_assert_msg(strstr(e.text, wrong[_i].says) != NULL, "%s", e.text);
	agent_file_free(&f);
}
END_TEST

/* We stand elsewhere than it will. */
START_TEST(a_program_of_the_workspace_is_its_own_affair)
{
	struct agent_file	f;
	const char		own[] = "---\nname: a\ncommand: ./bin/agent\n"
				    "---\n";

	ck_assert_int_eq(agent_file_read(&f, own, strlen(own), &e), 0);
	ck_assert_int_eq(connector_ready(&connector_command, &f, "/bin", &e),
	    0);
	agent_file_free(&f);
}
END_TEST

START_TEST(the_policy_is_the_file_s)
{
	struct agent_file	f;
	enum launch_policy	policy;
	const char		always[] = "---\nname: a\nrestart: always\n"
				    "---\n",
				odd[] = "---\nname: a\nrestart: yes\n---\n";

	ck_assert_int_eq(connector_policy(&file, &policy, &e), 0);
	ck_assert_int_eq(policy, LAUNCH_NEVER);
	ck_assert_int_eq(agent_file_read(&f, always, strlen(always), &e), 0);
	ck_assert_int_eq(connector_policy(&f, &policy, &e), 0);
	ck_assert_int_eq(policy, LAUNCH_ALWAYS);
	agent_file_free(&f);
	ck_assert_int_eq(agent_file_read(&f, odd, strlen(odd), &e), 0);
	ck_assert_int_eq(connector_policy(&f, &policy, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "restart: expected never"));
	agent_file_free(&f);
}
END_TEST

START_TEST(a_transcript_has_a_channel)
{
	static const char *const	names[][2] = {
		{ "critic", "tr-critic" }, { "Critic-2", "tr-critic-2" },
		{ "A  b!!c", "tr-a-b-c" }, { "\xc3\xa9t", "tr--t" },
		{ "a_b", "tr-a-b" } };
	char				buf[32];

	ck_assert_int_eq(channel_transcript(buf, sizeof(buf), names[_i][0]),
	    (int)strlen(names[_i][1]));
	ck_assert_str_eq(buf, names[_i][1]);
	ck_assert(channel_is_concrete(buf));
	ck_assert_int_eq(channel_transcript(buf, strlen(names[_i][1]),
	    names[_i][0]), -1);
}
END_TEST

/* --- the environment --------------------------------------------------------------------- */

START_TEST(the_environment_says_who_it_is)
{
	r.role = "reviewer";
	r.model = "m-1";
	r.policy = LAUNCH_ALWAYS;
	plan("command");
	has_env("COTAL_SPACE", "main");
	has_env("COTAL_NAME", "critic-2");
	has_env("COTAL_ROLE", "reviewer");
	has_env("COTAL_ID", ID);
	has_env("COTAL_CREDS", "/state/agents/critic-2/agent.creds");
	has_env("COTAL_SERVERS", "nats://127.0.0.1:4222");
	has_env("COTAL_AGENT_FILE", "/w/.cotal/agents/critic.md");
	has_env("COTAL_SUBSCRIBE", "general");
	has_env("COTAL_ALLOW_SUBSCRIBE", "general,team.>");
	has_env("COTAL_ALLOW_PUBLISH", "general");
	has_env("COTAL_CAPABILITIES", "spawn");
	has_env("COTAL_QUIET", "general");
	has_env("COTAL_KIND", "agent");
	has_env("COTAL_MODEL", "m-1");
	has_env("COTAL_CHANNEL", "1");
	has_env("TERM", "xterm-256color");
	ck_assert_ptr_null(launch_plan_get(&p, "COTAL_TRANSCRIPT"));
	ck_assert_ptr_null(launch_plan_get(&p, "COTAL_MUTED"));
	ck_assert_ptr_null(launch_plan_get(&p, "COTAL_TOKEN"));
	ck_assert_str_eq(p.cwd, root);
	ck_assert_int_eq(p.policy, LAUNCH_ALWAYS);
	ck_assert(p.control);
}
END_TEST

START_TEST(of_ours_a_child_gets_what_is_listed)
{
	char	path[] = "PATH=/bin", key[] = "ANTHROPIC_API_KEY=k",
		aws[] = "AWS_SECRET_ACCESS_KEY=s", lang[] = "LC_ALL=C",
		preload[] = "LD_PRELOAD=x", state[] = "REEVE_STATE=/s",
		name[] = "COTAL_NAME=other", token[] = "COTAL_TOKEN=t",
		term[] = "TERM=dumb";
	char	*from[] = { path, key, aws, lang, preload, state, name, token,
		term, NULL };
	char	**v;
	size_t	 i;

	r.cwd = "/tmp";
	plan("command");
	ck_assert_str_eq(p.cwd, "/tmp");
	ck_assert_ptr_nonnull(v = launch_plan_environ(&p, from));
	ck_assert_str_eq(v[0], "PATH=/bin");
	ck_assert_str_eq(v[1], "LC_ALL=C");
	for (i = 2; v[i] != NULL; i++)
		ck_assert_msg(strncmp(v[i], "COTAL_", 6) == 0 ||
		    strcmp(v[i], "TERM=xterm-256color") == 0 ||
		    strcmp(v[i], "COLORTERM=truecolor") == 0, "%s", v[i]);
	launch_environ_free(v);
	launch_plan_free(&p);
	/* A provider's key is for the program that declares it. */
	plan("claude");
	ck_assert(strlist_has(&p.pass, "ANTHROPIC_API_KEY"));
	ck_assert(!strlist_has(&p.pass, "OPENAI_API_KEY"));
	ck_assert_ptr_null(launch_plan_get(&p, "ANTHROPIC_API_KEY"));
}
END_TEST

/* Whatever the keys are: they are named, and stand nowhere. */
START_TEST(no_key_is_written_down)
{
	const struct connector	*c = connectors[_i];
	const char *const	*key;
	char			*text;

	share(".cotal/config.json", "{\"connectors\":{\"claude\":"
	    "{\"mcpServers\":{\"a\":{\"command\":\"x\",\"env\":"
	    "{\"A_TOKEN\":\"${A_TOKEN}\"}}}},\"codex\":"
	    "{\"mcpServers\":{\"a\":{\"command\":\"x\",\"env\":"
	    "{\"A_TOKEN\":\"${A_TOKEN}\"}}}},\"opencode\":"
	    "{\"mcpServers\":{\"a\":{\"command\":\"x\",\"env\":"
	    "{\"A_TOKEN\":\"${A_TOKEN}\"}}}}}}");
	setenv("A_TOKEN", "hush-hush", 1);
	for (key = c->keys; key != NULL && *key != NULL; key++)
		setenv(*key, "hush-hush", 1);
	plan(c->name);
	ck_assert_ptr_nonnull(text = launch_plan_text(&p, &e));
	ck_assert_ptr_null(strstr(text, "hush-hush"));
	free(text);
	for (key = c->keys; key != NULL && *key != NULL; key++) {
		ck_assert(strlist_has(&p.pass, *key));
		unsetenv(*key);
	}
	ck_assert_int_eq(strlist_has(&p.pass, "A_TOKEN"),
	    c != &connector_command);
	unsetenv("A_TOKEN");
}
END_TEST

/* --- the arguments ------------------------------------------------------------------------ */

START_TEST(a_command_is_its_words)
{
	plan("command");
	ck_assert_uint_eq(p.argv.n, 3);
	ck_assert_str_eq(p.argv.v[0], "sh");
	ck_assert_str_eq(p.argv.v[1], "-c");
	ck_assert_str_eq(p.argv.v[2], "echo \"a  b\"");
	ck_assert_uint_eq(p.n_keys, 0);
}
END_TEST

/* What claude is told to run at a step. */
static const char *
hook_of(const char *step)
{
	static char	 command[200];
	cJSON		*o = cJSON_Parse(after("--settings"));
	const cJSON	*group, *hook;

	group = cJSON_GetArrayItem(json_get(json_get(o, "hooks"), step), 0);
	hook = cJSON_GetArrayItem(json_get(group, "hooks"), 0);
	ck_assert_ptr_nonnull(hook);
	ck_assert_str_eq(json_get(hook, "type")->valuestring, "command");
	snprintf(command, sizeof(command), "%s",
	    json_get(hook, "command")->valuestring);
	cJSON_Delete(o);
	return command;
}

START_TEST(claude_gets_the_mesh_and_its_persona)
{
	r.model = "opus";
	r.resume = "0d3c-1";
	r.transcript = true;
	plan("claude");
	ck_assert_str_eq(p.argv.v[0], "claude");
	arg_at("--strict-mcp-config");
	ck_assert_str_eq(after("--mcp-config"), "{\"mcpServers\":{\"cotal\":"
	    "{\"command\":\"/usr/bin/reeve\",\"args\":[\"mcp\","
	    "\"--handshake\"]}}}");
	ck_assert_str_eq(hook_of("SessionStart"), r.hook);
	ck_assert_str_eq(hook_of("StopFailure"), r.hook);
	ck_assert_str_eq(after("--append-system-prompt"),
	    "Be \"strict\".\nLine 2.");
	ck_assert_str_eq(after("--model"), "opus");
	ck_assert_str_eq(after("--dangerously-load-development-channels"),
	    "server:cotal");
	ck_assert_str_eq(after("--resume"), "0d3c-1");
	arg_at("--fork-session");
	has_env("COTAL_TRANSCRIPT", "1");
	ck_assert_uint_eq(p.n_keys, 1);
	ck_assert_str_eq(p.keys[0].text, "\r");
	ck_assert_int_eq(p.keys[0].after_ms, 1000);
	ck_assert_uint_eq(p.keys[0].times, 5);
}
END_TEST

/* The directory that was made in the private one; there is one. */
static char *
fresh_dir(void)
{
	static char	path[600];
	struct dirent	*d;
	DIR		*dir = opendir(private_dir);
	int		 n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", private_dir,
			    d->d_name);
			n++;
		}
	closedir(dir);
	ck_assert_int_eq(n, 1);
	return path;
}

START_TEST(what_is_shared_with_claude_is_in_a_private_file)
{
	char		 path[640], *text;
	struct stat	 st;

	share(".config/cotal/config.json", "{\"connectors\":{\"claude\":"
	    "{\"mcpServers\":{\"web\":{\"command\":\"own\"},\"db\":{"
	    "\"command\":\"db\",\"args\":[\"--as\",\"${DB_USER:-me}\"],"
	    "\"env\":{\"DB_TOKEN\":\"${DB_TOKEN}\"},\"timeout\":5},"
	    "\"cotal\":{\"command\":\"evil\"}}},\"codex\":{\"mcpServers\":"
	    "{\"other\":{\"command\":\"x\"}}}}}");
	share(".cotal/config.json", "{\"connectors\":{\"claude\":"
	    "{\"mcpServers\":{\"web\":{\"url\":\"https://${HOST}/\","
	    "\"headers\":{\"Authorization\":\"Bearer ${WEB_TOKEN}\"}}}}}}");
	setenv("DB_TOKEN", "hush", 1);
	plan("claude");
	snprintf(path, sizeof(path), "%s/servers.json", fresh_dir());
	ck_assert_str_eq(after("--mcp-config"), path);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(fresh_dir(), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_ptr_nonnull(text = file_read(path, 10000, NULL, &e));
	ck_assert_str_eq(text, "{\"mcpServers\":{\"web\":{\"url\":"
	    "\"https://${HOST}/\",\"headers\":{\"Authorization\":"
	    "\"Bearer ${WEB_TOKEN}\"}},\"db\":{\"command\":\"db\",\"args\":"
	    "[\"--as\",\"${DB_USER:-me}\"],\"env\":{\"DB_TOKEN\":"
	    "\"${DB_TOKEN}\"},\"timeout\":5},\"cotal\":{\"command\":"
	    "\"/usr/bin/reeve\",\"args\":[\"mcp\","
	    "\"--handshake\"]}}}");
	free(text);
	ck_assert(strlist_has(&p.pass, "DB_TOKEN") &&
	    strlist_has(&p.pass, "DB_USER") &&
	    strlist_has(&p.pass, "HOST") &&
	    strlist_has(&p.pass, "WEB_TOKEN"));
	ck_assert_ptr_nonnull(text = launch_plan_text(&p, &e));
	ck_assert_ptr_null(strstr(text, "hush"));
	free(text);
	unsetenv("DB_TOKEN");
}
END_TEST

START_TEST(codex_gets_settings)
{
	share(".cotal/config.json", "{\"connectors\":{\"codex\":"
	    "{\"mcpServers\":{\"db\":{\"command\":\"db\",\"args\":[\"-v\"],"
	    "\"env\":{\"DB_TOKEN\":\"${DB_TOKEN}\"}}}}}}");
	r.model = "o9";
	plan("codex");
	ck_assert_str_eq(p.argv.v[0], "codex");
	arg_at("mcp_servers.db.command=\"db\"");
	arg_at("mcp_servers.db.args=[\"-v\"]");
	arg_at("mcp_servers.db.env_vars=[\"DB_TOKEN\"]");
	ck_assert(strlist_has(&p.pass, "DB_TOKEN"));
	ck_assert_uint_lt(arg_at("mcp_servers.db.command=\"db\""),
	    arg_at("mcp_servers.cotal.command=\"/usr/bin/reeve\""));
	arg_at("mcp_servers.cotal.args=[\"mcp\"]");
	ck_assert_ptr_nonnull(strstr(p.argv.v[arg_at(
	    "mcp_servers.cotal.args=[\"mcp\"]") + 2], "\"COTAL_CREDS\""));
	ck_assert_ptr_nonnull(strstr(p.argv.v[arg_at(
	    "mcp_servers.cotal.args=[\"mcp\"]") + 2],
	    "\"COTAL_CONTROL_TOKEN\""));
	arg_at("developer_instructions=\"Be \\\"strict\\\".\\nLine 2.\"");
	ck_assert_str_eq(after("--model"), "o9");
}
END_TEST

START_TEST(opencode_gets_settings)
{
	share(".cotal/config.json", "{\"connectors\":{\"opencode\":"
	    "{\"mcpServers\":{\"db\":{\"command\":\"db\",\"args\":"
	    "[\"${DB}\"],\"env\":{\"DB_TOKEN\":\"${DB_TOKEN}\"}},"
	    "\"web\":{\"url\":\"https://x\",\"headers\":{\"A\":"
	    "\"b ${C}\"}}}}}}");
	r.model = "a/b";
	plan("opencode");
	has_env("OPENCODE_CONFIG_CONTENT", "{\"mcp\":{\"db\":{\"type\":"
	    "\"local\",\"enabled\":true,\"command\":[\"db\",\"{env:DB}\"],"
	    "\"environment\":{\"DB_TOKEN\":\"{env:DB_TOKEN}\"}},\"web\":{"
	    "\"type\":\"remote\",\"enabled\":true,\"url\":\"https://x\","
	    "\"headers\":{\"A\":\"b {env:C}\"}},\"cotal\":{\"type\":"
	    "\"local\",\"command\":[\"/usr/bin/reeve\",\"mcp\"],\"enabled\":"
	    "true}},\"agent\":{\"cotal\":{\"mode\":\"primary\","
	    "\"description\":\"critic-2\",\"prompt\":"
	    "\"Be \\\"strict\\\".\\nLine 2.\"}}}");
	ck_assert_uint_eq(p.argv.n, 5);
	ck_assert_str_eq(after("--agent"), "cotal");
	ck_assert_str_eq(after("--model"), "a/b");
}
END_TEST

/* It replaces these in all its settings; a persona may be written by an agent
 * that must not read our files through another. */
START_TEST(opencode_looks_nothing_up_for_a_persona)
{
	static const char	text[] = "---\nname: a\n---\n"
				    "See {file:/etc/passwd} {{env:HOME}} "
				    "\\{file:~/x}";
	const char		*settings;
	cJSON			*o;

	agent_file_free(&file);
	ck_assert_int_eq(agent_file_read(&file, text, sizeof(text) - 1, &e),
	    0);
	agent_file_acl(&file, &r.acl);
	plan("opencode");
	settings = launch_plan_get(&p, "OPENCODE_CONFIG_CONTENT");
	ck_assert_ptr_nonnull(settings);
	ck_assert_msg(strstr(settings, "{file:") == NULL &&
	    strstr(settings, "{env:") == NULL, "%s", settings);
	ck_assert_ptr_nonnull(o = json_parse(settings, strlen(settings), &e));
	ck_assert_str_eq(json_get(json_get(json_get(o, "agent"), "cotal"),
	    "prompt")->valuestring, file.body);
	cJSON_Delete(o);
}
END_TEST

START_TEST(what_a_connector_cannot_is_refused)
{
	r.resume = "";
	no_plan("claude", EX_USAGE, "not the id of a session");
	r.resume = "--help";
	no_plan("claude", EX_USAGE, "not the id of a session");
	r.resume = "../x";
	no_plan("claude", EX_USAGE, "not the id of a session");
	r.resume = "abc";
	no_plan("codex", EX_USAGE, "codex cannot resume");
	no_plan("command", EX_USAGE, "command cannot resume");
	r.resume = NULL;
	r.transcript = true;
	no_plan("command", EX_USAGE, "transcript");
	r.transcript = false;
	r.model = "--evil";
	no_plan("claude", EX_USAGE, "not a model");
	r.model = "";
	no_plan("claude", EX_USAGE, "not a model");
	r.model = NULL;
	r.cwd = "relative";
	no_plan("command", EX_DATAERR, "cwd");
	r.cwd = NULL;
	r.name = "a\nb\xff";
	no_plan("command", EX_DATAERR, "COTAL_NAME");
}
END_TEST

/* Settings that are refused, for claude but where it is said. */
static const struct {
	const char	*connector, *text, *says;
} wrong[] = {
	{ "claude", "{", "not JSON" },
	{ "claude", "[]", "expected an object" },
	{ "claude", "{\"connectors\":[]}", "connectors: expected" },
	{ "claude", "{\"connectors\":{\"claude\":1}}",
	    "connectors.claude: expected" },
	{ "claude", "{\"connectors\":{\"claude\":{\"mcpServers\":[]}}}",
	    "mcpServers: expected" },
#define SERVER(s)	"{\"connectors\":{\"claude\":{\"mcpServers\":" s "}}}"
#define CODEX(s)	"{\"connectors\":{\"codex\":{\"mcpServers\":" s "}}}"
	{ "claude", SERVER("{\"a\":1}"), "mcpServers.a" },
	{ "claude", SERVER("{\"a\":{}}"), "expected a command, or a url" },
	{ "claude", SERVER("{\"a\":{\"command\":\"x\",\"url\":\"y\"}}"),
	    "expected a command, or a url" },
	{ "claude", SERVER("{\"a.b\":{\"command\":\"x\"}}"), "letters" },
	{ "claude", SERVER("{\"a\":{\"command\":1}}"), "command" },
	{ "claude", SERVER("{\"a\":{\"command\":\"x\",\"args\":\"y\"}}"),
	    "args" },
	{ "claude", SERVER("{\"a\":{\"command\":\"x\",\"env\":{\"B\":1}}}"),
	    "env.B" },
	{ "claude", SERVER("{\"a\":{\"command\":\"x\",\"env\":"
	    "{\"DB_PASSWORD\":\"hunter2\"}}}"), "env.DB_PASSWORD: a secret" },
	{ "claude", SERVER("{\"a\":{\"url\":\"x\",\"headers\":"
	    "{\"Authorization\":\"Bearer abc\"}}}"), "a secret" },
	/* beside a reference, or in place of what it has not */
#define ENV(k, v)	SERVER("{\"a\":{\"command\":\"x\",\"env\":{\"" k \
			    "\":\"" v "\"}}}")
	{ "claude", ENV("DB_PASSWORD", "hunter2${NONE}"), "a secret" },
	{ "claude", ENV("DB_PASSWORD", "${NONE}hunter2"), "a secret" },
	{ "claude", ENV("DB_PASSWORD", "${NONE:-hunter2}"), "a secret" },
	{ "claude", ENV("DB_PASSWORD", "${A}${NONE:-hunter2}"), "a secret" },
	{ "claude", ENV("AUTHORIZATION", "Bearer ${A} hunter2"),
	    "a secret" },
	{ "claude", ENV("A_TOKENS", "t0p"), "a secret" },
	{ "claude", ENV("DB", "pg://me:hunter2@db/x"), "env.DB: a secret" },
	{ "claude", ENV("DB", "pg://me:hunter2@db"), "a secret" },
#define ARGS(v)		SERVER("{\"a\":{\"command\":\"x\",\"args\":[" v "]}}")
	{ "claude", ARGS("\"--token=abc\""), "args[0]: a secret" },
	{ "claude", ARGS("\"-v\",\"--api-key\",\"abc\""),
	    "args[2]: a secret" },
	{ "claude", ARGS("\"-e\",\"A_TOKEN=abc\""), "args[1]: a secret" },
	{ "claude", ARGS("\"https://a:b@c\""), "args[0]: a secret" },
	{ "claude", SERVER("{\"a\":{\"url\":\"https://me:pw@x/\"}}"),
	    "url: a secret" },
	{ "claude", SERVER("{\"a\":{\"url\":\"https://x/?a=b&api_key=c\"}}"),
	    "url: a secret" },
	{ "claude", SERVER("{\"a\":{\"command\":\"${}\"}}"), "expected ${" },
	{ "claude", SERVER("{\"a\":{\"command\":\"${A\"}}"), "expected ${" },
	{ "claude", SERVER("{\"a\":{\"command\":\"${A:B}\"}}"),
	    "expected ${" },
	{ "claude", SERVER("{\"a\":{\"command\":\"${A:-B\"}}"),
	    "expected ${" },
	{ "claude", SERVER("{\"a\":{\"command\":\"${A B}\"}}"),
	    "a variable's name" },
	{ "claude", SERVER("{\"a\":{\"command\":\"x\"},\"a\":"
	    "{\"command\":\"y\"}}"), "given twice" },
	{ "codex", CODEX("{\"a\":{\"url\":\"https://x\"}}"),
	    "only be given a command" },
	{ "codex", CODEX("{\"a\":{\"command\":\"x\",\"args\":[\"${A}\"]}}"),
	    "only be given a command" },
	{ "codex", CODEX("{\"a\":{\"command\":\"x\",\"env\":"
	    "{\"A\":\"${B}\"}}}"), "as it is" },
};

/* What only sounds like a secret, or refers to one. */
static const char *const right[] = {
	ENV("MAX_TOKENS", "4096"), ENV("A_TOKEN_FILE", "/run/token"),
	ENV("A_TOKEN", ""), ENV("A_TOKEN", "${A}"), ENV("A_TOKEN", "${A:-}"),
	ENV("AUTHORIZATION", "Bearer ${A}"), ENV("PASSWORD", "${A}:${B}"),
	ENV("DB", "pg://me:${A}@db/x"), ENV("DB", "pg://me@db:5432/a@b"),
	ARGS("\"--token\",\"${A}\",\"--token=${A}\""),
	ARGS("\"--token-file\",\"/run/token\""),
	ARGS("\"--no-token\",\"--verbose\""), ARGS("\"x\",\"--token\""),
	SERVER("{\"a\":{\"url\":\"https://x:1/y?token=${A}&b=c#d\"}}"),
};

START_TEST(settings_may_refer_to_secrets)
{
	share(".cotal/config.json", right[_i]);
	plan("claude");
}
END_TEST

START_TEST(settings_that_are_wrong_are_named)
{
	share(".cotal/config.json", wrong[_i].text);
	no_plan(wrong[_i].connector, EX_CONFIG, wrong[_i].says);
}
END_TEST

/* Settings that a few bytes are changed of are refused, or give a plan. */
START_TEST(no_byte_of_settings_does_harm)
{
	static const char	base[] = "{\"connectors\":{\"claude\":"
	    "{\"mcpServers\":{\"a\":{\"command\":\"x${A}\"}}},"
	    "\"codex\":{\"mcpServers\":{\"a\":{\"command\":\"x\","
	    "\"args\":[\"y\"],\"env\":{\"A\":\"${A}\"}}}},"
	    "\"opencode\":{\"mcpServers\":{\"a\":{\"url\":"
	    "\"${A}/${B}\",\"headers\":{\"A\":\"${A} b\"}}}}}}";
	static const char	chars[] = "\"{}[]:,$a1\\ u";
	char			text[sizeof(base)], path[96];
	const struct connector	*c;
	int			tries, i, taken = 0;
	FILE			*f;

	share(".cotal/config.json", base);
	snprintf(path, sizeof(path), "%s/.cotal/config.json", root);
	srandom(5);
	for (tries = 0; tries < 6000; tries++) {
		memcpy(text, base, sizeof(text));
		for (i = 0; i <= tries % 3; i++)
			text[(size_t)random() % (sizeof(text) - 1)] =
			    chars[(size_t)random() % (sizeof(chars) - 1)];
		ck_assert_ptr_nonnull(f = fopen(path, "w"));
		fputs(text, f);
		ck_assert_int_eq(fclose(f), 0);
		c = connectors[1 + tries % 2];
		if (plan_make(c, &r, &p, &e) == 0)
			taken++;
		launch_plan_free(&p);
	}
	ck_assert_int_gt(taken, 300);
}
END_TEST

START_TEST(settings_behind_a_link_are_refused)
{
	char	path[96];

	share("real.json", "{}");
	ck_assert_int_eq(safe_create(root, ".cotal/x", "", &e), 0);
	snprintf(path, sizeof(path), "%s/.cotal/config.json", root);
	ck_assert_int_eq(symlink("../real.json", path), 0);
	no_plan("claude", EX_NOPERM, "symbolic link");
}
END_TEST

START_TEST(a_persona_may_be_too_long)
{
	static char	text[AGENT_FILE_MAX];
	const char	head[] = "---\nname: a\n---\n";

	memset(text, 'x', sizeof(text));
	memcpy(text, head, strlen(head));
	agent_file_free(&file);
	ck_assert_int_eq(agent_file_read(&file, text, sizeof(text), &e), 0);
	agent_file_acl(&file, &r.acl);
	no_plan("claude", EX_DATAERR, "over");
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("connector");
	TCase	*words = tcase_create("words"), *plans = tcase_create("plans");

	tcase_add_loop_test(words, a_line_is_split_by_quotes, 0,
	    sizeof(split) / sizeof(split[0]));
	tcase_add_loop_test(words, what_is_not_closed_is_refused, 0, 5);
	tcase_add_test(words, no_line_does_harm);
	suite_add_tcase(s, words);

	tcase_set_timeout(plans, 60);
	tcase_add_checked_fixture(plans, stage, strike);
	tcase_add_test(plans, a_connector_is_chosen_and_known);
	tcase_add_test(plans, a_missing_program_is_named);
	tcase_add_loop_test(plans, a_command_must_be_there_and_whole, 0, 7);
	tcase_add_test(plans, a_program_of_the_workspace_is_its_own_affair);
	tcase_add_test(plans, the_policy_is_the_file_s);
	tcase_add_loop_test(plans, a_transcript_has_a_channel, 0, 5);
	tcase_add_test(plans, the_environment_says_who_it_is);
	tcase_add_test(plans, of_ours_a_child_gets_what_is_listed);
	tcase_add_loop_test(plans, no_key_is_written_down, 0, 4);
	tcase_add_test(plans, a_command_is_its_words);
	tcase_add_test(plans, claude_gets_the_mesh_and_its_persona);
	tcase_add_test(plans, what_is_shared_with_claude_is_in_a_private_file);
	tcase_add_test(plans, codex_gets_settings);
	tcase_add_test(plans, opencode_gets_settings);
	tcase_add_test(plans, opencode_looks_nothing_up_for_a_persona);
	tcase_add_test(plans, what_a_connector_cannot_is_refused);
	tcase_add_loop_test(plans, settings_that_are_wrong_are_named, 0,
	    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_loop_test(plans, settings_may_refer_to_secrets, 0,
	    sizeof(right) / sizeof(right[0]));
	tcase_add_test(plans, no_byte_of_settings_does_harm);
	tcase_add_test(plans, settings_behind_a_link_are_refused);
	tcase_add_test(plans, a_persona_may_be_too_long);
	suite_add_tcase(s, plans);
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
