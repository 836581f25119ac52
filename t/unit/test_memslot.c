/* SPDX-License-Identifier: ISC */

/* The memory slot: what a declaration says, and what is run of it.  The
 * provider is a script that notes its arguments. */
#include <sys/stat.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "files.h"
#include "lifelog.h"
#include "memslot.h"

#define HEAD	"\"provider\":\"mem\",\"package\":\"@x/mem\"," \
		"\"version\":\"0.2.0\",\"registeredAt\":\"then\""

static char			dir[64], program[128], journal[128];
static struct config		config;
static struct memslot		slot;
static struct memslot_block	block;
static struct memslot_outcome	outcome;

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/reeve-memslot-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(program, sizeof(program), "%s/provider", dir);
	snprintf(journal, sizeof(journal), "%s/journal", dir);
	ck_assert_int_eq(config_init(&config, dir, NULL), 0);
	memset(&block, 0, sizeof(block));
	memset(&outcome, 0, sizeof(outcome));
	block.command = program;
}

static void
teardown(void)
{
	char	command[128];

	memslot_free(&slot);
	memslot_outcome_free(&outcome);
	strlist_free(&block.args);
	config_free(&config);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void
parse(const char *text)
{
	memslot_free(&slot);
	memslot_parse(&slot, text, strlen(text));
}

static void
put(const char *path, const char *text, mode_t mode)
{
	ck_assert_int_eq(file_write_private(path, text, mode, NULL), 0);
}

/* body NULL: it notes each argument on a line. */
static void
make_provider(const char *body)
{
	char	text[600];

	if (body == NULL)
		snprintf(text, sizeof(text), "#!/bin/sh\nprintf '%%s\\n' "
		    "\"$@\" >%s\n", journal);
	else
		snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	put(program, text, 0755);
}

static void
arg(const char *a)
{
	ck_assert(strlist_add(&block.args, a));
}

static void
run(const char *cwd, const char *runtime, enum memslot_occasion occasion,
    int64_t timeout_ms)
{
	struct memslot_job	j = { .block = &block, .cwd = cwd,
				    .runtime = runtime,
				    .personality = "tw-prov",
				    .occasion = occasion,
				    .timeout_ms = timeout_ms };

	memslot_outcome_free(&outcome);
	memslot_run(&config, &j, &outcome);
}

/* --- the declaration ------------------------------------------------------ */

START_TEST(what_is_declared)
{
	parse("{" HEAD ",\"heartbeat\":\" /x/beat \",\"plugin\":{\"name\":"
	    "\"p\",\"marketplace\":\"m\",\"marketplaceRef\":\"o/m\"},"
	    "\"provision\":{\"command\":\"/usr/bin/mem\",\"args\":"
	    "[\"provision-peer\",\"--cwd\",\"{cwd}\"]},"
	    "\"unprovision\":{\"command\":\"/usr/bin/mem\",\"args\":[]}}");
	ck_assert_str_eq(slot.provider, "mem");
	ck_assert_str_eq(slot.package, "@x/mem");
	ck_assert_str_eq(slot.version, "0.2.0");
	ck_assert_str_eq(slot.registered, "then");
	ck_assert_str_eq(slot.heartbeat, "/x/beat");
	ck_assert_str_eq(slot.plugin, "p");
	ck_assert_str_eq(slot.marketplace_ref, "o/m");
	ck_assert_str_eq(slot.provision.command, "/usr/bin/mem");
	ck_assert_uint_eq(slot.provision.args.n, 3);
	ck_assert_str_eq(slot.provision.args.v[2], "{cwd}");
	/* No arguments are as good as some. */
	ck_assert_str_eq(slot.unprovision.command, "/usr/bin/mem");
	ck_assert_uint_eq(slot.unprovision.args.n, 0);
	ck_assert(memslot_has_program(&slot));
}
END_TEST

START_TEST(what_is_lacking_makes_it_empty)
{
	static const char *const	bad[] = {
	    "", "nothing", "[]", "{}", "null",
	    "{\"provider\":\"mem\",\"package\":\"p\"}",
	    "{\"provider\":\"mem\",\"version\":\"1\"}",
	    "{\"package\":\"p\",\"version\":\"1\"}",
	    "{\"provider\":\"\",\"package\":\"p\",\"version\":\"1\"}",
	    "{\"provider\":\" \",\"package\":\"p\",\"version\":\"1\"}",
	    "{\"provider\":7,\"package\":\"p\",\"version\":\"1\"}" };
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		parse(bad[i]);
		ck_assert_msg(slot.provider == NULL, "%s", bad[i]);
		ck_assert(!memslot_has_program(&slot));
	}
	/* When is not needed. */
	parse("{\"provider\":\"mem\",\"package\":\"p\",\"version\":\"1\"}");
	ck_assert_str_eq(slot.registered, "");
}
END_TEST

