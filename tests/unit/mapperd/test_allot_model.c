/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole allotment against a plain model. Random operations, among them
 * changes that the store does not keep and restarts; every answer is checked,
 * also every refusal, and the counts after each.
 */
#include "allot_world.h"
#include "tests/unit/run.h"

/* Resolvers and peers, dynamic ones. */
static void
check_refused(struct world *w, enum allot_result res, enum entry_cause cause,
	bool quota)
{
	if (!quota) {
		ck_assert_int_eq(res, ALLOT_QUOTA);
		return;
	}
	if (cause == CAUSE_PEER && count_peer(w) >= w->share) {
		ck_assert_int_eq(res, ALLOT_SHARE);
		ck_assert(!waited(
			w, longest(w, true, false), w->cfg.quarantine_ms));
		return;
	}
	ck_assert_int_eq(res, ALLOT_SPENT);
	ck_assert_uint_eq(count(w, VIRGIN, false) + count(w, VIRGIN, true), 0);
	ck_assert(!waited(w, longest(w, false, false), w->cfg.reuse_ms));
}

static void
do_take(struct world *w, enum entry_cause cause)
{
	size_t gw = roll_size(w, N_GWS), i;
	bool quota = quota_left(w, gw, cause);
	bool spent = cause == CAUSE_PEER && count_peer(w) >= w->share;
	struct addr addr = gw_of(gw);
	struct allot_ea out;
	enum allot_result res = allot_ea(w->a, &addr, cause, w->now, &out);
	struct slot *s;

	if (res != ALLOT_OK) {
		check_refused(w, res, cause, quota);
		w->seen->refused[res]++;
		return;
	}
	ck_assert(quota);
	i = number_of(&out.ea);
	s = &w->s[i];
	if (out.again) {
		ck_assert_int_eq(s->where, GONE);
		ck_assert(out.gone_at == s->at && out.gone_cause == s->cause);
		ck_assert_uint_eq(s->at, longest(w, spent, false));
		ck_assert(spent || !count(w, VIRGIN, false));
		ck_assert(waited(w, s->at,
			spent ? w->cfg.quarantine_ms : w->cfg.reuse_ms));
		ck_assert(!spent || s->cause == CAUSE_PEER);
	} else {
		ck_assert_int_eq(s->where, VIRGIN);
		ck_assert(!spent);
	}
	w->made[i] = out;
	/* Most are stored before anything else happens. */
	*s = (struct slot){.where = TAKEN,
		.cause = cause,
		.gw = (uint8_t)gw,
		.busy = !roll_below(&w->dice, 8)};
}

/* It has been stored, or not: as if never taken. */
static void
end_take(struct world *w, size_t i, bool stored, bool tell)
{
	const struct allot_ea *made = &w->made[i];

	w->s[i].busy = false;
	if (stored)
		return;
	if (tell)
		allot_ea_undo(w->a, made);
	w->s[i] = (struct slot){.where = made->again ? GONE : VIRGIN,
		.cause = made->gone_cause,
		.at = made->gone_at};
}

static void
do_end_take(struct world *w)
{
	size_t i;

	while ((i = some(w, TAKEN, true)) < N_EAS)
		end_take(w, i, roll_below(&w->dice, 5), true);
	/* One that a peer's mapping had before counts for peers again, also
	 * when others have taken up the room meanwhile. */
	w->n_peer = count_peer(w);
}

/* Some at once, as leases end. */
static void
do_gone(struct world *w)
{
	size_t n = 1 + roll_size(w, 4), i;
	struct addr ea, gw;

	while (n-- && (i = some(w, TAKEN, false)) < N_EAS) {
		ea = ea_of(i);
		gw = gw_of(w->s[i].gw);
		ck_assert_int_eq(
			allot_ea_gone(w->a, &ea, &gw, w->s[i].cause, w->now),
			0);
		w->s[i].where = GONE;
		w->s[i].at = w->now;
	}
}

static void
do_tentative(struct world *w)
{
	size_t gw = roll_size(w, N_GWS);
	struct addr addr = gw_of(gw), ea;
	struct slot *s;
	enum allot_result res = allot_tentative(w->a, &addr, w->now, &ea);

	if (res != ALLOT_OK) {
		ck_assert_int_eq(res, quota_left(w, gw, CAUSE_TENTATIVE)
					      ? ALLOT_BLOCK
					      : ALLOT_QUOTA);
		ck_assert(res != ALLOT_BLOCK || !free_in_open(w));
		w->seen->refused[res]++;
		return;
	}
	ck_assert(quota_left(w, gw, CAUSE_TENTATIVE));
	s = &w->s[number_of(&ea)];
	ck_assert_int_eq(range_of(w, number_of(&ea))->state, OPEN);
	ck_assert(s->where == FREE ||
		  (s->where == ENDED && waited(w, s->at, REST)));
	*s = (struct slot){.where = TENTATIVE, .gw = (uint8_t)gw};
}

