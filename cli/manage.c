/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "json.h"
#include "manage.h"
#include "names.h"

cJSON *
manage_args(const char *name, ...)
{
	cJSON		*o = cJSON_CreateObject();
	const char	*value;
	va_list		 ap;

	va_start(ap, name);
	for (; o != NULL && name != NULL; name = va_arg(ap, const char *)) {
		value = va_arg(ap, const char *);
		if (value != NULL && !json_set_str(o, name, value)) {
			cJSON_Delete(o);
			o = NULL;
		}
	}
	va_end(ap);
	return o;
}

char *
manage_path(const char *path, struct error *e)
{
	char	*here, *whole = NULL;

	if (path[0] == '/')
		whole = strdup(path);
	else if ((here = getcwd(NULL, 0)) != NULL) {
		if (asprintf(&whole, "%s/%s", here, path) == -1)
			whole = NULL;
		free(here);
	}
	if (whole == NULL)
		error_errno(e, EX_OSERR, "%s", path);
	return whole;
}

static char *
request_text(const char *id, const char *op, cJSON *args)
{
	cJSON	*o = cJSON_CreateObject(), *from = manage_args("id", id,
		    "name", "reeve", NULL);
	char	*text = NULL;

	if (args == NULL)
		args = cJSON_CreateObject();
	if (o != NULL && json_set_str(o, "op", op) &&
	    json_set_item(o, "args", args)) {
		args = NULL;
		if (json_set_item(o, "from", from))
			text = json_print(o);
		from = NULL;
	}
	cJSON_Delete(from);
	cJSON_Delete(args);
	cJSON_Delete(o);
	return text;
}

struct answer {
	bool	 ok;
	char	*error;
	int64_t	 code;
};

static const struct json_field table[] = {
	{ .name = "ok", .type = JSON_BOOL, .required = true,
	    .offset = offsetof(struct answer, ok) },
	{ .name = "error", .type = JSON_STRING,
	    .offset = offsetof(struct answer, error) },
	{ .name = "code", .type = JSON_I64,
	    .offset = offsetof(struct answer, code) },
	JSON_END };

static cJSON *
answer_data(natsMsg *m, struct error *e)
{
	struct answer	 a = { .code = EX_DATAERR };
	cJSON		*o = json_parse(natsMsg_GetData(m),
			    (size_t)natsMsg_GetDataLength(m), e), *data = NULL;

	if (o == NULL || json_read(o, table, &a, "", e) == -1)
		error_wrap(e, "the manager's answer");
	else if (!a.ok)
		error_set(e, a.code > 0 && a.code < 256 ? (int)a.code :
		    EX_DATAERR, "%s", a.error == NULL ? "refused" : a.error);
	else if ((data = cJSON_DetachItemFromObjectCaseSensitive(o,
	    "data")) == NULL && (data = cJSON_CreateObject()) == NULL)
		error_errno(e, EX_OSERR, "answer");
	cJSON_Delete(o);
	return data;
}

static cJSON *
call(struct cli *cli, struct bus *b, const char *id, const char *text,
    struct error *e)
{
	char		 subject[SUBJECT_MAX], reply[SUBJECT_MAX + 64];
	struct bus_pub	 p = { .subject = subject, .data = text,
			    .len = strlen(text) };
	unsigned char	 random[16];
	char		 nonce[33];
	natsMsg		*m;
	cJSON		*data;

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(nonce, sizeof(nonce), random, sizeof(random));
	subject_ctl(subject, sizeof(subject), cli->config.space, "admin", id);
	snprintf(reply, sizeof(reply), "%s.reply.%s", subject, nonce);
	m = bus_call_on(b, &p, reply, MANAGE_MS, e);
	if (m == NULL) {
		if (e->code == EX_UNAVAILABLE)
			error_set(e, EX_UNAVAILABLE, "no manager serves the "
			    "space %s: `reeve status` shows whether it runs",
			    cli->config.space);
		else if (e->code == EX_TEMPFAIL)
			error_set(e, EX_TEMPFAIL, "the manager has not "
			    "answered: `reeve ps --all` shows what it has "
			    "done");
		return NULL;
	}
	data = answer_data(m, e);
	bus_msg_free(m);
	return data;
}

cJSON *
manage_call(struct cli *cli, const char *op, cJSON *args, struct error *e)
{
	struct creds	 creds;
	struct bus	*b = NULL;
	cJSON		*data = NULL;
	char		*text;

	if (cli_connect(cli, PROFILE_CALLER_ADMIN, NULL, &creds, &b, e) ==
	    -1) {
		cJSON_Delete(args);
		return NULL;
	}
	if ((text = request_text(creds.key.public, op, args)) == NULL)
		error_errno(e, EX_OSERR, "%s", op);
	else
		data = call(cli, b, creds.key.public, text, e);
	free(text);
	bus_close(b);
	creds_wipe(&creds);
	return data;
}

/* Ended already is as good, where it is to be forgotten. */
static int
stop(struct cli *cli, const char *name, const char *id, bool hard,
    bool forget, struct error *e)
{
	cJSON	*args = manage_args("name", name, "id", id, NULL), *data;

	if (args != NULL && hard && !json_set_bool(args, "graceful", false)) {
		cJSON_Delete(args);
		args = NULL;
	}
	if (args == NULL)
		return error_errno(e, EX_OSERR, "stop");
	if ((data = manage_call(cli, "stop", args, e)) == NULL)
		return forget && e->code == EX_NOUSER ? 0 : -1;
	cJSON_Delete(data);
	if (!cli->json)
		printf("%s: stopped\n", name);
	return 0;
}

int
manage_stop(struct cli *cli, const char *name, const char *id, bool hard,
    bool forget, struct error *e)
{
	cJSON	*data;

	if (stop(cli, name, id, hard, forget, e) == -1)
		return -1;
	if (!forget)
		return 0;
	data = manage_call(cli, "forget", manage_args("name", name, "id", id,
	    NULL), e);
	if (data == NULL)
		return -1;
	cJSON_Delete(data);
	if (!cli->json)
		printf("%s: forgotten\n", name);
	return 0;
}
