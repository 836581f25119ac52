/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "provision.h"

static int
add(struct strlist *argv, const char *a, const char *b)
{
	return strlist_add(argv, a) && (b == NULL || strlist_add(argv, b)) ?
	    0 : -1;
}

static int
begin(struct strlist *argv, const struct config *c, const char *verb,
    const struct note *n)
{
	if (add(argv, "reeve-provision", NULL) == -1 ||
	    add(argv, "--state", c->state) == -1 ||
	    add(argv, "--id", n->id) == -1)
		return -1;
	if (n->role != NULL && add(argv, "--role", n->role) == -1)
		return -1;
	return add(argv, verb, NULL);
}

static int
run(struct oneshot *o, struct strlist *argv, const struct creds *creds,
    struct error *e)
{
	char	**v = reallocarray(NULL, argv->n + 1, sizeof(*v));
	char	*text = creds_text(creds);
	int	 r = -1;

	if (v == NULL || text == NULL)
		error_errno(e, EX_OSERR, "provisioner");
	else {
		memcpy(v, argv->v, argv->n * sizeof(*v));
		v[argv->n] = NULL;
		r = oneshot_start(o, v, text, e);
	}
	creds_text_free(text);
	free(v);
	return r;
}

int
provision_create(struct oneshot *o, const struct config *c,
    const struct note *n, const struct strlist *allow,
    const struct creds *creds, struct error *e)
{
	struct strlist	argv = { 0 };
	size_t		i;
	int		r = begin(&argv, c, "create", n);

	if (r == 0)
		r = add(&argv, "--name", n->name);
	for (i = 0; r == 0 && i < allow->n; i++)
		r = add(&argv, "--allow-subscribe", allow->v[i]);
	r = r == -1 ? error_errno(e, EX_OSERR, "provisioner") :
	    run(o, &argv, creds, e);
	strlist_free(&argv);
	return r;
}

int
provision_remove(struct oneshot *o, const struct config *c,
    const struct note *n, const struct creds *creds, struct error *e)
{
	struct strlist	argv = { 0 };
	int		r = begin(&argv, c, "remove", n);

	r = r == -1 ? error_errno(e, EX_OSERR, "provisioner") :
	    run(o, &argv, creds, e);
	strlist_free(&argv);
	return r;
}
