/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one read of a TUN device with offloads gives: a header of the device
 * (struct virtio_net_hdr) and an IP packet whose checksum may have been left to
 * us; or a "superpacket", which stands for many of TCP or UDP: one set of
 * headers and the payload of all of them.
 *
 * The segments of a superpacket are what the kernel would have made of it: all
 * of them carry `size` bytes of payload but the last, which may carry less.
 * Nothing that the device says is believed that would lead outside the packet.
 * Pure.
 */
#ifndef GWD_SUPER_H
#define GWD_SUPER_H

#include "gwd/core.h"
#include "gwd/l4.h"

#define SUPER_VNET 10	 /* bytes of the device's header */
#define SUPER_MAX  65535 /* bytes of an IP packet behind it */

struct super {
	uint8_t *p; /* the IP packet, inside the read; borrowed */
	size_t len;
	size_t n; /* segments; 1: p is an ordinary packet, the rest is 0 */

	size_t size;	 /* payload of a segment */
	size_t l4;	 /* where layer 4 begins */
	size_t headers;	 /* bytes of IP and layer 4: the payload's begin */
	uint8_t ver;	 /* 4 or 6 */
	uint8_t proto;	 /* TCP or UDP */
	uint8_t field;	 /* where layer 4 has its checksum */
	uint32_t pseudo; /* sum of the addresses */
};

/* Looks at a read b[0..len) and writes the checksum of an ordinary packet into
 * it when the device left it to us. DROP_OFFLOAD: the device's header lies, or
 * is of a kind that was not asked for; *s means nothing then. The IP header of
 * an ordinary packet is not looked at. */
enum drop super_read(struct super *s, uint8_t *b, size_t len) MUSTCHECK;

/* Of a superpacket, n > 1: */

/* Where the payload of segment i begins in p, and its length. i < n. */
size_t super_payload(const struct super *s, size_t i, size_t *len);
/* Writes the layer-4 header of segment i, with checksum field 0; `len` is that
 * of its payload. */
void super_put_l4(const struct super *s, size_t i, size_t len, struct wbuf *w);
/* Fills in the checksum of a segment whose layer-4 header, with field 0, is
 * l4[0..headers - s->l4): addrs is the sum of the addresses that it covers. */
void super_sum(const struct super *s, enum l4_end to, uint8_t *l4,
	const uint8_t *payload, size_t len, uint32_t addrs);

/* Segment i as a packet of its own: its length; 0: out has too little room. */
size_t super_segment(
	const struct super *s, size_t i, uint8_t *out, size_t size) MUSTCHECK;
/* The headers alone, as a packet without payload, its layer-4 checksum
 * meaningless; its length; 0: as before. */
size_t super_template(
	const struct super *s, uint8_t *out, size_t size) MUSTCHECK;
/* Bytes of all segments as packets. */
size_t super_bytes(const struct super *s);

#endif
