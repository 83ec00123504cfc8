/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pushing sets to a scripted mapper in the same loop, over a socket in a folder
 * of the test's own.
 */
#include "dnsagentd/push.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "libipref/conn.h"
#include "libipref/log.h"
#include "tests/unit/run.h"

#define INTERVAL 400
#define ACK_MS	 100
#define WAIT_MS	 20000
#define RECORDS	 1000
#define BATCHES	 128

static const struct msg_format fmt = {4, 4, MSG_DIALECT_1};

/* The mapper: what it got since the last clear, and what it does. */
struct mapper {
	struct event_base *base;
	char dir[32], path[64];
	struct event *listener;
	struct conn *conn;
	struct conn_stats stats;
	/* Script: so many of the next messages are treated so. */
	size_t ignore_batches, refuse_batches, refuse_hashes, wrong_acks;
	size_t close_after; /* batches; 0: never */
	/* Record. */
	size_t batches, empty, hashes, connections;
	uint32_t ids[BATCHES];
	struct arec got[4 * RECORDS];
	size_t n_got;
	uint64_t hash, hash_ms;
	uint32_t hash_count;
};

struct bench {
	struct event_base *base;
	struct mapper m;
	struct mclient *client;
	struct push *push;
	struct source source;
};

/* --- the mapper --------------------------------------------------------- */

static void
answer(struct mapper *m, const struct msg *req, bool ack)
{
	struct msg a = *req;

	a.mode = ack ? MSG_ACK : MSG_NACK;
	a.n = 0;
	a.raw = NULL;
	if (m->wrong_acks) {
		m->wrong_acks--;
		a.hash++;
	}
	ck_assert_int_eq(conn_send(m->conn, &a), 0);
}

static bool
take_one(size_t *left)
{
	if (!*left)
		return false;
	--*left;
	return true;
}

static void
take_batch(struct mapper *m, const struct msg *req)
{
	size_t i;

	ck_assert_uint_ne(req->count, 0);
	ck_assert_uint_lt(m->batches, BATCHES);
	ck_assert_uint_le(
		MSG_HEADER + 12 + req->n * msg_arec_len(&fmt), MSG_BATCH_MAX);
	m->ids[m->batches++] = req->count;
	m->empty += !req->n;
	m->hash = req->hash;
	for (i = 0; i < req->n; i++) {
		ck_assert_uint_lt(m->n_got, ARRAY_LEN(m->got));
		m->got[m->n_got++] = msg_arec(req, i);
	}
	if (m->close_after && !--m->close_after) {
		conn_free(m->conn);
		m->conn = NULL;
		return;
	}
	if (!take_one(&m->ignore_batches))
		answer(m, req, !take_one(&m->refuse_batches));
}

static void
on_message(struct conn *c, const struct msg *req, void *arg)
{
	struct mapper *m = arg;
	struct source source;

	if (!req) {
		conn_free(c);
		m->conn = NULL;
		return;
	}
	ck_assert_int_eq(req->mode, MSG_REQ);
	ck_assert(msg_source(req, &source));
	ck_assert_str_eq(source.local, "internal");
	ck_assert_str_eq(source.domain, "example.com");
	if (req->cmd == MSG_MC_HOST_DATA) {
		take_batch(m, req);
		return;
	}
	ck_assert_uint_eq(req->cmd, MSG_MC_HOST_DATA_HASH);
	m->hashes++;
	m->hash = req->hash;
	m->hash_count = req->count;
	m->hash_ms = now_ms();
	answer(m, req, !take_one(&m->refuse_hashes));
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct mapper *m = arg;
	const struct conn_config cfg = {
		.fmt = {4, 4, MSG_DIALECT_UNKNOWN},
		.queue_max = 1 << 20,
		.handler = on_message,
		.arg = m,
		.stats = &m->stats,
		.name = "client",
	};

	(void)what;
	m->connections++;
	m->conn = conn_new(m->base, accept(fd, NULL, NULL), &cfg);
	ck_assert_ptr_nonnull(m->conn);
}

static void
mapper_start(struct mapper *m)
{
	int fd;

	ck_assert_int_eq(conn_listen(m->path, 0660, &fd), 0);
	m->listener =
		event_new(m->base, fd, EV_READ | EV_PERSIST, on_accept, m);
	ck_assert_int_eq(event_add(m->listener, NULL), 0);
}

static void
mapper_stop(struct mapper *m)
{
	conn_free(m->conn);
	m->conn = NULL;
	close(event_get_fd(m->listener));
	event_free(m->listener);
	m->listener = NULL;
	unlink(m->path);
}

/* Forgets the record, not the script. */
static void
mapper_clear(struct mapper *m)
{
	m->batches = m->empty = m->hashes = m->n_got = 0;
}

/* --- the bench ---------------------------------------------------------- */

static void
on_up(void *arg)
{
	struct bench *b = arg;

	push_up(b->push);
}

