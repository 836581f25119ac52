/* SPDX-License-Identifier: ISC */

/* reeve up and reeve down: the whole, through its supervisor. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "services.h"
#include "setup.h"

#define DOWN_MS	60000

static bool
is_set_up(struct cli *cli)
{
	char	*run;
	bool	 there;

	if (cli_load(cli, NULL) == -1)
		return false;
	run = config_path(&cli->config, "service/control/run");
	there = run != NULL && access(run, F_OK) == 0;
	free(run);
	return there;
}

static int
run_up(struct cli *cli, void *opts, int argc, char **argv)
{
	struct error	 e;
	char		*reeved;

	(void)opts;
	(void)argc;
	(void)argv;
	/* Set up already, it must start even while the broker is away. */
	if (!is_set_up(cli) && setup_default(cli, &e) == -1)
		return cli_fail(&e);
	if (cli_load(cli, &e) == -1 || (reeved = setup_program("reeved", &e)) == NULL)
		return cli_fail(&e);
	fflush(stdout);
	execl(reeved, "reeved", "--state", cli->config.state, (char *)NULL);
	error_errno(&e, EX_OSERR, "%s", reeved);
	free(reeved);
	return cli_fail(&e);
}

const struct command cmd_up = {
	.name = "up", .args = "",
	.summary = "set up if needed, then run everything in the foreground",
	.more = "Becomes reeved(8).  Ctrl-C, SIGTERM or `reeve down` end it "
	    "in order.",
	.min_args = 0, .max_args = 0, .run = run_up };

static int
run_down(struct cli *cli, void *opts, int argc, char **argv)
{
	struct error	e;
	int64_t		deadline = clock_ms() + DOWN_MS;
	long		pid;

	(void)opts;
	(void)argc;
	(void)argv;
	if (cli_load(cli, &e) == -1)
		return cli_fail(&e);
	if ((pid = reeved_pid(&cli->config)) == 0) {
		printf("reeved does not run in %s\n", cli->config.state);
		return EX_OK;
	}
	if (kill((pid_t)pid, SIGTERM) == -1 && errno != ESRCH) {
		error_errno(&e, EX_NOPERM, "cannot stop reeved (%ld)", pid);
		return cli_fail(&e);
	}
	while (reeved_pid(&cli->config) == pid) {
		if (clock_ms() > deadline) {
			error_set(&e, EX_TEMPFAIL, "reeved (%ld) still runs "
			    "after %d s; its log says what it waits for", pid,
			    DOWN_MS / 1000);
			return cli_fail(&e);
		}
		usleep(20000);
	}
	printf("stopped\n");
	return EX_OK;
}

const struct command cmd_down = {
	.name = "down", .args = "",
	.summary = "stop everything in order, and wait until it has stopped",
	.min_args = 0, .max_args = 0, .run = run_down };
