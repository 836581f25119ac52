/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "acls.h"
#include "clock.h"
#include "jetstream.h"
#include "json.h"
#include "layout.h"
#include "log.h"
#include "records.h"
#include "report.h"
#include "services.h"
#include "space.h"
#include "watch.h"

#define SYNC_MS		5000
#define CAP		1000	/* entries of an owner that are kept */
#define CLOSE_TO_CAP	800
#define ASKED_MAX	256	/* questions outstanding */

static cJSON *
add_object(cJSON *array)
{
	cJSON	*o = cJSON_CreateObject();

	if (o == NULL || !cJSON_AddItemToArray(array, o))
		fatal_memory();
	return o;
}

static cJSON *
add_array(cJSON *o, const char *name)
{
	cJSON	*a = cJSON_AddArrayToObject(o, name);

	if (a == NULL)
		fatal_memory();
	return a;
}

/* --- roles --------------------------------------------------------------------- */

static int
add_roles(struct cli *cli, cJSON *report, struct error *e)
{
	struct strlist		 names = { 0 };
	struct service_status	 s;
	cJSON			*roles = add_array(report, "roles"), *o;
	size_t			 i;
	int			 r = services_list(&cli->config, &names, e);

	for (i = 0; r == 0 && i < names.n; i++) {
		if (service_status(&cli->config, names.v[i], &s, e) == -1)
			continue;	/* it went just now */
		o = add_object(roles);
		cJSON_AddStringToObject(o, "name", names.v[i]);
		cJSON_AddStringToObject(o, "state", s.supervised ? s.state :
		    "unsupervised");
		cJSON_AddStringToObject(o, "want", s.want);
		if (s.reason[0] != '\0')
			cJSON_AddStringToObject(o, "reason", s.reason);
		cJSON_AddNumberToObject(o, "pid", (double)s.pid);
		cJSON_AddNumberToObject(o, "sinceMs", s.supervised ?
		    (double)s.since_ms : 0);
		if (s.supervised && s.starts >= 0)
			cJSON_AddNumberToObject(o, "restarts",
			    (double)(s.starts > 0 ? s.starts - 1 : 0));
		cJSON_AddBoolToObject(o, "ready", s.supervised &&
		    strcmp(s.state, "ready") == 0);
	}
	strlist_free(&names);
	return r;
}

/* --- shards ---------------------------------------------------------------------- */

static void
add_lease(cJSON *o, const struct lease *l, const struct host *host)
{
	cJSON_AddStringToObject(o, "holder", l->holder);
	cJSON_AddBoolToObject(o, "ready", l->ready);
	if (l->host == NULL)
		return;
	cJSON_AddStringToObject(o, "host", l->host);
	cJSON_AddBoolToObject(o, "here", strcmp(l->host, host->identity) ==
	    0);
	cJSON_AddNumberToObject(o, "ttlMs", (double)l->ttl_ms);
	cJSON_AddBoolToObject(o, "releasing", l->releasing);
	/* Another machine's clock says nothing here. */
	if (strcmp(l->host, host->identity) == 0)
		cJSON_AddNumberToObject(o, "ageMs",
		    (double)(clock_ms() - l->renewed_ms));
}

/* How the space is cut. */
static int
read_layout(struct cli *cli, struct bus *b, struct layout *l, struct error *e)
{
	char			 stream[STREAM_MAX], subject[SUBJECT_MAX];
	struct js_message	 m;
	int			 found, r;

	name_bucket_stream(stream, sizeof(stream), cli->config.space,
	    BUCKET_MEMBERS);
	name_bucket_key(subject, sizeof(subject), cli->config.space,
	    BUCKET_MEMBERS, LAYOUT_KEY);
	found = js_get(b, stream, JS_LAST_BY_SUBJECT, 0, subject, &m, e);
	if (found != 1)
		return found == -1 ? -1 : layout_read(l, NULL, 0, e);
	r = layout_read(l, m.deleted ? NULL : m.data, m.len, e);
	js_message_free(&m);
	return r;
}

