/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants:
 * 1. Groups go out in the order of their first segments, and a segment is added
 *    only to the group that was begun last in its flow's slot. So flows that
 *    share a slot hinder each other's merging, but no packet overtakes another
 *    of its flow.
 * 2. All packets of a flow have one slot, whatever else is in their headers:
 *    it hangs on local addresses, protocol and ports only.
 * 3. A group of more than one segment holds only right checksums.
 */
#include "gwd/merge.h"

#include "gwd/cksum.h"
#include "gwd/decap.h"
#include "gwd/l4.h"
#include "gwd/packet.h"

#define TCP 6
#define UDP 17

#define TCP_HEADER 20
#define UDP_HEADER 8

#define PROTO_AT 3 /* in an IPREF header */

/* Positions in TCP's header. */
#define SEQ_AT	  4
#define ACK_AT	  8
#define OFFSET_AT 12
#define FLAGS_AT  13
#define WINDOW_AT 14
#define URGENT_AT 18

#define TCP_SYN	 0x02
#define TCP_PUSH 0x08
#define TCP_ACK	 0x10
#define TCP_ECE	 0x40

#define UDP_LENGTH_AT 4

#define FORMS_BACK 4 /* forms looked at before one is made anew */

/* Where things are in a local IP header. */
static const struct ip_form {
	size_t header, addrs, addrs_len, length, uncounted;
	uint8_t gso_tcp;
} ip_forms[] = {
	[4] = {20, 12, 8, 2, 0, VIRTIO_NET_HDR_GSO_TCPV4},
	[6] = {40, 8, 32, 4, 40, VIRTIO_NET_HDR_GSO_TCPV6},
};

/* A datagram looked at. */
struct seen {
	const struct packet_in *in;
	const struct merge_form *form;
	const uint8_t *l4;
	size_t l4_len, header; /* of layer 4 */
	uint8_t slot;
	bool alone, push;
};

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static const struct ip_form *
ip_form(const struct merge *m)
{
	return &ip_forms[m->set->local_ver];
}

static size_t
sum_at(uint8_t proto)
{
	return proto == TCP ? 16 : 6;
}

void
merge_begin(struct merge *m, const struct gw_settings *set,
	const struct maps *maps, bool tcp, bool udp)
{
	m->set = set;
	m->maps = maps;
	m->tcp = tcp;
	m->udp = udp;
	m->n_forms = m->n_groups = m->n = m->done = 0;
	memset(m->slots, 0, sizeof(m->slots));
}

/* --- headers ------------------------------------------------------------ */

static bool
has_form(const struct merge_form *f, const struct packet_in *in)
{
	return in->len > f->key.len && in->tos == f->key.tos &&
	       addr_eq(&in->from, &f->key.from) &&
	       !memcmp(in->p, f->key.p, f->key.len);
}

/* Room is for as much of the packet as decap() demands to see. */
static bool
make_form(struct merge *m, const struct packet_in *in, size_t header)
{
	struct merge_form *f = &m->forms[m->n_forms];
	struct packet_out out = {.p = f->ip, .size = sizeof(f->ip)};
	const struct ip_form *form = ip_form(m);
	struct packet_in head = *in;

	head.len = header + (in->p[PROTO_AT] == TCP ? TCP_HEADER : UDP_HEADER);
	if (head.len > in->len || m->n_forms == MERGE_MAX)
		return false;
	decap(m->set, m->maps, &head, &out);
	if (out.drop || out.from_self)
		return false;
	f->key = *in;
	f->key.len = header;
	f->proto = in->p[PROTO_AT];
	f->df = in->p[0] & HEADER_D;
	f->addrs = cksum_sum(f->ip + form->addrs, form->addrs_len);
	f->used[0] = out.used[0];
	f->used[1] = out.used[1];
	m->n_forms++;
	return true;
}

/* By the first bytes of the header, whose length is not 0. IPv6 packets without
 * D may have to be cut for their host. */
static bool
is_plain(const struct merge *m, const uint8_t *p)
{
	return !(p[0] & HEADER_I) &&
	       (p[PROTO_AT] == TCP || p[PROTO_AT] == UDP) &&
	       (m->set->local_ver == 4 || p[0] & HEADER_D);
}

