/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tentative eas: the lines of allot.h one by one. */
#include "help.h"
#include "mapperd/allot.h"
#include "tests/unit/run.h"

#define HOUR  UINT64_C(3600000)
#define REST  UINT64_C(600000)
#define MANY  SIZE_MAX
#define NET   "10.200.224.0/19" /* all of it above the second-byte rule, */
#define SIZE  (32 * 256 - 3)	/* but for zeros, ones and our own */
#define SHARE ((uint64_t)SIZE * 75 / 100)

static struct dice dice;
static struct addr gw, other_gw, peer[BLOCK_SIZE];

static struct allot_config
config(const char *net)
{
	struct allot_config cfg = {
		.encode = prefix_of(net),
		.quarantine_ms = 24 * HOUR,
		.reuse_ms = 2 * HOUR,
		.peer_percent = 75,
		.tentative_quarantine_ms = REST,
		.peer_gw = 1 << 20,
		.peer_net = 1 << 20,
		.tentative_gw = 1 << 20,
		.tentative_net = 1 << 20,
		.resolver_gw = 1 << 20,
		.max = 1 << 20,
		.random = roll_bytes,
		.arg = &dice,
	};

	dice.state = 77;
	cfg.own_local = prefix_host(&cfg.encode, 1);
	gw = addr_of("192.0.2.7");
	other_gw = addr_of("192.0.2.8");
	return cfg;
}

static struct allot *new (const struct allot_config *cfg)
{
	struct allot *a = allot_new(cfg);

	ck_assert_ptr_nonnull(a);
	return a;
}

static struct allot_stats
stats(const struct allot *a)
{
	struct allot_stats st;

	allot_stats(a, &st);
	return st;
}

/* Opens one at this time; n_forget is how many gone eas it is to take in. */
static struct addr
open_block(struct allot *a, uint64_t now, size_t n_forget)
{
	struct addr first, forget[BLOCK_SIZE];
	size_t n;

	ck_assert_int_eq(
		allot_block_begin(a, now, &first, forget, &n), ALLOT_OK);
	ck_assert_uint_eq(n, n_forget);
	ck_assert_uint_eq(first.b[addr_len(first.ver) - 1], 0);
	allot_block_opened(a, &first, true);
	return first;
}

static enum allot_result
begin(struct allot *a, uint64_t now)
{
	struct addr first, forget[BLOCK_SIZE];
	size_t n;

	return allot_block_begin(a, now, &first, forget, &n);
}

/* All that a resolver can have now. */
static size_t
drain(struct allot *a, uint64_t now, struct allot_ea *out, size_t max)
{
	struct allot_ea one;
	size_t n = 0;

	while (n < max &&
		allot_ea(a, &gw, CAUSE_RESOLVER, now, &one) == ALLOT_OK) {
		if (out)
			out[n] = one;
		n++;
	}
	return n;
}

/* Nothing is drawn before a block is stored; one that can't be leaves no trace.
 */
START_TEST(test_open)
{
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	struct addr first, forget[BLOCK_SIZE], ea;
	uint64_t n_eas;
	size_t n;

	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea), ALLOT_BLOCK);
	ck_assert_int_eq(
		allot_block_begin(a, HOUR, &first, forget, &n), ALLOT_OK);
	ck_assert_uint_eq(n, 0);
	n_eas = stats(a).taken_peer;
	ck_assert_uint_ge(n_eas, 254);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea), ALLOT_BLOCK);
	ck_assert_uint_eq(allot_tentative_left(a), 0);
	allot_block_opened(a, &first, false);
	ck_assert_uint_eq(stats(a).taken_peer, 0);
	ck_assert_uint_eq(stats(a).blocks, 0);
	/* It says so twice, or of another one: nothing. */
	allot_block_opened(a, &first, true);
	ck_assert_uint_eq(drain(a, HOUR, NULL, MANY), SIZE);
	allot_free(a);

	a = new (&cfg);
	open_block(a, HOUR, 0);
	n_eas = allot_tentative_left(a);
	ck_assert_uint_eq(drain(a, HOUR, NULL, MANY), SIZE - n_eas);
	for (n = 0; n < n_eas; n++)
		ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea), ALLOT_OK);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea), ALLOT_BLOCK);
	ck_assert_uint_eq(stats(a).tentative, n_eas);
	ck_assert_uint_eq(stats(a).blocks, 1);
	allot_free(a);
}
END_TEST

