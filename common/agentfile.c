/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agentfile.h"
#include "agentfile_impl.h"
#include "files.h"
#include "names.h"
#include "safepath.h"
#include "utf8.h"

#define F(m)	offsetof(struct agent_file, m)
const struct agent_key agent_keys[] = {
	{ "name", AGENT_TEXT, F(name) },
	{ "role", AGENT_TEXT, F(role) },
	{ "kind", AGENT_TEXT, F(kind) },
	{ "description", AGENT_TEXT, F(description) },
	{ "tags", AGENT_LIST, F(tags) },
	{ "subscribe", AGENT_CHANNELS, F(subscribe) },
	{ "allowSubscribe", AGENT_CHANNELS, F(allow_subscribe) },
	{ "allowPublish", AGENT_CHANNELS, F(allow_publish) },
	{ "quiet", AGENT_CHANNELS, F(quiet) },
	{ "muted", AGENT_CHANNELS, F(muted) },
	{ "model", AGENT_TEXT, F(model) },
	{ "capabilities", AGENT_LIST, F(capabilities) },
	{ "owner", AGENT_TEXT, F(owner) },
	{ NULL, AGENT_TEXT, 0 }
};
#undef F

static char	*general[] = { (char *)(uintptr_t)"general", NULL };
static char	*nothing[] = { NULL };

static int
out_of_memory(struct error *e)
{
	return error_set(e, EX_OSERR, "out of memory for an agent file");
}

char **
agent_text_of(const struct agent_file *f, const struct agent_key *k)
{
	return (void *)((char *)(uintptr_t)f + k->offset);
}

struct agent_list *
agent_list_of(const struct agent_file *f, const struct agent_key *k)
{
	return (void *)((char *)(uintptr_t)f + k->offset);
}

void
agent_file_free(struct agent_file *f)
{
	const struct agent_key	*k;
	size_t			 i;

	for (k = agent_keys; k->name != NULL; k++) {
		if (k->kind == AGENT_TEXT)
			free(*agent_text_of(f, k));
		else
			strlist_free(&agent_list_of(f, k)->items);
	}
	for (i = 0; i < f->n_meta; i++) {
		free(f->meta[i].key);
		free(f->meta[i].value);
		strlist_free(&f->meta[i].items);
	}
	free(f->meta);
	free(f->body);
	memset(f, 0, sizeof(*f));
}

int
agent_file_set(char **where, const char *value, struct error *e)
{
	char	*copy = NULL;

	if (value != NULL && (copy = strdup(value)) == NULL)
		return out_of_memory(e);
	free(*where);
	*where = copy;
	return 0;
}

static char *const *
items_of(const struct agent_list *l)
{
	return l->items.n > 0 ? l->items.v : nothing;
}

void
agent_file_acl(const struct agent_file *f, struct agent_acl *a)
{
	a->subscribe = f->subscribe.given ? items_of(&f->subscribe) : general;
	a->n_subscribe = f->subscribe.given ? f->subscribe.items.n : 1;
	a->allow_subscribe = a->subscribe;
	a->n_allow_subscribe = a->n_subscribe;
	if (f->allow_subscribe.given) {
		a->allow_subscribe = items_of(&f->allow_subscribe);
		a->n_allow_subscribe = f->allow_subscribe.items.n;
	}
	a->allow_publish = items_of(&f->allow_publish);
	a->n_allow_publish = f->allow_publish.items.n;
}

bool
agent_file_can(const struct agent_file *f, const char *capability)
{
	return strlist_has(&f->capabilities.items, capability);
}

const char *
agent_file_meta(const struct agent_file *f, const char *key)
{
	size_t	i;

	for (i = 0; i < f->n_meta; i++)
		if (strcmp(f->meta[i].key, key) == 0)
			return f->meta[i].value;
	return NULL;
}

const char *
agent_file_connector(const struct agent_file *f)
{
	const char	*own = agent_file_meta(f, "agent");

	if (own != NULL)
		return own;
	return agent_file_meta(f, "command") != NULL ? "command" : "claude";
}

/* --- refs and paths ---------------------------------------------------------------- */

bool
agent_name_is_safe(const char *s)
{
	return s[0] != '.' && strlen(s) <= AGENT_REF_MAX &&
	    name_is_instance(s);
}

bool
agent_name_is_startable(const char *s)
{
	return name_is_token(s) && strlen(s) <= AGENT_NAME_MAX;
}

