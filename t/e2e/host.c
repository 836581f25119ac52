/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "json.h"

#define TOKEN	"0123456789abcdef0123456789abcdef"

static void
say(struct harness *h, const char *line)
{
	size_t	len = strlen(line);

	ck_assert_int_eq(write(h->in, line, len), (ssize_t)len);
}

static void
take(struct harness *h, const cJSON *o)
{
	const cJSON	*method = json_get(o, "method");
	const cJSON	*params = json_get(o, "params");

	if (!cJSON_IsString(method))
		return;
	ck_assert_str_eq(method->valuestring, "notifications/claude/channel");
	ck_assert_uint_lt(h->n_wakes, sizeof(h->wakes) / sizeof(h->wakes[0]));
	h->wakes[h->n_wakes++] = strdup(json_get(params,
	    "content")->valuestring);
	ck_assert(cJSON_PrintPreallocated(cJSON_GetObjectItem(params, "meta"),
	    h->meta, (int)sizeof(h->meta), false));
}

/* More of what it says, within that; false when there is none. */
static bool
fill(struct harness *h, int timeout_ms)
{
	struct pollfd	p = { .fd = h->out, .events = POLLIN };
	ssize_t		n;

	if (poll(&p, 1, timeout_ms) != 1)
		return false;
	if (h->cap - h->len < 65536) {
		h->cap += 262144;
		ck_assert((h->buf = realloc(h->buf, h->cap)) != NULL);
	}
	n = read(h->out, h->buf + h->len, h->cap - h->len);
	ck_assert_msg(n > 0, "the session has ended");
	h->len += (size_t)n;
	return true;
}

/* A line that it says, parsed; NULL: none within that. */
static cJSON *
next(struct harness *h, int timeout_ms)
{
	struct error	 e;
	cJSON		*o;
	char		*end;
	size_t		 len;

	while (h->len == 0 || (end = memchr(h->buf, '\n', h->len)) == NULL)
		if (!fill(h, timeout_ms))
			return NULL;
	len = (size_t)(end - h->buf);
	o = json_parse(h->buf, len, &e);
	ck_assert_msg(o != NULL, "%s: %.*s", e.text, (int)len, h->buf);
	h->len -= len + 1;
	memmove(h->buf, end + 1, h->len);
	take(h, o);
	return o;
}

const char *
host_call(struct harness *h, const char *tool, const char *args)
{
	const cJSON	*id, *result, *text;
	cJSON		*o;
	char		*line;
	bool		 ours;

	ck_assert(asprintf(&line, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":"
	    "\"tools/call\",\"params\":{\"name\":\"%s\",\"arguments\":%s}}\n",
	    ++h->calls, tool, args) > 0);
	say(h, line);
	free(line);
	do {
		ck_assert_msg((o = next(h, AWAIT_MS)) != NULL, "%s is not "
		    "answered", tool);
		id = json_get(o, "id");
		ours = cJSON_IsNumber(id) && id->valueint == (int)h->calls;
		if (ours) {
			result = json_get(o, "result");
			text = json_get(cJSON_GetArrayItem(json_get(result,
			    "content"), 0), "text");
			ck_assert_msg(cJSON_IsString(text), "%s: no text",
			    tool);
			h->failed = cJSON_IsTrue(json_get(result, "isError"));
			snprintf(h->answer, sizeof(h->answer), "%s",
			    text->valuestring);
		}
		cJSON_Delete(o);
	} while (!ours);
	return h->answer;
}

const char *
host_inbox(struct harness *h)
{
	const char	*text = host_call(h, "cotal_inbox", "{}");

	ck_assert_msg(!h->failed, "%s", text);
	return text;
}

size_t
host_wakes(struct harness *h)
{
	cJSON	*o;

	while ((o = next(h, 0)) != NULL)
		cJSON_Delete(o);
	return h->n_wakes;
}

/* --- its life ----------------------------------------------------------------- */

