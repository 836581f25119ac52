/* SPDX-License-Identifier: ISC */

/* Lines in, lines out, and what each method does: see mcp.h.  The versions here
 * are those that begin with initialize. */
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "json.h"
#include "log.h"
#include "mcp_impl.h"

#define KEEP	(64 * 1024)	/* an idle session gives back more */

/* Newest first: what a client that asks for none of them is offered. */
static const char *const versions[] = { "2025-11-25", "2025-06-18",
	"2025-03-26", "2024-11-05", NULL };
#define BATCHES	"2025-03-26"	/* they came and went with it */

/* --- a growing text ------------------------------------------------------------ */

static bool
bytes_add(struct bytes *b, const char *data, size_t len)
{
	char	*s;
	size_t	 cap = b->cap == 0 ? 1024 : b->cap;

	while (cap - b->len < len)
		cap *= 2;
	if (cap != b->cap) {
		if ((s = realloc(b->s, cap)) == NULL)
			return false;
		b->s = s;
		b->cap = cap;
	}
	memcpy(b->s + b->len, data, len);
	b->len += len;
	return true;
}

static void
bytes_drop(struct bytes *b)
{
	free(b->s);
	*b = (struct bytes){ .s = NULL };
}

static void
bytes_empty(struct bytes *b)
{
	b->len = 0;
	if (b->cap > KEEP)
		bytes_drop(b);
}

/* --- what goes out --------------------------------------------------------------- */

bool
mcp_send(struct mcp *m, cJSON *msg)
{
	char	*text = msg == NULL ? NULL : json_print(msg);
	bool	 ok;

	cJSON_Delete(msg);
	if (text == NULL) {
		log_error("a message to the client", "why=memory");
		return false;
	}
	/* What was written is moved away when it is most of it. */
	if (m->gone > 0 && m->gone * 2 > m->out.len) {
		m->out.len -= m->gone;
		memmove(m->out.s, m->out.s + m->gone, m->out.len);
		m->gone = 0;
	}
	ok = bytes_add(&m->out, text, strlen(text)) &&
	    bytes_add(&m->out, "\n", 1);
	if (!ok)
		log_error("a message to the client", "why=memory");
	free(text);
	return ok;
}

const char *
mcp_output(const struct mcp *m, size_t *len)
{
	*len = m->out.len - m->gone;
	return *len == 0 ? NULL : m->out.s + m->gone;
}

void
mcp_written(struct mcp *m, size_t len)
{
	m->gone += len;
	if (m->gone == m->out.len) {
		m->gone = 0;
		bytes_empty(&m->out);
	}
}

bool
mcp_is_full(const struct mcp *m)
{
	return m->out.len - m->gone > MCP_OUT_HIGH;
}

/* --- notifications ---------------------------------------------------------------- */

bool
mcp_notify(struct mcp *m, const char *method, cJSON *params)
{
	cJSON	*o = cJSON_CreateObject();

	if (o == NULL || !json_set_str(o, "jsonrpc", "2.0") ||
	    !json_set_str(o, "method", method)) {
		cJSON_Delete(params);
		cJSON_Delete(o);
		return false;
	}
	if (params != NULL && !json_set_item(o, "params", params)) {
		cJSON_Delete(o);
		return false;
	}
	if (m->phase == MCP_READY && !mcp_is_full(m))
		return mcp_send(m, o);
	if (m->phase == MCP_NEW && m->stateless) {
		cJSON_Delete(o);
		return true;
	}
	if (m->phase == MCP_READY || m->waiting == NULL ||
	    cJSON_GetArraySize(m->waiting) >= MCP_WAITING_MAX ||
	    !cJSON_AddItemToArray(m->waiting, o)) {
		cJSON_Delete(o);
		return false;
	}
	return true;
}

static void
on_initialized(struct mcp *m)
{
	cJSON	*o;

	if (m->phase != MCP_GREETED)
		return;
	m->phase = MCP_READY;
	while ((o = cJSON_DetachItemFromArray(m->waiting, 0)) != NULL)
		(void)mcp_send(m, o);
	if (m->ops->ready != NULL)
		m->ops->ready(m->arg);
}

