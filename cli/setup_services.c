/* SPDX-License-Identifier: ISC */

/* The service directories that `reeve init` makes, and those that go. */
#include <sys/stat.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "services.h"
#include "setup.h"

/* needs: the services that come before it, a line each.  dir: "service", or
 * where it is made. */
static int
write_files(struct setup *s, const char *dir, const char *name,
    const char *exec, const char *needs, struct error *e)
{
	char	*run = config_path(s->config, "%s/%s/run", dir, name);
	char	*fd = config_path(s->config, "%s/%s/notification-fd", dir,
		    name);
	char	*before = config_path(s->config, "%s/%s/needs", dir, name);
	char	*text = NULL;
	int	 r = -1;

	if (run == NULL || fd == NULL || before == NULL || asprintf(&text,
	    "#!/bin/sh\n"
	    "# Made by reeve init; see reeve-service(5).\n"
	    "exec %s\n", exec) == -1)
		error_errno(e, EX_OSERR, "%s", name);
	/* run last: with it the service exists. */
	else if (setup_write(s, before, needs, 0644, e) == 0 &&
	    setup_write(s, fd, "3\n", 0644, e) == 0)
		r = setup_write(s, run, text, 0755, e);
	free(text);
	free(before);
	free(fd);
	free(run);
	return r;
}

/* A new one is made elsewhere and moved: a supervisor that runs starts it at
 * once, and never half of it. */
static int
write_service(struct setup *s, const char *name, const char *exec,
    const char *needs, struct error *e)
{
	char	*to = config_path(s->config, "service/%s", name);
	char	*from = config_path(s->config, "making/%s", name);
	bool	 quiet = s->quiet;
	int	 r = -1;

	if (to == NULL || from == NULL)
		error_errno(e, EX_OSERR, "%s", name);
	else if (access(to, F_OK) == 0)
		r = write_files(s, "service", name, exec, needs, e);
	else {
		s->quiet = true;
		r = write_files(s, "making", name, exec, needs, e);
		s->quiet = quiet;
		if (r == 0 && (dir_make_parent(to, 0700, e) == -1 ||
		    rename(from, to) == -1))
			r = error_errno(e, EX_CANTCREAT, "%s", to);
		if (r == 0) {
			s->moved = true;
			setup_say(s, "made the service %s", name);
		}
	}
	free(from);
	free(to);
	return r;
}

void
setup_role_name(char *buf, size_t size, const char *role, unsigned shard,
    unsigned shards)
{
	if (shards > 1)
		snprintf(buf, size, "%s-%u", role, shard);
	else
		snprintf(buf, size, "%s", role);
}

/* The broker, where it is one of ours, before the lease, that before those
 * who work under it. */
static void
needs_of(const struct setup *s, const char *role, unsigned shard, char *buf,
    size_t size)
{
	char	lease[64];

	setup_role_name(lease, sizeof(lease), "lease", shard, s->shards);
	snprintf(buf, size, "%s", strcmp(role, "lease") == 0 ?
	    (s->config->embedded ? "broker\n" : "") : strcat(lease, "\n"));
}

/* For how many shards a role's run script is; 0: there is none. */
static unsigned
shards_of(const struct config *c, const char *name)
{
	char		*path = config_path(c, "service/%s/run", name), *text;
	const char	*at;
	unsigned	 n;

	if (path == NULL || access(path, F_OK) == -1) {
		free(path);
		return 0;
	}
	text = file_read(path, 64 * 1024, NULL, NULL);
	at = text == NULL ? NULL : strstr(text, " --shards ");
	n = at == NULL ? 1 : (unsigned)strtoul(at + 10, NULL, 10);
	free(text);
	free(path);
	return n;
}

/* What runs for another number of shards is ended, and starts anew. */
static int
start_anew(struct setup *s, const char *name, struct error *e)
{
	struct service_status	st;

	if (service_status(s->config, name, &st, e) == -1)
		return -1;
	return st.supervised && (strcmp(st.want, "up") == 0 ||
	    service_gave_up(&st)) ?
	    service_command(s->config, name, "tcu", e) : 0;
}

int
setup_service(struct setup *s, const char *name, const char *role,
    const char *args, const char *needs, struct error *e)
{
	char	file[64], *path, *program, *state, *exec = NULL;
	int	r = -1;

	snprintf(file, sizeof(file), "reeve-%s", role);
	if ((path = setup_program(file, e)) == NULL)
		return -1;
	program = service_quote(path);
	state = service_quote(s->config->state);
	if (program == NULL || state == NULL || asprintf(&exec,
	    "%s --state %s%s%s --notify-fd 3", program, state,
	    args[0] == '\0' ? "" : " ", args) == -1)
		error_errno(e, EX_OSERR, "%s", role);
	else
		r = write_service(s, name, exec, needs, e);
	free(exec);
	free(state);
	free(program);
	free(path);
	return r;
}

static int
role_service(struct setup *s, const char *role, unsigned shard,
    struct error *e)
{
	char		name[64], needs[80], args[64], layout[40] = "";
	unsigned	was;
	int		r;

	setup_role_name(name, sizeof(name), role, shard, s->shards);
	needs_of(s, role, shard, needs, sizeof(needs));
	if (s->shards > 1)
		snprintf(layout, sizeof(layout), " --shards %u", s->shards);
	snprintf(args, sizeof(args), "--shard %u%s", shard, layout);
	was = shards_of(s->config, name);
	r = setup_service(s, name, role, args, needs, e);
	if (r == 0 && was != 0 && was != s->shards)
		r = start_anew(s, name, e);
	return r;
}

