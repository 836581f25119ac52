/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "jwt.h"
#include "profile.h"
#include "props.h"
#include "trust.h"

#define LOOK_MS		10

/* --- programs ----------------------------------------------------------- */

char *
props_program(const char *name, struct error *e)
{
	char		 self[PATH_MAX] = "", up[PATH_MAX + 4], *path = NULL;
	const char	*given = getenv("REEVE_BINDIR");

	if (given != NULL && given[0] != '\0')
		path = file_program(given, strlen(given), name);
	(void)file_own_dir(self, sizeof(self));
	snprintf(up, sizeof(up), "%s/..", self);
	if (path == NULL &&
	    (path = file_program(self, strlen(self), name)) == NULL &&
	    (path = file_program(up, strlen(up), name)) == NULL)
		error_set(e, EX_UNAVAILABLE, "%s is neither in %s nor above: "
		    "build it, or set REEVE_BINDIR", name, self);
	return path;
}

/* In a child: what it says goes to the log. */
static void
exec_logged(const char *dir, const char *path, const char *const argv[])
{
	char	log[PATH_MAX];
	int	fd;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	snprintf(log, sizeof(log), "%s/log", dir);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd != -1) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	execv(path, (char *const *)(uintptr_t)argv);
	_exit(EX_UNAVAILABLE);
}

pid_t
props_start(const char *dir, const char *const argv[], struct error *e)
{
	char	*path = props_program(argv[0], e);
	pid_t	 pid = -1;

	if (path == NULL)
		return -1;
	if ((pid = fork()) == 0) {
		/* A terminal's ^C is for the warden, who ends all. */
		setsid();
		exec_logged(dir, path, argv);
	}
	free(path);
	return pid == -1 ? error_errno(e, EX_OSERR, "fork") : pid;
}

int
props_await(pid_t pid)
{
	int	status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	return status;
}

int
props_run(const char *dir, const char *const argv[], struct error *e)
{
	pid_t	pid = props_start(dir, argv, e);
	int	status;

	if (pid == -1)
		return -1;
	if ((status = props_await(pid)) == 0)
		return 0;
	return error_set(e, EX_UNAVAILABLE, "%s %s: status 0x%x", argv[0],
	    argv[1], (unsigned)status);
}

/* --- a broker and its user ------------------------------------------------ */

int
props_free_port(struct error *e)
{
	struct sockaddr_in	a = { .sin_family = AF_INET };
	socklen_t		len = sizeof(a);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC,
				    0);
	int			port = -1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd == -1 || bind(fd, (struct sockaddr *)&a, len) == -1 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) == -1)
		error_errno(e, EX_OSERR, "no free port");
	else
		port = ntohs(a.sin_port);
	if (fd != -1)
		close(fd);
	return port;
}

/* What no role may: this user exists for the length of a benchmark, on a
 * broker that nobody else uses. */
static bool
grant(struct permissions *p, const char *id)
{
	return strlist_add(&p->pub_allow, "$JS.API.>") &&
	    strlist_add(&p->pub_allow, "$JS.ACK.>") &&
	    strlist_add(&p->pub_allow, "$KV.>") &&
	    strlist_add(&p->pub_allow, "cotal." PROPS_SPACE ".chat.>") &&
	    strlist_add(&p->pub_allow, "bench.>") &&
	    strlist_add(&p->sub_allow, "$KV.>") &&
	    strlist_addf(&p->sub_allow, "_INBOX_%s.>", id);
}

static int
mint(struct creds *c, const struct trust *t, struct error *e)
{
	struct permissions	p = { 0 };
	struct nkey		signer;

	if (nkey_new(&c->key, NKEY_USER, e) == -1 ||
	    nkey_from_seed(&signer, t->signing_seed, e) == -1)
		return -1;
	if (!grant(&p, c->key.public))
		error_errno(e, EX_OSERR, "permissions");
	else
		c->jwt = jwt_user(&signer, t->account_pub, c->key.public,
		    "bench", &p, 0, e);
	permissions_free(&p);
	nkey_wipe(&signer);
	return c->jwt == NULL ? -1 : 0;
}

int
props_user(struct creds *c, const char *state, struct error *e)
{
	char		path[PATH_MAX];
	struct trust	t;
	int		r;

	snprintf(path, sizeof(path), "%s/trust/auth.json", state);
	if ((r = trust_load(&t, path, e)) == 0) {
		r = mint(c, &t, e);
		trust_wipe(&t);
	}
	return r;
}

int
props_reach(struct bus **b, const char *servers, const struct creds *c,
    int64_t until_ms, struct error *e)
{
	struct bus_conf	conf = { .servers = servers, .creds = c,
			    .name = "bench" };

	/* One that is starting refuses for a moment.  There is nothing to wait
	 * on yet. */
	while (bus_open(b, &conf, e) == -1) {
		if (clock_ms() > until_ms)
			return -1;
		usleep(LOOK_MS * 1000);
	}
	return 0;
}
