/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks: what is drawn, what rests, what can be closed. */
#include "help.h"
#include "mapperd/block.h"
#include "tests/unit/run.h"

#define REST   UINT64_C(600000)
#define KEPT   (2 * BLOCK_SIZE) /* free eas that are kept open */
#define MANY   SIZE_MAX
#define BEFORE 1000 /* ms */

static const struct pool_range full = {
	{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};

static struct block *
add(struct blocks *bs, uint8_t n)
{
	struct addr first = {4, {10, 240, n, 0}};
	struct block *b = blocks_add(bs, &first, &full);

	ck_assert_ptr_nonnull(b);
	return b;
}

static struct block *
opened(struct blocks *bs, uint8_t n)
{
	struct block *b = add(bs, n);

	blocks_open(bs, b);
	return b;
}

static int
draw(struct blocks *bs, struct dice *dice, struct addr *ea)
{
	uint64_t random[3] = {roll(dice), roll(dice), roll(dice)};

	return blocks_draw(bs, random, ea);
}

/* Takes the first n free ones of a block. */
static void
use(struct blocks *bs, struct block *b, unsigned n)
{
	unsigned i;

	for (i = 0; n; i++)
		n -= !blocks_take(bs, b, i);
}

static void
end_all(struct blocks *bs, struct block *b, uint64_t now)
{
	unsigned i;

	for (i = 0; i < BLOCK_SIZE; i++)
		blocks_end(bs, b, i, now);
}

/* Each ea once, of open blocks only. */
START_TEST(test_draw)
{
	struct dice dice = {12};
	bool seen[4][BLOCK_SIZE] = {{false}};
	struct blocks bs;
	struct addr ea;
	unsigned i;

	blocks_init(&bs, REST);
	ck_assert_int_eq(draw(&bs, &dice, &ea), -ENOENT);
	add(&bs, 0);
	ck_assert_int_eq(draw(&bs, &dice, &ea), -ENOENT);
	opened(&bs, 1);
	blocks_hold(&bs, add(&bs, 2), 0);
	opened(&bs, 3);
	ck_assert_uint_eq(bs.n_left, 2 * BLOCK_SIZE);
	for (i = 0; i < 2 * BLOCK_SIZE; i++) {
		ck_assert_int_eq(draw(&bs, &dice, &ea), 0);
		ck_assert(ea.b[2] == 1 || ea.b[2] == 3);
		ck_assert(!seen[ea.b[2]][ea.b[3]]);
		seen[ea.b[2]][ea.b[3]] = true;
		ck_assert_uint_eq(bs.n_left, 2 * BLOCK_SIZE - i - 1);
	}
	ck_assert_int_eq(draw(&bs, &dice, &ea), -ENOENT);
	ck_assert_uint_eq(bs.n_used, 2 * BLOCK_SIZE);
	blocks_fini(&bs);
}
END_TEST

/* A draw looks at two blocks and takes of the fuller one. */
START_TEST(test_fuller)
{
	static const uint64_t orders[][3] = {{0, 1, 9}, {1, 0, 9}};
	struct blocks bs;
	struct block *full_one;
	struct addr ea;
	size_t i;

	blocks_init(&bs, REST);
	opened(&bs, 1);
	full_one = opened(&bs, 2);
	use(&bs, full_one, 5);
	for (i = 0; i < ARRAY_LEN(orders); i++) {
		ck_assert_int_eq(blocks_draw(&bs, orders[i], &ea), 0);
		ck_assert_uint_eq(ea.b[2], 2);
	}
	blocks_fini(&bs);
}
END_TEST

/* One that has ended is not drawn before its time, and then it is. */
START_TEST(test_rest)
{
	struct dice dice = {13};
	struct blocks bs;
	struct block *b;
	struct addr ea;
	unsigned i, index;

	blocks_init(&bs, REST);
	b = opened(&bs, 1);
	use(&bs, b, BLOCK_SIZE);
	for (i = 0; i < 10; i++)
		ck_assert(blocks_end(&bs, b, i, BEFORE + i));
	ck_assert(!blocks_end(&bs, b, 3, BEFORE)); /* it has ended */
	ck_assert(!blocks_leave(&bs, b, 3));
	ck_assert_uint_eq(bs.n_ended, 10);
	blocks_tick(&bs, BEFORE + REST - 1, MANY);
	ck_assert_int_eq(draw(&bs, &dice, &ea), -ENOENT);
	blocks_tick(&bs, 0, MANY); /* a clock that is wrong ends nothing */
	blocks_tick(&bs, BEFORE + REST, MANY);
	ck_assert_int_eq(draw(&bs, &dice, &ea), 0);
	ck_assert_ptr_eq(blocks_find(&bs, &ea, &index), b);
	ck_assert_uint_eq(index, 0);
	/* No more of them in one call than asked for. */
	blocks_tick(&bs, BEFORE + REST + 9, 4);
	ck_assert_uint_eq(bs.n_left, 4);
	blocks_tick(&bs, BEFORE + REST + 9, 4);
	ck_assert_uint_eq(bs.n_left, 8);
	blocks_tick(&bs, BEFORE + REST + 9, 4);
	ck_assert_uint_eq(bs.n_left, 9);
	ck_assert_uint_eq(bs.n_ended, 0);
	blocks_fini(&bs);
}
END_TEST

/* The ring grows while its oldest stands in the middle. */
START_TEST(test_ring)
{
	struct blocks bs;
	struct block *b[64];
	uint64_t ended = 0, over = 0;
	unsigned n, i;

	blocks_init(&bs, REST);
	for (n = 0; n < ARRAY_LEN(b); n++) {
		b[n] = opened(&bs, (uint8_t)n);
		use(&bs, b[n], BLOCK_SIZE);
		for (i = 0; i < BLOCK_SIZE; i++)
			ck_assert(blocks_end(&bs, b[n], i, ended++));
		/* A third of them, in order. */
		over += BLOCK_SIZE / 3;
		blocks_tick(&bs, REST + over - 1, MANY);
		ck_assert_uint_eq(bs.n_ended, ended - over);
		ck_assert_uint_eq(bs.n_left, over);
		i = (unsigned)over % BLOCK_SIZE;
		ck_assert(!pool_range_has(&b[over / BLOCK_SIZE]->free, i));
		i = (unsigned)(over - 1) % BLOCK_SIZE;
		ck_assert(pool_range_has(&b[(over - 1) / BLOCK_SIZE]->free, i));
	}
	blocks_fini(&bs);
}
END_TEST

/* What a flood needed goes back; those in use have their places still. */
START_TEST(test_ring_shrinks)
{
	struct blocks bs;
	struct block *used, *b;
	size_t most;
	unsigned i;

	blocks_init(&bs, REST);
	used = opened(&bs, 64);
	for (i = 0; i < 64; i++) {
		b = opened(&bs, (uint8_t)i);
		use(&bs, b, BLOCK_SIZE);
		end_all(&bs, b, i);
	}
	most = bs.ended_room;
	use(&bs, used, BLOCK_SIZE);
	for (i = 0; i < 62; i++)
		blocks_tick(&bs, i + REST, MANY);
	ck_assert_uint_eq(bs.n_ended, 2 * BLOCK_SIZE);
	ck_assert_uint_le(bs.ended_room, most / 2);
	end_all(&bs, used, 64);
	ck_assert_uint_eq(bs.n_ended, 3 * BLOCK_SIZE);
	for (i = 62; i < 80; i++)
		blocks_tick(&bs, i + REST, MANY);
	ck_assert_uint_eq(bs.n_left, 65 * BLOCK_SIZE);
	ck_assert_uint_le(bs.ended_room, BLOCK_SIZE);
	blocks_fini(&bs);
}
END_TEST

/* A certain one, once; of blocks that are open or held. */
START_TEST(test_take)
{
	struct blocks bs;
	struct block *b;

	blocks_init(&bs, REST);
	b = add(&bs, 1);
	ck_assert_int_eq(blocks_take(&bs, b, 7), -EEXIST);
	blocks_hold(&bs, b, BEFORE);
	ck_assert_int_eq(blocks_take(&bs, b, 7), 0);
	ck_assert_int_eq(blocks_take(&bs, b, 7), -EEXIST);
	ck_assert_uint_eq(bs.n_left, 0);
	/* Promoted: it is not the block's any more. */
	ck_assert(blocks_leave(&bs, b, 7));
	ck_assert(!blocks_leave(&bs, b, 7));
	ck_assert_int_eq(blocks_take(&bs, b, 7), -EEXIST);
	ck_assert_uint_eq(b->n_free, BLOCK_SIZE - 1);
	ck_assert_ptr_eq(blocks_close(&bs, BEFORE), b);
	ck_assert_int_eq(blocks_take(&bs, b, 8), -EEXIST);
	blocks_fini(&bs);
}
END_TEST

/* An open block is closed when nothing of it is in use or rests and the others
 * have enough. */
START_TEST(test_close)
{
	struct dice dice = {14};
	struct blocks bs;
	struct block *b[3];
	struct addr ea;
	unsigned i;

	blocks_init(&bs, REST);
	for (i = 0; i < 3; i++) {
		ck_assert_ptr_null(blocks_close(&bs, BEFORE));
		b[i] = opened(&bs, (uint8_t)i);
	}
	use(&bs, b[1], 1);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE)); /* 511 would be left */
	opened(&bs, 4);
	use(&bs, b[0], 1);
	use(&bs, b[2], 1);
	end_all(&bs, b[1], BEFORE);
	end_all(&bs, b[2], BEFORE + 1);
	blocks_leave(&bs, b[0], 0);
	/* b[0] has nothing in use now, and goes; then b[1], when it is at
	 * rest. */
	opened(&bs, 5);
	ck_assert_ptr_nonnull(blocks_close(&bs, BEFORE));
	ck_assert_ptr_nonnull(blocks_close(&bs, BEFORE));
	ck_assert_ptr_null(blocks_close(&bs, BEFORE));
	ck_assert_uint_eq(bs.n_left, 3 * BLOCK_SIZE - 2);
	blocks_tick(&bs, BEFORE + REST, MANY);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE + REST));
	opened(&bs, 6);
	ck_assert_ptr_nonnull(blocks_close(&bs, BEFORE + REST));
	while (!draw(&bs, &dice, &ea))
		ck_assert(ea.b[2] == 1 || ea.b[2] == 2 || ea.b[2] == 6);
	blocks_fini(&bs);
}
END_TEST

