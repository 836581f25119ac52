/* SPDX-License-Identifier: ISC */
#ifndef REEVE_JETSTREAM_H
#define REEVE_JETSTREAM_H

#include <cjson/cJSON.h>

#include "bus.h"

/*
 * JetStream's API in the form that a scoped credential may use, over a bus:
 * creates go to the extended subject, which pins name and filter; reads to
 * STREAM.MSG.GET and never to DIRECT.GET (contract, permissions "Rules").
 * libnats has these calls, but blocks in them and needs its own thread.
 *
 * Every call turns the bus until answered.  Errors are bus_call's, and for a
 * server's own "error" EX_UNAVAILABLE with e->api set:
 */
#define JS_TIMEOUT_MS		2000
#define JS_NO_MESSAGE		10037
#define JS_NO_CONSUMER		10014
#define JS_NO_STREAM		10059
#define JS_NAME_IN_USE		10013
#define JS_CONSUMER_EXISTS	10148	/* 2.10 and later: a create that is
					   no update met another config */
#define JS_STREAM_IN_USE	10058
#define JS_WRONG_LAST_SEQ	10071

struct js_stream {
	char		 created[48];	/* as the server writes it: identity */
	char		 last_time[48];	/* of last_seq; stays when it is gone */
	uint64_t	 messages, bytes, first_seq, last_seq;
	int64_t		 max_age_ms;
	int64_t		 duplicate_window_ms;
	int64_t		 max_per_subject;	/* -1: no cap */
	int		 replicas;
};

int	js_stream_info(struct bus *, const char *stream, struct js_stream *,
	    struct error *);
/* The same of an answer to a question of one's own. */
int	js_stream_parse(natsMsg *reply, struct js_stream *, struct error *);
/* Has nothing been stored, removed or made anew between the two? */
bool	js_stream_same(const struct js_stream *, const struct js_stream *);
/* How many different subjects that match filter are stored.  Costs the broker
 * some 1 to 2 us for each of them. */
int	js_stream_count(struct bus *, const char *stream, const char *filter,
	    uint64_t *n, struct error *);
/* Also how many messages each subject that matches filter holds: an object
 * of numbers, the caller's. */
int	js_stream_info_subjects(struct bus *, const char *stream,
	    const char *filter, struct js_stream *, cJSON **subjects,
	    struct error *);
/* 1: created; 0: it is there with this configuration already; -1: *e, also
 * when it is there with another (api JS_STREAM_IN_USE). */
int	js_stream_create(struct bus *, const cJSON *config, struct error *);

struct js_consumer {
	uint64_t	 delivered_seq;		/* stream sequences */
	uint64_t	 ack_floor_seq;
	uint64_t	 n_delivered;		/* consumer sequence */
	uint64_t	 n_ack_pending, n_pending, n_waiting, n_redelivered;
	cJSON		*config;		/* js_consumer_free */
};

int	js_consumer_info(struct bus *, const char *stream, const char *name,
	    struct js_consumer *, struct error *);
/*
 * Create or, for an identical name, update.  config is the consumer's own
 * object; its filter_subject, if any, goes into the subject.  out may be
 * NULL.
 */
int	js_consumer_create(struct bus *, const char *stream, const char *name,
	    const cJSON *config, struct js_consumer *out, struct error *);
/* What that asks, for one who asks it himself: the body, malloc'd (NULL: out
 * of memory), and its subject.  And the answer; out may be NULL. */
char	*js_consumer_request(char *subject, size_t size, const char *stream,
	    const char *name, const cJSON *config);
int	js_consumer_parse(natsMsg *reply, struct js_consumer *out,
	    struct error *);
/* 0 also when it was not there. */
int	js_consumer_delete(struct bus *, const char *stream, const char *name,
	    struct error *);
void	js_consumer_free(struct js_consumer *);

/* A stored message. */
struct js_message {
	uint64_t	 seq;
	char		*subject;
	char		*data;			/* NUL-terminated beyond len */
	size_t		 len;
	char		 time[48];
	bool		 deleted;		/* a KV DEL or PURGE marker */
};

enum js_get { JS_BY_SEQ, JS_NEXT_BY_SUBJECT, JS_LAST_BY_SUBJECT };

/* The request's body, for js_get and for callers that ask without waiting. */
int	js_get_body(char *buf, size_t size, enum js_get, uint64_t seq,
	    const char *subject);
int	js_get_subject(char *buf, size_t size, const char *stream);
/* 1: found; 0: there is none; -1: *e.  Free after a 1. */
int	js_get(struct bus *, const char *stream, enum js_get, uint64_t seq,
	    const char *subject, struct js_message *, struct error *);
int	js_get_parse(natsMsg *reply, struct js_message *, struct error *);
void	js_message_free(struct js_message *);
int	js_message_delete(struct bus *, const char *stream, uint64_t seq,
	    struct error *);

/* A time as the servers write it, "2026-11-21T05:43:54.962412799Z", in ns since
 * the epoch; 0 if it is none. */
int64_t	js_time_ns(const char *);

/*
 * Store a message and wait for the acknowledgement.  *seq (may be NULL) is
 * its sequence.  A lost compare-and-set is api JS_WRONG_LAST_SEQ.
 */
int	js_publish(struct bus *, const struct bus_pub *, uint64_t *seq,
	    bool *duplicate, struct error *);
/* Read an acknowledgement: 0, or -1 with *e (api set if the server said so,
 * EX_UNAVAILABLE). */
int	js_ack_parse(natsMsg *, uint64_t *seq, bool *duplicate,
	    struct error *);

/* What the reply subject of a delivered message says. */
struct js_delivery {
	uint64_t	deliveries;	/* 1 the first time */
	uint64_t	stream_seq, consumer_seq, pending;
	int64_t		stored_ns, stored_ms;	/* epoch */
};

/* False when reply is no ack subject of this stream and consumer. */
bool	js_delivery_parse(struct js_delivery *, const char *reply,
	    const char *stream, const char *consumer);

#endif
