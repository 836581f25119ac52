/* SPDX-License-Identifier: ISC */

/* The command on a state directory: init, status, roles, refusals. */
#include <sys/stat.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "files.h"
#include "json.h"
#include "space.h"
#include "supervised.h"

static char	out[65536];

static mode_t
mode_of(const char *file)
{
	char		path[400];
	struct stat	st;

	snprintf(path, sizeof(path), "%s/%s", sp->state, file);
	ck_assert_msg(stat(path, &st) == 0, "%s", path);
	return st.st_mode & 07777;
}

static void
append(const char *file, const char *text)
{
	char	 path[400];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", sp->state, file);
	ck_assert((f = fopen(path, "a")) != NULL);
	fputs(text, f);
	fclose(f);
}

/* The exit code of a command that another user runs, by a copy of it. */
static int
as_nobody(const char *copy, const char *command)
{
	const char	*bin = getenv("REEVE_BINDIR");
	char		 cmd[900];
	int		 code;

	snprintf(cmd, sizeof(cmd), "cp %s/reeve %s && chmod 755 %s && exec "
	    "setpriv --reuid=65534 --regid=65534 --clear-groups %s --state %s"
	    " %s >/dev/null 2>&1", bin == NULL ? "." : bin, copy, copy, copy,
	    sp->state, command);
	code = system(cmd);
	ck_assert(WIFEXITED(code));
	return WEXITSTATUS(code);
}

/* --- init ---------------------------------------------------------------------- */

START_TEST(second_run_changes_nothing)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
	ck_assert_ptr_null(strstr(out, "made"));
	ck_assert_ptr_null(strstr(out, "wrote"));
}
END_TEST

START_TEST(what_is_missing_is_made_again)
{
	char	path[400];

	snprintf(path, sizeof(path), "%s/creds/fanout-0.creds", sp->state);
	ck_assert(unlink(path) == 0);
	snprintf(path, sizeof(path), "%s/service/reader/run", sp->state);
	ck_assert(unlink(path) == 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "made the credential of fanout"));
	ck_assert_ptr_nonnull(strstr(out, "service/reader/run"));
	ck_assert_ptr_null(strstr(out, "credential of reader"));
}
END_TEST

/* An earlier version's credential, of the same key with other grants. */
START_TEST(old_grants_are_renewed)
{
	struct scope	scope = { .space = "t", .shards = 1 };
	struct creds	c;
	char		path[400];
	struct error	e;

	snprintf(path, sizeof(path), "%s/creds/fanout-0.creds", sp->state);
	OK(creds_load(&c, path, &e), e);
	free(c.jwt);
	c.jwt = NULL;
	OK(trust_mint(&sp->trust, PROFILE_PROBE, &scope, 0, &c, &e), e);
	OK(creds_save(&c, path, &e), e);
	creds_wipe(&c);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "renewed the credential of "
	    "fanout"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
}
END_TEST

START_TEST(secrets_are_private)
{
	ck_assert_int_eq(mode_of("."), 0700);
	ck_assert_int_eq(mode_of("trust"), 0700);
	ck_assert_int_eq(mode_of("trust/auth.json"), 0600);
	ck_assert_int_eq(mode_of("creds"), 0700);
	ck_assert_int_eq(mode_of("creds/lease-0.creds"), 0600);
	ck_assert_int_eq(mode_of("broker/nats.conf"), 0600);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scout"), EX_OK);
	ck_assert_int_eq(mode_of("agents"), 0700);
	ck_assert_int_eq(mode_of("agents/scout.creds"), 0600);
}
END_TEST

START_TEST(other_settings_are_refused)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --space other"),
	    EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "--space differs"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --lease-ttl 5m"),
	    EX_CONFIG);
	ck_assert_int_eq(reeve(sp, out, sizeof(out),
	    "init --server nats://127.0.0.1:1"), EX_CONFIG);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --replicas 2"),
	    EX_USAGE);
}
END_TEST

