/* SPDX-License-Identifier: ISC */

/*
 * What each connector's program is given, in a real terminal: stand-ins in the
 * place of the real ones note their arguments, their environment and what is
 * typed, and what is in the files that they are pointed to.
 */
#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crew.h"
#include "files.h"
#include "json.h"

#define PERSONA		"Be brief, \"critic\"; say $HOME and {file:/etc/passwd}."

/* --- the stage ------------------------------------------------------------------ */

/* Arguments, environment, directory; then a line for each key press. */
static void
make_program(const char *name)
{
	char	path[300], text[900];

	snprintf(path, sizeof(path), "%s/bin/%s", sp->dir, name);
	snprintf(text, sizeof(text), "#!/bin/sh\n"
	    "f=%s/said.$COTAL_NAME\n"
	    "{ for a; do printf 'arg=%%s\\n' \"$a\"; done; env; "
	    "echo \"cwd=$(pwd)\"; tty; } >$f.tmp\n"
	    "mv $f.tmp $f\n"
	    "while read -r line; do echo enter >>$f.typed; done\n", sp->dir);
	write_file(path, text, 0755);
}

static void
make_persona(const char *connector)
{
	char	path[400], text[800];

	snprintf(path, sizeof(path), "%s/.cotal/agents/%s.md", ws, connector);
	snprintf(text, sizeof(text), "---\nname: a-%s\nagent: %s\n"
	    "role: reviewer\nmodel: large\nallowPublish: [general]\n---\n"
	    PERSONA "\n", connector, connector);
	write_file(path, text, 0600);
}

static void
setup(void)
{
	static const char *const	programs[] = { "claude", "codex",
					    "opencode" };
	static const char *const	keys[][2] = {
	    { "ANTHROPIC_API_KEY", "key-of-anthropic" },
	    { "OPENAI_API_KEY", "key-of-openai" },
	    { "SHARED_TOKEN", "key-of-shared" },
	    { "NOBODYS_TOKEN", "key-of-nobody" } };
	size_t				i;

	crew_space();
	for (i = 0; i < COUNT(programs); i++) {
		make_program(programs[i]);
		make_persona(programs[i]);
	}
	setenv("XDG_CONFIG_HOME", sp->dir, 1);	/* nothing is shared there */
	for (i = 0; i < COUNT(keys); i++)
		setenv(keys[i][0], keys[i][1], 1);
	crew_start();
	for (i = 0; i < COUNT(keys); i++)
		unsetenv(keys[i][0]);
}

/* --- what they were given -------------------------------------------------------- */

/* malloc'd. */
static char *
said_by(const char *name)
{
	char		 path[300], *text;
	struct error	 e;

	snprintf(path, sizeof(path), "%s/said.%s", sp->dir, name);
	AWAIT(access(path, F_OK) == 0);
	text = file_read(path, 256 * 1024, NULL, &e);
	ck_assert_msg(text != NULL, "%s", e.text);
	return text;
}

static void
has(const char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) != NULL, "not there: %s\n%s", what,
	    text);
}

static void
has_not(const char *text, const char *what)
{
	ck_assert_msg(strstr(text, what) == NULL, "there: %s\n%s", what,
	    text);
}

/* The rest of the line behind what; malloc'd. */
static char *
behind(const char *text, const char *what)
{
	const char	*p = strstr(text, what);

	ck_assert_msg(p != NULL, "not there: %s\n%s", what, text);
	p += strlen(what);
	return strndup(p, strcspn(p, "\n"));
}

/* What all have, and none has. */
static void
check_common(const char *text, const char *name)
{
	static const char *const	want[] = { "COTAL_SPACE=t\n",
	    "COTAL_ROLE=reviewer\n", "COTAL_SUBSCRIBE=general\n",
	    "COTAL_ALLOW_SUBSCRIBE=general\n",
	    "COTAL_ALLOW_PUBLISH=general\n", "COTAL_CHANNEL=1\n",
	    "COTAL_CONTROL_SOCKET=/", "COTAL_CONTROL_TOKEN=", "COTAL_ID=U",
	    "COTAL_CREDS=/", "COTAL_AGENT_FILE=/", "HOME=", "/dev/pts/" };
	char				line[300], *args;
	size_t				i;

	for (i = 0; i < COUNT(want); i++)
		has(text, want[i]);
	snprintf(line, sizeof(line), "COTAL_NAME=%s\n", name);
	has(text, line);
	snprintf(line, sizeof(line), "cwd=%s\n", ws);
	has(text, line);
	has_not(text, "NOBODYS_TOKEN");
	has_not(text, "REEVE_");
	has_not(text, "NOTIFY_");
	has_not(text, "-----BEGIN");
	/* Nothing that a list of processes must not show. */
	args = strndup(text, (size_t)(strstr(text, "COTAL_") - text));
	has_not(args, "arg=key-of");
	free(args);
}

static cJSON *
parsed(const char *text)
{
	struct error	e;
	cJSON		*o = json_parse(text, strlen(text), &e);

	ck_assert_msg(o != NULL, "%s: %s", e.text, text);
	return o;
}

