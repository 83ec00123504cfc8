/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that leave, in the order of spec/tunnel.md, "Leaving".
 *
 * A packet and the packets quoted inside it are translated by the same
 * functions; `level` counts from 0, the packet itself. Odd levels went the
 * other way: there the source is the remote end, the destination ours. Nothing
 * is asked about quoted packets: one that can't be translated takes the whole
 * message with it. About a packet the mapper is asked only when its headers are
 * well, and about its source only when the destination is known.
 */
#include "gwd/encap.h"

#include "gwd/cksum.h"
#include "gwd/icmp.h"
#include "gwd/l4.h"
#include "gwd/maps.h"
#include "gwd/pmtu.h"

struct leave {
	const struct gw_settings *set;
	const struct maps *maps;
	struct packet_out *out; /* for what is learned on the way */
	uint32_t whole;		/* length of a fragmented echo, 0: not known */
	struct addr pub;	/* our context, zeros of the tunnel's version if
				 * it is not known */
	struct wbuf w;
};

/* One end of a packet: its IPREF address and the entry that gave it (NULL:
 * the gateway itself). */
struct end {
	struct addr gw;
	struct ref ref;
	const struct map *entry;
};

static enum drop put_packet(struct leave *l, const struct packet *p,
	struct header *h, unsigned level);

static bool
is_own(const struct leave *l, const struct addr *a)
{
	return addr_eq(a, &l->set->own_local);
}

static bool
our_end(const struct leave *l, const struct addr *a, struct end *e)
{
	const struct map *entry;

	*e = (struct end){.gw = l->pub, .ref = l->set->own_ref};
	if (is_own(l, a))
		return true;
	entry = maps_by_ip(l->maps, a);
	if (!entry)
		return false;
	e->ref = entry->ref;
	e->entry = entry;
	return true;
}

static bool
their_end(const struct leave *l, const struct addr *a, struct end *e)
{
	const struct map *entry;

	*e = (struct end){.gw = l->pub, .ref = l->set->own_ref};
	if (is_own(l, a))
		return true;
	if (!prefix_has(&l->set->encode_net, a))
		return false;
	entry = maps_by_ea(l->maps, a);
	if (!entry)
		return false;
	*e = (struct end){entry->gw, entry->ref, entry};
	return true;
}

/* The packet quoted in message m, its addresses in *h; an even part of it, see
 * icmp.c. */
static enum drop
read_quote(struct leave *l, const struct icmp *m, uint8_t ver, unsigned level,
	struct packet *p, struct header *h)
{
	size_t len =
		m->quote_len < ICMP_QUOTE_MAX ? m->quote_len : ICMP_QUOTE_MAX;
	struct end ours, theirs;
	bool back = level % 2;

	*h = (struct header){0};
	if (packet_parse(p, ver, m->quote, len, true))
		return DROP_ICMP_INNER;
	p->l4_len &= ~(size_t)1;
	if (!l4_carried(p->proto) ||
		!our_end(l, back ? &p->dst : &p->src, &ours) ||
		!their_end(l, back ? &p->src : &p->dst, &theirs))
		return DROP_ICMP_INNER;
	h->src_gw = back ? theirs.gw : ours.gw;
	h->src_ref = back ? theirs.ref : ours.ref;
	h->dst_gw = back ? ours.gw : theirs.gw;
	h->dst_ref = back ? ours.ref : theirs.ref;
	return DROP_NONE;
}

/* A message that carries a packet. At the last level it loses it. */
static enum drop
put_error(struct leave *l, struct icmp *m, uint8_t ver, unsigned level)
{
	bool last = level + 1 == ICMP_LEVELS;
	enum drop drop = DROP_NONE;
	struct packet inner;
	struct header h;
	size_t start;

	m->has_mtu = m->has_mtu && !last;
	if (!last && read_quote(l, m, ver, level + 1, &inner, &h))
		return DROP_ICMP_INNER;
	if (m->has_mtu) {
		if (level == 0) {
			l->out->mtu_of = inner.dst;
			l->out->mtu = m->mtu;
		}
		m->mtu = pmtu_to_tunnel(m->mtu);
		if (!m->mtu)
			return DROP_ICMP_MTU;
	}
	start = icmp_begin(&l->w, ICMP_IN_TUNNEL, m);
	if (!last)
		drop = put_packet(l, &inner, &h, level + 1);
	icmp_end(&l->w, start, NULL);
	return drop ? DROP_ICMP_INNER : DROP_NONE;
}

/* An ICMPv6 checksum covers addresses and the length of the whole message. */
static enum drop
put_echo(struct leave *l, const struct packet *p, const struct icmp *m,
	unsigned level)
{
	size_t whole = p->l4_whole;

	if (level == 0 && p->mf && packet_icmp_pseudo(p->ver)) {
		whole = l->whole;
		if (!whole)
			return DROP_ECHO_WAITS;
	}
	icmp_put_plain(
		&l->w, m, p->l4, p->l4_len, packet_icmp_sum(p, whole), 0);
	return DROP_NONE;
}

/* A first piece of ICMP. Of a quoted one too short for its header nothing is
 * written. */
static enum drop
put_icmp(struct leave *l, const struct packet *p, unsigned level)
{
	struct icmp m;

	if (p->l4_len < ICMP_HEADER)
		return DROP_NONE;
	if (!icmp_read(&m, p->ver, ICMP_IN_TUNNEL, p->l4, p->l4_len))
		return DROP_ICMP_TYPE;
	if (!m.carries)
		return put_echo(l, p, &m, level);
	if (level == 0 && p->mf)
		return DROP_ICMP_FRAGMENT;
	return put_error(l, &m, p->ver, level);
}

