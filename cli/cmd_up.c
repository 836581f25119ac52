/* SPDX-License-Identifier: ISC */

/* reeve up and reeve down: the whole, through its supervisor. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "egress.h"
#include "services.h"
#include "setup.h"

#define DOWN_MS	60000

struct up_opts {
	const char	*config;
};

static const struct opt up_opts[] = {
	{ "config", OPT_STRING, offsetof(struct up_opts, config), "FILE",
	    "apply the settings of this file first, if they differ" },
	OPT_END };

/* Do the state's settings say what the file does?  1, 0, or -1 with *e. */
static int
agrees(const struct config *c, const char *file, struct error *e)
{
	struct config	 want;
	char		*is, *should;
	int		 r;

	if (config_read(&want, c->state, file, e) == -1)
		return -1;
	is = config_text(c);
	should = config_text(&want);
	r = is == NULL || should == NULL ? error_errno(e, EX_OSERR, "%s",
	    file) : strcmp(is, should) == 0;
	free(should);
	free(is);
	config_free(&want);
	return r;
}

static bool
is_set_up(struct cli *cli)
{
	char	*one, *many;
	bool	 there;

	if (cli_load(cli, NULL) == -1)
		return false;
	one = config_path(&cli->config, "service/control/run");
	many = config_path(&cli->config, "service/control-0/run");
	there = (one != NULL && access(one, F_OK) == 0) ||
	    (many != NULL && access(many, F_OK) == 0);
	free(many);
	free(one);
	return there;
}

static int
run_up(struct cli *cli, void *opts, int argc, char **argv)
{
	struct up_opts	*o = opts;
	struct error	 e;
	char		*reeved;
	char		 name[] = "reeved", state[] = "--state";
	char		*args[] = { name, state, NULL, NULL };
	int		 set_up = is_set_up(cli);

	(void)argc;
	(void)argv;
	/* Set up already, it must start even while the broker is away. */
	if (set_up && o->config != NULL &&
	    (set_up = agrees(&cli->config, o->config, &e)) == -1)
		return cli_fail(&e);
	if (!set_up) {
		cli_free(cli);
		if (setup_default(cli, o->config, &e) == -1)
			return cli_fail(&e);
	}
	if (cli_load(cli, &e) == -1 || (reeved = setup_program("reeved", &e)) == NULL)
		return cli_fail(&e);
	fflush(stdout);
	args[2] = cli->config.state;
	egress_exec(EGRESS_OURS, reeved, args);
	error_errno(&e, EX_OSERR, "%s", reeved);
	free(reeved);
	return cli_fail(&e);
}

const struct command cmd_up = {
	.name = "up", .args = "",
	.summary = "set up if needed, then run everything in the foreground",
	.more = "Becomes reeved(8).  Ctrl-C, SIGTERM or `reeve down` end it "
	    "in order.",
	.opts = up_opts, .opts_size = sizeof(struct up_opts),
	.min_args = 0, .max_args = 0, .run = run_up };

/* Who holds its lock is it: looked at again when it is known by its start. */
static int
end_reeved(const struct config *c, pid_t pid)
{
	struct egress_process	p;

	if (egress_look(pid, &p) && reeved_pid(c) == (long)pid)
		return egress_signal(pid, p.start, NULL, SIGTERM);
	errno = ESRCH;
	return -1;
}

int
reeved_stop(const struct config *c, struct error *e)
{
	int64_t	deadline = clock_ms() + DOWN_MS;
	long	pid = reeved_pid(c);

	if (pid == 0)
		return 0;
	if (end_reeved(c, (pid_t)pid) == -1 && errno != ESRCH)
		return error_errno(e, EX_NOPERM, "cannot stop reeved (%ld)",
		    pid);
	while (reeved_pid(c) == pid) {
		if (clock_ms() > deadline)
			return error_set(e, EX_TEMPFAIL, "reeved (%ld) still "
			    "runs after %d s; its log says what it waits for",
			    pid, DOWN_MS / 1000);
		usleep(20000);
	}
	return 1;
}

static int
run_down(struct cli *cli, void *opts, int argc, char **argv)
{
	struct error	e;
	int		r;

	(void)opts;
	(void)argc;
	(void)argv;
	if (cli_load(cli, &e) == -1 ||
	    (r = reeved_stop(&cli->config, &e)) == -1)
		return cli_fail(&e);
	if (r == 0)
		printf("reeved does not run in %s\n", cli->config.state);
	else
		printf("stopped\n");
	return EX_OK;
}

const struct command cmd_down = {
	.name = "down", .args = "",
	.summary = "stop everything in order, and wait until it has stopped",
	.min_args = 0, .max_args = 0, .run = run_down };
