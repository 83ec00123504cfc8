/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a gateway has to know of transport protocols: which ones can be
 * carried, and where the checksum is that covers addresses (spec/tunnel.md,
 * "Layer-4 checksums"). Pure.
 *
 * Protocol numbers are those inside the tunnel: ICMP is 1 also for IPv6. A
 * "piece" is the payload of one IP packet: a whole datagram or a fragment, its
 * offset in bytes.
 */
#ifndef GWD_L4_H
#define GWD_L4_H

#include "gwd/core.h"

#define L4_ICMP	      1
#define L4_ICMPV6     58 /* never inside the tunnel */
#define L4_NOTHING    59 /* IPv6: no next header */
#define L4_HEADER_MIN 8	 /* of ICMP and of what is like UDP */

/* False for what makes sense in one IP version only (IPv6 extension headers,
 * ICMPv6 by its number) or covers addresses by more than a sum (AH). */
bool l4_carried(uint8_t proto);

/* Why a piece of len bytes at offset off must not be carried: a first fragment
 * too short for its header, half a checksum field. DROP_NONE: it may. */
enum drop l4_check(uint8_t proto, uint16_t off, size_t len) MUSTCHECK;

/* Where addresses went (or came) in a checksum. */
enum l4_end {
	L4_TUNNEL, /* the piece goes into the tunnel */
	L4_LOCAL,  /* the piece goes to the local network */
};

/* Replaces the addresses in the checksum of the piece p[0..len), if it has the
 * field: minus is the sum of those that are in it, plus of those that shall be
 * (0: none). Best effort for what l4_check() refuses. */
void l4_adjust(enum l4_end to, uint8_t proto, uint16_t off, uint8_t *p,
	size_t len, uint32_t minus, uint32_t plus);

/* Whether a piece is the beginning of a UDP datagram that has no checksum,
 * which IPv6 hosts don't take. l4_make_sum() computes that of a whole one;
 * addrs: the sum of its addresses. A length field that makes no sense leaves it
 * as it is.
 */
bool l4_no_sum(uint8_t proto, uint16_t off, const uint8_t *p, size_t len);
void l4_make_sum(uint8_t *p, size_t len, uint32_t addrs);

#endif
