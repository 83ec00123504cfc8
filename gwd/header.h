/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of IPREF packets (spec/tunnel.md, "Header"; drawn in
 * proto/tunnel.md): wire form from and to a value. Pure.
 */
#ifndef GWD_HEADER_H
#define GWD_HEADER_H

#include "gwd/core.h"

#define HEADER_MIN    20    /* IPv4 contexts, 4-byte references, no I */
#define HEADER_MAX    76    /* IPv6 contexts, 16-byte references, I */
#define HEADER_IPREF  0x10  /* byte 0: version 1 */
#define HEADER_I      0x02  /* byte 0: fragment information present */
#define HEADER_D      0x01  /* byte 0: do not fragment */
#define HEADER_PLAIN  4	    /* bytes in front of what I adds */
#define HEADER_FRAG   8	    /* bytes that I adds */
#define HEADER_MF     1	    /* fragment field: more fragments */
#define HEADER_OFFSET 65528 /* fragment field: offset in bytes */

struct header {
	uint8_t ttl;
	uint8_t proto; /* IP protocol number; ICMP is 1 for either version */
	bool df;
	bool frag;	/* I: off, mf, ident are there (else zero) */
	bool mf;	/* more fragments follow */
	uint16_t off;	/* of the payload, in bytes, a multiple of 8 */
	uint32_t ident; /* identification */
	struct addr src_gw, dst_gw; /* contexts, both of one version */
	struct ref src_ref, dst_ref;
};

/* The length of the header that pkt begins with, by its first two bytes alone;
 * 0: by these header_decode() does not take it, or it is cut. */
size_t header_peek(const uint8_t *pkt, size_t len) MUSTCHECK;
/* Reads the header of pkt; *size receives its length. Whether contexts make
 * sense, and what follows the header, is the caller's to check. On a reason
 * other than DROP_NONE neither *h nor *size means anything. */
enum drop header_decode(struct header *h, size_t *size, const uint8_t *pkt,
	size_t len) MUSTCHECK;
/* Writes it, with the shortest form that holds both references. Contexts of
 * two versions, or an offset that is no multiple of 8, mark the cursor. */
void header_encode(struct wbuf *w, const struct header *h);
/* The bytes that header_encode() writes. */
size_t header_size(const struct header *h);

#endif