/* One whose eas have all been promoted gives no room: it goes at once. One that
 * could not be closed is as before, and has its turn again. */
START_TEST(test_close_empty)
{
	struct blocks bs;
	struct block *b;
	struct addr first = {4, {10, 240, 1, 0}};
	unsigned i;

	blocks_init(&bs, REST);
	opened(&bs, 0);
	b = opened(&bs, 1);
	use(&bs, b, BLOCK_SIZE);
	for (i = 0; i < BLOCK_SIZE; i++)
		blocks_leave(&bs, b, i);
	ck_assert_ptr_eq(blocks_close(&bs, BEFORE), b);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE));
	blocks_reopen(&bs, b);
	ck_assert_ptr_eq(blocks_close(&bs, BEFORE), b);
	blocks_remove(&bs, b);
	ck_assert_ptr_null(blocks_get(&bs, &first));
	/* With free ones: drawn from again. */
	opened(&bs, 2);
	opened(&bs, 3);
	b = blocks_close(&bs, BEFORE);
	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(bs.n_left, KEPT);
	blocks_reopen(&bs, b);
	ck_assert_uint_eq(bs.n_left, KEPT + BLOCK_SIZE);
	ck_assert_int_eq(blocks_take(&bs, b, 0), 0);
	blocks_fini(&bs);
}
END_TEST

