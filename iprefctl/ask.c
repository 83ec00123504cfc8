/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a daemon over its control socket. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "iprefctl/iprefctl.h"

#define PATH_MAX_LEN 512
#define ERROR_MAX    600	   /* of what a refusal says */
#define LINE_MAX_LEN (1024 * 1024) /* a source with all its conflicts */

/* What a failed connection means to whoever runs the program. */
static const char *
meaning(int err)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		return "not running";
	case EACCES:
	case EPERM:
		return "permission denied: only root and the group of the "
		       "control socket may ask";
	case ETIMEDOUT:
		return "no answer in time";
	case ECONNRESET:
	case EPIPE:
		return "the connection ended before the answer was whole";
	default:
		return strerror(err);
	}
}

void
iprefctl_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("iprefctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

static bool
socket_path(
	const struct iprefctl *ctl, const char *daemon, char path[PATH_MAX_LEN])
{
	int n = snprintf(path, PATH_MAX_LEN, "%s/%s.ctl",
		ctl->common.control_dir, daemon);

	return n > 0 && n < PATH_MAX_LEN;
}

/* Why there is no JSON in an answer. */
static const char *
refusal(int status)
{
	switch (status) {
	case 200:
		return "its answer is not JSON";
	case 404:
		return "it has no such page: another version?";
	default:
		return "it can't answer that";
	}
}

json_t *
iprefctl_get(const struct iprefctl *ctl, const char *daemon, const char *page,
	const char **error)
{
	char path[PATH_MAX_LEN], *body;
	json_t *json;
	size_t len;
	int rc, status;

	if (!socket_path(ctl, daemon, path)) {
		*error = "the path of its control socket is too long";
		return NULL;
	}
	rc = ctl_get(path, page, ctl->timeout_ms, &status, &body, &len);
	if (rc) {
		*error = meaning(-rc);
		return NULL;
	}
	json = status == 200 ? json_loadb(body, len, 0, NULL) : NULL;
	free(body);
	if (!json)
		*error = refusal(status);
	return json;
}

struct asking {
	const struct iprefctl_ask *ask;
	char error[ERROR_MAX]; /* the text of a refusal */
	size_t n_error;
};

static int
on_piece(const char *p, size_t len, int status, void *arg)
{
	struct asking *a = arg;

	if (status == 200)
		return a->ask->fn(p, len, status, a->ask->arg);
	if (len > sizeof(a->error) - 1 - a->n_error)
		len = sizeof(a->error) - 1 - a->n_error;
	memcpy(a->error + a->n_error, p, len);
	a->n_error += len;
	return 0;
}

/* A daemon's refusal: its first line. */
static int
say_refusal(struct asking *a, int status)
{
	const char *daemon = a->ask->daemon;

	a->error[strcspn(a->error, "\r\n")] = '\0';
	if (status == 404 && !strcmp(a->error, "no such page"))
		iprefctl_error(
			"%s: it has no such page: another version?", daemon);
	else
		iprefctl_error("%s: %s", daemon, a->error);
	return status == 400 ? EXIT_USAGE : EXIT_ABSENT;
}

int
iprefctl_ask(const struct iprefctl *ctl, const struct iprefctl_ask *ask)
{
	struct asking a = {.ask = ask};
	char path[PATH_MAX_LEN];
	const struct ctl_call call = {
		.path = path,
		.method = ask->method,
		.target = ask->target,
		.timeout_ms = ask->timeout_ms,
		.idle_ms = ask->idle_ms,
	};
	int rc, status;

	if (!socket_path(ctl, ask->daemon, path)) {
		iprefctl_error("the path of %s's control socket is too long",
			ask->daemon);
		return EXIT_ABSENT;
	}
	rc = ctl_call(&call, &status, on_piece, &a);
	if (rc > 0) /* fn's own, and said */
		return rc;
	if (rc) {
		iprefctl_error("%s: %s", ask->daemon, meaning(-rc));
		return EXIT_ABSENT;
	}
	return status == 200 ? EXIT_DONE : say_refusal(&a, status);
}

/* --- lines ---------------------------------------------------------------- */

struct lines {
	const char *daemon;
	iprefctl_row_fn fn;
	void *arg;
	char *p; /* a line that is not whole yet; owned */
	size_t len, room;
};

/* One line without what makes an array of the lines. */
static int
take_line(struct lines *l, const char *line, size_t len)
{
	json_error_t error;
	json_t *row;
	int rc;

	while (len && strchr("[], \r", *line)) {
		line++;
		len--;
	}
	while (len && strchr("[], \r", line[len - 1]))
		len--;
	if (!len)
		return 0;
	row = json_loadb(line, len, 0, &error);
	if (!row) {
		iprefctl_error("%s: its answer is not JSON: %s", l->daemon,
			error.text);
		return EXIT_ABSENT;
	}
	rc = l->fn(row, l->arg);
	json_decref(row);
	return rc;
}

static int
keep(struct lines *l, const char *p, size_t len)
{
	size_t room = l->room ? l->room : 4096;
	char *grown;

	while (room < l->len + len)
		room *= 2;
	if (room > l->room) {
		grown = room > LINE_MAX_LEN ? NULL : realloc(l->p, room);
		if (!grown) {
			iprefctl_error("%s: a line of its answer is too long",
				l->daemon);
			return EXIT_ABSENT;
		}
		l->p = grown;
		l->room = room;
	}
	memcpy(l->p + l->len, p, len);
	l->len += len;
	return 0;
}

static int
on_lines(const char *p, size_t len, int status, void *arg)
{
	struct lines *l = arg;
	const char *end;
	size_t n;
	int rc = 0;

	(void)status;
	while (!rc && (end = memchr(p, '\n', len))) {
		n = (size_t)(end - p);
		if (l->len) {
			rc = keep(l, p, n);
			if (!rc)
				rc = take_line(l, l->p, l->len);
			l->len = 0;
		} else {
			rc = take_line(l, p, n);
		}
		p += n + 1;
		len -= n + 1;
	}
	return rc || !len ? rc : keep(l, p, len);
}

static int
write_error(void)
{
	iprefctl_error("can't write: %s", strerror(errno));
	return EXIT_ABSENT;
}

/* With --json: as it comes, each piece at once. */
static int
on_raw(const char *p, size_t len, int status, void *arg)
{
	(void)status;
	(void)arg;
	if (fwrite(p, 1, len, stdout) == len && !fflush(stdout))
		return 0;
	return write_error();
}

int
iprefctl_lines(const struct iprefctl *ctl, const struct iprefctl_ask *ask,
	iprefctl_row_fn fn, void *arg)
{
	struct lines lines = {.daemon = ask->daemon, .fn = fn, .arg = arg};
	struct iprefctl_ask call = *ask;
	int rc;

	call.fn = ctl->json ? on_raw : on_lines;
	call.arg = &lines;
	rc = iprefctl_ask(ctl, &call);
	free(lines.p);
	return rc;
}

int
iprefctl_rows(const struct iprefctl *ctl, const char *daemon,
	const char *target, uint64_t idle_ms, iprefctl_row_fn fn, void *arg)
{
	const struct iprefctl_ask ask = {
		.daemon = daemon,
		.method = "GET",
		.target = target,
		.timeout_ms = ctl->timeout_ms,
		.idle_ms = idle_ms,
	};

	return iprefctl_lines(ctl, &ask, fn, arg);
}

/* --- orders --------------------------------------------------------------- */

static int
on_row(json_t *row, void *arg)
{
	json_t **json = arg;

	json_decref(*json);
	*json = json_incref(row);
	return 0;
}

/* The only row of an answer: the caller's reference. */
static int
ask_row(const struct iprefctl *ctl, const char *target, json_t **json)
{
	struct lines lines = {.daemon = "mapperd", .fn = on_row, .arg = json};
	const struct iprefctl_ask ask = {
		.daemon = "mapperd",
		.method = "POST",
		.target = target,
		.timeout_ms = ctl->timeout_ms,
		.idle_ms = ctl->timeout_ms,
		.fn = on_lines,
		.arg = &lines,
	};
	int rc;

	*json = NULL;
	rc = iprefctl_ask(ctl, &ask);
	free(lines.p);
	if (!rc && !*json) {
		iprefctl_error("mapperd: its answer is empty");
		rc = EXIT_ABSENT;
	}
	if (rc) {
		json_decref(*json);
		*json = NULL;
	}
	return rc;
}

int
iprefctl_order(const struct iprefctl *ctl, const struct iprefctl_order *order,
	const char *thing)
{
	char target[ARGS_TARGET_MAX];
	json_t *json;
	int rc;

	snprintf(target, sizeof(target), "%s", order->page);
	if (!args_query(target, order->key, thing)) {
		iprefctl_error("%s: that is too long", order->command);
		return EXIT_USAGE;
	}
	rc = ask_row(ctl, target, &json);
	if (rc)
		return rc;
	if (ctl->json) {
		iprefctl_put_json(json);
		return EXIT_DONE;
	}
	printf("%s: %s; %" JSON_INTEGER_FORMAT " %s\n",
		json_string_value(json_object_get(json, order->key)),
		order->done,
		json_integer_value(json_object_get(json, order->count_key)),
		order->noun);
	json_decref(json);
	return EXIT_DONE;
}

void
iprefctl_put_json(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(json);
}
