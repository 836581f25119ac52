/* SPDX-License-Identifier: ISC */

/* reeve roster: who is there, by the presence bucket. */
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "cli.h"
#include "json.h"
#include "roster.h"
#include "table.h"

struct list {
	const struct peer	**v;
	size_t			  n, cap;
	bool			  failed;
};

static void
collect(void *arg, const struct peer *p)
{
	struct list		 *l = arg;
	const struct peer	**v;
	size_t			  cap = l->cap == 0 ? 64 : l->cap * 2;

	if (p->gone)
		return;
	if (l->n == l->cap) {
		if ((v = reallocarray(l->v, cap, sizeof(*v))) == NULL) {
			l->failed = true;
			return;
		}
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = p;
}

/* The live ones first, then by name. */
static int
compare(const void *a, const void *b)
{
	const struct peer	*x = *(const struct peer *const *)a;
	const struct peer	*y = *(const struct peer *const *)b;
	int			 live = peer_is_live(y) - peer_is_live(x);

	if (live != 0)
		return live;
	live = strcasecmp(x->presence.name, y->presence.name);
	return live != 0 ? live : strcmp(x->presence.id, y->presence.id);
}

static const char *
status_of(const struct peer *p)
{
	return status_names[peer_is_live(p) ? p->presence.status :
	    STATUS_OFFLINE];
}

static bool
set_if(cJSON *o, const char *name, const char *value)
{
	return value == NULL || json_set_str(o, name, value);
}

static cJSON *
peer_json(const struct peer *p)
{
	const struct presence	*x = &p->presence;
	cJSON			*o = cJSON_CreateObject();

	if (o != NULL && json_set_str(o, "id", x->id) &&
	    json_set_str(o, "name", x->name) &&
	    json_set_str(o, "kind", x->kind) && set_if(o, "role", x->role) &&
	    json_set_str(o, "status", status_of(p)) &&
	    set_if(o, "activity", x->activity) &&
	    set_if(o, "attention", x->attention) &&
	    json_set_bool(o, "live", peer_is_live(p)) &&
	    json_set_i64(o, "ts", x->ts_ms))
		return o;
	cJSON_Delete(o);
	return NULL;
}

static int
print_json(const struct list *l)
{
	cJSON	*list = cJSON_CreateArray(), *o;
	size_t	 i;
	int	 code;

	for (i = 0; i < l->n && list != NULL; i++)
		if ((o = peer_json(l->v[i])) == NULL ||
		    !cJSON_AddItemToArray(list, o)) {
			cJSON_Delete(o);
			cJSON_Delete(list);
			list = NULL;
		}
	code = cli_print_json(list);
	cJSON_Delete(list);
	return code;
}

static int
print_table(const struct list *l)
{
	struct table		 t;
	const struct presence	*x;
	size_t			 i;

	table_init(&t, 5, "NAME", "ROLE", "STATUS", "ACTIVITY", "ID");
	for (i = 0; i < l->n; i++) {
		x = &l->v[i]->presence;
		table_row(&t, x->name, x->role, status_of(l->v[i]),
		    x->activity, x->id);
	}
	return table_print(&t);
}

static int
show(const struct cli *cli, const void *roster)
{
	struct list	l = { .v = NULL };
	int		code;

	roster_each(roster, collect, &l);
	if (l.n > 0)
		qsort(l.v, l.n, sizeof(*l.v), compare);
	code = l.failed ? EX_OSERR : cli->json ? print_json(&l) :
	    print_table(&l);
	free(l.v);
	return code;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct roster	*roster = roster_new();
	int		 code = bucket_show(cli, BUCKET_PRESENCE, &roster_ops,
			    roster, show);

	(void)opts;
	(void)argc;
	(void)argv;
	roster_free(roster);
	return code;
}

const struct command cmd_roster = {
	.name = "roster", .args = "",
	.summary = "say who is there",
	.opts_size = 0, .min_args = 0, .max_args = 0, .run = run };
