/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the mapper, with each kind of answer. */
#include "tests/unit/gwd/feed_rig.h"

enum how {
	HOW_ACK,
	HOW_NACK,
	HOW_END
};

#define EA(n)                                                                  \
	{                                                                      \
		4,                                                             \
		{                                                              \
			10, 240, 1, n                                          \
		}                                                              \
	}
#define IP(n)                                                                  \
	{                                                                      \
		4,                                                             \
		{                                                              \
			192, 168, 84, n                                        \
		}                                                              \
	}
#define PEER                                                                   \
	{                                                                      \
		4,                                                             \
		{                                                              \
			198, 51, 100, 1                                        \
		}                                                              \
	}
#define NONE                                                                   \
	{                                                                      \
		0                                                              \
	}
#define REF(n)                                                                 \
	{                                                                      \
		.b[15] = n                                                     \
	}

static const struct row {
	const char *what;
	enum ask ask;
	struct addr addr;
	uint8_t cmd;
	enum how how;
	struct arec rec; /* of the answer */
	enum feed_answer answer;
} rows[] = {
	{"ea", ASK_EA, PEER, MSG_GET_EA, HOW_ACK, {EA(5), NONE, PEER, REF(5)},
		FEED_YES},
	{"ea, refused", ASK_EA, PEER, MSG_GET_EA, HOW_NACK, {.ref = REF(5)},
		FEED_NO},
	{"ea of another", ASK_EA, PEER, MSG_GET_EA, HOW_ACK,
		{EA(5), NONE, PEER, REF(6)}, FEED_NO},
	{"ea outside", ASK_EA, PEER, MSG_GET_EA, HOW_ACK,
		{IP(5), NONE, PEER, REF(5)}, FEED_NO},
	{"ea, the end", ASK_EA, PEER, MSG_GET_EA, HOW_END, {.ref = REF(5)},
		FEED_NONE},
	{"ref", ASK_REF, IP(5), MSG_GET_REF, HOW_ACK,
		{NONE, IP(5), NONE, REF(5)}, FEED_YES},
	{"ref of another", ASK_REF, IP(5), MSG_GET_REF, HOW_ACK,
		{NONE, IP(6), NONE, REF(5)}, FEED_NO},
	{"no ref", ASK_REF, IP(5), MSG_GET_REF, HOW_ACK,
		{NONE, IP(5), NONE, REF(0)}, FEED_NO},
	{"lookup", ASK_LOOKUP, EA(5), MSG_LOOKUP_EA, HOW_ACK,
		{EA(5), NONE, PEER, REF(5)}, FEED_YES},
	{"lookup, nobody", ASK_LOOKUP, EA(5), MSG_LOOKUP_EA, HOW_NACK,
		{.ref = REF(5)}, FEED_NO},
	{"lookup of another", ASK_LOOKUP, EA(5), MSG_LOOKUP_EA, HOW_ACK,
		{EA(6), NONE, PEER, REF(5)}, FEED_NO},
};

static void
answer_row(struct rig *r, const struct row *row)
{
	struct mapper_req req = mapper_expect(&r->mp, row->cmd);
	struct msg ack = {.mode = MSG_ACK,
		.cmd = row->cmd,
		.id = req.m.id,
		.mark = {1, 6},
		.n = 1,
		.arecs = &row->rec};

	ck_assert_uint_eq(req.m.n, 1);
	ck_assert_uint_eq(req.m.mark.owner, 0);
	if (row->how == HOW_ACK)
		mapper_send(&r->mp, &ack);
	else if (row->how == HOW_NACK)
		mapper_answer(&r->mp, &req, false);
	else
		mapper_hang_up(&r->mp);
}

