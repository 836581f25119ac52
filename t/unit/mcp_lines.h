/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_MCP_LINES_H
#define REEVE_T_MCP_LINES_H

#include "mcp_impl.h"

/*
 * A server with two tools, and who speaks with it by lines.  "now" is answered
 * at once, and says whether it was given arguments; "later" is kept.
 */
extern struct mcp	*m;
extern struct mcp_call	*held[MCP_CALLS_MAX + 1];
extern size_t		 n_held;
extern unsigned		 n_ready;
extern struct mcp_conf	 conf;

/* The fixture of each test. */
void	setup(void);
void	teardown(void);

void	say(const char *line);
/* The next line that it says, or NULL. */
cJSON	*hear(void);
/* The next line is that, member for member. */
void	hears(const char *expected);
void	silence(void);
/* The next line refuses the request of this id (as JSON), by this code. */
void	refused(const char *id, int code);
/* Initialize, and say so. */
void	begin(const char *version);

#define PING(id)	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"ping\"}"
#define PONG(id)	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"
#define CALL(id, tool)	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":"	\
	"\"tools/call\",\"params\":{\"name\":\"" tool "\"}}"
#define TEXT(id, text)	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":"	\
	"{\"content\":[{\"type\":\"text\",\"text\":\"" text "\"}]}}"

#endif
