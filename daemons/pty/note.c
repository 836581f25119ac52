/* SPDX-License-Identifier: ISC */

/* The files that say how a terminal is, and its state message. */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "files.h"
#include "json.h"
#include "log.h"
#include "pty_impl.h"
#include "tree.h"

#define NOTE_MAX	(1024 * 1024)
#define LOST_MS		3000	/* from SIGTERM to SIGKILL */

static char *
path_of(const struct pty *p, const char *name)
{
	char	*path;

	if (asprintf(&path, "%s/%s", p->dir, name) == -1)
		fatal_memory();
	return path;
}

static cJSON *
read_note(const struct pty *p, const char *name, struct error *e)
{
	char	*path = path_of(p, name), *text;
	cJSON	*o = NULL;
	size_t	 len;

	if ((text = file_read(path, NOTE_MAX, &len, e)) != NULL &&
	    (o = json_parse(text, len, e)) == NULL)
		error_wrap(e, "%s", path);
	free(text);
	free(path);
	return o;
}

static void
write_note(const struct pty *p, const char *name, cJSON *o)
{
	char		*path = path_of(p, name);
	char		*text = o == NULL ? NULL : json_print(o);
	struct error	 e;

	cJSON_Delete(o);
	if (text == NULL)
		fatal_memory();
	if (file_write_private(path, text, 0600, &e) == -1)
		log_warn("cannot write", "error=%s", log_str(e.text));
	free(text);
	free(path);
}

static void
remove_note(const struct pty *p, const char *name)
{
	char	*path = path_of(p, name);

	if (unlink(path) == -1 && errno != ENOENT)
		log_warn("cannot remove", "path=%s error=%s", log_str(path),
		    log_str(strerror(errno)));
	free(path);
}

int
note_id(struct pty *p, struct error *e)
{
	cJSON		*o = read_note(p, "agent.json", e);
	const cJSON	*id = json_get(o, "id");
	const cJSON	*runtime = json_get(o, "agent");
	int		 r = 0;

	if (o == NULL)
		return -1;
	if (!cJSON_IsString(id) || !name_is_id(id->valuestring))
		r = error_set(e, EX_DATAERR, "%s/agent.json: id: expected "
		    "the agent's", p->dir);
	else
		snprintf(p->id, sizeof(p->id), "%s", id->valuestring);
	snprintf(p->identity, sizeof(p->identity), "%s-%s",
	    cJSON_IsString(runtime) ? runtime->valuestring : "agent",
	    p->agent);
	cJSON_Delete(o);
	return r;
}

/* --- how it ended ---------------------------------------------------------------- */

void
note_end(const struct child *c, cJSON *o)
{
	if (c->ended && WIFSIGNALED(c->status))
		cJSON_AddNumberToObject(o, "signal", WTERMSIG(c->status));
	else if (c->ended)
		cJSON_AddNumberToObject(o, "exit", WEXITSTATUS(c->status));
}

/* A number of a note; 0 when there is none. */
static unsigned
number(const cJSON *o, const char *name)
{
	const cJSON	*v = json_get(o, name);

	return cJSON_IsNumber(v) && v->valuedouble >= 0 &&
	    v->valuedouble < 1e9 ? (unsigned)v->valuedouble : 0;
}

/* Its terminal went with who had it, and the SIGHUP of that is not for all. */
static void
end_lost(const cJSON *ran)
{
	const cJSON	*control = json_get(ran, "control");
	const cJSON	*started = json_get(ran, "started");
	char		*variable = NULL;
	size_t		 n;

	if (cJSON_IsString(control) && control->valuestring[0] != '\0' &&
	    asprintf(&variable, "COTAL_CONTROL_SOCKET=%s",
	    control->valuestring) == -1)
		fatal_memory();
	n = tree_end_lost((pid_t)number(ran, "pid"), cJSON_IsNumber(started) ?
	    (uint64_t)started->valuedouble : 0, variable, LOST_MS);
	log_warn("the child was lost", "pid=%u starts=%u ended=%zu",
	    number(ran, "pid"), number(ran, "starts"), n);
	free(variable);
	if (cJSON_IsString(control) && control->valuestring[0] == '/')
		control_end(strdup(control->valuestring));
}

