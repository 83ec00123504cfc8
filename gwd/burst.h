/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A superpacket on its way into the tunnel: translated once, put into batches
 * as the IPREF packets that encap() would have made of its segments one by one.
 *
 * They have one IPREF header, because the only thing in which the IP headers of
 * segments differ, the identification, is not carried from unfragmented
 * packets; the payload is not touched. What is not plain is left to the caller,
 * to go one by one (super_segment()). Pure.
 */
#ifndef GWD_BURST_H
#define GWD_BURST_H

#include "gwd/batch.h"
#include "gwd/header.h"
#include "gwd/super.h"

#define BURST_TEMPLATE 256 /* most bytes of a superpacket's headers */

struct burst {
	const struct super *super;
	struct addr peer;
	uint8_t tos;
	uint8_t header[HEADER_MAX]; /* IPREF */
	size_t header_len;
	size_t next;		   /* segment */
	const struct map *used[2]; /* as in packet_out */
};

/* Translates the headers of s (n > 1), which has to stay until the last
 * burst_fill(). False: its segments have to go one by one, because the mapper
 * has to be asked, they are dropped, or may be changed otherwise (SYN). */
bool burst_begin(struct burst *b, const struct gw_settings *set,
	const struct maps *maps, const struct super *s) MUSTCHECK;
/* The size of its IPREF packets, but perhaps the last: what does not fit the
 * path has to go one by one. */
size_t burst_size(const struct burst *b);
/* Adds its next segments to t, as many as it takes. True: all of them are in
 * batches now; false: t has to be sent first. */
bool burst_fill(struct burst *b, struct batch *t) MUSTCHECK;

#endif
