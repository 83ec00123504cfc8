/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The length in the device's header (hdr_len) is not used: on the forward path
 * it may be that of the whole first packet.
 *
 * A superpacket has no checksum of its own that could be verified: either the
 * device says that it is to be computed (NEEDS_CSUM) or that it was found right
 * (DATA_VALID, from cards that merge packets). With neither nobody vouches for
 * the payload, and a fresh checksum would hide what happened to it.
 *
 * A checksum of 0 is written as 0xffff, which is as right: in UDP 0 would say
 * that there is none. But a segment of TCP has 0, as from its host (l4.c).
 */
#include "gwd/super.h"

#include <assert.h>
#include <linux/virtio_net.h>

#include "gwd/cksum.h"
#include "gwd/packet.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* headers before Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TCP	   6
#define UDP	   17
#define TCP_HEADER 20
#define UDP_HEADER 8

/* Of a TCP header. */
#define TCP_SEQ	  4
#define TCP_DATA  12 /* upper half: the header's length in 32-bit words */
#define TCP_FLAGS 13
#define FIN_PSH	  0x09
#define CWR	  0x80

#define UDP_LENGTH 4

/* Of an IPv4 and an IPv6 header. */
#define V4_LENGTH 2
#define V4_IDENT  4
#define V4_SUM	  10
#define V6_LENGTH 4
#define V6_HEADER 40

/* The kinds of superpacket, in the device's words and in ours. ver 0: either.
 */
static const struct kind {
	uint8_t gso, ver, proto;
	uint8_t field; /* where the checksum is in layer 4 */
} kinds[] = {
	{VIRTIO_NET_HDR_GSO_TCPV4, 4, TCP, 16},
	{VIRTIO_NET_HDR_GSO_TCPV6, 6, TCP, 16},
	{VIRTIO_NET_HDR_GSO_UDP_L4, 0, UDP, 6},
};

static_assert(sizeof(struct virtio_net_hdr) == SUPER_VNET, "device's header");

static const struct kind *
find_kind(uint8_t gso)
{
	size_t i;

	gso &= (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].gso == gso)
			return &kinds[i];
	return NULL;
}

/* --- reading ------------------------------------------------------------ */

/* The field holds the sum of what the checksum covers besides the bytes behind
 * csum_start. False: it would be outside the packet. */
static bool
complete(const struct virtio_net_hdr *h, uint8_t *p, size_t len)
{
	size_t start = h->csum_start, at = start + h->csum_offset;
	uint16_t field;
	struct wbuf w;

	if (at + 2 > len)
		return false;
	field = cksum_field(cksum_sum(p + start, len - start));
	wbuf_init(&w, p + at, 2);
	wbuf_be16(&w, field ? field : UINT16_MAX);
	return true;
}

/* Layer 4 of p begins where the device says, if it says so. */
static bool
agrees(const struct virtio_net_hdr *h, const struct super *s)
{
	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return h->flags & VIRTIO_NET_HDR_F_DATA_VALID;
	return h->csum_start == s->l4 && h->csum_offset == s->field;
}

/* 0: there is no such header. */
static size_t
l4_header(const struct packet *p)
{
	size_t n = UDP_HEADER;

	if (p->proto == TCP && p->l4_len < TCP_HEADER)
		return 0;
	if (p->proto == TCP)
		n = (p->l4[TCP_DATA] >> 4) * (size_t)4;
	if (p->proto == TCP && n < TCP_HEADER)
		return 0;
	return n < p->l4_len ? n : 0;
}

static bool
read_super(struct super *s, const struct virtio_net_hdr *h)
{
	const struct kind *kind = find_kind(h->gso_type);
	struct packet p;
	size_t header, payload;

	if (!kind || !h->gso_size || !s->len)
		return false;
	s->ver = s->p[0] >> 4;
	if ((kind->ver && kind->ver != s->ver) ||
		packet_parse(&p, s->ver, s->p, s->len, false) ||
		p.proto != kind->proto || p.off || p.mf)
		return false;
	header = l4_header(&p);
	if (!header)
		return false;
	s->proto = p.proto;
	s->field = kind->field;
	s->size = h->gso_size;
	s->l4 = s->len - p.l4_len;
	s->headers = s->l4 + header;
	s->pseudo = cksum_addr(&p.src) + cksum_addr(&p.dst);
	payload = s->len - s->headers;
	s->n = (payload + s->size - 1) / s->size;
	return agrees(h, s);
}

