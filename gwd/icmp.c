/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP, with proto/icmp.def as its only source of types and codes.
 *
 * Messages that go into the tunnel have an even length: a deployed gateway
 * delivers those of odd length with a wrong checksum. Who writes the packet
 * into a message sees to that (encap.c; icmp_reply_peer() here).
 */
#include "gwd/icmp.h"

#include "gwd/cksum.h"
#include "gwd/l4.h"

#define REPLY_TTL   64
#define V6_REDIRECT 137

struct kind {
	uint8_t type, code;
};

/* Column of a form in a row of pairs. */
enum {
	TUNNEL,
	V4,
	V6,
	N_FORMS
};

static const struct {
	struct kind form[N_FORMS];
	bool carries;
} pairs[] = {
#define ICMP(t, c, t4, c4, t6, c6, carries)                                    \
	{{{t, c}, {t4, c4}, {t6, c6}}, carries},
#define ICMP_NEAREST(ver, t, c, to_t, to_c)
#include "proto/icmp.def"
#undef ICMP
#undef ICMP_NEAREST
};

static const struct {
	uint8_t ver;
	struct kind from, to;
} nearest[] = {
#define ICMP(t, c, t4, c4, t6, c6, carries)
#define ICMP_NEAREST(ver, t, c, to_t, to_c) {ver, {t, c}, {to_t, to_c}},
#include "proto/icmp.def"
#undef ICMP
#undef ICMP_NEAREST
};

static size_t
column(uint8_t form)
{
	return form == 4 ? V4 : form == 6 ? V6 : TUNNEL;
}

static bool
same(struct kind a, struct kind b)
{
	return a.type == b.type && a.code == b.code;
}

/* The row for a kind of message; ARRAY_LEN(pairs): none. */
static size_t
row_of(uint8_t form, struct kind k)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(nearest); i++)
		if (nearest[i].ver == form && same(nearest[i].from, k)) {
			k = nearest[i].to;
			form = ICMP_IN_TUNNEL;
			break;
		}
	for (i = 0; i < ARRAY_LEN(pairs); i++)
		if (same(pairs[i].form[column(form)], k))
			break;
	return i;
}

/* RFC 4884: a message may say how much of it is the quoted packet (in words of
 * 4 or 8 bytes), with extensions behind it, which don't get through a
 * translation. Less than 128 bytes is no such message. */
static size_t
quote_length(uint8_t form, const uint8_t rest[4], size_t len)
{
	size_t said = form == 4 ? rest[1] * 4u : form == 6 ? rest[0] * 8u : 0;

	return said >= 128 && said < len ? said : len;
}

bool
icmp_read(
	struct icmp *m, uint8_t from, uint8_t to, const uint8_t *l4, size_t len)
{
	uint8_t rest[4];
	struct rbuf r;
	struct kind k;
	size_t row;

	*m = (struct icmp){0};
	rbuf_init(&r, l4, len);
	k.type = rbuf_u8(&r);
	k.code = rbuf_u8(&r);
	rbuf_skip(&r, 2); /* checksum */
	rbuf_bytes(&r, rest, sizeof(rest));
	row = row_of(from, k);
	if (!rbuf_ok(&r) || row == ARRAY_LEN(pairs))
		return false;
	m->type = pairs[row].form[column(to)].type;
	m->code = pairs[row].form[column(to)].code;
	m->carries = pairs[row].carries;
	m->has_mtu = same(pairs[row].form[TUNNEL],
		(struct kind){ICMP_UNREACHABLE, ICMP_UNREACHABLE_TOO_BIG});
	m->mtu = (uint32_t)rest[2] << 8 | rest[3];
	if (from == 6)
		m->mtu |= (uint32_t)rest[0] << 24 | (uint32_t)rest[1] << 16;
	m->quote = l4 + ICMP_HEADER;
	m->quote_len = rbuf_left(&r);
	if (!m->has_mtu || from != 6)
		m->quote_len = quote_length(from, rest, m->quote_len);
	return true;
}

size_t
icmp_begin(struct wbuf *w, uint8_t to, const struct icmp *m)
{
	size_t start = w->len;

	wbuf_u8(w, m->type);
	wbuf_u8(w, m->code);
	wbuf_be16(w, 0); /* checksum: icmp_end() */
	if (to == 6) {
		wbuf_be32(w, m->has_mtu ? m->mtu : 0);
	} else {
		wbuf_be16(w, 0);
		wbuf_be16(w, m->has_mtu ? m->mtu : 0);
	}
	return start;
}

void
icmp_end(struct wbuf *w, size_t start, const struct packet *p)
{
	size_t len = w->len - start;
	uint32_t sum = p ? packet_icmp_sum(p, len) : 0;

	if (wbuf_ok(w))
		wbuf_patch16(w, start + 2,
			cksum_field(sum + cksum_sum(w->p + start, len)));
}

void
icmp_put_plain(struct wbuf *w, const struct icmp *m, const uint8_t *l4,
	size_t len, uint32_t minus, uint32_t plus)
{
	uint32_t before, after;
	uint16_t field;
	struct rbuf r;

	rbuf_init(&r, l4, len);
	before = rbuf_be16(&r);
	field = rbuf_be16(&r);
	after = (uint32_t)m->type << 8 | m->code;
	if (before + minus != after + plus)
		field = cksum_adjust(field, before + minus, after + plus);
	wbuf_be16(w, after);
	wbuf_be16(w, field);
	wbuf_bytes(w, l4 + r.pos, rbuf_left(&r));
	if (!rbuf_ok(&r))
		wbuf_fail(w);
}

