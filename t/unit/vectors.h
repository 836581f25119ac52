/* SPDX-License-Identifier: ISC */
#ifndef REEVE_T_VECTORS_H
#define REEVE_T_VECTORS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>
#include <cjson/cJSON.h>

/* The recorded vectors, and the running of a suite, for the unit tests. */

/* $srcdir/t/data/vectors/<name>, parsed; the caller frees it. */
static inline cJSON *
vectors_load(const char *name)
{
	const char	*srcdir = getenv("srcdir");
	char		 path[4096], *text = NULL;
	size_t		 size = 0;
	ssize_t		 len;
	FILE		*f;
	cJSON		*o;

	snprintf(path, sizeof(path), "%s/t/data/vectors/%s",
	    srcdir != NULL ? srcdir : ".", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	len = getdelim(&text, &size, '\0', f);
	ck_assert_msg(len > 0, "%s", path);
	o = cJSON_ParseWithLength(text, (size_t)len);
	ck_assert_msg(o != NULL, "%s: not JSON", path);
	free(text);
	fclose(f);
	return o;
}

/* A member that must be there. */
static inline cJSON *
vectors_get(const cJSON *o, const char *name)
{
	cJSON	*v = cJSON_GetObjectItemCaseSensitive(o, name);

	ck_assert_msg(v != NULL, "no %s", name);
	return v;
}

/* A string that must be there. */
static inline const char *
vectors_str(const cJSON *o, const char *name)
{
	const char	*s = cJSON_GetStringValue(vectors_get(o, name));

	ck_assert_msg(s != NULL, "%s: no string", name);
	return s;
}

/* Run a suite; the status for main to return. */
static inline int
vectors_run(Suite *s)
{
	SRunner	*r = srunner_create(s);
	int	 failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

#endif
