/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariant: what header_decode() takes, header_encode() writes with the same
 * meaning, and byte for byte when the references had their shortest form.
 */
#include "gwd/header.h"

/* Reference length by the code `rl`; code 3 is invalid. */
static const uint8_t ref_lens[4] = {4, 8, 16, 0};

static size_t
wire_ref_len(const struct header *h)
{
	size_t src = ref_wire_len(&h->src_ref);
	size_t dst = ref_wire_len(&h->dst_ref);

	return src > dst ? src : dst;
}

static void
get_fragment(struct rbuf *r, struct header *h, bool *reserved)
{
	uint16_t zero = rbuf_be16(r);
	uint16_t field = rbuf_be16(r);

	h->frag = true;
	h->off = field & HEADER_OFFSET;
	h->mf = field & HEADER_MF;
	h->ident = rbuf_be32(r);
	if (zero || (field & ~(HEADER_OFFSET | HEADER_MF)))
		*reserved = true;
}

size_t
header_peek(const uint8_t *pkt, size_t len)
{
	size_t addr, ref, size;

	if (len < HEADER_MIN || (pkt[0] & 0xf0) != HEADER_IPREF ||
		pkt[1] & 0x0f)
		return 0;
	addr = addr_len(pkt[1] >> 4);
	ref = ref_lens[pkt[0] >> 2 & 3];
	size = HEADER_PLAIN + (pkt[0] & HEADER_I ? HEADER_FRAG : 0u) +
	       2 * (addr + ref);
	return addr && ref && size <= len ? size : 0;
}

enum drop
header_decode(struct header *h, size_t *size, const uint8_t *pkt, size_t len)
{
	bool reserved = false;
	uint8_t first, second, ver;
	size_t ref_len;
	struct rbuf r;

	*h = (struct header){0};
	*size = 0;
	if (len < HEADER_MIN)
		return DROP_TUNNEL_SHORT;
	rbuf_init(&r, pkt, len);
	first = rbuf_u8(&r);
	second = rbuf_u8(&r);
	h->ttl = rbuf_u8(&r);
	h->proto = rbuf_u8(&r);
	h->df = first & HEADER_D;
	ver = second >> 4;
	ref_len = ref_lens[first >> 2 & 3];
	if ((first & 0xf0) != HEADER_IPREF)
		return DROP_TUNNEL_VERSION;
	if (!ref_len)
		return DROP_TUNNEL_REF_LEN;
	if (!addr_len(ver))
		return DROP_TUNNEL_IPVER;
	if (second & 0x0f)
		return DROP_TUNNEL_RESERVED;
	if (first & HEADER_I)
		get_fragment(&r, h, &reserved);
	h->src_gw = addr_get(&r, ver);
	h->dst_gw = addr_get(&r, ver);
	h->src_ref = ref_get(&r, ref_len);
	h->dst_ref = ref_get(&r, ref_len);
	if (!rbuf_ok(&r))
		return DROP_TUNNEL_SHORT;
	*size = r.pos;
	return reserved ? DROP_TUNNEL_RESERVED : DROP_NONE;
}

void
header_encode(struct wbuf *w, const struct header *h)
{
	size_t ref_len = wire_ref_len(h);
	unsigned rl = ref_len == 16 ? 2 : ref_len == 8 ? 1 : 0;
	uint8_t ver = h->dst_gw.ver;

	wbuf_u8(w, HEADER_IPREF | rl << 2 | (h->frag ? HEADER_I : 0u) |
			   (h->df ? HEADER_D : 0u));
	wbuf_u8(w, (uint64_t)ver << 4);
	wbuf_u8(w, h->ttl);
	wbuf_u8(w, h->proto);
	if (h->frag) {
		if (h->off & ~HEADER_OFFSET)
			wbuf_fail(w);
		wbuf_be16(w, 0);
		wbuf_be16(w, h->off | (h->mf ? HEADER_MF : 0u));
		wbuf_be32(w, h->ident);
	}
	if (!addr_len(ver))
		wbuf_fail(w);
	addr_put(w, &h->src_gw, ver);
	addr_put(w, &h->dst_gw, ver);
	ref_put(w, &h->src_ref, ref_len);
	ref_put(w, &h->dst_ref, ref_len);
}

size_t
header_size(const struct header *h)
{
	return HEADER_PLAIN + (h->frag ? HEADER_FRAG : 0u) +
	       2 * (addr_len(h->dst_gw.ver) + wire_ref_len(h));
}