/* What init would write and then not read again, it does not write. */
START_TEST(refused_settings_leave_nothing)
{
	static const char *const	bad[] = { "--server http://x",
					    "--dedup-window 10s",
					    "--lease-ttl 1s",
					    "--listen [::1]:4222",
					    "--listen 127.0.0.1:70000",
					    "--space a.b", "--replicas 4",
					    "--fanout-from bogus" };
	char				path[300];
	size_t				i;

	snprintf(path, sizeof(path), "%s/other", sp->dir);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(reeve(sp, out, sizeof(out),
		    "init --state %s %s", path, bad[i]), EX_USAGE);
		ck_assert_msg(access(path, F_OK) == -1, "%s", bad[i]);
	}
}
END_TEST

static bool
is_there(const char *file)
{
	char	path[400];

	snprintf(path, sizeof(path), "%s/%s", sp->state, file);
	return access(path, F_OK) == 0;
}

/* Nothing of agents is made before it is wished, and what a person wrote into
 * the settings stays. */
START_TEST(a_workspace_may_come_later)
{
	char	path[400], *text;

	ck_assert(!is_there("auth") && !is_there("service/signer") &&
	    !is_there("creds/manager.creds"));
	append("reeve.conf", "# mine");
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --workspace "
	    "%s/.", sp->dir), EX_OK);
	ck_assert_int_eq(mode_of("auth"), 0700);
	ck_assert_int_eq(mode_of("auth/signer.json"), 0600);
	ck_assert_int_eq(mode_of("creds/signer.creds"), 0600);
	ck_assert_int_eq(mode_of("creds/manager.creds"), 0600);
	ck_assert(is_there("service/signer/run"));
	snprintf(path, sizeof(path), "%s/reeve.conf", sp->state);
	ck_assert_ptr_nonnull(text = file_read(path, 65536, NULL, NULL));
	snprintf(path, sizeof(path), "# mine\nworkspace = %s\n", sp->dir);
	ck_assert_msg(strstr(text, path) != NULL, "%s", text);
	free(text);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --workspace %s",
	    sp->dir), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
	/* What the host's file leaves out of it stays. */
	snprintf(path, sizeof(path), "%s/host.conf", sp->dir);
	snprintf(out, sizeof(out), "space = t\nlisten = 127.0.0.1:%d\n",
	    sp->port);
	ck_assert_int_eq(file_write_private(path, out, 0644, NULL), 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --config %s",
	    path), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --workspace %s",
	    sp->dir), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "nothing to do"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --workspace /tmp"),
	    EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "--workspace differs"));
}
END_TEST

START_TEST(a_workspace_is_a_directory)
{
	static const char *const	bad[] = { "/nowhere/at/all",
					    "/dev/null", "''" };
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(reeve(sp, out, sizeof(out),
		    "init --workspace %s", bad[i]), EX_NOINPUT);
		ck_assert_ptr_nonnull(strstr(out, "--workspace"));
	}
	/* What would be read back as another. */
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --workspace "
	    "\"$(mkdir '%s/w ' && echo '%s')/w \"", sp->dir, sp->dir),
	    EX_USAGE);
	ck_assert_msg(strstr(out, "ends in a blank") != NULL, "%s", out);
	ck_assert(!is_there("auth"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --config x "
	    "--workspace /tmp"), EX_USAGE);
}
END_TEST

START_TEST(another_space_s_trust_is_refused)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/other", sp->dir);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --state %s "
	    "--space wrong --server nats://127.0.0.1:%d --import-trust "
	    "%s/trust/auth.json", path, sp->port, sp->state), EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "give --space t"));
}
END_TEST

/* Whatever makes a first init impossible is found before it writes: the next
 * one, with other options, is as good as the first. */
START_TEST(a_first_init_that_fails_leaves_nothing)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/other", sp->dir);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --state %s "
	    "--listen 127.0.0.1:%d", path, sp->port), EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(out, "something listens on"));
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --state %s "
	    "--listen 192.0.2.1:%d", path, sp->port), EX_UNAVAILABLE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --state %s "
	    "--server nats://127.0.0.1:%d --import-trust %s/trust/auth.json "
	    "--space wrong", path, sp->port, sp->state), EX_CONFIG);
	ck_assert_int_eq(access(path, F_OK), -1);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --state %s "
	    "--listen 127.0.0.1:%d --space late", path, free_port()), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "space late is set up"));
	/* Where it was made, the port is its own. */
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
}
END_TEST

