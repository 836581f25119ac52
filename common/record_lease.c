/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "records.h"

/* A record as it is on the wire. */
struct view {
	const char	*holder, *host, *nonce;
	int64_t		 since, renewed, ttl;
	bool		 ready, releasing;
};

#define ROW(key, kind, must, member)					\
	FIELD(key, kind, must, struct view, member)

static const struct json_field table[] = {
	ROW("holder", JSON_STRING, true, holder),
	ROW("since", JSON_I64, true, since),
	ROW("ready", JSON_BOOL, true, ready),
	ROW("host", JSON_STRING, false, host),
	ROW("nonce", JSON_STRING, false, nonce),
	ROW("renewed", JSON_I64, false, renewed),
	ROW("ttl", JSON_I64, false, ttl),
	ROW("releasing", JSON_BOOL, false, releasing),
	JSON_END
};

int
lease_read(struct lease *l, const char *data, size_t len, struct error *e)
{
	struct view	 v = { .holder = NULL };
	cJSON		*o;
	int		 rc;

	memset(l, 0, sizeof(*l));
	if ((o = record_parse(data, len, e)) == NULL)
		return -1;
	if ((rc = json_read(o, table, &v, "", e)) == 0) {
		l->since_ms = v.since;
		l->ready = v.ready;
		l->renewed_ms = v.renewed;
		l->ttl_ms = v.ttl;
		l->releasing = v.releasing;
		if (record_dup(&l->holder, v.holder, e) == -1 ||
		    record_dup(&l->host, v.host, e) == -1 ||
		    record_dup(&l->nonce, v.nonce, e) == -1)
			rc = -1;
	}
	cJSON_Delete(o);
	return rc;
}

/* What is ours; a holder without a host identity has none of it. */
static bool
set_ours(cJSON *o, const struct lease *l)
{
	return l->host == NULL || (json_set_str(o, "host", l->host) &&
	    record_set_str(o, "nonce", l->nonce) &&
	    json_set_i64(o, "renewed", l->renewed_ms) &&
	    json_set_i64(o, "ttl", l->ttl_ms) &&
	    (!l->releasing || json_set_bool(o, "releasing", true)));
}

char *
lease_write(const struct lease *l)
{
	cJSON	*o = cJSON_CreateObject();

	return record_print(o, o != NULL &&
	    json_set_str(o, "holder", l->holder) &&
	    json_set_i64(o, "since", l->since_ms) &&
	    json_set_bool(o, "ready", l->ready) && set_ours(o, l));
}

void
lease_free(struct lease *l)
{
	free(l->holder);
	free(l->host);
	free(l->nonce);
	memset(l, 0, sizeof(*l));
}