static void
do_end(struct world *w)
{
	size_t i = some(w, TENTATIVE, false);
	struct addr ea = ea_of(i), gw;

	if (i == N_EAS)
		return;
	gw = gw_of(w->s[i].gw);
	allot_tentative_end(w->a, &ea, &gw, w->now);
	w->s[i].where = ENDED;
	w->s[i].at = w->now;
}

static void
do_promote(struct world *w)
{
	enum entry_cause cause = CAUSE_RESOLVER + roll_below(&w->dice, 2);
	size_t i = some(w, TENTATIVE, false);
	struct addr gw;

	if (i == N_EAS)
		return;
	gw = gw_of(w->s[i].gw);
	ck_assert_int_eq(allot_promote_begin(w->a, &gw, cause),
		quota_left(w, w->s[i].gw, cause) ? ALLOT_OK : ALLOT_QUOTA);
	if (!quota_left(w, w->s[i].gw, cause))
		return;
	w->s[i].where = PROMOTED;
	w->s[i].cause = cause;
}

static void
do_end_promote(struct world *w)
{
	bool stored = roll_below(&w->dice, 4);
	size_t i = some(w, PROMOTED, false);
	struct addr ea = ea_of(i), gw;

	if (i == N_EAS)
		return;
	gw = gw_of(w->s[i].gw);
	allot_promote_end(w->a, &ea, &gw, w->s[i].cause, stored);
	w->s[i].where = stored ? TAKEN : TENTATIVE;
}

static void
check_no_block(struct world *w, enum allot_result res)
{
	ck_assert(res == ALLOT_SHARE || res == ALLOT_SPENT);
	if (count(w, GONE, true) < PASSED)
		ck_assert(!waited(
			w, longest(w, true, true), w->cfg.quarantine_ms));
	if (res == ALLOT_SHARE) {
		ck_assert_uint_gt(count_peer(w) + BLOCK_SIZE, w->share);
		return;
	}
	ck_assert(!count(w, VIRGIN, false) || count(w, VIRGIN, true));
	if (count(w, GONE, true) < PASSED)
		ck_assert(!waited(w, longest(w, false, true), w->cfg.reuse_ms));
}

/* Those that come in from quarantine. */
static void
check_forget(struct world *w, size_t r, const struct addr *forget, size_t n)
{
	uint64_t oldest = UINT64_MAX, youngest = 0;
	struct slot *s;
	size_t i;

	for (i = 0; i < n; i++) {
		s = &w->s[number_of(&forget[i])];
		ck_assert_uint_eq(number_of(&forget[i]) / BLOCK_SIZE, r);
		ck_assert_int_eq(s->where, GONE);
		if (s->at < oldest)
			oldest = s->at;
		if (s->at > youngest)
			youngest = s->at;
	}
	/* Before the quarantine is over only when nothing else is left. */
	if (!waited(w, youngest, w->cfg.quarantine_ms)) {
		ck_assert(!waited(w, oldest, w->cfg.quarantine_ms));
		ck_assert(waited(w, youngest, w->cfg.reuse_ms));
		ck_assert(!count(w, VIRGIN, false));
		if (count(w, GONE, true) < PASSED)
			ck_assert(!waited(w, longest(w, false, true),
				w->cfg.quarantine_ms));
	}
	for (i = 0; i < n; i++) {
		s = &w->s[number_of(&forget[i])];
		s->where = FREE;
		s->again = true;
	}
}

static void
do_open(struct world *w)
{
	struct addr first, forget[BLOCK_SIZE];
	enum allot_result res;
	size_t n, r, i, members = 0;

	res = allot_block_begin(w->a, w->now, &first, forget, &n);
	if (res != ALLOT_OK) {
		check_no_block(w, res);
		return;
	}
	ck_assert_uint_eq(number_of(&first) % BLOCK_SIZE, 0);
	r = number_of(&first) / BLOCK_SIZE;
	ck_assert_int_eq(w->r[r].state, NONE);
	if (n)
		check_forget(w, r, forget, n);
	for (i = r * BLOCK_SIZE; !n && i < (r + 1) * BLOCK_SIZE; i++)
		if (w->s[i].where == VIRGIN) {
			w->s[i] = (struct slot){.where = FREE};
			members++;
		}
	ck_assert(n || members);
	w->r[r] = (struct range){.state = OPENING};
	w->seen->recycled += n != 0;
}

