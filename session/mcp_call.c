/* SPDX-License-Identifier: ISC */

/* Answers, alone and in batches, and the calls of tools that wait for one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "mcp_impl.h"

/* --- answers ----------------------------------------------------------------- */

static cJSON *
frame(const cJSON *id)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "jsonrpc", "2.0") &&
	    json_set_item(o, "id", id == NULL ? cJSON_CreateNull() :
	    cJSON_Duplicate(id, true)))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static void
deliver(struct mcp *m, struct batch *b, cJSON *o)
{
	if (b == NULL)
		(void)mcp_send(m, o);
	else if (o == NULL || !cJSON_AddItemToArray(b->answers, o)) {
		log_error("an answer in a batch", "why=memory");
		cJSON_Delete(o);
	}
}

void
mcp_refuse_with(struct mcp *m, const struct request *rq, enum rpc_code code,
    const char *why, cJSON *data)
{
	cJSON	*o = frame(rq->id), *err = cJSON_CreateObject();

	if (err == NULL || !json_set_i64(err, "code", code) ||
	    !json_set_str(err, "message", why)) {
		cJSON_Delete(data);
		cJSON_Delete(err);
		err = NULL;
	} else if (data != NULL && !json_set_item(err, "data", data)) {
		cJSON_Delete(err);
		err = NULL;
	}
	if (o == NULL || err == NULL || !json_set_item(o, "error", err)) {
		if (o == NULL)
			cJSON_Delete(err);
		cJSON_Delete(o);
		o = NULL;
	}
	deliver(m, rq->batch, o);
}

void
mcp_refuse(struct mcp *m, const struct request *rq, enum rpc_code code,
    const char *why)
{
	mcp_refuse_with(m, rq, code, why, NULL);
}

void
mcp_reply(struct mcp *m, const struct request *rq, cJSON *result)
{
	cJSON	*o = frame(rq->id);

	if (o == NULL || result == NULL || (rq->stateless &&
	    !mcp_stamp(m, result))) {
		cJSON_Delete(o);
		cJSON_Delete(result);
		mcp_refuse(m, rq, RPC_INTERNAL, "out of memory");
		return;
	}
	if (!json_set_item(o, "result", result)) {
		cJSON_Delete(o);
		o = NULL;
	}
	deliver(m, rq->batch, o);
}

struct batch *
mcp_batch_new(struct mcp *m)
{
	static const struct request	 nobody = { .id = NULL };
	struct batch			*b = calloc(1, sizeof(*b));

	if (b != NULL && (b->answers = cJSON_CreateArray()) != NULL) {
		b->open = 1;
		return b;
	}
	free(b);
	mcp_refuse(m, &nobody, RPC_INTERNAL, "out of memory");
	return NULL;
}

/* Of notifications alone nothing is answered. */
void
mcp_batch_release(struct mcp *m, struct batch *b)
{
	if (b == NULL || --b->open > 0)
		return;
	if (cJSON_GetArraySize(b->answers) > 0)
		(void)mcp_send(m, b->answers);
	else
		cJSON_Delete(b->answers);
	free(b);
}

/* --- calls ----------------------------------------------------------------------- */

static struct mcp_call *
call_new(struct mcp *m, const struct request *rq)
{
	struct mcp_call	*c = calloc(1, sizeof(*c));

	if (c == NULL || (c->id = cJSON_Duplicate(rq->id, true)) == NULL) {
		free(c);
		return NULL;
	}
	c->mcp = m;
	c->stateless = rq->stateless;
	if ((c->batch = rq->batch) != NULL)
		c->batch->open++;
	TAILQ_INSERT_TAIL(&m->calls, c, link);
	m->n_calls++;
	return c;
}

static void
call_free(struct mcp_call *c)
{
	TAILQ_REMOVE(&c->mcp->calls, c, link);
	c->mcp->n_calls--;
	cJSON_Delete(c->id);
	free(c);
}

static struct mcp_call *
find_call(struct mcp *m, const cJSON *id)
{
	struct mcp_call	*c;

	TAILQ_FOREACH(c, &m->calls, link)
		if (!c->cancelled && cJSON_Compare(c->id, id, true))
			return c;
	return NULL;
}

bool
mcp_is_open(struct mcp *m, const cJSON *id)
{
	return find_call(m, id) != NULL || mcp_find_listening(m, id) != NULL;
}

