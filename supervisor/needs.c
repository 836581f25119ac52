/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "needs.h"
#include "roster.h"
#include "smallfile.h"

#define PATH_SHOWN	200	/* of a circle, in the log */

struct need {
	const char	*name;		/* in names */
	struct service	*sv;		/* NULL: there is none */
};

struct needs {
	size_t		 len;		/* of text */
	char		*text;		/* the file, as it was read */
	char		*names;		/* the same, cut into lines */
	size_t		 n;
	struct need	 v[];
};

static const char	unreadable[] = "(unreadable)";

static struct service *
by_name(const struct roster *r, const char *name)
{
	struct service	*sv;

	TAILQ_FOREACH(sv, &r->services, entry)
		if (strcmp(sv->name, name) == 0)
			return sv;
	return NULL;
}

static size_t
count_lines(const char *text, size_t len)
{
	size_t	i, n = 1;

	for (i = 0; i < len; i++)
		n += text[i] == '\n';
	return n;
}

/* Cut names into lines without blanks around them; empty ones and comments
 * are none. */
static void
cut(struct needs *needs)
{
	char	*line, *save = NULL;
	size_t	 len;

	for (line = strtok_r(needs->names, "\n", &save); line != NULL;
	    line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " \t\r");
		len = strlen(line);
		while (len > 0 && strchr(" \t\r", line[len - 1]) != NULL)
			line[--len] = '\0';
		if (len > 0 && line[0] != '#')
			needs->v[needs->n++].name = line;
	}
}

/* One block: the struct, its needs, the text twice. */
static struct needs *
parse(const char *text, size_t len)
{
	size_t		 lines = count_lines(text, len);
	struct needs	*needs;

	needs = calloc(1, sizeof(*needs) + lines * sizeof(needs->v[0]) +
	    2 * (len + 1));
	if (needs == NULL)
		return NULL;
	needs->len = len;
	needs->text = (char *)&needs->v[lines];
	needs->names = needs->text + len + 1;
	memcpy(needs->text, text, len);
	memcpy(needs->names, text, len);
	cut(needs);
	return needs;
}

int
needs_load(struct service *sv)
{
	struct needs	*needs;
	char		 text[NEEDS_SIZE];
	ssize_t		 len;
	size_t		 i;

	len = smallfile_read(sv->dir_fd, "needs", text, sizeof(text));
	if (len == -1 && errno == ENOENT) {
		needs_free(sv);
		return 0;
	}
	if (len == -1)
		return -1;
	if (sv->needs != NULL && sv->needs->len == (size_t)len &&
	    memcmp(sv->needs->text, text, (size_t)len) == 0)
		return 0;
	if ((needs = parse(text, (size_t)len)) == NULL)
		return -1;
	for (i = 0; i < needs->n; i++)
		needs->v[i].sv = by_name(sv->roster, needs->v[i].name);
	needs_free(sv);
	sv->needs = needs;
	return 0;
}

void
needs_free(struct service *sv)
{
	free(sv->needs);
	sv->needs = NULL;
	sv->unmet = NULL;
}

const char *
needs_unmet(const struct service *sv)
{
	size_t	i;

	for (i = 0; sv->needs != NULL && i < sv->needs->n; i++)
		if (sv->needs->v[i].sv == NULL ||
		    !service_is_ready(sv->needs->v[i].sv))
			return sv->needs->v[i].name;
	return NULL;
}

/* Walk all that it needs, directly or not; ->via tells how each was reached.
 * True when that leads back to it. */
static bool
needs_itself(struct service *sv)
{
	struct service	*at, *other, *stack = NULL;
	size_t		 i;

	TAILQ_FOREACH(other, &sv->roster->services, entry)
		other->via = other->below = NULL;
	for (at = sv; at != NULL; ) {
		for (i = 0; at->needs != NULL && i < at->needs->n; i++) {
			other = at->needs->v[i].sv;
			if (other == NULL || other->via != NULL)
				continue;
			other->via = at;
			other->below = stack;
			stack = other;
		}
		if (sv->via != NULL)
			return true;
		if ((at = stack) != NULL)
			stack = at->below;
	}
	return false;
}

static void
log_circle(const struct service *sv)
{
	const struct service	*at = sv;
	char			 path[PATH_SHOWN] = "";
	size_t			 len, room;

	/* Backwards, from what needs it to what it needs. */
	do {
		at = at->via;
		len = strlen(at->name);
		room = sizeof(path) - strlen(path) - 1;
		if (len + 1 > room)
			break;
		memmove(path + len + 1, path, strlen(path) + 1);
		memcpy(path, at->name, len);
		path[len] = path[len + 1] == '\0' ? '\0' : ' ';
	} while (at != sv);
	log_error("needs itself, not started", "service=%s through=%s",
	    log_str(sv->name), log_str(path));
}

static void
log_unmet(struct service *sv, const char *name)
{
	if (by_name(sv->roster, name) == NULL)
		log_error("needs an unknown service, waits",
		    "service=%s needs=%s", log_str(sv->name), log_str(name));
	else if (needs_itself(sv))
		log_circle(sv);
	else
		log_info("waits", "service=%s needs=%s", log_str(sv->name),
		    log_str(name));
}

bool
needs_met(struct service *sv)
{
	const char	*unmet;

	if (needs_load(sv) == -1) {
		if (sv->unmet != unreadable)
			log_error("cannot read needs, not started",
			    "service=%s error=%s", log_str(sv->name),
			    log_str(strerror(errno)));
		sv->unmet = unreadable;
		return false;
	}
	unmet = needs_unmet(sv);
	if (unmet != NULL && unmet != sv->unmet)
		log_unmet(sv, unmet);
	sv->unmet = unmet;
	return unmet == NULL;
}

void
needs_mark(const struct service *sv)
{
	size_t	i;

	for (i = 0; sv->needs != NULL && i < sv->needs->n; i++)
		if (sv->needs->v[i].sv != NULL)
			sv->needs->v[i].sv->needed = true;
}

void
needs_arrived(struct service *sv)
{
	struct service	*other;
	size_t		 i;

	TAILQ_FOREACH(other, &sv->roster->services, entry)
		for (i = 0; other->needs != NULL && i < other->needs->n; i++)
			if (strcmp(other->needs->v[i].name, sv->name) == 0)
				other->needs->v[i].sv = sv;
}

void
needs_departed(struct service *sv)
{
	struct service	*other;
	size_t		 i;

	TAILQ_FOREACH(other, &sv->roster->services, entry)
		for (i = 0; other->needs != NULL && i < other->needs->n; i++)
			if (other->needs->v[i].sv == sv)
				other->needs->v[i].sv = NULL;
}
