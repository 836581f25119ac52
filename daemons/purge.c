/* SPDX-License-Identifier: ISC */

/*
 * reeve-purge: empties CHAT, and with --dms DM, of a space, once.  Its
 * credential comes on standard input; it prints how many messages it removed.
 */
#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <nats/nats.h>
#include <sodium.h>

#include "bus.h"
#include "conf.h"
#include "jetstream.h"
#include "json.h"
#include "log.h"
#include "names.h"

struct purged {
	uint64_t	n;
	bool		done;
	cJSON		*error;
};

static const struct json_field table[] = {
	{ .name = "purged", .type = JSON_U64,
	    .offset = offsetof(struct purged, n) },
	{ .name = "success", .type = JSON_BOOL,
	    .offset = offsetof(struct purged, done) },
	{ .name = "error", .type = JSON_OBJECT,
	    .offset = offsetof(struct purged, error) },
	JSON_END };

static int
parse(natsMsg *reply, const char *stream, uint64_t *n, struct error *e)
{
	struct purged	 p = { 0, false, NULL };
	const cJSON	*why;
	cJSON		*o = json_parse(natsMsg_GetData(reply),
			    (size_t)natsMsg_GetDataLength(reply), e);
	int		 r = -1;

	if (o == NULL || json_read(o, table, &p, "", e) == -1)
		error_wrap(e, "%s", stream);
	else if (!p.done) {
		why = json_get(p.error, "description");
		error_set(e, EX_UNAVAILABLE, "%s is not purged: %s", stream,
		    cJSON_IsString(why) ? why->valuestring : "?");
	} else {
		*n = p.n;
		r = 0;
	}
	cJSON_Delete(o);
	return r;
}

static int
purge(struct bus *b, const char *space, enum stream_kind kind, uint64_t *n,
    struct error *e)
{
	char		 stream[STREAM_MAX], subject[SUBJECT_MAX];
	struct bus_pub	 p = { .subject = subject, .data = "{}", .len = 2 };
	natsMsg		*reply;
	int		 r;

	name_stream(stream, sizeof(stream), space, kind);
	snprintf(subject, sizeof(subject), "$JS.API.STREAM.PURGE.%s",
	    stream);
	if ((reply = bus_call(b, &p, JS_TIMEOUT_MS, e)) == NULL)
		return error_wrap(e, "%s", stream);
	r = parse(reply, stream, n, e);
	bus_msg_free(reply);
	return r;
}

static int
work(const char *state_opt, bool dms, struct error *e)
{
	struct config	 config;
	struct creds	 creds;
	struct bus_conf	 conf = { .creds = &creds, .name = "reeve-purge" };
	struct bus	*b = NULL;
	uint64_t	 chat = 0, dm = 0;
	int		 r;

	memset(&creds, 0, sizeof(creds));
	if (config_open(&config, state_opt, e) == -1)
		return -1;
	conf.servers = config.servers;
	r = creds_read_stdin(&creds, e) == -1 || bus_open(&b, &conf, e) == -1 ||
	    purge(b, config.space, STREAM_CHAT, &chat, e) == -1 ||
	    (dms && purge(b, config.space, STREAM_DM, &dm, e) == -1) ? -1 : 0;
	bus_close(b);
	creds_wipe(&creds);
	config_free(&config);
	if (r == 0 && dms)
		printf("%llu %llu\n", (unsigned long long)chat,
		    (unsigned long long)dm);
	else if (r == 0)
		printf("%llu\n", (unsigned long long)chat);
	return r;
}

static int
usage(FILE *f, int code)
{
	fprintf(f, "usage: reeve-purge [--state DIR] [--dms] <CREDS\n"
	    "       reeve-purge --help | --version\n");
	return code;
}

int
main(int argc, char **argv)
{
	static const struct option	longs[] = {
		{ "state", required_argument, NULL, 's' },
		{ "dms", no_argument, NULL, 'd' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	const char	*state = NULL;
	struct error	 e;
	bool		 dms = false;
	int		 c;

	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1)
		switch (c) {
		case 's':
			state = optarg;
			break;
		case 'd':
			dms = true;
			break;
		case 'V':
			printf("reeve-purge %s\n", PACKAGE_VERSION);
			return EX_OK;
		case 'h':
			return usage(stdout, EX_OK);
		default:
			return usage(stderr, EX_USAGE);
		}
	if (optind < argc)
		return usage(stderr, EX_USAGE);
	log_init("role=purge", LOG_LEVEL_ERROR);
	if (sodium_init() == -1)
		return EX_SOFTWARE;
	if (work(state, dms, &e) == 0)
		return EX_OK;
	fprintf(stderr, "reeve-purge: %s\n", e.text);
	return e.code > 0 ? e.code : EX_SOFTWARE;
}
