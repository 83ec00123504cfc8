/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transport protocols, a row each for those whose checksum covers addresses.
 *
 * Of the two forms of zero in a checksum 0x0000 has a second meaning: with UDP
 * it says "none", and deployed gateways leave it as it is with TCP. So a
 * computed 0x0000 becomes 0xffff, but for TCP towards a host, whose own way of
 * writing zero is 0x0000.
 */
#include "gwd/l4.h"

#include "gwd/cksum.h"

/* Fields of a UDP header. */
#define UDP_LENGTH 4
#define UDP_SUM	   6

struct proto {
	uint8_t number;
	uint8_t field;	   /* where the checksum is */
	uint8_t min;	   /* bytes that a first fragment must have */
	bool zero_is_none; /* a field of 0 says that there is no checksum */
	bool local_zero;   /* hosts write a computed 0 as 0 */
};

enum {
	TCP = 6,
	UDP = 17,
	DCCP = 33,
	UDP_LITE = 136,
};

static const struct proto protos[] = {
	{.number = TCP, .field = 16, .local_zero = true},
	{.number = UDP, .field = UDP_SUM, .min = 8, .zero_is_none = true},
	{.number = DCCP, .field = 6, .min = 8},
	{.number = UDP_LITE, .field = 6, .min = 8, .zero_is_none = true},
};

static const struct proto *
find(uint8_t number)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].number == number)
			return &protos[i];
	return NULL;
}

bool
l4_carried(uint8_t proto)
{
	switch (proto) {
	case 0:	 /* IPv6 hop-by-hop options */
	case 43: /* IPv6 routing header */
	case 44: /* IPv6 fragment header */
	case 51: /* AH */
	case 58: /* ICMPv6 */
	case L4_NOTHING:
	case 60:  /* IPv6 destination options */
	case 135: /* IPv6 mobility header */
	case 139: /* HIP */
	case 140: /* Shim6 */
		return false;
	default:
		return true;
	}
}

enum drop
l4_check(uint8_t proto, uint16_t off, size_t len)
{
	const struct proto *p = find(proto);

	if (proto == L4_ICMP && !off && len < L4_HEADER_MIN)
		return DROP_L4_TOO_SHORT;
	if (!p)
		return DROP_NONE;
	if (!off && len < p->min)
		return DROP_L4_TOO_SHORT;
	/* a piece that ends in the middle of the field */
	if (off <= p->field && off + len == p->field + 1u)
		return DROP_L4_TOO_SHORT;
	return DROP_NONE;
}

void
l4_adjust(enum l4_end to, uint8_t proto, uint16_t off, uint8_t *piece,
	size_t len, uint32_t minus, uint32_t plus)
{
	const struct proto *p = find(proto);
	struct rbuf r;
	struct wbuf w;
	uint16_t field;

	if (!p || off > p->field || off + len < p->field + 2u)
		return;
	rbuf_init(&r, piece + (p->field - off), 2);
	field = rbuf_be16(&r);
	if (!field && p->zero_is_none)
		return;
	field = cksum_adjust(field, minus, plus);
	if (!field && !(to == L4_LOCAL && p->local_zero))
		field = UINT16_MAX;
	wbuf_init(&w, piece + (p->field - off), 2);
	wbuf_be16(&w, field);
}

bool
l4_no_sum(uint8_t proto, uint16_t off, const uint8_t *p, size_t len)
{
	return proto == UDP && !off && len >= L4_HEADER_MIN && !p[UDP_SUM] &&
	       !p[UDP_SUM + 1];
}

void
l4_make_sum(uint8_t *p, size_t len, uint32_t addrs)
{
	uint16_t length, field;
	struct rbuf r;
	struct wbuf w;

	rbuf_init(&r, p, len);
	rbuf_skip(&r, UDP_LENGTH);
	length = rbuf_be16(&r);
	if (length < L4_HEADER_MIN || length > len)
		return;
	field = cksum_field(cksum_sum(p, length) + addrs + length + UDP);
	wbuf_init(&w, p + UDP_SUM, 2);
	wbuf_be16(&w, field ? field : UINT16_MAX);
}
