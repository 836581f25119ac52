/* SPDX-License-Identifier: ISC */

/* reeve status: what runs, who holds the shards, what waits. */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "report.h"
#include "table.h"

static const char *
text(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static double
number(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static void
duration(char *buf, size_t size, double ms)
{
	long long	s = (long long)(ms < 0 ? 0 : ms / 1000);

	if (s < 60)
		snprintf(buf, size, "%llds", s);
	else if (s < 3600)
		snprintf(buf, size, "%lldm%02llds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%lldd%02lldh", s / 86400,
		    s / 3600 % 24);
}

static void
size_text(char *buf, size_t size, double bytes)
{
	static const char	*const units[] = { "B", "KB", "MB", "GB",
				    "TB" };
	int			 i = 0;

	for (; bytes >= 1024 && i < 4; i++)
		bytes /= 1024;
	snprintf(buf, size, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

static void
count_text(char *buf, size_t size, const cJSON *o, const char *name)
{
	if (json_get(o, name) == NULL)
		buf[0] = '\0';
	else
		snprintf(buf, size, "%.0f", number(o, name));
}

/* --- sections ---------------------------------------------------------------- */

static int
print_roles(const cJSON *report)
{
	struct table	 t;
	const cJSON	*r;
	char		 since[32], restarts[24], pid[24], state[320];
	const char	*reason;

	table_init(&t, 5, "ROLE", "STATE", "SINCE", "RESTARTS", "PID");
	cJSON_ArrayForEach(r, json_get(report, "roles")) {
		since[0] = pid[0] = '\0';
		if (number(r, "sinceMs") > 0)
			duration(since, sizeof(since),
			    (double)clock_epoch_ms() - number(r, "sinceMs"));
		count_text(restarts, sizeof(restarts), r, "restarts");
		if (number(r, "pid") > 0)
			count_text(pid, sizeof(pid), r, "pid");
		reason = text(r, "reason");
		snprintf(state, sizeof(state), "%s%s%s%s", text(r, "state"),
		    reason[0] == '\0' ? "" : " (", reason,
		    reason[0] == '\0' ? "" : ")");
		table_row(&t, text(r, "name"), state, since, restarts, pid);
	}
	return table_print(&t);
}

static int
print_shards(const cJSON *report)
{
	struct table	 t;
	const cJSON	*s;
	char		 shard[16], age[32];
	const char	*holder;

	table_init(&t, 4, "SHARD", "LEASE", "RENEWED", "READY");
	cJSON_ArrayForEach(s, json_get(report, "shards")) {
		count_text(shard, sizeof(shard), s, "shard");
		age[0] = '\0';
		if (json_get(s, "ageMs") != NULL)
			snprintf(age, sizeof(age), "%.1fs ago",
			    number(s, "ageMs") / 1000);
		holder = json_get(s, "holder") == NULL ? "nobody" :
		    cJSON_IsTrue(json_get(s, "here")) ? "this host" :
		    json_get(s, "host") != NULL ? text(s, "host") :
		    text(s, "holder");
		table_row(&t, shard, holder, age,
		    cJSON_IsTrue(json_get(s, "ready")) ? "yes" : "no");
	}
	return table_print(&t);
}

static void
print_change(const cJSON *report)
{
	if (json_get(report, "changingTo") != NULL)
		printf("the shards are being changed to %.0f: nothing is "
		    "delivered until `reeve reshard %.0f` has finished\n",
		    number(report, "changingTo"),
		    number(report, "changingTo"));
}

static int
print_streams(const cJSON *report)
{
	struct table	 t;
	const cJSON	*s;
	char		 messages[24], bytes[32], unread[24];

	table_init(&t, 4, "STREAM", "MESSAGES", "SIZE", "UNREAD");
	cJSON_ArrayForEach(s, json_get(report, "streams")) {
		count_text(messages, sizeof(messages), s, "messages");
		size_text(bytes, sizeof(bytes), number(s, "bytes"));
		count_text(unread, sizeof(unread), s, "unread");
		table_row(&t, text(s, "name"), messages, bytes, unread);
	}
	return table_print(&t);
}

static void
print_warnings(const cJSON *report)
{
	const cJSON	*b;

	cJSON_ArrayForEach(b, json_get(report, "backlogs"))
		printf("%s has %.0f unread messages; the oldest are dropped "
		    "beyond %.0f\n", json_get(b, "name") != NULL ?
		    text(b, "name") : text(b, "owner"), number(b, "unread"),
		    number(b, "cap"));
	if (number(report, "deadLetters") > 0)
		printf("%.0f dead letters: see `reeve dead list`\n",
		    number(report, "deadLetters"));
}

static int
print(const cJSON *report)
{
	printf("space %s in %s\n\n", text(report, "space"),
	    text(report, "state"));
	if (print_roles(report) != EX_OK)
		return EX_OSERR;
	if (strcmp(text(report, "broker"), "up") != 0) {
		printf("\nThe broker cannot be asked: %s\n",
		    text(report, "broker"));
		return EX_UNAVAILABLE;
	}
	printf("\n");
	if (print_shards(report) != EX_OK)
		return EX_OSERR;
	print_change(report);
	printf("\n");
	if (print_streams(report) != EX_OK)
		return EX_OSERR;
	if (number(report, "deadLetters") > 0 ||
	    cJSON_GetArraySize(json_get(report, "backlogs")) > 0)
		printf("\n");
	print_warnings(report);
	return EX_OK;
}

static int
run(struct cli *cli, void *opts, int argc, char **argv)
{
	struct error	 e;
	cJSON		*report;
	int		 code;

	(void)opts;
	(void)argc;
	(void)argv;
	if ((report = report_make(cli, &e)) == NULL)
		return cli_fail(&e);
	if (!cli->json)
		code = print(report);
	else if ((code = cli_print_json(report)) == EX_OK &&
	    strcmp(text(report, "broker"), "up") != 0)
		code = EX_UNAVAILABLE;
	cJSON_Delete(report);
	return code;
}

const struct command cmd_status = {
	.name = "status", .args = "",
	.summary = "show roles, shards, streams and what waits",
	.more = "Exits 0, or 69 when the broker cannot be asked.",
	.min_args = 0, .max_args = 0, .run = run };
