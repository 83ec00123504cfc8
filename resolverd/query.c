/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries.
 *
 *	resolver_handle() --> not for us, broken, not allowed: answered at once
 *	      |          \--> transfer: xfrout.c
 *	      v
 *	query_resolve() <--- alias of a local zone --+
 *	   |   |   |   \--> local zone --------------+--> query_send()
 *	   |   |   \--> reverse of the encoding network: lookup.c --> send, fail
 *	   |   \--> A, AAAA of a translated domain: translate.c --> send, fail
 *	   |            | no AA record (q->untranslated)
 *	   v            v
 *	forward() --> on_forward() --> query_relay() or query_fail()
 *
 * Every query has one timer from its start to its end: when it fires the
 * answer is SERVFAIL, wherever the query stands. Ends: query_send() and
 * query_fail() answer, query_drop() does not (at the daemon's end); all free.
 */
#include "resolverd/query.h"

#include <event2/event.h>
#include <stdlib.h>

#include "resolverd/lookup.h"
#include "resolverd/request.h"
#include "resolverd/translate.h"
#include "resolverd/xfrout.h"

#define ANY_TTL 3600

static void
query_free(struct query *q)
{
	if (q->forward)
		upstream_cancel(q->forward);
	translate_free(q->translate);
	lookup_free(q->lookup);
	if (q->timer)
		event_free(q->timer);
	chain_fini(&q->chain);
	TAILQ_REMOVE(&q->r->queries, q, link);
	q->r->n_queries--;
	free(q);
}

static void
reply_error(struct asker *from, const struct answer_head *head, uint16_t rcode,
	unsigned ede)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	size_t len = answer_error(head, buf, rcode, ede, true);

	if (len)
		asker_reply(from, buf, len);
	else
		asker_drop(from);
}

void
query_fail(struct query *q, uint16_t rcode, unsigned ede)
{
	reply_error(&q->asker, &q->head, rcode, ede);
	query_free(q);
}

void
query_begin(struct query *q, struct answer *a, uint8_t *buf)
{
	answer_begin(a, &q->head, buf);
	chain_write(&q->chain, a);
	a->aa = q->aa;
}

void
query_send(struct query *q, struct answer *a, uint16_t rcode)
{
	size_t len = answer_end(a, rcode, EDE_NONE);

	if (!len) {
		q->r->stats.servfail_other++;
		query_fail(q, DNS_SERVFAIL, EDE_OTHER);
		return;
	}
	q->r->stats.truncated += a->truncated;
	asker_reply(&q->asker, a->w.p, len);
	query_free(q);
}

void
query_relay(struct query *q, const uint8_t *msg, size_t len,
	const struct screened *s)
{
	struct answer_filter filter = {.qtype = q->type,
		.domains = q->passthrough ? NULL : &q->r->policy.domains};
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;

	query_begin(q, &a, buf);
	answer_relay(&a, msg, len, s, &filter);
	query_send(q, &a, screen_rcode(s));
}

/* An answer that leads into a translated domain from outside of all: its
 * addresses are as native as those asked for directly. */
static bool
leads_to_translated(const struct query *q, const uint8_t *msg, size_t len,
	const struct screened *s)
{
	const struct domains *d = &q->r->policy.domains;
	struct chain chain = {0};
	struct name name = q->name;
	bool found = false;
	size_t i;

	if (q->untranslated || q->passthrough ||
		(q->type != DNS_TYPE_A && q->type != DNS_TYPE_AAAA) ||
		domains_except(d, &name))
		return false;
	if (!chain_follow(&chain, &name, msg, len, s))
		found = true;
	for (i = 0; i < chain.n && !found; i++)
		found = domains_have(d, &chain.links[i].target);
	chain_fini(&chain);
	return found;
}

static void
on_forward(enum upstream_result res, const uint8_t *msg, size_t len,
	const struct screened *s, void *arg)
{
	struct query *q = arg;

	q->forward = NULL;
	if (res != UPSTREAM_OK) {
		q->r->stats.servfail_upstream++;
		query_fail(q, DNS_SERVFAIL, EDE_UPSTREAM);
		return;
	}
	if (leads_to_translated(q, msg, len, s)) {
		translate_start(q);
		return;
	}
	q->r->stats.forwarded++;
	query_relay(q, msg, len, s);
}

static void
forward(struct query *q)
{
	struct upstream_question uq = {.name = q->name,
		.type = q->type,
		.checking_disabled = q->head.flags & DNS_CD,
		.dnssec_ok = q->head.dnssec_ok};

	q->forward = upstream_ask(q->r->up, &uq, on_forward, q);
	if (!q->forward) {
		q->r->stats.servfail_upstream++;
		query_fail(q, DNS_SERVFAIL, EDE_UPSTREAM);
	}
}

/* RFC 8482: one record instead of all, and so no native addresses. */
static void
answer_any(struct query *q)
{
	/* Two strings, the second one empty: the literal's last byte. */
	static const uint8_t hinfo[] = "\7RFC8482";
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;

	query_begin(q, &a, buf);
	answer_rr(&a, DNS_ANSWER, &q->name, DNS_TYPE_HINFO, DNS_CLASS_IN,
		ANY_TTL, hinfo, sizeof(hinfo));
	query_send(q, &a, DNS_NOERROR);
}

