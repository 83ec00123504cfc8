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
 * Keys come from outsiders. The hash is SipHash-1-3 (Aumasson and Bernstein's
 * SipHash with one round per word and three at the end) under a secret seed.
 */
#include "libipref/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#define SLOTS_MIN 8
#define MOVE_STEP 128 /* old slots emptied by one put, to the end of a run */

static uint64_t
rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static inline void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

/* Words are taken in host order: the value never leaves this process. */
static uint64_t
sip_hash(const uint64_t seed[2], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t v[4] = {
		seed[0] ^ UINT64_C(0x736f6d6570736575),
		seed[1] ^ UINT64_C(0x646f72616e646f6d),
		seed[0] ^ UINT64_C(0x6c7967656e657261),
		seed[1] ^ UINT64_C(0x7465646279746573),
	};
	uint64_t word, last = (uint64_t)len << 56;
	size_t left;

	for (left = len; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		sip_word(v, word);
	}
	while (left-- > 0)
		last |= (uint64_t)p[left] << (8 * left);
	sip_word(v, last);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Never waits: where the kernel's generator is not ready or not to be had, the
 * random bytes that it gave this process at its start serve as a key to derive
 * the seed from. */
static void
draw_seed(struct table *t)
{
	const void *start;
	uint64_t key[2] = {0, 0};
	const uintptr_t words[2][2] = {{(uintptr_t)t, 0}, {(uintptr_t)t, 1}};

	if (getrandom(t->seed, sizeof(t->seed), GRND_NONBLOCK) ==
		(ssize_t)sizeof(t->seed))
		return;
	start = (const void *)getauxval(AT_RANDOM);
	if (start)
		memcpy(key, start, sizeof(key));
	t->seed[0] = sip_hash(key, words[0], sizeof(words[0]));
	t->seed[1] = sip_hash(key, words[1], sizeof(words[1]));
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
	draw_seed(t);
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
