/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flight of packets of one flow, described once and written in two ways: as
 * its host would have sent each of them, and as the superpacket that a TUN
 * device with offloads makes of all. Plainly, with nothing of gwd's but
 * addresses.
 */
#ifndef TESTS_UNIT_GWD_FLIGHT_H
#define TESTS_UNIT_GWD_FLIGHT_H

#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/addr.h"
#include "libipref/base.h"

#define FLIGHT_MAX    65535
#define FLIGHT_VNET   10
#define FLIGHT_UDP_L4 5 /* VIRTIO_NET_HDR_GSO_UDP_L4 of new headers */

struct flight {
	uint8_t ver, proto; /* TCP or UDP */
	struct addr src, dst;
	uint8_t tos, ttl;
	uint16_t port;	 /* added to the source port */
	uint32_t label;	 /* IPv6 */
	uint16_t ident;	 /* IPv4: of the first packet */
	bool df;	 /* IPv4 */
	size_t options;	 /* bytes: IPv4 options, IPv6 extension header */
	uint32_t seq;	 /* TCP: of the first packet */
	uint8_t flags;	 /* TCP: of all together */
	size_t tcp_more; /* TCP: bytes of options */
	const uint8_t *payload;
	size_t len;  /* of all payload */
	size_t size; /* of each packet's but the last */
};

static inline void
flight_put(uint8_t *p, uint32_t v, size_t n)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

/* One's complement, folded. */
static inline uint32_t
flight_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static inline size_t
flight_count(const struct flight *f)
{
	return (f->len + f->size - 1) / f->size;
}

static inline size_t
flight_l4(const struct flight *f)
{
	return (f->ver == 4 ? 20 : 40) + f->options;
}

static inline size_t
flight_headers(const struct flight *f)
{
	return flight_l4(f) + (f->proto == 6 ? 20 + f->tcp_more : 8);
}

static inline void
flight_ip(const struct flight *f, uint16_t ident, uint8_t *p, size_t len)
{
	size_t n = addr_len(f->ver), at = f->ver == 4 ? 20 : 40;

	memset(p, 0, flight_l4(f));
	memcpy(p + at - 2 * n, f->src.b, n);
	memcpy(p + at - n, f->dst.b, n);
	if (f->ver == 6) {
		flight_put(
			p, 0x60000000 | (uint32_t)f->tos << 20 | f->label, 4);
		flight_put(p + 4, (uint32_t)(len - 40), 2);
		p[6] = f->options ? 60 : f->proto;
		p[7] = f->ttl;
		if (!f->options)
			return;
		p[40] = f->proto;
		p[41] = (uint8_t)(f->options / 8 - 1);
		p[42] = 1; /* padding */
		p[43] = (uint8_t)(f->options - 4);
		return;
	}
	p[0] = (uint8_t)(0x45 + f->options / 4);
	p[1] = f->tos;
	flight_put(p + 2, (uint32_t)len, 2);
	flight_put(p + 4, ident, 2);
	flight_put(p + 6, f->df ? 0x4000 : 0, 2);
	p[8] = f->ttl;
	p[9] = f->proto;
	memset(p + 20, 1, f->options);
	flight_put(p + 10, ~flight_sum(p, flight_l4(f), 0) & 0xffff, 2);
}

/* Sum of the pseudo-header. */
static inline uint32_t
flight_pseudo(const struct flight *f, size_t len)
{
	uint32_t sum = flight_sum(f->src.b, addr_len(f->ver), f->proto);

	return flight_sum(f->dst.b, addr_len(f->ver), sum + (uint32_t)len);
}

/* Returns where the checksum is. */
static inline size_t
flight_transport(const struct flight *f, uint32_t seq, uint8_t flags,
	uint8_t *p, size_t len)
{
	flight_put(p, 0xc0010050 + ((uint32_t)f->port << 16), 4);
	if (f->proto == 17) {
		flight_put(p + 4, (uint32_t)len, 2);
		return 6;
	}
	flight_put(p + 4, seq, 4);
	flight_put(p + 8, 0x89abcdef, 4);
	p[12] = (uint8_t)((20 + f->tcp_more) << 2);
	p[13] = flags;
	flight_put(p + 14, 0xfaf0, 2);
	flight_put(p + 18, 0, 2);
	memset(p + 20, 1, f->tcp_more);
	return 16;
}

/* Packet i as its host would have sent it alone; its length. */
static inline size_t
flight_packet(const struct flight *f, size_t i, uint8_t *p)
{
	size_t at = i * f->size, l4 = flight_l4(f), head = flight_headers(f);
	size_t n = f->len - at < f->size ? f->len - at : f->size, field;
	uint8_t flags = f->flags;
	uint32_t sum;

	if (i)
		flags &= 0x7f; /* CWR */
	if (at + n < f->len)
		flags &= (uint8_t)~0x09; /* FIN, PSH */
	flight_ip(f, (uint16_t)(f->ident + i), p, head + n);
	field = l4 + flight_transport(f, (uint32_t)(f->seq + at), flags, p + l4,
			     head - l4 + n);
	flight_put(p + field, 0, 2);
	memcpy(p + head, f->payload + at, n);
	sum = ~flight_sum(
		      p + l4, head - l4 + n, flight_pseudo(f, head - l4 + n)) &
	      0xffff;
	flight_put(p + field, sum || f->proto == 6 ? sum : 0xffff, 2);
	return head + n;
}

