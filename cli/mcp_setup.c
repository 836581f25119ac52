/* SPDX-License-Identifier: ISC */

/* reeve mcp --setup: the files of a host. */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "hooks.h"
#include "mcp_setup.h"
#include "setup.h"

#define FILE_MOST	(4 * 1024 * 1024)

struct setup_file {
	const char	*host;
	const char	*path;		/* NULL: codex's */
	char		*(*merge)(const char *was, const char *reeve,
			    const char *hook, struct error *);
};

static const struct setup_file	setup_files[] = {
	{ "claude", ".mcp.json", mcp_setup_servers },
	{ "claude", ".claude/settings.json", mcp_setup_hooks },
	{ "codex", NULL, mcp_setup_codex },
	{ "opencode", "opencode.json", mcp_setup_opencode },
};
#define N_FILES	(sizeof(setup_files) / sizeof(setup_files[0]))

static char *
path_of(const struct setup_file *f, struct error *e)
{
	const char	*dir = getenv("CODEX_HOME"), *home = getenv("HOME");
	char		*path = NULL;
	int		 r;

	if (f->path != NULL)
		r = (path = strdup(f->path)) == NULL ? -1 : 0;
	else if (dir != NULL && dir[0] != '\0')
		r = asprintf(&path, "%s/config.toml", dir);
	else if (home != NULL && home[0] != '\0')
		r = asprintf(&path, "%s/.codex/config.toml", home);
	else {
		error_set(e, EX_CONFIG, "where codex has its settings is not "
		    "known: set CODEX_HOME, or HOME");
		return NULL;
	}
	if (r == -1) {
		error_set(e, EX_OSERR, "out of memory");
		return NULL;
	}
	return path;
}

/* What is there, "" when nothing is; *mode is set to the file's. */
static char *
read_was(const char *path, mode_t *mode, struct error *e)
{
	struct stat	st;

	if (stat(path, &st) == -1) {
		if ((errno == ENOENT && lstat(path, &st) == -1) ||
		    errno == ENOTDIR)
			return strdup("");
		/* Or it is a link to nothing, which is to stay one. */
		error_errno(e, EX_NOINPUT, "%s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(e, EX_NOINPUT, "%s is no file", path);
		return NULL;
	}
	*mode = st.st_mode & 07777;
	return file_read(path, FILE_MOST, NULL, e);
}

/* Through a symbolic link: it stays one. */
static int
write_file(const char *path, const char *text, mode_t mode, struct error *e)
{
	char	*real = realpath(path, NULL);
	int	 rc;

	rc = dir_make_parent(path, 0755, e);
	if (rc == 0)
		rc = file_write_private(real != NULL ? real : path, text, mode,
		    e);
	free(real);
	return rc;
}

static int
setup_one(const struct setup_file *f, const char *reeve, const char *hook,
    bool write, struct error *e)
{
	char	*path = path_of(f, e), *was = NULL, *text = NULL;
	mode_t	 mode = 0644;
	int	 rc = -1;

	if (path != NULL && write)
		was = read_was(path, &mode, e);
	if (path != NULL && (!write || was != NULL)) {
		text = f->merge(write ? was : "", reeve, hook, e);
		if (text == NULL)
			error_wrap(e, "%s was left alone", path);
	}
	if (text != NULL && !write) {
		printf("%s:\n\n%s%s\n", path, text, text[strlen(text) - 1] ==
		    '\n' ? "" : "\n");
		rc = 0;
	} else if (text != NULL && strcmp(text, was) == 0) {
		printf("%s has it already\n", path);
		rc = 0;
	} else if (text != NULL &&
	    (rc = write_file(path, text, mode, e)) == 0)
		printf("%s written\n", path);
	free(text);
	free(was);
	free(path);
	return rc;
}

int
mcp_setup(const char *host, bool write, struct error *e)
{
	struct error	 one;
	char		*reeve, *hook = NULL;
	size_t		 i, n = 0;
	int		 rc = 0;

	if ((reeve = setup_program("reeve", e)) == NULL ||
	    (hook = setup_program(HOOK_NAME, e)) == NULL)
		rc = -1;
	/* Each for itself: one that cannot be understood stops no other. */
	for (i = 0; hook != NULL && i < N_FILES; i++) {
		if (strcmp(setup_files[i].host, host) != 0)
			continue;
		n++;
		if (setup_one(&setup_files[i], reeve, hook, write, &one) == 0)
			continue;
		if (rc == -1)
			fprintf(stderr, "reeve: %s\n", e->text);
		*e = one;
		rc = -1;
	}
	free(reeve);
	free(hook);
	if (rc == 0 && n == 0)
		rc = error_set(e, EX_USAGE, "there is no host \"%.64s\": "
		    "claude, codex or opencode", host);
	if (rc == 0 && write && strcmp(host, "codex") == 0)
		printf("Codex runs hooks once they are trusted: /hooks in it "
		    "asks\n");
	return rc;
}
