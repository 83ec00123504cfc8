/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A gateway without devices, as a `settings` block of tests/vectors/tunnel.txt
 * describes it: settings, mappings, ports learned. It does with the pure core
 * what gwd's shell does: asks (here: answers) the mapper, splits what is too
 * big, remembers ports.
 */
#ifndef TESTS_UNIT_GWD_SITE_H
#define TESTS_UNIT_GWD_SITE_H

#include "gwd/decap.h"
#include "gwd/encap.h"
#include "gwd/frag.h"
#include "gwd/held.h"
#include "gwd/maps.h"
#include "gwd/packet.h"
#include "tests/unit/vec.h"

#define SITE_PACKET_MAX 4096
#define SITE_OUTS	8
#define SITE_PORTS	4
#define SITE_PORT	1045

struct site {
	char name[16];
	struct gw_settings set;
	uint32_t mtu;	    /* of every path to a peer */
	struct addr mtu_of; /* a local host with a path MTU of its own */
	uint32_t local_mtu;
	struct maps *maps;
	struct held *held;
	struct endpoint ports[SITE_PORTS]; /* learned */
	size_t n_ports;
};

struct site_out {
	bool tunnel;	    /* else to the local network */
	struct endpoint to; /* tunnel */
	size_t len;
	uint8_t p[SITE_PACKET_MAX];
};

/* What came out, in order. */
struct site_outs {
	struct site_out out[SITE_OUTS];
	size_t n;
};

static inline struct addr
site_addr(const char *text, size_t len)
{
	struct addr a;

	ck_assert_msg(addr_parse(&a, text, len), "%.*s", (int)len, text);
	return a;
}

static inline struct ref
site_ref(const char *hex)
{
	struct ref r;

	ck_assert_uint_eq(vec_hex(hex, r.b, sizeof(r.b)), sizeof(r.b));
	return r;
}

/* A mapping "ADDRESS GW REF". */
static inline void
site_map(struct site *s, const char *text, bool remote)
{
	struct msg_entry e = {.flags = MSG_ENTRY_LISTED, .born = 1};
	const char *gw = strchr(text, ' ') + 1;
	const char *ref = strchr(gw, ' ') + 1;
	struct addr local = site_addr(text, (size_t)(gw - 1 - text));

	e.arec.gw = site_addr(gw, (size_t)(ref - 1 - gw));
	e.arec.ref = site_ref(ref);
	if (remote)
		e.arec.ea = local;
	else
		e.arec.ip = local;
	ck_assert_int_eq(maps_set(s->maps, &e), 0);
}

static inline struct addr
site_block_addr(const struct vec_block *b, const char *key)
{
	const char *text = vec_get(b, key);

	ck_assert_ptr_nonnull(text);
	return site_addr(text, strlen(text));
}

static inline void
site_init(struct site *s, const struct vec_block *b)
{
	const char *net = vec_get(b, "encode-net"), *map;
	const char *name = vec_get(b, "settings");
	size_t i;

	*s = (struct site){.mtu = (uint32_t)atoi(vec_get(b, "uplink-mtu"))};
	snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
	s->set = (struct gw_settings){
		.local_ver = (uint8_t)atoi(vec_get(b, "local")),
		.tunnel_ver = (uint8_t)atoi(vec_get(b, "tunnel")),
		.pub = site_block_addr(b, "public"),
		.own_local = site_block_addr(b, "own-local"),
		.own_ref = site_ref(vec_get(b, "own-ref")),
		.dec_ttl = atoi(vec_get(b, "dec-ttl")),
	};
	ck_assert(prefix_parse(&s->set.encode_net, net, strlen(net)));
	s->maps = maps_new(&s->set.pub, 100);
	ck_assert_ptr_nonnull(s->maps);
	s->held = held_new();
	ck_assert_ptr_nonnull(s->held);
	for (i = 0; (map = vec_nth(b, "map-local", i)); i++)
		site_map(s, map, false);
	for (i = 0; (map = vec_nth(b, "map-remote", i)); i++)
		site_map(s, map, true);
}

