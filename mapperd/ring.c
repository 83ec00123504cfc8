/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recent changes; see ring.h. Memory that no item has been in yet is only
 * promised: it is taken as the circle fills for the first time.
 */
#include "mapperd/ring.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes of an item beside its addresses: see pack(). */
#define ITEM_FIXED (8 + 1 + 1 + 1 + REF_LEN)

int
ring_init(struct ring *r, size_t max, uint64_t revision,
	const struct msg_profile *profile)
{
	*r = (struct ring){
		.local_ver = profile->encode_net.addr.ver,
		.tunnel_ver = profile->pub.ver,
		.max = max,
		.oldest = revision,
	};
	r->size = ITEM_FIXED + addr_len(r->local_ver) + addr_len(r->tunnel_ver);
	r->items = calloc(max, r->size);
	return r->items ? 0 : -ENOMEM;
}

void
ring_fini(struct ring *r)
{
	free(r->items);
	r->items = NULL;
}

bool
ring_takes(const struct ring *r, const struct entry_data *d)
{
	return d->addr.ver == r->local_ver && d->key.gw.ver == r->tunnel_ver;
}

/* The place of the i-th item of the circle. */
static uint8_t *
place_of(const struct ring *r, size_t i)
{
	return r->items + i % r->max * r->size;
}

static void
pack(const struct ring *r, size_t i, const struct ring_item *item)
{
	struct wbuf w;

	wbuf_init(&w, place_of(r, i), r->size);
	wbuf_be64(&w, item->revision);
	wbuf_u8(&w, item->kind);
	wbuf_u8(&w, item->flags);
	wbuf_u8(&w, item->removed);
	addr_put(&w, &item->addr, r->local_ver);
	addr_put(&w, &item->key.gw, r->tunnel_ver);
	ref_put(&w, &item->key.ref, REF_LEN);
	if (!wbuf_ok(&w)) /* not what ring_takes() */
		abort();
}

struct ring_item
ring_at(const struct ring *r, size_t i)
{
	struct ring_item item;
	struct rbuf b;

	rbuf_init(&b, place_of(r, r->first + i), r->size);
	item.revision = rbuf_be64(&b);
	item.kind = rbuf_u8(&b);
	item.flags = rbuf_u8(&b);
	item.removed = rbuf_u8(&b);
	item.addr = addr_get(&b, r->local_ver);
	item.key.gw = addr_get(&b, r->tunnel_ver);
	item.key.ref = ref_get(&b, REF_LEN);
	return item;
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
		if (ring_at(r, mid).revision > revision)
			to = mid;
		else
			from = mid + 1;
	}
	return from;
}

void
ring_begin(struct ring *r, uint64_t revision, size_t n)
{
	uint64_t old;

	while (r->n && r->n + n > r->max) {
		/* A revision goes whole. */
		old = ring_at(r, 0).revision;
		while (r->n && ring_at(r, 0).revision == old) {
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
	struct ring_item item =
		item_of(&op->data, revision, op->kind == OP_DEL);

	if (revision > r->oldest)
		pack(r, r->first + r->n++, &item);
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
	struct ring_item item = item_of(d, d->born, is_removed);

	if (d->born > r->oldest && d->born <= c->revision)
		pack(r, (*count_of(c, d->born))++, &item);
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
