/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What must hold for each packet that the core writes, read without its help:
 * lengths, checksums, addresses, and the same of the packets quoted inside.
 */
#ifndef TESTS_FUZZ_GWD_CHECKS_H
#define TESTS_FUZZ_GWD_CHECKS_H

#include "gwd/header.h"
#include "gwd/icmp.h"
#include "tests/fuzz/gwd/gateway.h"

/* A packet, local or of the tunnel. quoted: the length fields may say anything.
 */
struct view {
	uint8_t form; /* 4, 6, or ICMP_IN_TUNNEL */
	uint8_t proto, ttl;
	bool df, mf;
	uint16_t off;
	size_t header;
	const uint8_t *l4;
	size_t l4_len;
	struct addr src, dst;	     /* local: addresses; tunnel: contexts */
	struct ref src_ref, dst_ref; /* tunnel */
	const uint8_t *addrs;	     /* local */
	size_t addrs_len;
};

/* The sum of 16-bit words, modulo 0xffff: 0 when the checksum is right. */
static inline uint32_t
check_sum(uint32_t start, const uint8_t *p, size_t len)
{
	uint64_t sum = start;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	return (uint32_t)(sum % 0xffff);
}

static inline bool
check_is_icmp(const struct view *v)
{
	return v->proto == (v->form == 6 ? 58 : 1);
}

/* The sum of a layer 4 with its pseudo-header, that of the tunnel without
 * addresses. */
static inline uint32_t
check_l4_sum(const struct view *v)
{
	uint32_t pseudo = 0;

	if (!check_is_icmp(v) || v->form == 6)
		pseudo = v->proto + (uint32_t)v->l4_len +
			 check_sum(0, v->addrs, v->addrs_len);
	return check_sum(pseudo, v->l4, v->l4_len);
}

/* Whether a whole layer 4 has a checksum that covers addresses. */
static inline bool
check_has_sum(const struct view *v)
{
	if (v->off || v->mf)
		return false;
	if (v->proto == 6)
		return v->l4_len >= 18;
	if (v->l4_len < 8)
		return false;
	return v->proto == 33 ||
	       ((v->proto == 17 || v->proto == 136) && (v->l4[6] || v->l4[7]));
}

static inline void
check_view_v4(struct view *v, const uint8_t *p, size_t len, bool quoted)
{
	REQUIRE(len >= 20 && p[0] == 0x45);
	REQUIRE(quoted || (size_t)(p[2] << 8 | p[3]) == len);
	REQUIRE((size_t)(p[2] << 8 | p[3]) >= 20);
	REQUIRE(!check_sum(0, p, 20));
	REQUIRE(!(p[6] & 0x80));
	v->df = p[6] & 0x40;
	v->mf = p[6] & 0x20;
	v->off = (uint16_t)((p[6] & 0x1f) << 11 | p[7] << 3);
	v->ttl = p[8];
	v->proto = p[9];
	v->header = 20;
	v->addrs = p + 12;
	v->addrs_len = 8;
}

static inline void
check_view_v6(struct view *v, const uint8_t *p, size_t len, bool quoted)
{
	REQUIRE(len >= 40 && p[0] >> 4 == 6);
	REQUIRE(quoted || (size_t)(p[4] << 8 | p[5]) + 40 == len);
	v->df = true;
	v->proto = p[6];
	v->ttl = p[7];
	v->header = 40;
	v->addrs = p + 8;
	v->addrs_len = 32;
	if (v->proto != 44)
		return;
	REQUIRE(len >= 48 && !p[41] && !(p[43] & 6));
	v->proto = p[40];
	v->mf = p[43] & 1;
	v->off = (uint16_t)(p[42] << 8 | (p[43] & 0xf8));
	v->header = 48;
}

