/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: in a heap none is older than its parent, g[(i - 1) / 2], and each
 * knows its place, i + 1. A heap has room for all of its kind that the table
 * holds, so that those parked can come back.
 */
#include "mapperd/gone.h"

#include <errno.h>
#include <stdlib.h>

#define HEAP_MIN 64

void
gone_init(struct gone_set *s, size_t key_len, size_t max)
{
	*s = (struct gone_set){0};
	table_init(&s->all, offsetof(struct gone, value), key_len, max);
}

void
gone_fini(struct gone_set *s)
{
	struct gone *g;
	size_t i;

	TABLE_FOREACH (&s->all, pos, g)
		free(g);
	table_fini(&s->all);
	for (i = 0; i < GONE_KINDS; i++)
		free(s->heaps[i].g);
	*s = (struct gone_set){0};
}

static enum gone_kind
kind_of(enum entry_cause cause)
{
	return cause == CAUSE_PEER ? GONE_PEER : GONE_OTHER;
}

static struct gone_heap *
heap_of(struct gone_set *s, const struct gone *g)
{
	return &s->heaps[kind_of((enum entry_cause)g->cause)];
}

static int
heap_reserve(struct gone_heap *h)
{
	size_t room = h->room ? h->room * 2 : HEAP_MIN;
	struct gone **g;

	if (h->n_all < h->room)
		return 0;
	g = realloc(h->g, room * sizeof(struct gone *));
	if (!g)
		return -ENOMEM;
	h->g = g;
	h->room = room;
	return 0;
}

static void
put_at(struct gone_heap *h, size_t i, struct gone *g)
{
	h->g[i] = g;
	g->place = (uint32_t)(i + 1);
}

/* The free place i moves up to where g fits. */
static void
sift_up(struct gone_heap *h, size_t i, struct gone *g)
{
	while (i && h->g[(i - 1) / 2]->at > g->at) {
		put_at(h, i, h->g[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put_at(h, i, g);
}

/* It moves down. */
static void
sift_down(struct gone_heap *h, size_t i, struct gone *g)
{
	size_t child;

	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && h->g[child + 1]->at < h->g[child]->at)
			child++;
		if (h->g[child]->at >= g->at)
			break;
		put_at(h, i, h->g[child]);
		i = child;
	}
	put_at(h, i, g);
}

int
gone_add(struct gone_set *s, const union gone_value *value,
	enum entry_cause cause, uint64_t at)
{
	struct gone_heap *h = &s->heaps[kind_of(cause)];
	struct gone *g;
	int err = heap_reserve(h);

	if (err)
		return err;
	g = calloc(1, sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->value = *value;
	g->cause = (uint8_t)cause;
	g->at = at;
	err = table_put(&s->all, g);
	if (err) {
		free(g);
		return err;
	}
	h->n_all++;
	gone_unpark(s, g);
	return 0;
}

struct gone *
gone_find(const struct gone_set *s, const void *value)
{
	return table_get(&s->all, value);
}

struct gone *
gone_oldest_of(const struct gone_set *s, enum gone_kind kind)
{
	return s->heaps[kind].n ? s->heaps[kind].g[0] : NULL;
}

struct gone *
gone_oldest(const struct gone_set *s)
{
	struct gone *a = gone_oldest_of(s, GONE_OTHER);
	struct gone *b = gone_oldest_of(s, GONE_PEER);

	if (!a || !b)
		return a ? a : b;
	return b->at < a->at ? b : a;
}

/* The order in the heaps stays one: who was older than another is not younger
 * afterwards. */
void
gone_since(struct gone_set *s, uint64_t at)
{
	struct gone *g;

	TABLE_FOREACH (&s->all, pos, g)
		if (g->at < at)
			g->at = at;
}

void
gone_drop(struct gone_set *s, struct gone *g)
{
	if (g->place)
		gone_park(s, g);
	heap_of(s, g)->n_all--;
	table_del(&s->all, &g->value);
	free(g);
}

void
gone_park(struct gone_set *s, struct gone *g)
{
	struct gone_heap *h = heap_of(s, g);
	size_t i = g->place - 1;
	struct gone *last = h->g[--h->n];

	g->place = 0;
	if (last == g)
		return;
	if (last->at < g->at)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

void
gone_unpark(struct gone_set *s, struct gone *g)
{
	struct gone_heap *h = heap_of(s, g);

	sift_up(h, h->n++, g);
}
