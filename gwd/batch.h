/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPREF packets that go out in one call: the kernel cuts the message of a
 * socket with UDP_SEGMENT into datagrams of one size, the last of which may be
 * shorter. They go to one peer, but need not belong together otherwise.
 *
 * A packet is a header, which the batch has room for, and a payload, which
 * stays where it is. Pure.
 */
#ifndef GWD_BATCH_H
#define GWD_BATCH_H

#include <sys/uio.h>

#include "gwd/core.h"

#define BATCH_OLD    63	   /* most packets, kernels before 6.9 */
#define BATCH_MAX    127   /* ... from there on; one less than they say */
#define BATCH_BYTES  65507 /* most in all: a UDP datagram over IPv4 */
#define BATCH_HEADER 136   /* most of a header: IPREF, TCP with all options */

struct batch {
	struct addr peer;
	uint8_t tos;
	size_t max;  /* packets */
	size_t n;    /* packets there */
	size_t size; /* of each but the last: UDP_SEGMENT's value */
	size_t last; /* of the last one */
	size_t len;  /* bytes in all */
	/* Two for each packet: a packet can also be sent by itself. */
	struct iovec iov[2 * BATCH_MAX];
	uint8_t headers[BATCH_MAX][BATCH_HEADER];
};

/* Empty; max: 1 up to BATCH_MAX. */
void batch_init(struct batch *b, size_t max);
/* Whether a packet of len bytes can be added. An empty one takes whatever is no
 * larger than BATCH_BYTES. */
bool batch_takes(const struct batch *b, const struct addr *peer, uint8_t tos,
	size_t len);
/* Adds one, which has to be taken: payload is borrowed (and only
 * read), the result is room for
 * its header of `header` bytes (BATCH_HEADER at most, 0: there is none), to be
 * filled. */
uint8_t *batch_add(struct batch *b, const struct addr *peer, uint8_t tos,
	size_t header, uint8_t *payload, size_t len);

#endif
