/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mapper with its server over a store in memory, a simulated clock, and
 * clients without sockets: packets go in, packets come out.
 */
#ifndef TESTS_UNIT_MAPPERD_RIG_H
#define TESTS_UNIT_MAPPERD_RIG_H

#include "help.h"
#include "mapperd/server.h"

#define RIG_OUT 4096

struct rig_packet {
	uint64_t client;
	size_t len;
	uint8_t *bytes; /* owned */
};

struct rig_client {
	struct rig *rig;
	uint64_t id; /* 0: closed */
	struct msg_format fmt;
	bool paused;
	size_t queued; /* as if so many bytes waited for it */
};

struct rig {
	struct server *server;
	struct memstore store;
	uint64_t now;
	struct dice dice;
	struct msg_format fmt;
	struct rig_client clients[8];
	size_t n_clients;
	struct rig_packet out[RIG_OUT]; /* in the order of sending */
	size_t n_out;
	unsigned refused; /* packets that are no messages */
	const char *fatal;
	bool feeding;
};

static inline int
rig_send(void *peer, const struct msg *m)
{
	struct rig_client *c = peer;
	struct rig *r = c->rig;
	uint8_t *buf = malloc(MSG_MAX);
	enum msg_error err;
	size_t len;

	err = msg_encode(m, &c->fmt, buf, MSG_MAX, &len);
	if (err != MSG_OK)
		ck_abort_msg("%s %s: %s", msg_mode_name(m->mode),
			msg_cmd_name(m->cmd), msg_error_text(err));
	MUST(r->n_out < RIG_OUT);
	r->out[r->n_out++] = (struct rig_packet){c->id, len, realloc(buf, len)};
	return 0;
}

static inline size_t
rig_queued(void *peer)
{
	return ((struct rig_client *)peer)->queued;
}

static inline void
rig_pause(void *peer, bool pause)
{
	((struct rig_client *)peer)->paused = pause;
}

static inline void
rig_close(void *peer)
{
	((struct rig_client *)peer)->id = 0;
}

static const struct client_link rig_link = {
	rig_send, rig_queued, rig_pause, rig_close};

static inline uint64_t
rig_now(void *arg)
{
	return ((struct rig *)arg)->now;
}

static inline void
rig_feeding(void *arg)
{
	((struct rig *)arg)->feeding = true;
}

static inline void
rig_fatal(const char *why, void *arg)
{
	((struct rig *)arg)->fatal = why;
}

static inline struct mapper *
rig_mapper(struct rig *r)
{
	return server_mapper(r->server);
}

static inline struct mapper_config
rig_config(struct rig *r, const char *net, const char *pub)
{
	struct mapper_config cfg = {
		.rules = {.encode = prefix_of(net), .pub = addr_of(pub)},
		.own_ref = ref_from_u64(1),
		.lease_ms = 14400000,
		.hold_ms = 60000,
		.stage_ms = 30000,
		.tentative_ms = 120000,
		.max_entries = 1 << 20,
	};

	cfg.rules.tunnel_ver = cfg.rules.pub.ver;
	cfg.own_local = prefix_host(&cfg.rules.encode, 1);
	cfg.allot = (struct allot_config){
		.encode = cfg.rules.encode,
		.own_local = cfg.own_local,
		.quarantine_ms = 86400000,
		.reuse_ms = 7200000,
		.peer_percent = 75,
		.peer_gw = 16384,
		.peer_net = 65536,
		.tentative_quarantine_ms = 600000,
		.tentative_gw = 1024,
		.tentative_net = 4096,
		.resolver_gw = 65536,
		.refs_per_s = 100,
		.refs_burst = 1000,
		.max = 1 << 22,
		.random = roll_bytes,
		.arg = &r->dice,
	};
	return cfg;
}

static inline struct server *
rig_server(struct rig *r, const struct mapper_config *cfg, size_t ring)
{
	struct server_config sc = {
		.mapper = *cfg,
		.ring_max = ring,
		.now = rig_now,
		.feeding = rig_feeding,
		.fatal = rig_fatal,
		.arg = r,
	};
	struct server *s = server_new(&sc);

	ck_assert_ptr_nonnull(s);
	return s;
}

