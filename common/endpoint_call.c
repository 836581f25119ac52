/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "endpoint_impl.h"

struct call_part {
	struct endpoint	*ep;
};

struct call_part *
call_part_new(struct endpoint *ep)
{
	struct call_part	*p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->ep = ep;
	return p;
}

void
call_part_free(struct call_part *p)
{
	free(p);
}

int
call_part_bind(struct call_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

bool
call_part_bound(const struct call_part *p)
{
	(void)p;
	return true;
}

int
call_part_tend(struct call_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

void
call_part_unbind(struct call_part *p)
{
	(void)p;
}
