/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of DNS messages: each function is one layout of RFC 1035, 4.1. */
#include "libipref/dns/message.h"

struct dns_header
dns_header_get(struct rbuf *r)
{
	struct dns_header h;
	size_t i;

	h.id = rbuf_be16(r);
	h.flags = rbuf_be16(r);
	for (i = 0; i < DNS_N_SECTIONS; i++)
		h.counts[i] = rbuf_be16(r);
	return h;
}

struct dns_question
dns_question_get(struct rbuf *r)
{
	struct dns_question q;

	q.name = name_get(r);
	q.type = rbuf_be16(r);
	q.class = rbuf_be16(r);
	return q;
}

struct dns_rr
dns_rr_get(struct rbuf *r)
{
	struct dns_rr rr;

	rr.owner = name_get(r);
	rr.type = rbuf_be16(r);
	rr.class = rbuf_be16(r);
	rr.ttl = rbuf_be32(r);
	rr.rdlen = rbuf_be16(r);
	rr.rdpos = r->pos;
	rr.rdata = rbuf_take(r, rr.rdlen);
	if (!rbuf_ok(r))
		rr.rdlen = 0;
	return rr;
}

/* The rdata as a cursor that still sees the message before it, for names. */
static struct rbuf
rdata_cursor(const struct dns_rr *rr, const uint8_t *msg, size_t len)
{
	struct rbuf r;

	rbuf_init(&r, msg, len);
	if (rr->rdpos + rr->rdlen > len)
		rbuf_fail(&r);
	else
		r.len = rr->rdpos + rr->rdlen;
	rbuf_skip(&r, rr->rdpos);
	return r;
}

bool
dns_soa_get(struct dns_soa *soa, const struct dns_rr *rr, const uint8_t *msg,
	size_t len)
{
	struct rbuf r = rdata_cursor(rr, msg, len);

	soa->mname = name_get(&r);
	soa->rname = name_get(&r);
	soa->serial = rbuf_be32(&r);
	soa->refresh = rbuf_be32(&r);
	soa->retry = rbuf_be32(&r);
	soa->expire = rbuf_be32(&r);
	soa->minimum = rbuf_be32(&r);
	return rbuf_done(&r);
}

bool
dns_target_get(struct name *target, const struct dns_rr *rr, const uint8_t *msg,
	size_t len)
{
	struct rbuf r = rdata_cursor(rr, msg, len);

	*target = name_get(&r);
	return rbuf_done(&r);
}

bool
dns_txt_next(
	const struct dns_rr *rr, size_t *pos, const uint8_t **s, size_t *len)
{
	struct rbuf r;

	rbuf_init(&r, rr->rdata, rr->rdlen);
	rbuf_skip(&r, *pos);
	if (!rbuf_left(&r))
		return false;
	*len = rbuf_u8(&r);
	*s = rbuf_take(&r, *len);
	*pos = r.pos;
	return rbuf_ok(&r);
}

bool
dns_question_eq(const struct dns_question *a, const struct dns_question *b)
{
	return a->type == b->type && a->class == b->class &&
	       name_eq(&a->name, &b->name);
}

void
dns_header_put(struct wbuf *w, const struct dns_header *h)
{
	size_t i;

	wbuf_be16(w, h->id);
	wbuf_be16(w, h->flags);
	for (i = 0; i < DNS_N_SECTIONS; i++)
		wbuf_be16(w, h->counts[i]);
}

void
dns_question_put(struct wbuf *w, const struct dns_question *q)
{
	name_put(w, &q->name);
	wbuf_be16(w, q->type);
	wbuf_be16(w, q->class);
}

void
dns_rr_put(struct wbuf *w, const struct name *owner, uint16_t type,
	uint16_t class, uint32_t ttl, const void *rdata, size_t rdlen)
{
	name_put(w, owner);
	wbuf_be16(w, type);
	wbuf_be16(w, class);
	wbuf_be32(w, ttl);
	wbuf_be16(w, rdlen);
	wbuf_bytes(w, rdata, rdlen);
}

void
dns_query_put(struct wbuf *w, uint16_t id, uint16_t flags,
	const struct dns_question *q, uint16_t payload)
{
	const struct dns_header h = {
		.id = id,
		.flags = flags,
		.counts = {1, 0, 0, payload ? 1 : 0},
	};
	const struct name root = name_root();

	dns_header_put(w, &h);
	dns_question_put(w, q);
	if (payload)
		dns_rr_put(w, &root, DNS_TYPE_OPT, payload, 0, NULL, 0);
}