static inline void
rig_start(struct rig *r, const struct mapper_config *cfg, size_t ring)
{
	struct store_hooks hooks;

	r->now = 1000000;
	r->fmt = (struct msg_format){cfg->rules.encode.addr.ver,
		cfg->rules.tunnel_ver, MSG_DIALECT_1};
	r->server = rig_server(r, cfg, ring);
	hooks = mapper_store_hooks(rig_mapper(r));
	memstore_init(&r->store, &hooks);
	ck_assert_int_eq(server_start(r->server, &r->store.store), 0);
	ck_assert_int_eq(mapper_start(rig_mapper(r), &r->store.store), 0);
}

static inline void
rig_init(struct rig *r, const char *net, const char *pub)
{
	struct mapper_config cfg;

	memset(r, 0, sizeof(*r));
	r->dice.state = 4711;
	cfg = rig_config(r, net, pub);
	rig_start(r, &cfg, 1024);
}

/* Kills it; another one starts with what was stored. Clients have to join
 * again. */
static inline void
rig_restart_ring(struct rig *r, const struct mapper_config *cfg, size_t ring)
{
	struct server *old = r->server;
	struct store_hooks hooks;

	server_stop(old);
	r->n_clients = 0;
	r->server = rig_server(r, cfg, ring);
	hooks = mapper_store_hooks(rig_mapper(r));
	memstore_restart(&r->store, &hooks);
	server_free(old);
	ck_assert_int_eq(server_start(r->server, &r->store.store), 0);
	ck_assert_int_eq(mapper_start(rig_mapper(r), &r->store.store), 0);
}

static inline void
rig_restart(struct rig *r, const struct mapper_config *cfg)
{
	rig_restart_ring(r, cfg, 1024);
}

static inline void
rig_clear(struct rig *r)
{
	while (r->n_out)
		free(r->out[--r->n_out].bytes);
}

static inline void
rig_fini(struct rig *r)
{
	server_stop(r->server);
	store_close(&r->store.store);
	server_free(r->server);
	memstore_fini(&r->store);
	rig_clear(r);
}

static inline struct rig_client *
rig_join(struct rig *r, unsigned roles)
{
	struct rig_client *c = &r->clients[r->n_clients++];

	ck_assert_uint_le(r->n_clients, ARRAY_LEN(r->clients));
	c->rig = r;
	c->fmt = r->fmt;
	c->fmt.dialect = MSG_DIALECT_UNKNOWN;
	c->id = server_join(r->server, &rig_link, c);
	ck_assert_uint_ne(c->id, 0);
	server_allow(r->server, c->id, roles);
	return c;
}

/* One packet from a client, as a connection would pass it on. */
static inline void
rig_packet(struct rig_client *c, const uint8_t *p, size_t len)
{
	struct msg m;

	if (msg_decode(&m, &c->fmt, p, len) != MSG_OK) {
		c->rig->refused++;
		return;
	}
	c->fmt.dialect = m.fmt.dialect;
	server_message(c->rig->server, c->id, &m);
}

/* A request from the fields; it is encoded and decoded on its way. */
static inline void
rig_request(struct rig_client *c, const struct msg *m)
{
	uint8_t *buf = malloc(MSG_MAX);
	size_t len;

	if (c->fmt.dialect == MSG_DIALECT_UNKNOWN)
		c->fmt.dialect = MSG_DIALECT_1;
	MUST(msg_encode(m, &c->fmt, buf, MSG_MAX, &len) == MSG_OK);
	rig_packet(c, buf, len);
	free(buf);
}

/* The i-th packet out, decoded; it must be this client's. */
static inline struct msg
rig_out(struct rig_client *c, size_t i)
{
	struct rig *r = c->rig;
	struct msg m;

	ck_assert_uint_lt(i, r->n_out);
	ck_assert_uint_eq(r->out[i].client, c->id);
	ck_assert_int_eq(
		msg_decode(&m, &c->fmt, r->out[i].bytes, r->out[i].len),
		MSG_OK);
	return m;
}

/* Stores all that waits, and what comes of it. */
static inline void
rig_pump(struct rig *r)
{
	while (memstore_pump(&r->store))
		;
}

/* A question and its only answer. */
static inline struct msg
rig_ask(struct rig_client *c, const struct msg *m)
{
	rig_clear(c->rig);
	rig_request(c, m);
	rig_pump(c->rig);
	ck_assert_uint_eq(c->rig->n_out, 1);
	return rig_out(c, 0);
}

#endif