START_TEST(a_broker_that_is_not_there)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/other", sp->dir);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --state %s "
	    "--server nats://127.0.0.1:1", path), EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(out, "no broker answers"));
}
END_TEST

/* One server is no cluster, and one older than 2.9.22 no safe one. */
START_TEST(replicas_need_a_cluster)
{
	char	path[300];

	snprintf(path, sizeof(path), "%s/other", sp->dir);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --state %s "
	    "--listen 127.0.0.1:%d --replicas 3", path, sp->port),
	    EX_UNAVAILABLE);
	ck_assert_msg(strstr(out, "2.9.22 or newer") != NULL ||
	    strstr(out, "replicas > 1") != NULL, "%s", out);
}
END_TEST

START_TEST(bad_files_are_named)
{
	append("reeve.conf", "colour = blue\n");
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status"), EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "reeve.conf:8: unknown key "
	    "\"colour\""));
}
END_TEST

START_TEST(readable_secrets_are_refused)
{
	char	path[400];

	snprintf(path, sizeof(path), "%s/trust/auth.json", sp->state);
	ck_assert(chmod(path, 0644) == 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scout"),
	    EX_NOPERM);
	ck_assert_ptr_nonnull(strstr(out, "chmod 600"));
}
END_TEST

/* Channels are arguments or options, as one likes. */
START_TEST(a_channel_is_an_argument_or_an_option)
{
	static const char *const	good[] = {
		"join --as scout --channel general",
		"join --as scout general --channel review",
		"join --as scout --channel general,review",
		"leave --as scout --channel general,review",
		"history general", "history --channel general",
		"channels set general --class durable",
		"channels set --channel general --class durable",
		"listen --as scout --count 1 --for 1s review --live-only",
	};
	static const char *const	bad[] = {
		"join --as scout", "join --as scout ''",
		"join --as scout --channel ''", "join --as scout general a..b",
		"leave --as scout", "leave --as scout 'review.>'",
		"history", "history general --channel review",
		"history a..b", "listen --as scout a..b",
		"listen --as scout --channel ''", "channels set --class live",
		"channels set general --channel review --class live",
		"channels --class live", "channels list general",
		"channels --channel general", "channels nonsense general",
	};
	size_t				i;

	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scout "
	    "--allow-subscribe general,review"), EX_OK);
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(reeve(sp, out, sizeof(out), "%s", good[i]) ==
		    (strncmp(good[i], "listen", 6) == 0 ? EX_TEMPFAIL :
		    EX_OK), "%s: %s", good[i], out);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(reeve(sp, out, sizeof(out), "%s", bad[i]) ==
		    EX_USAGE, "%s: %s", bad[i], out);
	/* What names one that is none does nothing to the others. */
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "memberships --as scout "
	    "--json"), EX_OK);
	ck_assert_str_eq(out, "[]\n");
}
END_TEST

/* Another user's is not the same as none. */
START_TEST(another_user_s_state_is_not_permitted)
{
	char	self[400];

	if (geteuid() != 0)
		return;
	snprintf(self, sizeof(self), "%s/reeve", sp->dir);
	ck_assert(chmod(sp->dir, 0755) == 0);
	ck_assert_int_eq(as_nobody(self, "help"), EX_OK);
	ck_assert_int_eq(as_nobody(self, "status"), EX_NOPERM);
	ck_assert_int_eq(as_nobody(self, "history general"), EX_NOPERM);
}
END_TEST

START_TEST(no_state_says_how_to_make_one)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out),
	    "status --state %s/nowhere", sp->dir), EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(out, "reeve init --state"));
}
END_TEST

/* --- the command line ------------------------------------------------------------- */

START_TEST(usage_is_64)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "nonsense"), EX_USAGE);
	ck_assert_ptr_nonnull(strstr(out, "no command \"nonsense\""));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status --nonsense"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status extra"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard a/b"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out),
	    "init --lease-ttl soon"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "help nonsense"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "help init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "--lease-ttl"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "--version"), EX_OK);
}
END_TEST