void
mcp_begin_call(struct mcp *m, const struct request *rq)
{
	const char	*name = cJSON_GetStringValue(json_get(rq->params,
			    "name"));
	const cJSON	*args = json_get(rq->params, "arguments");
	struct mcp_call	*c;
	char		 text[160];

	if (name == NULL)
		mcp_refuse(m, rq, RPC_PARAMS, "name: expected a string");
	else if (args != NULL && !cJSON_IsObject(args) && !cJSON_IsNull(args))
		mcp_refuse(m, rq, RPC_PARAMS, "arguments: expected an object");
	else if (mcp_is_open(m, rq->id))
		mcp_refuse(m, rq, RPC_INVALID, "a call with this id is under "
		    "way");
	else if (m->n_calls >= MCP_CALLS_MAX)
		/* Codes of our own are not wanted any more. */
		mcp_refuse(m, rq, rq->stateless ? RPC_INTERNAL : RPC_BUSY,
		    "too many calls are under way");
	else if ((c = call_new(m, rq)) == NULL)
		mcp_refuse(m, rq, RPC_INTERNAL, "out of memory");
	else if (!m->ops->call(m->arg, c, name, cJSON_IsObject(args) ? args :
	    NULL)) {
		snprintf(text, sizeof(text), "Unknown tool: %.120s", name);
		mcp_refuse(m, rq, RPC_PARAMS, text);
		call_free(c);
		mcp_batch_release(m, rq->batch);
	}
}

/* One that is not known has been answered; nothing is said of it. */
void
mcp_cancel(struct mcp *m, const cJSON *id)
{
	struct mcp_call		*c = id == NULL ? NULL : find_call(m, id);
	struct listening	*l = id == NULL ? NULL :
				    mcp_find_listening(m, id);

	if (l != NULL)
		mcp_unlisten(m, l);
	if (c == NULL)
		return;
	c->cancelled = true;
	mcp_batch_release(m, c->batch);
	c->batch = NULL;
}

void
mcp_drop_calls(struct mcp *m)
{
	struct mcp_call	*c;

	while ((c = TAILQ_FIRST(&m->calls)) != NULL) {
		if (c->batch != NULL && --c->batch->open == 0) {
			cJSON_Delete(c->batch->answers);
			free(c->batch);
		}
		call_free(c);
	}
}

size_t
mcp_calls(const struct mcp *m)
{
	return m->n_calls;
}

bool
mcp_call_is_cancelled(const struct mcp_call *c)
{
	return c->cancelled;
}

/* --- what a tool says --------------------------------------------------------------- */

static cJSON *
text_part(const char *text)
{
	static const char	 cut[] = "\n[the rest was cut]";
	cJSON			*o = cJSON_CreateObject();
	char			*shorter = NULL;

	if (strlen(text) > MCP_TEXT_MAX) {
		if ((shorter = malloc(MCP_TEXT_MAX + sizeof(cut))) == NULL) {
			cJSON_Delete(o);
			return NULL;
		}
		memcpy(shorter, text, MCP_TEXT_MAX);
		memcpy(shorter + MCP_TEXT_MAX, cut, sizeof(cut));
		text = shorter;
	}
	if (o != NULL && (!json_set_str(o, "type", "text") ||
	    !json_set_str(o, "text", text))) {
		cJSON_Delete(o);
		o = NULL;
	}
	free(shorter);
	return o;
}

static cJSON *
tool_result(const char *text, bool error)
{
	cJSON	*o = cJSON_CreateObject(), *list = cJSON_CreateArray();
	cJSON	*part = text_part(text);

	if (list == NULL || part == NULL || !cJSON_AddItemToArray(list,
	    part)) {
		cJSON_Delete(part);
		cJSON_Delete(list);
		list = NULL;
	}
	if (o != NULL && list != NULL && json_set_item(o, "content", list) &&
	    (!error || json_set_bool(o, "isError", true)))
		return o;
	if (o == NULL)
		cJSON_Delete(list);
	cJSON_Delete(o);
	return NULL;
}

void
mcp_answer(struct mcp_call *c, const char *text, bool error)
{
	struct request	 rq = { .id = c->id, .batch = c->batch,
			    .stateless = c->stateless };
	struct mcp	*m = c->mcp;

	if (!c->cancelled)
		mcp_reply(m, &rq, tool_result(text, error));
	call_free(c);
	mcp_batch_release(m, rq.batch);
}