START_TEST(test_questions)
{
	const struct addr five_ea = EA(5), five_ip = IP(5);
	const struct ref five = REF(5);
	struct rig r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct question q = question_of(row->ask, &row->addr, &five);
		bool yes = row->answer == FEED_YES;

		follow(&r, &fast);
		ck_assert_int_eq(feed_ask(r.feed, &q), 0);
		answer_row(&r, row);
		RUN_UNTIL(&r.mp, r.answers == 1);
		ck_assert_msg(r.answer == row->answer, "%s: %d", row->what,
			(int)r.answer);
		ck_assert(
			r.q.ask == row->ask && addr_eq(&r.q.addr, &row->addr));
		if (row->ask == ASK_REF)
			ck_assert(!maps_by_ip(r.maps, &five_ip) == !yes);
		else
			ck_assert(!maps_by_ea(r.maps, &five_ea) == !yes);
		ck_assert_uint_eq(r.changed, yes ? 3 : 2);
		rig_fini(&r);
	}
}
END_TEST

/* What an answer's mark says of the entry. */
START_TEST(test_marks)
{
	static const struct {
		struct msg_mark mark;
		uint64_t born;
		uint32_t flags;
	} marks[] = {
		{{1, 6}, 6, 0},
		{{2, 6}, 6, MSG_ENTRY_LISTED},
		{{3, 0}, 0, MSG_ENTRY_TENTATIVE},
		{{16, 7}, 7, MSG_ENTRY_LISTED},
	};
	const uint8_t cmds[] = {MSG_GET_EA, MSG_LOOKUP_EA};
	const struct addr five = EA(5);
	const struct msg_entry e = remote(5);
	const struct question qs[] = {
		question_of(ASK_EA, &peer, &e.arec.ref),
		question_of(ASK_LOOKUP, &five, NULL),
	};
	struct mapper_req req;
	struct msg ack = {.mode = MSG_ACK, .n = 1, .arecs = &e.arec};
	const struct map *map;
	struct rig r;
	size_t i;

	for (i = 0; i < 2 * ARRAY_LEN(marks); i++) {
		follow(&r, &fast);
		ck_assert_int_eq(feed_ask(r.feed, &qs[i % 2]), 0);
		req = mapper_expect(&r.mp, cmds[i % 2]);
		ack.cmd = req.m.cmd;
		ack.id = req.m.id;
		ack.mark = marks[i / 2].mark;
		mapper_send(&r.mp, &ack);
		RUN_UNTIL(&r.mp, r.answers == 1);
		map = maps_by_ea(r.maps, &five);
		ck_assert_ptr_nonnull(map);
		ck_assert_uint_eq(map->flags, marks[i / 2].flags);
		ck_assert_uint_eq(map->born, marks[i / 2].born);
		ck_assert_uint_eq(maps_count_tentative(r.maps),
			map->flags == MSG_ENTRY_TENTATIVE);
		rig_fini(&r);
	}
}
END_TEST

/* What the feed brought before the answer is not set again. */
START_TEST(test_answer_after_change)
{
	struct addr five = ea(5);
	struct question q = question_of(ASK_LOOKUP, &five, NULL);
	struct msg_entry e = remote(5);
	struct mapper_req req;
	struct msg ack = {.mode = MSG_ACK,
		.cmd = MSG_LOOKUP_EA,
		.mark = {16, 1},
		.n = 1,
		.arecs = &e.arec};
	struct rig r;

	follow(&r, &fast);
	ck_assert_int_eq(feed_ask(r.feed, &q), 0);
	req = mapper_expect(&r.mp, MSG_LOOKUP_EA);
	e.born = 6;
	send_entry(&r, MSG_FEED_SET, 6, &e);
	ack.id = req.m.id;
	mapper_send(&r.mp, &ack);
	RUN_UNTIL(&r.mp, r.answers == 1);
	ck_assert_int_eq(r.answer, FEED_YES);
	ck_assert_uint_eq(maps_by_ea(r.maps, &five)->born, 6);
	ck_assert_uint_eq(r.changed, 3);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("gwd questions", test_questions, test_marks, test_answer_after_change)
