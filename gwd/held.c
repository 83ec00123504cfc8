/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A slot is in use while until_ms is not 0; then it has a packet, or `whole`,
 * not both. All live equally long, so the oldest is the one with the smallest
 * until_ms.
 */
#include "gwd/held.h"

#include <stdlib.h>

struct slot {
	uint64_t until_ms; /* 0: free */
	struct addr who;   /* whose bound it counts for */
	struct echo echo;
	struct waiting *packet; /* owned */
	uint32_t whole;
};

struct held {
	struct slot slots[WAY_N][HELD_MAX];
	size_t bytes[WAY_N], packets;
};

struct held *
held_new(void)
{
	return calloc(1, sizeof(struct held));
}

void
held_free(struct held *h)
{
	struct waiting_list lost = TAILQ_HEAD_INITIALIZER(lost);
	struct waiting *p;

	if (!h)
		return;
	held_expire(h, UINT64_MAX, &lost);
	while ((p = TAILQ_FIRST(&lost))) {
		TAILQ_REMOVE(&lost, p, link);
		waiting_free(p);
	}
	free(h);
}

/* Frees the slot; its packet is the caller's. */
static struct waiting *
release(struct held *h, enum way way, struct slot *s)
{
	struct waiting *p = s->packet;

	if (p) {
		h->bytes[way] -= p->in.len;
		h->packets--;
	}
	*s = (struct slot){0};
	return p;
}

static void
lose(struct held *h, enum way way, struct slot *s, struct waiting_list *lost)
{
	struct waiting *p = release(h, way, s);

	if (p)
		TAILQ_INSERT_TAIL(lost, p, link);
}

static bool
same(const struct echo *a, const struct echo *b)
{
	return a->ident == b->ident && addr_eq(&a->src, &b->src) &&
	       addr_eq(&a->dst, &b->dst);
}

/* What is known of a message. An identification may come again, so what is too
 * old is not: it goes here, if not before. */
static struct slot *
find(struct held *h, enum way way, const struct echo *echo, uint64_t now_ms,
	struct waiting_list *lost)
{
	struct slot *s;

	for (s = h->slots[way]; s < h->slots[way] + HELD_MAX; s++) {
		if (!s->until_ms || !same(&s->echo, echo))
			continue;
		if (now_ms < s->until_ms)
			return s;
		lose(h, way, s, lost);
	}
	return NULL;
}

/* A slot for a packet of len bytes (0: none) of who: a free one, unless a bound
 * is reached. */
static struct slot *
make_room(struct held *h, enum way way, const struct addr *who, size_t len,
	struct waiting_list *lost)
{
	struct slot *s, *oldest, *own, *empty;
	size_t n;

	for (;;) {
		n = 0;
		oldest = own = empty = NULL;
		for (s = h->slots[way]; s < h->slots[way] + HELD_MAX; s++) {
			if (!s->until_ms) {
				empty = s;
				continue;
			}
			if (!oldest || s->until_ms < oldest->until_ms)
				oldest = s;
			if (!addr_eq(&s->who, who))
				continue;
			n++;
			if (!own || s->until_ms < own->until_ms)
				own = s;
		}
		if (n >= HELD_EACH)
			lose(h, way, own, lost);
		else if (!empty || len > HELD_BYTES - h->bytes[way])
			lose(h, way, oldest, lost);
		else
			return empty;
	}
}

static struct addr
source(const struct packet_in *in, const struct packet_out *out)
{
	return in->from.ver ? in->from : out->echo.src;
}

static struct slot *
new_slot(struct held *h, enum way way, const struct packet_in *in,
	const struct packet_out *out, size_t len, uint64_t now_ms,
	struct waiting_list *lost)
{
	struct addr who = source(in, out);
	struct slot *s = make_room(h, way, &who, len, lost);

	s->who = who;
	s->echo = out->echo;
	s->until_ms = now_ms + HELD_MS;
	return s;
}

bool
held_first(struct held *h, enum way way, const struct packet_in *in,
	const struct packet_out *out, unsigned asked, uint64_t now_ms,
	uint32_t *whole, struct waiting_list *lost)
{
	struct slot *s = find(h, way, &out->echo, now_ms, lost);
	struct waiting *p;

	*whole = s ? s->whole : 0;
	if (s) {
		if (!*whole) /* the same once more */
			return false;
		(void)release(h, way, s);
		return true;
	}
	p = in->len <= HELD_BYTES ? waiting_new(in, out, asked) : NULL;
	if (!p)
		return false;
	s = new_slot(h, way, in, out, in->len, now_ms, lost);
	s->packet = p;
	h->bytes[way] += p->in.len;
	h->packets++;
	return true;
}

struct waiting *
held_last(struct held *h, enum way way, const struct packet_in *in,
	const struct packet_out *out, uint64_t now_ms,
	struct waiting_list *lost)
{
	struct slot *s = find(h, way, &out->echo, now_ms, lost);
	struct waiting *p = NULL;

	if (!s)
		s = new_slot(h, way, in, out, 0, now_ms, lost);
	if (s->packet) {
		p = release(h, way, s);
		p->in.whole = out->whole;
	} else {
		s->whole = out->whole;
	}
	return p;
}

void
held_expire(struct held *h, uint64_t now_ms, struct waiting_list *lost)
{
	enum way way;
	struct slot *s;

	for (way = 0; way < WAY_N; way++)
		for (s = h->slots[way]; s < h->slots[way] + HELD_MAX; s++)
			if (s->until_ms && s->until_ms <= now_ms)
				lose(h, way, s, lost);
}

size_t
held_packets(const struct held *h)
{
	return h->packets;
}