/* Blocks as a whole are of the peers' part; the rest is for resolvers. */
START_TEST(test_share)
{
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	enum allot_result res;
	struct addr first, forget[BLOCK_SIZE];
	uint64_t n_peer;
	size_t n;

	while ((res = allot_block_begin(a, HOUR, &first, forget, &n)) ==
		ALLOT_OK)
		allot_block_opened(a, &first, true);
	ck_assert_int_eq(res, ALLOT_SHARE);
	n_peer = stats(a).taken_peer;
	ck_assert_uint_le(n_peer, SHARE);
	ck_assert_uint_gt(n_peer + BLOCK_SIZE, SHARE);
	ck_assert_uint_eq(drain(a, HOUR, NULL, MANY), SIZE - n_peer);
	allot_free(a);
}
END_TEST

START_TEST(test_quotas)
{
	struct allot_config cfg = config(NET);
	struct allot *a;
	struct addr ea[3], more, third = addr_of("192.0.2.9");

	cfg.tentative_gw = 2;
	cfg.tentative_net = 3;
	cfg.peer_gw = 1;
	cfg.resolver_gw = 1;
	a = new (&cfg);
	open_block(a, HOUR, 0);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea[0]), ALLOT_OK);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea[1]), ALLOT_OK);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &more), ALLOT_QUOTA);
	ck_assert_int_eq(allot_tentative(a, &other_gw, HOUR, &ea[2]), ALLOT_OK);
	ck_assert_int_eq(allot_tentative(a, &third, HOUR, &more), ALLOT_QUOTA);
	/* Ended twice is ended once; what is none can't end. */
	allot_tentative_end(a, &ea[0], &gw, HOUR);
	allot_tentative_end(a, &ea[0], &gw, HOUR);
	allot_tentative_end(a, &cfg.own_local, &gw, HOUR);
	ck_assert_int_eq(allot_tentative(a, &third, HOUR, &ea[0]), ALLOT_OK);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &more), ALLOT_QUOTA);
	/* A promotion has a quota of its own, and makes room when stored. */
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_PEER), ALLOT_OK);
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_PEER), ALLOT_QUOTA);
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_RESOLVER), ALLOT_OK);
	ck_assert_int_eq(
		allot_promote_begin(a, &gw, CAUSE_RESOLVER), ALLOT_QUOTA);
	allot_promote_end(a, &ea[1], &gw, CAUSE_RESOLVER, false);
	ck_assert_int_eq(
		allot_tentative(a, &other_gw, HOUR, &more), ALLOT_QUOTA);
	allot_promote_end(a, &ea[1], &gw, CAUSE_PEER, true);
	ck_assert_int_eq(allot_tentative(a, &other_gw, HOUR, &more), ALLOT_OK);
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_RESOLVER), ALLOT_OK);
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_PEER), ALLOT_QUOTA);
	allot_free(a);
}
END_TEST

/* A promoted ea has left its block: it is gone for the long time when it ends.
 * One that a resolver asked for is of the peers' part no more. */
START_TEST(test_promote)
{
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	struct addr first = open_block(a, HOUR, 0), peers, resolvers;
	uint64_t n = allot_tentative_left(a), i;
	struct addr ea;

	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &peers), ALLOT_OK);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &resolvers), ALLOT_OK);
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_PEER), ALLOT_OK);
	allot_promote_end(a, &peers, &gw, CAUSE_PEER, true);
	ck_assert_uint_eq(stats(a).taken_peer, n);
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_RESOLVER), ALLOT_OK);
	allot_promote_end(a, &resolvers, &gw, CAUSE_RESOLVER, true);
	ck_assert_uint_eq(stats(a).taken_peer, n - 1);
	ck_assert_uint_eq(stats(a).taken, 2);
	ck_assert_uint_eq(stats(a).tentative, 0);
	ck_assert(!allot_tentative_hold(a, &peers, &gw));
	ck_assert_int_eq(
		allot_ea_gone(a, &peers, &gw, CAUSE_PEER, 2 * HOUR), 0);
	ck_assert_int_eq(
		allot_ea_gone(a, &resolvers, &gw, CAUSE_RESOLVER, 2 * HOUR), 0);
	ck_assert_uint_eq(stats(a).gone, 2);
	ck_assert_uint_eq(stats(a).taken_peer, n - 1);
	for (i = 0; i < n - 2; i++) {
		ck_assert_int_eq(
			allot_tentative(a, &gw, 3 * HOUR, &ea), ALLOT_OK);
		ck_assert(!addr_eq(&ea, &peers) && !addr_eq(&ea, &resolvers));
		ck_assert(!memcmp(ea.b, first.b, 3));
	}
	ck_assert_int_eq(allot_tentative(a, &gw, 3 * HOUR, &ea), ALLOT_BLOCK);
	allot_free(a);
}
END_TEST

