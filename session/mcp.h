/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MCP_H
#define REEVE_MCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/*
 * The server's half of the Model Context Protocol: JSON-RPC 2.0, a message a
 * line.  It takes bytes and gives bytes, whoever carries them; it knows what a
 * tool is, and none in particular.
 *
 * There are two kinds of versions: up to 2025-11-25 a client begins with
 * initialize, by which one is agreed on; since 2026-07-28 each request says in
 * its _meta of which it is.  Each request is served by what it says.
 *
 * What comes is never trusted: a line is MCP_LINE_MAX bytes at most, longer
 * ones are answered and passed over without being kept.  What goes out is
 * bounded, too: beyond MCP_OUT_HIGH mcp_is_full says that no more is to be read
 * from the client, and notifications are dropped.
 */
#define MCP_LINE_MAX	(4 * 1024 * 1024)
#define MCP_OUT_HIGH	(1024 * 1024)
#define MCP_TEXT_MAX	(2 * 1024 * 1024)	/* of an answer; it is cut */
#define MCP_CALLS_MAX	64		/* under way at once */
#define MCP_BATCH_MAX	256		/* messages in one batch */
#define MCP_LISTENS_MAX	16		/* subscriptions */
#define MCP_WAITING_MAX	256		/* notifications before the client is
					   ready for them */

struct mcp;
/* A tools/call that is to be answered, once, now or later. */
struct mcp_call;

struct mcp_ops {
	/* The tools for tools/list, in a new array; NULL: out of memory.
	 * version: what was negotiated, "2025-06-18". */
	cJSON	*(*list)(void *arg, const char *version);
	/* False: there is no such tool.  Else the call is the callee's until
	 * mcp_answer.  args: an object, or NULL; a view, for this call only. */
	bool	 (*call)(void *arg, struct mcp_call *, const char *tool,
		    const cJSON *args);
	/* The client has initialized the session, if it is one that does.
	 * May be NULL. */
	void	 (*ready)(void *arg);
};

struct mcp_conf {
	const char	*name, *title, *version;	/* of the server */
	const char	*instructions;		/* for the model; or NULL */
	const char	*const *experimental;	/* capabilities, then NULL */
	bool		 handshake;	/* only what begins with initialize */
};

/* conf, and what it points to, outlives it.  NULL: out of memory. */
struct mcp *mcp_new(const struct mcp_conf *, const struct mcp_ops *,
	    void *arg);
/* Calls that were not answered are gone then.  NULL is fine. */
void	mcp_free(struct mcp *);

/* Bytes of the client's, any number of them. */
void	mcp_input(struct mcp *, const char *data, size_t len);
/* No more will come: what stands there without an end of line is a line. */
void	mcp_input_end(struct mcp *);

/* What is to be written, and that so much of it was.  NULL: nothing. */
const char *mcp_output(const struct mcp *, size_t *len);
void	mcp_written(struct mcp *, size_t len);
/* Too much waits to be written: read nothing from the client now. */
bool	mcp_is_full(const struct mcp *);
/* Calls that are not answered yet. */
size_t	mcp_calls(const struct mcp *);
/* Has it been initialized, and said so? */
bool	mcp_is_ready(const struct mcp *);
/* {name, version} of the client, a view; NULL before it said so. */
const cJSON *mcp_client(const struct mcp *);

/*
 * Answer with a text (copied); what is not UTF-8 in it becomes U+FFFD.  error:
 * the tool could not do it, and the text says what to do.  The call is freed;
 * of one that was cancelled nothing is said.
 */
void	mcp_answer(struct mcp_call *, const char *text, bool error);
/* The client does not want the answer any more: it may be left undone. */
bool	mcp_call_is_cancelled(const struct mcp_call *);

/*
 * Tell the client something, once it has initialized; params is taken.  False
 * when it was dropped: the client does not read, or out of memory.  To one that
 * does without initialize nothing is told, and true: its versions have a way
 * for what they name themselves, and for nothing else.
 */
bool	mcp_notify(struct mcp *, const char *method, cJSON *params);

/* No more is served: its subscriptions are told that they end. */
void	mcp_leave(struct mcp *);

#endif
