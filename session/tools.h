/* SPDX-License-Identifier: ISC */
#ifndef REEVE_TOOLS_H
#define REEVE_TOOLS_H

#include "mcp.h"
#include "session.h"

/*
 * The tools of a session's mesh server.  Each is a file tool_NAME.c with a
 * const struct tool at its end; tools.c has the table of them.  What a tool
 * takes is a table, too: its JSON Schema is made of it and its arguments are
 * checked by it, so `run` gets what the schema says.
 */
enum tool_type {
	TOOL_STRING,	/* least..most characters */
	TOOL_STRINGS,	/* least..most different ones, each 1..256 characters */
	TOOL_BOOL,
	TOOL_INTEGER,	/* least..most */
};

struct tool_arg {
	const char		*name;
	enum tool_type		 type;
	bool			 required;
	int64_t			 least, most;	/* most 0: TOOL_TEXT_MAX */
	const char *const	*one_of;	/* strings; NULL: any */
	const char		*what;		/* for the model */
};
#define TOOL_ARGS_END	{ .name = NULL }
#define TOOL_TEXT_MAX	262144

enum tool_hints {
	TOOL_READS = 1,		/* changes nothing */
	TOOL_DESTROYS = 2,	/* may undo what others have */
	TOOL_REPEATS = 4,	/* twice is as good as once */
};

struct tool {
	const char		*name, *title, *description;
	const struct tool_arg	*args;		/* NULL: it takes none */
	unsigned		 hints;		/* of enum tool_hints */
	bool			 mesh;		/* only on the mesh: run with a
						   link that is up, and else it
						   is said what is tried */
	bool			 spawn;		/* only where the session may */
	/* Answer the call, now or later.  args is an object without unknown
	 * members, a view for the time of this call only. */
	void			(*run)(struct session *, struct mcp_call *,
				    const cJSON *args);
};

extern const struct tool *const tools[];	/* NULL-terminated */

/* mcp_ops of the table; arg is a struct session. */
cJSON	*tools_list(void *arg, const char *version);
bool	tools_call(void *arg, struct mcp_call *, const char *name,
	    const cJSON *args);
/* The JSON Schema of a tool's arguments; NULL: out of memory. */
cJSON	*tool_schema(const struct tool *);
/* 0, or -1 with *e: a sentence that names the argument and says what it is
 * to be. */
int	tool_check(const struct tool *, const cJSON *args, struct error *e);

/* Arguments by name: a view, or NULL; false; otherwise. */
const char *arg_text(const cJSON *args, const char *name);
bool	arg_bool(const cJSON *args, const char *name, bool otherwise);
/* A copy of an array of strings; -1: out of memory. */
int	arg_list(struct strlist *, const cJSON *args, const char *name);

/* Answer with a text, or with what went wrong.  The call is done then. */
void	tool_ok(struct mcp_call *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
void	tool_err(struct mcp_call *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/*
 * A text that grows.  Begin zeroed; what memory is missing for is missing, and
 * said at its end.  page_answer frees it and answers the call with it.
 */
struct page {
	char	*s;
	size_t	 len, cap;
	bool	 failed;
};
void	page_add(struct page *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* A text of somebody else's on one line: control characters and ends of line
 * become blanks, what is not UTF-8 U+FFFD, at most so many characters; false:
 * there were more. */
bool	page_data(struct page *, const char *text, size_t most);
/* The same in quotes that it cannot end. */
void	page_words(struct page *, const char *text, size_t most);
/* A name, in quotes unless it is a plain word. */
void	page_name(struct page *, const char *name, size_t most);
/* A text over several lines, each made so and with this before it; false: it
 * had more characters, ends of lines among them. */
bool	page_quote(struct page *, const char *before, const char *text,
	    size_t most);
/* "a, b"; of none what is said then. */
void	page_list(struct page *, const struct strlist *, const char *none);
void	page_answer(struct page *, struct mcp_call *, bool error);
void	page_free(struct page *);

/* "#general" is the channel general.  A concrete one to post to, or (patterns)
 * one to hear; false having answered with what is wrong. */
bool	tool_channel(struct mcp_call *, const char *given, bool patterns,
	    char channel[CHANNEL_MAX + 1]);

#endif
