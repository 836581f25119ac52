/* SPDX-License-Identifier: ISC */
#include <sys/prctl.h>
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "limitsfile.h"
#include "smallfile.h"

#define FILE_SIZE	4096
#define GROUPS_MAX	256

enum key { USER, GROUP, GROUPS, NOFILE, MEMORY, NICE, NO_NEW_PRIVS, KEYS };

struct limits {
	int		 line[KEYS];	/* where it is given; 0: it is not */
	char		 user[128];	/* its name; "": it has none */
	uid_t		 uid;
	gid_t		 gid;		/* of group, else the user's */
	bool		 has_gid;
	gid_t		 groups[GROUPS_MAX];
	int		 n_groups;
	rlim_t		 nofile, memory;
	int		 nice;
	bool		 no_new_privs;
};

/* Take a value.  NULL, or what is wrong with it. */
typedef const char *taker(struct limits *, char *value);

static taker	take_user, take_group, take_groups, take_nofile, take_memory;
static taker	take_nice, take_no_new_privs;

static const struct {
	const char	*name;
	taker		*take;
} keys[KEYS] = {
	[USER]		= { "user",		take_user },
	[GROUP]		= { "group",		take_group },
	[GROUPS]	= { "groups",		take_groups },
	[NOFILE]	= { "nofile",		take_nofile },
	[MEMORY]	= { "memory",		take_memory },
	[NICE]		= { "nice",		take_nice },
	[NO_NEW_PRIVS]	= { "no-new-privs",	take_no_new_privs },
};

/* A decimal number of at most max that ends at *end.  -1: it is none. */
static int64_t
number(const char *value, int64_t max, char **end)
{
	int64_t	n;

	if (value[0] < '0' || value[0] > '9')
		return -1;
	errno = 0;
	n = strtoll(value, end, 10);
	return errno != 0 || n > max ? -1 : n;
}

/* The id that -1 means is nobody's. */
static bool
is_id(const char *value, int64_t *id)
{
	char	*end;

	*id = number(value, UINT32_MAX - 1, &end);
	return *id != -1 && *end == '\0';
}

static const char *
take_user(struct limits *l, char *value)
{
	const struct passwd	*pw;
	int64_t			 id;

	pw = is_id(value, &id) ? getpwuid((uid_t)id) : getpwnam(value);
	if (pw == NULL && id == -1)
		return "there is no such user";
	l->uid = pw == NULL ? (uid_t)id : pw->pw_uid;
	if (pw == NULL)
		return NULL;
	snprintf(l->user, sizeof(l->user), "%s", pw->pw_name);
	if (!l->has_gid)
		l->gid = pw->pw_gid;
	l->has_gid = true;
	return NULL;
}

static bool
find_group(const char *value, gid_t *gid)
{
	const struct group	*gr;
	int64_t			 id;

	if (is_id(value, &id)) {
		*gid = (gid_t)id;
		return true;
	}
	if ((gr = getgrnam(value)) == NULL)
		return false;
	*gid = gr->gr_gid;
	return true;
}

static const char *
take_group(struct limits *l, char *value)
{
	if (!find_group(value, &l->gid))
		return "there is no such group";
	l->has_gid = true;
	return NULL;
}

static const char *
take_groups(struct limits *l, char *value)
{
	char	*name, *save = NULL;

	if (strcmp(value, "none") == 0)
		return NULL;
	for (name = strtok_r(value, ", \t", &save); name != NULL;
	    name = strtok_r(NULL, ", \t", &save)) {
		if (l->n_groups == GROUPS_MAX)
			return "these are too many groups";
		if (!find_group(name, &l->groups[l->n_groups++]))
			return "there is no such group";
	}
	return NULL;
}

static const char *
take_nofile(struct limits *l, char *value)
{
	char	*end;
	int64_t	 n = number(value, INT32_MAX, &end);

	if (n < 1 || *end != '\0')
		return "expected a number above 0";
	l->nofile = (rlim_t)n;
	return NULL;
}

static const char *
take_memory(struct limits *l, char *value)
{
	static const char	units[] = "kMG";
	const char		*unit;
	char			*end;
	int64_t			 n = number(value, INT64_MAX >> 30, &end);

	if (n > 0 && *end != '\0' && (unit = strchr(units, *end)) != NULL) {
		n <<= 10 * (unit - units + 1);
		end++;
	}
	if (n < 1 || *end != '\0')
		return "expected bytes above 0, or such a number and k, M "
		    "or G";
	l->memory = (rlim_t)n;
	return NULL;
}

static const char *
take_nice(struct limits *l, char *value)
{
	char	*end;
	bool	 minus = value[0] == '-';
	int64_t	 n = number(value + minus, 20, &end);

	if (n == -1 || *end != '\0' || (!minus && n == 20))
		return "expected a number from -20 to 19";
	l->nice = minus ? -(int)n : (int)n;
	return NULL;
}

