/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums are taken byte order independent: each byte has its place in a word. */
#include "gwd/cksum.h"

uint32_t
cksum_sum(const void *p, size_t len)
{
	struct rbuf r;
	uint64_t sum = 0;

	rbuf_init(&r, p, len);
	while (rbuf_left(&r) >= 4)
		sum += rbuf_be32(&r);
	if (rbuf_left(&r) >= 2)
		sum += rbuf_be16(&r);
	if (rbuf_left(&r))
		sum += (uint32_t)rbuf_u8(&r) << 8;
	/* a 32-bit word is 0x10000 * upper + lower, and 0x10000 counts as 1 */
	sum = (sum >> 32) + (sum & UINT32_MAX);
	return (uint32_t)(sum >> 16) + (uint32_t)(sum & UINT16_MAX);
}

uint32_t
cksum_addr(const struct addr *a)
{
	return cksum_sum(a->b, addr_len(a->ver));
}

uint16_t
cksum_fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & UINT16_MAX);
	return (uint16_t)((sum >> 16) + sum);
}

uint16_t
cksum_field(uint32_t sum)
{
	return (uint16_t)~cksum_fold(sum);
}

uint16_t
cksum_adjust(uint16_t field, uint32_t minus, uint32_t plus)
{
	uint32_t sum = (uint16_t)~field;

	sum += (uint16_t)~cksum_fold(minus);
	sum += cksum_fold(plus);
	return cksum_field(sum);
}
