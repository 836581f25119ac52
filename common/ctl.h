/* SPDX-License-Identifier: ISC */
#ifndef REEVE_CTL_H
#define REEVE_CTL_H

#include <cjson/cJSON.h>

#include "bus.h"
#include "names.h"

/*
 * A control request, {op, args?, from}, on ctl.<service>.<caller>, and its
 * answer, {ok, data?, error?}, on the caller's own lane (wire section 6).
 */
struct ctl_request {
	struct subject	 subject;	/* rest: the service */
	char		 caller[ID_MAX];	/* whom the broker let publish */
	const char	*op;
	const cJSON	*args;		/* NULL: none */
	cJSON		*tree;		/* what op and args are views of */
};

/* May it be answered?  The broker does not check whose the reply subject is:
 * only one below the request's own subject is the caller's. */
bool	ctl_is_bound(natsMsg *);
/* The message must outlive it; ctl_free, also after a failure.  EX_DATAERR: no
 * such request; EX_NOPERM: the sender says that it is another. */
int	ctl_read(struct ctl_request *, natsMsg *, struct error *);
void	ctl_free(struct ctl_request *);
/*
 * Takes data; NULL: why not, and the code that tells our own commands how to
 * end (0: none is said).  An answer on a dead link goes nowhere.
 */
void	ctl_answer(struct bus *, const char *reply, cJSON *data,
	    const char *why, int code);

/* --- the caller's side ------------------------------------------------------- */

/* Where a call goes, and a lane for its answer below that which nobody can
 * guess.  -1: EX_CONFIG, too long. */
int	ctl_address(char subject[SUBJECT_MAX], char lane[SUBJECT_MAX],
	    const char *space, const char *service, const char *id,
	    struct error *);
/* The request's text, malloc'd, NULL when out of memory.  Takes args (NULL: it
 * has none); role may be NULL. */
char	*ctl_request(const char *op, cJSON *args, const char *id,
	    const char *name, const char *role);
/*
 * The answer's data, the caller's; {} where it says none.  NULL with *e:
 * EX_PROTOCOL it is no answer; else it is a refusal, in its words: EX_TEMPFAIL
 * when they say that a later try may do, or EX_DATAERR.  *code (may be NULL):
 * what ctl_answer was given, 0 if none.
 */
cJSON	*ctl_data(natsMsg *, int *code, struct error *);

#endif
