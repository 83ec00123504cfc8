/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control connection that has ended takes nothing of another connection with
 * it: whoever gets its descriptor's number next is still read from.
 */
#include "libipref/ctl.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "libipref/log.h"
#include "tests/unit/run.h"

#define SWEPT_MS 1500 /* ctl looks for ended connections each second */
#define WAIT_MS	 10000
#define PAIRS	 8

static void
on_byte(evutil_socket_t fd, short what, void *arg)
{
	char byte;

	(void)what;
	*(size_t *)arg += read(fd, &byte, 1) == 1;
}

static void
run_for(struct event_base *base, uint64_t ms)
{
	const struct timeval tv = {
		(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* Asks for a page in the server's own loop and reads until the end. */
static void
visit(struct event_base *base, const char *path)
{
	static const char request[] = "GET /status HTTP/1.0\r\n\r\n";
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	uint64_t end = now_ms() + WAIT_MS;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[4096];
	ssize_t n;

	strcpy(sun.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	ck_assert_int_eq(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL),
		(ssize_t)sizeof(request) - 1);
	do {
		ck_assert_uint_lt(now_ms(), end);
		run_for(base, 5);
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n);
	close(fd);
}

START_TEST(test_reused_number)
{
	char dir[] = "/tmp/ipref-ctl.XXXXXX", path[64];
	struct event_base *base = event_base_new();
	struct event *events[2 * PAIRS];
	int pairs[PAIRS][2];
	size_t got = 0, i;
	struct ctl *ctl;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/test.ctl", dir);
	ck_assert_int_eq(ctl_new(&ctl, base, path, "test"), 0);
	visit(base, path);
	/* Some of these get the numbers that have become free. */
	for (i = 0; i < 2 * PAIRS; i++) {
		if (i % 2 == 0)
			ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0,
						 pairs[i / 2]),
				0);
		events[i] = event_new(base, pairs[i / 2][i % 2],
			EV_READ | EV_PERSIST, on_byte, &got);
		ck_assert_int_eq(event_add(events[i], NULL), 0);
	}
	run_for(base, SWEPT_MS);
	for (i = 0; i < 2 * PAIRS; i++)
		ck_assert_int_eq(write(pairs[i / 2][i % 2], "x", 1), 1);
	run_for(base, 50);
	ck_assert_uint_eq(got, 2 * PAIRS);
	for (i = 0; i < 2 * PAIRS; i++) {
		event_free(events[i]);
		close(pairs[i / 2][i % 2]);
	}
	ctl_free(ctl);
	event_base_free(base);
	ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

RUN_TESTS("ctl_fds", test_reused_number)
