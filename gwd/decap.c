/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that arrive, in the order of spec/tunnel.md, "Arriving", but for the
 * destination, which is looked up before the source: nothing is asked for the
 * sake of a packet that nobody waits for.
 *
 * As in encap.c the quoted packets go through the same functions, and odd
 * levels went the other way: there the source is ours.
 */
#include "gwd/decap.h"

#include "gwd/cksum.h"
#include "gwd/icmp.h"
#include "gwd/l4.h"
#include "gwd/maps.h"
#include "gwd/pmtu.h"

struct arrive {
	const struct gw_settings *set;
	const struct maps *maps;
	struct addr peer;  /* who sent the datagram */
	struct addr alias; /* without a public address: under which one this
			    * peer knows us; version 0: it did not say */
	uint32_t number;   /* for packets that need an identification */
	uint32_t whole;	   /* length of a fragmented echo, 0: not known */
	struct wbuf w;
};

/* An IPREF packet, whole or quoted. */
struct ipref {
	struct header h;
	size_t header_len;
	const uint8_t *l4; /* borrowed */
	size_t l4_len;
};

static enum drop put_packet(struct arrive *a, const struct ipref *i,
	struct packet *p, unsigned level);

/* Also checks the version of the contexts, not what they say. */
static enum drop
parse(const struct arrive *a, struct ipref *i, const uint8_t *pkt, size_t len)
{
	enum drop drop = header_decode(&i->h, &i->header_len, pkt, len);

	if (drop)
		return drop;
	if (i->h.src_gw.ver != a->set->tunnel_ver)
		return DROP_TUNNEL_IPVER;
	i->l4 = pkt + i->header_len;
	i->l4_len = len - i->header_len;
	return DROP_NONE;
}

static bool
our_context(const struct arrive *a, const struct addr *gw)
{
	return addr_is_zero(gw) || addr_eq(gw, &a->set->pub) ||
	       addr_eq(gw, &a->alias);
}

/* The local address of one of our hosts; *entry: what gave it, NULL: it is the
 * gateway itself. */
static bool
our_end(const struct arrive *a, const struct ref *ref, struct addr *local,
	const struct map **entry)
{
	*entry = NULL;
	*local = a->set->own_local;
	if (ref_eq(ref, &a->set->own_ref))
		return true;
	*entry = maps_local(a->maps, ref);
	if (*entry)
		*local = (*entry)->local;
	return *entry;
}

static bool
their_end(const struct arrive *a, const struct addr *gw, const struct ref *ref,
	struct addr *local, const struct map **entry)
{
	*entry = NULL;
	*local = a->set->own_local;
	if (addr_eq(gw, &a->set->pub) && ref_eq(ref, &a->set->own_ref))
		return true;
	*entry = maps_remote(a->maps, gw, ref);
	if (*entry)
		*local = (*entry)->local;
	return *entry;
}

/* The packet quoted in a message, translated. Zero contexts: ours on our side,
 * the peer on the other. */
static enum drop
put_quote(struct arrive *a, const struct ipref *i, unsigned level)
{
	const struct header *h = &i->h;
	bool back = level % 2;
	const struct addr *our_gw = back ? &h->src_gw : &h->dst_gw;
	const struct addr *gw = back ? &h->dst_gw : &h->src_gw;
	const struct map *entry;
	struct packet p = {.ver = a->set->local_ver, .ident = h->ident};

	if (addr_is_zero(gw))
		gw = &a->peer;
	if (!l4_carried(h->proto) || !our_context(a, our_gw) ||
		!our_end(a, back ? &h->src_ref : &h->dst_ref,
			back ? &p.src : &p.dst, &entry) ||
		!their_end(a, gw, back ? &h->dst_ref : &h->src_ref,
			back ? &p.dst : &p.src, &entry))
		return DROP_ICMP_INNER;
	return put_packet(a, i, &p, level) ? DROP_ICMP_INNER : DROP_NONE;
}

