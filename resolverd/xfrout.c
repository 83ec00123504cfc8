/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zone transfers out. A transfer holds its version of the zone and writes it in
 * messages of up to CHUNK bytes, as fast as the client takes them: at most
 * BACKLOG bytes wait for it. SOA first and last, all other records in the
 * zone's order between them.
 */
#include "resolverd/xfrout.h"

#include <stdlib.h>

#define CHUNK	16384	  /* bytes of a message, but for larger records */
#define BACKLOG (1 << 17) /* bytes */

struct transfer {
	struct resolver *r;
	struct asker asker;
	struct answer_head head;
	struct zone *zone; /* one reference */
	/* What is next; the SOA is written outside of this order. */
	size_t node, set, rdata;
	bool begun, done;
	TAILQ_ENTRY(transfer) link;
};

static void
transfer_free(struct transfer *t)
{
	zone_unref(t->zone);
	TAILQ_REMOVE(&t->r->transfers, t, link);
	t->r->n_transfers--;
	free(t);
}

void
xfrout_drop_all(struct resolver *r)
{
	struct transfer *t;

	while ((t = TAILQ_FIRST(&r->transfers))) {
		asker_on_drain(&t->asker, NULL, NULL);
		asker_drop(&t->asker);
		transfer_free(t);
	}
}

static void
write_soa(const struct zone *z, struct answer *a)
{
	answer_rr(a, DNS_ANSWER, &z->nodes[0].name, DNS_TYPE_SOA, DNS_CLASS_IN,
		z->soa->ttl, z->soa->rdata[0].p, z->soa->rdata[0].len);
}

/* The next record but for the SOA; false behind the last one. */
static bool
next_record(struct transfer *t, const struct zone_node **node,
	const struct zone_set **set, const struct zone_rdata **rd)
{
	for (; t->node < t->zone->n; t->node++, t->set = 0) {
		*node = &t->zone->nodes[t->node];
		for (; t->set < (*node)->n; t->set++, t->rdata = 0) {
			*set = &(*node)->sets[t->set];
			if (*set == t->zone->soa || t->rdata == (*set)->n)
				continue;
			*rd = &(*set)->rdata[t->rdata];
			return true;
		}
	}
	return false;
}

/* One message's records. A record that does not fit is the next one's first;
 * one that fits into no message at all fails the transfer. */
static bool
fill(struct transfer *t, struct answer *a)
{
	const struct zone_node *node;
	const struct zone_set *set;
	const struct zone_rdata *rd;
	size_t n = 0;

	if (!t->begun)
		write_soa(t->zone, a);
	t->begun = true;
	while (a->w.len < CHUNK) {
		if (!next_record(t, &node, &set, &rd)) {
			write_soa(t->zone, a);
			t->done = !a->truncated;
			break;
		}
		answer_rr(a, DNS_ANSWER, &node->name, set->type, DNS_CLASS_IN,
			set->ttl, rd->p, rd->len);
		if (a->truncated)
			break;
		t->rdata++;
		n++;
	}
	if (!a->truncated)
		return true;
	a->truncated = false;
	return n > 0;
}

static void on_drain(bool gone, void *arg);

static void
fail(struct transfer *t)
{
	/* A stream that breaks off is no transfer for the other side. */
	t->r->stats.transfers_refused++;
	asker_drop(&t->asker);
	transfer_free(t);
}

/* Writes until enough waits for the client. */
static void
pump(struct transfer *t)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;
	size_t len;

	while (!t->done && asker_backlog(&t->asker) < BACKLOG) {
		answer_begin(&a, &t->head, buf);
		a.aa = true;
		a.ra = false;
		len = fill(t, &a) ? answer_end(&a, DNS_NOERROR, EDE_NONE) : 0;
		if (!len) {
			fail(t);
			return;
		}
		asker_send(&t->asker, buf, len);
	}
	if (!t->done) {
		asker_on_drain(&t->asker, on_drain, t);
		return;
	}
	asker_drop(&t->asker);
	transfer_free(t);
}

static void
on_drain(bool gone, void *arg)
{
	struct transfer *t = arg;

	if (gone) {
		asker_drop(&t->asker);
		transfer_free(t);
		return;
	}
	pump(t);
}

static void
refuse(struct resolver *r, struct asker *from, const struct request *rq,
	uint16_t rcode, unsigned ede)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	size_t len = answer_error(&rq->head, buf, rcode, ede, false);

	r->stats.transfers_refused++;
	if (len)
		asker_reply(from, buf, len);
	else
		asker_drop(from);
}

/* Serial numbers are compared on a circle (RFC 1982). */
static bool
is_current(uint32_t theirs, uint32_t ours)
{
	return theirs == ours || (uint32_t)(theirs - ours) < 0x80000000u;
}

static void
answer_soa(struct asker *from, const struct request *rq, const struct zone *z)
{
	uint8_t buf[DNS_MESSAGE_MAX];
	struct answer a;
	size_t len;

	answer_begin(&a, &rq->head, buf);
	a.aa = true;
	a.ra = false;
	write_soa(z, &a);
	len = answer_end(&a, DNS_NOERROR, EDE_NONE);
	if (len)
		asker_reply(from, buf, len);
	else
		asker_drop(from);
}

static void
start(struct resolver *r, struct asker *from, const struct request *rq,
	struct zone *z)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (!t) {
		asker_drop(from);
		return;
	}
	t->r = r;
	t->asker = *from;
	t->head = rq->head;
	t->zone = zone_ref(z);
	TAILQ_INSERT_TAIL(&r->transfers, t, link);
	r->n_transfers++;
	r->stats.transfers++;
	pump(t);
}

void
xfrout_start(
	struct resolver *r, const struct asker *from, const struct request *rq)
{
	const struct dns_question *q = &rq->head.question;
	struct zone *z = zones_at(&r->zones, &q->name);
	char name[NAME_TEXT_MAX], addr[ADDR_TEXT_MAX];
	struct asker a = *from;

	if (!prefix_list_has(&r->policy.transfer_to, &a.peer.addr)) {
		log_limited(&r->transfer_limit, LOG_LEVEL_NOTICE,
			"transfer of %s to %s: refused",
			name_format(&q->name, name),
			addr_format(&a.peer.addr, addr));
		refuse(r, &a, rq, DNS_REFUSED, EDE_PROHIBITED);
		return;
	}
	if (!z) {
		refuse(r, &a, rq, DNS_NOTAUTH, EDE_NOT_AUTHORITATIVE);
		return;
	}
	if (q->type == DNS_TYPE_IXFR &&
		(!a.tcp || is_current(rq->serial, z->serial))) {
		answer_soa(&a, rq, z);
		return;
	}
	if (!a.tcp || asker_waits(&a) || r->n_transfers >= XFROUT_MAX) {
		/* AXFR is for TCP alone (RFC 5936, 4.2); one at a time for a
		 * client. */
		refuse(r, &a, rq, a.tcp ? DNS_SERVFAIL : DNS_FORMERR, EDE_NONE);
		return;
	}
	start(r, &a, rq, z);
}
