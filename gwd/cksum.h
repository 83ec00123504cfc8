/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internet checksums: sums over bytes, and changes of a checksum field without
 * the bytes that it covers (RFC 1071, RFC 1624). Pure.
 *
 * A "sum" is not inverted and may be wider than 16 bits: sums of several
 * pieces are added with + as long as every piece but the last has an even
 * length. A "field" is what stands in a packet: the inverted, folded sum.
 */
#ifndef GWD_CKSUM_H
#define GWD_CKSUM_H

#include "libipref/addr.h"
#include "libipref/base.h"

/* Sum of len bytes as 16-bit big-endian words; an odd last byte counts as the
 * upper half of a word. At most 128 KB. */
uint32_t cksum_sum(const void *p, size_t len);
/* Sum of an address. */
uint32_t cksum_addr(const struct addr *a);
/* Both halves added until 16 bits are left; 0 only for a sum of 0. */
static inline uint16_t
cksum_fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)((sum >> 16) + sum);
}

/* The field for a sum. */
uint16_t cksum_field(uint32_t sum);
/* The field after a part that summed to `minus` became one that sums to `plus`
 * (RFC 1624, equation 3). A wrong field stays wrong by as much. */
uint16_t cksum_adjust(uint16_t field, uint32_t minus, uint32_t plus);

#endif
