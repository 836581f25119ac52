/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "keyboard.h"
#include "log.h"

static void
put(struct keyboard *k, char c)
{
	char	*p;
	size_t	 cap;

	if (k->len == k->cap && k->done > 0) {
		memmove(k->data, k->data + k->done, k->len - k->done);
		k->len -= k->done;
		k->done = 0;
	}
	if (k->len == k->cap) {
		cap = k->cap == 0 ? 4096 : k->cap * 2;
		if ((p = realloc(k->data, cap)) == NULL)
			fatal_memory();
		k->data = p;
		k->cap = cap;
	}
	k->data[k->len++] = c;
}

/* Follow where a paste begins and ends. */
static void
look(struct keyboard *k, char c)
{
	const char	*mark = k->pasting ? "\033[201~" : "\033[200~";

	if (c != mark[k->matched])
		k->matched = 0;		/* and perhaps begins anew: */
	if (c == mark[k->matched] && mark[++k->matched] == '\0') {
		k->pasting = !k->pasting;
		k->matched = 0;
	}
}

bool
keyboard_take(struct keyboard *k, const char *data, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++) {
		if (!k->pasting && !k->pressed && data[i] == KEYBOARD_KEY) {
			k->pressed = true;
			continue;
		}
		if (k->pressed && data[i] == 'd')
			return true;
		/* Not for us: then neither was the key. */
		if (k->pressed && data[i] != KEYBOARD_KEY)
			put(k, KEYBOARD_KEY);
		k->pressed = false;
		put(k, data[i]);
		look(k, data[i]);
	}
	return false;
}

size_t
keyboard_peek(const struct keyboard *k, const char **data)
{
	*data = k->data + k->done;
	return k->len - k->done;
}

void
keyboard_drop(struct keyboard *k, size_t n)
{
	k->done += n;
	if (k->done >= k->len)
		k->done = k->len = 0;
}

size_t
keyboard_waiting(const struct keyboard *k)
{
	return k->len - k->done;
}

void
keyboard_clear(struct keyboard *k)
{
	k->done = k->len = 0;
}

void
keyboard_free(struct keyboard *k)
{
	free(k->data);
	memset(k, 0, sizeof(*k));
}
