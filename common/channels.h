/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CHANNELS_H
#define REEVE_CHANNELS_H

#include "records.h"
#include "watch.h"

/* The channels bucket as a table: the registry and its =defaults. */
struct channels;

#define CHANNEL_DEFAULTS_KEY	"=defaults"

extern const struct watch_ops channels_ops;	/* table: struct channels * */

struct channels *channels_new(void);
void	channels_free(struct channels *);
/* Effective: channel ?? defaults ?? durable / true / no window (-1). */
enum delivery_class channels_class(const struct channels *,
	    const char *channel);
bool	channels_replay(const struct channels *, const char *channel);
int64_t	channels_replay_window_ms(const struct channels *,
	    const char *channel);
/* The record itself, or NULL. */
const struct channel_config *channels_find(const struct channels *,
	    const char *channel);
void	channels_each(const struct channels *,
	    void (*fn)(void *arg, const char *channel,
	    const struct channel_config *), void *arg);

#endif
