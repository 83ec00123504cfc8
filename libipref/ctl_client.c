/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's other side: one blocking GET within a deadline, and the
 * decoding of query strings.
 *
 * The request says "Connection: close"; the answer ends with its Content-Length
 * bytes, or where the server closes. Its size is bounded.
 */
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

#define ANSWER_MAX  ((size_t)256 << 20)
#define HEADERS_MAX ((size_t)64 << 10)
#define TARGET_MAX  4096
#define READ_ROOM   ((size_t)16 << 10)

struct answer {
	char *p; /* owned; always with a NUL behind len */
	size_t len, size;
	size_t body; /* where it begins; 0: not there yet */
	size_t want; /* bytes of the body; SIZE_MAX: until the end */
	int status;
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
send_request(int fd, const char *target, uint64_t deadline)
{
	char text[TARGET_MAX + 128];
	int n;

	/* A target with a space or a line end in it would be another request.
	 */
	if (target[0] != '/' || strlen(target) > TARGET_MAX ||
		strpbrk(target, " \t\r\n"))
		return -EINVAL;
	n = snprintf(text, sizeof(text),
		"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: "
		"close\r\n\r\n",
		target);
	return send_all(fd, text, (size_t)n, deadline);
}

/* The decimal number that a header's value is; false when it is none. */
static bool
header_number(const char *text, size_t *v)
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

	if (!strncasecmp(line, coding, sizeof(coding) - 1))
		return -EPROTO;
	if (strncasecmp(line, length, sizeof(length) - 1))
		return 0;
	return header_number(line + sizeof(length) - 1, &a->want) ? 0 : -EPROTO;
}

/* Reads status and headers once they are there. */
static int
read_headers(struct answer *a)
{
	const char *end, *line;
	int rc;

	if (a->body)
		return 0;
	end = memmem(a->p, a->len, "\r\n\r\n", 4);
	if (!end)
		return a->len > HEADERS_MAX ? -EPROTO : 0;
	if (sscanf(a->p, "HTTP/1.%*1[01] %3d", &a->status) != 1 ||
		a->status < 100)
		return -EPROTO;
	a->want = SIZE_MAX;
	for (line = a->p; line < end;) {
		line = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		line += 2;
		rc = read_header(a, line);
		if (rc)
			return rc;
	}
	a->body = (size_t)(end + 4 - a->p);
	if (a->want != SIZE_MAX && a->want > ANSWER_MAX)
		return -EFBIG;
	return 0;
}

static int
make_room(struct answer *a)
{
	size_t size = a->size ? a->size * 2 : READ_ROOM * 4;
	char *p;

	if (a->size - a->len > READ_ROOM)
		return 0;
	if (a->len > ANSWER_MAX + HEADERS_MAX)
		return -EFBIG;
	p = realloc(a->p, size);
	if (!p)
		return -ENOMEM;
	a->p = p;
	a->size = size;
	return 0;
}

/* Reads until the answer is whole. */
static int
receive(int fd, struct answer *a, uint64_t deadline)
{
	ssize_t n;
	int rc;

	for (;;) {
		rc = make_room(a);
		if (!rc)
			rc = wait_for(fd, POLLIN, deadline);
		if (rc)
			return rc;
		n = recv(fd, a->p + a->len, READ_ROOM, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			if (!a->body || (a->want != SIZE_MAX &&
						a->len - a->body < a->want))
				return -ECONNRESET;
			return 0;
		}
		a->len += (size_t)n;
		a->p[a->len] = '\0';
		rc = read_headers(a);
		if (rc)
			return rc;
		if (a->body && a->len - a->body >= a->want)
			return 0;
	}
}

int
ctl_get(const char *path, const char *target, uint64_t timeout_ms, int *status,
	char **body, size_t *len)
{
	uint64_t deadline = now_ms() + timeout_ms;
	struct answer a = {0};
	int fd, rc;

	*body = NULL;
	*len = 0;
	fd = dial(path, deadline);
	if (fd < 0)
		return fd;
	rc = send_request(fd, target, deadline);
	if (!rc)
		rc = receive(fd, &a, deadline);
	close(fd);
	if (rc) {
		free(a.p);
		return rc;
	}
	*status = a.status;
	*len = a.len - a.body;
	if (a.want < *len)
		*len = a.want;
	memmove(a.p, a.p + a.body, *len);
	a.p[*len] = '\0';
	*body = a.p;
	return 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of len bytes, decoded; false when it is broken or too long. */
static bool
query_decode(const char *text, size_t len, char *buf, size_t size)
{
	size_t i, n = 0;
	int high, low;
	char c;

	for (i = 0; i < len; i++) {
		c = text[i];
		if (c == '+') {
			c = ' ';
		} else if (c == '%') {
			high = i + 2 < len ? hex_digit(text[i + 1]) : -1;
			low = high >= 0 ? hex_digit(text[i + 2]) : -1;
			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (!c || n + 1 >= size)
			return false;
		buf[n++] = c;
	}
	buf[n] = '\0';
	return true;
}

bool
ctl_query(const char *query, const char *key, char *buf, size_t size)
{
	size_t len, key_len = strlen(key);

	if (!query || size == 0)
		return false;
	for (;; query += len + 1) {
		len = strcspn(query, "&");
		if (len > key_len && query[key_len] == '=' &&
			!memcmp(query, key, key_len))
			return query_decode(query + key_len + 1,
				len - key_len - 1, buf, size);
		if (!query[len])
			return false;
	}
}
