/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
