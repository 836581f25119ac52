/* SPDX-License-Identifier: ISC */

/* An agent file as the text that reads back the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentfile_impl.h"
#include "utf8.h"

/* Does it read back unchanged without quotes? */
static bool
is_plain(const char *value, bool in_list)
{
	size_t	 len = strlen(value);
	char	*back;
	bool	 same;

	if (len == 0 || strchr(" \t[", value[0]) != NULL ||
	    strchr(" \t", value[len - 1]) != NULL)
		return false;
	if ((back = agent_value(value, len, in_list, NULL)) == NULL)
		return false;
	same = strcmp(back, value) == 0;
	free(back);
	return same;
}

/* Other readers take some of it for more than it is: quoted, it is not. */
static bool
is_simple(const char *value)
{
	return strpbrk(value, ":#") == NULL && strchr("*>", value[0]) == NULL;
}

static int
put_value(FILE *out, const char *key, const char *value, bool in_list,
    struct error *e)
{
	const char	*quote = "";
	bool		 both = strchr(value, '"') != NULL &&
			    strchr(value, '\'') != NULL;
	bool		 plain = is_plain(value, in_list);

	if (strpbrk(value, "\n\r") != NULL)
		return error_set(e, EX_DATAERR, "%.64s: a line end cannot be "
		    "written in a value", key);
	if (in_list && strchr(value, ',') != NULL)
		return error_set(e, EX_DATAERR, "%.64s: a comma cannot be "
		    "written in an item of a list", key);
	if (!plain && both)
		return error_set(e, EX_DATAERR, "%.64s: both kinds of quotes "
		    "cannot be written in one value", key);
	if (!plain || (!both && !is_simple(value)))
		quote = strchr(value, '"') == NULL ? "\"" : "'";
	fprintf(out, "%s%s%s", quote, value, quote);
	return 0;
}

static int
put_text(FILE *out, const char *key, const char *value, struct error *e)
{
	int	rc;

	fprintf(out, "%s: ", key);
	rc = put_value(out, key, value, false, e);
	fputc('\n', out);
	return rc;
}

static int
put_list(FILE *out, const char *key, const struct strlist *items,
    struct error *e)
{
	size_t	i;

	fprintf(out, "%s: [", key);
	for (i = 0; i < items->n; i++) {
		fputs(i > 0 ? ", " : "", out);
		if (put_value(out, key, items->v[i], true, e) == -1)
			return -1;
	}
	fputs("]\n", out);
	return 0;
}

static int
put_meta(FILE *out, const struct agent_file *f, struct error *e)
{
	const struct agent_meta	*m;
	size_t			 i;
	int			 rc = 0;

	for (i = 0; rc == 0 && i < f->n_meta; i++) {
		m = &f->meta[i];
		if (agent_key_length(m->key, strlen(m->key)) == 0 ||
		    agent_key_length(m->key, strlen(m->key)) !=
		    strlen(m->key))
			return error_set(e, EX_DATAERR, "\"%.64s\" cannot be "
			    "a key", m->key);
		rc = m->value != NULL ? put_text(out, m->key, m->value, e) :
		    put_list(out, m->key, &m->items, e);
	}
	return rc;
}

static int
put(FILE *out, const struct agent_file *f, struct error *e)
{
	const struct agent_key	*k;
	const struct agent_list	*l;
	const char		*text;
	size_t			 len;
	int			 rc = 0;

	fputs("---\n", out);
	for (k = agent_keys; rc == 0 && k->name != NULL; k++) {
		if (k->kind == AGENT_TEXT) {
			if ((text = *agent_text_of(f, k)) != NULL)
				rc = put_text(out, k->name, text, e);
		} else if ((l = agent_list_of(f, k))->given)
			rc = put_list(out, k->name, &l->items, e);
	}
	if (rc == -1 || put_meta(out, f, e) == -1)
		return -1;
	fputs("---\n", out);
	if (f->body == NULL)
		return 0;
	text = utf8_trim(f->body, &len);
	if (len > 0)
		fprintf(out, "\n%.*s\n", (int)len, text);
	return 0;
}

/* Whatever the rules are: what is written can be read, and a connector's key
 * is not taken for one of ours. */
static int
check(const struct agent_file *f, const char *text, size_t len,
    struct error *e)
{
	struct agent_file	back;
	int			rc = agent_file_read(&back, text, len, e);

	if (rc == 0 && back.n_meta != f->n_meta)
		rc = error_set(e, EX_DATAERR, "a key of a connector's own has "
		    "the name of another");
	else if (rc == -1)
		error_wrap(e, "as it would be written");
	agent_file_free(&back);
	return rc;
}

char *
agent_file_text(const struct agent_file *f, struct error *e)
{
	char	*text = NULL;
	size_t	 len = 0;
	FILE	*out = open_memstream(&text, &len);
	int	 rc, failed;

	if (out == NULL) {
		error_errno(e, EX_OSERR, "agent file");
		return NULL;
	}
	rc = put(out, f, e);
	failed = ferror(out);
	if (fclose(out) == EOF || failed)
		rc = error_set(e, EX_OSERR, "out of memory for an agent file");
	if (rc == 0 && check(f, text, len, e) == 0)
		return text;
	free(text);
	return NULL;
}