/* Its free eas are the pool's again. */
static void
dissolve(struct world *w, size_t r)
{
	size_t i;

	for (i = r * BLOCK_SIZE; i < (r + 1) * BLOCK_SIZE; i++)
		if (w->s[i].where == FREE)
			w->s[i].where = w->s[i].again ? GONE : VIRGIN;
	w->r[r].state = NONE;
}

static void
end_open(struct world *w, size_t r, bool stored)
{
	size_t i;

	if (!stored) {
		dissolve(w, r);
		return;
	}
	for (i = r * BLOCK_SIZE; i < (r + 1) * BLOCK_SIZE; i++)
		w->s[i].again = false;
	w->r[r].state = OPEN;
}

static void
do_end_open(struct world *w)
{
	bool stored = roll_below(&w->dice, 4);
	size_t r = some_range(w, OPENING);
	struct addr first = ea_of(r * BLOCK_SIZE);

	if (r == N_RANGES)
		return;
	allot_block_opened(w->a, &first, stored);
	end_open(w, r, stored);
}

static void
do_close(struct world *w)
{
	struct addr first;
	bool found = allot_block_to_close(w->a, w->now, SIZE_MAX, &first);
	size_t i, r;

	for (i = 0; i < N_EAS; i++)
		if (w->s[i].where == ENDED && waited(w, w->s[i].at, REST))
			w->s[i].where = FREE;
	if (found) {
		r = number_of(&first) / BLOCK_SIZE;
		ck_assert(w->r[r].state == OPEN ||
			  (w->r[r].state == HELD && w->now >= w->r[r].until));
		w->r[r].was_held = w->r[r].state == HELD;
		w->r[r].state = CLOSING;
		for (i = r * BLOCK_SIZE; i < (r + 1) * BLOCK_SIZE; i++)
			ck_assert(w->s[i].where != TENTATIVE &&
				  w->s[i].where != PROMOTED &&
				  w->s[i].where != ENDED);
	}
	ck_assert_uint_eq(allot_tentative_left(w->a), free_in_open(w));
	w->seen->closed += found;
}

static void
do_end_close(struct world *w)
{
	bool stored = roll_below(&w->dice, 4);
	size_t r = some_range(w, CLOSING);
	struct addr first = ea_of(r * BLOCK_SIZE);

	if (r == N_RANGES)
		return;
	allot_block_closed(w->a, &first, stored);
	if (stored)
		dissolve(w, r);
	else
		w->r[r].state = w->r[r].was_held ? HELD : OPEN;
}

/* What was on its way to the disk is there, or not. */
static void
settle(struct world *w)
{
	size_t i, r;

	for (i = 0; i < N_EAS; i++) {
		if (w->s[i].busy)
			end_take(w, i, roll_below(&w->dice, 2), false);
		if (w->s[i].where == PROMOTED)
			w->s[i].where =
				roll_below(&w->dice, 2) ? TAKEN : TENTATIVE;
	}
	for (r = 0; r < N_RANGES; r++) {
		if (w->r[r].state == OPENING)
			end_open(w, r, roll_below(&w->dice, 2));
		if (w->r[r].state == CLOSING && roll_below(&w->dice, 2))
			dissolve(w, r);
	}
}

static void
load(struct world *w)
{
	size_t i = roll_size(w, N_EAS), n;
	struct addr ea, gw;
	int err;

	for (n = 0; n < N_EAS; n++, i = (i + 4099) % N_EAS) {
		ea = ea_of(i);
		gw = gw_of(w->s[i].gw);
		if (w->s[i].where == TAKEN) {
			ck_assert(allot_ea_load(w->a, &ea, &gw, w->s[i].cause));
		} else if (w->s[i].where == GONE) {
			err = allot_ea_load_gone(
				w->a, &ea, w->s[i].cause, w->s[i].at);
			ck_assert_int_eq(err, 0);
		}
	}
}

/* The block is held, but for the half of its tentative eas that gwd names. */
static void
hold(struct world *w, size_t r)
{
	struct addr first = ea_of(r * BLOCK_SIZE), ea, gw;
	struct slot *s;
	size_t i;

	w->r[r] = (struct range){.state = HELD, .until = w->now + 3 * HOUR};
	ck_assert_int_eq(allot_block_load(w->a, &first, w->r[r].until), 0);
	for (i = r * BLOCK_SIZE; i < (r + 1) * BLOCK_SIZE; i++) {
		s = &w->s[i];
		ea = ea_of(i);
		gw = gw_of(s->gw);
		if (s->where == TENTATIVE && roll_below(&w->dice, 2)) {
			ck_assert(allot_tentative_hold(w->a, &ea, &gw));
			ck_assert(!allot_tentative_hold(w->a, &ea, &gw));
			w->seen->held++;
		} else if (s->where == TAKEN || s->where == GONE) {
			ck_assert(!allot_tentative_hold(w->a, &ea, &gw));
		} else if (s->where != NOT_OURS) {
			*s = (struct slot){.where = FREE};
		}
	}
}

