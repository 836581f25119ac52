/* SPDX-License-Identifier: ISC */
#ifndef REEVE_NAMES_H
#define REEVE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

/*
 * Names and subjects (contract, wire section 1).
 *
 * Builders write into a caller's buffer and return its length, or -1 when it
 * does not fit or would not be a subject: an empty token, a blank or control
 * character, a dot where one token belongs.  A space is written as its token.
 * SUBJECT_MAX holds every subject this project makes: what is
 * longer is refused where it enters.
 */
#define SUBJECT_MAX	1024
#define ID_LEN		56		/* an nkey user public key */
#define ID_MAX		(ID_LEN + 1)
#define SPACE_MAX	96		/* a space's token */
#define CHANNEL_MAX	512		/* bytes of a channel */
#define BUCKET_MAX	128
#define STREAM_MAX	160

/* trim; what is outside [A-Za-z0-9_-] becomes '_' (one per UTF-16 unit, as
 * the reference counts); empty becomes "_".  Loses information. */
int	name_token(char *buf, size_t size, const char *s);
bool	name_is_token(const char *s);		/* ^[A-Za-z0-9_-]+$ */
bool	name_is_id(const char *s);		/* shape only: 56, base32, 'U' */
/* An instance's name: UTF-8, not empty, no surrounding white space, one line
 * without control characters, no slash or backslash. */
bool	name_is_instance(const char *s);

/* Streams and buckets of a space; `kind` as below. */
enum stream_kind { STREAM_CHAT, STREAM_DM, STREAM_TASK, STREAM_INBOX,
	STREAM_DLV, STREAM_DEAD };
enum bucket_kind { BUCKET_PRESENCE, BUCKET_CHANNELS, BUCKET_MEMBERS,
	BUCKET_ACL, BUCKET_DELIVERY, BUCKET_MANAGER, BUCKET_MEMBERSHIP };
#define N_STREAMS	6
#define N_BUCKETS	7

int	name_stream(char *buf, size_t size, const char *space,
	    enum stream_kind);			/* CHAT_<space> */
int	name_bucket(char *buf, size_t size, const char *space,
	    enum bucket_kind);			/* cotal_members_<space> */
int	name_bucket_stream(char *buf, size_t size, const char *space,
	    enum bucket_kind);			/* KV_cotal_members_<space> */
/* $KV.<bucket>.<key>; a key of ">" gives the whole bucket. */
int	name_bucket_key(char *buf, size_t size, const char *space,
	    enum bucket_kind, const char *key);

/* Subjects.  `sender`, `target`, `role` and `channel` may be "*" or end in
 * ">" where a subscription is meant; what follows a ">" is NULL. */
int	subject_chat(char *buf, size_t size, const char *space,
	    const char *sender, const char *channel);
int	subject_inst(char *buf, size_t size, const char *space,
	    const char *target, const char *sender);
int	subject_svc(char *buf, size_t size, const char *space,
	    const char *role, const char *sender);
int	subject_ctl(char *buf, size_t size, const char *space,
	    const char *service, const char *sender);
/* So ends the error of ctl.delivery where it is no refusal: the same request
 * may succeed later. */
#define CTL_LATER	"try again"
/* shards > 1 puts the shard before the owner. */
int	subject_dinbox(char *buf, size_t size, const char *space,
	    unsigned shards, const char *owner);
int	subject_dlv(char *buf, size_t size, const char *space,
	    const char *owner);
/* cotal.<space>.reeve.health.<shard>.<role>.<host>; for the shard of a role
 * that has none: */
#define NO_SHARD	"-"
int	subject_health(char *buf, size_t size, const char *space,
	    const char *shard, const char *role, const char *host);
/* cotal.<space>.reeve.mint.<manager's id> */
int	subject_mint(char *buf, size_t size, const char *space,
	    const char *manager);
/* cotal.<space>.reeve.dead.<shard>.<role> */
int	subject_dead(char *buf, size_t size, const char *space,
	    const char *shard, const char *role);
