/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of sources that wait for a key which another owner has (hostset.h).
 *
 * Invariants: a source's waiting records are sorted by key, each key once;
 * those that are over stay until they are more than the others, so that a large
 * set comes in force in time that grows with it and not with its square.
 * n_waits of the hostset is the sum of those that wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapperd/hostset.h"

static int
wait_cmp(const void *a, const void *b)
{
	const struct host_wait *x = a, *y = b;

	return entry_key_cmp(&x->key, &y->key);
}

/* The place of this key, also one that is over. */
static struct host_wait *
wait_slot(const struct host_source *s, const struct entry_key *key)
{
	struct host_wait want = {.key = *key};

	if (!s->n_slots)
		return NULL;
	return bsearch(
		&want, s->waits, s->n_slots, sizeof(*s->waits), wait_cmp);
}

const struct host_wait *
hostset_waiting(const struct host_source *s, const struct entry_key *key)
{
	const struct host_wait *w = wait_slot(s, key);

	return w && !w->over ? w : NULL;
}

static int
wait_grow(struct host_source *s)
{
	size_t room = s->room ? s->room * 2 : 16;
	struct host_wait *waits = reallocarray(s->waits, room, sizeof(*waits));

	if (!waits)
		return -ENOMEM;
	s->waits = waits;
	s->room = room;
	return 0;
}

static int
wait_insert(struct hostset *hs, struct host_source *s, const struct op *op)
{
	struct host_wait w = {.key = op->data.key, .addr = op->data.addr};
	struct host_wait *slot = wait_slot(s, &w.key);
	size_t at = s->n_slots;

	if (slot && !slot->over)
		return 0;
	if (!slot) {
		if (s->n_slots == s->room && wait_grow(s))
			return -ENOMEM;
		while (at && wait_cmp(&s->waits[at - 1], &w) > 0)
			at--;
		slot = s->waits + at;
		memmove(slot + 1, slot, (s->n_slots++ - at) * sizeof(*slot));
	}
	*slot = w;
	s->n_waits++;
	hs->n_waits++;
	return 0;
}

static void
wait_remove(
	struct hostset *hs, struct host_source *s, const struct entry_key *key)
{
	struct host_wait *w = wait_slot(s, key);
	size_t i, n = 0;

	if (!w || w->over)
		return;
	w->over = true;
	s->n_waits--;
	hs->n_waits--;
	if (s->n_slots - s->n_waits <= s->n_waits)
		return;
	for (i = 0; i < s->n_slots; i++)
		if (!s->waits[i].over)
			s->waits[n++] = s->waits[i];
	s->n_slots = n;
}

int
hostset_apply_wait(struct hostset *hs, const struct op *op)
{
	struct host_source *s = hostset_by_id(hs, op->data.owner);

	if (!s)
		return 0;
	switch (op->kind) {
	case OP_WAIT:
		return wait_insert(hs, s, op);
	case OP_WAIT_DEL:
		wait_remove(hs, s, &op->data.key);
		return 0;
	default:
		hs->n_waits -= s->n_waits;
		free(s->waits);
		s->waits = NULL;
		s->n_slots = s->room = s->n_waits = 0;
		return 0;
	}
}

bool
hostset_conflict(const struct host_source *s, const struct entries *es,
	size_t i, struct host_conflict *out)
{
	const struct host_wait *w = i < s->n_slots ? &s->waits[i] : NULL;

	if (!w || w->over)
		return false;
	*out = (struct host_conflict){
		.key = &w->key,
		.wanted = &w->addr,
		.holder = entries_local(es, &w->key),
	};
	return out->holder != NULL;
}

size_t
hostset_conflicts(const struct host_source *s, const struct entries *es)
{
	struct host_conflict c;
	size_t i, n = 0;

	for (i = 0; s->n_waits && i < s->n_slots; i++)
		if (hostset_conflict(s, es, i, &c))
			n += !addr_eq(c.wanted, &c.holder->addr);
	return n;
}
