/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP inside the tunnel has IPv4's form: no pseudo-header in its checksum. */
#include "gwd/probe.h"

#include "gwd/cksum.h"
#include "gwd/header.h"
#include "gwd/l4.h"
#include "libipref/buf.h"

#define ECHO_REPLY   0
#define ECHO_REQUEST 8
#define ECHO_LEN     16 /* ICMP header, cookie */
#define TTL	     64
#define PROTO	     3 /* byte of the IPREF header */

struct seen {
	uint8_t type;
	struct probe_id id;
};

bool
probe_is_due(const struct peer *p, const struct peer_conf *c, uint64_t now_ms)
{
	uint64_t every = (uint64_t)c->keep_alive_s * 1000;
	uint64_t early, gone;

	if (!every)
		return false;
	if (!c->keep_alive_set &&
		(!p || p->proof != PEER_PROVED || !p->used_ms ||
			now_ms - p->used_ms >= PROBE_IN_USE_MS))
		return false;
	if (!p || !p->sent_ms)
		return true;
	/* any number that differs from peer to peer */
	early = (p->sent_ms * 7 + p->addr.b[addr_len(p->addr.ver) - 1]) *
			UINT64_C(0x9e3779b97f4a7c15) >>
		32;
	early %= every / 4;
	gone = now_ms - p->sent_ms;
	return gone + early + PROBE_TICK_MS > every;
}

size_t
probe_put(const struct gw_settings *set, const struct probe_id *id,
	const struct addr *peer, const struct ref *ref, uint16_t number,
	uint8_t *out, size_t size)
{
	const struct header h = {
		.ttl = TTL,
		.proto = L4_ICMP,
		.src_gw = addr_is_zero(&set->pub) ? addr_zero(set->tunnel_ver)
						  : set->pub,
		.dst_gw = *peer,
		.src_ref = set->own_ref,
		.dst_ref = *ref,
	};
	struct wbuf w;
	size_t start;

	wbuf_init(&w, out, size);
	header_encode(&w, &h);
	start = w.len;
	wbuf_u8(&w, ECHO_REQUEST);
	wbuf_u8(&w, 0);
	wbuf_be16(&w, 0);
	wbuf_be16(&w, id->ident);
	wbuf_be16(&w, number);
	wbuf_be64(&w, id->cookie);
	if (!wbuf_ok(&w))
		return 0;
	wbuf_patch16(&w, start + 2,
		cksum_field(cksum_sum(w.p + start, w.len - start)));
	return w.len;
}

/* False: no whole echo, of the length of ours. */
static bool
read_echo(struct header *h, struct seen *e, const uint8_t *pkt, size_t len)
{
	struct rbuf r;
	size_t size;

	if (len <= PROTO || pkt[PROTO] != L4_ICMP ||
		header_decode(h, &size, pkt, len) || h->frag)
		return false;
	rbuf_init(&r, pkt, len);
	rbuf_skip(&r, size);
	e->type = rbuf_u8(&r);
	rbuf_skip(&r, 3); /* code, checksum: what it guards is compared */
	e->id.ident = rbuf_be16(&r);
	rbuf_skip(&r, 2);
	e->id.cookie = rbuf_be64(&r);
	return rbuf_done(&r);
}

bool
probe_is_answer(const struct gw_settings *set, const struct probe_id *id,
	const uint8_t *pkt, size_t len)
{
	struct header h;
	struct seen e;

	return read_echo(&h, &e, pkt, len) && e.type == ECHO_REPLY &&
	       e.id.ident == id->ident && e.id.cookie == id->cookie &&
	       ref_eq(&h.dst_ref, &set->own_ref);
}

bool
probe_is_echo(const struct gw_settings *set, const struct ref *ref,
	const uint8_t *pkt, size_t len)
{
	struct header h;
	struct seen e;

	return read_echo(&h, &e, pkt, len) &&
	       (e.type == ECHO_REPLY || e.type == ECHO_REQUEST) &&
	       ref_eq(&h.src_ref, &set->own_ref) && ref_eq(&h.dst_ref, ref);
}