/* An ea that has ended rests; then it is drawn again, or goes back to the pool
 * with its block. */
START_TEST(test_end_close)
{
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	struct addr first, ea;
	uint64_t n, i;

	open_block(a, HOUR, 0);
	n = allot_tentative_left(a);
	for (i = 0; i < n; i++) {
		ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea), ALLOT_OK);
		peer[i] = ea;
	}
	for (i = 0; i < n; i++)
		allot_tentative_end(a, &peer[i], &gw, HOUR);
	ck_assert_uint_eq(stats(a).tentative_gone, n);
	ck_assert_int_eq(
		allot_tentative(a, &gw, HOUR + REST - 1, &ea), ALLOT_BLOCK);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR + REST, &ea), ALLOT_OK);
	allot_tentative_end(a, &ea, &gw, HOUR + REST);
	open_block(a, HOUR, 0);
	open_block(a, HOUR, 0);
	ck_assert(!allot_block_to_close(a, HOUR + 2 * REST - 1, MANY, &first));
	open_block(a, HOUR, 0);
	ck_assert(allot_block_to_close(a, HOUR + 2 * REST, MANY, &first));
	ck_assert_uint_eq(stats(a).tentative_gone, 0);
	n = stats(a).taken_peer;
	ck_assert_uint_eq(stats(a).blocks, 4);
	allot_block_closed(a, &first, false);
	ck_assert_uint_eq(stats(a).taken_peer, n);
	ck_assert(allot_block_to_close(a, HOUR + 2 * REST, MANY, &first));
	allot_block_closed(a, &first, true);
	ck_assert_uint_eq(stats(a).blocks, 3);
	ck_assert_uint_eq(
		drain(a, HOUR, NULL, MANY), SIZE - stats(a).taken_peer);
	allot_free(a);
}
END_TEST

/* After a restart all of the block is held, but for what is taken or gone, and
 * what gwd has is taken out of it. */
START_TEST(test_load)
{
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	struct addr first = addr_of("10.200.230.0"), ea = first, out;
	struct addr taken = addr_of("10.200.230.9");
	struct addr gone = addr_of("10.200.230.8");
	struct addr free_one = addr_of("10.200.229.8");

	ck_assert(allot_ea_load(a, &taken, &gw, CAUSE_RESOLVER));
	ck_assert_int_eq(allot_ea_load_gone(a, &gone, CAUSE_PEER, HOUR), 0);
	ck_assert_int_eq(allot_block_load(a, &first, 5 * HOUR), 0);
	ck_assert_int_eq(allot_block_load(a, &first, 5 * HOUR), 0);
	ck_assert_uint_eq(stats(a).blocks_held, 1);
	ck_assert_uint_eq(stats(a).taken_peer, 255);
	ck_assert_uint_eq(allot_tentative_left(a), 0);
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &out), ALLOT_BLOCK);
	ea.b[3] = 77;
	ck_assert(allot_tentative_hold(a, &ea, &gw));
	ck_assert(!allot_tentative_hold(a, &ea, &gw));
	ck_assert(!allot_tentative_hold(a, &taken, &gw));
	ck_assert(!allot_tentative_hold(a, &gone, &gw));
	ck_assert(!allot_tentative_hold(a, &free_one, &gw));
	ck_assert_uint_eq(stats(a).tentative, 1);
	/* Until its time is over and that one has ended and rested. */
	ck_assert_uint_eq(drain(a, HOUR, NULL, MANY), SIZE - 256);
	ck_assert(!allot_block_to_close(a, 5 * HOUR, MANY, &out));
	allot_tentative_end(a, &ea, &gw, 5 * HOUR);
	ck_assert(!allot_block_to_close(a, 5 * HOUR, MANY, &out));
	ck_assert(allot_block_to_close(a, 5 * HOUR + REST, MANY, &out));
	ck_assert(addr_eq(&out, &first));
	ea.b[3] = 78;
	ck_assert(!allot_tentative_hold(a, &ea, &gw));
	allot_block_closed(a, &first, true);
	ck_assert_uint_eq(stats(a).taken_peer, 1);
	ck_assert_uint_eq(stats(a).blocks_held, 0);
	/* The gone one is the 255th: it has waited for more than two hours. */
	ck_assert_uint_eq(drain(a, 6 * HOUR, NULL, MANY), 254 + 1);
	allot_free(a);
}
END_TEST

