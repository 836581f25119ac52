/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "foreign.h"
#include "json.h"

#include "../unit/vectors.h"

char		 out[65536];
struct space	*b;
char		 with[700];

cJSON *
recorded(void)
{
	cJSON	*o = vectors_load("server-objects.json");
	char	*text = cJSON_PrintUnformatted(o), *p;

	ck_assert(text != NULL);
	cJSON_Delete(o);
	for (p = text; (p = strstr(p, "vectors")) != NULL; ) {
		*p = 't';
		memmove(p + 1, p + 7, strlen(p + 7) + 1);
	}
	o = cJSON_Parse(text);
	ck_assert(o != NULL);
	free(text);
	return o;
}

void
api(const char *subject)
{
	struct bus_pub	 p = { .subject = subject };
	struct error	 e;
	natsMsg		*m = bus_call(sp->root, &p, JS_TIMEOUT_MS, &e);

	ck_assert_msg(m != NULL, "%s: %s", subject, e.text);
	bus_msg_free(m);
}

void
make_durable(const char *stream, const char *name)
{
	cJSON		*all = recorded();
	const cJSON	*config = vectors_get(vectors_get(vectors_get(all,
			    "consumers"), stream), name);
	struct error	 e;

	OK(js_consumer_delete(sp->root, stream, name, &e), e);
	OK(js_consumer_create(sp->root, stream, name, config, NULL, &e), e);
	cJSON_Delete(all);
}

/* Is each recorded setting of it as it was, but these? */
bool
is_recorded(const char *stream, const char *name)
{
	cJSON			*all = recorded();
	const cJSON		*want = vectors_get(vectors_get(vectors_get(
				    all, "consumers"), stream), name), *w, *v;
	struct js_consumer	 c;
	struct error		 e;
	bool			 is = true;

	OK(js_consumer_info(sp->root, stream, name, &c, &e), e);
	cJSON_ArrayForEach(w, want) {
		v = json_get(c.config, w->string);
		is = is && (v != NULL ? cJSON_Compare(w, v, true) :
		    w->valuedouble == 0);
	}
	js_consumer_free(&c);
	cJSON_Delete(all);
	return is;
}

double
setting(const char *stream, const char *name, const char *field)
{
	struct js_consumer	c;
	struct error		e;
	double			n;

	OK(js_consumer_info(sp->root, stream, name, &c, &e), e);
	n = json_get(c.config, field)->valuedouble;
	js_consumer_free(&c);
	return n;
}

void
shell(const char *fmt, const char *a, const char *z)
{
	char	cmd[1024];

	snprintf(cmd, sizeof(cmd), fmt, a, z);
	ck_assert_msg(system(cmd) == 0, "%s", cmd);
}

bool
stream_is_there(const char *name)
{
	struct js_stream	info;
	struct error		e;

	return js_stream_info(sp->root, name, &info, &e) == 0;
}

/* A broker with what the other system makes, and no role of ours. */
void
setup(void)
{
	sp = space_make("");
	shell("cd %s/service && rm -r lease fanout reader control%s",
	    sp->state, "");
	space_start(sp);
	space_connect_root(sp);
	api("$JS.API.STREAM.DELETE.DEAD_t");
	make_durable("CHAT_t", "fanout");
	make_durable("INBOX_t", "reader");
	b = space_new(sp);
	snprintf(b->state, sizeof(b->state), "%s/b", sp->dir);
	b->port = sp->port;
	shell("umask 077 && cd %s && mkdir -p ws/.cotal/auth && cp %s/trust/"
	    "auth.json ws/.cotal/auth", sp->dir, sp->state);
	snprintf(with, sizeof(with), "--trust %s/ws/.cotal/auth/auth.json "
	    "--server nats://127.0.0.1:%d --no-agents", sp->dir, sp->port);
}

void
check_nothing_made(void)
{
	ck_assert(!stream_is_there("DEAD_t"));
	ck_assert_int_eq(access(b->state, F_OK), -1);
}

/* Every stream with its settings, its numbers and its consumers'. */
char *
all_that_is_there(void)
{
	static const char *const	kinds[] = { "STREAM.LIST",
		    "CONSUMER.LIST.CHAT_t", "CONSUMER.LIST.INBOX_t",
		    "CONSUMER.LIST.KV_cotal_members_t",
		    "CONSUMER.LIST.KV_cotal_acl_t",
		    "CONSUMER.LIST.KV_cotal_delivery_t" };
	struct bus_pub			 p = { .subject = out };
	struct error			 e;
	char				*all = strdup(""), *was, *ts;
	natsMsg				*m;
	size_t				 i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(out, sizeof(out), "$JS.API.%s", kinds[i]);
		m = bus_call(sp->root, &p, JS_TIMEOUT_MS, &e);
		ck_assert_msg(m != NULL, "%s: %s", kinds[i], e.text);
		was = all;
		ck_assert(asprintf(&all, "%s%.*s\n", was,
		    natsMsg_GetDataLength(m), natsMsg_GetData(m)) != -1);
		free(was);
		bus_msg_free(m);
	}
	/* When it was asked is no part of it. */
	for (ts = all; (ts = strstr(ts, "\"ts\":\"")) != NULL; ts++)
		memmove(ts + 6, ts + 6 + strcspn(ts + 6, "\""),
		    strlen(ts + 6 + strcspn(ts + 6, "\"")) + 1);
	return all;
}

int
try(const char *more)
{
	return reeve(b, out, sizeof(out), "migrate %s %s", with, more);
}

void
expect(int code, const char *more, const char *text)
{
	int	is = try(more);

	ck_assert_msg(is == code, "%d, not %d: %s", is, code, out);
	ck_assert_msg(strstr(out, text) != NULL, "no \"%s\": %s", text, out);
}
