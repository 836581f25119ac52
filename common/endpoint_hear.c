/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "endpoint_impl.h"

struct hear_part {
	struct endpoint	*ep;
};

struct hear_part *
hear_part_new(struct endpoint *ep)
{
	struct hear_part	*p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->ep = ep;
	return p;
}

void
hear_part_free(struct hear_part *p)
{
	free(p);
}

int
hear_part_bind(struct hear_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

bool
hear_part_bound(const struct hear_part *p)
{
	(void)p;
	return true;
}

int
hear_part_tend(struct hear_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

void
hear_part_unbind(struct hear_part *p)
{
	(void)p;
}

void
hear_give_back(struct hear_part *p)
{
	(void)p;
}
