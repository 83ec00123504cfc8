/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes: what is to become durable and true at once.
 *
 * Whoever decides something writes it down as a list of operations and changes
 * nothing. The store makes the list durable in one transaction; then the same
 * list is applied to what is in memory and told to the followers. A list with
 * an operation that followers see is a change with a number (revision).
 */
#ifndef MAPPERD_CHANGE_H
#define MAPPERD_CHANGE_H

#include "libipref/text.h"
#include "mapperd/entry.h"

enum op_kind {
	/* Seen by followers: */
	OP_ADD, /* an entry: all fields of data */
	OP_DEL, /* an entry: data.kind, addr, key, owner, cause */
	/* Not seen: */
	OP_LEASE,	/* data.kind, key, expires */
	OP_NAME,	/* data.kind, key, name */
	OP_GONE,	/* data.kind (REMOTE: ea in addr; LOCAL: reference in
			 * key.ref), cause; made: since when */
	OP_FORGET,	/* the same value is not gone any more */
	OP_SOURCE,	/* data.owner has the set `hash`, `count`; source */
	OP_SOURCE_DEL,	/* data.owner */
	OP_BATCH,	/* data.owner: a record of the unfinished set `hash` */
	OP_BATCH_CLEAR, /* data.owner: its unfinished set */
	OP_BATCH_ONLY,	/* the same, but for that announced as `hash`, which
			 * is collected from now on; once per data.kind */
	OP_WAIT,	/* data.owner: a record that another owner keeps out */
	OP_WAIT_DEL,	/* data.owner, key: it waits no longer */
	OP_WAIT_CLEAR,	/* data.owner: none of its records waits */
	OP_BLOCK,	/* data.addr: the first ea of a block that tentative
			 * mappings are drawn from (allot.h) */
	OP_BLOCK_DEL,	/* the same: none of it is in use any more */
	OP_N
};

struct op {
	enum op_kind kind;
	struct entry_data data; /* name is owned here */
	uint64_t hash;
	uint32_t count;
	bool held;	       /* OP_SOURCE: a set is in force */
	struct source *source; /* owned, or NULL */
};

struct change {
	struct op *ops; /* owned */
	size_t n, room;
	bool numbered; /* followers see it: it gets a revision */
	bool failed;   /* memory was short: it must not be stored */
};

void change_init(struct change *c);
void change_fini(struct change *c);
/* Appends an operation, zeroed but for kind. NULL when memory is short, and the
 * list is marked as failed, which the one who stores it looks at. */
struct op *change_op(struct change *c, enum op_kind kind);
/* The common ones. d->name is copied. */
void change_add(struct change *c, const struct entry_data *d);
/* Removes e; what may not be handed out soon again is gone since now. */
void change_del(struct change *c, const struct entry *e, uint64_t now);

/* The mapper allotted this ea or reference itself. */
bool entry_is_allotted(const struct entry *e);

#endif
