/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "json.h"
#include "manage.h"

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

static cJSON *
answer_data(natsMsg *m, struct error *e)
{
	int	code;
	cJSON	*data = ctl_data(m, &code, e);

	if (data == NULL && e->code == EX_PROTOCOL)
		error_wrap(e, "the manager's answer");
	else if (data == NULL && code != 0)
		e->code = code;
	return data;
}

static cJSON *
call(struct cli *cli, struct bus *b, const char *id, const char *text,
    struct error *e)
{
	char		 subject[SUBJECT_MAX], reply[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = text,
			    .len = strlen(text) };
	natsMsg		*m;
	cJSON		*data;

	if (ctl_address(subject, reply, cli->config.space, "admin", id,
	    e) == -1)
		return NULL;
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
	text = ctl_request(op, args != NULL ? args : cJSON_CreateObject(),
	    creds.key.public, "reeve", NULL);
	if (text == NULL)
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
