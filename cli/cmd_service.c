/* SPDX-License-Identifier: ISC */

/* reeve restart, stop, start: one role, through supervise/control; stop also
 * ends an agent, through the manager. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "manage.h"
#include "services.h"
#include "setup.h"

#define WAIT_MS		15000
#define READY_MS	5000

struct wait {
	const char	*name;
	long		 old_pid;
};

static bool
has_stopped(const struct service_status *s, const struct wait *w)
{
	(void)w;
	return s->pid == 0 && strcmp(s->state, "down") == 0;
}

static bool
has_started(const struct service_status *s, const struct wait *w)
{
	(void)w;
	return s->pid != 0;
}

static bool
has_restarted(const struct service_status *s, const struct wait *w)
{
	return s->pid != 0 && s->pid != w->old_pid;
}

/* Readiness is waited for a little: one that has it later is no failure. */
static bool
await_ready(struct cli *cli, const char *name)
{
	struct service_status	s;
	int64_t			deadline = clock_ms() + READY_MS;
	bool			ready;

	while (!(ready = service_status(&cli->config, name, &s, NULL) == 0 &&
	    service_is_ready(&cli->config, name, &s)) &&
	    clock_ms() < deadline)
		usleep(10000);
	return ready;
}

/* Send bytes to each, and wait until each is as told. */
static int
command(struct cli *cli, char **names, int n, const char *bytes,
    bool (*done)(const struct service_status *, const struct wait *),
    const char *said)
{
	struct service_status	s;
	struct error		e;
	struct wait		w;
	int64_t			deadline;
	int			i;

	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	for (i = 0; i < n; i++) {
		if (service_status(&cli->config, names[i], &s, &e) == -1)
			return cli_fail(&e);
		w.name = names[i];
		w.old_pid = s.pid;
		if (service_command(&cli->config, names[i], bytes, &e) == -1)
			return cli_fail(&e);
		deadline = clock_ms() + WAIT_MS;
		while (service_status(&cli->config, names[i], &s, &e) == 0 &&
		    !done(&s, &w)) {
			if (clock_ms() > deadline) {
				error_set(&e, EX_TEMPFAIL, "%s is not %s "
				    "after %d s%s%s", names[i], said,
				    WAIT_MS / 1000, s.reason[0] == '\0' ? "" :
				    ": ", s.reason);
				return cli_fail(&e);
			}
			usleep(10000);
		}
		if (s.pid != 0 && !await_ready(cli, names[i]))
			printf("%s: %s, not ready yet\n", names[i], said);
		else
			printf("%s: %s\n", names[i], said);
	}
	return EX_OK;
}

static int
run_restart(struct cli *cli, void *opts, int argc, char **argv)
{
	(void)opts;
	return command(cli, argv, argc, "tcu", has_restarted, "restarted");
}

struct stop_opts {
	bool	hard, forget;
};

static const struct opt stop_options[] = {
	{ "hard", OPT_FLAG, offsetof(struct stop_opts, hard), NULL,
	    "an agent: at once, without asking it" },
	{ "forget", OPT_FLAG, offsetof(struct stop_opts, forget), NULL,
	    "an agent: remove its identity and durables, too" },
	OPT_END };

/* What has a service directory is a role; anything else, and what has an
 * option that only an agent can have, is an agent. */
static int
run_stop(struct cli *cli, void *opts, int argc, char **argv)
{
	const struct stop_opts	*o = opts;
	struct service_status	 s;
	struct error		 e;
	int			 i, code = EX_OK;

	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	for (i = 0; i < argc && code == EX_OK; i++) {
		if (!o->hard && !o->forget &&
		    (service_status(&cli->config, argv[i], &s, &e) == 0 ||
		    cli->config.workspace == NULL))
			code = command(cli, argv + i, 1, "d", has_stopped,
			    "stopped");
		else if (manage_stop(cli, argv[i], NULL, o->hard,
		    o->forget, &e) == -1)
			code = cli_fail(&e);
	}
	return code;
}

static int
run_start(struct cli *cli, void *opts, int argc, char **argv)
{
	(void)opts;
	return command(cli, argv, argc, "u", has_started, "started");
}

const struct command cmd_restart = {
	.name = "restart", .args = "ROLE...",
	.summary = "restart roles, one after the other",
	.min_args = 1, .max_args = -1, .run = run_restart };

const struct command cmd_stop = {
	.name = "stop", .args = "NAME...",
	.summary = "stop roles, and keep them stopped; or agents",
	.opts = stop_options, .opts_size = sizeof(struct stop_opts),
	.min_args = 1, .max_args = -1, .run = run_stop };

const struct command cmd_start = {
	.name = "start", .args = "ROLE...",
	.summary = "start roles that were stopped",
	.min_args = 1, .max_args = -1, .run = run_start };