void
note_resume(struct pty *p)
{
	struct child	*c = &p->child;
	cJSON		*ended = read_note(p, "exit.json", NULL);
	cJSON		*ran = read_note(p, "run.json", NULL);

	c->ended = ended != NULL || ran != NULL;
	if (ended != NULL) {
		c->starts = number(ended, "starts");
		c->status = json_get(ended, "signal") != NULL ?
		    (int)number(ended, "signal") :
		    W_EXITCODE((int)number(ended, "exit"), 0);
		c->state = CHILD_OVER;
	} else if (ran != NULL) {
		end_lost(ran);
		c->starts = number(ran, "starts");
		c->status = SIGHUP;
		if (p->plan.policy == LAUNCH_NEVER) {
			c->state = CHILD_OVER;
			note_write(p);
		}
	}
	cJSON_Delete(ended);
	cJSON_Delete(ran);
}

/* What the screen showed at the end, for `reeve logs`. */
static void
write_screen(struct pty *p)
{
	struct bytes	 text = { .p = NULL };
	char		*path = path_of(p, "screen.txt");
	struct error	 e;

	screen_text(p->screen, -1, &text);
	bytes_add(&text, "", 1);
	if (text.failed)
		fatal_memory();
	if (file_write_private(path, text.p, 0600, &e) == -1)
		log_warn("cannot write", "error=%s", log_str(e.text));
	bytes_free(&text);
	free(path);
}

void
note_write(struct pty *p)
{
	const struct child	*c = &p->child;
	cJSON			*o = cJSON_CreateObject();

	if (c->state == CHILD_RUNNING) {
		cJSON_AddNumberToObject(o, "pid", c->pid);
		cJSON_AddNumberToObject(o, "starts", c->starts);
		json_set_u64(o, "started", tree_started(c->pid));
		json_set_str(o, "control", c->control != NULL ? c->control :
		    "");
		write_note(p, "run.json", o);
		return;
	}
	if (c->state != CHILD_OVER) {
		cJSON_Delete(o);
		return;
	}
	write_screen(p);
	if (p->stop)
		cJSON_Delete(o);
	else {
		note_end(c, o);
		json_set_i64(o, "at_ms", clock_epoch_ms());
		cJSON_AddNumberToObject(o, "starts", c->starts);
		write_note(p, "exit.json", o);
	}
	remove_note(p, "run.json");
}

/* --- the state message -------------------------------------------------------------- */

void
note_say(struct pty *p)
{
	const struct child	*c = &p->child;
	char			 subject[SUBJECT_MAX], *body;
	struct bus_pub		 pub = { .subject = subject };
	cJSON			*o, *end;

	p->said_ms = clock_ms();
	p->changed = false;
	if (p->link.bus == NULL || subject_pty(subject, sizeof(subject),
	    p->config.space, p->id, "state", NULL) == -1)
		return;
	o = cJSON_CreateObject();
	cJSON_AddStringToObject(o, "name", p->agent);
	cJSON_AddNumberToObject(o, "pid", c->pid);
	cJSON_AddBoolToObject(o, "up", c->pid != 0);
	cJSON_AddBoolToObject(o, "over", c->state == CHILD_OVER);
	cJSON_AddNumberToObject(o, "starts", c->starts);
	json_set_i64(o, "up_ms", c->pid != 0 ? clock_ms() - c->started_ms :
	    0);
	if (c->ended && (end = cJSON_AddObjectToObject(o, "exit")) != NULL)
		note_end(c, end);
	cJSON_AddNumberToObject(o, "attachers", (double)p->attach.n);
	cJSON_AddNumberToObject(o, "cols", c->cols);
	cJSON_AddNumberToObject(o, "rows", c->rows);
	body = json_print(o);
	cJSON_Delete(o);
	if (body == NULL)
		fatal_memory();
	pub.data = body;
	pub.len = strlen(body);
	(void)bus_publish(p->link.bus, &pub, NULL);
	free(body);
}
