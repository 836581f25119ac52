/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "bus.h"
#include "bus_msg.h"

#define BURST		512
#define BURST_BYTES	(256 * 1024)
/* Heartbeats come to an idle role: not a wake-up for each. */
#define REST		64
#define REST_BYTES	(16 * 1024)

static _Thread_local struct {
	natsMsg		*v[BURST];
	size_t		 n, bytes;
} burst;

void
bus_msg_flush(void)
{
	size_t	i;

	for (i = 0; i < burst.n; i++)
		natsMsg_Destroy(burst.v[i]);
	burst.n = burst.bytes = 0;
}

void
bus_msg_rest(void)
{
	if (burst.n >= REST || burst.bytes >= REST_BYTES)
		bus_msg_flush();
}

void
bus_msg_free(natsMsg *m)
{
	if (m == NULL)
		return;
	burst.v[burst.n++] = m;
	burst.bytes += (size_t)natsMsg_GetDataLength(m);
	if (burst.n == BURST || burst.bytes >= BURST_BYTES)
		bus_msg_flush();
}

natsMsg *
bus_msg_copy(natsMsg *m)
{
	natsMsg		*copy = NULL;
	const char	**keys = NULL;
	const char	*value;
	int		 i, n = 0;

	if (natsMsg_Create(&copy, natsMsg_GetSubject(m), natsMsg_GetReply(m),
	    natsMsg_GetData(m), natsMsg_GetDataLength(m)) != NATS_OK)
		return NULL;
	if (natsMsgHeader_Keys(m, &keys, &n) == NATS_OK) {
		for (i = 0; i < n; i++)
			if (natsMsgHeader_Get(m, keys[i], &value) == NATS_OK)
				(void)natsMsgHeader_Set(copy, keys[i], value);
		free(keys);
	}
	return copy;
}

natsMsg *
bus_msg_no_responders(const char *subject)
{
	natsMsg	*m = NULL;

	if (natsMsg_Create(&m, subject, NULL, NULL, 0) != NATS_OK)
		return NULL;
	if (natsMsgHeader_Set(m, "Status", "503") == NATS_OK)
		return m;
	natsMsg_Destroy(m);
	return NULL;
}

const char *
bus_header(natsMsg *m, const char *name)
{
	const char	*v = NULL;

	return natsMsgHeader_Get(m, name, &v) == NATS_OK ? v : NULL;
}

int
bus_status(natsMsg *m)
{
	const char	*v;

	if (natsMsg_GetDataLength(m) > 0 ||
	    (v = bus_header(m, "Status")) == NULL)
		return 0;
	return atoi(v);
}
