/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of eas that tentative mappings are drawn from (allot.h): which eas of
 * which block are free, in use or in their short quarantine, and which block
 * can be drawn from, or be closed.
 *
 * An ea of a block's range that is none of the three is not the block's: it
 * was in use elsewhere when the block was opened, or has been promoted since.
 * What a range's eas are to the rest of the pool is the caller's business.
 */
#ifndef MAPPERD_BLOCK_H
#define MAPPERD_BLOCK_H

#include <sys/queue.h>

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/table.h"
#include "mapperd/allot.h"
#include "mapperd/pool.h"

enum block_state {
	BLOCK_OPENING, /* being stored: not drawn from */
	BLOCK_OPEN,    /* drawn from */
	BLOCK_HELD,    /* after a restart: eas are held, none is drawn */
	BLOCK_CLOSING, /* its removal is being stored: all its eas are free */
};

struct block {
	struct addr first; /* the key */
	uint8_t state;	   /* enum block_state */
	bool held;	   /* it is HELD, or was when it began CLOSING */
	bool again;	   /* OPENING: its eas were gone before, and parked */
	bool idle;	   /* in the list blocks.idle or .rested */
	uint16_t n_free, n_used, n_ended;
	uint16_t counted; /* of it in blocks.n_left */
	uint16_t cost;	  /* OPENING: eas that count for peers anew */
	uint32_t place;	  /* in blocks.open, from 1; 0: not there */
	struct pool_range free;
	struct pool_range used;
	uint64_t until; /* HELD: in quarantine until then */
	TAILQ_ENTRY(block) link;
};
TAILQ_HEAD(block_list, block);

/* An ea in its short quarantine. */
struct block_ended {
	struct block *block;
	uint64_t at_index; /* ms since when << 8 | its number in the block */
};

struct blocks {
	uint64_t quarantine_ms;
	struct table all;    /* struct block, owned */
	struct block **open; /* owned; those OPEN that have a free ea */
	size_t n_open, open_room;
	struct block_list idle;	  /* OPEN, none in use or in quarantine */
	struct block_list rested; /* HELD, the same; the first end first */
	/* A ring; the oldest is at ended_at. Has room for those in use too. */
	struct block_ended *ended; /* owned */
	size_t ended_at, ended_room;
	uint64_t n_left; /* free in OPEN ones */
	uint64_t keep;	 /* of them, this many stay when others are closed */
	uint64_t n_used, n_ended;
	size_t n_held; /* blocks */
};

void blocks_init(struct blocks *bs, uint64_t quarantine_ms);
void blocks_fini(struct blocks *bs);

/* The block whose range has ea. *index: its number there. */
struct block *blocks_find(
	const struct blocks *bs, const struct addr *ea, unsigned *index);
/* The block with this first ea. */
struct block *blocks_get(const struct blocks *bs, const struct addr *first);
/* The first ea of the range that has ea. */
struct addr block_first(const struct addr *ea);
/* The ea with this number. */
struct addr block_ea(const struct block *b, unsigned index);

/* A block, OPENING, with these free eas; there must be none. NULL: memory. */
struct block *blocks_add(struct blocks *bs, const struct addr *first,
	const struct pool_range *free_eas) MUSTCHECK;
/* From OPENING. */
void blocks_open(struct blocks *bs, struct block *b);
void blocks_hold(struct blocks *bs, struct block *b, uint64_t until);
/* Frees an OPENING or CLOSING one. */
void blocks_remove(struct blocks *bs, struct block *b);

/* Takes a random free ea of an OPEN block; random: numbers of 64 bits. 0;
 * -ENOENT: there is none; -ENOMEM. */
int blocks_draw(
	struct blocks *bs, const uint64_t random[3], struct addr *ea) MUSTCHECK;
/* Takes this one, of an OPEN or HELD block. -EEXIST: it is not free. */
int blocks_take(struct blocks *bs, struct block *b, unsigned index) MUSTCHECK;
/* It is in use no more: in quarantine since now, or (leave) not the block's any
 * more. False: it was not in use, nothing happens. */
bool blocks_end(
	struct blocks *bs, struct block *b, unsigned index, uint64_t now);
bool blocks_leave(struct blocks *bs, struct block *b, unsigned index);
/* Ends quarantines that are over, at most n. */
void blocks_tick(struct blocks *bs, uint64_t now, size_t n);

/* How many free eas are enough room; at first, and at least, two blocks'. */
void blocks_keep(struct blocks *bs, uint64_t left);
/* One that is to be closed becomes CLOSING: one without eas in use or in
 * quarantine whose own quarantine is over, or without which others have enough
 * room. NULL: none. */
struct block *blocks_close(struct blocks *bs, uint64_t now);
/* It could not be: as before. */
void blocks_reopen(struct blocks *bs, struct block *b);

#endif
