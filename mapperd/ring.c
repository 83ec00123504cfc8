/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recent changes; see ring.h. */
#include "mapperd/ring.h"

#include <errno.h>
#include <stdlib.h>

int
ring_init(struct ring *r, size_t max, uint64_t revision)
{
	*r = (struct ring){.max = max, .oldest = revision};
	r->items = calloc(max, sizeof(*r->items));
	return r->items ? 0 : -ENOMEM;
}

void
ring_fini(struct ring *r)
{
	free(r->items);
	r->items = NULL;
}

static uint8_t
flags_of(uint32_t owner)
{
	switch (owner) {
	case OWNER_MAPPER:
		return 0;
	case OWNER_TENTATIVE:
		return MSG_ENTRY_TENTATIVE;
	default:
		return MSG_ENTRY_LISTED;
	}
}

static struct ring_item
item_of(const struct entry_data *d, uint64_t revision, bool removed)
{
	return (struct ring_item){
		.revision = revision,
		.addr = d->addr,
		.key = d->key,
		.kind = (uint8_t)d->kind,
		.flags = (uint8_t)flags_of(d->owner),
		.removed = removed,
	};
}

struct msg_entry
ring_entry(const struct ring_item *item)
{
	struct msg_entry x = {
		.flags = item->flags,
		.born = item->flags & MSG_ENTRY_TENTATIVE ? 0 : item->revision,
		.arec = {.gw = item->key.gw, .ref = item->key.ref},
	};

	if (item->kind == ENTRY_REMOTE)
		x.arec.ea = item->addr;
	else
		x.arec.ip = item->addr;
	return x;
}

struct msg_entry
ring_entry_of(const struct entry_data *d, uint64_t born)
{
	struct ring_item item = item_of(d, born, false);

	return ring_entry(&item);
}

size_t
ring_above(const struct ring *r, uint64_t revision)
{
	size_t from = 0, to = r->n, mid;

	while (from < to) {
		mid = from + (to - from) / 2;
		if (ring_at(r, mid)->revision > revision)
			to = mid;
		else
			from = mid + 1;
	}
	return from;
}

/* The place of the next item. */
static struct ring_item *
ring_next(struct ring *r)
{
	return &r->items[(r->first + r->n++) % r->max];
}

void
ring_begin(struct ring *r, uint64_t revision, size_t n)
{
	uint64_t old;

	while (r->n && r->n + n > r->max) {
		/* A revision goes whole. */
		old = r->items[r->first].revision;
		while (r->n && r->items[r->first].revision == old) {
			r->first = (r->first + 1) % r->max;
			r->seq++;
			r->n--;
		}
		r->oldest = old;
	}
	if (n > r->max || !n) {
		r->seq += r->n;
		r->n = 0;
		r->oldest = revision;
	}
}

void
ring_add(struct ring *r, uint64_t revision, const struct op *op)
{
	if (revision > r->oldest)
		*ring_next(r) =
			item_of(&op->data, revision, op->kind == OP_DEL);
}

/* For each revision above `oldest`, how many items it has, then where the next
 * of them goes. */
struct counts {
	uint64_t oldest, revision;
	uint32_t *n; /* owned; of oldest + 1 and so on */
};

static uint32_t *
count_of(const struct counts *c, uint64_t revision)
{
	return revision > c->oldest && revision <= c->revision
		       ? &c->n[revision - c->oldest - 1]
		       : NULL;
}

static void
count_all(struct counts *c, const struct entries *entries,
	const struct change *removed)
{
	const struct entry *e;
	uint32_t *n;
	size_t i;

	TAILQ_FOREACH(e, &entries->all, all)
	{
		n = count_of(c, e->born);
		if (n)
			++*n;
	}
	for (i = 0; i < removed->n; i++) {
		n = count_of(c, removed->ops[i].data.born);
		if (n)
			++*n;
	}
}

/* As many whole revisions as there is room for, the newest ones; their counts
 * become places. Of one that only made what has ended since nothing is left. */
static void
choose(struct ring *r, struct counts *c)
{
	uint64_t revision = c->revision;
	uint32_t n, place = 0;

	r->first = r->n = 0;
	while (revision > c->oldest && r->n + *count_of(c, revision) <= r->max)
		r->n += *count_of(c, revision--);
	r->oldest = revision;
	while (++revision <= c->revision) {
		n = *count_of(c, revision);
		*count_of(c, revision) = place;
		place += n;
	}
}

static void
put(struct ring *r, struct counts *c, bool is_removed,
	const struct entry_data *d)
{
	if (d->born > r->oldest && d->born <= c->revision)
		r->items[(*count_of(c, d->born))++] =
			item_of(d, d->born, is_removed);
}

int
ring_rebuild(struct ring *r, uint64_t revision, uint64_t oldest,
	const struct entries *entries, const struct change *removed)
{
	struct counts c = {.oldest = oldest, .revision = revision};
	const struct entry *e;
	size_t i;

	/* While the mapper ran, more revisions than items were never kept. */
	if (revision > r->max && oldest < revision - r->max)
		c.oldest = revision - r->max;
	c.n = calloc(revision - c.oldest + 1, sizeof(*c.n));
	if (!c.n)
		return -ENOMEM;
	count_all(&c, entries, removed);
	choose(r, &c);
	for (i = 0; i < removed->n; i++)
		put(r, &c, true, &removed->ops[i].data);
	TAILQ_FOREACH(e, &entries->all, all)
	if (e->born > r->oldest)
		put(r, &c, false,
			&(struct entry_data){
				.kind = (enum entry_kind)e->kind,
				.owner = e->owner,
				.addr = e->addr,
				.key = e->key,
				.born = e->born,
			});
	free(c.n);
	return 0;
}
