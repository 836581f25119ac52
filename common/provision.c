/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "names.h"
#include "provision.h"
#include "records.h"
#include "space.h"

/* --- making ---------------------------------------------------------------- */

/* Unless it is there.  *made before it is: its answer may be lost. */
static int
make_durable(struct provision *p, enum stream_kind kind, cJSON *config,
    bool *made, struct error *e)
{
	struct js_consumer	 c;
	char			 stream[STREAM_MAX];
	const char		*name;
	int			 r;

	if (config == NULL)
		return error_errno(e, EX_OSERR, "durable");
	name = json_get(config, "name")->valuestring;
	name_stream(stream, sizeof(stream), p->space, kind);
	if ((r = js_consumer_info(p->bus, stream, name, &c, e)) == 0)
		js_consumer_free(&c);
	else if (e->api == JS_NO_CONSUMER) {
		*made = true;
		r = js_consumer_create(p->bus, stream, name, config, NULL, e);
	}
	cJSON_Delete(config);
	return r;
}

static int
write_acl(struct provision *p, uint64_t revision, struct error *e)
{
	struct acl	 acl;
	char		 subject[SUBJECT_MAX], *body;
	struct bus_pub	 put = { .subject = subject, .expect = true,
			    .expect_seq = revision };
	int		 r;

	memset(&acl, 0, sizeof(acl));
	acl.allow = (char **)(uintptr_t)p->allow;
	acl.n_allow = p->n_allow;
	acl.revision = 1;
	acl.updated_ms = clock_epoch_ms();
	acl.name = (char *)(uintptr_t)p->name;
	if ((body = acl_write(&acl, NULL, 0)) == NULL)
		return error_errno(e, EX_OSERR, "ACL");
	name_bucket_key(subject, sizeof(subject), p->space, BUCKET_ACL,
	    p->id);
	put.data = body;
	put.len = strlen(body);
	r = js_publish(p->bus, &put, NULL, NULL, e);
	/* Somebody else's, written just now, is not ours to take back. */
	p->made_acl = r == 0 || e->api != JS_WRONG_LAST_SEQ;
	free(body);
	return r;
}

/* Unless there is one, whatever it says by now. */
static int
make_acl(struct provision *p, struct error *e)
{
	struct js_message	m;
	char			stream[STREAM_MAX], subject[SUBJECT_MAX];
	bool			there;
	int			found;

	name_bucket_stream(stream, sizeof(stream), p->space, BUCKET_ACL);
	name_bucket_key(subject, sizeof(subject), p->space, BUCKET_ACL,
	    p->id);
	found = js_get(p->bus, stream, JS_LAST_BY_SUBJECT, 0, subject, &m, e);
	if (found == -1)
		return -1;
	if (found == 0)
		return write_acl(p, 0, e);
	there = !m.deleted;
	js_message_free(&m);
	return there ? 0 : write_acl(p, m.seq, e);
}

int
provision_make(struct provision *p, struct error *e)
{
	struct error	own;

	e = e == NULL ? &own : e;
	if (make_durable(p, STREAM_DM, space_dm_durable(p->space, p->id),
	    &p->made_dm, e) == -1 ||
	    make_durable(p, STREAM_DLV, space_dlv_durable(p->space, p->id),
	    &p->made_dlv, e) == -1)
		return -1;
	if (p->role != NULL && make_durable(p, STREAM_TASK,
	    space_svc_durable(p->space, p->role), &p->made_svc, e) == -1)
		return -1;
	return make_acl(p, e);
}

/* --- taking back ------------------------------------------------------------- */

static int
drop_durable(struct provision *p, enum stream_kind kind, const char *prefix,
    struct error *e)
{
	char	stream[STREAM_MAX], name[STREAM_MAX];

	name_stream(stream, sizeof(stream), p->space, kind);
	snprintf(name, sizeof(name), "%s_%s", prefix, p->id);
	return js_consumer_delete(p->bus, stream, name, e);
}

static int
drop_acl(struct provision *p, struct error *e)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	put = { .subject = subject, .data = "",
			    .kv_operation = "DEL" };

	name_bucket_key(subject, sizeof(subject), p->space, BUCKET_ACL,
	    p->id);
	return js_publish(p->bus, &put, NULL, NULL, e);
}

/* Each is tried, whatever became of the one before. */
int
provision_take_back(struct provision *p, struct error *e)
{
	struct error	own;
	int		r = 0;

	if (p->made_acl && drop_acl(p, r == 0 ? e : &own) == -1)
		r = -1;
	if (p->made_dlv && drop_durable(p, STREAM_DLV, "dlv",
	    r == 0 ? e : &own) == -1)
		r = -1;
	if (p->made_dm && drop_durable(p, STREAM_DM, "dm",
	    r == 0 ? e : &own) == -1)
		r = -1;
	return r;
}

int
provision_remove(struct provision *p, struct error *e)
{
	p->made_acl = p->made_dlv = p->made_dm = true;
	return provision_take_back(p, e);
}
