/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers of the mapper socket that send rubbish, too much, or do not read. */
#include "libipref/conn.h"

#include <dirent.h>
#include <errno.h>

#include "tests/unit/libipref/conn_peer.h"
#include "tests/unit/run.h"

/* Each kind of bad packet is counted, and the connection stays. */
START_TEST(test_refused)
{
	static const struct {
		enum msg_error e;
		size_t len;
		uint8_t pkt[12];
	} rows[] = {
		{MSG_SHORT, 4, {0x11, 0x40, 0, 1}},
		{MSG_UNALIGNED, 9, {0x11, 0x40, 0, 1, 0x44, 0, 0, 2}},
		{MSG_BAD_LENGTH, 8, {0x11, 0x40, 0, 1, 0x44, 0, 0, 3}},
		{MSG_BAD_SIGNATURE, 8, {0x12, 0x40, 0, 1, 0x44, 0, 0, 2}},
		{MSG_BAD_RESERVED, 8, {0x11, 0x40, 0, 1, 0x44, 9, 0, 2}},
		{MSG_BAD_VERSION, 8, {0x11, 0x40, 0, 1, 0x46, 0, 0, 2}},
		{MSG_UNKNOWN, 8, {0x11, 0x48, 0, 1, 0x44, 0, 0, 2}},
		{MSG_BAD_MODE, 8, {0x11, 0x07, 0, 1, 0x44, 0, 0, 2}},
		{MSG_BAD_ITEMS, 12, {0x11, 0x40, 0, 1, 0x44, 0, 0, 3}},
	};
	struct event_base *base = new_base();
	struct peer p;
	size_t i, k;

	peer_init(&p, base, MSG_DIALECT_1);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_int_eq(send(p.fd, rows[i].pkt, rows[i].len, 0),
			(ssize_t)rows[i].len);
	put_noop(&p, 7);
	LOOP_UNTIL(base, p.got == 1);
	ck_assert_uint_eq(p.ids[0], 7);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_uint_eq(p.stats.refused[rows[i].e], 1);
	for (i = k = 0; i < MSG_N_ERRORS; i++)
		k += p.stats.refused[i];
	ck_assert_uint_eq(k, ARRAY_LEN(rows));
	ck_assert_uint_eq(p.gone, 0);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

START_TEST(test_truncated)
{
	static uint8_t big[MSG_MAX + 4] = {0x11, 0x40, 0, 1, 0x44, 0, 0x40, 1};
	struct event_base *base = new_base();
	struct peer p;

	peer_init(&p, base, MSG_DIALECT_1);
	ck_assert_int_eq(send(p.fd, big, sizeof(big), 0), sizeof(big));
	put_noop(&p, 9);
	LOOP_UNTIL(base, p.got == 1);
	ck_assert_uint_eq(p.stats.truncated, 1);
	ck_assert_uint_eq(p.stats.in, 1);
	ck_assert_uint_eq(p.ids[0], 9);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

/* A peer that does not read is dropped, and from the loop only. */
START_TEST(test_overflow)
{
	struct event_base *base = new_base();
	struct msg m = noop(1);
	struct peer p;
	unsigned n = 0;
	int rc;

	peer_init(&p, base, MSG_DIALECT_1);
	put_noop(&p, 1);
	while ((rc = conn_send(p.conn, &m)) == 0) {
		ck_assert_uint_lt(++n, 100000);
		ck_assert_uint_le(conn_queued(p.conn), QUEUE_MAX);
	}
	ck_assert_int_eq(rc, -ENOBUFS);
	ck_assert_uint_eq(p.gone, 0);
	ck_assert_uint_eq(p.stats.overflows, 1);
	ck_assert_uint_eq(conn_queued(p.conn), 0);
	ck_assert_int_eq(conn_send(p.conn, &m), -ENOTCONN);
	LOOP_UNTIL(base, p.gone);
	ck_assert_uint_eq(p.got, 0);
	peer_fini(&p);
	/* Freed before the loop could tell. */
	peer_init(&p, base, MSG_DIALECT_1);
	while (conn_send(p.conn, &m) == 0)
		;
	conn_free(p.conn);
	p.conn = NULL;
	loop_rounds(base, 3);
	ck_assert_uint_eq(p.gone, 0);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

/* A peer that has sent much does not keep another waiting. */
START_TEST(test_fairness)
{
	struct event_base *base = new_base();
	struct peer busy, quiet;
	unsigned calls = 0, i;

	peer_init(&busy, base, MSG_DIALECT_1);
	peer_init(&quiet, base, MSG_DIALECT_1);
	busy.clock = quiet.clock = &calls;
	for (i = 0; i < 200; i++)
		put_noop(&busy, i + 1);
	put_noop(&quiet, 1);
	LOOP_UNTIL(base, busy.got == 200 && quiet.got == 1);
	ck_assert_uint_le(quiet.last, 65);
	peer_fini(&busy);
	peer_fini(&quiet);
	event_base_free(base);
}
END_TEST

static unsigned
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Descriptors that a peer slips into its packets stay out. */
START_TEST(test_no_descriptors)
{
	uint8_t pkt[8] = {0x11, 0x40, 0, 1, 0x44, 0, 0, 2};
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {pkt, sizeof(pkt)};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&mh);
	struct event_base *base = new_base();
	struct peer p;
	unsigned before;

	peer_init(&p, base, MSG_DIALECT_1);
	before = count_fds();
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &p.fd, sizeof(int));
	ck_assert_int_eq(sendmsg(p.fd, &mh, 0), sizeof(pkt));
	LOOP_UNTIL(base, p.got == 1);
	ck_assert_uint_eq(count_fds(), before);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

static uint64_t
refused(const struct conn_stats *s)
{
	uint64_t n = s->truncated;
	size_t i;

	for (i = 0; i < MSG_N_ERRORS; i++)
		n += s->refused[i];
	return n;
}

/* Made-up bytes: each packet is counted once, the connection stays. */
START_TEST(test_garbage)
{
	struct event_base *base = new_base();
	uint8_t pkt[300];
	struct peer p;
	unsigned i;
	size_t k, len;

	srandom(1);
	peer_init(&p, base, MSG_DIALECT_UNKNOWN);
	for (i = 1; i <= 3000; i++) {
		len = 1 + (size_t)random() % sizeof(pkt);
		for (k = 0; k < len; k++)
			pkt[k] = (uint8_t)random();
		if (i % 2) /* past the first checks */
			pkt[0] = MSG_SIGNATURE;
		ck_assert_int_eq(send(p.fd, pkt, len, 0), (ssize_t)len);
		LOOP_UNTIL(base, p.stats.in + refused(&p.stats) == i);
	}
	ck_assert_uint_eq(p.gone, 0);
	peer_fini(&p);
	event_base_free(base);
}
END_TEST

START_TEST(test_many)
{
	static struct peer at_once[200];
	struct event_base *base = new_base();
	struct peer p;
	unsigned i, before = count_fds();

	for (i = 0; i < ARRAY_LEN(at_once); i++)
		peer_init(&at_once[i], base, MSG_DIALECT_1);
	for (i = 0; i < ARRAY_LEN(at_once); i++)
		put_noop(&at_once[i], i + 1);
	for (i = 0; i < ARRAY_LEN(at_once); i++)
		LOOP_UNTIL(base, at_once[i].got == 1);
	for (i = 0; i < ARRAY_LEN(at_once); i++)
		peer_fini(&at_once[i]);
	for (i = 0; i < 10000; i++) {
		peer_init(&p, base, MSG_DIALECT_1);
		put_noop(&p, 1);
		close(p.fd);
		p.fd = -1;
		LOOP_UNTIL(base, p.gone);
		ck_assert_uint_eq(p.got, 1);
		peer_fini(&p);
	}
	ck_assert_uint_eq(count_fds(), before);
	event_base_free(base);
}
END_TEST

RUN_TESTS("conn_hostile", test_refused, test_truncated, test_overflow,
	test_fairness, test_no_descriptors, test_garbage, test_many)