static bool
typed_enter(const char *name, int times)
{
	char	 path[300], *text;
	size_t	 n;

	snprintf(path, sizeof(path), "%s/said.%s.typed", sp->dir, name);
	if ((text = file_read(path, 4096, &n, NULL)) == NULL)
		return false;
	free(text);
	return n >= (size_t)times * strlen("enter\n");
}

START_TEST(claude)
{
	char	*text, *json;
	cJSON	*o, *servers;

	spawn("claude");
	text = said_by("a-claude");
	check_common(text, "a-claude");
	has(text, "arg=--strict-mcp-config\narg=--mcp-config\narg={");
	has(text, "arg=--append-system-prompt\narg=" PERSONA "\n");
	has(text, "arg=--model\narg=large\n");
	has(text, "arg=--dangerously-load-development-channels\n"
	    "arg=server:cotal\n");
	has_not(text, "--resume");
	has(text, "ANTHROPIC_API_KEY=key-of-anthropic\n");
	has_not(text, "key-of-openai");
	json = behind(text, "arg=--mcp-config\narg=");
	o = parsed(json);
	servers = cJSON_GetObjectItemCaseSensitive(o, "mcpServers");
	ck_assert_int_eq(cJSON_GetArraySize(servers), 1);
	ck_assert_str_eq(servers->child->string, "cotal");
	cJSON_Delete(o);
	free(json);
	free(text);
	/* Past its start-up prompts, a second apart. */
	AWAIT(typed_enter("a-claude", 2));
	ck_assert_int_eq(reeve(sp, NULL, 0, "stop --forget a-claude"), 0);
}
END_TEST

/* A fork of a session; and what the operator shares comes before ours, in a
 * file that only the agent can read, with its secrets by name alone. */
START_TEST(claude_with_what_is_shared)
{
	char		 path[400], *text, *file, *json;
	struct stat	 st;
	cJSON		*o, *servers;

	snprintf(path, sizeof(path), "%s/.cotal/config.json", ws);
	write_file(path, "{\"connectors\":{\"claude\":{\"mcpServers\":{"
	    "\"search\":{\"command\":\"search-server\",\"env\":{"
	    "\"SEARCH_TOKEN\":\"${SHARED_TOKEN}\"}}}}}}", 0600);
	spawn("claude --resume s-1");
	text = said_by("a-claude");
	check_common(text, "a-claude");
	has(text, "arg=--resume\narg=s-1\narg=--fork-session\n");
	has(text, "SHARED_TOKEN=key-of-shared\n");
	file = behind(text, "arg=--mcp-config\narg=");
	ck_assert(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600);
	json = file_read(file, 65536, NULL, NULL);
	ck_assert_ptr_nonnull(json);
	has(json, "${SHARED_TOKEN}");
	has_not(json, "key-of");
	o = parsed(json);
	servers = cJSON_GetObjectItemCaseSensitive(o, "mcpServers");
	ck_assert_int_eq(cJSON_GetArraySize(servers), 2);
	ck_assert_str_eq(servers->child->string, "search");
	ck_assert_str_eq(servers->child->next->string, "cotal");
	cJSON_Delete(o);
	ck_assert_int_eq(reeve(sp, NULL, 0, "stop --forget a-claude"), 0);
	AWAIT(access(file, F_OK) == -1);
	free(json);
	free(file);
	free(text);
}
END_TEST

START_TEST(codex)
{
	char	*text;

	spawn("codex");
	text = said_by("a-codex");
	check_common(text, "a-codex");
	has(text, "arg=-c\narg=mcp_servers.cotal.command=");
	has(text, "arg=-c\narg=developer_instructions=\"Be brief, "
	    "\\\"critic\\\"; say $HOME and {file:/etc/passwd}.");
	has(text, "arg=--model\narg=large\n");
	has(text, "OPENAI_API_KEY=key-of-openai\n");
	has_not(text, "key-of-anthropic");
	free(text);
	ck_assert_int_ne(reeve(sp, NULL, 0, "spawn codex --resume s-1"), 0);
	ck_assert_int_ne(reeve(sp, NULL, 0, "spawn codex --transcript"), 0);
}
END_TEST

/* It looks up {file:...} in its settings, and finds none of a persona's. */
START_TEST(opencode)
{
	char	*text, *json;
	cJSON	*o, *agents;

	spawn("opencode");
	text = said_by("a-opencode");
	check_common(text, "a-opencode");
	has(text, "arg=--agent\n");
	has(text, "arg=--model\narg=large\n");
	json = behind(text, "OPENCODE_CONFIG_CONTENT=");
	has_not(json, "{file:");
	o = parsed(json);
	ck_assert_ptr_nonnull(json_get(json_get(o, "mcp"), "cotal"));
	agents = cJSON_GetObjectItemCaseSensitive(o, "agent");
	ck_assert_ptr_nonnull(agents);
	has(json_get(agents->child, "prompt")->valuestring, "{file:/etc");
	cJSON_Delete(o);
	free(json);
	free(text);
}
END_TEST

int
main(void)
{
	TCase	*tc = tcase_create("programs");

	tcase_add_checked_fixture(tc, setup, space_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, claude);
	tcase_add_test(tc, claude_with_what_is_shared);
	tcase_add_test(tc, codex);
	tcase_add_test(tc, opencode);
	return test_main("launches", tc, NULL);
}
