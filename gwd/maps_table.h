/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash table with one writer and any number of readers that take no lock.
 *
 * It stores pointers to objects that hold their key, which must not change
 * while a reader may see the object, and a 64-bit keyed hash beside each, so
 * that a lookup reads one line of slots and the object it finds. The caller
 * gives the hash. A lookup finds every key that was there all the time, also
 * while its object is replaced or the table grows.
 *
 * What readers may still see is not freed but handed to retire(): slots by the
 * table, objects by their owner. Readers keep nothing beyond what retire()
 * waits for.
 */
#ifndef GWD_MAPS_TABLE_H
#define GWD_MAPS_TABLE_H

#include <stdatomic.h>
#include <string.h>

#include "libipref/base.h"

/* Calls destroy(p) once no reader can have p any more; like defer_rcu(). */
typedef void maps_retire(void (*destroy)(void *p), void *p);

struct maps_slot {
	_Atomic uint64_t hash;
	/* NULL: never taken since the array was made, a probe ends here. The
	 * address of the array itself: left, a probe goes on. */
	_Atomic(void *) obj;
};

struct maps_slots {
	size_t n;			  /* a power of two */
	_Atomic(struct maps_slots *) old; /* while it is being copied */
	struct maps_slot slot[];
};

struct maps_table {
	_Atomic(struct maps_slots *) now; /* owned; NULL: nothing yet */
	size_t key_off, key_len;
	/* the writer's: */
	size_t n;      /* objects */
	size_t taken;  /* slots of now that are not NULL */
	size_t copied; /* slots of old that are */
	maps_retire *retire;
};

/* Takes no memory yet. The key is the key_len bytes at key_off. */
void maps_table_init(struct maps_table *t, size_t key_off, size_t key_len,
	maps_retire *retire);
/* No reader may be left. */
void maps_table_fini(struct maps_table *t);

/* The writer's. A new key: 0, -ENOMEM. */
int maps_table_put(struct maps_table *t, uint64_t hash, void *obj) MUSTCHECK;
/* Another object takes the place of the one with the same key, which must be
 * there. */
void maps_table_replace(struct maps_table *t, uint64_t hash, void *obj);
/* Nothing unless it is there. */
void maps_table_del(struct maps_table *t, uint64_t hash, const void *obj);

/* Inlined, for the lengths of keys to be known where they are compared. */
#define MAPS_TABLE_INLINE static inline __attribute__((always_inline))

MAPS_TABLE_INLINE void *
maps_table_probe(const struct maps_slots *s, const void *key, uint64_t hash,
	size_t key_off, size_t key_len)
{
	size_t i = hash & (s->n - 1), left;
	const char *obj;
	uint64_t h;

	for (left = s->n; left > 0; left--, i = (i + 1) & (s->n - 1)) {
		obj = atomic_load_explicit(
			&s->slot[i].obj, memory_order_acquire);
		if (!obj)
			return NULL;
		h = atomic_load_explicit(
			&s->slot[i].hash, memory_order_relaxed);
		if (h == hash && obj != (const void *)s &&
			!memcmp(obj + key_off, key, key_len))
			return (void *)obj;
	}
	return NULL;
}

#define MAPS_TABLE_NEAR 1024 /* slots that stay in a CPU's first caches */
#define MAPS_TABLE_LOOK 4    /* slots of a line */

/* So large that lookups wait for memory. */
static inline bool
maps_table_is_far(const struct maps_table *t)
{
	const struct maps_slots *s =
		atomic_load_explicit(&t->now, memory_order_acquire);

	return s && s->n > MAPS_TABLE_NEAR;
}

/* A lookup of this hash will come: the first call brings its slots into the
 * caches, the second, a little later, the object. They don't wait for memory,
 * and there have to be slots. */
static inline void
maps_table_ahead(const struct maps_table *t, uint64_t hash)
{
	const struct maps_slots *s =
		atomic_load_explicit(&t->now, memory_order_acquire);

	__builtin_prefetch(&s->slot[hash & (s->n - 1)]);
}

static inline void
maps_table_ahead_object(const struct maps_table *t, uint64_t hash)
{
	const struct maps_slots *s =
		atomic_load_explicit(&t->now, memory_order_acquire);
	const struct maps_slot *slot;
	size_t i;

	for (i = 0; i < MAPS_TABLE_LOOK; i++) {
		slot = &s->slot[(hash + i) & (s->n - 1)];
		if (atomic_load_explicit(&slot->hash, memory_order_relaxed) !=
			hash)
			continue;
		__builtin_prefetch(
			atomic_load_explicit(&slot->obj, memory_order_relaxed));
		return;
	}
}

/* The object with this key, or NULL; key_off and key_len as given to init, for
 * the compiler to know. */
MAPS_TABLE_INLINE void *
maps_table_get(const struct maps_table *t, const void *key, uint64_t hash,
	size_t key_off, size_t key_len)
{
	const struct maps_slots *s, *old;
	void *obj;

	s = atomic_load_explicit(&t->now, memory_order_acquire);
	if (!s)
		return NULL;
	/* Before the probe: what it misses, since it has not been copied yet,
	 * is in the old slots, even if copying ends meanwhile. */
	old = atomic_load_explicit(&s->old, memory_order_acquire);
	obj = maps_table_probe(s, key, hash, key_off, key_len);
	if (!obj && old)
		obj = maps_table_probe(old, key, hash, key_off, key_len);
	return obj;
}

#endif
