/* SPDX-License-Identifier: ISC */
#ifndef REEVE_MCP_IMPL_H
#define REEVE_MCP_IMPL_H

#include <sys/queue.h>

#include "mcp.h"

/*
 * What an mcp is made of: mcp.c has the lines and the methods of the versions
 * that begin with initialize, mcp_call.c the answers, and the calls that wait
 * for theirs, mcp_stateless.c the version that does without initialize.
 */
enum rpc_code {
	RPC_PARSE = -32700,
	RPC_INVALID = -32600,
	RPC_METHOD = -32601,
	RPC_PARAMS = -32602,
	RPC_INTERNAL = -32603,
	RPC_BUSY = -32000,
	RPC_VERSION = -32022,		/* MCP's, since 2026-07-28 */
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
	bool		 stateless;	/* of the version without initialize */
};

struct mcp_call {
	TAILQ_ENTRY(mcp_call)	 link;
	struct mcp		*mcp;
	cJSON			*id;
	struct batch		*batch;		/* NULL: it is on its own */
	bool			 stateless, cancelled;
};

/* A subscriptions/listen: it is answered when it ends. */
struct listening {
	TAILQ_ENTRY(listening)	 link;
	cJSON			*id;
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
	bool			 stateless;	/* it is spoken, and served */
	TAILQ_HEAD(, listening)	 listens;
	size_t			 n_listens;
};

/* Takes msg; false: it was lost for want of memory. */
bool	mcp_send(struct mcp *, cJSON *msg);
/* Answer a request: takes the result (NULL: out of memory). */
void	mcp_reply(struct mcp *, const struct request *, cJSON *result);
void	mcp_refuse(struct mcp *, const struct request *, enum rpc_code,
	    const char *why);
/* With that as the error's data: taken; NULL: none. */
void	mcp_refuse_with(struct mcp *, const struct request *, enum rpc_code,
	    const char *why, cJSON *data);
/* NULL: out of memory, having said so. */
struct batch *mcp_batch_new(struct mcp *);
/* One that was open is not any more. */
void	mcp_batch_release(struct mcp *, struct batch *);

/* {name, title, version}; NULL: out of memory. */
cJSON	*mcp_server_info(const struct mcp_conf *, bool titled);
/* Answer tools/list. */
void	mcp_list(struct mcp *, const struct request *, const char *version);

void	mcp_begin_call(struct mcp *, const struct request *);
void	mcp_cancel(struct mcp *, const cJSON *id);
void	mcp_drop_calls(struct mcp *);
/* Is the answer to a request of this id still to come? */
bool	mcp_is_open(struct mcp *, const cJSON *id);

/* Does its _meta name a version, as that of the version without initialize
 * does, and of none before? */
bool	mcp_is_stateless(const struct request *);
/* Serve one that does. */
void	mcp_serve_stateless(struct mcp *, struct request *);
/* What each result of that version has; and what those that may be kept for a
 * while have as well.  False: out of memory. */
bool	mcp_stamp(const struct mcp *, cJSON *result);
bool	mcp_stamp_kept(cJSON *result);
/* The subscription of this id, or NULL; and its end, without an answer. */
struct listening *mcp_find_listening(struct mcp *, const cJSON *id);
void	mcp_unlisten(struct mcp *, struct listening *);

#endif