/* All of them as a read of the device; its length. */
static inline size_t
flight_read(const struct flight *f, uint8_t *b)
{
	size_t l4 = flight_l4(f), head = flight_headers(f), field;
	uint8_t *p = b + FLIGHT_VNET;
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = f->proto == 17 ? FLIGHT_UDP_L4
			    : f->ver == 4  ? VIRTIO_NET_HDR_GSO_TCPV4
					   : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)f->ident, /* says nothing */
		.gso_size = (uint16_t)f->size,
		.csum_start = (uint16_t)l4,
	};

	flight_ip(f, f->ident, p, head + f->len);
	field = flight_transport(
		f, f->seq, f->flags, p + l4, head - l4 + f->len);
	flight_put(p + l4 + field, flight_pseudo(f, head - l4 + f->len), 2);
	memcpy(p + head, f->payload, f->len);
	if (f->proto == 6 && f->flags & 0x80)
		h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	h.csum_offset = (uint16_t)field;
	memcpy(b, &h, sizeof(h));
	return FLIGHT_VNET + head + f->len;
}

/* A number of the environment. */
static inline unsigned long
flight_number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

/* --- random ones -------------------------------------------------------- */

static inline uint32_t
flight_draw(uint64_t *rng, uint32_t below)
{
	*rng = *rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(((*rng >> 32) * below) >> 32);
}

/* Changes the payload so that the first packet's checksum comes to zero: at its
 * host, or inside a tunnel, where it covers no addresses. */
static inline void
flight_zero(const struct flight *f, bool tunnel, uint8_t *payload)
{
	static uint8_t p[FLIGHT_MAX];
	size_t len = flight_packet(f, 0, p), l4 = flight_l4(f);
	uint32_t sum = tunnel ? f->proto + (uint32_t)(len - l4)
			      : flight_pseudo(f, len - l4);

	if (f->size < 2)
		return;
	/* without the checksum and what is to be changed */
	flight_put(p + l4 + (f->proto == 17 ? 6 : 16), 0, 2);
	flight_put(p + flight_headers(f), 0, 2);
	flight_put(payload, ~flight_sum(p + l4, len - l4, sum) & 0xffff, 2);
}

/* A flight between these two, of up to FLIGHT_MAX bytes as a superpacket;
 * payload: FLIGHT_MAX bytes, refilled now and then. */
static inline void
flight_random(struct flight *f, uint64_t *rng, const struct addr *src,
	const struct addr *dst, uint8_t *payload)
{
	static const uint32_t sizes[] = {1, 2, 7, 100, 536, 1400, 1448, 9000};
	size_t room, i;

	*f = (struct flight){
		.ver = src->ver,
		.proto = flight_draw(rng, 3) ? 6 : 17,
		.src = *src,
		.dst = *dst,
		.tos = (uint8_t)flight_draw(rng, 256),
		.ttl = (uint8_t)(2 + flight_draw(rng, 254)),
		.label = flight_draw(rng, 0x100000),
		.ident = (uint16_t)flight_draw(rng, 0x10000),
		.df = flight_draw(rng, 2),
		.options = flight_draw(rng, 4) ? 0 : 8 * flight_draw(rng, 4),
		.seq = flight_draw(rng, 4) ? flight_draw(rng, UINT32_MAX)
					   : UINT32_MAX - 1000,
		.flags = 0x10 | (uint8_t)(flight_draw(rng, 2) *
					  (flight_draw(rng, 256) & 0xfd)),
		.tcp_more = 4 * flight_draw(rng, 11),
		.payload = payload,
		.size = sizes[flight_draw(rng, ARRAY_LEN(sizes))],
	};
	if (!flight_draw(rng, 100))
		for (i = 0; i < FLIGHT_MAX; i++)
			payload[i] =
				(uint8_t)(flight_draw(rng, 3)
						  ? flight_draw(rng, 256)
						  : 0xff * flight_draw(rng, 2));
	room = FLIGHT_MAX - flight_headers(f);
	if (room > 140 * f->size)
		room = 140 * f->size;
	f->len = f->size + 1 + flight_draw(rng, (uint32_t)(room - f->size));
	if (f->len > room)
		f->len = room;
	if (!flight_draw(rng, 3))
		f->len -= f->len % f->size;
	if (f->len == f->size)
		f->len++;
	if (!flight_draw(rng, 4))
		flight_zero(f, flight_draw(rng, 2), payload);
}

#endif