static void
set_environment(const struct harness *h, const char *channels, const char *more)
{
	const struct space	*s = h->space;
	char			 creds[300];

	snprintf(creds, sizeof(creds), "%s/agents/%s.creds", s->state,
	    h->agent->name);
	setenv("COTAL_NAME", h->agent->name, 1);
	setenv("COTAL_ROLE", "finder", 1);
	setenv("COTAL_SPACE", s->config.space, 1);
	setenv("COTAL_SERVERS", s->config.servers, 1);
	setenv("COTAL_CREDS", creds, 1);
	setenv("COTAL_SUBSCRIBE", channels, 1);
	setenv("COTAL_ALLOW_SUBSCRIBE", channels, 1);
	setenv("COTAL_CONTROL_SOCKET", h->socket, 1);
	setenv("COTAL_CONTROL_TOKEN", TOKEN, 1);
	if (more != NULL)
		ck_assert_int_eq(putenv(strdup(more)), 0);
}

static pid_t
run(struct harness *h, const char *name, const char *channels, const char *more)
{
	const char	*bin = getenv("REEVE_BINDIR");
	char		 program[512];
	int		 in[2], out[2];
	pid_t		 pid;

	snprintf(program, sizeof(program), "%s/%s", bin == NULL ? "." : bin,
	    name);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	if ((pid = fork()) == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		set_environment(h, channels, more);
		execl(program, program, strcmp(name, "reeve") == 0 ? "mcp" :
		    NULL, NULL);
		_exit(99);
	}
	ck_assert_int_ne(pid, -1);
	close(in[0]);
	close(out[1]);
	h->in = in[1];
	h->out = out[0];
	return pid;
}

struct harness *
host_start(const struct agent *a, const char *channels, const char *more)
{
	struct harness	*h = calloc(1, sizeof(*h));

	ck_assert_ptr_nonnull(h);
	signal(SIGPIPE, SIG_IGN);
	h->space = a->space;
	h->agent = a;
	ck_assert_int_lt(snprintf(h->socket, sizeof(h->socket), "%s/%s.socket",
	    a->space->dir, a->name), (int)sizeof(h->socket));
	h->pid = run(h, "reeve", channels, more);
	say(h, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\","
	    "\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":"
	    "{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}\n"
	    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
	AWAIT(strstr(host_call(h, "cotal_orientation", "{}"), "Connected.") !=
	    NULL);
	return h;
}

static void
forget(struct harness *h)
{
	while (h->n_wakes > 0)
		free(h->wakes[--h->n_wakes]);
	free(h->buf);
	free(h);
}

int
host_end(struct harness *h)
{
	int	status;

	close(h->in);
	ck_assert_int_eq(waitpid(h->pid, &status, 0), h->pid);
	close(h->out);
	forget(h);
	return status;
}

void
host_kill(struct harness *h)
{
	(void)kill(h->pid, SIGKILL);
	(void)host_end(h);
}

/* --- hooks ---------------------------------------------------------------------- */

const char *
host_hook(struct harness *h, const char *event)
{
	struct harness	hook = { .space = h->space, .agent = h->agent };
	size_t		len = 0;
	ssize_t		n;
	int		status;

	memcpy(hook.socket, h->socket, sizeof(hook.socket));
	hook.pid = run(&hook, "reeve-hook", "", NULL);
	say(&hook, event);
	close(hook.in);
	while ((n = read(hook.out, h->answer + len, sizeof(h->answer) - 1 -
	    len)) > 0)
		len += (size_t)n;
	h->answer[len] = '\0';
	close(hook.out);
	ck_assert_int_eq(waitpid(hook.pid, &status, 0), hook.pid);
	ck_assert_int_eq(status, 0);
	return h->answer;
}

const char *
host_control(struct harness *h, const char *line)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };
	int			fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t			len = 0;
	ssize_t			n;

	memcpy(at.sun_path, h->socket, sizeof(h->socket));
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	ck_assert_int_gt(send(fd, line, strlen(line), MSG_NOSIGNAL), 0);
	while ((n = read(fd, h->answer + len, sizeof(h->answer) - 1 - len)) >
	    0)
		len += (size_t)n;
	h->answer[len] = '\0';
	close(fd);
	return h->answer;
}

unsigned
times_in(const char *s, const char *text)
{
	unsigned	n = 0;

	for (; (s = strstr(s, text)) != NULL; s++)
		n++;
	return n;
}
