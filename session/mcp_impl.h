/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MCP_IMPL_H
#define REEVE_MCP_IMPL_H

#include <sys/queue.h>

#include "mcp.h"

/*
 * What an mcp is made of: mcp.c has the lines and the methods, mcp_call.c the
 * answers, and the calls that wait for theirs.
 */
enum rpc_code {
	RPC_PARSE = -32700,
	RPC_INVALID = -32600,
	RPC_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_INTERNAL = -32603,
	RPC_BUSY = -32000,
};

struct bytes {
	char	*s;
	size_t	 len, cap;
};

/* Its answers go out together, when the last one is there. */
struct batch {
	size_t	 open;		/* to come, and one for who reads it */
	cJSON	*answers;
};

/* Views.  id NULL: nobody knows whose it is, and null is answered. */
struct request {
	const cJSON	*id;
	const char	*method;
	const cJSON	*params;	/* an object, or NULL */
	struct batch	*batch;		/* or NULL */
};

struct mcp_call {
	TAILQ_ENTRY(mcp_call)	 link;
	struct mcp		*mcp;
	cJSON			*id;
	struct batch		*batch;		/* NULL: it is on its own */
	bool			 cancelled;
};

enum mcp_phase { MCP_NEW, MCP_GREETED, MCP_READY };

struct mcp {
	const struct mcp_conf	*conf;
	const struct mcp_ops	*ops;
	void			*arg;
	enum mcp_phase		 phase;
	const char		*version;
	cJSON			*client;	/* what it said that it is */
	struct bytes		 line;		/* what came of a line */
	bool			 skipping;	/* it was too long */
	struct bytes		 out;
	size_t			 gone;		/* of out, written */
	cJSON			*waiting;	/* notifications */
	TAILQ_HEAD(, mcp_call)	 calls;
	size_t			 n_calls;
};

/* Takes msg; false: it was lost for want of memory. */
bool	mcp_send(struct mcp *, cJSON *msg);
/* Answer a request: takes the result (NULL: out of memory). */
void	mcp_reply(struct mcp *, const struct request *, cJSON *result);
void	mcp_refuse(struct mcp *, const struct request *, enum rpc_code,
	    const char *why);
/* NULL: out of memory, having said so. */
struct batch *mcp_batch_new(struct mcp *);
/* One that was open is not any more. */
void	mcp_batch_release(struct mcp *, struct batch *);

void	mcp_begin_call(struct mcp *, const struct request *);
void	mcp_cancel(struct mcp *, const cJSON *id);
void	mcp_drop_calls(struct mcp *);

#endif
