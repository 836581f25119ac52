/* SPDX-License-Identifier: ISC */
#ifndef REEVE_LIMITSFILE_H
#define REEVE_LIMITSFILE_H

/*
 * The file limits of a service: what run may be and have.  See
 * reeve-service(5) for the keys.
 */
struct limits_error {
	int	line;		/* of the file; 0: none in particular */
	char	text[160];
};

/*
 * Read the file and make this process so; no such file is well.  -1 with
 * *e: a key or a value is wrong, or the kernel refuses.  Looks up users and
 * groups and may allocate, so for a child on its way to exec: after a
 * failure the process may be anything between.
 */
int	limitsfile_apply(const char *path, struct limits_error *e);

#endif
