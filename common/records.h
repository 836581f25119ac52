/* SPDX-License-Identifier: ISC */
#ifndef REEVE_RECORDS_H
#define REEVE_RECORDS_H

#include "json.h"
#include "message.h"
#include "names.h"
#include "strlist.h"

/*
 * The records of the key-value buckets (wire section 4).  Each has a reader
 * from text (0, or -1 with *e, EX_DATAERR; free with its _free also after an
 * error) and a writer (malloc'd text, NULL when out of memory).  A writer
 * given `was`, the text of the record it replaces (NULL: none), keeps the
 * fields of it that this project does not know.
 */

/* --- members: <channel>/<owner> ------------------------------------------ */

enum member_state { MEMBER_DURABLE_ACTIVE, MEMBER_LIVE_CONFIRMED };

struct interval {		/* of CHAT stream sequences */
	uint64_t	join_seq;	/* exclusive */
	uint64_t	leave_seq;	/* inclusive; meaningful if left */
	bool		left;
};

struct membership {
	char			*channel;
	char			*owner;
	enum member_state	 state;
	struct interval		 now;
	struct interval		 previous;	/* always left; ours */
	bool			 has_previous;
	bool			 activated;
	uint64_t		 fence_seq;	/* ours; 0 if absent */
	uint64_t		 generation;
	char			*writer;	/* "" if absent */
	int64_t			 updated_ms;
};

int	membership_read(struct membership *, const char *data, size_t len,
	    struct error *);
char	*membership_write(const struct membership *, const char *was,
	    size_t was_len);
void	membership_free(struct membership *);

/* joinCursor < seq and (no leaveCursor or seq <= leaveCursor). */
bool	interval_has(const struct interval *, uint64_t seq);
/*
 * Is the owner entitled to message seq, and under which generation was or is
 * its copy made?  The previous interval counts, one generation back, so that
 * a copy made again collapses with the first.  0 when not eligible (a
 * generation is at least 1).
 */
uint64_t membership_entitles(const struct membership *, uint64_t seq);
/* open: durable-active and not left. */
bool	membership_is_open(const struct membership *);
/* Split a key `<channel>/<owner>`; false for any other shape. */
bool	membership_key_split(const char *key, char *channel, size_t csize,
	    char *owner, size_t osize);

/* --- acl: <owner> -------------------------------------------------------- */

struct acl {
	char		**allow;	/* allowSubscribe; n 0: reads nothing */
	size_t		  n_allow;
	uint64_t	  revision;
	int64_t		  updated_ms;
	char		 *name;		/* ours; NULL if absent */
};

int	acl_read(struct acl *, const char *data, size_t len, struct error *);
char	*acl_write(const struct acl *, const char *was, size_t was_len);
void	acl_free(struct acl *);

/* --- channels: <channel>, =defaults -------------------------------------- */

enum delivery_class { CLASS_UNSET, CLASS_LIVE, CLASS_DURABLE };

struct channel_config {
	bool			 has_replay, replay;
	int64_t			 replay_window_ms;	/* -1: unset */
	char			*replay_window;	/* as written, or NULL */
	enum delivery_class	 delivery_class;
	char			*description;	/* at most 200 UTF-16 units */
	char			*instructions;	/* at most 2000 */
};

/* Are its texts and window within bounds?  0, or -1 with *e (EX_DATAERR). */
int	channel_config_check(const struct channel_config *, struct error *);
int	channel_config_read(struct channel_config *, const char *data,
	    size_t len, struct error *);
char	*channel_config_write(const struct channel_config *, const char *was,
	    size_t was_len);
void	channel_config_free(struct channel_config *);
/* channel ?? defaults ?? durable / true; NULL stands for "no record". */
enum delivery_class channel_class(const struct channel_config *ch,
	    const struct channel_config *defaults);
bool	channel_replay(const struct channel_config *ch,
	    const struct channel_config *defaults);
/* -1: no window (everything retained). */
int64_t	channel_replay_window_ms(const struct channel_config *ch,
	    const struct channel_config *defaults);

/* --- presence: <id> ------------------------------------------------------ */

enum status { STATUS_IDLE, STATUS_WAITING, STATUS_WORKING, STATUS_OFFLINE };
extern const char *const status_names[];	/* by enum status, then NULL */

struct presence {
	char		*id, *name, *kind, *role;	/* role: NULL if none */
	char		*description, *activity, *attention; /* NULL if none */
	char		*model;		/* card.meta.model; NULL if none */
	struct strlist	 tags;
	cJSON		*modes;		/* channelModes: {channel: "quiet" or
					   "muted"}; NULL if none */
	enum status	 status;
	int64_t		 ts_ms;
};

/*
 * key: the record's key; a card.id that differs is an error.  Tags, model and
 * modes that are of another kind are passed over: they decide nothing.  A
 * record that says offline is written without attention and modes.
 */
int	presence_read(struct presence *, const char *key, const char *data,
	    size_t len, struct error *);
char	*presence_write(const struct presence *);
void	presence_free(struct presence *);

/* --- entries on dinbox --------------------------------------------------- */

enum entry_reason { ENTRY_DURABLE_CHANNEL, ENTRY_LIVE_MENTION };

struct entry {
	cJSON			*tree;		/* owns the strings, or NULL: */
	char			 own_channel[SUBJECT_MAX];
	char			 own_id[MESSAGE_ID_MAX + 1];
	const char		*channel;
	uint64_t		 seq;		/* of CHAT */
	enum entry_reason	 reason;
	uint64_t		 generation;
	const char		*msg;		/* the publisher's bytes: a view
						   into the caller's data */
	size_t			 msg_len;
	const char		*msg_id;	/* msg.id */
};

int	entry_read(struct entry *, const char *data, size_t len,
	    struct error *);
void	entry_free(struct entry *);
/*
 * The two halves of an entry's text around its generation, so that a message
 * for many members is laid out once:  head = {"msg":<msg>,"channel":"...",
 * "seq":N,"reason":"...","generation":  and the rest is  <number>}.
 * malloc'd, its length in *head_len; NULL when out of memory.
 */
char	*entry_head(const char *msg, size_t msg_len, const char *channel,
	    uint64_t seq, enum entry_reason, size_t *head_len);

/* --- leases -------------------------------------------------------------- */

/* lease.<shard> of the delivery bucket.  Ours adds all after ready. */
struct lease {
	char		*holder;
	int64_t		 since_ms;	/* epoch */
	bool		 ready;
	char		*host;		/* host identity; NULL: not ours */
	char		*nonce;		/* of the keeper process */
	int64_t		 renewed_ms;	/* CLOCK_BOOTTIME before the renewal */
	int64_t		 ttl_ms;
	bool		 releasing;
};

int	lease_read(struct lease *, const char *data, size_t len,
	    struct error *);
char	*lease_write(const struct lease *);
void	lease_free(struct lease *);

/* --- dead letters -------------------------------------------------------- */

struct dead_letter {
	const char	*reason;
	const char	*subject;	/* where it was */
	const char	*owner;		/* NULL if none */
	uint64_t	 deliveries;
	int64_t		 ts_ms;
	const char	*entry;		/* its bytes; NULL if none */
	size_t		 entry_len;
};

/* entry is kept as it is where it is a JSON object or array, as a string
 * where it is other text, and base64 in "entry64" where it is neither: which
 * of the three says how to get its bytes back.  malloc'd. */
char	*dead_letter_write(const struct dead_letter *);

#endif
