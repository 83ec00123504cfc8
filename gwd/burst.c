/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The template, a packet without payload, goes through encap() like any other:
 * what is decided about a packet by its headers is decided there alone. A
 * layer-4 checksum inside the tunnel covers no addresses; it is computed anew
 * for each segment, from payload that the device vouches for (super.c).
 */
#include "gwd/burst.h"

#include "gwd/encap.h"

#define TCP	  6
#define TCP_FLAGS 13
#define SYN	  0x02

/* Its MSS may have to be lowered. */
static bool
is_syn(const struct super *s)
{
	return s->proto == TCP && s->p[s->l4 + TCP_FLAGS] & SYN;
}

bool
burst_begin(struct burst *b, const struct gw_settings *set,
	const struct maps *maps, const struct super *s)
{
	uint8_t template[BURST_TEMPLATE], tunnel[BURST_TEMPLATE + GW_GROWTH];
	struct packet_out out = {.p = tunnel, .size = sizeof(tunnel)};
	struct packet_in in = {.p = template};
	size_t l4 = s->headers - s->l4;

	if (is_syn(s))
		return false;
	in.len = super_template(s, template, sizeof(template));
	if (!in.len)
		return false;
	encap(set, maps, &in, &out);
	if (out.drop || out.len - l4 > sizeof(b->header))
		return false;
	*b = (struct burst){
		.super = s,
		.peer = out.peer,
		.tos = out.tos,
		.header_len = out.len - l4,
		.used = {out.used[0], out.used[1]},
	};
	memcpy(b->header, tunnel, b->header_len);
	return burst_size(b) <= BATCH_BYTES;
}

size_t
burst_size(const struct burst *b)
{
	const struct super *s = b->super;

	return b->header_len + s->headers - s->l4 + s->size;
}

/* Segment i, whose payload is s->p[at..at + len). */
static void
put_segment(
	const struct burst *b, size_t i, size_t at, size_t len, struct batch *t)
{
	const struct super *s = b->super;
	size_t header = b->header_len + s->headers - s->l4;
	uint8_t *room = batch_add(t, &b->peer, b->tos, header, s->p + at, len);
	struct wbuf w;

	wbuf_init(&w, room, header);
	wbuf_bytes(&w, b->header, b->header_len);
	super_put_l4(s, i, len, &w);
	super_sum(s, L4_TUNNEL, room + b->header_len, s->p + at, len, 0);
}

bool
burst_fill(struct burst *b, struct batch *t)
{
	const struct super *s = b->super;
	size_t l4 = s->headers - s->l4, at, len;

	for (; b->next < s->n; b->next++) {
		at = super_payload(s, b->next, &len);
		if (!batch_takes(t, &b->peer, b->tos, b->header_len + l4 + len))
			return false;
		put_segment(b, b->next, at, len, t);
	}
	return true;
}