bool
icmp_is_error(uint8_t form, const uint8_t *l4, size_t len)
{
	uint8_t type;

	if (!len)
		return true;
	type = l4[0];
	if (form == 6)
		return type < 128 || type == V6_REDIRECT;
	/* unreachable, source quench, redirect, time exceeded, parameters */
	return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* Never about a later fragment, an error, or what was sent to many. */
static bool
may_answer(const struct packet *p)
{
	if (p->off || !addr_is_global_unicast(&p->src) ||
		!addr_is_global_unicast(&p->dst))
		return false;
	return p->proto != L4_ICMP || !icmp_is_error(p->ver, p->l4, p->l4_len);
}

static size_t
quoted_len(size_t len)
{
	return len < ICMP_QUOTE_MAX ? len : ICMP_QUOTE_MAX;
}

static void
reply_local(const struct gw_settings *set, const struct packet_in *in,
	const struct packet *p, const struct icmp *m, struct packet_out *out)
{
	const struct packet error = {
		.ver = p->ver,
		.src = set->own_local,
		.dst = p->src,
		.ttl = REPLY_TTL,
		.proto = L4_ICMP,
		.ident = in->number,
	};
	size_t start, icmp;
	struct wbuf w;

	out->reply = REPLY_NONE;
	out->from_self = false;
	if (!may_answer(p))
		return;
	wbuf_init(&w, out->p, out->size);
	start = packet_begin(&w, &error);
	icmp = icmp_begin(&w, p->ver, m);
	wbuf_bytes(&w, in->p, quoted_len(in->len));
	icmp_end(&w, icmp, &error);
	packet_end(&w, &error, start);
	if (!wbuf_ok(&w))
		return;
	out->len = w.len;
	out->reply = REPLY_LOCAL;
	out->from_self = true;
}

void
icmp_reply_local(const struct gw_settings *set, const struct packet_in *in,
	const struct packet *p, uint8_t type, uint8_t code, uint32_t mtu,
	struct packet_out *out)
{
	struct kind k = {type, code};
	size_t row = row_of(ICMP_IN_TUNNEL, k);
	struct icmp m = {.has_mtu = mtu, .mtu = mtu};

	if (row == ARRAY_LEN(pairs))
		return;
	k = pairs[row].form[column(p->ver)];
	m.type = k.type;
	m.code = k.code;
	reply_local(set, in, p, &m, out);
}

void
icmp_reply_route(const struct gw_settings *set, const struct packet_in *in,
	const struct packet *p, struct packet_out *out)
{
	const struct icmp v4 = {.type = 3, .code = 5};
	/* The pointer stands where "packet too big" has its MTU. */
	const struct icmp v6 = {.type = 4, .has_mtu = true, .mtu = p->pointer};

	reply_local(set, in, p, p->ver == 6 ? &v6 : &v4, out);
}

/* The offending packet with its contexts as we understood them. The part with
 * the header is written anew, the rest copied. */
static void
put_quote(struct wbuf *w, const struct gw_settings *set,
	const struct packet_in *in, const struct header *h)
{
	size_t len = quoted_len(in->len) & ~(size_t)1;
	size_t contexts = HEADER_PLAIN + (h->frag ? HEADER_FRAG : 0u);
	size_t rest = contexts + 2 * addr_len(h->src_gw.ver);
	uint8_t ver = h->src_gw.ver;
	struct addr pub = addr_is_zero(&set->pub) ? addr_zero(ver) : set->pub;

	wbuf_bytes(w, in->p, contexts);
	addr_put(w, &h->src_gw, ver);
	addr_put(w, &pub, ver);
	wbuf_bytes(w, in->p + rest, len - rest);
}

void
icmp_reply_peer(const struct gw_settings *set, const struct packet_in *in,
	const struct header *h, const uint8_t *l4, size_t l4_len, uint8_t type,
	uint8_t code, struct packet_out *out)
{
	const struct header error = {
		.ttl = REPLY_TTL,
		.proto = L4_ICMP,
		.src_gw = addr_is_zero(&set->pub) ? addr_zero(h->src_gw.ver)
						  : set->pub,
		.dst_gw = h->src_gw,
		.src_ref = set->own_ref,
		.dst_ref = h->src_ref,
	};
	const struct icmp m = {.type = type, .code = code};
	struct wbuf w;
	size_t icmp;

	out->reply = REPLY_NONE;
	if (h->off || ref_is_zero(&h->src_ref) ||
		!addr_is_global_unicast(&h->src_gw))
		return;
	if (h->proto == L4_ICMP && icmp_is_error(ICMP_IN_TUNNEL, l4, l4_len))
		return;
	wbuf_init(&w, out->p, out->size);
	header_encode(&w, &error);
	icmp = icmp_begin(&w, ICMP_IN_TUNNEL, &m);
	put_quote(&w, set, in, h);
	icmp_end(&w, icmp, NULL);
	if (!wbuf_ok(&w))
		return;
	out->len = w.len;
	out->peer = h->src_gw;
	out->reply = REPLY_PEER;
}
