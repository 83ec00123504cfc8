/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has ended and must not be handed out again yet: eas, or references, each
 * with the time since when it is gone.
 *
 * A table to find a value and two heaps to find the one gone longest, of those
 * that peers caused and of the others; whatever the order in which values come
 * and go, each step costs the logarithm of their number. A value can be parked:
 * it is found, but its heap leaves it out, until it is put back, which can't
 * fail, or dropped.
 */
#ifndef MAPPERD_GONE_H
#define MAPPERD_GONE_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"
#include "libipref/table.h"
#include "mapperd/entry.h"

union gone_value {
	struct addr ea;
	struct ref ref;
};

struct gone {
	union gone_value value; /* the key; unused bytes zero */
	uint8_t cause;		/* enum entry_cause */
	uint32_t place;		/* in its heap, from 1; 0: parked */
	uint64_t at;
};

enum gone_kind {
	GONE_OTHER,
	GONE_PEER, /* caused by a peer */
	GONE_KINDS
};

struct gone_heap {
	struct gone **g; /* owned; g[0] is gone longest */
	size_t n;
	size_t n_all; /* with those parked */
	size_t room;  /* never below n_all */
};

struct gone_set {
	struct table all; /* struct gone, owned */
	struct gone_heap heaps[GONE_KINDS];
};

/* key_len: the size of a struct addr or a struct ref; at most max values. */
void gone_init(struct gone_set *s, size_t key_len, size_t max);
void gone_fini(struct gone_set *s);

/* 0; -EEXIST: it is gone already (nothing changed); -ENOSPC, -ENOMEM. */
int gone_add(struct gone_set *s, const union gone_value *value,
	enum entry_cause cause, uint64_t at) MUSTCHECK;
/* value: a struct addr or a struct ref. NULL: it is not gone. */
struct gone *gone_find(const struct gone_set *s, const void *value);
/* The one gone longest, of one kind or of all, but for those parked; NULL:
 * there is none. */
struct gone *gone_oldest_of(const struct gone_set *s, enum gone_kind kind);
struct gone *gone_oldest(const struct gone_set *s);
/* Those gone before this time are as if gone since then. */
void gone_since(struct gone_set *s, uint64_t at);
/* Frees g. */
void gone_drop(struct gone_set *s, struct gone *g);
/* g is not parked; g is. */
void gone_park(struct gone_set *s, struct gone *g);
void gone_unpark(struct gone_set *s, struct gone *g);

#endif