START_TEST(a_bad_block_is_none_and_the_rest_stays)
{
	static const char *const	bad[] = {
	    "{\"command\":\"mem\",\"args\":[]}",
	    "{\"command\":\"/x/y\"}",
	    "{\"command\":\"/x/y\",\"args\":\"all\"}",
	    "{\"command\":\"/x/y\",\"args\":[\"ok\",42]}",
	    "{\"args\":[\"provision-peer\"]}", "\"provision-me\"", "null",
	    "[]", "7" };
	char				text[500];
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "{" HEAD ",\"provision\":%s,"
		    "\"unprovision\":{\"command\":\"/x/y\",\"args\":[]}}",
		    bad[i]);
		parse(text);
		ck_assert_ptr_nonnull(slot.provider);
		ck_assert_msg(slot.provision.command == NULL, "%s", bad[i]);
		ck_assert_uint_eq(slot.provision.args.n, 0);
		ck_assert_ptr_nonnull(slot.unprovision.command);
	}
	parse("{" HEAD ",\"plugin\":{\"name\":\"p\",\"marketplace\":\"m\"}}");
	ck_assert_ptr_nonnull(slot.provider);
	ck_assert_ptr_null(slot.plugin);
}
END_TEST

START_TEST(where_it_is_read)
{
	char	path[128];

	memslot_read(&slot, &config);
	ck_assert_ptr_null(slot.provider);
	snprintf(path, sizeof(path), "%s/memory-provider.json", dir);
	put(path, "{" HEAD "}", 0644);
	memslot_read(&slot, &config);
	ck_assert_str_eq(slot.provider, "mem");
	memslot_free(&slot);
	/* Another place, if the settings say so. */
	snprintf(path, sizeof(path), "%s/elsewhere", dir);
	ck_assert_ptr_nonnull(config.memory_slot = strdup(path));
	memslot_read(&slot, &config);
	ck_assert_ptr_null(slot.provider);
	put(path, "{\"provider\":\"other\",\"package\":\"p\",\"version\":"
	    "\"1\"}", 0644);
	memslot_read(&slot, &config);
	ck_assert_str_eq(slot.provider, "other");
	memslot_free(&slot);
	/* Nobody will ever write there. */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	memslot_read(&slot, &config);
	ck_assert_ptr_null(slot.provider);
}
END_TEST

START_TEST(the_heartbeats_age)
{
	char		text[400];
	struct utimbuf	then = { .actime = time(NULL) - 90,
			    .modtime = time(NULL) - 90 };
	long long	age;

	parse("{" HEAD "}");
	ck_assert_int_eq(memslot_heartbeat_age(&slot), -1);
	snprintf(text, sizeof(text), "{" HEAD ",\"heartbeat\":\"%s\"}",
	    journal);
	parse(text);
	ck_assert_int_eq(memslot_heartbeat_age(&slot), -1);
	put(journal, "", 0644);
	ck_assert_int_eq(utime(journal, &then), 0);
	age = memslot_heartbeat_age(&slot);
	ck_assert(age >= 90 && age < 120);
}
END_TEST

/* --- what is run --------------------------------------------------------------- */

START_TEST(arguments_are_filled_in_and_never_parsed)
{
	const char	*hostile = "$(reboot) `id` ; rm -rf /";
	char		*text;

	make_provider(NULL);
	arg("provision-peer");
	arg("--cwd");
	arg("{cwd}");
	arg("--runtime={runtime}");
	arg("--occasion");
	arg("{occasion}");
	arg("{personality}{personality}{nothing}{");
	arg(hostile);
	arg("");
	run("/tmp/some peer dir", "claude", MEMSLOT_BIRTH, 0);
	ck_assert_int_eq(outcome.end.state, EGRESS_OK);
	ck_assert_int_eq(outcome.end.exit, 0);
	ck_assert_str_eq(outcome.detail, "");
	ck_assert_ptr_nonnull(text = file_read(journal, 4096, NULL, NULL));
	ck_assert_str_eq(text, "provision-peer\n--cwd\n/tmp/some peer dir\n"
	    "--runtime=claude\n--occasion\nbirth\n"
	    "tw-provtw-prov{nothing}{\n$(reboot) `id` ; rm -rf /\n\n");
	free(text);
	ck_assert_uint_eq(outcome.argv.n, 10);
	ck_assert_str_eq(outcome.argv.v[0], program);
	ck_assert_str_eq(outcome.argv.v[8], hostile);
}
END_TEST

/* What a placeholder became is not looked at again. */
START_TEST(one_pass)
{
	struct memslot_job	j = { .cwd = "/srv/{runtime}/{occasion}",
				    .runtime = "{cwd}", .personality = "p",
				    .occasion = MEMSLOT_OFF_ALL };
	char			*s;

	ck_assert_ptr_nonnull(s = memslot_fill("{cwd}|{runtime}|{occasion}",
	    &j));
	ck_assert_str_eq(s, "/srv/{runtime}/{occasion}|{cwd}|off-all");
	free(s);
}
END_TEST

