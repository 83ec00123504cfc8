/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/trace.h"

#include <strings.h>

#include "gwd/counters.h"
#include "gwd/icmp.h"
#include "gwd/l4.h"

#define TCP_PROTO    6
#define TCP_FLAGS    13 /* where they are */
#define ICMPV6_ECHO  128
#define ICMPV6_REPLY 129

static const struct {
	uint8_t proto;
	bool ports; /* the first four bytes */
	const char *name;
} protos[] = {
	{1, false, "icmp"},
	{TCP_PROTO, true, "tcp"},
	{17, true, "udp"},
	{33, true, "dccp"},
	{47, false, "gre"},
	{50, false, "esp"},
	{132, true, "sctp"},
	{136, true, "udplite"},
};

const char *
trace_proto_name(uint8_t proto)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].name;
	return NULL;
}

bool
trace_proto_parse(uint8_t *proto, const char *text)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(protos); i++)
		if (!strcasecmp(protos[i].name, text)) {
			*proto = protos[i].proto;
			return true;
		}
	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 3; i++)
		n = 10 * n + (unsigned)(text[i] - '0');
	*proto = (uint8_t)n;
	return i && !text[i] && n <= UINT8_MAX;
}

const char *
trace_flags(uint8_t tcp_flags, char buf[TRACE_FLAGS_MAX])
{
	static const char letters[] = "FSRPAUEC"; /* from the lowest bit */
	size_t i, n = 0;

	for (i = 0; i < TRACE_FLAGS_MAX - 1; i++)
		if (tcp_flags & 1U << i)
			buf[n++] = letters[i];
	buf[n] = '\0';
	return buf;
}

static bool
has_ports(uint8_t proto)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(protos); i++)
		if (protos[i].proto == proto)
			return protos[i].ports;
	return false;
}

static void
decode_icmp(struct trace_l4 *l4, uint8_t form, struct rbuf *r)
{
	l4->type = rbuf_u8(r);
	l4->code = rbuf_u8(r);
	l4->icmp = rbuf_ok(r);
	l4->echo = form == 6
			   ? l4->type == ICMPV6_ECHO || l4->type == ICMPV6_REPLY
			   : l4->type == 0 || l4->type == 8;
	rbuf_be16(r);
	l4->id = rbuf_be16(r);
	l4->seq = rbuf_be16(r);
	if (!rbuf_ok(r))
		l4->echo = false;
}

/* form: as of ICMP. */
static void
decode_l4(struct trace_l4 *l4, uint8_t form, uint8_t proto, const uint8_t *p,
	size_t len)
{
	struct rbuf r;

	rbuf_init(&r, p, len);
	if (proto == L4_ICMP) {
		decode_icmp(l4, form, &r);
		return;
	}
	if (!has_ports(proto))
		return;
	l4->sport = rbuf_be16(&r);
	l4->dport = rbuf_be16(&r);
	l4->ports = rbuf_ok(&r);
	if (proto != TCP_PROTO || len <= TCP_FLAGS)
		return;
	l4->tcp_flags = p[TCP_FLAGS];
	l4->flags = true;
}

/* A packet that was refused may be anything: its addresses are shown when it is
 * nothing better. */
static void
decode_local(struct trace_local *l, const uint8_t *b, size_t len)
{
	if (!b || !len)
		return;
	l->len = len;
	l->parsed = !packet_parse(&l->p, b[0] >> 4, b, len, true);
	if (l->parsed) {
		l->there = true;
		if (!l->p.off)
			decode_l4(&l->l4, l->p.ver, l->p.proto, l->p.l4,
				l->p.l4_len);
		l->p.l4 = NULL;
		return;
	}
	l->p = (struct packet){0};
	counters_addrs(b, len, &l->p.src, &l->p.dst);
	l->there = l->p.src.ver != 0;
}

/* In a packet that arrives zero contexts are the sender and us. */
static void
fill_contexts(struct header *h, const struct trace_input *in)
{
	if (in->way == WAY_IN && addr_is_zero(&h->src_gw))
		h->src_gw = in->peer.addr;
	if (in->way == WAY_IN && addr_is_zero(&h->dst_gw) && in->pub->ver)
		h->dst_gw = *in->pub;
	if (in->way == WAY_OUT && addr_is_zero(&h->src_gw) && in->pub->ver)
		h->src_gw = *in->pub;
}

static void
decode_tunnel(struct trace_tunnel *t, const struct trace_input *in,
	const uint8_t *b, size_t len)
{
	if (!b)
		return;
	t->len = len;
	t->there = !header_decode(&t->h, &t->header_len, b, len);
	if (!t->there)
		return;
	if (!t->h.off)
		decode_l4(&t->l4, ICMP_IN_TUNNEL, t->h.proto, b + t->header_len,
			len - t->header_len);
	fill_contexts(&t->h, in);
}

void
trace_decode(struct trace *t, const struct trace_input *in)
{
	bool out = in->way == WAY_OUT;

	*t = (struct trace){
		.way = in->way,
		.result = in->result,
		.drop = in->drop,
		.peer = in->peer,
	};
	decode_local(&t->local, out ? in->in : in->out,
		out ? in->in_len : in->out_len);
	decode_tunnel(&t->tunnel, in, out ? in->out : in->in,
		out ? in->out_len : in->in_len);
}

bool
trace_proto(const struct trace *t, uint8_t *proto)
{
	*proto = t->tunnel.there ? t->tunnel.h.proto : t->local.p.proto;
	return t->tunnel.there || t->local.parsed;
}
