/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapperd's server, fed with packets of three clients, time, ticks and a store
 * that sometimes fails. Input: steps of a byte that says what (0-2: a packet of
 * that client, 3: store what waits, 4: fail it, 5: time, 6: a client comes
 * anew), then two bytes of length or amount, then a packet's bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/log.h"
#include "mapperd/server.h"

#define CLIENTS 3

struct bench {
	struct server *server;
	struct store store;
	TAILQ_HEAD(, store_job) jobs;
	struct store_hooks hooks;
	uint64_t now, revision, noise;
	struct {
		uint64_t id;
		struct msg_format fmt;
	} clients[CLIENTS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
on_submit(struct store *s, struct store_job *job)
{
	struct bench *b = CONTAINER_OF(s, struct bench, store);

	TAILQ_INSERT_TAIL(&b->jobs, job, queue);
	return 0;
}

static void
store_all(struct bench *b, int err)
{
	struct store_job *job;

	while ((job = TAILQ_FIRST(&b->jobs))) {
		TAILQ_REMOVE(&b->jobs, job, queue);
		job->err = err;
		if (!err && job->change.numbered)
			job->revision = ++b->revision;
		b->hooks.done(job, b->hooks.arg);
	}
}

static void
on_stats(struct store *s, struct store_stats *out)
{
	(void)s;
	*out = (struct store_stats){0};
}

static const struct store_class class = {
	.submit = on_submit, .stats = on_stats};

/* Whatever is sent must be a message. */
static int
on_send(void *peer, const struct msg *m)
{
	const struct msg_format fmt = {4, 4, MSG_DIALECT_1};
	static uint8_t buf[MSG_MAX];
	size_t len;

	(void)peer;
	if (msg_encode(m, &fmt, buf, sizeof(buf), &len) != MSG_OK)
		abort();
	return 0;
}

static size_t
on_queued(void *peer)
{
	(void)peer;
	return 0;
}

static void
on_pause(void *peer, bool pause)
{
	(void)peer;
	(void)pause;
}

static void
on_close(void *peer)
{
	(void)peer;
}

static const struct client_link link_none = {
	on_send, on_queued, on_pause, on_close};

static uint64_t
on_now(void *arg)
{
	return ((struct bench *)arg)->now;
}

static void
on_feeding(void *arg)
{
	feed_pump(server_feed(((struct bench *)arg)->server));
}

/* The store above does not look for contradictions: the mapper may find one
 * when it applies a change, which ends a real process. */
static void
on_fatal(const char *why, void *arg)
{
	(void)why;
	(void)arg;
}

static void
on_random(void *buf, size_t len, void *arg)
{
	struct bench *b = arg;
	uint8_t *p = buf;

	while (len--) {
		b->noise = b->noise * UINT64_C(6364136223846793005) + 1;
		*p++ = (uint8_t)(b->noise >> 56);
	}
}

static struct mapper_config
config(struct bench *b)
{
	struct mapper_config cfg = {
		.rules = {{{4, {10, 200, 0, 0}}, 19}, 4, {4, {192, 0, 2, 1}}},
		.own_ref = ref_from_u64(1),
		.own_local = {4, {10, 200, 0, 1}},
		.lease_ms = 14400000,
		.hold_ms = 60000,
		.stage_ms = 30000,
		.max_entries = 1000,
	};

	cfg.allot = (struct allot_config){
		.encode = cfg.rules.encode,
		.own_local = cfg.own_local,
		.quarantine_ms = 86400000,
		.reuse_ms = 7200000,
		.peer_percent = 75,
		.peer_gw = 100,
		.peer_net = 200,
		.resolver_gw = 300,
		.refs_per_s = 100,
		.refs_burst = 100,
		.max = 10000,
		.random = on_random,
		.arg = b,
	};
	return cfg;
}

static void
join(struct bench *b, unsigned i)
{
	server_leave(b->server, b->clients[i].id);
	b->clients[i].id = server_join(b->server, &link_none, b);
	b->clients[i].fmt = (struct msg_format){4, 4, MSG_DIALECT_UNKNOWN};
	server_allow(b->server, b->clients[i].id, ROLE_ALL);
}

static void
packet(struct bench *b, unsigned i, const uint8_t *p, size_t len)
{
	struct msg m;

	if (msg_decode(&m, &b->clients[i].fmt, p, len) != MSG_OK)
		return;
	b->clients[i].fmt.dialect = m.fmt.dialect;
	server_message(b->server, b->clients[i].id, &m);
}

static void
step(struct bench *b, struct rbuf *r)
{
	uint8_t what = rbuf_u8(r);
	size_t n = rbuf_be16(r);
	const uint8_t *p;

	switch (what % 7) {
	case 3:
		store_all(b, 0);
		break;
	case 4:
		store_all(b, -ENOSPC);
		break;
	case 5:
		b->now += n * 1000;
		mapper_tick(server_mapper(b->server));
		feed_beat(server_feed(b->server));
		break;
	case 6:
		join(b, (unsigned)n % CLIENTS);
		break;
	default:
		if (n > rbuf_left(r))
			n = rbuf_left(r);
		p = rbuf_take(r, n);
		if (p)
			packet(b, what % CLIENTS, p, n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench b = {.now = 1000000, .store.class = &class};
	struct server_config cfg = {
		.mapper = config(&b),
		.ring_max = 64,
		.now = on_now,
		.feeding = on_feeding,
		.fatal = on_fatal,
		.arg = &b,
	};
	struct rbuf r;
	unsigned i;

	log_init("fuzz", (enum log_level)0, false);
	TAILQ_INIT(&b.jobs);
	b.server = server_new(&cfg);
	b.store.identity = 7;
	b.hooks = mapper_store_hooks(server_mapper(b.server));
	if (server_start(b.server, &b.store) ||
		mapper_start(server_mapper(b.server), &b.store))
		abort();
	for (i = 0; i < CLIENTS; i++)
		join(&b, i);
	rbuf_init(&r, data, size);
	while (rbuf_ok(&r) && rbuf_left(&r))
		step(&b, &r);
	server_stop(b.server);
	store_all(&b, -EIO);
	server_free(b.server);
	return 0;
}