START_TEST(every_occasion_has_its_name)
{
	static const char *const	names[] = { "birth", "sweep-on",
					    "off-peer", "off-all", "remove" };
	char				line[40], *text;
	int				i;

	make_provider(NULL);
	arg("{occasion}");
	for (i = 0; i < 5; i++) {
		run("/x", "codex", (enum memslot_occasion)i, 0);
		ck_assert(memslot_went_well(&outcome));
		text = file_read(journal, 4096, NULL, NULL);
		snprintf(line, sizeof(line), "%s\n", names[i]);
		ck_assert_str_eq(text, line);
		free(text);
	}
}
END_TEST

START_TEST(another_code_than_0)
{
	make_provider("echo 'no such peer' >&2; exit 3");
	run("/x", "claude", MEMSLOT_OFF_PEER, 0);
	ck_assert_int_eq(outcome.end.state, EGRESS_FAILED);
	ck_assert_int_eq(outcome.end.exit, 3);
	ck_assert_str_eq(outcome.detail, "no such peer");
	ck_assert(!memslot_went_well(&outcome));
}
END_TEST

START_TEST(only_the_end_of_its_stderr)
{
	make_provider("i=0; while [ $i -lt 300 ]; do echo \"line $i\"; "
	    "i=$((i + 1)); done >&2; exit 1");
	run("/x", "claude", MEMSLOT_BIRTH, 0);
	ck_assert_uint_le(strlen(outcome.detail), EGRESS_TAIL);
	ck_assert_uint_ge(strlen(outcome.detail), EGRESS_TAIL - 4);
	ck_assert_ptr_nonnull(strstr(outcome.detail, "line 299"));
	ck_assert_ptr_null(strstr(outcome.detail, "line 1\n"));
}
END_TEST

START_TEST(a_time_out_hangs_nobody)
{
	make_provider("sleep 1000");
	run("/x", "claude", MEMSLOT_REMOVE, 200);
	ck_assert_int_eq(outcome.end.state, EGRESS_TIMEOUT);
	ck_assert_int_eq(outcome.end.exit, -1);
	ck_assert_int_lt(outcome.end.ms, 10000);
	ck_assert_str_eq(memslot_outcome_name(&outcome), "timeout");
}
END_TEST

START_TEST(what_is_no_program)
{
	run("/x", "claude", MEMSLOT_BIRTH, 0);
	ck_assert_int_eq(outcome.end.state, EGRESS_NOT_EXECUTABLE);
	ck_assert_int_eq(outcome.end.exit, -1);
	ck_assert_ptr_nonnull(strstr(outcome.detail, program));
	put(program, "#!/bin/sh\n", 0644);
	run("/x", "claude", MEMSLOT_BIRTH, 0);
	ck_assert_str_eq(memslot_outcome_name(&outcome), "not-executable");
}
END_TEST

START_TEST(it_has_no_input)
{
	make_provider("read -r x && exit 9; exit 0");
	run("/x", "claude", MEMSLOT_BIRTH, 5000);
	ck_assert_int_eq(outcome.end.state, EGRESS_OK);
}
END_TEST

START_TEST(each_run_is_a_line)
{
	char	path[128], value[600], *text, *second;

	make_provider("echo 'said \"so\"' >&2; exit 7");
	run("/x", "codex", MEMSLOT_SWEEP_ON, 0);
	unlink(program);
	run("/x", "codex", MEMSLOT_OFF_ALL, 0);
	snprintf(path, sizeof(path), "%s/log/lifecycle.log", dir);
	ck_assert_ptr_nonnull(text = file_read(path, 4096, NULL, NULL));
	ck_assert_ptr_nonnull(second = strchr(text, '\n'));
	*second++ = '\0';
	ck_assert_ptr_nonnull(strstr(text, " ev=memory-provision "
	    "identity=codex-tw-prov occasion=sweep-on state=failed exit=7 "
	    "ms="));
	ck_assert(lifelog_get(text, "detail", value, sizeof(value)));
	ck_assert_str_eq(value, "said \"so\"");
	ck_assert_ptr_nonnull(strstr(second, "occasion=off-all "
	    "state=not-executable ms="));
	free(text);
}
END_TEST

START_TEST(whom_it_is_for)
{
	ck_assert(memslot_is_agentic("claude") &&
	    memslot_is_agentic("codex"));
	ck_assert(!memslot_is_agentic("notifier") &&
	    !memslot_is_agentic("claude2"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("memslot");
	TCase	*t = tcase_create("memslot");
	SRunner	*sr = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_is_declared);
	tcase_add_test(t, what_is_lacking_makes_it_empty);
	tcase_add_test(t, a_bad_block_is_none_and_the_rest_stays);
	tcase_add_test(t, where_it_is_read);
	tcase_add_test(t, the_heartbeats_age);
	tcase_add_test(t, arguments_are_filled_in_and_never_parsed);
	tcase_add_test(t, one_pass);
	tcase_add_test(t, every_occasion_has_its_name);
	tcase_add_test(t, another_code_than_0);
	tcase_add_test(t, only_the_end_of_its_stderr);
	tcase_add_test(t, a_time_out_hangs_nobody);
	tcase_add_test(t, what_is_no_program);
	tcase_add_test(t, it_has_no_input);
	tcase_add_test(t, each_run_is_a_line);
	tcase_add_test(t, whom_it_is_for);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
