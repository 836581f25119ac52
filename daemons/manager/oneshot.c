/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "egress.h"
#include "files.h"

#include "oneshot.h"

char *
oneshot_program(const char *name, struct error *e)
{
	char	 dir[PATH_MAX], *path = NULL;

	if (file_own_dir(dir, sizeof(dir)) == 0)
		path = file_program(dir, strlen(dir), name);
	if (path == NULL)
		path = file_program(PKGLIBEXECDIR, strlen(PKGLIBEXECDIR),
		    name);
	if (path == NULL)
		path = file_program(BINDIR, strlen(BINDIR), name);
	if (path == NULL)
		error_set(e, EX_OSFILE, "%s is not installed", name);
	return path;
}

/* All of it fits into the pipe: nobody has to read meanwhile. */
static int
give(int fd, const char *input, struct error *e)
{
	size_t	len = strlen(input);
	ssize_t	n = write(fd, input, len);

	if (n == (ssize_t)len)
		return 0;
	return error_set(e, EX_IOERR, "a credential could not be handed "
	    "over: %s", n == -1 ? strerror(errno) : "too long");
}

/* Nothing of the manager's environment, but that. */
static int
run(struct oneshot *o, const char *path, char *const argv[], int in_fd,
    struct error *e)
{
	static char		 sandbox[] = "REEVE_SANDBOX=1";
	static char		*environment[] = { NULL, NULL };
	struct egress_start	 start = { .whose = EGRESS_OURS, .path = path,
				    .argv = argv, .env = environment,
				    .in_fd = in_fd };
	int			 out[2];

	if (egress_sandboxed())
		environment[0] = sandbox;
	if (pipe2(out, O_CLOEXEC) == -1)
		return error_errno(e, EX_OSERR, "pipe");
	start.out_fd = start.err_fd = out[1];
	o->pid = egress_start(&start, e);
	close(out[1]);
	if (o->pid == -1) {
		close(out[0]);
		o->pid = 0;
		return -1;
	}
	o->out_fd = out[0];
	(void)fcntl(o->out_fd, F_SETFL, O_NONBLOCK);
	return 0;
}

int
oneshot_start(struct oneshot *o, char *const argv[], const char *input,
    struct error *e)
{
	char	*path = oneshot_program(argv[0], e);
	int	 in[2], r = -1;

	memset(o, 0, sizeof(*o));
	o->out_fd = -1;
	if (path == NULL)
		return -1;
	if (pipe2(in, O_CLOEXEC) == -1) {
		free(path);
		return error_errno(e, EX_OSERR, "pipe");
	}
	/* Before it runs: what does not fit is refused, not waited for. */
	(void)fcntl(in[1], F_SETFL, O_NONBLOCK);
	if (give(in[1], input, e) == 0)
		r = run(o, path, argv, in[0], e);
	close(in[0]);
	close(in[1]);
	free(path);
	return r;
}

/* The end of it is kept: there it says why. */
static void
hear(struct oneshot *o)
{
	char	buf[200];
	ssize_t	n;
	size_t	room = sizeof(o->said) - 1, drop, len;

	while ((n = read(o->out_fd, buf, sizeof(buf))) > 0) {
		len = (size_t)n;
		drop = o->n_said + len > room ? o->n_said + len - room : 0;
		memmove(o->said, o->said + drop, o->n_said - drop);
		o->n_said -= drop;
		memcpy(o->said + o->n_said, buf, len);
		o->n_said += len;
	}
	o->said[o->n_said] = '\0';
}

static void
done(struct oneshot *o)
{
	close(o->out_fd);
	o->out_fd = -1;
	o->pid = 0;
}

/* Its last line. */
static const char *
last_line(struct oneshot *o)
{
	char	*nl;

	while (o->n_said > 0 && o->said[o->n_said - 1] == '\n')
		o->said[--o->n_said] = '\0';
	nl = strrchr(o->said, '\n');
	return nl == NULL ? o->said : nl + 1;
}

int
oneshot_poll(struct oneshot *o, struct error *e)
{
	int	status;
	pid_t	pid;

	hear(o);
	if ((pid = waitpid(o->pid, &status, WNOHANG)) == 0)
		return 0;
	hear(o);
	done(o);
	if (pid == -1)
		return error_errno(e, EX_OSERR, "waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)
		return 1;
	if (o->n_said > 0)
		return error_set(e, WIFEXITED(status) ? WEXITSTATUS(status) :
		    EX_SOFTWARE, "%s", last_line(o));
	return WIFEXITED(status) ? error_set(e, WEXITSTATUS(status),
	    "it ended with code %d", WEXITSTATUS(status)) :
	    error_set(e, EX_SOFTWARE, "it ended by signal %d",
	    WTERMSIG(status));
}

void
oneshot_end(struct oneshot *o)
{
	if (o->pid == 0)
		return;
	(void)egress_child(o->pid, SIGKILL);
	(void)waitpid(o->pid, NULL, 0);
	done(o);
}
