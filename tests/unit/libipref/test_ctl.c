/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket from outside: a server on a thread of its own, asked by
 * ctl_get() and by sockets that speak HTTP badly.
 */
#include "libipref/ctl.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libipref/log.h"
#include "tests/unit/capture.h"
#include "tests/unit/run.h"

#define TIMEOUT_MS 20000

struct server {
	char dir[64], path[96];
	struct event_base *base;
	struct event *quit;
	struct ctl *ctl;
	pthread_t thread;
	int pipe[2]; /* a byte ends the loop */
	size_t big;  /* bytes of /big */
};

static json_t *
status_counts(void *arg)
{
	(void)arg;
	return json_pack("{s:i, s:s}", "n", 5, "name", "a\"b");
}

static void
write_metrics(struct ctl_metrics *m, void *arg)
{
	(void)arg;
	ctl_metric(m, "gwd_drops_total", CTL_COUNTER, "Packets dropped.");
	ctl_sample(m, "reason=\"short\"", 7);
	ctl_sample(m, "reason=\"long\"", UINT64_MAX);
	ctl_metric(m, "gwd_peers", CTL_GAUGE, "Peers known.");
	ctl_sample(m, NULL, 0);
}

static int
page_echo(const char *query, struct evbuffer *body, void *arg)
{
	(void)arg;
	evbuffer_add_printf(body, "%s", query ? query : "(none)");
	return query && !strcmp(query, "missing") ? 404 : 200;
}

static int
page_big(const char *query, struct evbuffer *body, void *arg)
{
	const struct server *s = arg;
	char block[1024];
	size_t n;

	(void)query;
	memset(block, 'x', sizeof(block));
	for (n = 0; n < s->big; n += sizeof(block))
		evbuffer_add(body, block, sizeof(block));
	return 200;
}

static void
on_quit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void *
serve(void *arg)
{
	struct server *s = arg;

	event_base_dispatch(s->base);
	return NULL;
}

