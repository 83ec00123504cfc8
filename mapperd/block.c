/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: an ea has at most one of the bits free and used, and is in the
 * ring `ended` only with neither. What depends on a block's state and counts
 * (its places in `open`, `idle` and `rested`, its part of n_left) is brought in
 * line by settle() after each change. `open` has room for all blocks and the
 * ring for all eas in use, so that opening a block and ending an ea can't fail.
 */
#include "mapperd/block.h"

#include <errno.h>
#include <stdlib.h>

/* Free eas that stay open however few are asked for. */
#define LEFT_MIN   (UINT64_C(2) * BLOCK_SIZE)
#define RING_MIN   256
#define OPEN_MIN   16
#define INDEX_MASK (BLOCK_SIZE - 1)

_Static_assert(BLOCK_SIZE == POOL_RANGE, "a block is a range of the pool");
_Static_assert(BLOCK_SIZE == 256, "a block's number is an ea's last byte");

void
blocks_init(struct blocks *bs, uint64_t quarantine_ms)
{
	*bs = (struct blocks){.quarantine_ms = quarantine_ms, .keep = LEFT_MIN};
	/* Ranges bound their number, or the caller. */
	table_init(&bs->all, offsetof(struct block, first), sizeof(struct addr),
		SIZE_MAX);
	TAILQ_INIT(&bs->idle);
	TAILQ_INIT(&bs->rested);
}

void
blocks_fini(struct blocks *bs)
{
	struct block *b;

	TABLE_FOREACH (&bs->all, pos, b)
		free(b);
	table_fini(&bs->all);
	free(bs->open);
	free(bs->ended);
}

static size_t
last_byte(const struct addr *ea)
{
	return ea->ver == 4 ? 3 : 15;
}

struct addr
block_first(const struct addr *ea)
{
	struct addr first = *ea;

	first.b[last_byte(ea)] = 0;
	return first;
}

struct addr
block_ea(const struct block *b, unsigned index)
{
	struct addr ea = b->first;

	ea.b[last_byte(&ea)] = (uint8_t)index;
	return ea;
}

struct block *
blocks_get(const struct blocks *bs, const struct addr *first)
{
	return table_get(&bs->all, first);
}

struct block *
blocks_find(const struct blocks *bs, const struct addr *ea, unsigned *index)
{
	struct addr first = block_first(ea);

	*index = ea->b[last_byte(ea)];
	return blocks_get(bs, &first);
}

static void
open_set(struct blocks *bs, struct block *b, bool open)
{
	struct block *last;

	if (open == (b->place != 0))
		return;
	if (open) {
		bs->open[bs->n_open++] = b;
		b->place = (uint32_t)bs->n_open;
		return;
	}
	last = bs->open[--bs->n_open];
	bs->open[b->place - 1] = last;
	last->place = b->place;
	b->place = 0;
}

/* Those that can be closed first stand first: HELD ones whose end is near, OPEN
 * ones that have nothing left to give. */
static void
idle_set(struct blocks *bs, struct block *b, bool idle)
{
	struct block_list *list = b->held ? &bs->rested : &bs->idle;
	struct block *head = TAILQ_FIRST(list);

	if (idle == b->idle)
		return;
	b->idle = idle;
	if (!idle)
		TAILQ_REMOVE(list, b, link);
	else if (b->held ? head && b->until < head->until : !b->n_free)
		TAILQ_INSERT_HEAD(list, b, link);
	else
		TAILQ_INSERT_TAIL(list, b, link);
}

static void
settle(struct blocks *bs, struct block *b)
{
	bool open = b->state == BLOCK_OPEN;
	uint16_t left = open ? b->n_free : 0;

	open_set(bs, b, left > 0);
	idle_set(bs, b,
		(open || b->state == BLOCK_HELD) && !b->n_used && !b->n_ended);
	bs->n_left = bs->n_left + left - b->counted;
	b->counted = left;
}

static int
open_reserve(struct blocks *bs)
{
	size_t room = bs->open_room ? bs->open_room * 2 : OPEN_MIN;
	struct block **open;

	if (bs->all.n < bs->open_room)
		return 0;
	open = realloc(bs->open, room * sizeof(struct block *));
	if (!open)
		return -ENOMEM;
	bs->open = open;
	bs->open_room = room;
	return 0;
}

struct block *
blocks_add(struct blocks *bs, const struct addr *first,
	const struct pool_range *free_eas)
{
	struct block *b;

	if (open_reserve(bs))
		return NULL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->first = *first;
	b->state = BLOCK_OPENING;
	b->free = *free_eas;
	b->n_free = (uint16_t)pool_range_count(free_eas);
	if (table_put(&bs->all, b)) {
		free(b);
		return NULL;
	}
	return b;
}

void
blocks_open(struct blocks *bs, struct block *b)
{
	b->state = BLOCK_OPEN;
	settle(bs, b);
}