/* A message that carries a packet, in p. At the last level it loses it. */
static enum drop
put_error(struct arrive *a, struct icmp *m, const struct packet *p,
	unsigned level)
{
	size_t len =
		m->quote_len < ICMP_QUOTE_MAX ? m->quote_len : ICMP_QUOTE_MAX;
	uint8_t ver = a->set->local_ver;
	bool last = level + 1 == ICMP_LEVELS;
	enum drop drop = DROP_NONE;
	struct ipref inner;
	size_t start;

	m->has_mtu = m->has_mtu && !last;
	if (!last && parse(a, &inner, m->quote, len))
		return DROP_ICMP_INNER;
	if (m->has_mtu) {
		m->mtu = pmtu_to_local(
			ver, inner.header_len, inner.h.frag, m->mtu);
		if (!m->mtu)
			return DROP_ICMP_MTU;
	}
	start = icmp_begin(&a->w, ver, m);
	if (!last)
		drop = put_quote(a, &inner, level + 1);
	icmp_end(&a->w, start, p);
	return drop;
}

/* An ICMPv6 checksum covers addresses and the length of the whole message. */
static enum drop
put_echo(struct arrive *a, const struct ipref *i, const struct icmp *m,
	const struct packet *p, unsigned level)
{
	size_t whole = i->l4_len;

	if (level == 0 && i->h.mf && packet_icmp_pseudo(p->ver)) {
		whole = a->whole;
		if (!whole)
			return DROP_ECHO_WAITS;
	}
	icmp_put_plain(
		&a->w, m, i->l4, i->l4_len, 0, packet_icmp_sum(p, whole));
	return DROP_NONE;
}

/* A first piece of ICMP, in p. Of a quoted one too short for its header nothing
 * is written. */
static enum drop
put_icmp(struct arrive *a, const struct ipref *i, const struct packet *p,
	unsigned level)
{
	struct icmp m;

	if (i->l4_len < ICMP_HEADER)
		return DROP_NONE;
	if (!icmp_read(&m, ICMP_IN_TUNNEL, a->set->local_ver, i->l4, i->l4_len))
		return DROP_ICMP_TYPE;
	if (m.carries && level == 0 && i->h.mf)
		return DROP_ICMP_FRAGMENT;
	if (m.carries)
		return put_error(a, &m, p, level);
	return put_echo(a, i, &m, p, level);
}

/* IPv6 hosts take no UDP without checksum. */
static bool
needs_sum(const struct arrive *a, const struct ipref *i)
{
	return a->set->local_ver == 6 &&
	       l4_no_sum(i->h.proto, i->h.off, i->l4, i->l4_len);
}

static enum drop
put_payload(struct arrive *a, const struct ipref *i, const struct packet *p,
	unsigned level)
{
	uint32_t addrs = cksum_addr(&p->src) + cksum_addr(&p->dst);
	uint8_t *piece;

	if (p->proto == L4_ICMP && !p->off)
		return put_icmp(a, i, p, level);
	piece = wbuf_room(&a->w, i->l4_len);
	if (!piece || !i->l4_len)
		return DROP_NONE;
	memcpy(piece, i->l4, i->l4_len);
	if (level == 0 && needs_sum(a, i))
		l4_make_sum(piece, i->l4_len, addrs);
	else
		l4_adjust(
			L4_LOCAL, p->proto, p->off, piece, i->l4_len, 0, addrs);
	return DROP_NONE;
}

/* Writes i as a local packet whose version, addresses and identification are
 * in p already. */
static enum drop
put_packet(struct arrive *a, const struct ipref *i, struct packet *p,
	unsigned level)
{
	enum drop drop;
	size_t start;

	p->ttl = i->h.ttl;
	p->proto = i->h.proto;
	p->df = i->h.df;
	p->frag = i->h.frag;
	p->mf = i->h.mf;
	p->off = i->h.off;
	start = packet_begin(&a->w, p);
	drop = put_payload(a, i, p, level);
	packet_end(&a->w, p, start);
	return drop;
}

/* Contexts are those of the sender and ours, or zero; the source's is filled
 * in. */
static enum drop
check_contexts(struct arrive *a, struct header *h)
{
	if (addr_is_zero(&h->src_gw))
		h->src_gw = a->peer;
	if (!addr_eq(&h->src_gw, &a->peer))
		return DROP_SRC_CONTEXT;
	if (addr_is_zero(&a->set->pub) && !addr_is_zero(&h->dst_gw))
		a->alias = h->dst_gw;
	if (!our_context(a, &h->dst_gw))
		return DROP_DST_CONTEXT;
	if (prefix_has(&a->set->encode_net, &a->peer))
		return DROP_PEER_ENCODED;
	return addr_is_global_unicast(&a->peer) ? DROP_NONE
						: DROP_PEER_NOT_UNICAST;
}

