/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "bucket.h"
#include "jetstream.h"
#include "shards.h"

struct found {
	struct layout	layout;
	uint64_t	seq;
	bool		bad;
};

static void
found_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct found	*f = table;

	(void)key;
	f->seq = seq;
	f->bad = layout_read(&f->layout, data, len, NULL) == -1;
}

static void
found_reset(void *table)
{
	struct found	*f = table;

	memset(f, 0, sizeof(*f));
	f->layout.shards = 1;
}

int
shards_read(struct bus *b, const char *space, struct layout *l,
    uint64_t *seq, struct error *e)
{
	static const struct watch_ops	 ops = { found_put, found_reset };
	struct found			 f;
	struct watch			*w;
	int				 r;

	found_reset(&f);
	/* A consumer made now finds what is stored now. */
	r = bucket_read(b, space, BUCKET_MEMBERS, LAYOUT_KEY, &ops, &f,
	    &w, e);
	if (r == 0 && f.bad)
		r = error_set(e, EX_DATAERR, "the record " LAYOUT_KEY
		    " of the members bucket is unreadable");
	*l = f.layout;
	*seq = f.seq;
	watch_free(w);
	return r;
}

int
shards_write(struct bus *b, const char *space, const struct layout *l,
    uint64_t *seq, struct error *e)
{
	char		 subject[SUBJECT_MAX], *body = NULL;
	struct bus_pub	 p = { .subject = subject, .expect = true,
			    .expect_seq = *seq, .data = "" };
	int		 r;

	name_bucket_key(subject, sizeof(subject), space, BUCKET_MEMBERS,
	    LAYOUT_KEY);
	if (l->shards == 1 && l->next == 0 && l->was == 0)
		p.kv_operation = "DEL";
	else if ((body = layout_write(l)) == NULL)
		return error_errno(e, EX_OSERR, "layout");
	if (body != NULL) {
		p.data = body;
		p.len = strlen(body);
	}
	r = js_publish(b, &p, seq, NULL, e);
	free(body);
	return r;
}
