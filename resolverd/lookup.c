/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reverse names of the encoding network. Every octet (IPv4) or digit (IPv6) at
 * or behind the network's prefix length makes a zone of its own, as far as the
 * SOA of negative answers goes: 240.10.in-addr.arpa and fifteen more for
 * 10.240.0.0/12. TTLs are short, mappings come at any time.
 */
#include "resolverd/lookup.h"

#include <stdlib.h>

#include "resolverd/reverse.h"

#define PTR_TTL	     60 /* of a name found */
#define NEGATIVE_TTL 5
#define SERIAL	     1
#define REFRESH	     10800 /* these four as RFC 6303, section 3 */
#define RETRY	     3600
#define EXPIRE	     604800
/* A mapper that answers requests one by one and not this one, a deployed
 * gateway, is not asked for a while: others would wait behind it. */
#define NO_LOOKUP_MS 60000

struct lookup {
	struct query *q;
	struct mreq *req;
};

/* The bits of the encoding network in whole labels. */
static unsigned
zone_bits(const struct prefix *net)
{
	unsigned step = reverse_step(net->addr.ver);

	return (net->len + step - 1) / step * step;
}

/* The name's address part, when it lies in the encoding network. */
static bool
covered(const struct resolver *r, const struct name *name, struct prefix *p,
	bool *whole)
{
	const struct prefix *net = &r->conf->common.encode_net;

	return reverse_parse(p, whole, name) && p->len >= net->len &&
	       prefix_has(net, &p->addr);
}

bool
lookup_covers(const struct resolver *r, const struct name *name)
{
	struct prefix p;
	bool whole;

	return covered(r, name, &p, &whole);
}

void
lookup_free(struct lookup *l)
{
	if (!l)
		return;
	if (l->req)
		mclient_cancel(l->q->r->mapper, l->req);
	free(l);
}

/* The zone that the query's name is in. */
static struct name
zone_of(const struct query *q)
{
	struct prefix p;
	struct name zone = {0};
	bool whole;

	if (covered(q->r, &q->name, &p, &whole)) {
		p.len = (uint8_t)zone_bits(&q->r->conf->common.encode_net);
		reverse_name(&zone, &p);
	}
	return zone;
}

static void
write_soa(const struct query *q, struct answer *a, enum dns_section section)
{
	static const char rname[] = "\6nobody\7invalid";
	struct name zone = zone_of(q);
	uint8_t rdata[2 * NAME_WIRE_MAX + 20];
	struct wbuf w;

	wbuf_init(&w, rdata, sizeof(rdata));
	name_put(&w, &zone);
	wbuf_bytes(&w, rname, sizeof(rname)); /* with the root's zero */
	wbuf_be32(&w, SERIAL);
	wbuf_be32(&w, REFRESH);
	wbuf_be32(&w, RETRY);
	wbuf_be32(&w, EXPIRE);
	wbuf_be32(&w, NEGATIVE_TTL);
	if (wbuf_ok(&w))
		answer_rr(a, section, &zone, DNS_TYPE_SOA, DNS_CLASS_IN,
			NEGATIVE_TTL, rdata, w.len);
}

static void
answer_none(struct query *q, uint16_t rcode)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;

	query_begin(q, &a, buf);
	write_soa(q, &a, DNS_AUTHORITY);
	q->r->stats.reverse++;
	query_send(q, &a, rcode);
}

static void
answer_soa(struct query *q)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;

	query_begin(q, &a, buf);
	write_soa(q, &a, DNS_ANSWER);
	q->r->stats.reverse++;
	query_send(q, &a, DNS_NOERROR);
}

static void
answer_ptr(struct query *q, const struct name *target)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;

	query_begin(q, &a, buf);
	answer_rr(&a, DNS_ANSWER, &q->name, DNS_TYPE_PTR, DNS_CLASS_IN, PTR_TTL,
		target->b, target->len);
	q->r->stats.reverse++;
	query_send(q, &a, DNS_NOERROR);
}

static void
fail(struct query *q)
{
	q->r->stats.servfail_mapper++;
	query_fail(q, DNS_SERVFAIL, EDE_NETWORK);
}

static void
on_lookup(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct lookup *l = arg;
	struct query *q = l->q;
	struct name target;

	l->req = NULL;
	switch (res) {
	case MCLIENT_ACK:
		if (answer->str.len &&
			name_parse(&target, answer->str.p, answer->str.len))
			answer_ptr(q, &target);
		else
			answer_none(q, DNS_NXDOMAIN);
		return;
	case MCLIENT_NACK:
		answer_none(q, DNS_NXDOMAIN);
		return;
	case MCLIENT_TIMEOUT:
		if (q->r->conf->mapper_pipeline == 1 &&
			mclient_stats(q->r->mapper)->connected)
			q->r->no_lookup_until_ms = now_ms() + NO_LOOKUP_MS;
		/* fall through */
	default:
		fail(q);
	}
}

static void
ask(struct query *q, const struct addr *ea)
{
	struct arec rec = {.ea = *ea};
	struct msg m = {
		.mode = MSG_REQ, .cmd = MSG_LOOKUP_EA, .n = 1, .arecs = &rec};

	if (now_ms() < q->r->no_lookup_until_ms) {
		fail(q);
		return;
	}
	q->lookup = calloc(1, sizeof(*q->lookup));
	if (!q->lookup) {
		fail(q);
		return;
	}
	q->lookup->q = q;
	q->lookup->req =
		mclient_request(q->r->mapper, &m, q->r->conf->mapper_timeout,
			MCLIENT_RESEND, on_lookup, q->lookup);
	if (!q->lookup->req)
		fail(q);
}

void
lookup_start(struct query *q)
{
	struct prefix p = {0};
	bool whole = false;

	if (!covered(q->r, &q->name, &p, &whole) || !whole) {
		answer_none(q, DNS_NXDOMAIN);
		return;
	}
	if (p.len == 8 * addr_len(p.addr.ver)) {
		if (q->type == DNS_TYPE_PTR || q->type == DNS_TYPE_ANY)
			ask(q, &p.addr);
		else
			answer_none(q, DNS_NOERROR);
		return;
	}
	if (q->type == DNS_TYPE_SOA &&
		p.len == zone_bits(&q->r->conf->common.encode_net))
		answer_soa(q);
	else
		answer_none(q, DNS_NOERROR);
}
