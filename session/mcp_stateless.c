/* SPDX-License-Identifier: ISC */

/*
 * The version without initialize: each request says in its _meta of which
 * version it is, and nothing is remembered of it but what it waits for.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "mcp_impl.h"

#define VERSION		"2026-07-28"
#define KEY(name)	"io.modelcontextprotocol/" name
#define KEPT_MS		(5 * 60 * 1000)

static const cJSON *
meta_of(const struct request *rq, const char *key)
{
	return json_get(json_get(rq->params, "_meta"), key);
}

bool
mcp_is_stateless(const struct request *rq)
{
	return meta_of(rq, KEY("protocolVersion")) != NULL;
}

/* --- results ------------------------------------------------------------------ */

bool
mcp_stamp(const struct mcp *m, cJSON *result)
{
	cJSON	*meta = cJSON_GetObjectItemCaseSensitive(result, "_meta");

	if (meta == NULL)
		meta = cJSON_AddObjectToObject(result, "_meta");
	return meta != NULL && json_set_str(result, "resultType", "complete") &&
	    json_set_item(meta, KEY("serverInfo"), mcp_server_info(m->conf,
	    true));
}

/* An agent's tools are its own: they are as its environment says. */
bool
mcp_stamp_kept(cJSON *result)
{
	return json_set_i64(result, "ttlMs", KEPT_MS) &&
	    json_set_str(result, "cacheScope", "private");
}

static cJSON *
supported(void)
{
	cJSON	*list = cJSON_CreateArray();
	cJSON	*one = cJSON_CreateString(VERSION);

	if (list != NULL && one != NULL && cJSON_AddItemToArray(list, one))
		return list;
	cJSON_Delete(one);
	cJSON_Delete(list);
	return NULL;
}

/* What is experimental is made of notifications, and there is no way for
 * those: it is not offered. */
static cJSON *
capabilities(void)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_item(o, "tools", cJSON_CreateObject()))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static cJSON *
discovered(const struct mcp_conf *conf)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_item(o, "supportedVersions", supported()) &&
	    json_set_item(o, "capabilities", capabilities()) &&
	    (conf->instructions == NULL || json_set_str(o, "instructions",
	    conf->instructions)) && mcp_stamp_kept(o))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* --- subscriptions -------------------------------------------------------------- */

struct listening *
mcp_find_listening(struct mcp *m, const cJSON *id)
{
	struct listening	*l;

	TAILQ_FOREACH(l, &m->listens, link)
		if (cJSON_Compare(l->id, id, true))
			return l;
	return NULL;
}

void
mcp_unlisten(struct mcp *m, struct listening *l)
{
	TAILQ_REMOVE(&m->listens, l, link);
	m->n_listens--;
	cJSON_Delete(l->id);
	free(l);
}

/* {subscriptionId: id} */
static cJSON *
belonging(const cJSON *id)
{
	cJSON	*o = cJSON_CreateObject();

	if (o != NULL && json_set_item(o, KEY("subscriptionId"),
	    cJSON_Duplicate(id, true)))
		return o;
	cJSON_Delete(o);
	return NULL;
}

