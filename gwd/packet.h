/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP packets of the local network: checked, and described without regard to
 * their version; and the header of a packet built from such a description.
 * Pure.
 *
 * A row per IP version does the work (packet4.c, packet6.c); a version without
 * a row is refused with DROP_IP_VERSION.
 */
#ifndef GWD_PACKET_H
#define GWD_PACKET_H

#include "gwd/core.h"

struct packet {
	uint8_t ver; /* 4 or 6 */
	struct addr src, dst;
	uint8_t ttl;   /* or hop limit */
	uint8_t tos;   /* DSCP and ECN */
	uint8_t proto; /* as inside the tunnel: ICMP is 1 */
	bool df;       /* do not fragment; always in IPv6 */
	bool frag;     /* off, mf, ident are there (else off, mf are zero) */
	bool mf;
	uint16_t off;	   /* of l4, in bytes, a multiple of 8 */
	uint32_t ident;	   /* identification: read when frag, written always */
	bool source_route; /* with hops to go: IPv4 option, IPv6 header */
	uint32_t pointer;  /* then, IPv6: where the number of them stands */
	const uint8_t *l4; /* layer 4, inside the packet; borrowed */
	size_t l4_len;	   /* bytes there */
	size_t l4_whole;   /* by the length fields: more when quoted and cut */
};

/* Reads the headers of b, a packet of version ver. quoted: it is out of an
 * ICMP error, so it may be cut anywhere behind its IP headers, and bytes behind
 * its end are left out; else its length fields must agree with len. On
 * a reason other than DROP_NONE *p means nothing. */
enum drop packet_parse(struct packet *p, uint8_t ver, const uint8_t *b,
	size_t len, bool quoted) MUSTCHECK;

/* Writes the IP header of p (l4 is not looked at) and returns where it began;
 * packet_end() with that, when layer 4 has been written behind it, fills in
 * what depends on it. A version that is not understood marks the cursor. */
size_t packet_begin(struct wbuf *w, const struct packet *p) MUSTCHECK;
void packet_end(struct wbuf *w, const struct packet *p, size_t start);

/* Whether ICMP of this version has addresses and its length in its checksum. */
bool packet_icmp_pseudo(uint8_t ver);
/* The sum of these for a message of len bytes from p->src to p->dst; 0 for
 * IPv4. */
uint32_t packet_icmp_sum(const struct packet *p, size_t len);

/* Bytes of the header that packet_begin() writes. */
size_t packet_header_len(uint8_t ver, bool frag);

#endif
