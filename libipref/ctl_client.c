/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's other side: one blocking request within deadlines, its
 * answer in pieces.
 *
 * The request says "Connection: close"; the answer ends with its Content-Length
 * bytes, its last chunk, or where the server closes.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libipref/ctl.h"
#include "libipref/log.h"

#define ANSWER_MAX  ((size_t)256 << 20) /* of ctl_get() */
#define HEADERS_MAX ((size_t)64 << 10)
#define TARGET_MAX  4096

struct answer {
	const struct ctl_call *call;
	ctl_piece_fn fn;
	void *arg;
	int status; /* 0: the headers are not there yet */
	enum {
		BODY_TO_END,  /* until the server closes */
		BODY_LENGTH,  /* `left` more bytes */
		BODY_SIZE,    /* chunked: a line with the next chunk's size */
		BODY_CHUNK,   /* chunked: `left` more bytes of this one */
		BODY_CHUNKED, /* chunked: the line end behind it */
		BODY_TRAILER, /* chunked: lines behind the last, then done */
		BODY_DONE
	} state;
	uint64_t left;
	uint64_t given;		   /* bytes of the body */
	char buf[HEADERS_MAX + 1]; /* received, not yet used */
	size_t len;		   /* of it; a NUL is behind */
};

static int
wait_for(int fd, short events, uint64_t deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};
	uint64_t now;
	int n;

	for (;;) {
		now = now_ms();
		if (now >= deadline)
			return -ETIMEDOUT;
		now = deadline - now;
		n = poll(&pfd, 1, now > 60000 ? 60000 : (int)now);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int
dial(const char *path, uint64_t deadline)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	memcpy(sun.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* EAGAIN: the server's queue is full. Poll does not tell when there is
	 * room again, so it is asked every few milliseconds. */
	while (connect(fd, (struct sockaddr *)&sun, sizeof(sun))) {
		rc = -errno;
		if (rc == -EAGAIN && now_ms() < deadline) {
			(void)poll(NULL, 0, 10);
			continue;
		}
		close(fd);
		return rc == -EAGAIN ? -ETIMEDOUT : rc;
	}
	return fd;
}

static int
send_all(int fd, const char *p, size_t len, uint64_t deadline)
{
	ssize_t n;
	int rc;

	while (len > 0) {
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n >= 0) {
			p += n;
			len -= (size_t)n;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		rc = wait_for(fd, POLLOUT, deadline);
		if (rc)
			return rc;
	}
	return 0;
}

static int
send_request(int fd, const struct ctl_call *call, uint64_t deadline)
{
	char text[TARGET_MAX + 128];
	int n;

	/* A target with a space or a line end in it would be another request.
	 */
	if (call->target[0] != '/' || strlen(call->target) > TARGET_MAX ||
		strpbrk(call->target, " \t\r\n"))
		return -EINVAL;
	n = snprintf(text, sizeof(text),
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		"%s\r\n",
		call->method, call->target,
		strcmp(call->method, "POST") ? "" : "Content-Length: 0\r\n");
	return send_all(fd, text, (size_t)n, deadline);
}

/* The decimal number that a header's value is; false when it is none. */
static bool
header_number(const char *text, uint64_t *v)
{
	char *end;

	text += strspn(text, " \t");
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*v = strtoull(text, &end, 10);
	end += strspn(end, " \t");
	return errno == 0 && *end == '\r';
}

/* One header line, up to its end. */
static int
read_header(struct answer *a, const char *line)
{
	static const char length[] = "content-length:";
	static const char coding[] = "transfer-encoding:";

	if (!strncasecmp(line, coding, sizeof(coding) - 1)) {
		line += sizeof(coding) - 1;
		line += strspn(line, " \t");
		if (strncasecmp(line, "chunked\r", 8) ||
			a->state != BODY_TO_END)
			return -EPROTO;
		a->state = BODY_SIZE;
	} else if (!strncasecmp(line, length, sizeof(length) - 1)) {
		if (!header_number(line + sizeof(length) - 1, &a->left) ||
			a->state != BODY_TO_END)
			return -EPROTO;
		a->state = BODY_LENGTH;
	}
	return 0;
}

static void
used(struct answer *a, size_t n)
{
	a->len -= n;
	memmove(a->buf, a->buf + n, a->len + 1);
}

/* Reads status and headers once they are there. */
static int
read_headers(struct answer *a)
{
	const char *end = memmem(a->buf, a->len, "\r\n\r\n", 4), *line;
	int rc;

	if (!end)
		return a->len >= HEADERS_MAX ? -EPROTO : 0;
	if (sscanf(a->buf, "HTTP/1.%*1[01] %3d", &a->status) != 1 ||
		a->status < 100)
		return -EPROTO;
	for (line = a->buf; line < end;) {
		line = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		line += 2;
		rc = read_header(a, line);
		if (rc)
			return rc;
	}
	used(a, (size_t)(end + 4 - a->buf));
	if (a->state == BODY_LENGTH && !a->left)
		a->state = BODY_DONE;
	if (a->call->max && a->left > a->call->max)
		return -EFBIG;
	return 0;
}

/* What is there of the body, or of this chunk, goes to the caller. */
static int
give(struct answer *a)
{
	size_t n = a->len;
	int rc;

	if (a->state != BODY_TO_END && n > a->left)
		n = a->left;
	a->given += n;
	if (a->call->max && a->given > a->call->max)
		return -EFBIG;
	rc = a->fn(a->buf, n, a->status, a->arg);
	if (rc)
		return rc;
	used(a, n);
	if (a->state == BODY_TO_END)
		return 0;
	a->left -= n;
	if (!a->left)
		a->state = a->state == BODY_LENGTH ? BODY_DONE : BODY_CHUNKED;
	return 0;
}

/* A line between chunks; 0 also when it is not whole yet: *more is false then.
 */
static int
read_chunk_line(struct answer *a, bool *more)
{
	char *line = a->buf, *end = memmem(line, a->len, "\r\n", 2), *after;

	*more = end;
	if (!end)
		return a->len >= HEADERS_MAX ? -EPROTO : 0;
	switch (a->state) {
	case BODY_SIZE:
		errno = 0;
		a->left = strtoull(line, &after, 16);
		if (!isxdigit((unsigned char)*line) || errno ||
			(*after != '\r' && *after != ';' && *after != ' '))
			return -EPROTO;
		a->state = a->left ? BODY_CHUNK : BODY_TRAILER;
		break;
	case BODY_CHUNKED:
		if (end != line)
			return -EPROTO;
		a->state = BODY_SIZE;
		break;
	default: /* an empty line ends the trailer */
		if (end == line)
			a->state = BODY_DONE;
		break;
	}
	used(a, (size_t)(end + 2 - line));
	return 0;
}

/* Uses what has been received as far as it goes. */
static int
digest(struct answer *a)
{
	bool more = true;
	int rc = a->status ? 0 : read_headers(a);

	while (!rc && a->status && a->len && more && a->state != BODY_DONE)
		if (a->state == BODY_TO_END || a->state == BODY_LENGTH ||
			a->state == BODY_CHUNK)
			rc = give(a);
		else
			rc = read_chunk_line(a, &more);
	return rc;
}

static uint64_t
until(const struct answer *a, uint64_t deadline)
{
	if (!a->status)
		return deadline;
	return a->call->idle_ms ? now_ms() + a->call->idle_ms : UINT64_MAX;
}

/* Reads until the answer is whole. */
static int
receive(int fd, struct answer *a, uint64_t deadline)
{
	ssize_t n;
	int rc;

	while (a->state != BODY_DONE) {
		rc = wait_for(fd, POLLIN, until(a, deadline));
		if (rc)
			return rc;
		n = recv(fd, a->buf + a->len, HEADERS_MAX - a->len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return a->status && a->state == BODY_TO_END
				       ? 0
				       : -ECONNRESET;
		a->len += (size_t)n;
		a->buf[a->len] = '\0';
		rc = digest(a);
		if (rc)
			return rc;
	}
	return 0;
}

int
ctl_call(const struct ctl_call *call, int *status, ctl_piece_fn fn, void *arg)
{
	uint64_t deadline = now_ms() + call->timeout_ms;
	struct answer *a = calloc(1, sizeof(*a));
	int fd, rc;

	*status = 0;
	if (!a)
		return -ENOMEM;
	a->call = call;
	a->fn = fn;
	a->arg = arg;
	fd = dial(call->path, deadline);
	rc = fd < 0 ? fd : send_request(fd, call, deadline);
	if (!rc)
		rc = receive(fd, a, deadline);
	if (fd >= 0)
		close(fd);
	*status = a->status;
	free(a);
	return rc;
}

struct whole {
	char *p; /* owned; always with a NUL behind len */
	size_t len, room;
	uint64_t deadline;
};

/* The room for len more bytes and a NUL. */
static int
make_room(struct whole *w, size_t len)
{
	size_t room = w->room ? w->room : (size_t)16 << 10;
	char *p;

	while (room <= w->len + len)
		room *= 2;
	if (room == w->room)
		return 0;
	p = realloc(w->p, room);
	if (!p)
		return -ENOMEM;
	w->p = p;
	w->room = room;
	return 0;
}

static int
collect(const char *p, size_t len, int status, void *arg)
{
	struct whole *w = arg;
	int rc = now_ms() > w->deadline ? -ETIMEDOUT : make_room(w, len);

	(void)status;
	if (rc)
		return rc;
	memcpy(w->p + w->len, p, len);
	w->len += len;
	w->p[w->len] = '\0';
	return 0;
}

static int
get_whole(const struct ctl_call *call, int *status, char **body, size_t *len)
{
	struct whole w = {.deadline = now_ms() + call->timeout_ms};
	int rc = ctl_call(call, status, collect, &w);

	if (!rc)
		rc = make_room(&w, 0);
	if (rc) {
		free(w.p);
		w = (struct whole){0};
	} else {
		w.p[w.len] = '\0';
	}
	*body = w.p;
	*len = w.len;
	return rc;
}

static struct ctl_call
whole_call(const char *path, const char *method, const char *target,
	uint64_t timeout_ms)
{
	return (struct ctl_call){
		.path = path,
		.method = method,
		.target = target,
		.timeout_ms = timeout_ms,
		.idle_ms = timeout_ms,
		.max = ANSWER_MAX,
	};
}

int
ctl_get(const char *path, const char *target, uint64_t timeout_ms, int *status,
	char **body, size_t *len)
{
	struct ctl_call call = whole_call(path, "GET", target, timeout_ms);

	return get_whole(&call, status, body, len);
}

int
ctl_post(const char *path, const char *target, uint64_t timeout_ms, int *status,
	char **body, size_t *len)
{
	struct ctl_call call = whole_call(path, "POST", target, timeout_ms);

	return get_whole(&call, status, body, len);
}