/* NULL: the packet is not plain. */
static const struct merge_form *
find_form(struct merge *m, const struct packet_in *in)
{
	size_t header, i;

	for (i = m->n_forms; i > 0 && m->n_forms - i < FORMS_BACK; i--)
		if (has_form(&m->forms[i - 1], in))
			return &m->forms[i - 1];
	header = header_peek(in->p, in->len);
	if (!header || !is_plain(m, in->p) || !make_form(m, in, header))
		return NULL;
	return &m->forms[m->n_forms - 1];
}

/* --- layer 4 ------------------------------------------------------------ */

static bool
sum_is_right(const struct merge_form *f, const struct packet_in *in)
{
	const uint8_t *l4 = in->p + f->key.len;
	size_t len = in->len - f->key.len;

	/* in the tunnel it does not cover addresses */
	return cksum_fold(cksum_sum(l4, len) + (uint32_t)len + f->proto) ==
	       UINT16_MAX;
}

/* SYNs may have to be clamped. */
static bool
look_tcp(struct seen *s)
{
	uint8_t flags;

	if (s->l4_len < TCP_HEADER)
		return false;
	s->header = (s->l4[OFFSET_AT] >> 4) * (size_t)4;
	flags = s->l4[FLAGS_AT];
	if (s->header < TCP_HEADER || s->header > s->l4_len || flags & TCP_SYN)
		return false;
	s->push = flags & TCP_PUSH;
	s->alone = (flags & ~(TCP_PUSH | TCP_ECE)) != TCP_ACK ||
		   s->l4[OFFSET_AT] & 0x0f;
	return true;
}

/* One without a checksum stays so, but not in IPv6. */
static bool
look_udp(const struct merge *m, struct seen *s)
{
	if (s->l4_len < UDP_HEADER || get16(s->l4 + UDP_LENGTH_AT) != s->l4_len)
		return false;
	s->header = UDP_HEADER;
	s->alone = !get16(s->l4 + sum_at(UDP));
	return !s->alone || m->set->local_ver == 4;
}

static bool
look(struct merge *m, const struct packet_in *in, struct seen *s)
{
	bool tcp;

	*s = (struct seen){.in = in, .form = find_form(m, in)};
	if (!s->form)
		return false;
	tcp = s->form->proto == TCP;
	s->l4 = in->p + s->form->key.len;
	s->l4_len = in->len - s->form->key.len;
	if (s->l4_len + ip_form(m)->header > MERGE_BYTES ||
		!(tcp ? look_tcp(s) : look_udp(m, s)))
		return false;
	s->alone =
		s->alone || !(tcp ? m->tcp : m->udp) || s->l4_len == s->header;
	s->slot = (uint8_t)(((s->form->addrs * 0x9e3779b1u) ^
				    (get32(s->l4) * 0x85ebca6bu) ^
				    s->form->proto * 0x01010101u) >>
			    24);
	return true;
}

/* --- groups ------------------------------------------------------------- */

/* All but checksum, sequence number, PSH. */
static bool
same_tcp(const uint8_t *a, const uint8_t *b, size_t header)
{
	return !memcmp(a + ACK_AT, b + ACK_AT, 5) &&
	       !((a[FLAGS_AT] ^ b[FLAGS_AT]) & ~TCP_PUSH) &&
	       !memcmp(a + WINDOW_AT, b + WINDOW_AT, 2) &&
	       !memcmp(a + URGENT_AT, b + URGENT_AT, header - URGENT_AT);
}

/* Packets that may be fragmented have numbers, which the kernel counts up. */
static bool
fits(const struct merge *m, const struct merge_group *g, const struct seen *s)
{
	const struct packet_in *first = m->in[g->first];
	const uint8_t *l4 = first->p + g->form->key.len;
	size_t payload = s->l4_len - s->header;

	if (g->closed || g->form != s->form || g->l4 != s->header ||
		memcmp(l4, s->l4, 4) || payload > g->size ||
		ip_form(m)->header + g->l4 + g->payload + payload > MERGE_BYTES)
		return false;
	if (!g->form->df &&
		(uint16_t)(first->number + g->n) != (uint16_t)s->in->number)
		return false;
	if (g->form->proto == UDP)
		return g->n < MERGE_UDP;
	return get32(l4 + SEQ_AT) + (uint32_t)g->payload ==
		       get32(s->l4 + SEQ_AT) &&
	       same_tcp(l4, s->l4, g->l4);
}

/* Checksums are looked at when there is something to join; that of the first
 * one then too. */
static bool
joins(const struct merge *m, struct merge_group *g, const struct seen *s)
{
	if (!fits(m, g, s))
		return false;
	if (g->n == 1)
		g->closed = !sum_is_right(g->form, m->in[g->first]);
	return !g->closed && sum_is_right(s->form, s->in);
}

