/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One peer of the mapper socket, well-behaved: messages, dialects, ends. */
#include "libipref/conn.h"

#include <errno.h>
#include <grp.h>

#include "tests/unit/libipref/conn_peer.h"
#include "tests/unit/run.h"

START_TEST(test_there_and_back)
{
	struct event_base *base = new_base();
	uint8_t pkt[64];
	struct peer p;

	log_init("test", LOG_LEVEL_DEBUG, false);
	peer_init(&p, base, MSG_DIALECT_1);
	p.echo = true;
	put_noop(&p, 0x1234);
	LOOP_UNTIL(base, p.got == 1);
	ck_assert_uint_eq(p.ids[0], 0x1234);
	ck_assert_int_eq(recv(p.fd, pkt, sizeof(pkt), 0), 8);
	ck_assert_mem_eq(pkt, "\x11\x80\x12\x34\x44\x00\x00\x02", 8);
	ck_assert_uint_eq(p.stats.in, 1);
	ck_assert_uint_eq(p.stats.out, 1);
	ck_assert_uint_eq(conn_queued(p.conn), 0);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

/* The first packet that is not refused decides. */
START_TEST(test_dialect)
{
	static const uint8_t first[8] = {0x11, 0x40, 0, 1, 0x44, 0, 0, 2};
	static const uint8_t second[8] = {0x11, 0x40, 0, 2, 0, 0, 0, 2};
	static const uint8_t unknown[8] = {0x11, 0x43, 0, 3, 0x44, 0, 0, 2};
	struct event_base *base = new_base();
	struct msg m = noop(1);
	uint8_t pkt[64];
	struct peer p;

	peer_init(&p, base, MSG_DIALECT_UNKNOWN);
	p.echo = true;
	ck_assert_int_eq(conn_send(p.conn, &m), -EPROTO);
	ck_assert_int_eq(send(p.fd, unknown, 8, 0), 8);
	ck_assert_int_eq(send(p.fd, second, 8, 0), 8);
	ck_assert_int_eq(send(p.fd, first, 8, 0), 8);
	LOOP_UNTIL(base, p.stats.refused[MSG_BAD_VERSION] == 1);
	ck_assert_uint_eq(p.stats.refused[MSG_UNKNOWN], 1);
	ck_assert_uint_eq(p.got, 1);
	ck_assert_uint_eq(p.ids[0], 2);
	ck_assert_int_eq(conn_format(p.conn)->dialect, MSG_DIALECT_2);
	ck_assert_int_eq(recv(p.fd, pkt, sizeof(pkt), 0), 8);
	ck_assert_uint_eq(pkt[4], 0);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

/* What a peer sent before it left is read, also when it left an answer of ours
 * unread; then comes the end, once. */
START_TEST(test_peer_leaves)
{
	struct event_base *base = new_base();
	struct msg m = noop(1);
	struct peer p;
	unsigned unread, i;

	for (unread = 0; unread < 2; unread++) {
		peer_init(&p, base, MSG_DIALECT_1);
		p.keep = true;
		if (unread)
			ck_assert_int_eq(conn_send(p.conn, &m), 0);
		for (i = 0; i < 100; i++)
			put_noop(&p, i + 1);
		close(p.fd);
		p.fd = -1;
		LOOP_UNTIL(base, p.gone);
		ck_assert_uint_eq(p.got, 100);
		ck_assert_uint_eq(p.ids[99], 100);
		loop_rounds(base, 5);
		ck_assert_uint_eq(p.gone, 1);
		ck_assert_int_eq(conn_send(p.conn, &m), -ENOTCONN);
		conn_pause(p.conn, true);
		conn_pause(p.conn, false);
		loop_rounds(base, 5);
		ck_assert_uint_eq(p.gone, 1);
		peer_fini(&p);
	}
	event_base_free(base);
}
END_TEST

/* Sending finds out first that the peer has left: no signal, no call back, and
 * what the peer had sent is read all the same. */
START_TEST(test_send_to_nobody)
{
	struct event_base *base = new_base();
	struct msg m = noop(1);
	struct peer p;
	int rc;

	peer_init(&p, base, MSG_DIALECT_1);
	put_noop(&p, 3);
	close(p.fd);
	p.fd = -1;
	rc = conn_send(p.conn, &m);
	ck_assert_int_eq(rc, -ENOTCONN);
	ck_assert_int_eq(conn_send(p.conn, &m), -ENOTCONN);
	ck_assert_uint_eq(p.got + p.gone, 0);
	LOOP_UNTIL(base, p.gone);
	ck_assert_uint_eq(p.got, 1);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

START_TEST(test_freed_by_handler)
{
	struct event_base *base = new_base();
	struct peer p;
	unsigned at, i;

	for (at = 1; at <= 3; at++) {
		peer_init(&p, base, MSG_DIALECT_1);
		p.free_at = at;
		p.echo = true;
		for (i = 0; i < 5; i++)
			put_noop(&p, i + 1);
		LOOP_UNTIL(base, !p.conn);
		loop_rounds(base, 3);
		ck_assert_uint_eq(p.got, at);
		ck_assert_uint_eq(p.gone, 0);
		peer_fini(&p);
	}
	conn_free(NULL);
	event_base_free(base);
}
END_TEST

/* Sends until the kernel takes no more and count messages are queued; returns
 * how many that were in all. */
static unsigned
fill(struct peer *p, unsigned count)
{
	unsigned n = 0, queued = 0;

	while (queued < count) {
		struct msg m = noop((uint16_t)++n);

		ck_assert_uint_lt(n, 60000);
		ck_assert_int_eq(conn_send(p->conn, &m), 0);
		queued += conn_queued(p->conn) > 0;
	}
	return n;
}

START_TEST(test_queue)
{
	struct event_base *base = new_base();
	uint8_t pkt[64];
	struct peer p;
	unsigned n, i;

	peer_init(&p, base, MSG_DIALECT_1);
	n = fill(&p, 300);
	ck_assert_uint_gt(conn_queued(p.conn), 300 * 8);
	ck_assert_uint_le(conn_queued(p.conn), QUEUE_MAX);
	for (i = 1; i <= n; i++) {
		ssize_t len;

		/* poll: the rest comes when the loop has had its turn */
		while ((len = recv(p.fd, pkt, sizeof(pkt), MSG_DONTWAIT)) < 0)
			loop_round(base);
		ck_assert_int_eq(len, 8);
		ck_assert_uint_eq(pkt[2] << 8 | pkt[3], i);
	}
	ck_assert_uint_eq(conn_queued(p.conn), 0);
	ck_assert_uint_eq(p.stats.out, n);
	/* No event but the one for reading is left to wake the loop. */
	LOOP_UNTIL(base,
		event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == 1);
	ck_assert_uint_eq(p.gone, 0);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

START_TEST(test_peer_leaves_with_queue)
{
	struct event_base *base = new_base();
	struct peer p;

	peer_init(&p, base, MSG_DIALECT_1);
	(void)fill(&p, 10);
	close(p.fd);
	p.fd = -1;
	LOOP_UNTIL(base, p.gone);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

START_TEST(test_bad_message)
{
	struct event_base *base = new_base();
	struct msg m = {.mode = MSG_REQ, .cmd = MSG_MC_GET_EA, .id = 1};
	struct peer p;

	peer_init(&p, base, MSG_DIALECT_1);
	ck_assert_int_eq(conn_send(p.conn, &m), -EINVAL);
	m = noop(1);
	ck_assert_int_eq(conn_send(p.conn, &m), 0);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

START_TEST(test_pause)
{
	struct event_base *base = new_base();
	struct peer p;
	unsigned i;

	peer_init(&p, base, MSG_DIALECT_1);
	p.pause_at = 2;
	for (i = 0; i < 5; i++)
		put_noop(&p, i + 1);
	LOOP_UNTIL(base, p.got == 2);
	loop_rounds(base, 5);
	ck_assert_uint_eq(p.got, 2);
	conn_pause(p.conn, true);
	conn_pause(p.conn, false);
	LOOP_UNTIL(base, p.got == 5);
	ck_assert_uint_eq(p.ids[4], 5);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

START_TEST(test_credentials)
{
	struct event_base *base = new_base();
	gid_t groups[2] = {4242, 4343};
	struct peer p, q;
	bool root = geteuid() == 0;

	/* Check runs each test in a process of its own. */
	if (root)
		ck_assert_int_eq(setgroups(ARRAY_LEN(groups), groups), 0);
	peer_init(&p, base, MSG_DIALECT_1);
	peer_init(&q, base, MSG_DIALECT_1);
	ck_assert_int_eq(conn_pid(p.conn), getpid());
	ck_assert_uint_eq(conn_uid(p.conn), geteuid());
	ck_assert_uint_eq(conn_gid(p.conn), getegid());
	ck_assert(conn_in_group(p.conn, getegid()));
	ck_assert(!conn_in_group(p.conn, 4344));
	ck_assert(!root || conn_in_group(p.conn, 4242));
	ck_assert(!root || conn_in_group(p.conn, 4343));
	if (root)
		ck_assert_int_eq(setgroups(0, NULL), 0);
	/* It is about the time when the peer connected. */
	ck_assert(!root || conn_in_group(p.conn, 4343));
	ck_assert_uint_ne(conn_serial(p.conn), conn_serial(q.conn));
	peer_fini(&p);
	peer_fini(&q);
	event_base_free(base);
}
END_TEST

RUN_TESTS("conn", test_there_and_back, test_dialect, test_peer_leaves,
	test_send_to_nobody, test_freed_by_handler, test_queue,
	test_peer_leaves_with_queue, test_bad_message, test_pause,
	test_credentials)