/* What stands before the command is as good behind it. */
/* What is quoted may be somebody else's: it does nothing to a terminal. */
START_TEST(an_error_is_text)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --space "
	    "\"$(printf 'a\\033[2J\\302\\233b')\""), EX_USAGE);
	ck_assert_msg(strstr(out, "a [2J b") != NULL &&
	    strpbrk(out, "\033\302\233") == NULL, "%s", out);
}
END_TEST

START_TEST(options_before_the_command)
{
	char	path[200];

	snprintf(path, sizeof(path), "%s", sp->state);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "--state %s help",
	    path), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "--json --state=%s "
	    "status", path), EX_UNAVAILABLE);
	ck_assert_msg(out[0] == '{', "%s", out);
	/* An unset variable must not mean the default's state. */
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status --state ''"),
	    EX_USAGE);
	ck_assert_ptr_nonnull(strstr(out, "expected a directory"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "--state '' status"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "--state= status"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "--state"), EX_USAGE);
	ck_assert_ptr_nonnull(strstr(out, "expected a directory"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "--state %s", path),
	    EX_USAGE);
	ck_assert_ptr_nonnull(strstr(out, "usage: reeve COMMAND"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status -x"), EX_USAGE);
	ck_assert_ptr_nonnull(strstr(out, "reeve status: "));
}
END_TEST

/* The exit code of a command into a pipe whose reader has gone before its
 * first word; it says nothing of that. */
static int
into_closed_pipe(const char *command)
{
	char		 cmd[900], said[300], *text;
	const char	*bin = getenv("REEVE_BINDIR");
	int		 p[2], code;

	snprintf(said, sizeof(said), "%s/said", sp->dir);
	ck_assert(pipe(p) == 0);
	close(p[0]);
	snprintf(cmd, sizeof(cmd), "exec %s/reeve --state %s %s >&%d 2>%s",
	    bin == NULL ? "." : bin, sp->state, command, p[1], said);
	code = system(cmd);
	close(p[1]);
	ck_assert_ptr_nonnull(text = file_read(said, 4096, NULL, NULL));
	ck_assert_msg(text[0] == '\0', "%s: %s", command, text);
	free(text);
	ck_assert(WIFEXITED(code));
	return WEXITSTATUS(code);
}

/* To whoever reads it it is the end; to a full disk it is a failure. */
START_TEST(output_that_cannot_be_written)
{
	static const char *const	commands[] = { "help", "status",
					    "channels", "roster --json",
					    "dead list", "history general" };
	size_t				i;

	ck_assert_int_eq(reeve(sp, out, sizeof(out), "onboard scribe "
	    "--allow-publish general"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "send --as scribe "
	    "--channel general word"), EX_OK);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		ck_assert_msg(reeve(sp, out, sizeof(out), "%s >/dev/full",
		    commands[i]) == EX_IOERR, "%s", commands[i]);
		ck_assert_str_eq(out, "reeve: cannot write to standard "
		    "output\n");
		ck_assert_int_eq(into_closed_pipe(commands[i]), EX_IOERR);
	}
}
END_TEST

START_TEST(letters_are_numbers)
{
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead drop 1 x"),
	    EX_USAGE);
	ck_assert_ptr_null(strstr(out, "dropped"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead drop all 1"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead drop 0"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead drop"), EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead list 1"),
	    EX_USAGE);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead drop 1"),
	    EX_DATAERR);
	ck_assert_ptr_nonnull(strstr(out, "letter 1: there is none"));
}
END_TEST