/* An IP packet as the gateway writes one. */
static inline struct view
check_local(const struct gateway *g, const uint8_t *p, size_t len, bool quoted)
{
	struct view v = {.form = g->set.local_ver};
	struct rbuf r;

	if (v.form == 4)
		check_view_v4(&v, p, len, quoted);
	else
		check_view_v6(&v, p, len, quoted);
	rbuf_init(&r, v.addrs, v.addrs_len);
	v.src = addr_get(&r, v.form);
	v.dst = addr_get(&r, v.form);
	v.l4 = p + v.header;
	v.l4_len = len - v.header;
	REQUIRE(!v.mf || v.l4_len % 8 == 0 || quoted);
	return v;
}

/* An IPREF packet as the gateway writes one; or any, then quoted. */
static inline struct view
check_tunnel(const uint8_t *p, size_t len)
{
	struct view v = {.form = ICMP_IN_TUNNEL};
	struct header h;

	REQUIRE(!header_decode(&h, &v.header, p, len));
	v.ttl = h.ttl;
	v.proto = h.proto;
	v.df = h.df;
	v.mf = h.mf;
	v.off = h.off;
	v.src = h.src_gw;
	v.dst = h.dst_gw;
	v.src_ref = h.src_ref;
	v.dst_ref = h.dst_ref;
	v.l4 = p + v.header;
	v.l4_len = len - v.header;
	return v;
}

/* --- who is who -------------------------------------------------------------
 */

static inline bool
check_is_ours(const struct gateway *g, const struct addr *a)
{
	return addr_eq(a, &g->set.own_local) || maps_by_ip(g->maps, a);
}

static inline bool
check_is_theirs(const struct gateway *g, const struct addr *a)
{
	return addr_eq(a, &g->set.own_local) ||
	       (prefix_has(&g->set.encode_net, a) && maps_by_ea(g->maps, a));
}

static inline void
check_local_ends(const struct gateway *g, const struct view *v, bool from_us)
{
	REQUIRE(check_is_ours(g, from_us ? &v->src : &v->dst));
	REQUIRE(check_is_theirs(g, from_us ? &v->dst : &v->src));
}

static inline bool
check_is_our_ref(const struct gateway *g, const struct ref *ref)
{
	return ref_eq(ref, &g->set.own_ref) || maps_local(g->maps, ref);
}

/* The peer's hosts; or the gateway's own reference under its own context. */
static inline void
check_tunnel_ends(const struct gateway *g, const struct view *v, bool from_us)
{
	const struct addr *ours = from_us ? &v->src : &v->dst;
	const struct addr *theirs = from_us ? &v->dst : &v->src;
	const struct ref *ref = from_us ? &v->dst_ref : &v->src_ref;

	REQUIRE(addr_eq(ours, &g->set.pub));
	REQUIRE(check_is_our_ref(g, from_us ? &v->src_ref : &v->dst_ref));
	if (addr_eq(theirs, &g->peer))
		REQUIRE(maps_remote(g->maps, theirs, ref));
	else
		REQUIRE(addr_eq(theirs, &g->set.pub) &&
			ref_eq(ref, &g->set.own_ref));
}

/* --- ICMP and what it quotes ------------------------------------------------
 */

static const struct {
	uint8_t tunnel[2], v4[2], v6[2];
	bool carries;
} check_icmps[] = {
#define ICMP(t, c, t4, c4, t6, c6, carries)                                    \
	{{t, c}, {t4, c4}, {t6, c6}, carries},
#define ICMP_NEAREST(ver, t, c, to_t, to_c)
#include "proto/icmp.def"
#undef ICMP
#undef ICMP_NEAREST
};

/* The row of a message; a message that is in none must not come out. */
static inline bool
check_carries(uint8_t form, const uint8_t *l4)
{
	const uint8_t *kind;
	size_t i;

	for (i = 0; i < ARRAY_LEN(check_icmps); i++) {
		kind = form == 4   ? check_icmps[i].v4
		       : form == 6 ? check_icmps[i].v6
				   : check_icmps[i].tunnel;
		if (!memcmp(kind, l4, 2))
			return check_icmps[i].carries;
	}
	abort();
}

static inline void check_quote(const struct gateway *g, uint8_t form,
	const uint8_t *p, size_t len, unsigned level);

