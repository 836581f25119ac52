/* SPDX-License-Identifier: ISC */

/* See mcp_lines.h. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mcp_lines.h"

struct mcp	*m;
struct mcp_call	*held[MCP_CALLS_MAX + 1];
size_t		 n_held;
unsigned	 n_ready;

/* --- a server with two tools --------------------------------------------------- */

static cJSON *
list(void *arg, const char *version)
{
	cJSON	*a = cJSON_CreateArray(), *o = cJSON_CreateObject();

	(void)arg;
	ck_assert(json_set_str(o, "name", version));
	ck_assert(cJSON_AddItemToArray(a, o));
	return a;
}

static bool
call(void *arg, struct mcp_call *c, const char *tool, const cJSON *args)
{
	(void)arg;
	if (strcmp(tool, "later") == 0)
		held[n_held++] = c;
	else if (strcmp(tool, "now") == 0)
		mcp_answer(c, args == NULL ? "nothing" : "something", false);
	else
		return false;
	return true;
}

static void
ready(void *arg)
{
	(void)arg;
	n_ready++;
}

static const char *const	experimental[] = { "a/b", NULL };
struct mcp_conf		conf = { .name = "n", .title = "t",
	.version = "1", .instructions = "i", .experimental = experimental };
static const struct mcp_ops	ops = { list, call, ready };

void
setup(void)
{
	conf.handshake = false;
	m = mcp_new(&conf, &ops, NULL);
	ck_assert_ptr_nonnull(m);
	n_held = 0;
	n_ready = 0;
}

void
teardown(void)
{
	mcp_free(m);
}

/* --- saying and hearing ----------------------------------------------------------- */

void
say(const char *line)
{
	mcp_input(m, line, strlen(line));
	mcp_input(m, "\n", 1);
}

cJSON *
hear(void)
{
	struct error	 e;
	const char	*out, *end;
	size_t		 len;
	cJSON		*o;

	if ((out = mcp_output(m, &len)) == NULL)
		return NULL;
	end = memchr(out, '\n', len);
	ck_assert_ptr_nonnull(end);
	o = json_parse(out, (size_t)(end - out), &e);
	ck_assert_msg(o != NULL, "%s: %.*s", e.text, (int)(end - out), out);
	mcp_written(m, (size_t)(end - out) + 1);
	return o;
}

void
hears(const char *expected)
{
	struct error	 e;
	cJSON		*want = json_parse(expected, strlen(expected), &e);
	cJSON		*got = hear();
	char		*text = got == NULL ? NULL : json_print(got);

	ck_assert_ptr_nonnull(want);
	ck_assert_msg(got != NULL && cJSON_Compare(want, got, true),
	    "expected %s, not %s", expected, text == NULL ? "silence" : text);
	free(text);
	cJSON_Delete(want);
	cJSON_Delete(got);
}

void
silence(void)
{
	size_t	len;

	ck_assert_msg(mcp_output(m, &len) == NULL, "not silent");
}

void
refused(const char *id, int code)
{
	cJSON		*o = hear();
	char		*got;
	const cJSON	*err;

	ck_assert_msg(o != NULL, "no answer");
	got = json_print(json_get(o, "id"));
	ck_assert_str_eq(got, id);
	err = json_get(o, "error");
	ck_assert_ptr_nonnull(err);
	ck_assert_int_eq(json_get(err, "code")->valueint, code);
	ck_assert(cJSON_IsString(json_get(err, "message")));
	ck_assert_ptr_null(json_get(o, "result"));
	free(got);
	cJSON_Delete(o);
}

void
begin(const char *version)
{
	char	line[256];
	cJSON	*o;

	snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":"
	    "\"initialize\",\"params\":{\"protocolVersion\":\"%s\","
	    "\"capabilities\":{},\"clientInfo\":{\"name\":\"c\",\"version\":"
	    "\"1\"}}}", version);
	say(line);
	o = hear();
	ck_assert_str_eq(cJSON_GetStringValue(json_get(json_get(o, "result"),
	    "protocolVersion")), version);
	cJSON_Delete(o);
	say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	ck_assert(mcp_is_ready(m));
}