/* The gateway of the `settings` block with this name. */
static inline void
site_named(struct site *s, const char *name)
{
	struct vec_file f;
	struct vec_block b;
	const char *settings;
	bool found = false;

	vec_open(&f, "tunnel.txt");
	while (!found && vec_next(&f, &b)) {
		settings = vec_get(&b, "settings");
		found = settings && !strcmp(settings, name);
	}
	ck_assert_msg(found, "no settings %s", name);
	site_init(s, &b);
	vec_close(&f);
}

static inline void
site_fini(struct site *s)
{
	maps_free(s->maps);
	held_free(s->held);
}

static inline uint16_t
site_port(const struct site *s, const struct addr *peer)
{
	size_t i;

	for (i = s->n_ports; i > 0; i--)
		if (addr_eq(&s->ports[i - 1].addr, peer))
			return s->ports[i - 1].port;
	return SITE_PORT;
}

static inline struct site_out *
site_more(struct site_outs *outs)
{
	ck_assert_uint_lt(outs->n, SITE_OUTS);
	return &outs->out[outs->n++];
}

static inline void
site_emit(const struct site *s, struct site_outs *outs, bool tunnel,
	const struct addr *peer, const uint8_t *p, size_t len)
{
	struct site_out *o = site_more(outs);

	ck_assert_uint_le(len, sizeof(o->p));
	o->tunnel = tunnel;
	o->to = (struct endpoint){*peer, site_port(s, peer)};
	o->len = len;
	memcpy(o->p, p, len);
}

/* The mapper's answer to a question. No: false, as to ASK_LOOKUP always. */
static inline bool
site_answer(struct site *s, const struct packet_out *out)
{
	struct msg_entry e = {.born = 2};

	if (out->ask == ASK_REF) {
		e.arec.ip = out->addr;
		e.arec.ref = site_ref("664133f86692fbfe6000000000005a5a");
	} else if (out->ask == ASK_EA) {
		e.arec.ea = prefix_host(&s->set.encode_net, 0xfc696);
		e.arec.gw = out->addr;
		e.arec.ref = out->ref;
	} else {
		return false;
	}
	ck_assert_int_eq(maps_set(s->maps, &e), 0);
	return true;
}

static inline void
site_reply(const struct site *s, const struct packet_out *out,
	struct site_outs *outs)
{
	if (out->reply != REPLY_NONE)
		site_emit(s, outs, out->reply == REPLY_PEER, &out->peer, out->p,
			out->len);
}

/* Hands an IPREF packet to the tunnel, in pieces when it is too big. */
static inline void
site_send(const struct site *s, const struct packet_in *in,
	struct packet_out *out, struct site_outs *outs)
{
	size_t room = frag_room(&s->set, s->mtu), off = 0, n;
	uint8_t tunnel[SITE_PACKET_MAX], piece[SITE_PACKET_MAX];
	size_t len = out->len;
	struct addr peer = out->peer;

	if (len <= room) {
		site_emit(s, outs, true, &peer, out->p, len);
		return;
	}
	memcpy(tunnel, out->p, len);
	if (frag_forbidden(tunnel) && !frag_despite_d(&s->set, in->len)) {
		frag_too_big(&s->set, in, tunnel, len, s->mtu, out);
		site_reply(s, out, outs);
		return;
	}
	while ((n = frag_piece(tunnel, len, room, 0x12345678, &off, piece,
			sizeof(piece))))
		site_emit(s, outs, true, &peer, piece, n);
	ck_assert_uint_gt(off, 0);
}

/* Hands a packet to the local network, in pieces when it is too big. */
static inline void
site_deliver(const struct site *s, const struct packet_in *in,
	const struct packet_out *out, struct site_outs *outs)
{
	uint8_t piece[SITE_PACKET_MAX];
	size_t off = 0, n;
	struct packet p;

	ck_assert_int_eq(
		packet_parse(&p, s->set.local_ver, out->p, out->len, false),
		DROP_NONE);
	if (!addr_eq(&p.dst, &s->mtu_of) ||
		!frag_for_host(&s->set, in->p, out->len, s->local_mtu)) {
		site_emit(s, outs, false, &in->from, out->p, out->len);
		return;
	}
	while ((n = frag_host_piece(out->p, out->len, s->local_mtu, 0x12345678,
			&off, piece, sizeof(piece))))
		site_emit(s, outs, false, &in->from, piece, n);
	ck_assert_uint_gt(off, 0);
}