/* Level 0 is the packet itself; odd levels went the other way. */
static inline void
check_icmp(const struct gateway *g, const struct view *v, unsigned level)
{
	if (!check_is_icmp(v) || v->off || v->l4_len < 8)
		return;
	if (!check_carries(v->form, v->l4))
		return;
	REQUIRE(level < ICMP_LEVELS);
	if (level == 0) {
		REQUIRE(!v->mf);
		REQUIRE(!check_l4_sum(v));
		REQUIRE(v->form != ICMP_IN_TUNNEL || v->l4_len % 2 == 0);
	}
	if (level + 1 == ICMP_LEVELS)
		REQUIRE(v->l4_len == 8);
	else
		check_quote(g, v->form, v->l4 + 8, v->l4_len - 8, level + 1);
}

static inline void
check_quote(const struct gateway *g, uint8_t form, const uint8_t *p, size_t len,
	unsigned level)
{
	struct view v;

	if (form == ICMP_IN_TUNNEL) {
		v = check_tunnel(p, len);
		check_tunnel_ends(g, &v, level % 2 == 0);
	} else {
		v = check_local(g, p, len, true);
		check_local_ends(g, &v, level % 2 != 0);
	}
	check_icmp(g, &v, level);
}

/* --- whole results ----------------------------------------------------------
 */

/* The local packet out of decap(). */
static inline struct view
check_delivered(const struct gateway *g, const struct packet_out *out)
{
	struct view v = check_local(g, out->p, out->len, false);

	check_local_ends(g, &v, false);
	REQUIRE(out->from_self == addr_eq(&v.src, &g->set.own_local));
	check_icmp(g, &v, 0);
	return v;
}

/* The IPREF packet out of encap(). */
static inline struct view
check_sent(const struct gateway *g, const struct packet_out *out)
{
	struct view v = check_tunnel(out->p, out->len);

	check_tunnel_ends(g, &v, true);
	REQUIRE(addr_eq(&v.dst, &out->peer));
	REQUIRE(!addr_is_zero(&out->peer));
	REQUIRE(!v.mf || v.l4_len % 8 == 0);
	check_icmp(g, &v, 0);
	return v;
}

/* An ICMP error of ours to a local host, about the packet in: its quote is that
 * packet's beginning. */
static inline void
check_reply_local(const struct gateway *g, const struct packet_in *in,
	const struct packet_out *out)
{
	struct view v = check_local(g, out->p, out->len, false);

	REQUIRE(out->reply == REPLY_LOCAL && out->drop && out->from_self);
	REQUIRE(check_is_icmp(&v) && !v.off && !v.mf && v.ttl == 64);
	REQUIRE(addr_eq(&v.src, &g->set.own_local));
	REQUIRE(!check_l4_sum(&v));
	REQUIRE(v.l4_len > 8 && v.l4_len - 8 <= ICMP_QUOTE_MAX);
	REQUIRE(v.l4_len - 8 <= in->len);
	REQUIRE(!memcmp(v.l4 + 8, in->p, v.l4_len - 8));
}

/* To a peer. */
static inline void
check_reply_peer(const struct gateway *g, const struct packet_in *in,
	const struct packet_out *out)
{
	struct view v = check_tunnel(out->p, out->len);

	REQUIRE(out->reply == REPLY_PEER && out->drop);
	REQUIRE(v.proto == 1 && v.ttl == 64 && !v.df && !v.mf && !v.off);
	REQUIRE(addr_eq(&v.src, &g->set.pub));
	REQUIRE(ref_eq(&v.src_ref, &g->set.own_ref));
	REQUIRE(addr_eq(&v.dst, &g->peer));
	REQUIRE(addr_eq(&v.dst, &out->peer));
	REQUIRE(v.l4_len % 2 == 0 && !check_l4_sum(&v));
	REQUIRE(v.l4_len - 8 <= ICMP_QUOTE_MAX && v.l4_len - 8 <= in->len);
}

#endif
