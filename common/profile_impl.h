/* SPDX-License-Identifier: ISC */
#ifndef REEVE_PROFILE_IMPL_H
#define REEVE_PROFILE_IMPL_H

#include "names.h"
#include "profile.h"

/*
 * Inside the profiles: a draft of a user's lists, and what is put on it.  A
 * profile is a function that fills one; what does not fit, or memory that is
 * out, sets `failed`.
 */

#define A		"$JS.API."

/* The names a profile's grants are made of, and the lists they go to. */
struct draft {
	const struct scope	*s;
	struct permissions	*p;
	const char		*id;
	char			 shard[16];
	char			 space[SPACE_MAX];	/* as a token */
	char			 P[SPACE_MAX + 8];	/* cotal.<space> */
	char			 stream[N_STREAMS][STREAM_MAX];
	char			 bucket[N_BUCKETS][BUCKET_MAX];
	char			 kv[N_BUCKETS][STREAM_MAX];
	bool			 failed;
};

/* A subject for the lists, by a format. */
void	grant_pub(struct draft *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
void	deny_pub(struct draft *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
void	grant_sub(struct draft *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));
/*
 * One level, and nothing below it: the server takes a last * of an allow for
 * a subscription with a > too (notes, "Holes").  parent has no wildcard last.
 */
void	grant_sub_each(struct draft *, const char *parent);
void	grant_inbox(struct draft *);
/* The stream's figures; any message of it, by sequence or subject. */
void	grant_info(struct draft *, const char *stream);
void	grant_get(struct draft *, const char *stream);
void	grant_consumer_info(struct draft *, enum stream_kind,
	    const char *name);
/* A watch of ours: a named consumer, its filter pinned by the subject; of the
 * delivery bucket, this shard's lease, of the manager's, its lease. */
void	grant_watch(struct draft *, enum bucket_kind);
/* A watch with any filter: one key, or all. */
void	grant_browse(struct draft *, enum bucket_kind);
void	grant_watch_get(struct draft *, const enum bucket_kind *, size_t);
/* How many shards there are, and no other record of the bucket. */
void	grant_layout(struct draft *);
/* Take from a durable that is there. */
void	grant_bind(struct draft *, enum stream_kind, const char *name);
/* Make a shard's durable, its filter pinned. */
void	grant_create_fanout(struct draft *, unsigned shard);
void	grant_create_reader(struct draft *, unsigned shard);
/* A worker's durable: `fanout`, or with shards `fanout_<i>`. */
void	draft_durable(char *buf, size_t size, const struct draft *,
	    const char *role, unsigned shard);

void	profile_fill_agent(struct draft *);
void	profile_fill_lease(struct draft *);
void	profile_fill_fanout(struct draft *);
void	profile_fill_reader(struct draft *);
void	profile_fill_control(struct draft *);
void	profile_fill_manager(struct draft *);
void	profile_fill_signer(struct draft *);
void	profile_fill_pty(struct draft *);
void	profile_fill_setup(struct draft *);
void	profile_fill_provisioner(struct draft *);
void	profile_fill_purger(struct draft *);
void	profile_fill_operator(struct draft *);
void	profile_fill_observer(struct draft *);
void	profile_fill_admin(struct draft *);
void	profile_fill_inspector(struct draft *);
void	profile_fill_undertaker(struct draft *);
void	profile_fill_registrar(struct draft *);
void	profile_fill_resharder(struct draft *);
void	profile_fill_migrator(struct draft *);
void	profile_fill_caller_manager(struct draft *);
void	profile_fill_caller_admin(struct draft *);
void	profile_fill_attacher(struct draft *);
void	profile_fill_probe(struct draft *);

#endif
