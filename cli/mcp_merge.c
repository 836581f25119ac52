/* SPDX-License-Identifier: ISC */

/* What a host is told of us, beside what it was told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "jsonedit.h"
#include "mcp_setup.h"
#include "utf8.h"

#define OURS		"cotal"
#define BEGIN		"# reeve: begin (reeve mcp --setup codex writes " \
			"what is between these lines)\n"
#define BEGIN_MARK	"# reeve: begin"
#define END		"# reeve: end\n"

/* The steps of a session that it has. */
static const char *const	codex_events[] = { "SessionStart",
    "UserPromptSubmit", "PreToolUse", "Stop", NULL };

/* What a server started with a bare environment is to have of ours. */
static const char *const	variables[] = { "COTAL_SPACE", "COTAL_NAME",
    "COTAL_ROLE", "COTAL_ID", "COTAL_CREDS", "COTAL_SERVERS",
    "COTAL_AGENT_FILE", "COTAL_SUBSCRIBE", "COTAL_ALLOW_SUBSCRIBE",
    "COTAL_ALLOW_PUBLISH", "COTAL_CAPABILITIES", "COTAL_CONTROL_SOCKET",
    "COTAL_CONTROL_TOKEN", "COTAL_CHANNEL", "COTAL_TRANSCRIPT", "COTAL_LINK",
    "COTAL_KIND", "COTAL_MODEL", "COTAL_TOKEN", "COTAL_TLS", "COTAL_QUIET",
    "COTAL_MUTED", NULL };

static void *
no_memory(struct error *e)
{
	error_set(e, EX_OSERR, "out of memory");
	return NULL;
}

/* Set it unless it is so already: then the text stays as it is. */
static char *
set_at(const char *was, const char *const *path, size_t n, cJSON *value,
    struct error *e)
{
	cJSON	*is;
	char	*out = NULL;

	if (value == NULL)
		return no_memory(e);
	is = json_edit_get(was, path, n, e);
	if (is != NULL && cJSON_Compare(is, value, true)) {
		if ((out = strdup(was)) == NULL)
			no_memory(e);
	} else if (is != NULL || e->code == 0)
		out = json_edit_set(was, path, n, value, e);
	cJSON_Delete(is);
	cJSON_Delete(value);
	return out;
}

/* --- claude ----------------------------------------------------------------------- */

char *
mcp_setup_servers(const char *was, const char *reeve, const char *hook,
    struct error *e)
{
	const char	*path[] = { "mcpServers", OURS };
	/* It is not woken by the newest version, which it would choose. */
	char		*mcp[] = { (char *)(uintptr_t)"mcp",
			    (char *)(uintptr_t)"--handshake" };
	cJSON		*o = cJSON_CreateObject();

	(void)hook;
	if (o != NULL && (!json_set_str(o, "command", reeve) ||
	    !json_set_strings(o, "args", mcp, 2))) {
		cJSON_Delete(o);
		o = NULL;
	}
	return set_at(was, path, 2, o, e);
}

/* A group that runs our hook, wherever that was installed, and nothing else. */
static bool
is_ours(const cJSON *group)
{
	const cJSON	*list = json_get(group, "hooks");
	const cJSON	*command = cJSON_GetArraySize(list) != 1 ? NULL :
			    json_get(cJSON_GetArrayItem(list, 0), "command");
	const char	*name;
	size_t		 len;

	if (!cJSON_IsString(command))
		return false;
	name = strrchr(command->valuestring, '/');
	name = name == NULL ? command->valuestring : name + 1;
	len = strcspn(name, "'");
	return len == strlen(HOOK_NAME) && memcmp(name, HOOK_NAME, len) == 0;
}

