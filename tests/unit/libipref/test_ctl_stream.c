/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pages in portions: clients that read, that stop reading, that leave; sources
 * that wait, that end, that fail; a server that goes away under all of them. */
#include "tests/unit/libipref/ctl_server.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>

#define PORTION ((size_t)32 << 10)

/* What the source of /stream does; shared with the server's thread. */
struct script {
	size_t portions;    /* until the end */
	enum ctl_next last; /* how it ends: CTL_END, CTL_FAIL, CTL_WAIT */
	bool idle;	    /* says CTL_MORE without a byte, until `go` */
	atomic_bool go;
	atomic_size_t given, opened, closed;
	struct ctl_stream *stream; /* the last that was opened; loop */
};

static enum ctl_next
script_next(struct evbuffer *out, void *arg)
{
	static char block[PORTION];
	struct script *sc = arg;

	if (sc->idle && !sc->go)
		return CTL_MORE;
	if (sc->given == sc->portions)
		return sc->last;
	memset(block, 'a' + (int)(sc->given % 26), sizeof(block));
	ck_assert_int_eq(evbuffer_add(out, block, sizeof(block)), 0);
	sc->given++;
	return CTL_MORE;
}

static void
script_closed(void *arg)
{
	struct script *sc = arg;

	sc->closed++;
}

static const struct ctl_source source = {
	.next = script_next, .closed = script_closed};

static int
script_open(struct ctl_stream *s, const char *query, struct evbuffer *error,
	void *page_arg, void **arg)
{
	struct script *sc = page_arg;

	if (query) {
		evbuffer_add_printf(error, "no %s here\n", query);
		return 400;
	}
	sc->stream = s;
	sc->opened++;
	*arg = sc;
	return 200;
}

/* One more portion for the stream that waits. */
static int
page_wake(const char *query, struct evbuffer *body, void *arg)
{
	struct script *sc = arg;

	(void)query;
	(void)body;
	sc->portions++;
	ctl_wake(sc->stream);
	ctl_wake(sc->stream);
	return 200;
}

static void
start(struct server *s, struct script *sc)
{
	server_init(s);
	ctl_add_stream(
		s->ctl, "/stream", "text/plain", script_open, &source, sc);
	ctl_add_page(s->ctl, "/wake", "text/plain", page_wake, sc);
	server_run(s);
}

struct received {
	size_t len, pieces;
	int status;
	int stop; /* returned at once */
};

static int
on_piece(const char *p, size_t len, int status, void *arg)
{
	struct received *r = arg;
	size_t i;

	if (r->stop)
		return r->stop;
	for (i = 0; i < len && status == 200; i++)
		if (p[i] != 'a' + (int)((r->len + i) / PORTION % 26))
			return -EILSEQ;
	r->len += len;
	r->pieces++;
	r->status = status;
	return 0;
}

static int
call(const struct server *s, const char *target, struct received *r)
{
	const struct ctl_call c = {.path = s->path,
		.method = "GET",
		.target = target,
		.timeout_ms = TIMEOUT_MS,
		.idle_ms = TIMEOUT_MS};
	int status, rc = ctl_call(&c, &status, on_piece, r);

	if (!rc)
		ck_assert_int_eq(status, r->status);
	return rc;
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

/* A connection that has asked for the stream. */
static int
ask(const struct server *s, const char *version)
{
	char request[64];
	int fd = dial(s), len;

	len = snprintf(request, sizeof(request), "GET /stream HTTP/%s\r\n\r\n",
		version);
	ck_assert_int_eq(send(fd, request, (size_t)len, 0), len);
	return fd;
}

START_TEST(test_whole)
{
	struct script sc = {.portions = 400, .last = CTL_END};
	struct received r = {0};
	struct server s;

	start(&s, &sc);
	ck_assert_int_eq(call(&s, "/stream", &r), 0);
	ck_assert_int_eq(r.status, 200);
	ck_assert_uint_eq(r.len, 400 * PORTION);
	ck_assert_uint_gt(r.pieces, 1);
	wait_for_count(&sc.closed, 1);
	/* And an empty one. */
	r = (struct received){.status = 200};
	sc.portions = 0;
	sc.given = 0;
	ck_assert_int_eq(call(&s, "/stream", &r), 0);
	ck_assert_uint_eq(r.len, 0);
	wait_for_count(&sc.closed, 2);
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, 2);
}
END_TEST

