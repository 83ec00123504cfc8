/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control socket's client, against servers that are none; query strings. */
#include "libipref/ctl.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/run.h"

#define TIMEOUT_MS 20000
#define CHUNKED	   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* Says the same to one client, whatever it asks. */
struct fake_server {
	char dir[64], path[96];
	const char *answer; /* NULL: nothing, until the client leaves */
	int listener;
	pthread_t thread;
};

static void *
fake_serve(void *arg)
{
	const struct fake_server *f = arg;
	int fd = accept(f->listener, NULL, NULL);
	char request[512];
	ssize_t n;

	n = read(fd, request, sizeof(request));
	if (f->answer)
		(void)!send(fd, f->answer, strlen(f->answer), MSG_NOSIGNAL);
	else
		while (n > 0)
			n = read(fd, request, sizeof(request));
	close(fd);
	return NULL;
}

static void
fake_start(struct fake_server *f, const char *answer)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	*f = (struct fake_server){.answer = answer};
	strcpy(f->dir, "/tmp/ipref-ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/x.ctl", f->dir);
	strcpy(sun.sun_path, f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(
		bind(f->listener, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(listen(f->listener, 5), 0);
	ck_assert_int_eq(pthread_create(&f->thread, NULL, fake_serve, f), 0);
}

static void
fake_stop(struct fake_server *f)
{
	pthread_join(f->thread, NULL);
	close(f->listener);
	unlink(f->path);
	ck_assert_int_eq(rmdir(f->dir), 0);
}

static const struct {
	const char *answer; /* NULL: none, and the connection stays */
	int rc, status;
	const char *body;
} answers[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 0, 200, "abc"},
	{"HTTP/1.1 200 OK\r\ncontent-LENGTH:  3 \r\n\r\nabcdef", 0, 200, "abc"},
	{"HTTP/1.0 503 No\r\n\r\nuntil the end", 0, 503, "until the end"},
	{"HTTP/1.1 200 OK\r\n\r\n", 0, 200, ""},
	{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc", -ECONNRESET, 0,
		NULL},
	{"HTTP/1.1 200 OK\r\n", -ECONNRESET, 0, NULL},
	{"", -ECONNRESET, 0, NULL},
	{"SSH-2.0\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/2.0 200 OK\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 OK\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 099 OK\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", -EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: "
	 "chunked\r\n\r\n",
		-EPROTO, 0, NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: 268435457\r\n\r\n", -EFBIG, 0,
		NULL},
	{"HTTP/1.1 200 OK\r\nContent-Length: "
	 "99999999999999999999999\r\n\r\n",
		-EPROTO, 0, NULL},
	{CHUNKED "3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n", 0, 200,
		"abc0123456789"},
	{CHUNKED "0\r\nX: trailer\r\n\r\nmore", 0, 200, ""},
	{CHUNKED "3\r\nabc\r\n", -ECONNRESET, 0, NULL},
	{CHUNKED "3\r\nabc\r\n0\r\n", -ECONNRESET, 0, NULL},
	{CHUNKED "4\r\nabc", -ECONNRESET, 0, NULL},
	{CHUNKED "3\r\nabcd\r\n", -EPROTO, 0, NULL},
	{CHUNKED "x\r\n", -EPROTO, 0, NULL},
	{CHUNKED "-1\r\n", -EPROTO, 0, NULL},
	{CHUNKED "\r\n", -EPROTO, 0, NULL},
	{CHUNKED "3 x 5\r\nabc\r\n0\r\n\r\n", 0, 200, "abc"},
	{CHUNKED "3x\r\n", -EPROTO, 0, NULL},
	{CHUNKED "fffffffffffffffff\r\n", -EPROTO, 0, NULL},
	{CHUNKED "10000001\r\n", -ECONNRESET, 0, NULL},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", -EPROTO, 0,
		NULL},
	{NULL, -ETIMEDOUT, 0, NULL},
};

