/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "endpoint_impl.h"

struct read_part {
	struct endpoint	*ep;
};

struct read_part *
read_part_new(struct endpoint *ep)
{
	struct read_part	*p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->ep = ep;
	return p;
}

void
read_part_free(struct read_part *p)
{
	free(p);
}

int
read_part_bind(struct read_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

bool
read_part_bound(const struct read_part *p)
{
	(void)p;
	return true;
}

int
read_part_tend(struct read_part *p, struct error *e)
{
	(void)p;
	(void)e;
	return 0;
}

void
read_part_unbind(struct read_part *p)
{
	(void)p;
}