/* Without chunks the end of the connection is the end. */
START_TEST(test_http_1_0)
{
	struct script sc = {.portions = 40, .last = CTL_END};
	static char buf[PORTION];
	size_t got = 0;
	struct server s;
	ssize_t n;
	int fd;

	start(&s, &sc);
	fd = ask(&s, "1.0");
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		got += (size_t)n;
	ck_assert_uint_ge(got, 40 * PORTION);
	ck_assert_uint_lt(got, 41 * PORTION);
	close(fd);
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, 1);
}
END_TEST

START_TEST(test_refused)
{
	struct script sc = {.last = CTL_END};
	struct server s;
	char *body;

	start(&s, &sc);
	body = get(&s, "/stream?sense", 400);
	ck_assert_str_eq(body, "no sense here\n");
	free(body);
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, 0);
}
END_TEST

/* What breaks off is seen to: there is no last chunk. */
START_TEST(test_failure)
{
	struct script sc = {.portions = 10, .last = CTL_FAIL};
	struct received r = {0};
	struct server s;

	start(&s, &sc);
	ck_assert_int_eq(call(&s, "/stream", &r), -ECONNRESET);
	ck_assert_uint_le(r.len, 10 * PORTION);
	wait_for_count(&sc.closed, 1);
	free(get(&s, "/status", 200));
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, 1);
}
END_TEST

/* Nothing is made for a client that does not read, and nobody waits for it. */
START_TEST(test_client_stops_reading)
{
	enum {
		PORTIONS = 2000
	};
	struct script sc = {.portions = PORTIONS, .last = CTL_END};
	static char buf[PORTION];
	size_t got = 0, given;
	struct server s;
	ssize_t n;
	int fd, i;

	start(&s, &sc);
	fd = ask(&s, "1.0");
	wait_for_count(&sc.opened, 1);
	for (i = 0; i < 50; i++)
		free(get(&s, "/status", 200));
	/* A socket's buffer, and one portion. */
	given = sc.given;
	ck_assert_uint_ge(given, 1);
	ck_assert_uint_lt(given, PORTIONS / 10);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		got += (size_t)n;
	ck_assert_uint_ge(got, PORTIONS * PORTION);
	close(fd);
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, 1);
}
END_TEST

/* Clients that leave: before anything, in the middle, while nothing comes. */
START_TEST(test_client_leaves)
{
	struct script sc = {.portions = 2000, .last = CTL_END};
	struct received r = {.stop = -EINTR};
	static char buf[PORTION];
	struct server s;
	int fd, i;

	start(&s, &sc);
	close(ask(&s, "1.1"));
	ck_assert_int_eq(call(&s, "/stream", &r), -EINTR);
	fd = ask(&s, "1.1");
	for (i = 0; i < 20; i++)
		ck_assert_int_gt(read(fd, buf, sizeof(buf)), 0);
	close(fd);
	/* The first may have left before it was heard. */
	for (i = 0; i < 20; i++)
		free(get(&s, "/status", 200));
	wait_for_count(&sc.closed, sc.opened);
	ck_assert_uint_ge(sc.closed, 2);
	sc.portions = sc.given;
	sc.last = CTL_WAIT;
	i = (int)sc.opened;
	fd = ask(&s, "1.1");
	wait_for_count(&sc.opened, (size_t)i + 1);
	/* What it says is not kept, and its end is seen behind it. */
	memset(buf, 'x', sizeof(buf));
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(
			send(fd, buf, sizeof(buf), 0), (ssize_t)sizeof(buf));
	close(fd);
	wait_for_count(&sc.closed, sc.opened);
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, sc.opened);
}
END_TEST