static int
add_shard(struct cli *cli, struct bus *b, const struct host *host,
    unsigned shard, cJSON *o, struct error *e)
{
	char			 stream[STREAM_MAX], subject[SUBJECT_MAX];
	char			 key[32];
	struct js_message	 m;
	struct lease		 l;
	int			 found;

	name_bucket_stream(stream, sizeof(stream), cli->config.space,
	    BUCKET_DELIVERY);
	snprintf(key, sizeof(key), "lease.%u", shard);
	name_bucket_key(subject, sizeof(subject), cli->config.space,
	    BUCKET_DELIVERY, key);
	cJSON_AddNumberToObject(o, "shard", shard);
	found = js_get(b, stream, JS_LAST_BY_SUBJECT, 0, subject, &m, e);
	if (found == -1)
		return -1;
	if (found == 1) {
		if (!m.deleted && lease_read(&l, m.data, m.len, e) == 0) {
			add_lease(o, &l, host);
			lease_free(&l);
		}
		js_message_free(&m);
	}
	return 0;
}

static int
add_shards(struct cli *cli, struct bus *b, cJSON *report,
    const struct layout *l, struct error *e)
{
	struct host	 host;
	cJSON		*shards = add_array(report, "shards");
	unsigned	 i;

	if (host_load(&host, &cli->config, e) == -1)
		return -1;
	if (l->next != 0)
		cJSON_AddNumberToObject(report, "changingTo", l->next);
	for (i = 0; i < l->shards; i++)
		if (add_shard(cli, b, &host, i, add_object(shards), e) == -1)
			return -1;
	return 0;
}

/* --- streams ------------------------------------------------------------------------ */

/* A durable's messages that are not read, nor done with; -1: it is not known. */
static double
unread_of(struct bus *b, const char *stream, const char *durable)
{
	struct js_consumer	c;
	struct error		e;
	double			n;

	if (js_consumer_info(b, stream, durable, &c, &e) == -1)
		return -1;
	n = (double)(c.n_pending + c.n_ack_pending);
	js_consumer_free(&c);
	return n;
}

/* Each fan-out reads all of CHAT: the one that is furthest behind counts.
 * What is in INBOX is one reader's or another's. */
static void
add_unread(struct bus *b, const char *stream, enum stream_kind kind,
    unsigned shards, cJSON *o)
{
	char		name[64];
	double		n, sum = 0, most = 0;
	unsigned	i;

	for (i = 0; i < shards; i++) {
		if (kind == STREAM_CHAT)
			space_fanout_name(name, sizeof(name), i, shards);
		else
			space_reader_name(name, sizeof(name), i, shards);
		if ((n = unread_of(b, stream, name)) == -1)
			return;
		sum += n;
		most = n > most ? n : most;
	}
	cJSON_AddNumberToObject(o, "unread", kind == STREAM_CHAT ? most :
	    sum);
}

static int
add_streams(struct cli *cli, struct bus *b, cJSON *report, unsigned shards,
    struct error *e)
{
	struct js_stream	 info;
	char			 name[STREAM_MAX];
	cJSON			*streams = add_array(report, "streams"), *o;
	unsigned		 i;

	for (i = 0; i < N_STREAMS; i++) {
		name_stream(name, sizeof(name), cli->config.space,
		    (enum stream_kind)i);
		if (js_stream_info(b, name, &info, e) == -1)
			return -1;
		o = add_object(streams);
		cJSON_AddStringToObject(o, "name", name);
		cJSON_AddNumberToObject(o, "messages",
		    (double)info.messages);
		cJSON_AddNumberToObject(o, "bytes", (double)info.bytes);
		if (i == STREAM_CHAT || i == STREAM_INBOX)
			add_unread(b, name, (enum stream_kind)i, shards, o);
		if (i == STREAM_DEAD)
			cJSON_AddNumberToObject(report, "deadLetters",
			    (double)info.messages);
	}
	return 0;
}

/* --- owners close to their cap -------------------------------------------------------- */

struct asking {
	struct bus	*bus;
	char		 stream[STREAM_MAX];
	cJSON		*backlogs;
	unsigned	 open;
};

struct question {
	struct asking	*asking;
	char		 owner[ID_MAX];
	char		 name[128];
};