/* What somebody wrote into a letter does not stretch the table. */
START_TEST(a_long_owner_is_cut_in_the_table)
{
	char	letter[1024], owner[301], *line, *end;

	memset(owner, 'x', 300);
	owner[300] = '\0';
	snprintf(letter, sizeof(letter), "{\"reason\":\"why\",\"owner\":"
	    "\"%s\",\"deliveries\":1,\"ts\":1}", owner);
	raw_store(sp, "cotal.t.reeve.dead.0.reader", "l1", letter);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead list --json"),
	    EX_OK);
	ck_assert_ptr_nonnull(strstr(out, owner));
	/* UTF-8 is not cut within a character. */
	snprintf(letter, sizeof(letter), "{\"reason\":\"because\",\"owner\":"
	    "\"%.52s\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
	    "yyyy\",\"deliveries\":1,\"ts\":1}", owner);
	raw_store(sp, "cotal.t.reeve.dead.0.reader", "l2", letter);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "dead list"), EX_OK);
	owner[53] = '\0';
	for (line = out; (end = strchr(line, '\n')) != NULL; line = end + 1)
		ck_assert_msg(end - line < 110, "%.*s", (int)(end - line),
		    line);
	ck_assert_ptr_nonnull(strstr(out, owner));
	ck_assert_ptr_nonnull(strstr(out, "xxx...  why"));
	ck_assert_ptr_nonnull(strstr(out, "xxx\xe2\x82\xac...  because"));
}
END_TEST

START_TEST(a_host_that_runs_is_not_renamed)
{
	char	path[400], kept[420];

	snprintf(path, sizeof(path), "%s/host-id", sp->state);
	snprintf(kept, sizeof(kept), "%s.kept", path);
	ck_assert(rename(path, kept) == 0);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_TEMPFAIL);
	ck_assert_ptr_nonnull(strstr(out, "host-id is missing"));
	ck_assert(access(path, F_OK) == -1);
	space_stop(sp);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "named this host"));
	ck_assert(access(path, F_OK) == 0);
}
END_TEST

/* --- roles ----------------------------------------------------------------------------- */

START_TEST(status_shows_roles_shards_streams)
{
	const cJSON	*roles, *shard;
	cJSON		*o;
	struct error	 e;

	AWAIT(role_is_ready(sp, "fanout"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status --json"), EX_OK);
	o = json_parse(out, strlen(out), &e);
	ck_assert_msg(o != NULL, "%s: %s", e.text, out);
	roles = json_get(o, "roles");
	ck_assert_int_eq(cJSON_GetArraySize(roles), 5);
	shard = cJSON_GetArrayItem(json_get(o, "shards"), 0);
	ck_assert(cJSON_IsTrue(json_get(shard, "ready")));
	ck_assert(cJSON_IsTrue(json_get(shard, "here")));
	ck_assert_int_eq(cJSON_GetArraySize(json_get(o, "streams")), 6);
	cJSON_Delete(o);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "fanout"));
	ck_assert_ptr_nonnull(strstr(out, "this host"));
	broker_down(sp);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status"),
	    EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(out, "broker cannot be asked"));
}
END_TEST

/* Beside what runs, which goes on. */
START_TEST(a_workspace_adds_to_what_runs)
{
	pid_t	fanout = role_pid(sp, "fanout");

	ck_assert_int_eq(reeve(sp, out, sizeof(out), "init --workspace %s",
	    sp->dir), EX_OK);
	AWAIT(role_is_ready(sp, "signer"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "signer"));
	ck_assert_int_eq(role_pid(sp, "fanout"), fanout);
}
END_TEST

START_TEST(roles_stop_start_restart)
{
	pid_t	pid = role_pid(sp, "reader");

	ck_assert_int_eq(reeve(sp, out, sizeof(out), "restart reader"),
	    EX_OK);
	ck_assert_int_ne(role_pid(sp, "reader"), pid);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "stop reader"), EX_OK);
	/* Its files are written one after the other. */
	AWAIT(role_pid(sp, "reader") == 0);
	AWAIT(!lease_ready(sp));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "start reader"), EX_OK);
	if (supervised_by() == BY_RUNIT)	/* which waits for none */
		AWAIT(role_is_ready(sp, "reader"));
	ck_assert(role_is_ready(sp, "reader"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "stop reader"), EX_OK);
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "restart reader"),
	    EX_OK);
	AWAIT(lease_ready(sp));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "restart nobody"),
	    EX_NOINPUT);
}
END_TEST

