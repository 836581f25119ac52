/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "json.h"

const char *const hooks_claude[] = { "SessionStart", "UserPromptSubmit",
    "PreToolUse", "Notification", "Stop", "StopFailure", "SessionEnd", NULL };

char *
hooks_command(const char *s)
{
	static const char	plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._+:~=@-";
	char			*out, *to;

	if (s[strspn(s, plain)] == '\0')
		return strdup(s);
	if ((out = malloc(4 * strlen(s) + 3)) == NULL)
		return NULL;
	to = out;
	*to++ = '\'';
	for (; *s != '\0'; s++)
		if (*s == '\'')
			to = stpcpy(to, "'\\''");
		else
			*to++ = *s;
	strcpy(to, "'");
	return out;
}

cJSON *
hooks_group(const char *step, const char *command)
{
	cJSON	*group = cJSON_CreateObject(), *list, *o = NULL;

	if (group != NULL && (strcmp(step, "PreToolUse") != 0 ||
	    json_set_str(group, "matcher", "*")) &&
	    (list = cJSON_AddArrayToObject(group, "hooks")) != NULL &&
	    (o = cJSON_CreateObject()) != NULL) {
		cJSON_AddItemToArray(list, o);
		if (json_set_str(o, "type", "command") &&
		    json_set_str(o, "command", command) &&
		    json_set_u64(o, "timeout", HOOK_S))
			return group;
	}
	cJSON_Delete(group);
	return NULL;
}

/* One step of hooks, an object. */
static bool
add_step(cJSON *hooks, const char *step, const char *command)
{
	cJSON	*groups = cJSON_AddArrayToObject(hooks, step);
	cJSON	*group = hooks_group(step, command);

	if (groups != NULL && group != NULL &&
	    cJSON_AddItemToArray(groups, group))
		return true;
	cJSON_Delete(group);
	return false;
}

cJSON *
hooks_settings(const char *path)
{
	cJSON	*o = cJSON_CreateObject();
	cJSON	*hooks = cJSON_AddObjectToObject(o, "hooks");
	char	*command = hooks_command(path);
	bool	 ok = hooks != NULL && command != NULL;
	size_t	 i;

	for (i = 0; ok && hooks_claude[i] != NULL; i++)
		ok = add_step(hooks, hooks_claude[i], command);
	free(command);
	if (ok)
		return o;
	cJSON_Delete(o);
	return NULL;
}
