/* SPDX-License-Identifier: ISC */
#ifndef REEVE_AGENTFILE_IMPL_H
#define REEVE_AGENTFILE_IMPL_H

#include "agentfile.h"

/* Between the files that make up agentfile.h. */
#define NAME_SIZE	256
#define AGENT_KEY_MAX	128

enum agent_kind { AGENT_TEXT, AGENT_LIST, AGENT_CHANNELS };

/* A key that we know, in the order in which they are written; ends with a
 * name that is NULL. */
struct agent_key {
	const char	*name;
	enum agent_kind	 kind;
	size_t		 offset;	/* char *, or struct agent_list */
};

extern const struct agent_key agent_keys[];

char	**agent_text_of(const struct agent_file *, const struct agent_key *);
struct agent_list *agent_list_of(const struct agent_file *,
	    const struct agent_key *);
/* One value without the blanks around it, read: malloc'd; NULL with why not
 * (no line is named), or NULL and EX_OSERR. */
char	*agent_value(const char *s, size_t len, bool in_list, struct error *);

/* Bytes of the key at the start of a line; 0: there is none. */
size_t	agent_key_length(const char *s, size_t len);

#endif