static void
on_notification(struct mcp *m, const char *method, const cJSON *params)
{
	if (strcmp(method, "notifications/initialized") == 0)
		on_initialized(m);
	else if (strcmp(method, "notifications/cancelled") == 0)
		mcp_cancel(m, json_get(params, "requestId"));
}

/* --- requests --------------------------------------------------------------------- */

static cJSON *
experimental(const struct mcp_conf *conf)
{
	cJSON	*o = cJSON_CreateObject();
	size_t	 i;

	for (i = 0; o != NULL && conf->experimental[i] != NULL; i++)
		if (!json_set_item(o, conf->experimental[i],
		    cJSON_CreateObject())) {
			cJSON_Delete(o);
			o = NULL;
		}
	return o;
}

static cJSON *
capabilities(const struct mcp_conf *conf)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_item(o, "tools", cJSON_CreateObject()) &&
	    (conf->experimental == NULL || json_set_item(o, "experimental",
	    experimental(conf))))
		return o;
	cJSON_Delete(o);
	return NULL;
}

cJSON *
mcp_server_info(const struct mcp_conf *conf, bool titled)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "name", conf->name) &&
	    (conf->title == NULL || !titled ||
	    json_set_str(o, "title", conf->title)) &&
	    json_set_str(o, "version", conf->version))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static cJSON *
greeting(const struct mcp *m)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "protocolVersion", m->version) &&
	    json_set_item(o, "capabilities", capabilities(m->conf)) &&
	    json_set_item(o, "serverInfo", mcp_server_info(m->conf,
	    strcmp(m->version, "2025-06-18") >= 0)) &&
	    (m->conf->instructions == NULL || json_set_str(o, "instructions",
	    m->conf->instructions)))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* One that is not known gets the newest, and the client decides. */
static void
on_initialize(struct mcp *m, const struct request *rq)
{
	const char	*asked = cJSON_GetStringValue(json_get(rq->params,
			    "protocolVersion"));
	const cJSON	*client = json_get(rq->params, "clientInfo");
	size_t		 i;

	if (m->phase != MCP_NEW || rq->batch != NULL) {
		mcp_refuse(m, rq, RPC_INVALID, rq->batch != NULL ?
		    "initialize does not go with others in a batch" :
		    "the session is initialized already");
		return;
	}
	if (asked == NULL) {
		mcp_refuse(m, rq, RPC_PARAMS, "protocolVersion: expected a "
		    "string");
		return;
	}
	m->version = versions[0];
	for (i = 0; versions[i] != NULL; i++)
		if (strcmp(asked, versions[i]) == 0)
			m->version = versions[i];
	if (cJSON_IsObject(client))
		m->client = cJSON_Duplicate(client, true);
	m->phase = MCP_GREETED;
	mcp_reply(m, rq, greeting(m));
}

void
mcp_list(struct mcp *m, const struct request *rq, const char *version)
{
	cJSON	*o = cJSON_CreateObject();

	if (json_get(rq->params, "cursor") != NULL) {
		cJSON_Delete(o);
		mcp_refuse(m, rq, RPC_PARAMS, "cursor: none was given out, "
		    "all tools are on one page");
		return;
	}
	if (o != NULL && (!json_set_item(o, "tools", m->ops->list(m->arg,
	    version)) || (rq->stateless && !mcp_stamp_kept(o)))) {
		cJSON_Delete(o);
		o = NULL;
	}
	mcp_reply(m, rq, o);
}

/* Who does not know a method says so at any time: by that clients that speak
 * later versions, too, learn to begin with initialize. */
