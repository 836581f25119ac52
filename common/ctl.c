/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "ctl.h"
#include "json.h"
#include "log.h"

bool
ctl_is_bound(natsMsg *m)
{
	struct subject	s;

	return subject_parse(&s, natsMsg_GetSubject(m)) &&
	    s.kind == SUBJECT_CTL &&
	    reply_is_bound(natsMsg_GetSubject(m), natsMsg_GetReply(m)) &&
	    strlen(natsMsg_GetReply(m)) < SUBJECT_MAX;
}

/* --- the request ------------------------------------------------------------- */

struct body {
	char	*op, *from_id;
	cJSON	*args;
};

static const struct json_field from_fields[] = {
	{ .name = "id", .type = JSON_STRING, .required = true,
	    .offset = offsetof(struct body, from_id) },
	JSON_END };
static const struct json_field body_fields[] = {
	{ .name = "op", .type = JSON_STRING, .required = true, .max = 64,
	    .offset = offsetof(struct body, op) },
	{ .name = "args", .type = JSON_OBJECT,
	    .offset = offsetof(struct body, args) },
	{ .name = "from", .type = JSON_OBJECT, .required = true,
	    .sub = from_fields, .offset = 0 },
	JSON_END };

static int
check_caller(struct ctl_request *rq, const char *from_id, struct error *e)
{
	const struct subject	*s = &rq->subject;

	if (strlen(from_id) != s->sender_len ||
	    strncmp(from_id, s->sender, s->sender_len) != 0)
		return error_set(e, EX_NOPERM, "from.id is not the sender of "
		    "this request");
	if (!name_is_id(from_id))
		return error_set(e, EX_NOPERM, "the sender is not an id");
	snprintf(rq->caller, sizeof(rq->caller), "%s", from_id);
	return 0;
}

int
ctl_read(struct ctl_request *rq, natsMsg *m, struct error *e)
{
	struct body	b = { NULL, NULL, NULL };

	memset(rq, 0, sizeof(*rq));
	if (!subject_parse(&rq->subject, natsMsg_GetSubject(m)) ||
	    rq->subject.kind != SUBJECT_CTL)
		return error_set(e, EX_DATAERR, "not a control request");
	rq->tree = json_parse(natsMsg_GetData(m),
	    (size_t)natsMsg_GetDataLength(m), e);
	if (rq->tree == NULL ||
	    json_read(rq->tree, body_fields, &b, "", e) == -1)
		return -1;
	rq->op = b.op;
	rq->args = b.args;
	return check_caller(rq, b.from_id, e);
}

void
ctl_free(struct ctl_request *rq)
{
	cJSON_Delete(rq->tree);
	memset(rq, 0, sizeof(*rq));
}

/* --- the answer -------------------------------------------------------------- */

void
ctl_answer(struct bus *b, const char *reply, cJSON *data, const char *why,
    int code)
{
	cJSON		*o = cJSON_CreateObject();
	struct bus_pub	 p = { .subject = reply };
	char		*body;

	if (o == NULL || !json_set_bool(o, "ok", data != NULL))
		fatal_memory();
	if (data != NULL)
		cJSON_AddItemToObject(o, "data", data);
	else if (!json_set_str(o, "error", why) ||
	    (code != 0 && !json_set_i64(o, "code", code)))
		fatal_memory();
	if ((body = json_print(o)) == NULL)
		fatal_memory();
	p.data = body;
	p.len = strlen(body);
	(void)bus_publish(b, &p, NULL);
	free(body);
	cJSON_Delete(o);
}

/* --- the caller's side ------------------------------------------------------- */

#define NONCE_BYTES	16

int
ctl_address(char subject[SUBJECT_MAX], char lane[SUBJECT_MAX],
    const char *space, const char *service, const char *id, struct error *e)
{
	unsigned char	random[NONCE_BYTES];
	char		nonce[2 * NONCE_BYTES + 1];
	int		n = -1;

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(nonce, sizeof(nonce), random, sizeof(random));
	if (subject_ctl(subject, SUBJECT_MAX, space, service, id) != -1)
		n = snprintf(lane, SUBJECT_MAX, "%s.reply.%s", subject,
		    nonce);
	return n < 0 || n >= SUBJECT_MAX ? error_set(e, EX_CONFIG,
	    "the space's name is too long") : 0;
}

char *
ctl_request(const char *op, cJSON *args, const char *id, const char *name,
    const char *role)
{
	cJSON	*o = cJSON_CreateObject(), *from = cJSON_CreateObject();
	char	*text = NULL;
	bool	 ok = o != NULL && json_set_str(o, "op", op);

	if (ok && args != NULL)
		ok = json_set_item(o, "args", args);
	else
		cJSON_Delete(args);
	if (!ok)
		cJSON_Delete(from);
	else if (json_set_item(o, "from", from) &&
	    json_set_str(from, "id", id) && json_set_str(from, "name", name) &&
	    (role == NULL || json_set_str(from, "role", role)))
		text = json_print(o);
	cJSON_Delete(o);
	return text;
}

struct answer {
	bool		 ok;
	const char	*error;
	int64_t		 code;
	cJSON		*data;
};

static const struct json_field answer_fields[] = {
	{ .name = "ok", .type = JSON_BOOL, .required = true,
	    .offset = offsetof(struct answer, ok) },
	{ .name = "error", .type = JSON_STRING,
	    .offset = offsetof(struct answer, error) },
	{ .name = "code", .type = JSON_I64,
	    .offset = offsetof(struct answer, code) },
	{ .name = "data", .type = JSON_ANY,
	    .offset = offsetof(struct answer, data) },
	JSON_END };

/* Is it for now only that it was not done? */
static bool
is_later(const char *text)
{
	size_t	len = strlen(text), n = strlen(CTL_LATER);

	return len >= n && strcmp(text + len - n, CTL_LATER) == 0;
}

cJSON *
ctl_data(natsMsg *m, int *code, struct error *e)
{
	struct answer	 a = { .ok = false };
	struct error	 why;
	cJSON		*o, *data = NULL;

	if (code != NULL)
		*code = 0;
	o = json_parse(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
	    &why);
	if (o == NULL || json_read(o, answer_fields, &a, "", &why) == -1)
		error_set(e, EX_PROTOCOL, "what came is no answer: %s",
		    why.text);
	else if (!a.ok)
		error_set(e, a.error != NULL && is_later(a.error) ?
		    EX_TEMPFAIL : EX_DATAERR, "%s", a.error != NULL &&
		    a.error[0] != '\0' ? a.error :
		    "refused without a reason");
	else if ((data = a.data == NULL ? cJSON_CreateObject() :
	    cJSON_DetachItemViaPointer(o, a.data)) == NULL)
		error_errno(e, EX_OSERR, "answer");
	if (code != NULL && !a.ok && a.code > 0 && a.code < 256)
		*code = (int)a.code;
	cJSON_Delete(o);
	return data;
}
