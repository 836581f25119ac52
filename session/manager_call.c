/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "manager_call.h"

#define WAIT_MS		6000	/* the manager answers before 5 s */
#define SHOWN_MAX	200

struct asked {
	struct session	*s;
	struct mcp_call	*call;
	manager_said_fn	*said;
};

static void
add_fault(struct page *p, const struct error *e)
{
	switch (e->code) {
	case EX_UNAVAILABLE:
		page_add(p, "No manager runs in this space, so agents can be "
		    "neither started nor ended here. Ask the operator to start "
		    "one (`reeve up`).");
		break;
	case EX_NOPERM:
		page_add(p, "The broker does not let this session ask the "
		    "manager: its credential has no capability for that. Only "
		    "the operator can change it.");
		break;
	case EX_DATAERR:
		page_add(p, "The manager refused: ");
		page_data(p, e->text, SHOWN_MAX * 2);
		break;
	default:
		page_add(p, "The manager did not answer (");
		page_data(p, e->text, SHOWN_MAX);
		page_add(p, "): it may have been done, or not. cotal_roster "
		    "shows who is there.");
	}
}

static void
on_answer(void *arg, const cJSON *data, const struct error *e)
{
	struct asked	 a = *(struct asked *)arg;
	struct page	 p = { .s = NULL };

	free(arg);
	if (e != NULL)
		add_fault(&p, e);
	else
		a.said(&p, data);
	page_answer(&p, a.call, e != NULL);
}

void
manager_call(struct session *s, struct mcp_call *c, const char *service,
    const char *op, cJSON *args, manager_said_fn *said)
{
	struct asked	*a = malloc(sizeof(*a));
	struct error	 e;

	if (a == NULL || args == NULL) {
		cJSON_Delete(args);
		free(a);
		tool_err(c, "out of memory");
		return;
	}
	*a = (struct asked){ s, c, said };
	if (endpoint_call(s->ep, service, op, args, WAIT_MS, on_answer, a,
	    &e) == -1) {
		free(a);
		tool_err(c, "%s", e.text);
	}
}

cJSON *
manager_args(const cJSON *args, const char *const *names)
{
	cJSON		*o = cJSON_CreateObject();
	const cJSON	*v;
	size_t		 i;

	for (i = 0; o != NULL && names[i] != NULL; i++)
		if ((v = json_get(args, names[i])) != NULL &&
		    !json_set_item(o, names[i], cJSON_Duplicate(v, true))) {
			cJSON_Delete(o);
			o = NULL;
		}
	return o;
}

void
page_member(struct page *p, const cJSON *data, const char *name)
{
	const char	*text = cJSON_GetStringValue(json_get(data, name));

	page_data(p, text == NULL ? "?" : text, SHOWN_MAX);
}
