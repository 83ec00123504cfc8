/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded hash table: open addressing with linear probing.
 *
 * 1. n_slots is 0 or a power of two; at most 3/4 of the slots are taken, so a
 *    probe always ends at a free one.
 * 2. Between the slot that an object's hash names and the slot where the object
 *    sits no slot is free. Removing keeps that by moving later objects back
 *    into the hole; there are no tombstones, and lookups don't grow slower
 *    with age.
 * 3. Only the hash of a slot decides where it may sit; keys are read for
 *    hashing once and for comparing when the whole 32-bit hash is equal.
 * 4. Growing doubles the slots and moves the objects little by little: each put
 *    moves some out of the `old` slots, whole runs at a time, so that 2. holds
 *    there too, and nobody waits for millions of them. An object is in one of
 *    the two; new ones go to the new slots. All are moved before the table
 *    grows again: that takes more puts than there are old slots to move.
 *
 * Keys come from outsiders. The hash is SipHash-1-3 under a secret seed.
 */
#include "libipref/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/sip.h"

#define SLOTS_MIN 8
#define MOVE_STEP 128 /* old slots emptied by one put, to the end of a run */

static uint64_t
sip_hash(const uint64_t seed[2], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word, last = (uint64_t)len << 56;
	struct sip s;
	size_t left;

	sip_init(&s, seed);
	for (left = len; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		sip_word(&s, word);
	}
	while (left-- > 0)
		last |= (uint64_t)p[left] << (8 * left);
	sip_word(&s, last);
	return sip_end(&s);
}

static const void *
key_of(const struct table *t, const void *obj)
{
	return (const uint8_t *)obj + t->key_off;
}

static uint32_t
key_hash(const struct table *t, const void *key)
{
	return (uint32_t)sip_hash(t->seed, key, t->key_len);
}

void
table_init(struct table *t, size_t key_off, size_t key_len, size_t max)
{
	*t = (struct table){.key_off = key_off, .key_len = key_len, .max = max};
	sip_seed(t->seed);
}

void
table_fini(struct table *t)
{
	free(t->slots);
	free(t->old);
	t->slots = t->old = NULL;
	t->n_slots = t->n_old = 0;
	t->n = 0;
}

/* The slot of the object with this key among n_slots > 0 of them, or the free
 * one where it would go. */
static struct table_slot *
probe(const struct table *t, struct table_slot *slots, size_t n_slots,
	const void *key, uint32_t hash)
{
	size_t mask = n_slots - 1;
	size_t i = hash & mask;

	while (slots[i].obj) {
		if (slots[i].hash == hash &&
			!memcmp(key_of(t, slots[i].obj), key, t->key_len))
			break;
		i = (i + 1) & mask;
	}
	return &slots[i];
}

/* The slot of the object with this key, or a free one. There must be slots. */
static struct table_slot *
find_slot(const struct table *t, const void *key, uint32_t hash)
{
	struct table_slot *slot = probe(t, t->slots, t->n_slots, key, hash);

	if (!slot->obj && t->old)
		slot = probe(t, t->old, t->n_old, key, hash);
	return slot;
}

void *
table_get(const struct table *t, const void *key)
{
	if (!t->n)
		return NULL;
	return find_slot(t, key, key_hash(t, key))->obj;
}

void
table_prefetch(const struct table *t, const void *key)
{
	if (t->slots)
		__builtin_prefetch(
			&t->slots[key_hash(t, key) & (t->n_slots - 1)]);
}

/* Into the first free slot from the one that the hash names. */
static void
place(struct table *t, struct table_slot what)
{
	size_t mask = t->n_slots - 1;
	size_t i = what.hash & mask;

	while (t->slots[i].obj)
		i = (i + 1) & mask;
	t->slots[i] = what;
}

/* Empties so many old slots, and then to the end of a run. */
static void
move_old(struct table *t, size_t n)
{
	size_t end = t->first_old + t->n_old;
	struct table_slot *slot;

	for (; t->old && t->moved < end; t->moved++) {
		slot = &t->old[t->moved & (t->n_old - 1)];
		if (n > 0)
			n--;
		else if (!slot->obj)
			return;
		if (slot->obj)
			place(t, *slot);
		*slot = (struct table_slot){0};
	}
	free(t->old);
	t->old = NULL;
	t->n_old = 0;
}

static int MUSTCHECK
grow(struct table *t)
{
	size_t n_slots = t->n_slots ? t->n_slots * 2 : SLOTS_MIN;
	struct table_slot *slots;

	if (n_slots < t->n_slots)
		return -ENOMEM;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	move_old(t, t->n_old);
	t->old = t->slots;
	t->n_old = t->n_slots;
	t->slots = slots;
	t->n_slots = n_slots;
	/* Between two runs. */
	t->first_old = 0;
	while (t->old && t->old[t->first_old].obj)
		t->first_old++;
	t->moved = t->first_old;
	return 0;
}

int
table_put(struct table *t, void *obj)
{
	const void *key = key_of(t, obj);
	uint32_t hash = key_hash(t, key);
	int rc;

	if (t->n && find_slot(t, key, hash)->obj)
		return -EEXIST;
	if (t->n >= t->max)
		return -ENOSPC;
	if (t->n >= t->n_slots / 4 * 3) {
		rc = grow(t);
		if (rc < 0)
			return rc;
	}
	move_old(t, MOVE_STEP);
	place(t, (struct table_slot){obj, hash});
	t->n++;
	return 0;
}

/* Moves back into the hole what may not lie behind it (invariant 2), until the
 * hole is at the end of a run. */
static void
close_hole(struct table_slot *slots, size_t n_slots, size_t hole)
{
	size_t mask = n_slots - 1;
	size_t i, home;

	for (i = (hole + 1) & mask; slots[i].obj; i = (i + 1) & mask) {
		home = slots[i].hash & mask;
		/* Its way from home leads past the hole. */
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			slots[hole] = slots[i];
			hole = i;
		}
	}
	slots[hole] = (struct table_slot){0};
}

/* Removes the object with this key from these slots, if it is there. */
static void *
take(const struct table *t, struct table_slot *slots, size_t n_slots,
	const void *key, uint32_t hash)
{
	struct table_slot *slot = probe(t, slots, n_slots, key, hash);
	void *obj = slot->obj;

	if (obj)
		close_hole(slots, n_slots, (size_t)(slot - slots));
	return obj;
}

void *
table_del(struct table *t, const void *key)
{
	uint32_t hash = key_hash(t, key);
	void *obj;

	if (!t->n)
		return NULL;
	obj = take(t, t->slots, t->n_slots, key, hash);
	if (!obj && t->old)
		obj = take(t, t->old, t->n_old, key, hash);
	t->n -= obj != NULL;
	return obj;
}

void *
table_next(const struct table *t, size_t *pos)
{
	const struct table_slot *slot;
	size_t i;

	while (*pos < t->n_slots + t->n_old) {
		i = (*pos)++;
		slot = i < t->n_slots ? &t->slots[i] : &t->old[i - t->n_slots];
		if (slot->obj)
			return slot->obj;
	}
	return NULL;
}