enum drop
super_read(struct super *s, uint8_t *b, size_t len)
{
	struct virtio_net_hdr h;
	uint8_t *p = b + SUPER_VNET;

	if (len < SUPER_VNET || len > SUPER_VNET + SUPER_MAX)
		return DROP_OFFLOAD;
	memcpy(&h, b, sizeof(h));
	len -= SUPER_VNET;
	*s = (struct super){.p = p, .len = len, .n = 1};
	if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE && !read_super(s, &h))
		return DROP_OFFLOAD;
	if (s->n > 1)
		return DROP_NONE;
	*s = (struct super){.p = p, .len = len, .n = 1};
	if (h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !complete(&h, p, len))
		return DROP_OFFLOAD;
	return DROP_NONE;
}

/* --- segments ----------------------------------------------------------- */

size_t
super_payload(const struct super *s, size_t i, size_t *len)
{
	size_t at = s->headers + i * s->size;

	*len = s->len - at < s->size ? s->len - at : s->size;
	return at;
}

size_t
super_bytes(const struct super *s)
{
	return s->len + (s->n - 1) * s->headers;
}

/* What differs between segments, as in the kernel: FIN and PSH speak of the
 * end, CWR of the beginning. */
static void
number_tcp(const struct super *s, size_t i, uint8_t *tcp)
{
	struct rbuf r;
	struct wbuf w;

	rbuf_init(&r, tcp + TCP_SEQ, 4);
	wbuf_init(&w, tcp + TCP_SEQ, 4);
	wbuf_be32(&w, (uint32_t)(rbuf_be32(&r) + i * s->size));
	if (i)
		tcp[TCP_FLAGS] &= (uint8_t)~CWR;
	if (i + 1 < s->n)
		tcp[TCP_FLAGS] &= (uint8_t)~FIN_PSH;
}

void
super_put_l4(const struct super *s, size_t i, size_t len, struct wbuf *w)
{
	size_t start = w->len, header = s->headers - s->l4;

	wbuf_bytes(w, s->p + s->l4, header);
	wbuf_patch16(w, start + s->field, 0);
	if (s->proto == UDP)
		wbuf_patch16(w, start + UDP_LENGTH, header + len);
	else if (wbuf_ok(w))
		number_tcp(s, i, w->p + start);
}

void
super_sum(const struct super *s, enum l4_end to, uint8_t *l4,
	const uint8_t *payload, size_t len, uint32_t addrs)
{
	size_t header = s->headers - s->l4;
	uint32_t sum = addrs + s->proto + (uint32_t)(header + len);
	uint16_t field;
	struct wbuf w;

	sum += cksum_sum(l4, header) + cksum_sum(payload, len);
	field = cksum_field(sum);
	if (!field && !(to == L4_LOCAL && s->proto == TCP))
		field = UINT16_MAX;
	wbuf_init(&w, l4 + s->field, 2);
	wbuf_be16(&w, field);
}

/* Writes the headers of segment i with this length of payload. */
static void
put_headers(const struct super *s, size_t i, size_t len, struct wbuf *w)
{
	struct rbuf r;

	wbuf_bytes(w, s->p, s->l4);
	if (s->ver == 6) {
		wbuf_patch16(w, V6_LENGTH, s->headers - V6_HEADER + len);
	} else {
		rbuf_init(&r, s->p + V4_IDENT, 2);
		wbuf_patch16(w, V4_LENGTH, s->headers + len);
		wbuf_patch16(w, V4_IDENT, (rbuf_be16(&r) + i) & UINT16_MAX);
		wbuf_patch16(w, V4_SUM, 0);
		if (wbuf_ok(w))
			wbuf_patch16(
				w, V4_SUM, cksum_field(cksum_sum(w->p, s->l4)));
	}
	super_put_l4(s, i, len, w);
}

size_t
super_segment(const struct super *s, size_t i, uint8_t *out, size_t size)
{
	size_t len, at = super_payload(s, i, &len);
	struct wbuf w;

	wbuf_init(&w, out, size);
	put_headers(s, i, len, &w);
	wbuf_bytes(&w, s->p + at, len);
	if (!wbuf_ok(&w))
		return 0;
	super_sum(s, L4_LOCAL, out + s->l4, s->p + at, len, s->pseudo);
	return w.len;
}

size_t
super_template(const struct super *s, uint8_t *out, size_t size)
{
	struct wbuf w;

	wbuf_init(&w, out, size);
	put_headers(s, 0, 0, &w);
	return wbuf_ok(&w) ? w.len : 0;
}
