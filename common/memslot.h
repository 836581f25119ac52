/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MEMSLOT_H
#define REEVE_MEMSLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "egress.h"
#include "strlist.h"

/*
 * The memory slot of a host (contract, host "Memory slot"): who provides the
 * agents' memory has declared itself in a file, and is run at the steps of a
 * peer's life.  We run it, and are never the provider ourselves; how memory is
 * wired is its business.
 */
#define MEMSLOT_TIMEOUT_MS	120000

/* A program of the provider's, for one direction. */
struct memslot_block {
	char		*command;	/* absolute; NULL: none is declared */
	struct strlist	 args;		/* with {cwd} {runtime} {personality}
					   {occasion} */
};

struct memslot {		/* strings: malloc'd, NULL if there is none */
	char			*provider;	/* NULL: the slot is empty */
	char			*package, *version;
	char			*registered;	/* "" if it does not say */
	char			*heartbeat;	/* a file that it touches */
	char			*plugin, *marketplace, *marketplace_ref;
	struct memslot_block	 provision, unprovision;
};

/* When a peer is born, wired by hand, and unwired: alone, with all, or since
 * it is removed. */
enum memslot_occasion { MEMSLOT_BIRTH, MEMSLOT_SWEEP_ON, MEMSLOT_OFF_PEER,
	MEMSLOT_OFF_ALL, MEMSLOT_REMOVE };

/* malloc'd path of the declaration; NULL: out of memory. */
char	*memslot_path(const struct config *);
/*
 * What is declared.  It fails open: no file, one that cannot be read, or
 * without provider, package or version is an empty slot; a block that is not
 * as it must be is none, and the rest stays.  Zeroed first by them; free with
 * memslot_free.
 */
void	memslot_read(struct memslot *, const struct config *);
void	memslot_parse(struct memslot *, const char *text, size_t len);
void	memslot_free(struct memslot *);
/* Does it wire by a program, one way or the other?  The plugin counts only
 * where it does not. */
bool	memslot_has_program(const struct memslot *);
/* The age of its heartbeat in seconds; -1: it has none. */
long long memslot_heartbeat_age(const struct memslot *);

/* What is run for whom. */
struct memslot_job {
	const struct memslot_block	*block;
	const char			*cwd, *runtime, *personality;
	enum memslot_occasion		 occasion;
	int64_t				 timeout_ms;	/* 0: the default */
};
struct memslot_outcome {
	bool			 skipped;	/* a sandbox: `detail` */
	struct egress_end	 end;
	char			 detail[EGRESS_TAIL + 200];	/* or "" */
	struct strlist		 argv;
};
/*
 * Run it, without a shell, and write its line into lifecycle.log (ev=memory-
 * provision).  Whatever goes wrong is an outcome: who calls goes on.  Free it
 * with memslot_outcome_free.
 */
void	memslot_run(const struct config *, const struct memslot_job *,
	    struct memslot_outcome *);
void	memslot_outcome_free(struct memslot_outcome *);
bool	memslot_went_well(const struct memslot_outcome *);
/* "ok", "failed", "timeout", "not-executable", "skipped". */
const char *memslot_outcome_name(const struct memslot_outcome *);
/* The placeholders of an argument replaced, in one pass: what they become is
 * not looked at again.  malloc'd; NULL: out of memory. */
char	*memslot_fill(const char *arg, const struct memslot_job *);
const char *memslot_occasion_name(enum memslot_occasion);

/* Is memory wired on this runtime: claude, codex? */
bool	memslot_is_agentic(const char *runtime);

#endif
