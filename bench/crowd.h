/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_CROWD_H
#define REEVE_BENCH_CROWD_H

#include "stage.h"

/*
 * Those who take part: owners, who are members of the channels crowd1 to
 * crowd<n> by how many of them are, and senders, who are members of none.
 */
#define CROWD_MAX	100
#define CROWD_SENDERS	4	/* so that CHAT, 1000 a subject, keeps all */
#define CROWD_TEXT	200	/* bytes of text in a message */

struct crowd {
	char	owner[CROWD_MAX][ID_MAX];
	char	sender[CROWD_SENDERS][ID_MAX];
};

/* Everybody's ACL record.  0, or -1 with *e: so all here. */
int	crowd_make(struct crowd *, struct stage *, struct error *);
/* The channel of the first n owners, and their memberships. */
void	crowd_channel(char *buf, size_t size, unsigned n);
int	crowd_join(const struct crowd *, struct stage *, unsigned n,
	    struct error *);
/* A message to the channel of n from sender i, malloc'd, its id in id (37
 * bytes); NULL when out of memory. */
char	*crowd_message(const struct crowd *, const struct stage *, unsigned n,
	    unsigned i, char *id);
/* messages to <prefix>.<sender>.<channel of n>, by the senders in turn; all
 * are stored when it returns. */
int	crowd_post(const struct crowd *, struct stage *, const char *prefix,
	    unsigned n, unsigned messages, struct error *);

#endif
