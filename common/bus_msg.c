/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "bus.h"
#include "bus_msg.h"

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