START_TEST(down_stops_everything_in_order)
{
	pid_t	broker = role_pid(sp, "broker");

	if (!supervised_by_reeved("reeve down is for reeved"))
		return;
	bus_close(sp->root);
	sp->root = NULL;
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "down"), EX_OK);
	AWAIT(kill(broker, 0) == -1);
	ck_assert(logged(sp, "lease released"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "down"), EX_OK);
	ck_assert_ptr_nonnull(strstr(out, "does not run"));
	/* What nobody runs is in no state since any time. */
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "status"),
	    EX_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(out, "reader   unsupervised  -      -"));
	ck_assert_int_eq(reeve(sp, out, sizeof(out), "restart reader"),
	    EX_UNAVAILABLE);
}
END_TEST

START_TEST(a_role_is_single_on_its_host)
{
	char	cmd[900];
	int	code;

	snprintf(cmd, sizeof(cmd), "%s/reeve-fanout --state %s >/dev/null "
	    "2>&1", getenv("REEVE_BINDIR") ? getenv("REEVE_BINDIR") : ".",
	    sp->state);
	code = system(cmd);
	ck_assert_int_eq(WEXITSTATUS(code), EX_TEMPFAIL);
}
END_TEST

/* No seed in argv or in an environment, of any process of the space. */
START_TEST(no_secret_in_argv_or_environment)
{
	static const char *const	roles[] = { "broker", "lease",
					    "fanout", "reader", "control" };
	static const char *const	files[] = { "cmdline", "environ" };
	char				path[64], *text;
	size_t				i, k, n, len;

	for (i = 0; i < 5; i++)
		for (k = 0; k < 2; k++) {
			snprintf(path, sizeof(path), "/proc/%d/%s",
			    (int)role_pid(sp, roles[i]), files[k]);
			text = file_read(path, 1024 * 1024, &len, NULL);
			ck_assert_ptr_nonnull(text);
			for (n = 0; n + 3 < len; n++)
				ck_assert_msg(memcmp(text + n, "SUA", 3) != 0
				    && memcmp(text + n, "SAA", 3) != 0 &&
				    memcmp(text + n, "SOA", 3) != 0, "%s",
				    path);
			free(text);
		}
}
END_TEST

int
main(void)
{
	TCase	*idle = test_case("init", space_setup_idle, 60);
	TCase	*up = test_case("running", space_setup, 60);

	tcase_add_test(idle, second_run_changes_nothing);
	tcase_add_test(idle, what_is_missing_is_made_again);
	tcase_add_test(idle, old_grants_are_renewed);
	tcase_add_test(idle, other_settings_are_refused);
	tcase_add_test(idle, refused_settings_leave_nothing);
	tcase_add_test(idle, a_workspace_may_come_later);
	tcase_add_test(idle, a_workspace_is_a_directory);
	tcase_add_test(idle, an_error_is_text);
	tcase_add_test(idle, another_space_s_trust_is_refused);
	tcase_add_test(idle, a_broker_that_is_not_there);
	tcase_add_test(idle, replicas_need_a_cluster);
	tcase_add_test(idle, bad_files_are_named);
	tcase_add_test(idle, readable_secrets_are_refused);
	tcase_add_test(idle, another_user_s_state_is_not_permitted);
	tcase_add_test(idle, no_state_says_how_to_make_one);
	tcase_add_test(idle, usage_is_64);
	tcase_add_test(idle, options_before_the_command);
	tcase_add_test(up, a_first_init_that_fails_leaves_nothing);
	tcase_add_test(up, output_that_cannot_be_written);
	tcase_add_test(up, letters_are_numbers);
	tcase_add_test(up, a_long_owner_is_cut_in_the_table);
	tcase_add_test(up, secrets_are_private);
	tcase_add_test(up, a_channel_is_an_argument_or_an_option);
	tcase_add_test(up, a_host_that_runs_is_not_renamed);
	tcase_add_test(up, status_shows_roles_shards_streams);
	tcase_add_test(up, a_workspace_adds_to_what_runs);
	tcase_add_test(up, roles_stop_start_restart);
	tcase_add_test(up, down_stops_everything_in_order);
	tcase_add_test(up, a_role_is_single_on_its_host);
	tcase_add_test(up, no_secret_in_argv_or_environment);
	return test_main("init", idle, up, NULL);
}
