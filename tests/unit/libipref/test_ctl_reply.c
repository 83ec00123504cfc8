/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: who may give them, and answers now, later and too late. */
#include "tests/unit/libipref/ctl_server.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534

struct orders {
	atomic_size_t n;	/* commands that wait */
	atomic_size_t closed;	/* of the streams that were the answer */
	struct ctl_reply *r[8]; /* theirs; loop */
	size_t left;		/* of the answer in portions; loop */
};

static enum ctl_next
answer_next(struct evbuffer *out, void *arg)
{
	struct orders *o = arg;

	evbuffer_add_printf(out, "portion %zu\n", o->left--);
	return o->left ? CTL_MORE : CTL_END;
}

static void
answer_closed(void *arg)
{
	struct orders *o = arg;

	o->closed++;
}

static const struct ctl_source source = {
	.next = answer_next, .closed = answer_closed};

static void
order(const char *query, struct ctl_reply *r, void *arg)
{
	struct orders *o = arg;

	if (!query)
		ctl_reply_json(r, json_pack("{s:b}", "done", true));
	else if (strcmp(query, "later"))
		ctl_reply_text(r, 400, "no %s", query);
	else
		o->r[o->n++] = r;
}

/* Answers all that wait; the query says how. */
static int
page_answer(const char *query, struct evbuffer *body, void *arg)
{
	struct orders *o = arg;

	(void)body;
	for (; o->n; o->n--)
		if (query && !strcmp(query, "stream")) {
			o->left = 3;
			ctl_reply_stream(
				o->r[o->n - 1], "text/plain", &source, o);
		} else {
			ctl_reply_text(o->r[o->n - 1], 404, "late");
		}
	return 200;
}

static void
start(struct server *s, struct orders *o)
{
	server_init(s);
	ctl_add_command(s->ctl, "/order", order, o);
	ctl_add_page(s->ctl, "/answer", "text/plain", page_answer, o);
	server_run(s);
}

static void
wait_for_count(const atomic_size_t *n, size_t want)
{
	int i;

	for (i = 0; *n != want; i++) {
		ck_assert_int_lt(i, TIMEOUT_MS / 5);
		(void)poll(NULL, 0, 5); /* poll */
	}
}

static int
order_later(const struct server *s)
{
	static const char request[] = "POST /order?later HTTP/1.1\r\n"
				      "Content-Length: 0\r\n\r\n";
	int fd = dial(s);

	ck_assert_int_eq(
		send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	return fd;
}

/* All until the end of the connection. */
static const char *
rest(int fd)
{
	static char buf[4096];
	size_t got = 0;
	ssize_t n;

	while ((n = read(fd, buf + got, sizeof(buf) - 1 - got)) > 0)
		got += (size_t)n;
	buf[got] = '\0';
	close(fd);
	return buf;
}

START_TEST(test_at_once)
{
	static const struct {
		const char *target;
		bool post;
		int status;
		const char *body;
	} cases[] = {
		{"/order", true, 200, "{\"done\":true}\n"},
		{"/order?x", true, 400, "no x\n"},
		{"/order", false, 405,
			"this is a command: only POST is answered\n"},
		{"/status", true, 405, "only GET is answered\n"},
		{"/none", true, 404, "no such page\n"},
	};
	struct orders o = {0};
	struct server s;
	int status, rc;
	char *body;
	size_t i, len;

	start(&s, &o);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		rc = (cases[i].post ? ctl_post : ctl_get)(s.path,
			cases[i].target, TIMEOUT_MS, &status, &body, &len);
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(status, cases[i].status);
		ck_assert_str_eq(body, cases[i].body);
		free(body);
	}
	server_stop(&s);
}
END_TEST

START_TEST(test_later)
{
	struct orders o = {0};
	struct server s;
	const char *said;
	int fds[3], i;

	start(&s, &o);
	for (i = 0; i < 3; i++) {
		fds[i] = order_later(&s);
		wait_for_count(&o.n, (size_t)i + 1);
	}
	/* What is said meanwhile is not listened to. */
	ck_assert_int_eq(send(fds[0], "GET / HTTP/1.1\r\n\r\n", 18, 0), 18);
	free(get(&s, "/status", 200));
	free(get(&s, "/answer", 200));
	for (i = 0; i < 3; i++) {
		said = rest(fds[i]);
		ck_assert_ptr_nonnull(strstr(said, "HTTP/1.1 404 "));
		ck_assert_ptr_nonnull(strstr(said, "\r\n\r\nlate\n"));
	}
	fds[0] = order_later(&s);
	wait_for_count(&o.n, 1);
	free(get(&s, "/answer?stream", 200));
	said = rest(fds[0]);
	ck_assert_ptr_nonnull(strstr(said, "HTTP/1.1 200 "));
	ck_assert_ptr_nonnull(strstr(said, "portion 3\n"));
	ck_assert_ptr_nonnull(strstr(said, "portion 1\n\r\n0\r\n\r\n"));
	wait_for_count(&o.closed, 1);
	server_stop(&s);
	ck_assert_uint_eq(o.closed, 1);
}
END_TEST

/* Clients that don't wait for the answer. */
START_TEST(test_client_leaves)
{
	struct orders o = {0};
	struct server s;
	int i;

	start(&s, &o);
	for (i = 0; i < 4; i++) {
		close(order_later(&s));
		wait_for_count(&o.n, 1);
		free(get(&s, "/status", 200));
		free(get(&s, i % 2 ? "/answer" : "/answer?stream", 200));
	}
	wait_for_count(&o.closed, 2);
	free(get(&s, "/status", 200));
	server_stop(&s);
}
END_TEST

/* The server goes before the answer is there. */
START_TEST(test_stop_before_the_answer)
{
	struct orders o = {0};
	struct server s;
	int fds[2];

	start(&s, &o);
	fds[0] = order_later(&s);
	fds[1] = order_later(&s);
	wait_for_count(&o.n, 2);
	server_stop(&s);
	ck_assert_str_eq(rest(fds[0]), "");
	ck_assert_str_eq(rest(fds[1]), "");
	ctl_reply_text(o.r[0], 200, "too late");
	ctl_reply_stream(o.r[1], "text/plain", &source, &o);
	ck_assert_uint_eq(o.closed, 1);
}
END_TEST

/* Whoever can connect may read, another user may give no commands. */
START_TEST(test_another_user)
{
	struct orders o = {0};
	struct server s;
	int status, result;
	char *body = NULL;
	size_t len;
	pid_t child;

	if (geteuid())
		return;
	start(&s, &o);
	ck_assert_int_eq(chmod(s.dir, 0755), 0);
	ck_assert_int_eq(chmod(s.path, 0666), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		result = setuid(NOBODY) ||
			 ctl_get(s.path, "/status", TIMEOUT_MS, &status, &body,
				 &len) ||
			 status != 200;
		free(body);
		result = result ||
			 ctl_post(s.path, "/order", TIMEOUT_MS, &status, &body,
				 &len) ||
			 status != 403 || !strstr(body, "only root");
		_exit(result);
	}
	ck_assert_int_eq(waitpid(child, &result, 0), child);
	ck_assert_int_eq(result, 0);
	server_stop(&s);
}
END_TEST

RUN_TESTS("ctl_reply", test_at_once, test_later, test_client_leaves,
	test_stop_before_the_answer, test_another_user)