static void
do_restart(struct world *w)
{
	size_t r;

	settle(w);
	allot_free(w->a);
	w->a = allot_new(&w->cfg);
	ck_assert_ptr_nonnull(w->a);
	load(w);
	for (r = 0; r < N_RANGES; r++)
		if (w->r[r].state != NONE)
			hold(w, r);
	/* An undone one in a block's range is the block's now: that may be
	 * above the share. */
	w->n_peer = count_peer(w);
}

static void
check(struct world *w)
{
	size_t n[NOT_OURS + 1] = {0}, blocks[CLOSING + 1] = {0}, again = 0, i;
	uint64_t n_peer = count_peer(w);
	struct allot_stats st;

	for (i = 0; i < N_EAS; i++) {
		n[w->s[i].where]++;
		again += w->s[i].where == FREE && w->s[i].again;
	}
	for (i = 0; i < N_RANGES; i++)
		blocks[w->r[i].state == CLOSING && w->r[i].was_held
				? HELD
				: w->r[i].state]++;
	allot_stats(w->a, &st);
	ck_assert_uint_eq(st.pool, w->size);
	ck_assert_uint_eq(st.taken, n[TAKEN]);
	ck_assert_uint_eq(st.gone, n[GONE] + again);
	ck_assert_uint_eq(st.taken_peer, n_peer);
	ck_assert_uint_eq(st.tentative, n[TENTATIVE] + n[PROMOTED]);
	ck_assert_uint_le(st.tentative_gone, n[ENDED]);
	ck_assert_uint_eq(
		st.blocks, blocks[OPENING] + blocks[OPEN] + blocks[CLOSING]);
	ck_assert_uint_eq(st.blocks_held, blocks[HELD]);
	ck_assert(n_peer <= w->n_peer || n_peer <= w->share);
	w->n_peer = n_peer;
}

#define KIND_TENTATIVE 0
#define KIND_TAKE      10 /* the first of them */
#define N_KINDS	       18

static void
operate(struct world *w, size_t kind)
{
	static void (*const ops[KIND_TAKE])(struct world *) = {do_tentative,
		do_end, do_gone, do_promote, do_end_take, do_end_promote,
		do_open, do_end_open, do_close, do_end_close};

	if (kind < KIND_TAKE)
		ops[kind](w);
	else
		do_take(w, kind & 1 ? CAUSE_RESOLVER : CAUSE_PEER);
}

/* Phases of 500: some operations are frequent in one and some rare, and time
 * passes faster or more slowly. In some resolvers take all there is, in some
 * packets come in a flood. */
static uint64_t
new_phase(struct world *w, uint64_t weights[N_KINDS], uint64_t *sum)
{
	uint64_t mood = roll_below(&w->dice, 5);
	size_t kind;

	*sum = 0;
	for (kind = 0; kind < N_KINDS; kind++) {
		weights[kind] = UINT64_C(1) << roll_below(&w->dice, 9);
		if (mood == 0 && kind > KIND_TAKE && kind & 1)
			weights[kind] = 1000;
		if (mood == 1 && kind == KIND_TENTATIVE)
			weights[kind] = 4000;
		*sum += weights[kind];
	}
	return 1 + (roll(&w->dice) & 0x3ffff >> roll_below(&w->dice, 16));
}

static void
run(struct world *w, size_t n)
{
	uint64_t weights[N_KINDS], sum = 0, step = 1, k;
	size_t i, kind;

	for (i = 0; i < n; i++) {
		if (!(i % 500))
			step = new_phase(w, weights, &sum);
		if (!(i % 1000) && i)
			do_restart(w);
		w->now += roll_below(&w->dice, step);
		k = roll_below(&w->dice, sum);
		for (kind = 0; k >= weights[kind]; kind++)
			k -= weights[kind];
		operate(w, kind);
		check(w);
	}
}

START_TEST(test_model)
{
	static struct world w;
	struct seen seen = {0};
	uint64_t seed;
	size_t i;

	for (seed = 1; seed <= 3; seed++) {
		world_init(&w, seed * 104729, &seen);
		run(&w, 30000);
		allot_free(w.a);
	}
	/* It has been where it is of interest. */
	ck_assert_uint_gt(seen.recycled, 10);
	ck_assert_uint_gt(seen.closed, 10);
	ck_assert_uint_gt(seen.held, 10);
	for (i = ALLOT_OK + 1; i < ARRAY_LEN(seen.refused); i++)
		ck_assert_msg(i == ALLOT_RATE || seen.refused[i] > 10,
			"no refusal %zu", i);
}
END_TEST

RUN_TESTS("allot_model", test_model)
