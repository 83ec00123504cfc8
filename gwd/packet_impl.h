/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What packet.c needs to know of one IP version; for packet*.c only. */
#ifndef GWD_PACKET_IMPL_H
#define GWD_PACKET_IMPL_H

#include "gwd/packet.h"

struct packet_version {
	/* *p is zero but for ver; b[0] is there and of this version. proto is
	 * left as it stands in the packet. */
	enum drop (*parse)(
		struct packet *p, const uint8_t *b, size_t len, bool quoted);
	void (*begin)(struct wbuf *w, const struct packet *p);
	void (*end)(struct wbuf *w, size_t start);
	size_t header, frag_header;
	uint8_t icmp;	  /* protocol number of its ICMP */
	bool icmp_pseudo; /* whose checksum has a pseudo-header */
};

extern const struct packet_version packet_v4, packet_v6;

#endif
