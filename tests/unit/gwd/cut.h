/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel does with a packet that is written to a TUN device with
 * virtio-net headers: refuses it, or cuts it into the packets that its receiver
 * will get. Plainly, every checksum over every byte, with nothing of gwd's.
 */
#ifndef TESTS_UNIT_GWD_CUT_H
#define TESTS_UNIT_GWD_CUT_H

#include "tests/unit/gwd/flight.h"

#define CUT_UDP 128 /* packets, since Linux 6.9 */

struct cut {
	struct virtio_net_hdr vnet;
	const uint8_t *p; /* the packet behind it; borrowed */
	size_t len;
	size_t n; /* packets; 1: it is one already, the rest is 0 */
	bool v6, tcp;
	size_t l4, headers;
};

static inline uint32_t
cut_get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

/* The sum of addresses, protocol and this length of layer 4. */
static inline uint32_t
cut_pseudo(const struct cut *c, const uint8_t *p, size_t l4_len)
{
	uint32_t sum = (c->tcp ? 6 : 17) + (uint32_t)l4_len;

	return flight_sum(p + (c->v6 ? 8 : 12), c->v6 ? 32 : 8, sum);
}

/* Whether layer 4 is what the device's header says, up to its checksum, in
 * which stands the sum of what else it covers. */
static inline bool
cut_is_sound(struct cut *c)
{
	const struct virtio_net_hdr *v = &c->vnet;
	const uint8_t *l4 = c->p + c->l4;
	size_t l4_len = c->len - c->l4;

	if (l4_len < (c->tcp ? 20 : 8))
		return false;
	c->headers = c->l4 + (c->tcp ? (l4[12] >> 4) * 4u : 8u);
	if (c->headers < c->l4 + (c->tcp ? 20 : 8) ||
		c->len <= c->headers + v->gso_size)
		return false;
	c->n = (c->len - c->headers + v->gso_size - 1) / v->gso_size;
	return v->hdr_len == c->headers && v->csum_start == c->l4 &&
	       v->csum_offset == (c->tcp ? 16 : 6) &&
	       (c->tcp || c->n <= CUT_UDP) &&
	       (c->tcp || cut_get16(l4 + 4) == l4_len) &&
	       cut_get16(l4 + v->csum_offset) % 0xffff ==
		       cut_pseudo(c, c->p, l4_len) % 0xffff;
}

/* Reads a write w[0..len). False: the kernel would refuse it, or what came of
 * it were not what was meant. */
static inline bool
cut_begin(struct cut *c, const uint8_t *w, size_t len)
{
	const uint8_t *p = w + FLIGHT_VNET;
	uint8_t kind;

	*c = (struct cut){.p = p, .len = len - FLIGHT_VNET, .n = 1};
	if (len < FLIGHT_VNET + 20 || c->len > 65535)
		return false;
	memcpy(&c->vnet, w, sizeof(c->vnet));
	c->v6 = p[0] >> 4 == 6;
	c->l4 = c->v6 ? 40 : 20;
	if (c->len < c->l4 || p[0] != (c->v6 ? p[0] : 0x45))
		return false;
	if (c->v6 ? cut_get16(p + 4) + 40 != c->len
		  : cut_get16(p + 2) != c->len ||
				flight_sum(p, 20, 0) != 0xffff)
		return false;
	if (c->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return !c->vnet.flags && !c->vnet.gso_size;
	c->tcp = p[c->v6 ? 6 : 9] == 6;
	kind = !c->tcp ? FLIGHT_UDP_L4 : c->v6 ? 4 : 1;
	return c->vnet.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	       (c->vnet.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == kind &&
	       c->vnet.gso_size > 0 && (c->tcp || p[c->v6 ? 6 : 9] == 17) &&
	       cut_is_sound(c);
}

static inline void
cut_ip(const struct cut *c, size_t i, uint8_t *p, size_t len)
{
	if (c->v6) {
		flight_put(p + 4, (uint32_t)(len - 40), 2);
		return;
	}
	flight_put(p + 2, (uint32_t)len, 2);
	flight_put(p + 4, cut_get16(p + 4) + (uint32_t)i, 2);
	flight_put(p + 10, 0, 2);
	flight_put(p + 10, ~flight_sum(p, 20, 0) & 0xffff, 2);
}

/* Packet i, in room for all of the write; its length. */
static inline size_t
cut_packet(const struct cut *c, size_t i, uint8_t *out)
{
	size_t at = c->headers + i * c->vnet.gso_size, n = c->len - at, len;
	uint8_t *l4 = out + c->l4, *field = l4 + c->vnet.csum_offset;
	uint32_t sum;

	if (c->n == 1) {
		memcpy(out, c->p, c->len);
		return c->len;
	}
	if (n > c->vnet.gso_size)
		n = c->vnet.gso_size;
	len = c->headers + n;
	memcpy(out, c->p, c->headers);
	memcpy(out + c->headers, c->p + at, n);
	cut_ip(c, i, out, len);
	if (c->tcp) {
		sum = cut_get16(l4 + 4) << 16 | cut_get16(l4 + 6);
		flight_put(l4 + 4, sum + (uint32_t)(i * c->vnet.gso_size), 4);
		l4[13] &= (uint8_t)((i ? 0x7f : 0xff) & /* CWR; FIN, PSH */
				    (i + 1 < c->n ? 0xf6 : 0xff));
	} else {
		flight_put(l4 + 4, (uint32_t)(len - c->l4), 2);
	}
	flight_put(field, 0, 2);
	sum = flight_sum(l4, len - c->l4, cut_pseudo(c, out, len - c->l4));
	sum = ~sum & 0xffff;
	flight_put(field, sum || c->tcp ? sum : 0xffff, 2);
	return len;
}

/* Whether the layer 4 of a whole packet has a right checksum; UDP's may be
 * missing. */
static inline bool
cut_sum_is_right(const uint8_t *p, size_t len)
{
	struct cut c = {.v6 = p[0] >> 4 == 6};
	size_t l4 = c.v6 ? 40 : 20;

	c.tcp = p[c.v6 ? 6 : 9] == 6;
	if (!c.tcp && !p[l4 + 6] && !p[l4 + 7])
		return true;
	return flight_sum(p + l4, len - l4, cut_pseudo(&c, p, len - l4)) ==
	       0xffff;
}

/* Identifications of IPv4 packets that must not be fragmented mean nothing
 * (RFC 6864), and kernels count them up. */
static inline void
cut_forget_ident(uint8_t *p)
{
	if (p[0] >> 4 != 4 || !(p[6] & 0x40))
		return;
	flight_put(p + 4, 0, 2);
	flight_put(p + 10, 0, 2);
	flight_put(p + 10, ~flight_sum(p, 20, 0) & 0xffff, 2);
}

#endif
