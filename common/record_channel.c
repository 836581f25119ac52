/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "records.h"
#include "utf8.h"

#define DESCRIPTION_MAX		200	/* UTF-16 units */
#define INSTRUCTIONS_MAX	2000

/* By enum delivery_class, from CLASS_LIVE on. */
static const char *const classes[] = { "live", "durable", NULL };

/* A record as it is on the wire. */
struct view {
	const char	*window, *class, *description, *instructions;
	bool		 replay, has_replay;
};

#define ROW(key, kind, must, member)					\
	FIELD(key, kind, must, struct view, member)

static const struct json_field table[] = {
	{ .name = "replay", .type = JSON_BOOL,
	    .offset = offsetof(struct view, replay),
	    .present = offsetof(struct view, has_replay) },
	ROW("replayWindow", JSON_STRING, false, window),
	{ .name = "deliveryClass", .type = JSON_STRING,
	    .offset = offsetof(struct view, class), .one_of = classes },
	ROW("description", JSON_STRING, false, description),
	ROW("instructions", JSON_STRING, false, instructions),
	JSON_END
};

static int
check_text(const char *s, size_t most, const char *name, struct error *e)
{
	if (s != NULL && utf8_units(s) > most)
		return error_set(e, EX_DATAERR, "%s: over %zu characters",
		    name, most);
	return 0;
}

int
channel_config_check(const struct channel_config *c, struct error *e)
{
	/* duration_ms allows blanks around it, the wire does not. */
	if (c->replay_window != NULL && (duration_ms(c->replay_window) == -1 ||
	    c->replay_window[strspn(c->replay_window, "0123456789smhd")]))
		return error_set(e, EX_DATAERR,
		    "replayWindow: expected a duration like 90s, 30m, 24h, "
		    "7d");
	if (check_text(c->description, DESCRIPTION_MAX, "description",
	    e) == -1)
		return -1;
	return check_text(c->instructions, INSTRUCTIONS_MAX, "instructions",
	    e);
}

static int
fill(struct channel_config *c, const struct view *v, struct error *e)
{
	c->has_replay = v->has_replay;
	c->replay = v->replay;
	if (v->class != NULL)
		c->delivery_class = strcmp(v->class, "live") == 0 ?
		    CLASS_LIVE : CLASS_DURABLE;
	if (record_dup(&c->replay_window, v->window, e) == -1 ||
	    record_dup(&c->description, v->description, e) == -1 ||
	    record_dup(&c->instructions, v->instructions, e) == -1 ||
	    channel_config_check(c, e) == -1)
		return -1;
	if (c->replay_window != NULL)
		c->replay_window_ms = duration_ms(c->replay_window);
	return 0;
}

int
channel_config_read(struct channel_config *c, const char *data, size_t len,
    struct error *e)
{
	struct view	 v = { .window = NULL };
	cJSON		*o;
	int		 rc;

	memset(c, 0, sizeof(*c));
	c->replay_window_ms = -1;
	if ((o = record_parse(data, len, e)) == NULL)
		return -1;
	if ((rc = json_read(o, table, &v, "", e)) == 0)
		rc = fill(c, &v, e);
	cJSON_Delete(o);
	return rc;
}

static bool
set_replay(cJSON *o, const struct channel_config *c)
{
	if (c->has_replay)
		return json_set_bool(o, "replay", c->replay);
	cJSON_DeleteItemFromObjectCaseSensitive(o, "replay");
	return true;
}

char *
channel_config_write(const struct channel_config *c, const char *was,
    size_t was_len)
{
	cJSON	*o = record_base(was, was_len);

	return record_print(o, o != NULL && set_replay(o, c) &&
	    record_set_str(o, "replayWindow", c->replay_window) &&
	    record_set_str(o, "deliveryClass",
	    c->delivery_class == CLASS_UNSET ? NULL :
	    classes[c->delivery_class - CLASS_LIVE]) &&
	    record_set_str(o, "description", c->description) &&
	    record_set_str(o, "instructions", c->instructions));
}

void
channel_config_free(struct channel_config *c)
{
	free(c->replay_window);
	free(c->description);
	free(c->instructions);
	memset(c, 0, sizeof(*c));
}

enum delivery_class
channel_class(const struct channel_config *ch,
    const struct channel_config *defaults)
{
	if (ch != NULL && ch->delivery_class != CLASS_UNSET)
		return ch->delivery_class;
	if (defaults != NULL && defaults->delivery_class != CLASS_UNSET)
		return defaults->delivery_class;
	return CLASS_DURABLE;
}

bool
channel_replay(const struct channel_config *ch,
    const struct channel_config *defaults)
{
	if (ch != NULL && ch->has_replay)
		return ch->replay;
	if (defaults != NULL && defaults->has_replay)
		return defaults->replay;
	return true;
}

int64_t
channel_replay_window_ms(const struct channel_config *ch,
    const struct channel_config *defaults)
{
	if (ch != NULL && ch->replay_window != NULL)
		return ch->replay_window_ms;
	if (defaults != NULL && defaults->replay_window != NULL)
		return defaults->replay_window_ms;
	return -1;
}
