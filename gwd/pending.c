/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants:
 * 1. A packet that waits is on its query's list and on `all`; both are in the
 *    order of arrival. All wait equally long, so `all` is in the order of
 *    until_ms too, and its head is the next to expire.
 * 2. A query is in the table, and on `to_ask` exactly while it is not asked. It
 *    has packets, or it is asked (and its answer will end it).
 * 3. Refusals are in a ring in the order of until_ms; a key is in the table of
 *    refusals at most once.
 */
#include "gwd/pending.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/table.h"

/* All of a question but the padding behind it. */
#define QUESTION_KEY (offsetof(struct question, ref) + sizeof(struct ref))
static_assert(QUESTION_KEY == sizeof(enum ask) + sizeof(struct addr) +
				      sizeof(struct ref),
	"a key without padding");

struct query {
	struct question q;
	TAILQ_ENTRY(query) link; /* of to_ask */
	struct waiting_list packets;
	size_t n;
	bool asked;
};

TAILQ_HEAD(query_list, query);

struct refusal {
	struct question q;
	uint64_t until_ms; /* 0: not in the table */
};

struct pending {
	struct table queries;	  /* struct query, owned */
	struct query_list to_ask; /* those not asked */
	struct waiting_list all;
	size_t packets, bytes;
	struct table refusals; /* struct refusal, of the ring */
	struct refusal ring[PENDING_REFUSALS];
	size_t next; /* the ring's oldest */
};

struct question
question_of(enum ask ask, const struct addr *addr, const struct ref *ref)
{
	struct question q = {.ask = ask, .addr = *addr};

	if (ask == ASK_EA)
		q.ref = *ref;
	return q;
}

struct pending *
pending_new(void)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	table_init(&p->queries, offsetof(struct query, q), QUESTION_KEY,
		PENDING_QUESTIONS);
	table_init(&p->refusals, offsetof(struct refusal, q), QUESTION_KEY,
		PENDING_REFUSALS);
	TAILQ_INIT(&p->to_ask);
	TAILQ_INIT(&p->all);
	return p;
}

void
waiting_free(struct waiting *w)
{
	free(w);
}

/* Takes a packet off both lists; it is the caller's then. */
static void
detach(struct pending *p, struct waiting *w)
{
	TAILQ_REMOVE(&w->query->packets, w, link);
	TAILQ_REMOVE(&p->all, w, in_all);
	w->query->n--;
	w->query = NULL;
	p->packets--;
	p->bytes -= w->in.len;
}

static void
end_query(struct pending *p, struct query *query)
{
	if (!query->asked)
		TAILQ_REMOVE(&p->to_ask, query, link);
	(void)table_del(&p->queries, &query->q);
	free(query);
}

static void
move_packets(struct pending *p, struct query *query, struct waiting_list *list)
{
	struct waiting *w;

	while ((w = TAILQ_FIRST(&query->packets))) {
		detach(p, w);
		TAILQ_INSERT_TAIL(list, w, link);
	}
}

void
pending_free(struct pending *p)
{
	struct waiting_list list = TAILQ_HEAD_INITIALIZER(list);
	struct query *query;
	struct waiting *w;
	size_t pos = 0;

	if (!p)
		return;
	while ((query = table_next(&p->queries, &pos))) {
		move_packets(p, query, &list);
		end_query(p, query);
		pos = 0;
	}
	while ((w = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, w, link);
		waiting_free(w);
	}
	table_fini(&p->queries);
	table_fini(&p->refusals);
	free(p);
}

static struct query *
new_query(struct pending *p, const struct question *q)
{
	struct query *query = calloc(1, sizeof(*query));

	if (!query)
		return NULL;
	query->q = *q;
	TAILQ_INIT(&query->packets);
	if (table_put(&p->queries, query)) {
		free(query);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&p->to_ask, query, link);
	return query;
}

static bool
is_refused(const struct pending *p, const struct question *q, uint64_t now_ms)
{
	const struct refusal *r = table_get(&p->refusals, q);

	return r && now_ms < r->until_ms;
}

static bool
is_full(const struct pending *p, const struct query *query, size_t len)
{
	return p->packets >= PENDING_PACKETS ||
	       len > PENDING_BYTES - p->bytes ||
	       (query && query->n >= PENDING_EACH);
}

