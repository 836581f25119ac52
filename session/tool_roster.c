/* SPDX-License-Identifier: ISC */

/* cotal_roster: who is there. */
#include <stdlib.h>
#include <string.h>

#include "tools.h"

#define ROWS_MAX	200
#define NAME_SHOWN	64
#define TEXT_SHOWN	160

struct rows {
	const struct peer	**v;
	size_t			  n, cap;
	bool			  offline, failed;
	const char		 *role;
};

static const struct tool_arg args_table[] = {
	{ .name = "role", .type = TOOL_STRING, .least = 1, .most = 64,
	    .what = "only agents of this role" },
	{ .name = "offline", .type = TOOL_BOOL,
	    .what = "also those that are known and away (default: false)" },
	TOOL_ARGS_END
};

static bool
is_wanted(const struct rows *r, const struct peer *p)
{
	if (p->gone || (!r->offline && !peer_is_live(p)))
		return false;
	return r->role == NULL || (p->presence.role != NULL &&
	    name_same(r->role, p->presence.role));
}

static void
collect(void *arg, const struct peer *p)
{
	struct rows		 *r = arg;
	const struct peer	**v;
	size_t			  cap = r->cap == 0 ? 32 : r->cap * 2;

	if (!is_wanted(r, p))
		return;
	if (r->n == r->cap) {
		if ((v = reallocarray(r->v, cap, sizeof(*v))) == NULL) {
			r->failed = true;
			return;
		}
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n++] = p;
}

/* The live ones first, then by name. */
static int
compare(const void *a, const void *b)
{
	const struct peer	*x = *(const struct peer *const *)a;
	const struct peer	*y = *(const struct peer *const *)b;
	int			 r = peer_is_live(y) - peer_is_live(x);

	if (r == 0)
		r = strcasecmp(x->presence.name, y->presence.name);
	return r != 0 ? r : strcmp(x->presence.id, y->presence.id);
}

static void
add_row(struct page *p, const struct session *s, const struct peer *peer)
{
	const struct presence	*x = &peer->presence;

	page_add(p, "- ");
	page_name(p, x->name, NAME_SHOWN);
	if (strcmp(x->id, endpoint_id(s->ep)) == 0)
		page_add(p, " (you)");
	if (x->role != NULL) {
		page_add(p, ", role ");
		page_name(p, x->role, NAME_SHOWN);
	}
	page_add(p, ": %s", status_names[peer_is_live(peer) ? x->status :
	    STATUS_OFFLINE]);
	if (peer_is_live(peer) && x->activity != NULL) {
		page_add(p, ", ");
		page_words(p, x->activity, TEXT_SHOWN);
	}
	if (peer_is_live(peer) && x->attention != NULL &&
	    strcmp(x->attention, "open") != 0) {
		page_add(p, ", attention ");
		page_name(p, x->attention, NAME_SHOWN);
	}
	page_add(p, "; id %s\n", x->id);
	if (x->description != NULL) {
		page_add(p, "    says of itself: ");
		page_words(p, x->description, TEXT_SHOWN);
		page_add(p, "\n");
	}
}

static void
run(struct session *s, struct mcp_call *c, const cJSON *args)
{
	struct rows	r = { .offline = arg_bool(args, "offline", false),
			    .role = arg_text(args, "role") };
	struct page	p = { .s = NULL };
	size_t		i;

	roster_each(endpoint_roster(s->ep), collect, &r);
	if (r.n > 0)
		qsort(r.v, r.n, sizeof(*r.v), compare);
	page_add(&p, "%zu agent%s%s. What is in quotes they say themselves.\n",
	    r.n, r.n == 1 ? "" : "s", r.offline ? ", those away too" :
	    " here");
	for (i = 0; i < r.n && i < ROWS_MAX; i++)
		add_row(&p, s, r.v[i]);
	if (r.n > ROWS_MAX)
		page_add(&p, "... and %zu more: ask for one role\n", r.n -
		    ROWS_MAX);
	p.failed |= r.failed;
	free(r.v);
	page_answer(&p, c, false);
}

const struct tool tool_roster = {
	.name = "cotal_roster", .title = "Who is here",
	.description = "Which agents are on the mesh now, with role, status "
	    "(idle, working, waiting) and what they say that they do. Use it "
	    "before you write to somebody by name or hand out work, and to "
	    "see who is free.",
	.args = args_table, .hints = TOOL_READS | TOOL_REPEATS, .mesh = true,
	.run = run };
