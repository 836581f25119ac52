/* SPDX-License-Identifier: ISC */

/* What each channel holds, and whether durable delivery is up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint_impl.h"
#include "jetstream.h"
#include "json.h"
#include "map.h"

struct surveying {
	struct endpoint		*ep;
	endpoint_survey_fn	*fn;
	void			*arg;
	cJSON			*counts;
	struct map		*sums;		/* its numbers, by channel */
	size_t			 seen;		/* subjects, of all pages */
	struct endpoint_survey	 what;
	struct error		 why;
};

/* --- how many messages --------------------------------------------------------- */

/* The page's subjects, each sender's, are added to their channels, of which a
 * peer may make very many. */
static bool
add_page(struct surveying *s, const cJSON *page)
{
	const cJSON	*one;
	struct subject	 subject;
	char		 channel[SUBJECT_MAX];
	cJSON		*sum;

	cJSON_ArrayForEach(one, page) {
		s->seen++;
		if (!subject_parse(&subject, one->string) ||
		    subject.kind != SUBJECT_CHAT)
			continue;
		snprintf(channel, sizeof(channel), "%.*s",
		    (int)subject.rest_len, subject.rest);
		sum = map_get(s->sums, channel);
		if (sum != NULL)
			cJSON_SetNumberValue(sum, sum->valuedouble +
			    one->valuedouble);
		else if ((sum = cJSON_AddNumberToObject(s->counts, channel,
		    one->valuedouble)) == NULL || map_put(s->sums, channel,
		    sum, NULL) == -1)
			return false;
	}
	return true;
}

static void	on_page(void *, enum bus_outcome, natsMsg *);

static int
ask_page(struct surveying *s)
{
	char	stream[STREAM_MAX], subject[SUBJECT_MAX], filter[SUBJECT_MAX],
		body[SUBJECT_MAX + 64];

	(void)name_stream(stream, sizeof(stream), endpoint_space(s->ep),
	    STREAM_CHAT);
	(void)subject_chat(filter, sizeof(filter), endpoint_space(s->ep), "*",
	    ">");
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.INFO.%s", stream);
	snprintf(body, sizeof(body),
	    "{\"subjects_filter\":\"%s\",\"offset\":%zu}", filter, s->seen);
	return endpoint_api(s->ep, subject, body, on_page, s, &s->why);
}

/* --- the lease ------------------------------------------------------------------- */

static void
survey_free(struct surveying *s)
{
	cJSON_Delete(s->counts);
	if (s->sums != NULL)
		map_free(s->sums, NULL);
	free(s);
}

static void
finish(struct surveying *s)
{
	s->what.counts = s->counts;
	s->fn(s->arg, s->why.code == 0 ? &s->what : NULL,
	    s->why.code == 0 ? NULL : &s->why);
	survey_free(s);
}

static void
on_lease(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct surveying	*s = arg;
	struct js_message	 m;
	cJSON			*o;
	int			 found = -1;

	if (outcome == BUS_OK)
		found = js_get_parse(reply, &m, NULL);
	s->what.lease_known = found != -1;
	if (found == 1) {
		o = m.deleted ? NULL : json_parse(m.data, m.len, NULL);
		s->what.lease_ready = cJSON_IsTrue(json_get(o, "ready"));
		cJSON_Delete(o);
		js_message_free(&m);
	}
	finish(s);
}

static int
ask_lease(struct surveying *s)
{
	char	stream[STREAM_MAX], subject[SUBJECT_MAX], key[SUBJECT_MAX],
		body[SUBJECT_MAX + 64];

	(void)name_bucket_stream(stream, sizeof(stream),
	    endpoint_space(s->ep), BUCKET_DELIVERY);
	(void)name_bucket_key(key, sizeof(key), endpoint_space(s->ep),
	    BUCKET_DELIVERY, "lease.0");
	(void)js_get_subject(subject, sizeof(subject), stream);
	(void)js_get_body(body, sizeof(body), JS_LAST_BY_SUBJECT, 0, key);
	return endpoint_api(s->ep, subject, body, on_lease, s, &s->why);
}

static void
on_page(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	struct surveying	*s = arg;
	const cJSON		*page, *total;
	cJSON			*a = NULL;
	struct js_stream	 info;
	bool			 more = false;

	if (endpoint_outcome(outcome, "the channels' messages", &s->why) ==
	    0 && js_stream_parse(reply, &info, &s->why) == 0 &&
	    (a = json_parse(natsMsg_GetData(reply),
	    (size_t)natsMsg_GetDataLength(reply), &s->why)) != NULL) {
		page = json_get(json_get(a, "state"), "subjects");
		total = json_get(a, "total");
		if (!add_page(s, page))
			error_errno(&s->why, EX_OSERR, "survey");
		more = cJSON_GetArraySize(page) > 0 &&
		    cJSON_IsNumber(total) &&
		    (double)s->seen < total->valuedouble;
	}
	cJSON_Delete(a);
	if (s->why.code != 0 || (more ? ask_page(s) : ask_lease(s)) == -1)
		finish(s);
}

int
endpoint_survey(struct endpoint *ep, endpoint_survey_fn *fn, void *arg,
    struct error *e)
{
	struct surveying	*s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_errno(e, EX_OSERR, "survey");
	if ((s->counts = cJSON_CreateObject()) == NULL ||
	    (s->sums = map_new()) == NULL) {
		survey_free(s);
		return error_errno(e, EX_OSERR, "survey");
	}
	s->ep = ep;
	s->fn = fn;
	s->arg = arg;
	if (ask_page(s) == 0)
		return 0;
	if (e != NULL)
		*e = s->why;
	survey_free(s);
	return -1;
}
