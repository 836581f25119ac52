/* SPDX-License-Identifier: ISC */
#ifndef REEVE_WATCH_IMPL_H
#define REEVE_WATCH_IMPL_H

#include "jetstream.h"
#include "keyset.h"
#include "watch.h"

/*
 * What the parts of a watch share: watch.c binds it and hears what comes,
 * watch_prove.c proves that nothing is missing.  Nobody else includes this.
 */

/* A barrier's question to one bucket, and where its answer stands. */
enum proof { PROOF_ASK, PROOF_WAITING, PROOF_DOUBT, PROOF_FRESH,
	PROOF_FAILED };

struct watch {
	char			 stream[STREAM_MAX];
	char			 prefix[SUBJECT_MAX];	/* $KV.<bucket>. */
	char			 filter[SUBJECT_MAX];
	const struct watch_ops	*ops;
	void			*table;

	struct bus		*bus;
	struct bus_sub		*sub;
	struct binding		*binding;	/* NULL: bound, or failed */
	int64_t			 binding_ms;	/* since, or since the bucket's
						   leader was heard */
	unsigned		 tries;
	struct error		 failed;	/* code 0: not */
	char			 name[ID_MAX + 24];	/* w_<id> */
	char			 created[48];		/* the bucket's */
	uint64_t		 n_bound;
	uint64_t		 consumer_seq;
	uint64_t		 run_seq;	/* no gap from here to */
	uint64_t		 applied_seq;
	struct keyset		 keys;		/* of all that was applied */
	/* What the stream holds besides ours, counted when known_seq was the
	 * last; all that came up to there was ours or is counted. */
	uint64_t		 n_foreign;
	uint64_t		 known_seq;
	int64_t			 known_ns;
	bool			 counted;
	int64_t			 heard_ms;
	/* the answer to the barrier's question, and when it was asked */
	struct js_stream	 now;
	uint64_t		 asked_seq;	/* applied then */
	unsigned		 n_odd;		/* answers that were no proof */
	bool			 synced, doubt;
	bool			 anew;		/* w_<id>_<random> */
	bool			 asking;	/* a question is on its way */
	enum proof		 proof;
};

#endif
