/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "endpoint_impl.h"

struct join_part {
	struct endpoint	*ep;
};

struct join_part *
join_part_new(struct endpoint *ep)
{
	struct join_part	*p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->ep = ep;
	return p;
}

void
join_part_free(struct join_part *p)
{
	free(p);
}

int
join_part_bind(struct join_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

bool
join_part_bound(const struct join_part *p)
{
	(void)p;
	return true;
}

int
join_part_tend(struct join_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

void
join_part_unbind(struct join_part *p)
{
	(void)p;
}