static void
on_backlog(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct question	*q = arg;
	const cJSON	*pending, *unacked;
	cJSON		*a = NULL, *o;
	double		 unread;

	q->asking->open--;
	if (outcome == BUS_OK)
		a = json_parse(natsMsg_GetData(reply),
		    (size_t)natsMsg_GetDataLength(reply), NULL);
	pending = json_get(a, "num_pending");
	unacked = json_get(a, "num_ack_pending");
	if (cJSON_IsNumber(pending) && cJSON_IsNumber(unacked)) {
		unread = pending->valuedouble + unacked->valuedouble;
		if (unread >= CLOSE_TO_CAP) {
			o = add_object(q->asking->backlogs);
			cJSON_AddStringToObject(o, "owner", q->owner);
			if (q->name[0] != '\0')
				cJSON_AddStringToObject(o, "name", q->name);
			cJSON_AddNumberToObject(o, "unread", unread);
			cJSON_AddNumberToObject(o, "cap", CAP);
		}
	}
	cJSON_Delete(a);
	free(q);
}

static void
ask_backlog(void *arg, const char *owner, const struct acl *acl)
{
	struct asking	*a = arg;
	struct question	*q = calloc(1, sizeof(*q));
	char		 subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject };

	if (q == NULL)
		fatal_memory();
	while (a->open >= ASKED_MAX && bus_alive(a->bus))
		bus_turn(a->bus, NULL, 0, 50);
	q->asking = a;
	snprintf(q->owner, sizeof(q->owner), "%s", owner);
	snprintf(q->name, sizeof(q->name), "%s", acl->name == NULL ? "" :
	    acl->name);
	snprintf(subject, sizeof(subject), "$JS.API.CONSUMER.INFO.%s.dlv_%s",
	    a->stream, owner);
	if (bus_request(a->bus, &p, JS_TIMEOUT_MS, on_backlog, q, NULL) == -1)
		free(q);
	else
		a->open++;
}

static int
add_backlogs(struct cli *cli, struct bus *b, cJSON *report, struct error *e)
{
	struct asking	 a = { .bus = b };
	struct acls	*acls = acls_new();
	struct watch	*w;
	int		 r;

	if (acls == NULL || (w = watch_new(cli->config.space, BUCKET_ACL,
	    ">", &acls_ops, acls)) == NULL)
		fatal_memory();
	name_stream(a.stream, sizeof(a.stream), cli->config.space,
	    STREAM_DLV);
	a.backlogs = add_array(report, "backlogs");
	r = watch_bind(w, b, e);
	if (r == 0 && (r = watch_wait(b, &w, 1, SYNC_MS, e)) == 0) {
		acls_each(acls, ask_backlog, &a);
		while (a.open > 0 && bus_alive(b))
			bus_turn(b, NULL, 0, 50);
	}
	watch_free(w);
	acls_free(acls);
	return r;
}

/* --- all of it ------------------------------------------------------------------------ */

static int
ask_broker(struct cli *cli, cJSON *report, struct error *e)
{
	struct creds	 c;
	struct bus	*b = NULL;
	struct layout	 l;
	int		 r;

	if (cli_connect(cli, PROFILE_INSPECTOR, NULL, &c, &b, e) == -1)
		return -1;
	r = read_layout(cli, b, &l, e);
	if (r == 0)
		r = add_shards(cli, b, report, &l, e);
	if (r == 0)
		r = add_streams(cli, b, report, l.shards, e);
	if (r == 0)
		r = add_backlogs(cli, b, report, e);
	bus_close(b);
	creds_wipe(&c);
	return r;
}

cJSON *
report_make(struct cli *cli, struct error *e)
{
	struct error	 away;
	cJSON		*report;

	if (cli_load(cli, e) == -1)
		return NULL;
	if ((report = cJSON_CreateObject()) == NULL)
		fatal_memory();
	cJSON_AddStringToObject(report, "space", cli->config.space);
	cJSON_AddStringToObject(report, "state", cli->config.state);
	if (add_roles(cli, report, e) == -1) {
		cJSON_Delete(report);
		return NULL;
	}
	/* The rest is said as far as it can be had. */
	cJSON_AddStringToObject(report, "broker",
	    ask_broker(cli, report, &away) == -1 ? away.text : "up");
	return report;
}