/* False: an alias, q->name is the next one. */
static bool
answer_from_zone(struct query *q, const struct zone *zone)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;
	uint16_t rcode;

	if (!q->chain.n)
		q->aa = true;
	answer_begin(&a, &q->head, buf);
	switch (zones_answer(zone, &q->chain, &q->name, q->type, &a, &rcode)) {
	case ZONES_ALIAS:
		name_lower(&q->name);
		return false;
	case ZONES_DONE:
		/* A referral for the first name is not authoritative; behind
		 * an alias the alias still is (RFC 1035, 4.1.1). */
		a.aa |= q->aa && q->chain.n;
		q->r->stats.local++;
		query_send(q, &a, rcode);
		return true;
	default:
		q->r->stats.servfail_other++;
		query_fail(q, DNS_SERVFAIL, EDE_OTHER);
		return true;
	}
}

static bool
to_translate(const struct query *q)
{
	return (q->type == DNS_TYPE_A || q->type == DNS_TYPE_AAAA) &&
	       !q->passthrough && !q->untranslated &&
	       domains_have(&q->r->policy.domains, &q->name);
}

/* The zone that answers for q's name; NULL: none. A reverse name of the
 * encoding network is the mapper's, but for a zone that lies within: that of
 * 10.in-addr.arpa knows nothing of it. */
static struct zone *
zone_for(const struct query *q)
{
	struct zone *zone = zones_find(&q->r->zones, &q->name, q->type);

	if (zone && lookup_covers(q->r, &q->name) &&
		!lookup_covers(q->r, &zone->apex))
		return NULL;
	return zone;
}

void
query_resolve(struct query *q)
{
	struct zone *zone;

	while ((zone = zone_for(q)))
		if (answer_from_zone(q, zone))
			return;
	/* Only now: zones of our own are answered also while dead upstreams
	 * keep all places taken. */
	if (q->r->n_queries > q->r->conf->max_queries) {
		q->r->stats.refused_busy++;
		query_fail(q, DNS_SERVFAIL, EDE_OTHER);
		return;
	}
	if (lookup_covers(q->r, &q->name)) {
		lookup_start(q);
	} else if (!(q->head.flags & DNS_RD)) {
		/* What others asked for is not told (and nothing is asked). */
		query_fail(q, DNS_REFUSED, EDE_NOT_AUTHORITATIVE);
	} else if (q->type == DNS_TYPE_ANY) {
		answer_any(q);
	} else if (to_translate(q)) {
		translate_start(q);
	} else {
		forward(q);
	}
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct query *q = arg;

	(void)fd;
	(void)what;
	q->r->stats.servfail_late++;
	query_fail(q, DNS_SERVFAIL, EDE_UPSTREAM);
}

static struct query *
query_new(struct resolver *r, const struct asker *from,
	const struct answer_head *head)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->timer = evtimer_new(r->base, on_late, q);
	if (!q->timer || event_add(q->timer, r->query_timeout)) {
		if (q->timer)
			event_free(q->timer);
		free(q);
		return NULL;
	}
	q->r = r;
	q->asker = *from;
	q->head = *head;
	q->name = head->question.name;
	name_lower(&q->name);
	q->type = head->question.type;
	q->passthrough = head->dnssec_ok && head->flags & DNS_CD;
	TAILQ_INSERT_TAIL(&r->queries, q, link);
	r->n_queries++;
	return q;
}

static void
start_query(struct resolver *r, struct asker *from, const struct request *rq)
{
	struct query *q = query_new(r, from, &rq->head);

	if (!q) {
		r->stats.servfail_other++;
		asker_drop(from);
		return;
	}
	r->stats.queries++;
	query_resolve(q);
}

/* Who may have a zone may also ask for its SOA, and is judged there; others
 * are clients. */
static bool
may_ask(const struct resolver *r, const struct asker *a,
	const struct request *rq)
{
	const struct dns_question *q = &rq->head.question;

	return prefix_list_has(&r->policy.allow, &a->peer.addr) ||
	       rq->kind == REQUEST_TRANSFER ||
	       (rq->kind == REQUEST_QUERY && q->type == DNS_TYPE_SOA &&
		       zones_at(&r->zones, &q->name) &&
		       prefix_list_has(&r->policy.transfer_to, &a->peer.addr));
}

void
resolver_handle(
	const struct asker *from, const uint8_t *msg, size_t len, void *arg)
{
	struct resolver *r = arg;
	struct asker a = *from;
	struct request rq;

	request_parse(&rq, msg, len, a.tcp);
	if (rq.kind == REQUEST_DROP || r->stopping) {
		r->stats.dropped++;
		asker_drop(&a);
		return;
	}
	if (!may_ask(r, &a, &rq)) {
		r->stats.refused_acl++;
		reply_error(&a, &rq.head, DNS_REFUSED, EDE_PROHIBITED);
		return;
	}
	switch (rq.kind) {
	case REQUEST_QUERY:
		start_query(r, &a, &rq);
		break;
	case REQUEST_TRANSFER:
		xfrout_start(r, &a, &rq);
		break;
	default:
		r->stats.errors++;
		reply_error(&a, &rq.head, rq.rcode, rq.ede);
	}
}

void
resolver_drop_all(struct resolver *r)
{
	struct query *q;

	r->stopping = true;
	while ((q = TAILQ_FIRST(&r->queries))) {
		asker_drop(&q->asker);
		query_free(q);
	}
	xfrout_drop_all(r);
}
