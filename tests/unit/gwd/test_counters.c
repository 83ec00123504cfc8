/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is counted of drops: how many, how many lately, and whose was last. */
#include "gwd/counters.h"
#include "tests/unit/run.h"

#define MINUTE 60000

static void
drop_at(struct counters *c, uint64_t now, unsigned n)
{
	static const uint8_t pkt[] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0,
		192, 168, 1, 2, 10, 240, 1, 7};
	const struct packet_in in = {.p = pkt, .len = sizeof(pkt)};

	while (n--)
		counters_drop(c, DROP_TOO_BIG, WAY_OUT, &in, now);
}

START_TEST(test_last_minute)
{
	static const struct {
		uint64_t at;
		unsigned drops;
		uint64_t lately;
	} steps[] = {
		{10 * MINUTE, 60, 60},
		{10 * MINUTE + 59999, 0, 60},
		{11 * MINUTE, 0, 60},	      /* all of the minute before */
		{11 * MINUTE + 30000, 0, 30}, /* half of it */
		{11 * MINUTE + 30000, 6, 36},
		{11 * MINUTE + 59000, 0, 7},
		{12 * MINUTE, 0, 6},
		{13 * MINUTE, 0, 0},
		{500 * MINUTE, 1, 1},
	};
	struct counters c = {0};
	size_t i;

	ck_assert_uint_eq(counters_last_minute(&c, DROP_TOO_BIG, MINUTE), 0);
	for (i = 0; i < ARRAY_LEN(steps); i++) {
		drop_at(&c, steps[i].at, steps[i].drops);
		ck_assert_msg(counters_last_minute(&c, DROP_TOO_BIG,
				      steps[i].at) == steps[i].lately,
			"step %zu", i);
	}
	ck_assert_uint_eq(c.drops[DROP_TOO_BIG], 67);
	ck_assert_uint_eq(counters_last_minute(&c, DROP_NO_ROOM, MINUTE), 0);
}
END_TEST

START_TEST(test_offender)
{
	const struct addr src = {4, {192, 168, 1, 2}},
			  dst = {4, {10, 240, 1, 7}};
	const struct addr peer = {4, {198, 51, 100, 7}};
	const struct packet_in datagram = {
		.p = (const uint8_t *)"\x10", .len = 1, .from = peer};
	const struct offender *o;
	struct counters c = {0};

	drop_at(&c, 5000, 1);
	o = &c.last[DROP_TOO_BIG];
	ck_assert_uint_eq(o->at_ms, 5000);
	ck_assert_uint_eq(o->len, 20);
	ck_assert_int_eq(o->way, WAY_OUT);
	ck_assert(addr_eq(&o->src, &src) && addr_eq(&o->dst, &dst));
	counters_drop(&c, DROP_TUNNEL_SHORT, WAY_IN, &datagram, 6000);
	o = &c.last[DROP_TUNNEL_SHORT];
	ck_assert_int_eq(o->way, WAY_IN);
	ck_assert(addr_eq(&o->src, &peer) && o->dst.ver == 0);
}
END_TEST

/* Many at once, of which nobody knows more. */
START_TEST(test_many)
{
	const struct offender *o;
	struct counters c = {0};

	drop_at(&c, 10 * MINUTE, 3);
	counters_add(&c, DROP_TOO_BIG, WAY_IN, 0, 10 * MINUTE + 1);
	o = &c.last[DROP_TOO_BIG];
	ck_assert_uint_eq(o->at_ms, 10 * MINUTE);
	ck_assert_uint_eq(o->src.ver, 4);
	counters_add(&c, DROP_TOO_BIG, WAY_IN, 500, 10 * MINUTE + 2);
	ck_assert_uint_eq(c.drops[DROP_TOO_BIG], 503);
	ck_assert_uint_eq(
		counters_last_minute(&c, DROP_TOO_BIG, 10 * MINUTE + 2), 503);
	ck_assert_uint_eq(o->at_ms, 10 * MINUTE + 2);
	ck_assert_int_eq(o->way, WAY_IN);
	ck_assert(!o->src.ver && !o->dst.ver && !o->len);
}
END_TEST

RUN_TESTS("counters", test_last_minute, test_offender, test_many)
