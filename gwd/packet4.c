/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4: the header checksum is not verified (the kernel has done so, and
 * deployed gateways don't either), options are skipped, a reserved flag is
 * ignored. Whether a packet is a fragment is decided here once: `frag` is set
 * with an offset or MF, and only then the identification means something.
 */
#include "gwd/cksum.h"
#include "gwd/l4.h"
#include "gwd/packet_impl.h"

#define HEADER 20
#define DF     0x4000
#define MF     0x2000
#define OFFSET 0x1fff /* in units of 8 bytes */

enum option {
	END = 0,
	NOP = 1,
	LOOSE_ROUTE = 131,
	STRICT_ROUTE = 137,
};

/* Looks for a source route with hops left: its pointer has not passed its end
 * (RFC 791, 3.1). False when the options are malformed. */
static bool
source_route(struct packet *p, const uint8_t *options, size_t len)
{
	struct rbuf r;
	uint8_t type, n, pointer;

	rbuf_init(&r, options, len);
	while (rbuf_left(&r)) {
		type = rbuf_u8(&r);
		if (type == END)
			break;
		if (type == NOP)
			continue;
		n = rbuf_u8(&r);
		if (n < 2)
			return false;
		if (type == LOOSE_ROUTE || type == STRICT_ROUTE) {
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
parse(struct packet *p, const uint8_t *b, size_t len, bool quoted)
{
	const uint8_t *options;
	size_t header, total;
	uint16_t ident, field;
	struct rbuf r;

	rbuf_init(&r, b, len);
	header = (rbuf_u8(&r) & 0x0fu) * 4;
	p->tos = rbuf_u8(&r);
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
	if (header < HEADER)
		return DROP_BAD_HEADER;
	if (total < header || (total != len && !quoted))
		return DROP_BAD_LENGTH;
	options = rbuf_take(&r, header - HEADER);
	if (!quoted && !source_route(p, options, header - HEADER))
		return DROP_BAD_HEADER;
	p->df = field & DF;
	p->mf = field & MF;
	p->off = (uint16_t)((field & OFFSET) * 8u);
	p->frag = p->mf || p->off;
	p->ident = p->frag ? ident : 0;
	p->l4 = b + header;
	p->l4_whole = total - header;
	p->l4_len = (total < len ? total : len) - header;
	return DROP_NONE;
}

static void
begin(struct wbuf *w, const struct packet *p)
{
	wbuf_u8(w, 0x45);
	wbuf_u8(w, p->tos);
	wbuf_be16(w, 0); /* total length: end() */
	wbuf_be16(w, p->ident & UINT16_MAX);
	wbuf_be16(w, (p->df ? DF : 0u) | (p->mf ? MF : 0u) | p->off / 8u);
	wbuf_u8(w, p->ttl);
	wbuf_u8(w, p->proto);
	wbuf_be16(w, 0); /* header checksum: end() */
	addr_put(w, &p->src, 4);
	addr_put(w, &p->dst, 4);
}

static void
end(struct wbuf *w, size_t start)
{
	wbuf_patch16(w, start + 2, w->len - start);
	if (wbuf_ok(w))
		wbuf_patch16(w, start + 10,
			cksum_field(cksum_sum(w->p + start, HEADER)));
}

const struct packet_version packet_v4 = {
	.parse = parse,
	.begin = begin,
	.end = end,
	.header = HEADER,
	.icmp = L4_ICMP,
};