static struct merge_group *
begin_group(struct merge *m, const struct seen *s)
{
	struct merge_group *g = &m->groups[m->n_groups];

	*g = (struct merge_group){
		.form = s->form,
		.first = (uint8_t)m->n,
		.last = (uint8_t)m->n,
		.closed = s->alone,
		.l4 = s->header,
		.size = s->l4_len - s->header,
	};
	m->slots[s->slot] = (uint8_t)m->n_groups++;
	return g;
}

bool
merge_add(struct merge *m, const struct packet_in *in)
{
	struct merge_group *g;
	struct seen s;

	if (m->n == MERGE_MAX || !look(m, in, &s))
		return false;
	g = &m->groups[m->slots[s.slot]];
	if (s.alone || !m->n_groups || !joins(m, g, &s))
		g = begin_group(m, &s);
	m->in[m->n] = in;
	/* iovec has no const; nobody writes there */
	m->slice[m->n].iov_base = (uint8_t *)(uintptr_t)(s.l4 + s.header);
	m->slice[m->n].iov_len = s.l4_len - s.header;
	m->next[g->last] = (uint8_t)m->n;
	g->last = (uint8_t)m->n;
	g->n++;
	g->payload += s.l4_len - s.header;
	g->push = s.push;
	g->closed = g->closed || s.push || s.l4_len - s.header < g->size;
	m->n++;
	return true;
}

/* --- out ---------------------------------------------------------------- */

/* The IP header, in m->head. */
static void
put_ip(struct merge *m, const struct merge_group *g, size_t l4_len)
{
	const struct ip_form *form = ip_form(m);

	memcpy(m->head, g->form->ip, form->header);
	put16(m->head + form->length,
		(uint32_t)(form->header + l4_len - form->uncounted));
	if (m->set->local_ver != 4)
		return;
	if (!g->form->df)
		put16(m->head + 4, m->in[g->first]->number);
	put16(m->head + 10, 0);
	put16(m->head + 10, cksum_field(cksum_sum(m->head, form->header)));
}

/* Layer 4 of a superpacket: what the kernel makes its segments of. */
static void
put_super(struct merge *m, const struct merge_group *g, uint8_t *l4,
	size_t l4_len)
{
	const struct ip_form *form = ip_form(m);
	uint8_t proto = g->form->proto;

	if (proto == UDP)
		put16(l4 + UDP_LENGTH_AT, (uint32_t)l4_len);
	else if (g->push)
		l4[FLAGS_AT] |= TCP_PUSH;
	put16(l4 + sum_at(proto),
		cksum_fold(g->form->addrs + proto + (uint32_t)l4_len));
	m->vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = proto == TCP ? form->gso_tcp
					 : VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = (uint16_t)(form->header + g->l4),
		.gso_size = (uint16_t)g->size,
		.csum_start = (uint16_t)form->header,
		.csum_offset = (uint16_t)sum_at(proto),
	};
}

static void
put_headers(struct merge *m, const struct merge_group *g)
{
	const struct packet_in *first = m->in[g->first];
	size_t header = ip_form(m)->header, l4_len = g->l4 + g->payload;
	uint8_t *l4 = m->head + header;

	put_ip(m, g, l4_len);
	memcpy(l4, first->p + g->form->key.len, g->l4);
	m->vnet = (struct virtio_net_hdr){0};
	if (g->n > 1)
		put_super(m, g, l4, l4_len);
	else
		l4_adjust(L4_LOCAL, g->form->proto, 0, l4, g->l4, 0,
			g->form->addrs);
	m->iov[0] = (struct iovec){&m->vnet, sizeof(m->vnet)};
	m->iov[1] = (struct iovec){m->head, header + g->l4};
}

bool
merge_next(struct merge *m, struct merge_out *out)
{
	const struct merge_group *g;
	size_t i, at;

	if (m->done == m->n_groups)
		return false;
	g = &m->groups[m->done++];
	put_headers(m, g);
	for (i = 0, at = g->first; i < g->n; i++, at = m->next[at]) {
		m->iov[2 + i] = m->slice[at];
		m->members[i] = m->in[at];
	}
	*out = (struct merge_out){
		.iov = m->iov,
		.n_iov = 2 + g->n,
		.len = m->iov[0].iov_len + m->iov[1].iov_len + g->payload,
		.in = m->members,
		.n = g->n,
		.used = g->form->used,
	};
	return true;
}