/* Of what may be asked for this server has nothing that changes. */
static cJSON *
acknowledgement(const cJSON *id)
{
	cJSON	*o = cJSON_CreateObject(), *params;

	if (o != NULL && json_set_str(o, "jsonrpc", "2.0") &&
	    json_set_str(o, "method",
	    "notifications/subscriptions/acknowledged") &&
	    (params = cJSON_AddObjectToObject(o, "params")) != NULL &&
	    json_set_item(params, "_meta", belonging(id)) &&
	    json_set_item(params, "notifications", cJSON_CreateObject()))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static void
listen_to(struct mcp *m, const struct request *rq)
{
	struct listening	*l = calloc(1, sizeof(*l));
	cJSON			*said = acknowledgement(rq->id);

	if (l == NULL || said == NULL || (l->id = cJSON_Duplicate(rq->id,
	    true)) == NULL) {
		cJSON_Delete(said);
		free(l);
		mcp_refuse(m, rq, RPC_INTERNAL, "out of memory");
		return;
	}
	TAILQ_INSERT_TAIL(&m->listens, l, link);
	m->n_listens++;
	(void)mcp_send(m, said);
}

/* What is wrong with the filter; NULL: nothing. */
static const char *
filter_fault(const cJSON *filter)
{
	static const char *const	 flags[] = { "toolsListChanged",
		"promptsListChanged", "resourcesListChanged", NULL };
	const cJSON			*o, *uri;
	size_t				 i;

	if (!cJSON_IsObject(filter))
		return "notifications: expected an object";
	for (i = 0; flags[i] != NULL; i++)
		if ((o = json_get(filter, flags[i])) != NULL &&
		    !cJSON_IsBool(o))
			return "notifications: a flag is true or false";
	if ((o = json_get(filter, "resourceSubscriptions")) == NULL)
		return NULL;
	if (!cJSON_IsArray(o))
		return "notifications.resourceSubscriptions: expected a list";
	cJSON_ArrayForEach(uri, o)
		if (!cJSON_IsString(uri))
			return "notifications.resourceSubscriptions: expected "
			    "strings";
	return NULL;
}

static void
on_listen(struct mcp *m, const struct request *rq)
{
	const char	*fault = filter_fault(json_get(rq->params,
			    "notifications"));

	if (fault != NULL)
		mcp_refuse(m, rq, RPC_PARAMS, fault);
	else if (mcp_is_open(m, rq->id))
		mcp_refuse(m, rq, RPC_INVALID, "a request with this id is "
		    "under way");
	else if (m->n_listens >= MCP_LISTENS_MAX)
		mcp_refuse(m, rq, RPC_INTERNAL, "too many subscriptions");
	else
		listen_to(m, rq);
}

void
mcp_leave(struct mcp *m)
{
	struct listening	*l;
	struct request		 rq = { .stateless = true };
	cJSON			*o;

	while ((l = TAILQ_FIRST(&m->listens)) != NULL) {
		rq.id = l->id;
		o = cJSON_CreateObject();
		if (o != NULL && json_set_item(o, "_meta", belonging(l->id)))
			mcp_reply(m, &rq, o);
		else
			cJSON_Delete(o);
		mcp_unlisten(m, l);
	}
}

/* --- requests --------------------------------------------------------------------- */

static bool
is_implementation(const cJSON *o)
{
	return cJSON_IsObject(o) && cJSON_IsString(json_get(o, "name")) &&
	    cJSON_IsString(json_get(o, "version"));
}

static void
refuse_version(struct mcp *m, const struct request *rq, const char *asked)
{
	cJSON	*data = cJSON_CreateObject();

	if (data != NULL && (!json_set_item(data, "supported", supported()) ||
	    !json_set_str(data, "requested", asked))) {
		cJSON_Delete(data);
		data = NULL;
	}
	mcp_refuse_with(m, rq, RPC_VERSION, "Unsupported protocol version",
	    data);
}

/* True: it is of this version, and has what each request must have. */
static bool
is_sound(struct mcp *m, const struct request *rq)
{
	const cJSON	*version = meta_of(rq, KEY("protocolVersion"));
	const cJSON	*who = meta_of(rq, KEY("clientInfo"));

	if (!cJSON_IsString(version))
		mcp_refuse(m, rq, RPC_PARAMS, "_meta: "
		    KEY("protocolVersion") ": expected a string");
	else if (strcmp(version->valuestring, VERSION) != 0)
		refuse_version(m, rq, version->valuestring);
	else if (!cJSON_IsObject(meta_of(rq, KEY("clientCapabilities"))))
		mcp_refuse(m, rq, RPC_PARAMS, "_meta: "
		    KEY("clientCapabilities") ": expected an object");
	else if (who != NULL && !is_implementation(who))
		mcp_refuse(m, rq, RPC_PARAMS, "_meta: " KEY("clientInfo")
		    ": expected a name and a version");
	else if (rq->batch != NULL)
		mcp_refuse(m, rq, RPC_INVALID, "batches are not of this "
		    "protocol version: one message a line");
	else
		return true;
	return false;
}

/* It is spoken: what waits for an initialize does so in vain.  Who only asks
 * for the versions may still choose an older one. */
static void
begin(struct mcp *m)
{
	cJSON	*o;

	m->stateless = true;
	while (m->phase == MCP_NEW &&
	    (o = cJSON_DetachItemFromArray(m->waiting, 0)) != NULL)
		cJSON_Delete(o);
}

void
mcp_serve_stateless(struct mcp *m, struct request *rq)
{
	rq->stateless = true;
	if (!is_sound(m, rq))
		return;
	if (strcmp(rq->method, "server/discover") == 0) {
		mcp_reply(m, rq, discovered(m->conf));
		return;
	}
	begin(m);
	if (strcmp(rq->method, "tools/list") == 0)
		mcp_list(m, rq, VERSION);
	else if (strcmp(rq->method, "tools/call") == 0)
		mcp_begin_call(m, rq);
	else if (strcmp(rq->method, "subscriptions/listen") == 0)
		on_listen(m, rq);
	else
		mcp_refuse(m, rq, RPC_METHOD, "Method not found");
}