/* A terminal's, not below cotal: reeve.<space>.pty.<agent>.<lane>.<attacher>,
 * lane being "in" or "out"; "state" has no attacher (NULL). */
int	subject_pty(char *buf, size_t size, const char *space,
	    const char *agent, const char *lane, const char *attacher);

enum subject_kind { SUBJECT_NONE, SUBJECT_CHAT, SUBJECT_INST, SUBJECT_SVC,
	SUBJECT_CTL };

/*
 * A subject read: kind, and views (not NUL-terminated) into it.
 *	chat	sender, rest = channel
 *	inst	sender, rest = target
 *	svc	sender, rest = role
 *	ctl	sender, rest = service
 */
struct subject {
	enum subject_kind	 kind;
	const char		*space;		size_t space_len;
	const char		*sender;	size_t sender_len;
	const char		*rest;		size_t rest_len;
};

/* False (kind SUBJECT_NONE) for every other shape, and for a wildcard. */
bool	subject_parse(struct subject *, const char *s);
/* The owner of cotal.<space>.dinbox.<owner>, or with shards > 1 of
 * dinbox.<shard>.<owner>; NULL for any other shape.  A view into s. */
const char *subject_dinbox_owner(const char *s, const char *space,
	    unsigned shards);
/* NATS matching of a pattern with * and > against a concrete subject. */
bool	subject_matches(const char *pattern, const char *s);
/* Is reply (may be NULL) <subject>.reply.<more>?  The broker does not check
 * it against who asked: who serves answers on the asker's own lane only. */
bool	reply_is_bound(const char *subject, const char *reply);

/* Channels as policy: validated, never rewritten; at most CHANNEL_MAX. */
bool	channel_is_valid(const char *s);
bool	channel_is_concrete(const char *s);	/* valid, no wildcard */
/* Is every channel of `pattern` inside one entry of `allow`?  A concrete
 * channel is covered by a match; a pattern by one at least as wide. */
bool	channel_covered(const char *pattern, char *const *allow, size_t n);
/* Where the agent of that name says what is said in its session: tr-<name>, in
 * lower case, each run of other characters a -.  Its length, or -1 when it does
 * not fit. */
int	channel_transcript(char *buf, size_t size, const char *name);

/* FNV-1a (32 bit) of owner modulo shards. */
unsigned name_shard(const char *owner, unsigned shards);

/* The Nats-Msg-Id of a copy in an owner's inbox: <msg id>:<owner>:<generation>,
 * and with more than one shard their number, so that what a worker of another
 * layout stored too late, where nobody reads it, does not swallow ours. */
int	name_entry(char *buf, size_t size, const char *msg_id,
	    const char *owner, uint64_t generation, unsigned shards);

/* "90s", "30m", "24h", "7d" in ms, surrounding blanks allowed; -1 else. */
int64_t	duration_ms(const char *s);

/* Trimmed, lower-cased (ASCII and UTF-8 as the locale-free simple mapping
 * of Latin-1), first of each kept, empty ones dropped.  Returns a malloc'd
 * array of malloc'd strings and its length; NULL and 0 when none is left. */
char	**mentions_normalize(char *const *in, size_t n, size_t *out_n);

/* Are two names the same but for case, as mentions are lower-cased? */
bool	name_same(const char *a, const char *b);
/* Lower-case one so in place: the same names become the same bytes. */
void	name_fold(char *);

/* Free an array of malloc'd strings. */
void	strings_free(char **v, size_t n);

/*
 * A join link (wire section 7):
 *	cotal://[token@|user:pass@]host[:port]/space[?channel=a,b]
 */
struct join_link {
	char	*server;		/* nats://host:port */
	char	*space;
	char	*token, *user, *pass;	/* NULL where not given */
	char	**channels;
	size_t	 n_channels;
	bool	 tls;			/* cotals:// */
};

int	join_link_parse(struct join_link *, const char *s, struct error *);
void	join_link_free(struct join_link *);

#endif
