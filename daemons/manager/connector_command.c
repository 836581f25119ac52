/* SPDX-License-Identifier: ISC */

/* Any program: the agent file's `command`, without a shell. */
#include "connector.h"
#include "words.h"

static int
split(const struct agent_file *f, struct strlist *words, struct error *e)
{
	const char	*command = agent_file_meta(f, "command");

	if (command == NULL)
		return error_set(e, EX_DATAERR, "the agent file has no "
		    "command: PROGRAM ARGUMENT ...");
	if (words_split(words, command, e) == -1)
		return error_wrap(e, "command");
	if (words->n == 0 || words->v[0][0] == '\0')
		return error_set(e, EX_DATAERR, "command: there is no "
		    "program in it");
	return 0;
}

static int
ready(const struct agent_file *f, const char *path, struct error *e)
{
	struct strlist	words = { .v = NULL };
	int		rc;

	if ((rc = split(f, &words, e)) == 0)
		rc = connector_needs(&connector_command, words.v[0], path, e);
	strlist_free(&words);
	return rc;
}

static int
launch(const struct launch_request *r, struct launch_plan *p, struct error *e)
{
	return split(r->file, &p->argv, e);
}

const struct connector connector_command = {
	.name = "command",
	.summary = "any program: command in the agent file",
	.ready = ready,
	.launch = launch };
