/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "jetstream.h"
#include "vectors.h"

/* --- acknowledgements: as both servers write them, and what is none ------ */

static const struct {
	const char	*text;
	int		 rc;
	uint64_t	 seq;
	bool		 duplicate;
	int		 api;
} acks[] = {
	{ "{\"stream\":\"DLV_s\", \"seq\":7}", 0, 7, false, 0 },
	{ "{\"stream\":\"DLV_s\",\"seq\":7}", 0, 7, false, 0 },
	{ "{\"stream\":\"DLV_s\", \"seq\":9007199254740992}", 0,
	    9007199254740992ULL, false, 0 },
	{ "{\"stream\":\"DLV_s\", \"seq\":7,\"duplicate\": true}", 0, 7, true,
	    0 },
	{ "{\"stream\":\"DLV_s\", \"domain\":\"d\", \"seq\":7}", 0, 7, false,
	    0 },
	{ "{\"seq\":7,\"stream\":\"DLV_s\"}", 0, 7, false, 0 },
	{ "{\"error\":{\"code\":503,\"err_code\":10077,"
	    "\"description\":\"maximum bytes exceeded\"},"
	    "\"stream\":\"DLV_s\",\"seq\":0}", -1, 0, false, 10077 },
	{ "{\"stream\":\"DLV_s\", \"seq\":0}", -1, 0, false, 0 },
	{ "{\"stream\":\"DLV_s\", \"seq\":-7}", -1, 0, false, 0 },
	{ "{\"stream\":\"DLV_s\", \"seq\":7", -1, 0, false, 0 },
	{ "{\"stream\":\"DLV_s\", \"seq\":7}}", -1, 0, false, 0 },
	{ "{\"stream\":\"DLV_s\", \"seq\":99999999999999999999999}", -1, 0,
	    false, 0 },
	{ "{\"stream\":\"DLV_s\", ", -1, 0, false, 0 },
	{ "{\"stream\":\"", -1, 0, false, 0 },
	{ "{\"stream\":\"DLV_s", -1, 0, false, 0 },
	{ "{\"stream\":\"DLV_s\"", -1, 0, false, 0 },
	{ "", -1, 0, false, 0 },
	{ "+OK", -1, 0, false, 0 },
};

START_TEST(acknowledgements)
{
	const char	*text = acks[_i].text;
	struct error	 e = { .code = 0 };
	natsMsg		*m;
	uint64_t	 seq = 0;
	bool		 duplicate = false;

	/* Its collector is what destroys messages. */
	ck_assert_int_eq(nats_Open(-1), NATS_OK);
	ck_assert_int_eq(natsMsg_Create(&m, "reply", NULL, text,
	    (int)strlen(text)), NATS_OK);
	ck_assert_int_eq(js_ack_parse(m, &seq, &duplicate, &e), acks[_i].rc);
	if (acks[_i].rc == 0) {
		ck_assert_uint_eq(seq, acks[_i].seq);
		ck_assert(duplicate == acks[_i].duplicate);
	} else
		ck_assert_int_eq(e.api, acks[_i].api);
	natsMsg_Destroy(m);
	nats_Close();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("jetstream");
	TCase	*t = tcase_create("jetstream");

	tcase_add_loop_test(t, acknowledgements, 0,
	    sizeof(acks) / sizeof(acks[0]));
	suite_add_tcase(s, t);
	return vectors_run(s);
}
