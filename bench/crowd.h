/* SPDX-License-Identifier: ISC */
#ifndef REEVE_BENCH_CROWD_H
#define REEVE_BENCH_CROWD_H

#include "pour.h"
#include "stage.h"

/*
 * Those who take part: owners, who are members of channels, and senders, who
 * are members of none.
 */
#define CROWD_MAX	100	/* members of one channel */
#define CROWD_OWNERS	1000
#define CROWD_SENDERS	4	/* so that CHAT, 1000 a subject, keeps all */
#define CROWD_TEXT	200	/* bytes of text in a message */

struct crowd {
	char		owner[CROWD_OWNERS][ID_MAX];
	char		sender[CROWD_SENDERS][ID_MAX];
	unsigned	others;		/* records of other channels */
};

/*
 * What is said to whom: messages, to the channels in turn, and each to so
 * many members.  With one channel these are the first owners; with more each
 * channel has the next ones, round and round.
 */
struct load {
	unsigned	channels, members, messages;
};

/* Everybody's ACL record.  0, or -1 with *e: so all here. */
int	crowd_make(struct crowd *, struct stage *, struct error *);
/* The load's channel i, and who is its member k. */
void	crowd_channel(char *buf, size_t size, const struct load *, unsigned i);
unsigned crowd_owner(const struct load *, unsigned i, unsigned k);
/* The memberships of all channels of a load. */
int	crowd_join(const struct crowd *, struct stage *, const struct load *,
	    struct error *);
/* Records of channels in which nothing is said, until there are n. */
int	crowd_join_others(struct crowd *, struct stage *, unsigned n,
	    struct error *);
/* A message to the load's channel i from a sender, malloc'd; NULL when out of
 * memory. */
char	*crowd_message(const struct crowd *, const struct stage *,
	    const struct load *, unsigned i, unsigned sender, const char *id);
/* The load's messages to <prefix>.<sender>.<channel>, by the senders in turn;
 * all are stored when it returns. */
int	crowd_post(const struct crowd *, struct stage *, const char *prefix,
	    const struct load *, struct error *);

#endif
