/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "creds.h"
#include "json.h"
#include "jwt.h"

#define CREDS_FILE_MAX	(256 * 1024)
#define CREDS_STDIN_MAX	(64 * 1024)

static char	*block_read(const char *, const char *, struct error *);
static int	 creds_check(const struct creds *, struct error *);

int
creds_load(struct creds *c, const char *path, struct error *e)
{
	char	*text;
	int	 rc;

	memset(c, 0, sizeof(*c));
	text = file_read_private(path, CREDS_FILE_MAX, NULL, e);
	if (text == NULL)
		return -1;
	if ((rc = creds_parse(c, text, e)) == -1)
		error_wrap(e, "%s", path);
	file_wipe(text);
	return rc;
}

int
creds_read_stdin(struct creds *c, struct error *e)
{
	char	*text = calloc(1, CREDS_STDIN_MAX + 1);
	size_t	 n = 0;
	ssize_t	 got = 1;
	int	 r;

	if (text == NULL)
		return error_errno(e, EX_OSERR, "credentials");
	while (n < CREDS_STDIN_MAX && got != 0) {
		got = read(STDIN_FILENO, text + n, CREDS_STDIN_MAX - n);
		if (got > 0)
			n += (size_t)got;
		else if (got == -1 && errno != EINTR)
			break;
	}
	if (got == -1)
		r = error_errno(e, EX_IOERR, "standard input");
	else if (n == 0)
		r = error_set(e, EX_NOINPUT, "no credentials on the standard "
		    "input");
	else if ((r = creds_parse(c, text, e)) == -1)
		error_wrap(e, "standard input");
	sodium_memzero(text, CREDS_STDIN_MAX);
	free(text);
	return r;
}

int
creds_parse(struct creds *c, const char *text, struct error *e)
{
	char	*seed;
	int	 rc;

	memset(c, 0, sizeof(*c));
	if ((c->jwt = block_read(text, "NATS USER JWT", e)) == NULL)
		return -1;
	if ((seed = block_read(text, "USER NKEY SEED", e)) == NULL) {
		creds_wipe(c);
		return -1;
	}
	rc = nkey_from_seed(&c->key, seed, e);
	file_wipe(seed);
	if (rc == -1 || creds_check(c, e) == -1) {
		creds_wipe(c);
		return -1;
	}
	return 0;
}

/* The first line with text after the block's BEGIN line; malloc'd. */
static char *
block_read(const char *text, const char *label, struct error *e)
{
	char		 begin[64], *value = NULL;
	const char	*p;
	size_t		 len = 0;

	snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
	if ((p = strstr(text, begin)) != NULL) {
		p += strlen(begin);
		p += strspn(p, "- \t\r\n");
		while (p[len] != '\0' && !isspace((unsigned char)p[len]))
			len++;
	}
	if (len == 0)
		error_set(e, EX_DATAERR, "not a creds file: no block \"%s\"",
		    label);
	else if ((value = strndup(p, len)) == NULL)
		error_errno(e, EX_OSERR, "read creds");
	return value;
}

static int
creds_check(const struct creds *c, struct error *e)
{
	cJSON		*claims;
	const char	*sub;
	int		 rc = 0;

	if (c->key.kind != NKEY_USER)
		return error_set(e, EX_DATAERR, "the seed is not a user's");
	if ((claims = jwt_decode(c->jwt, e)) == NULL)
		return -1;
	sub = cJSON_GetStringValue(json_get(claims, "sub"));
	if (sub == NULL || strcmp(sub, c->key.public) != 0)
		rc = error_set(e, EX_DATAERR, "the seed is of %s, the JWT of "
		    "%s", c->key.public, sub == NULL ? "nobody" : sub);
	cJSON_Delete(claims);
	return rc;
}

/* Not asprintf: its growing buffer would leave copies of the seed. */
char *
creds_text(const struct creds *c)
{
	static const char	 fmt[] =
	    "-----BEGIN NATS USER JWT-----\n%s\n"
	    "------END NATS USER JWT------\n\n"
	    "************************* IMPORTANT "
	    "*************************\n"
	    "NKEY Seed printed below can be used sign and prove identity.\n"
	    "NKEYs are sensitive and should be treated as secrets.\n\n"
	    "-----BEGIN USER NKEY SEED-----\n%s\n"
	    "------END USER NKEY SEED------\n";
	size_t			 size;
	char			*text;

	size = sizeof(fmt) + strlen(c->jwt) + strlen(c->key.seed);
	if ((text = malloc(size)) != NULL)
		snprintf(text, size, fmt, c->jwt, c->key.seed);
	return text;
}

void
creds_text_free(char *text)
{
	file_wipe(text);
}

int
creds_save(const struct creds *c, const char *path, struct error *e)
{
	char	*text;
	int	 rc;

	if (c->jwt == NULL || c->key.seed[0] == '\0')
		return error_set(e, EX_SOFTWARE, "%s: creds without a %s",
		    path, c->jwt == NULL ? "JWT" : "seed");
	if (dir_make_parent(path, 0700, e) == -1)
		return -1;
	if ((text = creds_text(c)) == NULL)
		return error_errno(e, EX_OSERR, "write %s", path);
	rc = file_write_private(path, text, 0600, e);
	creds_text_free(text);
	return rc;
}

void
creds_wipe(struct creds *c)
{
	nkey_wipe(&c->key);
	free(c->jwt);
	c->jwt = NULL;
}
