/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket from outside: pages by ctl_get(), and sockets that speak
 * HTTP badly, or not at all.
 */
#include "tests/unit/libipref/ctl_server.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

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

/* The lowest descriptor that is free. */
static rlim_t
free_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return (rlim_t)fd;
}

static void
wait_for_text(const struct capture *c, const char *text)
{
	char buf[512];
	ssize_t n;
	int i;

	for (i = 0; i < TIMEOUT_MS / 5; i++) {
		n = pread(c->mem, buf, sizeof(buf) - 1, 0);
		ck_assert_int_ge(n, 0);
		buf[n] = '\0';
		if (strstr(buf, text))
			return;
		(void)poll(NULL, 0, 5); /* poll */
	}
	ck_abort_msg("never said: %s", text);
}

/* Without descriptors for a while: who waits is served later. */
START_TEST(test_no_descriptors)
{
	static const char request[] = "GET /echo?x HTTP/1.1\r\n\r\n";
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct rlimit before, none;
	struct server s;
	struct capture c;
	char buf[512], *said;
	int fd;

	server_start(&s);
	strcpy(sun.sun_path, s.path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	capture_start(&c, STDERR_FILENO);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = free_descriptor();
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	wait_for_text(&c, "control: accept: Too many open files");
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	said = capture_end(&c);
	free(said);
	ck_assert_int_eq(
		send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	ck_assert_int_gt(read(fd, buf, sizeof(buf)), 0);
	close(fd);
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

RUN_TESTS("ctl", test_status, test_metrics, test_pages, test_big_page,
	test_raw_requests, test_garbage, test_many_connections,
	test_no_descriptors, test_many_in_turn, test_stop_with_clients)
