/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bounded hash table from fixed-size keys to objects that hold their key.
 *
 * The table stores pointers; each object carries its key at the same offset.
 * It owns none of the objects and never copies one. Open addressing, at most
 * 3/4 full, grows by itself up to its bound, a little with each put; hashing is
 * keyed by a random seed, so that outsiders can't choose colliding keys. Not
 * for sharing by threads.
 */
#ifndef LIBIPREF_TABLE_H
#define LIBIPREF_TABLE_H

#include "libipref/base.h"

struct table_slot {
	void *obj; /* NULL: free */
	uint32_t hash;
};

struct table {
	struct table_slot *slots; /* owned; a power of two of them, or NULL */
	size_t n_slots;
	struct table_slot *old; /* owned; half as many, while it grows */
	size_t n_old;
	size_t first_old, moved; /* of old: where moving began, has come to */
	size_t n;		 /* objects held */
	size_t max;		 /* bound */
	size_t key_off;		 /* where an object keeps its key */
	size_t key_len;
	uint64_t seed[2];
};

/* Takes no memory yet. max > 0 is the bound on objects. The key is the key_len
 * bytes at key_off of each object; it must not change while in the table, and
 * padding in it must be zero. */
void table_init(struct table *t, size_t key_off, size_t key_len, size_t max);
/* Frees the slots, not the objects. */
void table_fini(struct table *t);

/* The object with this key, or NULL. */
void *table_get(const struct table *t, const void *key);
/* Has the slot of this key fetched into the cache, for a caller who needs it
 * soon and has something else to do meanwhile. */
void table_prefetch(const struct table *t, const void *key);
/* 0, -EEXIST (an object with this key is there), -ENOSPC (at the bound),
 * -ENOMEM. The object is borrowed until it is removed. */
int table_put(struct table *t, void *obj) MUSTCHECK;
/* Removes and returns the object with this key, or NULL. */
void *table_del(struct table *t, const void *key);

/* Walks all objects in no order: start with *pos = 0, ends with NULL. The
 * table must not change meanwhile, but for removing the object just given
 * when the walk starts anew. */
void *table_next(const struct table *t, size_t *pos);

#define TABLE_FOREACH(t, pos, obj)                                             \
	for (size_t pos = 0; ((obj) = table_next((t), &pos)) != NULL;)

#endif