static void
server_start(struct server *s)
{
	memset(s, 0, sizeof(*s));
	snprintf(s->dir, sizeof(s->dir), "/tmp/ipref-ctl-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/x.ctl", s->dir);
	s->base = event_base_new();
	ck_assert_int_eq(pipe(s->pipe), 0);
	s->quit = event_new(s->base, s->pipe[0], EV_READ, on_quit, s->base);
	ck_assert_int_eq(event_add(s->quit, NULL), 0);
	ck_assert_int_eq(ctl_new(&s->ctl, s->base, s->path, "gwd"), 0);
	ctl_add_status(s->ctl, "counts", status_counts, NULL);
	ctl_add_metrics(s->ctl, write_metrics, NULL);
	ctl_add_page(s->ctl, "/echo", "text/plain", page_echo, NULL);
	ctl_add_page(s->ctl, "/big", NULL, page_big, s);
	s->big = (size_t)8 << 20;
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

/* Ends it; what lies at its path is the caller's. */
static void
server_end(struct server *s)
{
	ck_assert_int_eq(write(s->pipe[1], "", 1), 1);
	pthread_join(s->thread, NULL);
	ctl_free(s->ctl);
	event_free(s->quit);
	event_base_free(s->base);
	close(s->pipe[0]);
	close(s->pipe[1]);
	libevent_global_shutdown();
}

static void
server_stop(struct server *s)
{
	server_end(s);
	ck_assert_int_eq(access(s->path, F_OK), -1);
	ck_assert_int_eq(rmdir(s->dir), 0);
}

/* The body, the caller's. */
static char *
get(const struct server *s, const char *target, int want)
{
	int status = 0, rc;
	char *body;
	size_t len;

	rc = ctl_get(s->path, target, TIMEOUT_MS, &status, &body, &len);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_eq(status, want);
	ck_assert_uint_eq(strlen(body), len);
	return body;
}

/* A connected socket. */
static int
dial(const struct server *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", s->path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

/* Sends bytes, closes that side, and reads until the server closes. */
static void
converse(const struct server *s, const char *p, size_t len, char *buf,
	size_t size)
{
	int fd = dial(s);
	size_t got = 0;
	ssize_t n;

	/* The server may close before all of it is read. */
	(void)!send(fd, p, len, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (got < size - 1) {
		n = read(fd, buf + got, size - 1 - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	buf[got] = '\0';
	close(fd);
}

START_TEST(test_status)
{
	struct server s;
	json_t *obj, *counts;
	const char *program, *version;
	int pid, uptime, n;
	char *body;

	server_start(&s);
	body = get(&s, "/status", 200);
	obj = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(obj);
	ck_assert_int_eq(json_unpack_ex(obj, NULL, JSON_STRICT,
				 "{s:s, s:s, s:i, s:i, s:o}", "program",
				 &program, "version", &version, "pid", &pid,
				 "uptime_seconds", &uptime, "counts", &counts),
		0);
	ck_assert_str_eq(program, "gwd");
	ck_assert_str_eq(version, IPREF_VERSION);
	ck_assert_int_eq(pid, getpid());
	ck_assert_int_ge(uptime, 0);
	ck_assert_int_lt(uptime, TIMEOUT_MS / 1000);
	ck_assert_int_eq(json_unpack(counts, "{s:i}", "n", &n), 0);
	ck_assert_int_eq(n, 5);
	json_decref(obj);
	free(body);
	server_stop(&s);
}
END_TEST

static bool
is_metric_name(const char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz_", p[i]) &&
			(i == 0 || !strchr("0123456789", p[i])))
			return false;
	return len > 0;
}

/* The text format: HELP, TYPE and then samples of the same name. */
START_TEST(test_metrics)
{
	char name[128] = "", help[128], type[16], *body, *line, *save = NULL;
	int n_help = 0, n_type = 0, n_samples = 0;
	struct server s;
	size_t len;

	server_start(&s);
	body = get(&s, "/metrics", 200);
	ck_assert_ptr_nonnull(
		strstr(body, "\ngwd_drops_total{reason=\"short\"} 7\n"));
	ck_assert_ptr_nonnull(strstr(body,
		"\ngwd_drops_total{reason=\"long\"} 18446744073709551615\n"));
	ck_assert_ptr_nonnull(strstr(body, "\ngwd_peers 0\n"));
	ck_assert_ptr_nonnull(
		strstr(body, "\nipref_build_info{program=\"gwd\","));
	ck_assert_int_eq(body[strlen(body) - 1], '\n');
	for (line = strtok_r(body, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "# HELP %127s %127[^\n]", name, help) == 2) {
			n_help++;
			continue;
		}
		if (sscanf(line, "# TYPE %127s %15s", help, type) == 2) {
			ck_assert_str_eq(help, name);
			ck_assert(!strcmp(type, "counter") ||
				  !strcmp(type, "gauge"));
			n_type++;
			continue;
		}
		len = strcspn(line, "{ ");
		ck_assert(is_metric_name(line, len));
		ck_assert_uint_eq(strlen(name), len);
		ck_assert_int_eq(strncmp(line, name, len), 0);
		line = strrchr(line, ' ');
		ck_assert_uint_eq(
			strspn(line + 1, "0123456789"), strlen(line + 1));
		n_samples++;
	}
	ck_assert_int_eq(n_help, 4);
	ck_assert_int_eq(n_type, 4);
	ck_assert_int_eq(n_samples, 5);
	free(body);
	server_stop(&s);
}
END_TEST

START_TEST(test_pages)
{
	static const struct {
		const char *target;
		int status;
		const char *body;
	} cases[] = {
		{"/echo", 200, "(none)"},
		{"/echo?a=b&c=%20d", 200, "a=b&c=%20d"},
		{"/echo?missing", 404, "missing"},
		{"/nope", 404, "no such page\n"},
		{"/", 404, "no such page\n"},
		{"/status/", 404, "no such page\n"},
		{"//status", 404, "no such page\n"},
		{"/../status", 404, "no such page\n"},
	};
	struct server s;
	char *body;
	size_t i;

	server_start(&s);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		body = get(&s, cases[i].target, cases[i].status);
		ck_assert_str_eq(body, cases[i].body);
		free(body);
	}
	server_stop(&s);
}
END_TEST

START_TEST(test_big_page)
{
	struct server s;
	char *body;

	server_start(&s);
	body = get(&s, "/big", 200);
	ck_assert_uint_eq(strlen(body), s.big);
	free(body);
	server_stop(&s);
}
END_TEST

/* What answers to which bytes; a page is served afterwards in any case. */
START_TEST(test_raw_requests)
{
	static const struct {
		const char *request, *begins, *has;
	} cases[] = {
		{"POST /status HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
			"HTTP/1.1 405 ", "\r\nAllow: GET\r\n"},
		{"DELETE /status HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ",
			"\r\nAllow: GET\r\n"},
		{"PUT /echo HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 405 ", "only GET is answered"},
		{"HEAD /status HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ",
			"\r\nAllow: GET\r\n"},
		{"GET /status HTTP/1.0\r\n\r\n", "HTTP/1.0 200 ",
			"\r\nContent-Type: application/json\r\n"},
		{"GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ",
			"\r\nContent-Type: text/plain; version=0.0.4; "
			"charset=utf-8\r\n"},
		{"POST /nope HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 404 ", "no such page"},
		{"POST /status HTTP/1.1\r\nContent-Length: 99999\r\n\r\n",
			"HTTP/1.1 413 ", ""},
		{"BREW /status HTTP/1.1\r\n\r\n", "HTTP/1.1 501 ", ""},
		{"GET\r\n\r\n", "HTTP/1.1 400 ", ""},
		{"", "", ""},
		{"GET /status HTTP/1.1\r\n", "", ""},
		{"\r\n\r\n\r\n", "", ""},
	};
	char buf[8192];
	struct server s;
	size_t i;

	server_start(&s);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		converse(&s, cases[i].request, strlen(cases[i].request), buf,
			sizeof(buf));
		if (strncmp(buf, cases[i].begins, strlen(cases[i].begins)))
			ck_abort_msg("request %zu: %s", i, buf);
		if (!strstr(buf, cases[i].has))
			ck_abort_msg("request %zu: %s", i, buf);
		free(get(&s, "/status", 200));
	}
	server_stop(&s);
}
END_TEST

/* Bytes that are no HTTP, long and short ones; the generator is fixed, so that
 * a failure comes again. */
START_TEST(test_garbage)
{
	static char bytes[20000], answer[8192];
	uint32_t x = 1;
	struct server s;
	size_t i, len;
	int round;

	server_start(&s);
	for (round = 0; round < 300; round++) {
		len = (size_t)round * round % sizeof(bytes);
		for (i = 0; i < len; i++) {
			x = x * 1103515245 + 12345;
			bytes[i] = (char)(x >> 16);
		}
		/* Every other one begins like a request. */
		if (round & 1 && len > 20)
			memcpy(bytes, "GET /status HTTP/1.1", 20);
		converse(&s, bytes, len, answer, sizeof(answer));
	}
	free(get(&s, "/status", 200));
	server_stop(&s);
}
END_TEST

/* Clients beyond the bound wait until others leave; none is lost. */
START_TEST(test_many_connections)
{
	enum {
		N = 100,
		BOUND = 64
	};
	static const char request[] = "GET /echo?x HTTP/1.1\r\n\r\n";
	struct pollfd pfd = {.events = POLLIN};
	int fds[N], i, answered = 0;
	struct server s;
	char buf[512];

	server_start(&s);
	for (i = 0; i < N; i++) {
		fds[i] = dial(&s);
		ck_assert_int_eq(send(fds[i], request, sizeof(request) - 1, 0),
			sizeof(request) - 1);
	}
	for (i = 0; i < BOUND; i++) {
		pfd.fd = fds[i];
		ck_assert_int_eq(poll(&pfd, 1, TIMEOUT_MS), 1);
		ck_assert_int_gt(read(fds[i], buf, sizeof(buf)), 0);
	}
	for (i = BOUND; i < N; i++) {
		pfd.fd = fds[i];
		answered += poll(&pfd, 1, 0);
	}
	ck_assert_int_eq(answered, 0);
	/* Each that leaves makes room for one. */
	for (i = BOUND; i < N; i++) {
		close(fds[i - BOUND]);
		pfd.fd = fds[i];
		ck_assert_int_eq(poll(&pfd, 1, TIMEOUT_MS), 1);
		ck_assert_int_gt(read(fds[i], buf, sizeof(buf)), 0);
		ck_assert_ptr_nonnull(strstr(buf, "200 OK"));
	}
	for (i = N - BOUND; i < N; i++)
		close(fds[i]);
	free(get(&s, "/status", 200));
	server_stop(&s);
}
END_TEST

/* One after the other, more than any bound. */
START_TEST(test_many_in_turn)
{
	struct server s;
	int i, fd;

	server_start(&s);
	for (i = 0; i < 2000; i++) {
		fd = dial(&s);
		if (i % 3 == 0)
			ck_assert_int_eq(send(fd, "GET /st", 7, 0), 7);
		close(fd);
	}
	free(get(&s, "/status", 200));
	server_stop(&s);
}
END_TEST

/* The server goes away under its clients. */
START_TEST(test_stop_with_clients)
{
	struct server s;
	char byte;
	int fds[70], i;

	server_start(&s);
	for (i = 0; i < 60; i++)
		fds[i] = dial(&s);
	/* Answered, so all before it were accepted. */
	free(get(&s, "/missing", 404));
	for (; i < 70; i++)
		fds[i] = dial(&s);
	server_stop(&s);
	for (i = 0; i < 70; i++) {
		ck_assert_int_le(read(fds[i], &byte, 1), 0);
		close(fds[i]);
	}
}
END_TEST

/* What lies at the path decides. */
static int
try_new(const char *path, struct ctl **out, const char *want_said)
{
	struct event_base *base = event_base_new();
	struct capture c;
	char *said;
	int rc;

	*out = (struct ctl *)base; /* has to be overwritten */
	capture_start(&c, STDERR_FILENO);
	rc = ctl_new(out, base, path, "other");
	said = capture_end(&c);
	ck_assert_ptr_nonnull(strstr(said, want_said));
	if (rc)
		ck_assert_ptr_null(*out);
	ctl_free(*out);
	event_base_free(base);
	free(said);
	return rc;
}

START_TEST(test_live_socket)
{
	struct server s;
	struct ctl *ctl;
	struct stat st;

	server_start(&s);
	ck_assert_int_eq(stat(s.path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0660);
	ck_assert_int_eq(
		try_new(s.path, &ctl, "Address already in use"), -EADDRINUSE);
	free(get(&s, "/status", 200));
	server_stop(&s);
}
END_TEST

START_TEST(test_other_paths)
{
	char dir[64] = "/tmp/ipref-ctl-XXXXXX", path[128], long_path[256];
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct ctl *ctl;
	int fd;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* Left behind by a server that was killed. */
	snprintf(path, sizeof(path), "%s/x.ctl", dir);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_int_eq(try_new(path, &ctl, ""), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
	/* Something else is left alone. */
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(try_new(path, &ctl, "x.ctl: Socket op"), -ENOTSOCK);
	ck_assert_int_eq(unlink(path), 0);
	/* No directory; too long. */
	snprintf(path, sizeof(path), "%s/none/x.ctl", dir);
	ck_assert_int_eq(try_new(path, &ctl, "x.ctl: No such file"), -ENOENT);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	ck_assert_int_eq(try_new(long_path, &ctl, "too long"), -ENAMETOOLONG);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* Another's socket at the path is not removed at the end. */
START_TEST(test_path_taken_over)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct server s;
	char old[128];
	int fd;

	server_start(&s);
	snprintf(old, sizeof(old), "%s.old", s.path);
	ck_assert_int_eq(rename(s.path, old), 0);
	strcpy(sun.sun_path, s.path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	server_end(&s);
	ck_assert_int_eq(unlink(s.path), 0);
	ck_assert_int_eq(unlink(old), 0);
	ck_assert_int_eq(rmdir(s.dir), 0);
	close(fd);
}
END_TEST

RUN_TESTS("ctl", test_status, test_metrics, test_pages, test_big_page,
	test_raw_requests, test_garbage, test_many_connections,
	test_many_in_turn, test_stop_with_clients, test_live_socket,
	test_other_paths, test_path_taken_over)
