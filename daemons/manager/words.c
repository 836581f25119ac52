/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "words.h"

/* One word from *line to out, which has room for all of the line. */
static int
word(char *out, const char **line, struct error *e)
{
	const char	*s = *line;
	char		 quote = '\0';

	for (; *s != '\0' && (quote != '\0' || strchr(" \t\n", *s) == NULL);
	    s++) {
		if (quote != '\0' && *s == quote)
			quote = '\0';
		else if (quote == '\0' && (*s == '"' || *s == '\''))
			quote = *s;
		else if (*s == '\\' && (quote == '\0' || (quote == '"' &&
		    s[1] != '\0' && strchr("\\\"$`", s[1]) != NULL))) {
			if (*++s == '\0')
				return error_set(e, EX_DATAERR, "a backslash "
				    "at the end quotes nothing");
			*out++ = *s;
		} else
			*out++ = *s;
	}
	if (quote != '\0')
		return error_set(e, EX_DATAERR, "a %c is not closed", quote);
	*out = '\0';
	*line = s;
	return 0;
}

int
words_split(struct strlist *words, const char *line, struct error *e)
{
	char	*buf = malloc(strlen(line) + 1);
	int	 rc = 0;

	if (buf == NULL)
		return error_errno(e, EX_OSERR, "words");
	while (rc == 0 && *(line += strspn(line, " \t\n")) != '\0')
		if ((rc = word(buf, &line, e)) == 0 &&
		    !strlist_add(words, buf))
			rc = error_errno(e, EX_OSERR, "words");
	free(buf);
	return rc;
}
