/* SPDX-License-Identifier: ISC */

/* The manager among those who are there (wire, section 4, Presence). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "jetstream.h"
#include "log.h"
#include "records.h"

#include "manager.h"

#define BEAT_MS		2000

static char *
text_of(const struct role *r, enum status status)
{
	char		id[ID_MAX], name[] = "manager", kind[] = "endpoint",
			role[] = "manager";
	struct presence	p = { .id = id, .name = name, .kind = kind,
			    .role = role, .status = status,
			    .ts_ms = clock_epoch_ms() };
	char		*text;

	snprintf(id, sizeof(id), "%s", r->creds.key.public);
	if ((text = presence_write(&p)) == NULL)
		fatal_memory();
	return text;
}

/* subject: room for it, SUBJECT_MAX bytes; *text is to be freed. */
static int
fill(struct bus_pub *p, const struct role *r, char *subject, char **text,
    enum status status, struct error *e)
{
	memset(p, 0, sizeof(*p));
	if (name_bucket_key(subject, SUBJECT_MAX, r->config.space,
	    BUCKET_PRESENCE, r->creds.key.public) == -1)
		return error_set(e, EX_CONFIG, "the space's name is too long");
	*text = text_of(r, status);
	p->subject = subject;
	p->data = *text;
	p->len = strlen(*text);
	return 0;
}

/* Its answer is only a sign of life; the next one tries again. */
static void
on_beat(void *arg, enum bus_outcome outcome, natsMsg *reply)
{
	(void)arg;
	(void)outcome;
	(void)reply;
}

void
card_beat(struct manager *m)
{
	char		 subject[SUBJECT_MAX], *text;
	struct bus_pub	 p;
	struct error	 e;
	int64_t		 now = clock_ms();

	if (m->beat_ms != 0 && now - m->beat_ms < BEAT_MS)
		return;
	m->beat_ms = now;
	if (fill(&p, m->role, subject, &text, STATUS_IDLE, &e) == -1) {
		log_warn("no presence", "error=%s", log_str(e.text));
		return;
	}
	/* Nothing else waits for it: a link that is gone is seen elsewhere. */
	if (bus_request(m->role->bus, &p, BEAT_MS, on_beat, NULL, &e) == -1)
		log_debug("presence not sent", "error=%s", log_str(e.text));
	free(text);
}

void
card_withdraw(struct manager *m)
{
	char		 subject[SUBJECT_MAX], *text;
	struct bus_pub	 p;
	struct error	 e;

	if (fill(&p, m->role, subject, &text, STATUS_OFFLINE, &e) == -1)
		return;
	if (js_publish(m->role->bus, &p, NULL, NULL, &e) == -1)
		log_warn("presence not withdrawn", "error=%s",
		    log_str(e.text));
	free(text);
}