bool
agent_ref_is_path(const char *ref)
{
	size_t	len = strlen(ref);

	return strchr(ref, '/') != NULL ||
	    (len >= 3 && strcmp(ref + len - 3, ".md") == 0);
}

char *
agent_file_path(const char *workspace, const char *ref)
{
	char	*path;
	int	 n;

	if (agent_ref_is_path(ref))
		return strdup(ref);
	n = asprintf(&path, "%s/" AGENT_DIR "/%s.md", workspace, ref);
	return n == -1 ? NULL : path;
}

/* Below the workspace; the ref is safe. */
static int
rel_of(char *rel, size_t size, const char *ref, struct error *e)
{
	if (agent_ref_is_path(ref) || !agent_name_is_safe(ref))
		return error_set(e, EX_USAGE, "\"%.64s\" cannot be the name of "
		    "an agent's file: one line without slashes that does not "
		    "begin with a dot nor end in .md", ref);
	snprintf(rel, size, AGENT_DIR "/%s.md", ref);
	return 0;
}

/* As it is given; but a FIFO would keep us waiting for a writer. */
static char *
slurp_path(const char *path, size_t *len, struct error *e)
{
	struct stat	st;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		error_set(e, EX_NOINPUT, "%s is not a regular file", path);
		return NULL;
	}
	return file_read(path, AGENT_FILE_MAX, len, e);
}

static char *
slurp(const char *workspace, const char *ref, size_t *len, struct error *e)
{
	char	rel[sizeof(AGENT_DIR) + AGENT_REF_MAX + 8], *text;

	if (agent_ref_is_path(ref))
		return slurp_path(ref, len, e);
	if (rel_of(rel, sizeof(rel), ref, e) == -1)
		return NULL;
	if (safe_exists(workspace, rel, e) == 0)
		error_set(e, EX_NOINPUT, "no persona \"%s\": %s/%s is not "
		    "there", ref, workspace, rel);
	else if ((text = safe_read(workspace, rel, AGENT_FILE_MAX, len, e)) !=
	    NULL)
		return text;
	return NULL;
}

int
agent_file_load(struct agent_file *f, const char *workspace, const char *ref,
    struct error *e)
{
	char	*path, *text;
	size_t	 len;
	int	 rc;

	memset(f, 0, sizeof(*f));
	if ((text = slurp(workspace, ref, &len, e)) == NULL)
		return -1;
	rc = agent_file_read(f, text, len, e);
	free(text);
	if (rc == -1) {
		path = agent_file_path(workspace, ref);
		error_wrap(e, "%s", path == NULL ? ref : path);
		free(path);
	}
	return rc;
}

int
agent_file_save(const struct agent_file *f, const char *workspace,
    const char *ref, bool fresh, struct error *e)
{
	char	rel[sizeof(AGENT_DIR) + AGENT_REF_MAX + 8], *text;
	int	rc;

	if (rel_of(rel, sizeof(rel), ref, e) == -1 ||
	    (text = agent_file_text(f, e)) == NULL)
		return -1;
	if (fresh)
		rc = safe_create(workspace, rel, text, e);
	else
		rc = safe_replace(workspace, rel, text, e);
	free(text);
	return rc;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
agent_file_list(struct strlist *refs, const char *workspace, struct error *e)
{
	const struct dirent	*d;
	struct error		 why;
	DIR			*dir;
	char			 ref[NAME_SIZE];
	size_t			 len;
	int			 fd, rc = 0;

	if ((fd = safe_dir(workspace, AGENT_DIR, false, &why)) == -1)
		return why.code == EX_NOINPUT ? 0 :
		    error_set(e, why.code, "%s", why.text);
	if ((dir = fdopendir(fd)) == NULL) {
		error_errno(e, EX_OSERR, "%s/" AGENT_DIR, workspace);
		close(fd);
		return -1;
	}
	while (rc == 0 && (d = readdir(dir)) != NULL) {
		len = strlen(d->d_name);
		if (len <= 3 || strcmp(d->d_name + len - 3, ".md") != 0)
			continue;
		snprintf(ref, sizeof(ref), "%.*s", (int)len - 3, d->d_name);
		if (agent_name_is_safe(ref) && !agent_ref_is_path(ref) &&
		    !strlist_add(refs, ref))
			rc = out_of_memory(e);
	}
	closedir(dir);
	if (refs->n > 1)
		qsort(refs->v, refs->n, sizeof(*refs->v), compare);
	return rc;
}
