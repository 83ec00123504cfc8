/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every piece carries the whole header; offsets, MF and identification continue
 * those of a packet that is a fragment already.
 */
#include "gwd/frag.h"

#include "gwd/header.h"
#include "gwd/icmp.h"
#include "gwd/packet.h"
#include "gwd/pmtu.h"

size_t
frag_room(const struct gw_settings *set, uint32_t path_mtu)
{
	return pmtu_room(set->tunnel_ver, path_mtu);
}

bool
frag_forbidden(const uint8_t *tunnel)
{
	return tunnel[0] & HEADER_D;
}

bool
frag_despite_d(const struct gw_settings *set, size_t local_len)
{
	return set->local_ver == 6 && local_len <= PMTU_V6_LEAST;
}

/* How much of `left` bytes at offset off goes into a piece with that much room
 * for them; *mf: there is more. 0: nothing can. */
static size_t
cut(size_t left, size_t room, size_t off, bool *mf)
{
	if (off > HEADER_OFFSET)
		return 0;
	if (left <= room)
		return left;
	*mf = true;
	return room & ~(size_t)7;
}

size_t
frag_piece(const uint8_t *pkt, size_t len, size_t room, uint32_t ident,
	size_t *off, uint8_t *out, size_t size)
{
	struct header h;
	struct wbuf w;
	size_t header, n;

	if (header_decode(&h, &header, pkt, len) || *off >= len - header)
		return 0;
	if (!h.frag)
		h.ident = ident;
	h.frag = true;
	h.df = false;
	room = header_size(&h) < room ? room - header_size(&h) : 0;
	n = cut(len - header - *off, room, h.off + *off, &h.mf);
	if (!n)
		return 0;
	h.off = (uint16_t)(h.off + *off);
	wbuf_init(&w, out, size);
	header_encode(&w, &h);
	wbuf_bytes(&w, pkt + header + *off, n);
	if (!wbuf_ok(&w))
		return 0;
	*off += n;
	return w.len;
}

bool
frag_for_host(const struct gw_settings *set, const uint8_t *tunnel,
	size_t local_len, uint32_t mtu)
{
	return set->local_ver == 6 && local_len > mtu &&
	       !frag_forbidden(tunnel);
}

size_t
frag_host_piece(const uint8_t *pkt, size_t len, uint32_t mtu, uint32_t ident,
	size_t *off, uint8_t *out, size_t size)
{
	size_t header = packet_header_len(6, true), start, n;
	struct packet p;
	struct wbuf w;

	if (packet_parse(&p, 6, pkt, len, false) || *off >= p.l4_len)
		return 0;
	if (!p.frag)
		p.ident = ident;
	p.frag = true;
	n = cut(p.l4_len - *off, header < mtu ? mtu - header : 0, p.off + *off,
		&p.mf);
	if (!n)
		return 0;
	p.off = (uint16_t)(p.off + *off);
	wbuf_init(&w, out, size);
	start = packet_begin(&w, &p);
	wbuf_bytes(&w, p.l4 + *off, n);
	packet_end(&w, &p, start);
	if (!wbuf_ok(&w))
		return 0;
	*off += n;
	return w.len;
}

void
frag_too_big(const struct gw_settings *set, const struct packet_in *in,
	const uint8_t *tunnel, size_t len, uint32_t path_mtu,
	struct packet_out *out)
{
	uint32_t mtu = pmtu_room(set->tunnel_ver, path_mtu);
	struct header h;
	struct packet p;
	size_t header;

	*out = (struct packet_out){
		.p = out->p, .size = out->size, .drop = DROP_TOO_BIG};
	if (header_decode(&h, &header, tunnel, len) ||
		packet_parse(&p, set->local_ver, in->p, in->len, false))
		return;
	mtu = pmtu_to_local(set->local_ver, header, h.frag, mtu);
	if (mtu)
		icmp_reply_local(set, in, &p, ICMP_UNREACHABLE,
			ICMP_UNREACHABLE_TOO_BIG, mtu, out);
}
