/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "record.h"
#include "records.h"
#include "utf8.h"

#define BASE64		sodium_base64_VARIANT_ORIGINAL

/* Is it an object or array that can stand inside another? */
static bool
is_nestable(const char *data, size_t len)
{
	cJSON	*o = json_parse_depth(data, len, JSON_DEPTH_MAX - 1, NULL);
	bool	 yes = cJSON_IsObject(o) || cJSON_IsArray(o);

	cJSON_Delete(o);
	return yes;
}

static bool
set_base64(cJSON *o, const char *data, size_t len)
{
	size_t	 size = sodium_base64_encoded_len(len, BASE64);
	char	*text = malloc(size);
	bool	 ok;

	if (text == NULL)
		return false;
	sodium_bin2base64(text, size, (const unsigned char *)data, len,
	    BASE64);
	ok = json_set_str(o, "entry64", text);
	free(text);
	return ok;
}

static bool
set_entry(cJSON *o, const struct dead_letter *d)
{
	char	*text;
	bool	 ok;

	if (memchr(d->entry, '\0', d->entry_len) != NULL ||
	    !utf8_is_valid(d->entry, d->entry_len))
		return set_base64(o, d->entry, d->entry_len);
	if ((text = strndup(d->entry, d->entry_len)) == NULL)
		return false;
	/* Raw, so that the bytes are the publisher's still. */
	if (is_nestable(text, d->entry_len))
		ok = json_set_item(o, "entry", cJSON_CreateRaw(text));
	else
		ok = json_set_str(o, "entry", text);
	free(text);
	return ok;
}

char *
dead_letter_write(const struct dead_letter *d)
{
	cJSON	*o = cJSON_CreateObject();

	return record_print(o, o != NULL &&
	    json_set_str(o, "reason", d->reason) &&
	    json_set_str(o, "subject", d->subject) &&
	    record_set_str(o, "owner", d->owner) &&
	    json_set_u64(o, "deliveries", d->deliveries) &&
	    json_set_i64(o, "ts", d->ts_ms) &&
	    (d->entry == NULL || set_entry(o, d)));
}
