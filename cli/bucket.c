/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "bucket.h"

#define READ_MS	5000

int
bucket_read(struct bus *b, const char *space, enum bucket_kind kind,
    const char *key, const struct watch_ops *ops, void *table,
    struct watch **w, struct error *e)
{
	*w = table == NULL ? NULL : watch_new(space, kind, key, ops, table);
	if (*w == NULL)
		return error_set(e, EX_OSERR, "out of memory");
	if (watch_bind(*w, b, e) == -1)
		return -1;
	return watch_wait(b, w, 1, READ_MS, e);
}

int
bucket_show(struct cli *cli, enum bucket_kind kind,
    const struct watch_ops *ops, void *table,
    int (*show)(const struct cli *, const void *))
{
	struct creds	 creds;
	struct bus	*b = NULL;
	struct watch	*w = NULL;
	struct error	 e;
	int		 code;

	memset(&creds, 0, sizeof(creds));
	if (cli_connect(cli, PROFILE_OPERATOR, NULL, &creds, &b, &e) == 0 &&
	    bucket_read(b, cli->config.space, kind, ">", ops, table,
	    &w, &e) == 0)
		code = show(cli, table);
	else
		code = cli_fail(&e);
	watch_free(w);
	bus_close(b);
	creds_wipe(&creds);
	return code;
}