START_TEST(test_client_errors)
{
	struct fake_server fake;
	char *body;
	size_t i, len;
	int status, rc;

	for (i = 0; i < ARRAY_LEN(answers); i++) {
		fake_start(&fake, answers[i].answer);
		rc = ctl_get(fake.path, "/x?y",
			answers[i].answer ? TIMEOUT_MS : 50, &status, &body,
			&len);
		if (rc != answers[i].rc)
			ck_abort_msg("case %zu: %d", i, rc);
		if (answers[i].body) {
			ck_assert_int_eq(status, answers[i].status);
			ck_assert_str_eq(body, answers[i].body);
			ck_assert_uint_eq(len, strlen(answers[i].body));
		} else {
			ck_assert_ptr_null(body);
		}
		free(body);
		fake_stop(&fake);
	}
}
END_TEST

START_TEST(test_refused_targets)
{
	static const char *const targets[] = {
		"", "status", "/a b", "/a\r\nX: y", "/a\tb"};
	struct fake_server fake;
	char *body;
	size_t i, len;
	int status;

	for (i = 0; i < ARRAY_LEN(targets); i++) {
		fake_start(&fake, "");
		ck_assert_int_eq(ctl_get(fake.path, targets[i], TIMEOUT_MS,
					 &status, &body, &len),
			-EINVAL);
		fake_stop(&fake);
	}
}
END_TEST

START_TEST(test_no_server)
{
	static char long_path[200];
	const struct {
		const char *path;
		int rc;
	} cases[] = {
		{"/nonexistent/x.ctl", -ENOENT},
		{"/dev/null", -ECONNREFUSED},
		{long_path, -ENAMETOOLONG},
	};
	char *body;
	size_t i, len;
	int status;

	memset(long_path, 'x', sizeof(long_path) - 1);
	for (i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_int_eq(ctl_get(cases[i].path, "/", TIMEOUT_MS,
					 &status, &body, &len),
			cases[i].rc);
}
END_TEST

static const struct {
	const char *query, *key, *want; /* NULL: none */
	size_t size;
} queries[] = {
	{"a=1", "a", "1", 16},
	{"a=1&b=2", "b", "2", 16},
	{"a=1&b=2", "a", "1", 16},
	{"b=1&a=2&a=3", "a", "2", 16},
	{"aa=1&a=2", "a", "2", 16},
	{"a=", "a", "", 16},
	{"a", "a", NULL, 16},
	{"a&a=5", "a", "5", 16},
	{"", "a", NULL, 16},
	{NULL, "a", NULL, 16},
	{"&&a=x&", "a", "x", 16},
	{"a=b=c", "a", "b=c", 16},
	{"a=x+y", "a", "x y", 16},
	{"a=192.0.2.1%2B11", "a", "192.0.2.1+11", 16},
	{"a=%41%4a%7A", "a", "AJz", 16},
	{"a=%", "a", NULL, 16},
	{"a=%4", "a", NULL, 16},
	{"a=%4&b=1", "a", NULL, 16},
	{"a=%4g", "a", NULL, 16},
	{"a=%g4", "a", NULL, 16},
	{"a=%00", "a", NULL, 16},
	{"a=%ff", "a", "\xff", 16},
	{"a=12345", "a", "12345", 6},
	{"a=12345", "a", NULL, 5},
	{"a=", "a", "", 1},
	{"a=", "a", NULL, 0},
	{"A=1", "a", NULL, 16},
};

START_TEST(test_query)
{
	char buf[16];
	size_t i;

	for (i = 0; i < ARRAY_LEN(queries); i++) {
		memset(buf, '!', sizeof(buf));
		ck_assert_int_eq(ctl_query(queries[i].query, queries[i].key,
					 buf, queries[i].size),
			queries[i].want != NULL);
		if (queries[i].want)
			ck_assert_str_eq(buf, queries[i].want);
		if (queries[i].size < sizeof(buf))
			ck_assert_int_eq(buf[queries[i].size], '!');
	}
}
END_TEST

RUN_TESTS("ctl_client", test_client_errors, test_refused_targets,
	test_no_server, test_query)