/* The groups of an event with ours among them, once. */
static cJSON *
with_ours(cJSON *groups, const char *event, const char *command)
{
	cJSON	*ours = hooks_group(event, command), *c, *next;
	bool	 done = false;

	if (groups == NULL)
		groups = cJSON_CreateArray();
	if (ours == NULL || groups == NULL) {
		cJSON_Delete(ours);
		cJSON_Delete(groups);
		return NULL;
	}
	for (c = groups->child; c != NULL; c = next) {
		next = c->next;
		if (!is_ours(c))
			continue;
		if (done)
			cJSON_Delete(cJSON_DetachItemViaPointer(groups, c));
		else
			cJSON_ReplaceItemViaPointer(groups, c,
			    cJSON_Duplicate(ours, true));
		done = true;
	}
	if (done)
		cJSON_Delete(ours);
	else
		cJSON_AddItemToArray(groups, ours);
	return groups;
}

static char *
add_event(const char *was, const char *event, const char *command,
    struct error *e)
{
	const char	*path[] = { "hooks", event };
	cJSON		*is = json_edit_get(was, path, 2, e);

	if (is == NULL && e->code != 0)
		return NULL;
	if (is != NULL && !cJSON_IsArray(is)) {
		cJSON_Delete(is);
		error_set(e, EX_DATAERR, "hooks.%s: expected a list", event);
		return NULL;
	}
	return set_at(was, path, 2, with_ours(is, event, command), e);
}

char *
mcp_setup_hooks(const char *was, const char *reeve, const char *hook,
    struct error *e)
{
	char	*command = hooks_command(hook), *text = strdup(was), *next;
	size_t	 i;

	(void)reeve;
	if (command == NULL || text == NULL) {
		free(text);
		text = no_memory(e);
	}
	for (i = 0; text != NULL && hooks_claude[i] != NULL; i++) {
		next = add_event(text, hooks_claude[i], command, e);
		free(text);
		text = next;
	}
	free(command);
	return text;
}

/* --- opencode ---------------------------------------------------------------------- */

char *
mcp_setup_opencode(const char *was, const char *reeve, const char *hook,
    struct error *e)
{
	const char	*path[] = { "mcp", OURS };
	char		*command[] = { (char *)(uintptr_t)reeve,
			    (char *)(uintptr_t)"mcp" };
	cJSON		*o = cJSON_CreateObject();

	(void)hook;
	if (o != NULL && (!json_set_str(o, "type", "local") ||
	    !json_set_strings(o, "command", command, 2) ||
	    !json_set_bool(o, "enabled", true))) {
		cJSON_Delete(o);
		o = NULL;
	}
	if (was[0] == '\0')
		was = "{\n  \"$schema\": \"https://opencode.ai/config.json\""
		    "\n}\n";
	return set_at(was, path, 2, o, e);
}

/* --- codex --------------------------------------------------------------------------- */

/* What JSON spells so, TOML does. */
static bool
put_json(FILE *f, const char *s)
{
	cJSON	*o = cJSON_CreateString(s);
	char	*text = o == NULL ? NULL : json_print(o);

	if (text != NULL)
		fputs(text, f);
	cJSON_Delete(o);
	free(text);
	return text != NULL;
}

static bool
put_codex(FILE *f, const char *reeve, const char *command)
{
	size_t	i;
	bool	ok;

	fputs(BEGIN "[mcp_servers." OURS "]\ncommand = ", f);
	ok = put_json(f, reeve);
	fputs("\nargs = [\"mcp\"]\nenv_vars = [\n", f);
	for (i = 0; variables[i] != NULL; i++)
		fprintf(f, "  \"%s\",\n", variables[i]);
	fputs("]\n", f);
	for (i = 0; ok && codex_events[i] != NULL; i++) {
		fprintf(f, "\n[[hooks.%s]]\n\n[[hooks.%s.hooks]]\n"
		    "type = \"command\"\ncommand = ", codex_events[i],
		    codex_events[i]);
		ok = put_json(f, command);
		fprintf(f, "\ntimeout = %d\n", HOOK_S);
	}
	fputs(END, f);
	return ok;
}