static enum drop
check_payload(const struct arrive *a, const struct ipref *i)
{
	if (!l4_carried(i->h.proto))
		return DROP_PROTOCOL;
	if (i->h.mf && needs_sum(a, i))
		return DROP_UDP_NO_SUM;
	return l4_check(i->h.proto, i->h.off, i->l4_len);
}

static void
reply(const struct arrive *a, const struct packet_in *in, const struct ipref *i,
	uint8_t type, uint8_t code, struct packet_out *out)
{
	icmp_reply_peer(a->set, in, &i->h, i->l4, i->l4_len, type, code, out);
}

/* Both ends of the packet and its TTL. */
static enum drop
route(const struct arrive *a, const struct packet_in *in, struct ipref *i,
	struct packet *p, struct packet_out *out)
{
	const struct map *ours, *theirs;
	struct header *h = &i->h;

	if (!our_end(a, &h->dst_ref, &p->dst, &ours)) {
		reply(a, in, i, ICMP_UNREACHABLE, ICMP_UNREACHABLE_NET, out);
		return DROP_REF_UNKNOWN;
	}
	if (a->set->dec_ttl) {
		if (h->ttl <= 1) {
			reply(a, in, i, ICMP_EXCEEDED, ICMP_EXCEEDED_TTL, out);
			return DROP_TTL_EXCEEDED;
		}
		h->ttl--;
	}
	if (!their_end(a, &h->src_gw, &h->src_ref, &p->src, &theirs)) {
		out->ask = ASK_EA;
		out->addr = h->src_gw;
		out->ref = h->src_ref;
		return DROP_EA_REFUSED;
	}
	out->used[0] = theirs;
	out->used[1] = ours;
	return DROP_NONE;
}

/* A fragment of ICMP for an IPv6 network, as p there. */
static void
note_echo(const struct ipref *i, const struct packet *p, struct packet_out *out)
{
	const struct header *h = &i->h;

	if (h->proto != L4_ICMP || !packet_icmp_pseudo(p->ver) ||
		(!h->off && !h->mf))
		return;
	out->echo = (struct echo){p->src, p->dst, h->ident};
	if (!h->mf)
		out->whole = h->off + (uint32_t)i->l4_len;
}

static enum drop
arrive(struct arrive *a, const struct packet_in *in, struct packet_out *out)
{
	struct packet p = {.ver = a->set->local_ver};
	struct ipref i;
	enum drop drop;

	drop = parse(a, &i, in->p, in->len);
	if (!drop && i.h.mf && i.l4_len % 8)
		drop = DROP_FRAGMENT_UNALIGNED;
	if (!drop)
		drop = check_contexts(a, &i.h);
	if (drop)
		return drop;
	out->peer_ok = true;
	drop = check_payload(a, &i);
	if (!drop)
		drop = route(a, in, &i, &p, out);
	if (drop)
		return drop;
	p.ident = i.h.frag || i.h.df ? i.h.ident : a->number;
	p.tos = in->tos;
	note_echo(&i, &p, out);
	drop = put_packet(a, &i, &p, 0);
	if (drop == DROP_ECHO_WAITS)
		out->ask = ASK_WHOLE;
	if (drop)
		return drop;
	return wbuf_ok(&a->w) ? DROP_NONE : DROP_NO_ROOM;
}

void
decap(const struct gw_settings *set, const struct maps *maps,
	const struct packet_in *in, struct packet_out *out)
{
	struct arrive a = {
		.set = set,
		.maps = maps,
		.peer = in->from,
		.number = in->number,
		.whole = in->whole,
	};

	*out = (struct packet_out){.p = out->p, .size = out->size};
	wbuf_init(&a.w, out->p, out->size);
	out->drop = arrive(&a, in, out);
	if (out->drop) {
		out->used[0] = out->used[1] = NULL;
	} else {
		out->len = a.w.len;
		out->from_self = !out->used[0];
	}
}