void
blocks_hold(struct blocks *bs, struct block *b, uint64_t until)
{
	b->state = BLOCK_HELD;
	b->held = true;
	b->until = until;
	bs->n_held++;
	settle(bs, b);
}

void
blocks_remove(struct blocks *bs, struct block *b)
{
	bs->n_held -= b->held;
	table_del(&bs->all, &b->first);
	free(b);
}

static int
ended_resize(struct blocks *bs, size_t room)
{
	struct block_ended *ended = malloc(room * sizeof(*ended));
	size_t i;

	if (!ended)
		return -ENOMEM;
	for (i = 0; i < bs->n_ended; i++)
		ended[i] = bs->ended[(bs->ended_at + i) & (bs->ended_room - 1)];
	free(bs->ended);
	bs->ended = ended;
	bs->ended_at = 0;
	bs->ended_room = room;
	return 0;
}

/* Room in the ring for one more ea in use. */
static int
ended_reserve(struct blocks *bs)
{
	if (bs->n_used + bs->n_ended < bs->ended_room)
		return 0;
	return ended_resize(bs, bs->ended_room ? bs->ended_room * 2 : RING_MIN);
}

/* After a flood. Without memory for the smaller one the next call tries again.
 */
static void
ended_shrink(struct blocks *bs)
{
	if (bs->ended_room > RING_MIN &&
		bs->n_used + bs->n_ended < bs->ended_room / 8)
		(void)ended_resize(bs, bs->ended_room / 2);
}

int
blocks_take(struct blocks *bs, struct block *b, unsigned index)
{
	if ((b->state != BLOCK_OPEN && b->state != BLOCK_HELD) ||
		!pool_range_has(&b->free, index))
		return -EEXIST;
	if (ended_reserve(bs))
		return -ENOMEM;
	pool_range_clear(&b->free, index);
	pool_range_set(&b->used, index);
	b->n_free--;
	b->n_used++;
	bs->n_used++;
	settle(bs, b);
	return 0;
}

/* Of two the fuller one, so that those hardly used drain and can be closed.
 * The remainders prefer none by more than one part in 2^40. */
int
blocks_draw(struct blocks *bs, const uint64_t random[3], struct addr *ea)
{
	struct block *b, *other;
	unsigned index;

	if (!bs->n_open)
		return -ENOENT;
	b = bs->open[random[0] % bs->n_open];
	other = bs->open[random[1] % bs->n_open];
	if (other->n_free < b->n_free)
		b = other;
	index = pool_range_nth(&b->free, (unsigned)(random[2] % b->n_free));
	*ea = block_ea(b, index);
	return blocks_take(bs, b, index);
}

/* False: it was not in use. */
static bool
unuse(struct blocks *bs, struct block *b, unsigned index)
{
	if (!pool_range_has(&b->used, index))
		return false;
	pool_range_clear(&b->used, index);
	b->n_used--;
	bs->n_used--;
	return true;
}

bool
blocks_end(struct blocks *bs, struct block *b, unsigned index, uint64_t now)
{
	size_t last = bs->ended_at + bs->n_ended;

	if (!unuse(bs, b, index))
		return false;
	bs->ended[last & (bs->ended_room - 1)] =
		(struct block_ended){b, now << 8 | index};
	bs->n_ended++;
	b->n_ended++;
	return true;
}

bool
blocks_leave(struct blocks *bs, struct block *b, unsigned index)
{
	if (!unuse(bs, b, index))
		return false;
	settle(bs, b);
	return true;
}

void
blocks_tick(struct blocks *bs, uint64_t now, size_t n)
{
	struct block_ended e;
	uint64_t at;

	for (; n && bs->n_ended; n--) {
		e = bs->ended[bs->ended_at];
		at = e.at_index >> 8;
		if (now < at || now - at < bs->quarantine_ms)
			break;
		bs->ended_at = (bs->ended_at + 1) & (bs->ended_room - 1);
		bs->n_ended--;
		e.block->n_ended--;
		pool_range_set(&e.block->free, e.at_index & INDEX_MASK);
		e.block->n_free++;
		settle(bs, e.block);
	}
	ended_shrink(bs);
}

void
blocks_keep(struct blocks *bs, uint64_t left)
{
	bs->keep = left > LEFT_MIN ? left : LEFT_MIN;
}

struct block *
blocks_close(struct blocks *bs, uint64_t now)
{
	struct block *b = TAILQ_FIRST(&bs->rested);

	if (!b || now < b->until) {
		b = TAILQ_FIRST(&bs->idle);
		if (!b || (b->n_free && bs->n_left < bs->keep + b->n_free))
			return NULL;
	}
	b->state = BLOCK_CLOSING;
	settle(bs, b);
	return b;
}

void
blocks_reopen(struct blocks *bs, struct block *b)
{
	b->state = b->held ? BLOCK_HELD : BLOCK_OPEN;
	settle(bs, b);
}
