/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CHANNEL_WORDS_H
#define REEVE_CHANNEL_WORDS_H

#include "tools.h"

/* What is known of a channel, in words.  survey NULL: nothing was asked. */
#define NOTE_MAX		240	/* characters of its description */
#define INSTRUCTIONS_MAX	2000

/* "joined, kept for you while you are away; replay on; quiet" */
void	page_channel(struct page *, const struct session *,
	    const char *channel, const struct endpoint_survey *);
/*
 * The operator's texts on a channel, as what they are: data of the registry's,
 * attributed, no end of line or control character of theirs among ours.  Says
 * nothing when there are none.
 */
void	page_registry(struct page *, const struct session *,
	    const char *channel);

bool	may_hear(const struct session *, const char *channel);
bool	may_post(const struct session *, const char *channel);
/* "You may hear: a, b." */
void	page_allowed(struct page *, const struct session *);

/* What this session has to do with it; zero when nothing. */
struct endpoint_channel channel_state(const struct session *,
	    const char *channel);

#endif
