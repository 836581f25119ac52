/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "crowd.h"
#include "message.h"
#include "nkey.h"
#include "records.h"

#define OTHERS_EACH	20	/* members of a channel of others */

static int
new_id(char id[ID_MAX], struct error *e)
{
	struct nkey	k;

	if (nkey_new(&k, NKEY_USER, e) == -1)
		return -1;
	snprintf(id, ID_MAX, "%s", k.public);
	nkey_wipe(&k);
	return 0;
}

/* Takes text; NULL is out of memory. */
static int
put_record(struct pour *to, const struct stage *s, enum bucket_kind bucket,
    const char *key, char *text, struct error *e)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = text };
	int		r;

	if (text == NULL)
		return error_errno(e, EX_OSERR, "%s", key);
	name_bucket_key(subject, sizeof(subject), s->config.space, bucket,
	    key);
	p.len = strlen(text);
	r = pour_put(to, &p, e);
	free(text);
	return r;
}

int
crowd_make(struct crowd *c, struct stage *s, struct error *e)
{
	char		*allow[] = { (char *)(uintptr_t)">" };
	struct acl	 acl = { .allow = allow, .n_allow = 1,
			    .revision = 1, .updated_ms = clock_epoch_ms() };
	struct pour	 to = { .bus = s->bus };
	unsigned	 i;

	c->others = 0;
	for (i = 0; i < CROWD_SENDERS; i++)
		if (new_id(c->sender[i], e) == -1)
			return -1;
	for (i = 0; i < CROWD_OWNERS; i++)
		if (new_id(c->owner[i], e) == -1 ||
		    put_record(&to, s, BUCKET_ACL, c->owner[i],
		    acl_write(&acl, NULL, 0), e) == -1)
			return -1;
	return pour_end(&to, e);
}

void
crowd_channel(char *buf, size_t size, const struct load *l, unsigned i)
{
	snprintf(buf, size, l->channels == 1 ? "crowd%u" : "crowd%u.%u",
	    l->members, i);
}

unsigned
crowd_owner(const struct load *l, unsigned i, unsigned k)
{
	return l->channels == 1 ? k : (i * l->members + k) % CROWD_OWNERS;
}

static int
join_one(struct pour *to, const struct stage *s, const char *channel,
    const char *owner, struct error *e)
{
	char			key[SUBJECT_MAX];
	struct membership	m = { .channel = (char *)(uintptr_t)channel,
				    .owner = (char *)(uintptr_t)owner,
				    .state = MEMBER_DURABLE_ACTIVE,
				    .activated = true, .generation = 1,
				    .writer = (char *)(uintptr_t)"bench",
				    .updated_ms = clock_epoch_ms() };

	snprintf(key, sizeof(key), "%s/%s", channel, owner);
	return put_record(to, s, BUCKET_MEMBERS, key,
	    membership_write(&m, NULL, 0), e);
}

int
crowd_join(const struct crowd *c, struct stage *s, const struct load *l,
    struct error *e)
{
	struct pour	to = { .bus = s->bus };
	char		channel[32];
	unsigned	i, k;

	for (i = 0; i < l->channels; i++) {
		crowd_channel(channel, sizeof(channel), l, i);
		for (k = 0; k < l->members; k++)
			if (join_one(&to, s, channel,
			    c->owner[crowd_owner(l, i, k)], e) == -1)
				return -1;
	}
	return pour_end(&to, e);
}

int
crowd_join_others(struct crowd *c, struct stage *s, unsigned n,
    struct error *e)
{
	struct pour	to = { .bus = s->bus };
	char		channel[32];

	for (; c->others < n; c->others++) {
		snprintf(channel, sizeof(channel), "other%u",
		    c->others / OTHERS_EACH);
		if (join_one(&to, s, channel,
		    c->owner[c->others % CROWD_OWNERS], e) == -1)
			return -1;
	}
	return pour_end(&to, e);
}

char *
crowd_message(const struct crowd *c, const struct stage *s,
    const struct load *l, unsigned i, unsigned sender, const char *id)
{
	char			text[CROWD_TEXT + 1], channel[32];
	struct message_draft	d = { .id = id, .ts_ms = clock_epoch_ms(),
				    .space = s->config.space,
				    .from_id = c->sender[sender],
				    .from_name = "bench", .channel = channel,
				    .text = text };

	memset(text, 'x', CROWD_TEXT);
	text[CROWD_TEXT] = '\0';
	crowd_channel(channel, sizeof(channel), l, i);
	return message_write(&d);
}

int
crowd_post(const struct crowd *c, struct stage *s, const char *prefix,
    const struct load *l, struct error *e)
{
	struct pour	 to = { .bus = s->bus };
	char		 subject[SUBJECT_MAX], channel[32], id[40], *body;
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	unsigned	 i, sender;
	int		 r = 0;

	for (i = 0; r == 0 && i < l->messages; i++) {
		sender = i % CROWD_SENDERS;
		crowd_channel(channel, sizeof(channel), l, i % l->channels);
		snprintf(subject, sizeof(subject), "%s.%s.%s", prefix,
		    c->sender[sender], channel);
		message_new_id(id);
		body = crowd_message(c, s, l, i % l->channels, sender, id);
		if (body == NULL)
			return error_errno(e, EX_OSERR, "message");
		p.data = body;
		p.len = strlen(body);
		r = pour_put(&to, &p, e);
		free(body);
	}
	return r == -1 ? -1 : pour_end(&to, e);
}