static char *
codex_block(const char *reeve, const char *hook, struct error *e)
{
	char	*command = hooks_command(hook), *text = NULL;
	size_t	 size;
	FILE	*f = command == NULL ? NULL : open_memstream(&text, &size);
	bool	 ok = f != NULL && put_codex(f, reeve, command);

	if (f != NULL && fclose(f) != 0)
		ok = false;
	free(command);
	if (ok)
		return text;
	free(text);
	return no_memory(e);
}

/* A line that begins so, or NULL. */
static const char *
line_with(const char *text, const char *start)
{
	size_t	len = strlen(start);

	while (text != NULL && *text != '\0') {
		if (strncmp(text + strspn(text, " \t"), start, len) == 0)
			return text;
		if ((text = strchr(text, '\n')) != NULL)
			text++;
	}
	return NULL;
}

/* Between our lines; NULL in *from: they are not there.  -1 with *e. */
static int
find_block(const char *was, const char **from, const char **to,
    struct error *e)
{
	*from = line_with(was, BEGIN_MARK);
	*to = line_with(*from != NULL ? *from : was, "# reeve: end");
	if ((*from == NULL) != (*to == NULL) || (*from != NULL &&
	    line_with(strchr(*from, '\n'), BEGIN_MARK) != NULL))
		return error_set(e, EX_DATAERR, "the lines \"" BEGIN_MARK
		    "\" and \"# reeve: end\" are not a pair");
	if (*to != NULL)
		*to += strcspn(*to, "\n") + ((*to)[strcspn(*to, "\n")] != '\0');
	return 0;
}

/* A line without its blanks and quotes: TOML has many ways to spell a key. */
static const char *
bare_line(const char *text, char *buf, size_t size)
{
	size_t	n = 0;

	for (; *text != '\0' && *text != '\n'; text++)
		if (strchr(" \t\r\"'", *text) == NULL && n + 1 < size)
			buf[n++] = *text;
	buf[n] = '\0';
	return *text == '\n' ? text + 1 : text;
}

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* TOML refuses a table that is there twice, also as a key of another. */
static bool
has_own_server(const char *text)
{
	char	line[64];
	bool	top = true, servers = false;

	while (*text != '\0') {
		text = bare_line(text, line, sizeof(line));
		if (begins(line, "[mcp_servers." OURS "]") ||
		    (servers && (begins(line, OURS "=") ||
		    begins(line, OURS "."))) ||
		    (top && (begins(line, "mcp_servers=") ||
		    begins(line, "mcp_servers." OURS "=") ||
		    begins(line, "mcp_servers." OURS "."))))
			return true;
		if (line[0] == '[') {
			top = false;
			servers = begins(line, "[mcp_servers]");
		}
	}
	return false;
}

char *
mcp_setup_codex(const char *was, const char *reeve, const char *hook,
    struct error *e)
{
	const char	*from, *to;
	char		*block, *head = NULL, *out = NULL;
	const char	*gap = "";

	if (!utf8_is_valid(was, strlen(was))) {
		error_set(e, EX_DATAERR, "it is not UTF-8");
		return NULL;
	}
	if (find_block(was, &from, &to, e) == -1 ||
	    (block = codex_block(reeve, hook, e)) == NULL)
		return NULL;
	if (from == NULL) {
		from = to = was + strlen(was);
		if (from > was)
			gap = from[-1] == '\n' ? "\n" : "\n\n";
	}
	if ((head = strndup(was, (size_t)(from - was))) == NULL)
		no_memory(e);
	else if (has_own_server(head) || has_own_server(to))
		error_set(e, EX_DATAERR, "there is a server \"" OURS "\" in "
		    "mcp_servers already: remove it, or keep it");
	else if (asprintf(&out, "%s%s%s%s", head, gap, block, to) == -1)
		out = no_memory(e);
	free(head);
	free(block);
	return out;
}
