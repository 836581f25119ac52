/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "channels.h"
#include "log.h"
#include "map.h"

struct channels {
	struct map	*by_name;	/* of struct channel_config */
};

static void
value_free(void *v)
{
	if (v != NULL)
		channel_config_free(v);
	free(v);
}

/* An unreadable record keeps the one before it. */
static void
channels_put(void *table, const char *key, const char *data, size_t len,
    uint64_t seq)
{
	struct channels		*t = table;
	struct channel_config	*config;
	struct error		 e;
	void			*old = NULL;

	if (data == NULL) {
		value_free(map_del(t->by_name, key));
		return;
	}
	if ((config = calloc(1, sizeof(*config))) == NULL)
		fatal_memory();
	if (channel_config_read(config, data, len, &e) == -1) {
		log_error("unreadable channel record", "channel=%s rev=%llu "
		    "error=%s", log_str(key), (unsigned long long)seq,
		    log_str(e.text));
		value_free(config);
		return;
	}
	if (map_put(t->by_name, key, config, &old) == -1)
		fatal_memory();
	value_free(old);
}

static void
channels_reset(void *table)
{
	struct channels	*t = table;

	map_clear(t->by_name, value_free);
}

const struct watch_ops channels_ops = { channels_put, channels_reset };

struct channels *
channels_new(void)
{
	struct channels	*t = calloc(1, sizeof(*t));

	if (t != NULL && (t->by_name = map_new()) == NULL) {
		free(t);
		return NULL;
	}
	return t;
}

void
channels_free(struct channels *t)
{
	if (t == NULL)
		return;
	map_free(t->by_name, value_free);
	free(t);
}

const struct channel_config *
channels_find(const struct channels *t, const char *channel)
{
	return map_get(t->by_name, channel);
}

enum delivery_class
channels_class(const struct channels *t, const char *channel)
{
	return channel_class(channels_find(t, channel),
	    channels_find(t, CHANNEL_DEFAULTS_KEY));
}

bool
channels_replay(const struct channels *t, const char *channel)
{
	return channel_replay(channels_find(t, channel),
	    channels_find(t, CHANNEL_DEFAULTS_KEY));
}

int64_t
channels_replay_window_ms(const struct channels *t, const char *channel)
{
	return channel_replay_window_ms(channels_find(t, channel),
	    channels_find(t, CHANNEL_DEFAULTS_KEY));
}

void
channels_each(const struct channels *t,
    void (*fn)(void *, const char *, const struct channel_config *), void *arg)
{
	const struct map_node	*n;

	for (n = map_first(t->by_name); n != NULL; n = map_next(n))
		fn(arg, map_key(n), map_value(n));
}
