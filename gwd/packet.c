/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local packets; a row of `versions` per IP version.
 *
 * IPv4: the header checksum is not verified (the kernel has done so, and
 * deployed gateways don't either), options are skipped, a reserved flag is
 * ignored. Whether a packet is a fragment is decided here once: `frag` is set
 * with an offset or MF, and only then the identification means something.
 */
#include "gwd/packet.h"

#include "gwd/cksum.h"
#include "gwd/l4.h"

#define V4_HEADER 20
#define V4_DF	  0x4000
#define V4_MF	  0x2000
#define V4_OFFSET 0x1fff /* in units of 8 bytes */

enum v4_option {
	V4_END = 0,
	V4_NOP = 1,
	V4_LOOSE_ROUTE = 131,
	V4_STRICT_ROUTE = 137,
};

/* Looks for a source route with hops left: its pointer has not passed its end
 * (RFC 791, 3.1). False when the options are malformed. */
static bool
v4_options(struct packet *p, const uint8_t *options, size_t len)
{
	struct rbuf r;
	uint8_t type, n, pointer;

	rbuf_init(&r, options, len);
	while (rbuf_left(&r)) {
		type = rbuf_u8(&r);
		if (type == V4_END)
			break;
		if (type == V4_NOP)
			continue;
		n = rbuf_u8(&r);
		if (n < 2)
			return false;
		if (type == V4_LOOSE_ROUTE || type == V4_STRICT_ROUTE) {
			if (n < 3)
				return false;
			pointer = rbuf_u8(&r);
			p->source_route = p->source_route || pointer <= n;
			rbuf_skip(&r, n - 3u);
		} else {
			rbuf_skip(&r, n - 2u);
		}
	}
	return rbuf_ok(&r);
}

static enum drop
v4_parse(struct packet *p, const uint8_t *b, size_t len, bool quoted)
{
	const uint8_t *options;
	size_t header, total;
	uint16_t ident, field;
	struct rbuf r;

	rbuf_init(&r, b, len);
	header = (rbuf_u8(&r) & 0x0fu) * 4;
	rbuf_skip(&r, 1); /* DSCP, ECN */
	total = rbuf_be16(&r);
	ident = rbuf_be16(&r);
	field = rbuf_be16(&r);
	p->ttl = rbuf_u8(&r);
	p->proto = rbuf_u8(&r);
	rbuf_skip(&r, 2); /* header checksum */
	p->src = addr_get(&r, 4);
	p->dst = addr_get(&r, 4);
	if (!rbuf_ok(&r) || len < header)
		return DROP_TOO_SHORT;
	if (header < V4_HEADER)
		return DROP_BAD_HEADER;
	if (total < header || (total != len && !quoted))
		return DROP_BAD_LENGTH;
	options = rbuf_take(&r, header - V4_HEADER);
	if (!quoted && !v4_options(p, options, header - V4_HEADER))
		return DROP_BAD_HEADER;
	p->df = field & V4_DF;
	p->mf = field & V4_MF;
	p->off = (uint16_t)((field & V4_OFFSET) * 8u);
	p->frag = p->mf || p->off;
	p->ident = p->frag ? ident : 0;
	p->l4 = b + header;
	p->l4_len = (total < len ? total : len) - header;
	return DROP_NONE;
}

static void
v4_begin(struct wbuf *w, const struct packet *p)
{
	wbuf_u8(w, 0x45);
	wbuf_u8(w, 0);
	wbuf_be16(w, 0); /* total length: v4_end() */
	wbuf_be16(w, p->ident & UINT16_MAX);
	wbuf_be16(w, (p->df ? V4_DF : 0u) | (p->mf ? V4_MF : 0u) | p->off / 8u);
	wbuf_u8(w, p->ttl);
	wbuf_u8(w, p->proto);
	wbuf_be16(w, 0); /* header checksum: v4_end() */
	addr_put(w, &p->src, 4);
	addr_put(w, &p->dst, 4);
}

static void
v4_end(struct wbuf *w, size_t start)
{
	wbuf_patch16(w, start + 2, w->len - start);
	if (wbuf_ok(w))
		wbuf_patch16(w, start + 10,
			cksum_field(cksum_sum(w->p + start, V4_HEADER)));
}

static const struct version {
	enum drop (*parse)(struct packet *, const uint8_t *, size_t, bool);
	void (*begin)(struct wbuf *, const struct packet *);
	void (*end)(struct wbuf *, size_t);
	size_t header, frag_header;
	uint8_t icmp; /* protocol number of its ICMP */
} versions[] = {
	[4] = {v4_parse, v4_begin, v4_end, V4_HEADER, 0, L4_ICMP},
};

/* NULL: not understood. */
static const struct version *
version(uint8_t ver)
{
	if (ver >= ARRAY_LEN(versions) || !versions[ver].parse)
		return NULL;
	return &versions[ver];
}

bool
packet_knows(uint8_t ver)
{
	return version(ver);
}

enum drop
packet_parse(struct packet *p, uint8_t ver, const uint8_t *b, size_t len,
	bool quoted)
{
	const struct version *v = version(ver);
	enum drop drop;

	*p = (struct packet){.ver = ver};
	if (!len)
		return DROP_TOO_SHORT;
	if (!v || b[0] >> 4 != ver)
		return DROP_IP_VERSION;
	drop = v->parse(p, b, len, quoted);
	if (drop)
		return drop;
	if (p->proto == v->icmp)
		p->proto = L4_ICMP;
	else if (p->proto == L4_ICMP || p->proto == L4_ICMPV6)
		return DROP_PROTOCOL;
	return DROP_NONE;
}

size_t
packet_begin(struct wbuf *w, const struct packet *p)
{
	const struct version *v = version(p->ver);
	struct packet numbered = *p;
	size_t start = w->len;

	if (!v) {
		wbuf_fail(w);
		return start;
	}
	if (p->proto == L4_ICMP)
		numbered.proto = v->icmp;
	v->begin(w, &numbered);
	return start;
}

void
packet_end(struct wbuf *w, const struct packet *p, size_t start)
{
	const struct version *v = version(p->ver);

	if (v)
		v->end(w, start);
}

size_t
packet_header_len(uint8_t ver, bool frag)
{
	const struct version *v = version(ver);

	return v ? v->header + (frag ? v->frag_header : 0) : 0;
}