/* Where one on this host reaches the broker; such names hold no quote. */
static const char *
listens_at(const struct config *c)
{
	return strcmp(c->listen_host, "0.0.0.0") == 0 ? DEFAULT_HOST :
	    c->listen_host;
}

static int
broker_service(struct setup *s, struct error *e)
{
	char	*conf = config_path(s->config, "broker/nats.conf");
	char	*server = setup_nats_server(e), *path = NULL, *exec = NULL;
	char	*q_server = NULL, *q_conf = NULL, *q_path = NULL;
	int	 r = -1;

	if (server != NULL &&
	    (path = setup_program("reeve-broker", e)) != NULL) {
		q_server = service_quote(server);
		q_conf = conf == NULL ? NULL : service_quote(conf);
		q_path = service_quote(path);
		if (q_server == NULL || q_conf == NULL || q_path == NULL ||
		    asprintf(&exec, "%s --at '%s:%d' --notify-fd 3 %s -c %s",
		    q_path, listens_at(s->config), s->config->listen_port,
		    q_server, q_conf) == -1)
			error_errno(e, EX_OSERR, "broker");
		else
			r = write_service(s, "broker", exec, "", e);
	}
	free(exec);
	free(q_path);
	free(q_conf);
	free(q_server);
	free(path);
	free(server);
	free(conf);
	return r;
}

/* --- what is of another number of shards --------------------------------------- */

/* Is it one of our roles' that these shards do not have?  Which, or -1. */
static int
is_surplus(const struct setup *s, const char *name, unsigned *shard)
{
	char		 want[64], *end = NULL;
	const char	*dash = strrchr(name, '-');
	size_t		 i, n = dash == NULL ? strlen(name) :
			    (size_t)(dash - name);

	*shard = dash == NULL ? 0 : (unsigned)strtoul(dash + 1, &end, 10);
	if (dash != NULL && (end == dash + 1 || *end != '\0'))
		return -1;
	for (i = 0; setup_roles[i] != NULL; i++) {
		if (strlen(setup_roles[i]) != n ||
		    strncmp(setup_roles[i], name, n) != 0)
			continue;
		setup_role_name(want, sizeof(want), setup_roles[i], *shard,
		    s->shards);
		return *shard < s->shards && strcmp(want, name) == 0 ? -1 :
		    (int)i;
	}
	return -1;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	(void)remove(path);
	return 0;
}

/* Out of the supervisor's sight in one step, and then away: it may still
 * write to what it has open there. */
static int
remove_service(struct setup *s, const char *name, struct error *e)
{
	char	*from = config_path(s->config, "service/%s", name);
	char	*to = config_path(s->config, "gone/%s.%d", name,
		    (int)getpid());
	int	 r = -1;

	if (from == NULL || to == NULL)
		error_errno(e, EX_OSERR, "%s", name);
	else if (dir_make_parent(to, 0700, e) == 0 &&
	    (r = rename(from, to)) == -1)
		error_errno(e, EX_CANTCREAT, "%s", from);
	if (r == 0) {
		s->moved = true;
		setup_say(s, "removed the service %s", name);
	}
	free(to);
	free(from);
	return r;
}

/* A shard that is not here any more leaves no credential, and nothing that
 * the next one of its number would take for its own. */
static void
forget_shard(struct setup *s, const char *role, unsigned shard)
{
	char	*creds = config_path(s->config, "creds/%s-%u.creds", role,
		    shard);
	char	*mark = config_path(s->config, "lock/%s-%u.at", role, shard);

	if (shard >= s->shards && creds != NULL && mark != NULL) {
		(void)unlink(creds);
		(void)unlink(mark);
	}
	free(mark);
	free(creds);
}

static int
remove_surplus(struct setup *s, struct error *e)
{
	struct strlist	 names = { 0 };
	char		*service = config_path(s->config, "service");
	char		*gone = config_path(s->config, "gone");
	unsigned	 shard;
	size_t		 i;
	int		 role, r = 0;

	if (service == NULL || gone == NULL)
		r = error_errno(e, EX_OSERR, "services");
	else if (access(service, F_OK) == 0)
		r = services_list(s->config, &names, e);
	for (i = 0; r == 0 && i < names.n; i++)
		if ((role = is_surplus(s, names.v[i], &shard)) != -1 &&
		    (r = remove_service(s, names.v[i], e)) == 0)
			forget_shard(s, setup_roles[role], shard);
	if (r == 0)
		(void)nftw(gone, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	strlist_free(&names);
	free(gone);
	free(service);
	return r;
}

/* Where the new ones were made; not empty, it stays for another time. */
static void
remove_making(struct setup *s)
{
	char	*making = config_path(s->config, "making");

	if (making != NULL)
		(void)rmdir(making);
	free(making);
}

int
setup_services(struct setup *s, struct error *e)
{
	unsigned	shard;
	size_t		i;

	if (s->config->embedded && broker_service(s, e) == -1)
		return -1;
	if (remove_surplus(s, e) == -1)
		return -1;
	for (shard = 0; shard < s->shards; shard++)
		for (i = 0; setup_roles[i] != NULL; i++)
			if (role_service(s, setup_roles[i], shard, e) == -1)
				return -1;
	if (setup_agents_services(s, e) == -1)
		return -1;
	remove_making(s);
	if (s->moved)
		services_rescan(s->config);
	return 0;
}
