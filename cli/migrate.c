/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "migrate.h"
#include "table.h"

#define LOOK_TTL_S	900

static const char *const step_names[] = { "ok", "note", "would", "done",
	"stop" };

static cJSON *
step(struct migrate *m, enum step kind, const char *about, const char *text)
{
	cJSON	*o;

	if (m->steps == NULL) {
		printf("%-6s %-24s ", step_names[kind], about);
		text_put(stdout, text, " ");	/* it may be quoted */
		putchar('\n');
		fflush(stdout);
		return NULL;
	}
	o = cJSON_CreateObject();
	if (o == NULL || !cJSON_AddItemToArray(m->steps, o) ||
	    !json_set_str(o, "step", step_names[kind]) ||
	    !json_set_str(o, "about", about) || !json_set_str(o, "text", text))
		fatal_memory();
	return o;
}

cJSON *
migrate_step(struct migrate *m, enum step kind, const char *about,
    const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return step(m, kind, about, text);
}

void
migrate_stop(struct migrate *m, int code, const char *about,
    const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)step(m, STEP_STOP, about, text);
	if (m->stop.code == 0)
		error_set(&m->stop, code, "%s: %s", about, text);
}

int
migrate_connect(struct migrate *m, enum profile profile, unsigned shards,
    struct creds *c, struct bus **b, struct error *e)
{
	struct scope	scope = { .space = m->want.space, .shards = shards };
	struct bus_conf	conf = { .servers = m->want.servers, .creds = c,
			    .name = "reeve migrate" };

	if (trust_mint(&m->trust, profile, &scope, LOOK_TTL_S + (long)
	    (m->wait_ms / 1000), c, e) == -1)
		return -1;
	if (bus_open(b, &conf, e) == 0)
		return 0;
	/* Any other reason is said as it is. */
	return e->code != EX_NOPERM ? -1 : error_set(e, EX_NOPERM, "%s does "
	    "not accept what this trust file signs: it is of another space's "
	    "account, or %s serves another", m->want.servers,
	    m->want.servers);
}
