/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "endpoint_impl.h"

struct presence_part {
	struct endpoint	*ep;
};

struct presence_part *
presence_part_new(struct endpoint *ep)
{
	struct presence_part	*p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->ep = ep;
	return p;
}

void
presence_part_free(struct presence_part *p)
{
	free(p);
}

int
presence_part_bind(struct presence_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

bool
presence_part_bound(const struct presence_part *p)
{
	(void)p;
	return true;
}

int
presence_part_tend(struct presence_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

void
presence_part_unbind(struct presence_part *p)
{
	(void)p;
}

void
presence_leave(struct presence_part *p)
{
	(void)p;
}

bool
presence_left(const struct presence_part *p)
{
	(void)p;
	return true;
}