START_TEST(test_waiting)
{
	struct script sc = {.last = CTL_WAIT};
	static char buf[2 * PORTION];
	size_t got;
	struct server s;
	ssize_t n;
	int fd, i;

	start(&s, &sc);
	fd = ask(&s, "1.0");
	n = read(fd, buf, sizeof(buf)); /* the headers */
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, 1000);
	for (i = 0; i < 3; i++) {
		free(get(&s, "/wake", 200));
		for (got = 0; got < PORTION; got += (size_t)n) {
			n = read(fd, buf, sizeof(buf));
			ck_assert_int_gt(n, 0);
		}
		ck_assert_uint_eq(got, PORTION);
		ck_assert_int_eq(buf[0], 'a' + i);
	}
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, 1);
	ck_assert_int_eq(read(fd, buf, sizeof(buf)), 0);
	close(fd);
}
END_TEST

/* A source that has to look for long, and finds nothing: others are served. */
START_TEST(test_busy_source)
{
	struct script sc = {.portions = 1, .last = CTL_END, .idle = true};
	struct received r = {0};
	struct server s;
	int fd, i;

	start(&s, &sc);
	fd = ask(&s, "1.1");
	wait_for_count(&sc.opened, 1);
	for (i = 0; i < 20; i++)
		free(get(&s, "/status", 200));
	ck_assert_uint_eq(sc.given, 0);
	close(fd);
	wait_for_count(&sc.closed, 1);
	sc.go = true;
	ck_assert_int_eq(call(&s, "/stream", &r), 0);
	ck_assert_uint_eq(r.len, PORTION);
	server_stop(&s);
}
END_TEST

/* Half of the places are for streams, whoever asks for more is told. */
START_TEST(test_bound)
{
	enum {
		BOUND = 32
	};
	struct script sc = {.last = CTL_WAIT};
	struct server s;
	int fds[BOUND], i;
	char *body;

	start(&s, &sc);
	for (i = 0; i < BOUND; i++)
		fds[i] = ask(&s, "1.1");
	wait_for_count(&sc.opened, BOUND);
	body = get(&s, "/stream", 503);
	ck_assert_ptr_nonnull(strstr(body, "too many"));
	free(body);
	free(get(&s, "/status", 200));
	close(fds[0]);
	wait_for_count(&sc.closed, 1);
	fds[0] = ask(&s, "1.1");
	wait_for_count(&sc.opened, BOUND + 1);
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, BOUND + 1);
	for (i = 0; i < BOUND; i++)
		close(fds[i]);
}
END_TEST

/* The server stops while one is sent, and before the part that feeds it goes:
 * nothing is asked of it any more. */
START_TEST(test_stop_in_the_middle)
{
	struct script sc = {.portions = 2000, .last = CTL_END};
	static char buf[PORTION];
	struct server s;
	int fds[3];

	start(&s, &sc);
	fds[0] = ask(&s, "1.1");
	fds[1] = ask(&s, "1.0");
	fds[2] = ask(&s, "1.1");
	wait_for_count(&sc.opened, 3);
	ck_assert_int_gt(read(fds[0], buf, sizeof(buf)), 0);
	ck_assert_int_eq(write(s.pipe[1], "", 1), 1);
	pthread_join(s.thread, NULL);
	ctl_stop(s.ctl);
	ck_assert_uint_eq(sc.closed, 3);
	ck_assert_int_eq(event_add(s.quit, NULL), 0);
	server_run(&s);
	server_stop(&s);
	ck_assert_uint_eq(sc.closed, 3);
	close(fds[0]);
	close(fds[1]);
	close(fds[2]);
}
END_TEST

RUN_TESTS("ctl_stream", test_whole, test_http_1_0, test_refused, test_failure,
	test_client_stops_reading, test_client_leaves, test_waiting,
	test_busy_source, test_bound, test_stop_in_the_middle)
