/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answer is made by the way that every quoted packet takes: as if the
 * gateway itself had sent an IPREF ICMP message with the lost packet in it.
 */
#include "gwd/lost.h"

#include "gwd/decap.h"
#include "gwd/icmp.h"
#include "gwd/l4.h"
#include "gwd/maps.h"
#include "gwd/pmtu.h"

#define MESSAGE_MAX (HEADER_MAX + ICMP_HEADER + ICMP_QUOTE_MAX)
#define MESSAGE_TTL 64

/* Ours as long as we don't know our public address: no peer's (RFC 7600). */
static const struct addr dummy_v4 = {4, {192, 0, 0, 8}};
static const struct addr dummy_v6 = {6, {[0] = 0x01, [15] = 8}}; /* 100::/64 */

bool
lost_is_ours(const struct gw_settings *set, const struct maps *maps,
	const struct addr *peer, const struct ref *peer_ref,
	const uint8_t *quote, size_t len)
{
	struct header h;
	size_t size;
	bool own;

	if (header_decode(&h, &size, quote, len))
		return false;
	if (!addr_is_zero(&h.src_gw) && !addr_eq(&h.src_gw, &set->pub))
		return false;
	own = ref_eq(&h.src_ref, &set->own_ref);
	if (own ? ref_eq(&h.dst_ref, peer_ref) : !maps_local(maps, &h.src_ref))
		return false;
	return addr_eq(&h.dst_gw, peer) && maps_remote(maps, peer, &h.dst_ref);
}

/* An IPv6 host that is told IPv6's least learns nothing when its packet was no
 * larger: it takes that for an error, and the next one will be split. How large
 * it was the quote does not say. */
static bool
is_told_least(const struct gw_settings *set, size_t header, bool frag,
	uint32_t path_mtu)
{
	return set->local_ver == 6 &&
	       pmtu_room(set->tunnel_ver, path_mtu) +
			       packet_header_len(6, frag) <
		       PMTU_V6_LEAST + header;
}

static bool
may_tell(const struct gw_settings *set, const struct header *h,
	const uint8_t *l4, size_t l4_len)
{
	if (!h->df || h->off || ref_eq(&h->src_ref, &set->own_ref))
		return false;
	return h->proto != L4_ICMP ||
	       !icmp_is_error(ICMP_IN_TUNNEL, l4, l4_len);
}

/* Its length; 0: there is none. */
static size_t
make_message(const struct gw_settings *set, const struct ref *host,
	const uint8_t *quote, size_t len, uint32_t path_mtu, uint8_t *buf)
{
	const struct header h = {
		.ttl = MESSAGE_TTL,
		.proto = L4_ICMP,
		.src_gw = set->pub,
		.dst_gw = set->pub,
		.src_ref = set->own_ref,
		.dst_ref = *host,
	};
	const struct icmp m = {
		.type = ICMP_UNREACHABLE,
		.code = ICMP_UNREACHABLE_TOO_BIG,
		.has_mtu = true,
		.mtu = pmtu_room(set->tunnel_ver, path_mtu),
	};
	struct wbuf w;
	size_t start;

	if (len > ICMP_QUOTE_MAX)
		len = ICMP_QUOTE_MAX;
	wbuf_init(&w, buf, MESSAGE_MAX);
	header_encode(&w, &h);
	start = icmp_begin(&w, ICMP_IN_TUNNEL, &m);
	wbuf_bytes(&w, quote, len);
	icmp_end(&w, start, NULL);
	return wbuf_ok(&w) ? w.len : 0;
}

void
lost_reply(const struct gw_settings *set, const struct maps *maps,
	const uint8_t *quote, size_t len, uint32_t path_mtu, uint32_t number,
	struct packet_out *out)
{
	struct gw_settings as_sent = *set;
	uint8_t message[MESSAGE_MAX];
	struct packet_in in = {.p = message, .number = number};
	struct header h;
	size_t size;

	*out = (struct packet_out){
		.p = out->p, .size = out->size, .drop = DROP_TOO_BIG};
	if (header_decode(&h, &size, quote, len) ||
		!may_tell(set, &h, quote + size, len - size) ||
		is_told_least(set, size, h.frag, path_mtu))
		return;
	as_sent.dec_ttl = false; /* the message does not pass anybody */
	if (addr_is_zero(&set->pub))
		as_sent.pub = set->tunnel_ver == 4 ? dummy_v4 : dummy_v6;
	in.from = as_sent.pub;
	in.len = make_message(
		&as_sent, &h.src_ref, quote, len, path_mtu, message);
	decap(&as_sent, maps, &in, out);
	out->reply = out->drop ? REPLY_NONE : REPLY_LOCAL;
	out->drop = DROP_TOO_BIG;
}
