/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "crowd.h"
#include "jetstream.h"
#include "message.h"
#include "nkey.h"
#include "records.h"

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
put_record(struct stage *s, enum bucket_kind bucket, const char *key,
    char *text, struct error *e)
{
	char		subject[SUBJECT_MAX];
	struct bus_pub	p = { .subject = subject, .data = text };
	int		r;

	if (text == NULL)
		return error_errno(e, EX_OSERR, "%s", key);
	name_bucket_key(subject, sizeof(subject), s->config.space, bucket,
	    key);
	p.len = strlen(text);
	r = js_publish(s->bus, &p, NULL, NULL, e);
	free(text);
	return r;
}

int
crowd_make(struct crowd *c, struct stage *s, struct error *e)
{
	char		*allow[] = { (char *)(uintptr_t)">" };
	struct acl	 acl = { .allow = allow, .n_allow = 1,
			    .revision = 1, .updated_ms = clock_epoch_ms() };
	unsigned	 i;

	for (i = 0; i < CROWD_SENDERS; i++)
		if (new_id(c->sender[i], e) == -1)
			return -1;
	for (i = 0; i < CROWD_MAX; i++)
		if (new_id(c->owner[i], e) == -1 ||
		    put_record(s, BUCKET_ACL, c->owner[i],
		    acl_write(&acl, NULL, 0), e) == -1)
			return -1;
	return 0;
}

void
crowd_channel(char *buf, size_t size, unsigned n)
{
	snprintf(buf, size, "crowd%u", n);
}

int
crowd_join(const struct crowd *c, struct stage *s, unsigned n,
    struct error *e)
{
	char			channel[32], key[SUBJECT_MAX], owner[ID_MAX];
	struct membership	m = { .channel = channel, .owner = owner,
				    .state = MEMBER_DURABLE_ACTIVE,
				    .activated = true, .generation = 1,
				    .writer = (char *)(uintptr_t)"bench",
				    .updated_ms = clock_epoch_ms() };
	unsigned		i;

	crowd_channel(channel, sizeof(channel), n);
	for (i = 0; i < n; i++) {
		snprintf(owner, sizeof(owner), "%s", c->owner[i]);
		snprintf(key, sizeof(key), "%s/%s", channel, owner);
		if (put_record(s, BUCKET_MEMBERS, key,
		    membership_write(&m, NULL, 0), e) == -1)
			return -1;
	}
	return 0;
}

char *
crowd_message(const struct crowd *c, const struct stage *s, unsigned n,
    unsigned i, char *id)
{
	char			text[CROWD_TEXT + 1], channel[32];
	struct message_draft	d = { .id = id, .ts_ms = clock_epoch_ms(),
				    .space = s->config.space,
				    .from_id = c->sender[i],
				    .from_name = "bench", .channel = channel,
				    .text = text };

	memset(text, 'x', CROWD_TEXT);
	text[CROWD_TEXT] = '\0';
	crowd_channel(channel, sizeof(channel), n);
	message_new_id(id);
	return message_write(&d);
}

int
crowd_post(const struct crowd *c, struct stage *s, const char *prefix,
    unsigned n, unsigned messages, struct error *e)
{
	char		 subject[SUBJECT_MAX], channel[32], id[40], *body;
	struct bus_pub	 p = { .subject = subject, .msg_id = id };
	unsigned	 i;
	int		 r = 0;

	crowd_channel(channel, sizeof(channel), n);
	for (i = 0; r == 0 && i < messages; i++) {
		snprintf(subject, sizeof(subject), "%s.%s.%s", prefix,
		    c->sender[i % CROWD_SENDERS], channel);
		body = crowd_message(c, s, n, i % CROWD_SENDERS, id);
		if (body == NULL)
			return error_errno(e, EX_OSERR, "message");
		p.data = body;
		p.len = strlen(body);
		r = js_publish(s->bus, &p, NULL, NULL, e);
		free(body);
	}
	return r;
}