struct waiting *
waiting_new(const struct packet_in *in, const struct packet_out *out,
	unsigned asked)
{
	struct waiting *w = calloc(1, sizeof(*w) + in->len);

	if (!w)
		return NULL;
	w->in = *in;
	w->in.p = w->p;
	w->asked = asked | 1U << out->ask;
	w->drop = out->drop;
	memcpy(w->p, in->p, in->len);
	return w;
}

enum pending_result
pending_add(struct pending *p, const struct packet_in *in,
	const struct packet_out *out, unsigned asked, uint64_t now_ms)
{
	struct question q = question_of(out->ask, &out->addr, &out->ref);
	struct query *query = table_get(&p->queries, &q);
	bool known = query;
	struct waiting *w;

	if (!known && is_refused(p, &q, now_ms))
		return PENDING_REFUSED;
	if (is_full(p, query, in->len))
		return PENDING_FULL;
	w = waiting_new(in, out, asked);
	if (w && !known)
		query = new_query(p, &q);
	if (!w || !query) {
		free(w);
		return PENDING_FULL;
	}
	w->query = query;
	w->until_ms = now_ms + PENDING_WAIT_MS;
	TAILQ_INSERT_TAIL(&query->packets, w, link);
	TAILQ_INSERT_TAIL(&p->all, w, in_all);
	query->n++;
	p->packets++;
	p->bytes += w->in.len;
	return known ? PENDING_WAITS : PENDING_ASK;
}

void
pending_asked(struct pending *p, const struct question *q)
{
	struct query *query = table_get(&p->queries, q);

	if (!query || query->asked)
		return;
	query->asked = true;
	TAILQ_REMOVE(&p->to_ask, query, link);
}

bool
pending_unanswered(struct pending *p, const struct question *q)
{
	struct query *query = table_get(&p->queries, q);

	if (!query)
		return false;
	if (query->asked) {
		query->asked = false;
		TAILQ_INSERT_TAIL(&p->to_ask, query, link);
	}
	if (query->n)
		return true;
	end_query(p, query);
	return false;
}

bool
pending_to_ask(const struct pending *p, struct question *q)
{
	const struct query *query = TAILQ_FIRST(&p->to_ask);

	if (query)
		*q = query->q;
	return query;
}

void
pending_take(
	struct pending *p, const struct question *q, struct waiting_list *list)
{
	struct query *query = table_get(&p->queries, q);

	if (!query)
		return;
	move_packets(p, query, list);
	end_query(p, query);
}

void
pending_expire(struct pending *p, uint64_t now_ms, struct waiting_list *list)
{
	struct query *query;
	struct waiting *w;

	while ((w = TAILQ_FIRST(&p->all)) && w->until_ms <= now_ms) {
		query = w->query;
		detach(p, w);
		TAILQ_INSERT_TAIL(list, w, link);
		if (!query->n && !query->asked)
			end_query(p, query);
	}
}

uint64_t
pending_next_ms(const struct pending *p)
{
	const struct waiting *w = TAILQ_FIRST(&p->all);

	return w ? w->until_ms : UINT64_MAX;
}

void
pending_refuse(struct pending *p, const struct question *q, uint64_t now_ms)
{
	struct refusal *r = table_get(&p->refusals, q);

	/* One that is there keeps its place in the ring, hence its time. */
	if (r && now_ms < r->until_ms)
		return;
	if (r)
		(void)table_del(&p->refusals, q);
	r = &p->ring[p->next];
	if (r->until_ms && table_get(&p->refusals, &r->q) == r)
		(void)table_del(&p->refusals, &r->q);
	r->q = *q;
	r->until_ms = now_ms + PENDING_REFUSED_MS;
	/* Not to remember it only means to ask again. */
	if (table_put(&p->refusals, r))
		r->until_ms = 0;
	p->next = (p->next + 1) % PENDING_REFUSALS;
}

size_t
pending_packets(const struct pending *p)
{
	return p->packets;
}

size_t
pending_bytes(const struct pending *p)
{
	return p->bytes;
}

size_t
pending_questions(const struct pending *p)
{
	return p->queries.n;
}