static void
on_request(struct mcp *m, struct request *rq)
{
	bool	list = strcmp(rq->method, "tools/list") == 0;
	bool	call = strcmp(rq->method, "tools/call") == 0;

	if (strcmp(rq->method, "initialize") == 0)
		on_initialize(m, rq);
	else if (!m->conf->handshake && mcp_is_stateless(rq))
		mcp_serve_stateless(m, rq);
	else if (strcmp(rq->method, "ping") == 0)
		mcp_reply(m, rq, cJSON_CreateObject());
	else if (!list && !call)
		mcp_refuse(m, rq, RPC_METHOD, "Method not found");
	else if (m->phase == MCP_NEW)
		mcp_refuse(m, rq, RPC_INVALID, "the session is not "
		    "initialized: send initialize first");
	else if (list)
		mcp_list(m, rq, m->version);
	else
		mcp_begin_call(m, rq);
}

/* --- one message -------------------------------------------------------------------- */

static bool
is_id(const cJSON *id)
{
	double	d;

	if (cJSON_IsString(id))
		return true;
	if (!cJSON_IsNumber(id))
		return false;
	d = id->valuedouble;
	return d >= -(double)JSON_INT_MAX && d <= (double)JSON_INT_MAX &&
	    d == (double)(int64_t)d;
}

/* What is wrong with its frame; NULL: nothing. */
static const char *
frame_fault(const cJSON *o, struct error *e)
{
	const char	*rpc = cJSON_GetStringValue(json_get(o, "jsonrpc"));
	const cJSON	*id = json_get(o, "id");

	if (!cJSON_IsObject(o))
		return "expected an object";
	if (json_unique(o, "", e) == -1)
		return e->text;
	if (rpc == NULL || strcmp(rpc, "2.0") != 0)
		return "jsonrpc: expected \"2.0\"";
	if (id != NULL && !is_id(id))
		return "id: expected a string or an integer";
	if (!cJSON_IsString(json_get(o, "method")))
		return "method: expected a string";
	return NULL;
}

/* Answers of the client's are to nothing that we ask. */
static bool
is_answer(const cJSON *o)
{
	return json_get(o, "method") == NULL && (json_get(o, "result") !=
	    NULL || json_get(o, "error") != NULL);
}

static void
on_message(struct mcp *m, const cJSON *o, struct batch *batch)
{
	struct request	 rq = { .batch = batch };
	struct error	 e;
	const char	*fault;

	if (is_answer(o))
		return;
	if (is_id(json_get(o, "id")))
		rq.id = json_get(o, "id");
	if ((fault = frame_fault(o, &e)) != NULL) {
		mcp_refuse(m, &rq, RPC_INVALID, fault);
		return;
	}
	rq.method = json_get(o, "method")->valuestring;
	rq.params = json_get(o, "params");
	if (rq.params != NULL && !cJSON_IsObject(rq.params)) {
		if (rq.id != NULL)
			mcp_refuse(m, &rq, RPC_PARAMS, "params: expected an "
			    "object");
		return;
	}
	if (rq.id == NULL)
		on_notification(m, rq.method, rq.params);
	else
		on_request(m, &rq);
}

static void
on_batch(struct mcp *m, const cJSON *list)
{
	static const struct request	 nobody = { .id = NULL };
	struct batch			*b;
	const cJSON			*o;
	int				 n = cJSON_GetArraySize(list);

	if (m->phase == MCP_NEW || strcmp(m->version, BATCHES) != 0) {
		mcp_refuse(m, &nobody, RPC_INVALID, "batches are not of this "
		    "protocol version: one message a line");
		return;
	}
	if (n == 0 || n > MCP_BATCH_MAX) {
		mcp_refuse(m, &nobody, RPC_INVALID, n == 0 ? "an empty batch" :
		    "too many messages in one batch");
		return;
	}
	if ((b = mcp_batch_new(m)) == NULL)
		return;
	cJSON_ArrayForEach(o, list)
		on_message(m, o, b);
	mcp_batch_release(m, b);
}

/* --- lines ----------------------------------------------------------------------------- */

/* What JSON allows and we do not (\u0000, deep nests) can still be answered
 * to whom it is from, if that is a number: a string may be cut by it. */
