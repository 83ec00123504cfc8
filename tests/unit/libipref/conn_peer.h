/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One peer of the mapper socket: a conn at one end of a socketpair, plain
 * system calls at the other. What the handler is told is noted, and it does
 * what the fields of struct peer say.
 */
#ifndef TESTS_UNIT_LIBIPREF_CONN_PEER_H
#define TESTS_UNIT_LIBIPREF_CONN_PEER_H

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/conn.h"
#include "tests/unit/loop.h"

#define QUEUE_MAX 20000 /* bytes */

struct peer {
	struct conn *conn;
	int fd; /* the other end */
	struct conn_stats stats;
	unsigned got, gone; /* calls of the handler */
	unsigned ids[512];  /* of the first that came */
	unsigned free_at;   /* frees the conn at this message, 0: never */
	unsigned pause_at;
	bool keep;	       /* does not free it at the end */
	bool echo;	       /* answers NOOPs with ACK */
	unsigned *clock, last; /* shared count of calls, and ours */
};

static inline struct event_base *
new_base(void)
{
	struct event_base *base = event_base_new();

	ck_assert_ptr_nonnull(base);
	log_init("test", LOG_LEVEL_ERR, false);
	return base;
}

static inline void
on_peer(struct conn *c, const struct msg *m, void *arg)
{
	struct peer *p = arg;
	struct msg ack;

	ck_assert_ptr_eq(c, p->conn);
	ck_assert_uint_eq(p->gone, 0);
	if (p->clock)
		p->last = ++*p->clock;
	if (!m) {
		p->gone++;
		if (!p->keep) {
			conn_free(c);
			p->conn = NULL;
		}
		return;
	}
	if (p->got < ARRAY_LEN(p->ids))
		p->ids[p->got] = m->id;
	p->got++;
	if (p->got == p->pause_at)
		conn_pause(c, true);
	if (p->echo) {
		ack = *m;
		ack.mode = MSG_ACK;
		ck_assert_int_eq(conn_send(c, &ack), 0);
	}
	if (p->got == p->free_at) {
		conn_free(c);
		p->conn = NULL;
	}
}

static inline void
peer_init(struct peer *p, struct event_base *base, enum msg_dialect dialect)
{
	struct conn_config cfg = {.fmt = {4, 4, dialect},
		.queue_max = QUEUE_MAX,
		.handler = on_peer,
		.arg = p,
		.stats = &p->stats,
		.name = "peer"};
	int fds[2];

	memset(p, 0, sizeof(*p));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	p->fd = fds[1];
	p->conn = conn_new(base, fds[0], &cfg);
	ck_assert_ptr_nonnull(p->conn);
}

static inline void
peer_fini(struct peer *p)
{
	conn_free(p->conn);
	if (p->fd >= 0)
		close(p->fd);
}

/* An 8-byte NOOP with this id. */
static inline void
put_noop(const struct peer *p, unsigned id)
{
	uint8_t pkt[8] = {
		0x11, 0x40, (uint8_t)(id >> 8), (uint8_t)id, 0x44, 0, 0, 2};

	ck_assert_int_eq(send(p->fd, pkt, sizeof(pkt), 0), sizeof(pkt));
}

static inline struct msg
noop(uint16_t id)
{
	return (struct msg){.mode = MSG_DATA, .cmd = MSG_NOOP, .id = id};
}

#endif