static const char *
take_no_new_privs(struct limits *l, char *value)
{
	l->no_new_privs = strcmp(value, "yes") == 0;
	return l->no_new_privs || strcmp(value, "no") == 0 ? NULL :
	    "expected yes or no";
}

static int
fail(struct limits_error *e, int line, const char *subject, const char *why)
{
	e->line = line;
	snprintf(e->text, sizeof(e->text), "%.60s: %s", subject, why);
	return -1;
}

/* "key value" or "key = value", without blanks around it. */
static int
take_line(struct limits *l, char *line, int at, struct limits_error *e)
{
	const char	*why;
	char		*value = line + strcspn(line, " \t=");
	int		 key;
	bool		 equals = *value == '=';

	if (*value != '\0')
		*value++ = '\0';
	value += strspn(value, " \t");
	if (!equals && *value == '=')
		value += 1 + strspn(value + 1, " \t");
	if (line[0] == '\0')
		return fail(e, at, "=", "there is no key before it");
	for (key = 0; key < KEYS; key++)
		if (strcmp(keys[key].name, line) == 0)
			break;
	if (key == KEYS)
		return fail(e, at, line, "there is no such key");
	if (l->line[key] != 0)
		return fail(e, at, line, "it is given twice");
	if (*value == '\0')
		return fail(e, at, line, "it has no value");
	l->line[key] = at;
	if ((why = keys[key].take(l, value)) != NULL)
		return fail(e, at, line, why);
	return 0;
}

static int
take_file(struct limits *l, char *text, struct limits_error *e)
{
	char	*line, *next;
	size_t	 len;
	int	 at = 0;

	for (line = text; line != NULL; line = next) {
		at++;
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		line += strspn(line, " \t");
		len = strlen(line);
		while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
			line[--len] = '\0';
		if (len > 0 && line[0] != '#' &&
		    take_line(l, line, at, e) == -1)
			return -1;
	}
	return 0;
}

/* A user without a say on groups gets all of its own. */
static int
complete(struct limits *l, struct limits_error *e)
{
	if (l->line[USER] == 0 || l->line[GROUPS] != 0)
		return 0;
	if (!l->has_gid)
		return fail(e, l->line[USER], "user",
		    "it is in no passwd file: say its group, too");
	l->n_groups = GROUPS_MAX;
	if (l->user[0] == '\0') {
		l->n_groups = 0;
	} else if (getgrouplist(l->user, l->gid, l->groups, &l->n_groups) ==
	    -1)
		return fail(e, l->line[USER], "user",
		    "it is in too many groups");
	return 0;
}

static int
refused(const struct limits *l, enum key key, struct limits_error *e)
{
	return fail(e, l->line[key], keys[key].name, strerror(errno));
}

static int
set_limits(const struct limits *l, struct limits_error *e)
{
	struct rlimit	nofile = { l->nofile, l->nofile };
	struct rlimit	memory = { l->memory, l->memory };

	if (l->line[NICE] != 0 && setpriority(PRIO_PROCESS, 0, l->nice) == -1)
		return refused(l, NICE, e);
	if (l->line[NOFILE] != 0 && setrlimit(RLIMIT_NOFILE, &nofile) == -1)
		return refused(l, NOFILE, e);
	if (l->line[MEMORY] != 0 && setrlimit(RLIMIT_DATA, &memory) == -1)
		return refused(l, MEMORY, e);
	if (l->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return refused(l, NO_NEW_PRIVS, e);
	return 0;
}

/* Who is that user already, and not root, can and need not become it. */
static bool
is_already(const struct limits *l)
{
	return l->line[USER] != 0 && l->line[GROUPS] == 0 &&
	    geteuid() != 0 && geteuid() == l->uid && getuid() == l->uid &&
	    getegid() == l->gid && getgid() == l->gid;
}

static int
set_ids(const struct limits *l, struct limits_error *e)
{
	if (is_already(l))
		return 0;
	if ((l->line[USER] != 0 || l->line[GROUPS] != 0) &&
	    setgroups((size_t)l->n_groups, l->groups) == -1)
		return refused(l, l->line[GROUPS] != 0 ? GROUPS : USER, e);
	if (l->has_gid && setresgid(l->gid, l->gid, l->gid) == -1)
		return refused(l, l->line[GROUP] != 0 ? GROUP : USER, e);
	if (l->line[USER] != 0 && setresuid(l->uid, l->uid, l->uid) == -1)
		return refused(l, USER, e);
	return 0;
}

int
limitsfile_apply(const char *path, struct limits_error *e)
{
	static struct limits	l;
	char			text[FILE_SIZE];

	if (smallfile_read(AT_FDCWD, path, text, sizeof(text)) == -1)
		return errno == ENOENT ? 0 : fail(e, 0, path,
		    strerror(errno));
	if (take_file(&l, text, e) == -1 || complete(&l, e) == -1 ||
	    set_limits(&l, e) == -1)
		return -1;
	return set_ids(&l, e);
}