/* Held ones count whatever the quota says; then it is full. */
START_TEST(test_hold_quota)
{
	struct allot_config cfg = config(NET);
	struct addr first = addr_of("10.200.230.0"), ea = first;
	struct allot *a;

	cfg.tentative_gw = 1;
	a = new (&cfg);
	ck_assert_int_eq(allot_block_load(a, &first, 5 * HOUR), 0);
	open_block(a, HOUR, 0);
	for (ea.b[3] = 1; ea.b[3] < 4; ea.b[3]++)
		ck_assert(allot_tentative_hold(a, &ea, &gw));
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea), ALLOT_QUOTA);
	ck_assert_int_eq(allot_tentative(a, &other_gw, HOUR, &ea), ALLOT_OK);
	/* Of an open block too, which a fast gwd may name. */
	allot_tentative_end(a, &ea, &other_gw, HOUR);
	ck_assert(!allot_tentative_hold(a, &ea, &gw));
	ea.b[3] = (uint8_t)(ea.b[3] ^ 2);
	ck_assert(allot_tentative_hold(a, &ea, &gw));
	allot_free(a);
}
END_TEST

/* Blocks of other settings, or of nonsense: there to be closed. */
START_TEST(test_load_outside)
{
	static const char *const rows[] = {
		"10.201.230.0", "10.200.230.5", "fd00:240::1:0"};
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	struct addr first, out, held = addr_of("10.200.231.0");
	size_t i;

	ck_assert_int_eq(allot_block_load(a, &held, 5 * HOUR), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		first = addr_of(rows[i]);
		ck_assert_int_eq(allot_block_load(a, &first, 5 * HOUR), 0);
		ck_assert_uint_eq(stats(a).taken_peer, 256);
		ck_assert(!allot_tentative_hold(a, &first, &gw));
		ck_assert(allot_block_to_close(a, HOUR, MANY, &out));
		ck_assert(addr_eq(&out, &first));
		allot_block_closed(a, &first, true);
		ck_assert(!allot_block_to_close(a, HOUR, MANY, &out));
	}
	allot_free(a);
}
END_TEST

/* The pool has no virgin ea: a block is made of gone ones, those around the one
 * gone longest. */