static void
bench_start(struct bench *b)
{
	struct push_config cfg = {
		.fmt = fmt,
		.source = &b->source,
		.interval_ms = INTERVAL,
		.ack_ms = ACK_MS,
	};
	struct mclient_config mc = {
		.fmt = fmt, .max_requests = 100, .up = on_up, .arg = b};

	memset(b, 0, sizeof(*b));
	ck_assert(source_parse(&b->source, "internal:example.com", 20));
	b->base = b->m.base = event_base_new();
	strcpy(b->m.dir, "/tmp/ipref-push.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(b->m.dir));
	snprintf(b->m.path, sizeof(b->m.path), "%s/mapper.sock", b->m.dir);
	mapper_start(&b->m);
	mc.path = b->m.path;
	b->client = cfg.mapper = mclient_new(b->base, &mc);
	ck_assert_ptr_nonnull(b->client);
	b->push = push_new(b->base, &cfg);
	ck_assert_ptr_nonnull(b->push);
}

static void
bench_stop(struct bench *b)
{
	char lock[80];

	push_free(b->push);
	mclient_free(b->client);
	if (b->m.listener)
		mapper_stop(&b->m);
	/* conn_listen() leaves its lock. */
	snprintf(lock, sizeof(lock), "%s.lock", b->m.path);
	unlink(lock);
	ck_assert_int_eq(rmdir(b->m.dir), 0);
	event_base_free(b->base);
}

/* Runs the loop until the condition holds; fails after WAIT_MS. */
#define RUN_UNTIL(b, condition)                                                \
	do {                                                                   \
		uint64_t end_ = now_ms() + WAIT_MS;                            \
		while (!(condition)) {                                         \
			const struct timeval tv_ = {0, 5000};                  \
			ck_assert_msg(                                         \
				now_ms() < end_, "never: %s", #condition);     \
			event_base_loopexit((b)->base, &tv_);                  \
			event_base_dispatch((b)->base);                        \
		}                                                              \
	} while (0)

static enum push_state
state(const struct bench *b)
{
	return push_stats(b->push)->state;
}

static struct set
make_set(size_t n, uint8_t salt)
{
	struct set set = {.n = n, .hash = MSG_EMPTY_SET_HASH};
	size_t i;

	if (!n)
		return set;
	set.v = calloc(n, sizeof(*set.v));
	ck_assert_ptr_nonnull(set.v);
	for (i = 0; i < n; i++) {
		const uint8_t ip[] = {10, salt, (uint8_t)(i >> 8), (uint8_t)i};

		set.v[i].ea = addr_zero(4);
		set.v[i].ip = addr_from_bytes(4, ip);
		set.v[i].gw = addr_from_bytes(4, "\300\0\2\1");
		set.v[i].ref = ref_from_u64(i + 1);
	}
	set.hash = msg_set_hash(set.v, n);
	return set;
}

/* The mapper has got exactly these records, each at least once. */
static void
check_got(struct mapper *m, size_t n, uint8_t salt)
{
	struct set want = make_set(n, salt);
	size_t i, kept = 0;

	if (m->n_got)
		qsort(m->got, m->n_got, sizeof(*m->got), arec_cmp);
	for (i = 0; i < m->n_got; i++)
		if (!kept || arec_cmp(&m->got[i], &m->got[kept - 1]))
			m->got[kept++] = m->got[i];
	ck_assert_uint_eq(kept, n);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(arec_cmp(&m->got[i], &want.v[i]), 0);
	ck_assert_uint_eq(m->hash, want.hash);
	set_fini(&want);
}

static void
give(struct bench *b, size_t n, uint8_t salt)
{
	struct set set = make_set(n, salt);

	ck_assert_int_eq(push_take(b->push, &set), 0);
	ck_assert_ptr_null(set.v);
}

/* --- tests -------------------------------------------------------------- */

static const struct {
	const char *what;
	size_t n;
	size_t ignore, refuse, refuse_hashes, wrong_acks, close_after;
	size_t batches; /* at least */
	size_t hashes;
	size_t connections;
} rows[] = {
	{"one record", 1, 0, 0, 0, 0, 0, 1, 1, 1},
	{"none", 0, 0, 0, 0, 0, 0, 1, 1, 1},
	{"one full batch", 40, 0, 0, 0, 0, 0, 1, 1, 1},
	{"many", RECORDS, 0, 0, 0, 0, 0, 25, 1, 1},
	{"an ACK that does not come", 1, 1, 0, 0, 0, 0, 2, 1, 1},
	{"some that do not come", RECORDS, 7, 0, 0, 0, 0, 32, 1, 1},
	{"refused", 1, 0, 2, 0, 0, 0, 3, 1, 1},
	{"some refused", RECORDS, 0, 3, 0, 0, 0, 28, 1, 1},
	{"an ACK for something else", 1, 0, 0, 0, 1, 0, 2, 1, 1},
	{"the hash refused", 1, 0, 0, 2, 0, 0, 3, 3, 1},
	{"the connection ends", RECORDS, 0, 0, 0, 0, 5, 25, 1, 2},
	{"none, not acknowledged", 0, 1, 0, 0, 0, 0, 2, 1, 1},
	{"none, the hash refused", 0, 0, 0, 1, 0, 0, 2, 2, 1},
};

START_TEST(test_rows)
{
	static struct bench b;
	size_t i, k, n;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		bench_start(&b);
		b.m.ignore_batches = rows[i].ignore;
		b.m.refuse_batches = rows[i].refuse;
		b.m.refuse_hashes = rows[i].refuse_hashes;
		b.m.wrong_acks = rows[i].wrong_acks;
		b.m.close_after = rows[i].close_after;
		give(&b, rows[i].n, 0);
		RUN_UNTIL(&b, state(&b) == PUSH_HELD);
		ck_assert_msg(b.m.batches >= rows[i].batches, "%s: %zu",
			rows[i].what, b.m.batches);
		ck_assert_msg(b.m.hashes == rows[i].hashes, "%s: %zu",
			rows[i].what, b.m.hashes);
		ck_assert_uint_eq(b.m.connections, rows[i].connections);
		ck_assert_uint_eq(b.m.hash_count, rows[i].n);
		ck_assert_uint_eq(b.m.empty, rows[i].n ? 0 : b.m.batches);
		check_got(&b.m, rows[i].n, 0);
		/* Each under an id of its own. */
		for (k = 0; k < b.m.batches; k++)
			for (n = 0; n < k; n++)
				ck_assert_uint_ne(b.m.ids[k], b.m.ids[n]);
		ck_assert_uint_eq(push_stats(b.push)->batches_acked,
			push_stats(b.push)->n_batches);
		bench_stop(&b);
	}
}
END_TEST

START_TEST(test_heartbeat)
{
	static struct bench b;
	uint64_t last;

	bench_start(&b);
	give(&b, 3, 0);
	RUN_UNTIL(&b, state(&b) == PUSH_HELD);
	last = b.m.hash_ms;
	mapper_clear(&b.m);
	RUN_UNTIL(&b, b.m.hashes == 1);
	/* 90 to 100 % of the interval (a busy machine may be late). */
	ck_assert_uint_ge(b.m.hash_ms - last, INTERVAL * 9 / 10 - 5);
	ck_assert_uint_eq(b.m.batches, 0);
	/* A mapper that lost it gets it all again, at once. */
	mapper_clear(&b.m);
	b.m.refuse_hashes = 1;
	RUN_UNTIL(&b, b.m.hashes == 2 && state(&b) == PUSH_HELD);
	ck_assert_uint_eq(b.m.batches, 1);
	check_got(&b.m, 3, 0);
	ck_assert_uint_eq(push_stats(b.push)->hash_nacks, 1);
	bench_stop(&b);
}
END_TEST

START_TEST(test_mapper_restarts)
{
	static struct bench b;

	bench_start(&b);
	push_set_interval(b.push, 3600000);
	give(&b, 3, 0);
	RUN_UNTIL(&b, state(&b) == PUSH_HELD);
	mapper_stop(&b.m);
	RUN_UNTIL(&b, !mclient_stats(b.client)->connected);
	mapper_clear(&b.m);
	mapper_start(&b.m);
	b.m.refuse_hashes = 1;
	/* Asked at once, not at the next interval; then sent. */
	RUN_UNTIL(&b, b.m.hashes == 2 && state(&b) == PUSH_HELD);
	ck_assert_uint_eq(b.m.batches, 1);
	check_got(&b.m, 3, 0);
	bench_stop(&b);
}
END_TEST

/* A set without a mapper waits for it; a newer one takes its place, also in
 * the middle; the same one again is no news. */
START_TEST(test_sets)
{
	static struct bench b;

	bench_start(&b);
	mapper_stop(&b.m);
	give(&b, RECORDS, 1);
	RUN_UNTIL(&b, mclient_stats(b.client)->since_ms > 0);
	give(&b, RECORDS, 2);
	mapper_start(&b.m);
	RUN_UNTIL(&b, state(&b) == PUSH_HELD);
	check_got(&b.m, RECORDS, 2);
	mapper_clear(&b.m);
	b.m.ignore_batches = BATCHES;
	give(&b, RECORDS, 3);
	RUN_UNTIL(&b, b.m.batches >= 5);
	mapper_clear(&b.m);
	b.m.ignore_batches = 0;
	give(&b, 10, 4);
	RUN_UNTIL(&b, state(&b) == PUSH_HELD);
	ck_assert_uint_eq(b.m.hash_count, 10);
	ck_assert_uint_eq(push_stats(b.push)->sets, 4);
	mapper_clear(&b.m);
	give(&b, 10, 4);
	ck_assert_uint_eq(push_stats(b.push)->sets, 4);
	ck_assert_int_eq(state(&b), PUSH_HELD);
	RUN_UNTIL(&b, b.m.hashes == 1);
	ck_assert_uint_eq(b.m.batches, 0);
	bench_stop(&b);
}
END_TEST

RUN_TESTS("push", test_rows, test_heartbeat, test_mapper_restarts, test_sets)
