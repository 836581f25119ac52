/* SPDX-License-Identifier: ISC */
#include "ear.h"
#include "jetstream.h"

#define EAR	"ear"

static cJSON *
ear_config(const char *inbox)
{
	cJSON	*c = cJSON_CreateObject();

	if (c == NULL)
		return NULL;
	cJSON_AddStringToObject(c, "name", EAR);
	cJSON_AddStringToObject(c, "deliver_subject", inbox);
	cJSON_AddStringToObject(c, "deliver_policy", "new");
	cJSON_AddStringToObject(c, "ack_policy", "none");
	cJSON_AddStringToObject(c, "replay_policy", "instant");
	cJSON_AddBoolToObject(c, "mem_storage", true);
	return c;
}

struct bus_sub *
ear_open(struct stage *s, bus_msg_fn *fn, void *arg, struct error *e)
{
	char		 inbox[SUBJECT_MAX], dlv[STREAM_MAX];
	struct bus_sub	*sub;
	cJSON		*config;

	name_stream(dlv, sizeof(dlv), s->config.space, STREAM_DLV);
	if (bus_inbox(s->bus, inbox, sizeof(inbox), "e") == -1 ||
	    (config = ear_config(inbox)) == NULL) {
		error_errno(e, EX_OSERR, "listen");
		return NULL;
	}
	sub = bus_subscribe(s->bus, inbox, NULL, fn, arg, e);
	if (sub != NULL && js_consumer_create(s->bus, dlv, EAR, config, NULL,
	    e) == -1) {
		bus_unsubscribe(s->bus, sub);
		sub = NULL;
	}
	cJSON_Delete(config);
	return sub;
}

int
ear_close(struct stage *s, struct bus_sub *sub, struct error *e)
{
	char	dlv[STREAM_MAX];

	bus_unsubscribe(s->bus, sub);
	name_stream(dlv, sizeof(dlv), s->config.space, STREAM_DLV);
	return js_consumer_delete(s->bus, dlv, EAR, e);
}