/* Writes p as an IPREF packet whose addresses are in h already. */
static enum drop
put_packet(struct leave *l, const struct packet *p, struct header *h,
	unsigned level)
{
	size_t start;

	h->ttl = p->ttl;
	h->proto = p->proto;
	h->df = p->df;
	/* with I deployed gateways wait for more of ICMP that is whole */
	h->frag = p->frag && (p->proto != L4_ICMP || p->off || p->mf);
	h->mf = p->mf;
	h->off = p->off;
	h->ident = p->ident;
	header_encode(&l->w, h);
	if (p->proto == L4_ICMP && !p->off)
		return put_icmp(l, p, level);
	start = l->w.len;
	wbuf_bytes(&l->w, p->l4, p->l4_len);
	if (wbuf_ok(&l->w))
		l4_adjust(L4_TUNNEL, p->proto, p->off, l->w.p + start,
			p->l4_len, cksum_addr(&p->src) + cksum_addr(&p->dst),
			0);
	return DROP_NONE;
}

/* What no mapping could make good. */
static enum drop
check(const struct leave *l, const struct packet *p)
{
	if (is_own(l, &p->src))
		;
	else if (addr_is_link_local(&p->src))
		return DROP_LINK_LOCAL;
	else if (prefix_has(&l->set->encode_net, &p->src))
		return DROP_SRC_ENCODED;
	else if (!addr_is_global_unicast(&p->src))
		return DROP_SRC_NOT_UNICAST;
	if (p->mf && p->l4_len % 8)
		return DROP_FRAGMENT_UNALIGNED;
	/* bytes behind "nothing follows" leave, as from deployed gateways */
	if (!l4_carried(p->proto) && !(p->proto == L4_NOTHING && p->l4_len))
		return DROP_PROTOCOL;
	return l4_check(p->proto, p->off, p->l4_len);
}

/* The destination stands for nobody that we know. */
static enum drop
no_destination(const struct leave *l, const struct packet_in *in,
	const struct packet *p, struct packet_out *out)
{
	icmp_reply_local(
		l->set, in, p, ICMP_UNREACHABLE, ICMP_UNREACHABLE_NET, 0, out);
	if (!prefix_has(&l->set->encode_net, &p->dst))
		return DROP_DST_NOT_ENCODED;
	if (!is_own(l, &p->dst)) {
		out->ask = ASK_LOOKUP;
		out->addr = p->dst;
	}
	return DROP_DST_UNKNOWN;
}

/* A fragment of an IPv6 network's ICMP. */
static void
note_echo(const struct packet *p, struct packet_out *out)
{
	if (p->proto != L4_ICMP || !packet_icmp_pseudo(p->ver) ||
		(!p->off && !p->mf))
		return;
	out->echo = (struct echo){p->src, p->dst, p->ident};
	if (!p->mf)
		out->whole = p->off + (uint32_t)p->l4_len;
}

static enum drop
leave(struct leave *l, const struct packet_in *in, struct packet_out *out)
{
	struct end ours, theirs;
	struct header h = {0};
	struct packet p;
	enum drop drop;

	drop = packet_parse(&p, l->set->local_ver, in->p, in->len, false);
	if (!drop)
		drop = check(l, &p);
	if (drop)
		return drop;
	if (p.source_route) {
		icmp_reply_route(l->set, in, &p, out);
		return DROP_SOURCE_ROUTE;
	}
	/* without a public address our own context is none to send to */
	if (!their_end(l, &p.dst, &theirs) || addr_is_zero(&theirs.gw))
		return no_destination(l, in, &p, out);
	/* what goes there comes back to us, to leave again */
	if (prefix_has(&l->set->encode_net, &theirs.gw))
		return DROP_PEER_ENCODED;
	if (l->set->dec_ttl) {
		if (p.ttl <= 1) {
			icmp_reply_local(l->set, in, &p, ICMP_EXCEEDED,
				ICMP_EXCEEDED_TTL, 0, out);
			return DROP_TTL_EXCEEDED;
		}
		p.ttl--;
	}
	if (!our_end(l, &p.src, &ours)) {
		out->ask = ASK_REF;
		out->addr = p.src;
		return DROP_SRC_UNKNOWN;
	}
	h.src_gw = ours.gw;
	h.src_ref = ours.ref;
	h.dst_gw = theirs.gw;
	h.dst_ref = theirs.ref;
	note_echo(&p, out);
	drop = put_packet(l, &p, &h, 0);
	if (!drop && !wbuf_ok(&l->w))
		drop = DROP_NO_ROOM;
	if (drop == DROP_ECHO_WAITS)
		out->ask = ASK_WHOLE;
	if (drop)
		return drop;
	out->peer = theirs.gw;
	out->tos = p.tos;
	out->used[0] = ours.entry;
	out->used[1] = theirs.entry;
	return DROP_NONE;
}

void
encap(const struct gw_settings *set, const struct maps *maps,
	const struct packet_in *in, struct packet_out *out)
{
	struct leave l = {
		.set = set,
		.maps = maps,
		.out = out,
		.whole = in->whole,
		.pub = addr_is_zero(&set->pub) ? addr_zero(set->tunnel_ver)
					       : set->pub,
	};

	*out = (struct packet_out){.p = out->p, .size = out->size};
	wbuf_init(&l.w, out->p, out->size);
	out->drop = leave(&l, in, out);
	if (!out->drop)
		out->len = l.w.len;
}