/* How much is enough can be more than two blocks, never less. */
START_TEST(test_keep)
{
	static const struct {
		uint64_t keep;
		unsigned left; /* blocks, of ten */
	} rows[] = {{0, 2}, {5 * BLOCK_SIZE, 5}, {5 * BLOCK_SIZE + 1, 6}};
	struct blocks bs;
	struct block *b;
	unsigned i;
	size_t k;

	for (k = 0; k < ARRAY_LEN(rows); k++) {
		blocks_init(&bs, REST);
		blocks_keep(&bs, rows[k].keep);
		for (i = 0; i < 10; i++)
			opened(&bs, (uint8_t)i);
		while ((b = blocks_close(&bs, BEFORE)))
			blocks_remove(&bs, b);
		ck_assert_uint_eq(bs.n_left, rows[k].left * BLOCK_SIZE);
		blocks_fini(&bs);
	}
}
END_TEST

/* After a restart: closed when its time is over and what is held has ended,
 * whatever others have. */
START_TEST(test_close_held)
{
	struct blocks bs;
	struct block *late, *soon, *live;

	blocks_init(&bs, REST);
	late = add(&bs, 1);
	soon = add(&bs, 2);
	live = add(&bs, 3);
	blocks_hold(&bs, late, BEFORE + 2);
	blocks_hold(&bs, soon, BEFORE + 1);
	blocks_hold(&bs, live, BEFORE + 1);
	ck_assert_uint_eq(bs.n_held, 3);
	use(&bs, live, 1);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE));
	ck_assert_ptr_eq(blocks_close(&bs, BEFORE + 1), soon);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE + 1));
	ck_assert_ptr_eq(blocks_close(&bs, BEFORE + 2), late);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE + 2));
	blocks_reopen(&bs, late);
	ck_assert_uint_eq(late->state, BLOCK_HELD);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE + 1));
	end_all(&bs, live, BEFORE + 3);
	blocks_tick(&bs, BEFORE + 3 + REST - 1, MANY);
	ck_assert_ptr_eq(blocks_close(&bs, BEFORE + REST), late);
	ck_assert_ptr_null(blocks_close(&bs, BEFORE + REST));
	blocks_tick(&bs, BEFORE + 3 + REST, MANY);
	ck_assert_ptr_eq(blocks_close(&bs, BEFORE + 3 + REST), live);
	blocks_remove(&bs, soon);
	blocks_remove(&bs, late);
	ck_assert_uint_eq(bs.n_held, 1);
	blocks_fini(&bs);
}
END_TEST

RUN_TESTS("block", test_draw, test_fuller, test_rest, test_ring,
	test_ring_shrinks, test_take, test_close, test_close_empty, test_keep,
	test_close_held)
