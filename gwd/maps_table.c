/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 1. At most 3/4 of the slots are other than NULL, so a probe ends.
 * 2. Objects stay where they are. A slot that is left is marked so, and taken
 *    again by any later object; it becomes NULL when the next one is NULL.
 *    A reader that meets the new object in a slot it took for another's finds
 *    out by comparing the keys themselves.
 * 3. When the slots run out, a new array is published with the old one behind
 *    it. Each put copies some of the old slots; until all are, readers look
 *    into both, and changes are made in both. So nobody waits for a million
 *    objects to be moved.
 */
#include "gwd/maps_table.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_MIN 8
#define COPY_STEP 128 /* old slots copied by one put */

static struct maps_slots *
slots_now(const struct maps_table *t)
{
	return atomic_load_explicit(&t->now, memory_order_relaxed);
}

static struct maps_slots *
slots_old(const struct maps_slots *s)
{
	return atomic_load_explicit(&s->old, memory_order_relaxed);
}

static void *
slot_obj(const struct maps_slots *s, size_t i)
{
	return atomic_load_explicit(&s->slot[i].obj, memory_order_relaxed);
}

static void
set_obj(struct maps_slots *s, size_t i, void *obj)
{
	atomic_store_explicit(&s->slot[i].obj, obj, memory_order_release);
}

static uint64_t
slot_hash(const struct maps_slots *s, size_t i)
{
	return atomic_load_explicit(&s->slot[i].hash, memory_order_relaxed);
}

void
maps_table_init(struct maps_table *t, size_t key_off, size_t key_len,
	maps_retire *retire)
{
	*t = (struct maps_table){
		.key_off = key_off, .key_len = key_len, .retire = retire};
}

void
maps_table_fini(struct maps_table *t)
{
	struct maps_slots *s = slots_now(t);

	if (s)
		free(slots_old(s));
	free(s);
	atomic_store(&t->now, NULL);
	t->n = t->taken = 0;
}

/* The slot of this object, or of one with its key; s->n: none. */
static size_t
find(const struct maps_table *t, const struct maps_slots *s, uint64_t hash,
	const void *like, bool itself)
{
	const char *key = (const char *)like + t->key_off;
	size_t i = hash & (s->n - 1);
	const char *obj;

	for (; (obj = slot_obj(s, i)); i = (i + 1) & (s->n - 1)) {
		if (slot_hash(s, i) != hash || obj == (const void *)s)
			continue;
		if (itself ? obj == like
			   : !memcmp(obj + t->key_off, key, t->key_len))
			return i;
	}
	return s->n;
}

/* Into the first slot that is free; true: it was NULL. */
static bool
place(struct maps_slots *s, uint64_t hash, void *obj)
{
	size_t i = hash & (s->n - 1);
	bool fresh;

	while (slot_obj(s, i) && slot_obj(s, i) != s)
		i = (i + 1) & (s->n - 1);
	fresh = !slot_obj(s, i);
	atomic_store_explicit(&s->slot[i].hash, hash, memory_order_relaxed);
	set_obj(s, i, obj);
	return fresh;
}

static void
copy_old(struct maps_table *t, size_t n)
{
	struct maps_slots *s = slots_now(t), *old = slots_old(s);
	void *obj;

	if (!old)
		return;
	for (; t->copied < old->n && n > 0; t->copied++, n--) {
		obj = slot_obj(old, t->copied);
		if (obj && obj != old)
			t->taken += place(s, slot_hash(old, t->copied), obj);
	}
	if (t->copied < old->n)
		return;
	atomic_store_explicit(&s->old, NULL, memory_order_release);
	t->retire(free, old);
}

/* Twice as many slots, or as many when most were left. */
static int MUSTCHECK
renew(struct maps_table *t)
{
	struct maps_slots *s = slots_now(t), *fresh;
	size_t n = SLOTS_MIN;

	if (s) {
		copy_old(t, slots_old(s) ? slots_old(s)->n : 0);
		n = t->n > s->n / 8 * 3 ? s->n * 2 : s->n;
	}
	fresh = calloc(1, sizeof(*fresh) + n * sizeof(fresh->slot[0]));
	if (!fresh)
		return -ENOMEM;
	fresh->n = n;
	atomic_init(&fresh->old, s);
	t->taken = t->copied = 0;
	atomic_store_explicit(&t->now, fresh, memory_order_release);
	return 0;
}

int
maps_table_put(struct maps_table *t, uint64_t hash, void *obj)
{
	int rc;

	if (!slots_now(t) || t->taken >= slots_now(t)->n / 4 * 3) {
		rc = renew(t);
		if (rc)
			return rc;
	}
	copy_old(t, COPY_STEP);
	t->taken += place(slots_now(t), hash, obj);
	t->n++;
	return 0;
}

void
maps_table_replace(struct maps_table *t, uint64_t hash, void *obj)
{
	struct maps_slots *s;
	size_t i;

	for (s = slots_now(t); s; s = slots_old(s)) {
		i = find(t, s, hash, obj, false);
		if (i < s->n)
			set_obj(s, i, obj);
	}
}

/* Marks slot i as left; it and those before it become NULL if nothing follows.
 * Returns how many did. */
static size_t
leave(struct maps_slots *s, size_t i)
{
	size_t n = 0;

	set_obj(s, i, s);
	if (slot_obj(s, (i + 1) & (s->n - 1)))
		return 0;
	for (; slot_obj(s, i) == s; i = (i - 1) & (s->n - 1), n++)
		set_obj(s, i, NULL);
	return n;
}

void
maps_table_del(struct maps_table *t, uint64_t hash, const void *obj)
{
	struct maps_slots *s, *now = slots_now(t);
	bool there = false;
	size_t i, freed;

	for (s = now; s; s = slots_old(s)) {
		i = find(t, s, hash, obj, true);
		if (i == s->n)
			continue;
		there = true;
		freed = leave(s, i);
		if (s == now)
			t->taken -= freed;
	}
	t->n -= there;
}