static void
on_unread(struct mcp *m, const char *line, size_t len, const char *why)
{
	struct request	 rq = { .id = NULL };
	const char	*end = NULL;
	cJSON		*o = cJSON_ParseWithLengthOpts(line, len, &end, 0);
	bool		 whole = o != NULL && end == line + len;

	if (whole && cJSON_IsNumber(json_get(o, "id")) &&
	    is_id(json_get(o, "id")))
		rq.id = json_get(o, "id");
	if (rq.id != NULL || !whole || !is_answer(o))
		mcp_refuse(m, &rq, rq.id != NULL ? RPC_INVALID : RPC_PARSE,
		    why);
	cJSON_Delete(o);
}

static void
on_line(struct mcp *m, const char *line, size_t len)
{
	struct error	 e;
	cJSON		*o;

	while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL &&
	    line[len - 1] != '\0')
		len--;
	if (len == 0)
		return;
	if ((o = json_parse(line, len, &e)) == NULL)
		on_unread(m, line, len, e.text);
	else if (cJSON_IsArray(o))
		on_batch(m, o);
	else
		on_message(m, o, NULL);
	cJSON_Delete(o);
}

static void
on_long(struct mcp *m)
{
	static const struct request	nobody = { .id = NULL };

	bytes_drop(&m->line);
	m->skipping = true;
	mcp_refuse(m, &nobody, RPC_INVALID, "a line is 4 MiB at most: it was "
	    "passed over");
}

/* The rest of a line: it ends here. */
static void
line_end(struct mcp *m, const char *data, size_t len)
{
	if (m->skipping) {
		m->skipping = false;
		return;
	}
	if (m->line.len + len > MCP_LINE_MAX) {
		on_long(m);
		m->skipping = false;
	} else if (m->line.len == 0)
		on_line(m, data, len);
	else if (bytes_add(&m->line, data, len))
		on_line(m, m->line.s, m->line.len);
	else
		log_error("a line of the client's", "why=memory");
	bytes_empty(&m->line);
}

static void
line_more(struct mcp *m, const char *data, size_t len)
{
	if (m->skipping)
		return;
	if (m->line.len + len > MCP_LINE_MAX || !bytes_add(&m->line, data,
	    len))
		on_long(m);
}

void
mcp_input(struct mcp *m, const char *data, size_t len)
{
	const char	*end;

	for (; len > 0; len -= (size_t)(end + 1 - data), data = end + 1) {
		if ((end = memchr(data, '\n', len)) == NULL) {
			line_more(m, data, len);
			return;
		}
		line_end(m, data, (size_t)(end - data));
	}
}

void
mcp_input_end(struct mcp *m)
{
	if (m->line.len > 0)
		line_end(m, "", 0);
}

/* --- its life ----------------------------------------------------------------------------- */

struct mcp *
mcp_new(const struct mcp_conf *conf, const struct mcp_ops *ops, void *arg)
{
	struct mcp	*m = calloc(1, sizeof(*m));

	if (m == NULL || (m->waiting = cJSON_CreateArray()) == NULL) {
		free(m);
		return NULL;
	}
	m->conf = conf;
	m->ops = ops;
	m->arg = arg;
	m->version = versions[0];
	TAILQ_INIT(&m->calls);
	TAILQ_INIT(&m->listens);
	return m;
}

void
mcp_free(struct mcp *m)
{
	struct listening	*l;

	if (m == NULL)
		return;
	mcp_drop_calls(m);
	while ((l = TAILQ_FIRST(&m->listens)) != NULL)
		mcp_unlisten(m, l);
	cJSON_Delete(m->waiting);
	cJSON_Delete(m->client);
	bytes_drop(&m->line);
	bytes_drop(&m->out);
	free(m);
}

bool
mcp_is_ready(const struct mcp *m)
{
	return m->phase == MCP_READY;
}

const cJSON *
mcp_client(const struct mcp *m)
{
	return m->client;
}
