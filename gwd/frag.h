/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that are larger than their path: IPREF packets on the way to a peer,
 * IPv6 packets on the way to a local host (spec/tunnel.md, "MTU"). Pure. */
#ifndef GWD_FRAG_H
#define GWD_FRAG_H

#include "gwd/core.h"

/* IPREF packet size (UDP payload) that fits a path MTU: less UDP and outer IP
 * header. */
size_t frag_room(const struct gw_settings *set, uint32_t path_mtu);

/* One piece of a too large IPREF packet: writes the piece that begins at
 * payload offset *off (start with 0), with D clear, and moves *off on; `room`
 * is the piece's largest size; ident the identification if the packet has none.
 * Returns its length; 0: there are no more, or (with *off still 0) room or size
 * hold no piece of this packet. */
size_t frag_piece(const uint8_t *pkt, size_t len, size_t room, uint32_t ident,
	size_t *off, uint8_t *out, size_t size) MUSTCHECK;

/* D is set: fills out with "fragmentation needed" (DROP_TOO_BIG, REPLY_LOCAL;
 * or REPLY_NONE when no error may be sent about this packet) towards the sender
 * of the local packet in->p, which made an IPREF packet tunnel[0..len) that
 * does not fit path_mtu. */
void frag_too_big(const struct gw_settings *set, const struct packet_in *in,
	const uint8_t *tunnel, size_t len, uint32_t path_mtu,
	struct packet_out *out);
/* Whether D is set in an IPREF packet of at least 20 bytes. */
bool frag_forbidden(const uint8_t *tunnel);
/* Whether it may be split all the same: it was made of a local IPv6 packet of
 * local_len bytes, where D is always set and hosts count on paths that take
 * 1280. */
bool frag_despite_d(const struct gw_settings *set, size_t local_len);

/* Whether an IPv6 packet of local_len bytes, made of an IPREF packet, is to be
 * cut for a path of this MTU: its sender did not say D. (IPv4 packets are cut
 * by the kernel.) */
bool frag_for_host(const struct gw_settings *set, const uint8_t *tunnel,
	size_t local_len, uint32_t mtu);
/* As frag_piece(), for an IPv6 packet without other extension headers than a
 * fragment's. */
size_t frag_host_piece(const uint8_t *pkt, size_t len, uint32_t mtu,
	uint32_t ident, size_t *off, uint8_t *out, size_t size) MUSTCHECK;

#endif