START_TEST(test_gone)
{
	static struct allot_ea ea[SIZE];
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	struct addr first, forget[BLOCK_SIZE], out;
	uint64_t n_left;
	size_t n, i;

	ck_assert_uint_eq(drain(a, HOUR, ea, SIZE), SIZE);
	ck_assert_int_eq(begin(a, HOUR), ALLOT_SPENT);
	for (i = 0; i < SIZE; i++)
		ck_assert_int_eq(
			allot_ea_gone(a, &ea[i].ea, &gw, CAUSE_RESOLVER,
				2 * HOUR + (addr_eq(&ea[i].ea, &ea[0].ea) ? 0
									  : 1)),
			0);
	/* Nothing else is left: the oldest after reuse_ms, with those that have
	 * waited as long. */
	ck_assert_int_eq(begin(a, 4 * HOUR - 1), ALLOT_SPENT);
	ck_assert_int_eq(
		allot_block_begin(a, 4 * HOUR, &first, forget, &n), ALLOT_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert(addr_eq(&forget[0], &ea[0].ea));
	/* Meanwhile it is nobody's. */
	ck_assert_uint_eq(drain(a, 4 * HOUR, NULL, MANY), 0);
	allot_block_opened(a, &first, false);
	ck_assert_uint_eq(stats(a).gone, SIZE);
	ck_assert_uint_eq(stats(a).taken_peer, 0);
	/* Its quarantine is over, that of the others is not. */
	ck_assert_int_eq(
		allot_block_begin(a, 26 * HOUR, &first, forget, &n), ALLOT_OK);
	ck_assert_uint_eq(n, 1);
	allot_block_opened(a, &first, false);
	ck_assert_int_eq(
		allot_block_begin(a, 4 * HOUR, &first, forget, &n), ALLOT_OK);
	allot_block_opened(a, &first, true);
	ck_assert_uint_eq(stats(a).gone, SIZE - 1);
	ck_assert_uint_eq(allot_tentative_left(a), 1);
	ck_assert_int_eq(allot_tentative(a, &gw, 4 * HOUR, &out), ALLOT_OK);
	ck_assert(addr_eq(&out, &ea[0].ea));
	/* Later all of a range. Its block is in the way of no other. */
	ck_assert_int_eq(
		allot_block_begin(a, 27 * HOUR, &first, forget, &n), ALLOT_OK);
	ck_assert_uint_ge(n, 254);
	ck_assert(memcmp(first.b, ea[0].ea.b, 3));
	allot_block_opened(a, &first, true);
	for (n_left = allot_tentative_left(a); n_left; n_left--) {
		ck_assert_int_eq(
			allot_tentative(a, &gw, 27 * HOUR, &out), ALLOT_OK);
		ck_assert(!memcmp(first.b, out.b, 3));
	}
	ck_assert_uint_eq(stats(a).taken_peer, 1 + n);
	allot_free(a);
}
END_TEST

/* Peers that have used up their part have what was theirs again when it has
 * rested, and nothing of what others left. */
START_TEST(test_share_again)
{
	struct allot_config cfg = config(NET);
	struct allot *a;
	struct allot_ea ea[82], more;
	struct addr first, forget[BLOCK_SIZE];
	size_t n, i;

	cfg.peer_percent = 1;
	a = new (&cfg);
	for (n = 0; allot_ea(a, &gw, CAUSE_PEER, HOUR, &ea[n]) == ALLOT_OK;)
		n++;
	ck_assert_uint_eq(n, SIZE / 100);
	for (i = 0; i < n; i++)
		ck_assert_int_eq(
			allot_ea_gone(a, &ea[i].ea, &gw, CAUSE_PEER, 2 * HOUR),
			0);
	ck_assert_int_eq(allot_ea(a, &gw, CAUSE_PEER, 26 * HOUR - 1, &more),
		ALLOT_SHARE);
	ck_assert_int_eq(begin(a, 26 * HOUR - 1), ALLOT_SHARE);
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_PEER, 26 * HOUR, &more), ALLOT_OK);
	ck_assert(more.again);
	ck_assert_int_eq(
		allot_block_begin(a, 26 * HOUR, &first, forget, &i), ALLOT_OK);
	ck_assert_uint_ge(i, 1);
	ck_assert_uint_eq(stats(a).taken_peer, n);
	allot_block_opened(a, &first, true);
	ck_assert_uint_eq(stats(a).taken_peer, n);
	ck_assert_uint_eq(allot_tentative_left(a), i);
	ck_assert_uint_eq(drain(a, 3 * HOUR, NULL, MANY), SIZE - n);
	allot_free(a);
}
END_TEST

/* A damaged file was set aside, or a backup restored: anything may be in use
 * somewhere, also what was gone when the backup was made. */