/* One translation; the mapper answers at once. */
static inline void
site_translate(
	struct site *s, const struct packet_in *in, struct packet_out *out)
{
	void (*translate)(const struct gw_settings *, const struct maps *,
		const struct packet_in *, struct packet_out *) =
		in->from.ver ? decap : encap;

	translate(&s->set, s->maps, in, out);
	if (out->ask && site_answer(s, out))
		translate(&s->set, s->maps, in, out);
}

static inline enum drop
site_packet(struct site *s, struct packet_in *in, struct site_outs *outs)
{
	struct waiting_list lost = TAILQ_HEAD_INITIALIZER(lost);
	enum way way = in->from.ver ? WAY_IN : WAY_OUT;
	uint8_t buf[SITE_PACKET_MAX];
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	struct waiting *first = NULL;

	site_translate(s, in, &out);
	if (out.ask == ASK_WHOLE) {
		ck_assert(held_first(
			s->held, way, in, &out, 0, 0, &in->whole, &lost));
		if (!in->whole)
			return DROP_NONE;
		site_translate(s, in, &out);
	}
	if (out.mtu_of.ver) {
		s->mtu_of = out.mtu_of;
		s->local_mtu = out.mtu;
	}
	if (!out.drop && out.whole)
		first = held_last(s->held, way, in, &out, 0, &lost);
	ck_assert(TAILQ_EMPTY(&lost));
	if (out.drop)
		site_reply(s, &out, outs);
	else if (way == WAY_OUT)
		site_send(s, in, &out, outs);
	else
		site_deliver(s, in, &out, outs);
	if (first) {
		*in = first->in;
		ck_assert_int_eq(site_packet(s, in, outs), DROP_NONE);
		waiting_free(first);
	}
	return out.drop;
}

static inline enum drop
site_local(struct site *s, const uint8_t *p, size_t len, struct site_outs *outs)
{
	struct packet_in in = {.p = p, .len = len};

	return site_packet(s, &in, outs);
}

/* Whether a datagram may teach its sender's port does not hang on what becomes
 * of the packet in it. */
static inline void
site_learn(
	struct site *s, const struct endpoint *from, const struct packet_in *in)
{
	uint8_t buf[SITE_PACKET_MAX];
	struct packet_out out = {.p = buf, .size = sizeof(buf)};

	decap(&s->set, s->maps, in, &out);
	if (!out.peer_ok)
		return;
	ck_assert_uint_lt(s->n_ports, SITE_PORTS);
	s->ports[s->n_ports++] = *from;
}

static inline enum drop
site_tunnel(struct site *s, const struct endpoint *from, const uint8_t *p,
	size_t len, struct site_outs *outs)
{
	struct packet_in in = {.p = p, .len = len, .from = from->addr};

	site_learn(s, from, &in);
	return site_packet(s, &in, outs);
}

/* An input line of a vector: "FROM PORT HEX" or "HEX", as exactly as many
 * bytes on the heap, so that reads past the end are seen. */
struct site_in {
	bool tunnel;
	struct endpoint from;
	uint8_t *p; /* owned */
	size_t len;
};

static inline bool
site_input(struct site_in *in, const struct vec_line *line)
{
	uint8_t buf[SITE_PACKET_MAX];
	const char *hex = line->value, *space;

	*in = (struct site_in){.tunnel = !strcmp(line->key, "in-tunnel")};
	if (!in->tunnel && strcmp(line->key, "in-local"))
		return false;
	if (in->tunnel) {
		space = strchr(hex, ' ');
		in->from.addr = site_addr(hex, (size_t)(space - hex));
		in->from.port = (uint16_t)atoi(space + 1);
		hex = strchr(space + 1, ' ') + 1;
	}
	in->len = vec_hex(hex, buf, sizeof(buf));
	in->p = malloc(in->len ? in->len : 1);
	ck_assert_ptr_nonnull(in->p);
	memcpy(in->p, buf, in->len);
	return true;
}

static inline enum drop
site_take(struct site *s, const struct site_in *in, struct site_outs *outs)
{
	return in->tunnel ? site_tunnel(s, &in->from, in->p, in->len, outs)
			  : site_local(s, in->p, in->len, outs);
}

#endif
