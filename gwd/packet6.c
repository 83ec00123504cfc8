/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv6: extension headers are skipped up to layer 4, as RFC 7915 (5.1) has it;
 * only the fragment header leaves a trace. Behind that of a true fragment
 * there must be layer 4: of the other fragments nobody could tell where it
 * begins. The walk is bounded in number. A jumbogram says in its base header
 * that it has no payload, so its length disagrees.
 */
#include "gwd/l4.h"
#include "gwd/packet_impl.h"

#define HEADER	       40
#define FRAGMENT_BYTES 8
#define OFFSET	       0xfff8 /* fragment field, in bytes */
#define MF	       0x0001
#define EXTENSIONS_MAX 8

enum next {
	HOP_BY_HOP = 0,
	ROUTING = 43,
	FRAGMENT = 44,
	DEST_OPTIONS = 60,
};

static bool
is_extension(uint8_t next)
{
	return next == HOP_BY_HOP || next == ROUTING || next == FRAGMENT ||
	       next == DEST_OPTIONS;
}

/* Returns what comes next. */
static uint8_t
read_fragment(struct packet *p, struct rbuf *r)
{
	uint8_t next = rbuf_u8(r);
	uint16_t field;

	rbuf_skip(r, 1); /* reserved */
	field = rbuf_be16(r);
	p->frag = true;
	p->off = field & OFFSET;
	p->mf = field & MF;
	p->ident = rbuf_be32(r);
	return next;
}

/* Any other one; at: where it begins in the packet. */
static uint8_t
read_other(struct packet *p, struct rbuf *r, uint8_t type, size_t at)
{
	uint8_t next = rbuf_u8(r);
	size_t len = 8 * (rbuf_u8(r) + (size_t)1);

	rbuf_skip(r, 1); /* routing: its type */
	if (rbuf_u8(r) && type == ROUTING) {
		p->source_route = true;
		p->pointer = (uint32_t)at + 3;
	}
	rbuf_skip(r, len - 4);
	return next;
}

/* From the header of type p->proto up to layer 4. */
static enum drop
skip_extensions(struct packet *p, struct rbuf *r)
{
	unsigned n;

	for (n = 0; is_extension(p->proto); n++) {
		if (n == EXTENSIONS_MAX || (p->proto == HOP_BY_HOP && n) ||
			(p->proto == FRAGMENT && p->frag))
			return DROP_BAD_HEADER;
		if (p->off || p->mf)
			return DROP_PROTOCOL;
		if (p->proto == FRAGMENT)
			p->proto = read_fragment(p, r);
		else
			p->proto = read_other(p, r, p->proto, HEADER + r->pos);
		if (!rbuf_ok(r))
			return DROP_TOO_SHORT;
	}
	return DROP_NONE;
}

static enum drop
parse(struct packet *p, const uint8_t *b, size_t len, bool quoted)
{
	size_t payload, left;
	struct rbuf r;
	enum drop drop;

	rbuf_init(&r, b, len);
	p->tos = (uint8_t)(rbuf_be16(&r) >> 4);
	rbuf_skip(&r, 2); /* flow label */
	payload = rbuf_be16(&r);
	p->proto = rbuf_u8(&r);
	p->ttl = rbuf_u8(&r);
	p->src = addr_get(&r, 6);
	p->dst = addr_get(&r, 6);
	if (!rbuf_ok(&r))
		return DROP_TOO_SHORT;
	left = rbuf_left(&r);
	if (payload != left && !quoted)
		return DROP_BAD_LENGTH;
	rbuf_init(&r, b + HEADER, payload < left ? payload : left);
	drop = skip_extensions(p, &r);
	if (drop)
		return drop;
	p->df = true;
	p->l4 = b + HEADER + r.pos;
	p->l4_len = rbuf_left(&r);
	p->l4_whole = payload - r.pos;
	return DROP_NONE;
}

static void
begin(struct wbuf *w, const struct packet *p)
{
	wbuf_be16(w, 0x6000u | (unsigned)p->tos << 4);
	wbuf_be16(w, 0); /* flow label */
	wbuf_be16(w, 0); /* payload length: end() */
	wbuf_u8(w, p->frag ? FRAGMENT : p->proto);
	wbuf_u8(w, p->ttl);
	addr_put(w, &p->src, 6);
	addr_put(w, &p->dst, 6);
	if (!p->frag)
		return;
	wbuf_u8(w, p->proto);
	wbuf_u8(w, 0);
	wbuf_be16(w, p->off | (p->mf ? MF : 0u));
	wbuf_be32(w, p->ident);
}

static void
end(struct wbuf *w, size_t start)
{
	if (wbuf_ok(w))
		wbuf_patch16(w, start + 4, w->len - start - HEADER);
}

const struct packet_version packet_v6 = {
	.parse = parse,
	.begin = begin,
	.end = end,
	.header = HEADER,
	.frag_header = FRAGMENT_BYTES,
	.icmp = L4_ICMPV6,
	.icmp_pseudo = true,
};