START_TEST(test_suspect)
{
	struct allot_config cfg = config(NET);
	struct allot *a = new (&cfg);
	struct addr gone = addr_of("10.200.230.9");
	struct addr later = addr_of("10.200.230.8");
	struct allot_ea out;

	ck_assert_int_eq(allot_ea_load_gone(a, &gone, CAUSE_PEER, HOUR), 0);
	ck_assert_int_eq(
		allot_ea_load_gone(a, &later, CAUSE_PEER, 2 * HOUR + 1), 0);
	allot_suspect(a, 2 * HOUR);
	ck_assert_int_eq(begin(a, 3 * HOUR - 1), ALLOT_SPENT);
	ck_assert_uint_eq(drain(a, 3 * HOUR - 1, NULL, MANY), 0);
	ck_assert_int_eq(allot_ea(a, &gw, CAUSE_RESOLVER, 4 * HOUR - 1, &out),
		ALLOT_SPENT);
	ck_assert_int_eq(begin(a, 4 * HOUR - 1), ALLOT_SPENT);
	/* The one gone longest; then, as nothing else is left, the others. */
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_RESOLVER, 4 * HOUR, &out), ALLOT_OK);
	ck_assert(addr_eq(&out.ea, &gone));
	ck_assert_int_eq(begin(a, 4 * HOUR), ALLOT_OK);
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_RESOLVER, 4 * HOUR, &out), ALLOT_OK);
	ck_assert(!out.again);
	allot_ea_undo(a, &out);
	/* The time is over: a virgin one before any that is gone. */
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_RESOLVER, 28 * HOUR, &out), ALLOT_OK);
	ck_assert(!out.again);
	allot_free(a);
}
END_TEST

/* Without a bitmap: a block has what is neither taken nor gone; dynamic
 * mappings keep away from it. */
START_TEST(test_large)
{
	struct allot_config cfg = config("fd00:240::/64");
	struct addr first = addr_of("fd00:240::5678:1200");
	struct addr taken = addr_of("fd00:240::5678:1201");
	struct addr gone = addr_of("fd00:240::5678:1202"), ea, at;
	struct allot *a;
	struct allot_ea out;
	int i;

	cfg.max = 2 * BLOCK_SIZE;
	a = new (&cfg);
	ck_assert(allot_ea_load(a, &taken, &gw, CAUSE_RESOLVER));
	ck_assert_int_eq(allot_ea_load_gone(a, &gone, CAUSE_RESOLVER, HOUR), 0);
	ck_assert_int_eq(allot_block_load(a, &first, 2 * HOUR), 0);
	ck_assert_uint_eq(stats(a).taken_peer, 254);
	ck_assert(!allot_tentative_hold(a, &taken, &gw));
	ck_assert(!allot_tentative_hold(a, &gone, &gw));
	at = open_block(a, HOUR, 0);
	ck_assert_uint_ge(addr_second_byte(&at), SECOND_BYTE_OURS);
	ck_assert_uint_eq(allot_tentative_left(a), 256);
	ck_assert_int_eq(begin(a, HOUR), ALLOT_SPENT); /* what we remember */
	ck_assert_int_eq(allot_tentative(a, &gw, HOUR, &ea), ALLOT_OK);
	ck_assert(!memcmp(ea.b, at.b, 15));
	ck_assert_int_eq(allot_promote_begin(a, &gw, CAUSE_PEER), ALLOT_OK);
	allot_promote_end(a, &ea, &gw, CAUSE_PEER, true);
	ck_assert_uint_eq(stats(a).taken, 2);
	ck_assert_int_eq(allot_ea_gone(a, &ea, &gw, CAUSE_PEER, HOUR), 0);
	/* The generator says the block again: refused. */
	for (i = 0; i < 2; i++) {
		dice.state = 77;
		ck_assert_int_eq(
			allot_ea(a, &gw, CAUSE_RESOLVER, HOUR, &out), ALLOT_OK);
		ck_assert(memcmp(out.ea.b, at.b, 15));
	}
	ck_assert(allot_block_to_close(a, 2 * HOUR, MANY, &at));
	ck_assert(addr_eq(&at, &first));
	allot_block_closed(a, &at, true);
	ck_assert_uint_eq(stats(a).taken_peer, 256);
	allot_free(a);
}
END_TEST

RUN_TESTS("allot_tentative", test_open, test_share, test_quotas, test_promote,
	test_end_close, test_load, test_hold_quota, test_load_outside,
	test_gone, test_share_again, test_suspect, test_large)
