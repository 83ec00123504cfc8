/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed against a scripted mapper: copies, changes, gaps, restarts,
 * refusals, silence, reports of use, questions. */
#include "gwd/feed.h"

#include <errno.h>

#include "gwd/maps.h"
#include "tests/unit/gwd/mapper.h"

#define STORE  UINT64_C(0x1122334455667788)
#define STORE2 UINT64_C(0x99aabbccddeeff00)

static const struct feed_times fast = {
	.tick = 10,
	.used = 100000,
	.silence = 100000,
	.refused = 30,
	.start = 2000,
	.keep = 100000,
};

struct rig {
	struct mapper mp;
	struct maps *maps;
	struct feed *feed;
	unsigned changed, ready, answers;
	struct question q; /* of the last answer */
	enum feed_answer answer;
};

static const struct addr pub = {4, {192, 0, 2, 1}};
static const struct addr peer = {4, {198, 51, 100, 1}};

static void
on_changed(const struct msg_entry *e, void *arg)
{
	struct rig *r = arg;

	(void)e;
	r->changed++;
}

static void
on_answered(const struct question *q, enum feed_answer answer, void *arg)
{
	struct rig *r = arg;

	r->answers++;
	r->q = *q;
	r->answer = answer;
}

static void
on_ready(void *arg)
{
	struct rig *r = arg;

	r->ready++;
}

static void
rig_init(struct rig *r, const struct feed_times *times)
{
	struct feed_config cfg = {
		.path = r->mp.path,
		.fmt = {4, 4, MSG_DIALECT_1},
		.profile = {{{4, {10, 240}}, 12}, pub, ref_from_u64(1)},
		.times = *times,
		.changed = on_changed,
		.answered = on_answered,
		.ready = on_ready,
		.arg = r,
	};

	*r = (struct rig){0};
	mapper_init(&r->mp);
	r->maps = maps_new(&pub, 1000);
	cfg.maps = r->maps;
	r->feed = feed_new(r->mp.base, &cfg);
	ck_assert_ptr_nonnull(r->feed);
}

static void
rig_fini(struct rig *r)
{
	feed_free(r->feed);
	maps_free(r->maps);
	mapper_fini(&r->mp);
}

static enum feed_state
state(const struct rig *r)
{
	return feed_stats(r->feed)->state;
}

static struct addr
ea(uint8_t n)
{
	return (struct addr){4, {10, 240, 1, n}};
}

static struct addr
ip(uint8_t n)
{
	return (struct addr){4, {192, 168, 84, n}};
}

static struct msg_entry
remote(uint8_t n)
{
	return (struct msg_entry){.born = n,
		.arec = {.ea = ea(n), .gw = peer, .ref = ref_from_u64(n)}};
}

static void
send_entry(struct rig *r, uint8_t cmd, uint64_t rev, const struct msg_entry *e)
{
	const struct msg m = {.mode = MSG_DATA,
		.cmd = cmd,
		.revision = rev,
		.n = 1,
		.entries = e};

	mapper_send(&r->mp, &m);
}

static void
send_set(struct rig *r, uint64_t rev, uint8_t n)
{
	struct msg_entry e = remote(n);

	send_entry(r, MSG_FEED_SET, rev, &e);
}

static void
send_at(struct rig *r, uint64_t store, uint64_t rev)
{
	const struct msg m = {.mode = MSG_DATA,
		.cmd = MSG_FEED_AT,
		.store = store,
		.revision = rev};

	mapper_send(&r->mp, &m);
}

/* The feed begins, holding this; the mapper answers so. */
static void
started(struct rig *r, uint64_t has_store, uint64_t has_rev, uint64_t store,
	uint64_t rev, uint32_t kind)
{
	struct mapper_req q = mapper_expect(&r->mp, MSG_FEED_START);
	struct msg ack = {.mode = MSG_ACK,
		.cmd = MSG_FEED_START,
		.id = q.m.id,
		.store = store,
		.revision = rev,
		.count = kind};

	ck_assert_uint_eq(q.m.store, has_store);
	ck_assert_uint_eq(q.m.revision, has_rev);
	ck_assert(addr_eq(&q.m.profile.pub, &pub));
	ck_assert_uint_eq(q.m.profile.encode_net.len, 12);
	mapper_send(&r->mp, &ack);
}

static void
expect_report(struct rig *r, size_t n)
{
	struct mapper_req q = mapper_expect(&r->mp, MSG_FEED_USED);

	ck_assert_uint_eq(q.m.n, n);
	mapper_answer(&r->mp, &q, true);
}

static bool
holds(const struct rig *r, uint8_t n)
{
	struct addr a = ea(n);

	return maps_by_ea(r->maps, &a);
}

/* A mapper that is there, and a feed that follows it: store STORE, revision 5,
 * the remote entries 1 and 2. */
static void
follow(struct rig *r, const struct feed_times *times)
{
	rig_init(r, times);
	mapper_listen(&r->mp);
	started(r, 0, 0, STORE, 5, 0);
	send_set(r, 5, 1);
	send_set(r, 5, 2);
	RUN_UNTIL(&r->mp, holds(r, 2));
	ck_assert_int_eq(state(r), FEED_COPYING);
	ck_assert_uint_eq(r->ready, 1);
	send_at(r, STORE, 5);
	/* The mapper hears at once that the packet path is there. */
	expect_report(r, 0);
	ck_assert_int_eq(state(r), FEED_FOLLOWING);
	ck_assert_uint_eq(feed_stats(r->feed)->store, STORE);
	ck_assert_uint_eq(feed_stats(r->feed)->revision, 5);
}

START_TEST(test_copy_and_changes)
{
	struct rig r;
	struct msg_entry e = remote(1);

	follow(&r, &fast);
	ck_assert(holds(&r, 1));
	send_set(&r, 6, 3);
	send_set(&r, 6, 4); /* one change in two packets */
	send_entry(&r, MSG_FEED_DEL, 7, &e);
	send_at(&r, STORE, 7);
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->revision == 7);
	ck_assert(!holds(&r, 1));
	ck_assert(holds(&r, 2) && holds(&r, 3) && holds(&r, 4));
	ck_assert_uint_eq(r.changed, 4);
	ck_assert_uint_eq(feed_stats(r.feed)->sets, 4);
	ck_assert_uint_eq(feed_stats(r.feed)->dels, 1);
	ck_assert_uint_eq(feed_stats(r.feed)->gaps, 0);
	rig_fini(&r);
}
END_TEST

/* No start order: the mapper comes late, goes, and comes back. */
START_TEST(test_restart)
{
	struct rig r;

	rig_init(&r, &fast);
	RUN_UNTIL(&r.mp, feed_mclient_stats(r.feed)->since_ms);
	ck_assert_int_eq(state(&r), FEED_AWAY);
	mapper_listen(&r.mp);
	started(&r, 0, 0, STORE, 5, 0);
	send_set(&r, 5, 1);
	send_at(&r, STORE, 5);
	expect_report(&r, 0);

	mapper_end(&r.mp);
	RUN_UNTIL(&r.mp, state(&r) == FEED_AWAY);
	ck_assert(holds(&r, 1));
	mapper_listen(&r.mp);
	started(&r, STORE, 5, STORE, 7, 1);
	send_set(&r, 6, 2);
	RUN_UNTIL(&r.mp, holds(&r, 2));
	ck_assert_int_eq(state(&r), FEED_CATCHING_UP);
	send_set(&r, 7, 3);
	send_at(&r, STORE, 7);
	expect_report(&r, 0);
	ck_assert(holds(&r, 1) && holds(&r, 3));
	ck_assert_uint_eq(feed_stats(r.feed)->catch_ups, 1);
	rig_fini(&r);
}
END_TEST

/* A change of which a packet may be missing is not held. */
START_TEST(test_cut_change)
{
	struct rig r;

	follow(&r, &fast);
	send_set(&r, 6, 3);
	send_set(&r, 7, 4);
	RUN_UNTIL(&r.mp, holds(&r, 4));
	mapper_hang_up(&r.mp);
	started(&r, STORE, 6, STORE, 7, 1);
	rig_fini(&r);
}
END_TEST

/* A copy that was cut short is begun anew, and forgets nothing meanwhile. */
START_TEST(test_cut_copy)
{
	struct rig r;

	follow(&r, &fast);
	mapper_hang_up(&r.mp);
	started(&r, STORE, 5, STORE, 9, 0);
	send_set(&r, 9, 7);
	RUN_UNTIL(&r.mp, holds(&r, 7));
	mapper_hang_up(&r.mp);
	started(&r, 0, 0, STORE, 9, 0);
	ck_assert(holds(&r, 1) && holds(&r, 2) && holds(&r, 7));
	send_set(&r, 9, 2);
	send_set(&r, 10, 8); /* a change during the copy */
	send_at(&r, STORE, 10);
	expect_report(&r, 0);
	ck_assert(holds(&r, 2) && holds(&r, 8));
	ck_assert(!holds(&r, 1) && !holds(&r, 7));
	rig_fini(&r);
}
END_TEST

/* Each of these packets shows that a change is missing or that the store is
 * another one: a full copy is asked for, the old one serves until it is whole.
 */
START_TEST(test_gaps)
{
	static const struct {
		const char *what;
		bool at;
		uint64_t store, rev;
	} rows[] = {
		{"a change too many", false, 0, 7},
		{"a change back", false, 0, 4},
		{"at a later revision", true, STORE, 6},
		{"at an earlier revision", true, STORE, 4},
		{"another store", true, STORE2, 5},
	};
	struct rig r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		follow(&r, &fast);
		if (rows[i].at)
			send_at(&r, rows[i].store, rows[i].rev);
		else
			send_set(&r, rows[i].rev, 9);
		RUN_UNTIL(&r.mp, feed_stats(r.feed)->gaps == 1);
		ck_assert_msg(!holds(&r, 9), "%s", rows[i].what);
		ck_assert(!feed_can_ask(r.feed));
		started(&r, 0, 0, STORE2, 3, 0);
		send_set(&r, 3, 2);
		RUN_UNTIL(&r.mp, state(&r) == FEED_COPYING);
		ck_assert(holds(&r, 1) && holds(&r, 2));
		send_at(&r, STORE2, 3);
		expect_report(&r, 0);
		ck_assert(!holds(&r, 1) && holds(&r, 2));
		ck_assert_uint_eq(feed_stats(r.feed)->store, STORE2);
		rig_fini(&r);
	}
}
END_TEST

/* Answers to FEED_START that can't be. */
START_TEST(test_bad_starts)
{
	static const struct {
		uint64_t store, rev;
		uint32_t kind;
	} rows[] = {{STORE2, 5, 1}, {STORE, 4, 1}, {STORE, 5, 2}};
	struct rig r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		follow(&r, &fast);
		mapper_hang_up(&r.mp);
		started(&r, STORE, 5, rows[i].store, rows[i].rev, rows[i].kind);
		started(&r, 0, 0, STORE, 5, 0);
		ck_assert_uint_eq(feed_stats(r.feed)->gaps, 1);
		rig_fini(&r);
	}
}
END_TEST

START_TEST(test_refused)
{
	static const char why[] =
		"encode-net: mapper has 10.240.0.0/12, gateway 10.224.0.0/12";
	struct rig r;
	struct mapper_req q;
	struct msg nack = {.mode = MSG_NACK,
		.cmd = MSG_FEED_START,
		.str = {why, sizeof(why) - 1}};
	struct question ask = question_of(ASK_LOOKUP, &peer, NULL);
	int i;

	follow(&r, &fast);
	mapper_hang_up(&r.mp);
	for (i = 1; i <= 3; i++) {
		q = mapper_expect(&r.mp, MSG_FEED_START);
		nack.id = q.m.id;
		mapper_send(&r.mp, &nack);
		RUN_UNTIL(&r.mp, feed_stats(r.feed)->refusals == (uint64_t)i);
		ck_assert_int_eq(state(&r), FEED_REFUSED);
		ck_assert_str_eq(feed_stats(r.feed)->refused_why, why);
		ck_assert_int_eq(feed_ask(r.feed, &ask), -ENOTCONN);
		ck_assert(holds(&r, 1));
	}
	started(&r, STORE, 5, STORE, 5, 1);
	send_at(&r, STORE, 5);
	expect_report(&r, 0);
	ck_assert_str_eq(feed_stats(r.feed)->refused_why, "");
	rig_fini(&r);
}
END_TEST

START_TEST(test_silence)
{
	struct feed_times times = fast;
	struct rig r;

	times.silence = 100;
	follow(&r, &times);
	started(&r, STORE, 5, STORE, 5, 1);
	ck_assert_uint_eq(feed_stats(r.feed)->gaps, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_no_answer)
{
	struct feed_times times = fast;
	struct rig r;

	times.start = 100;
	rig_init(&r, &times);
	mapper_listen(&r.mp);
	(void)mapper_expect(&r.mp, MSG_FEED_START);
	started(&r, 0, 0, STORE, 5, 0);
	ck_assert_uint_eq(feed_mclient_stats(r.feed)->connects, 2);
	rig_fini(&r);
}
END_TEST

static void
use(struct rig *r, uint8_t n)
{
	struct addr a = ea(n);

	maps_used(r->maps, maps_by_ea(r->maps, &a));
}

/* Entries in use are reported until that is acknowledged. */
START_TEST(test_used)
{
	struct feed_times times = fast;
	struct mapper_req q;
	struct rig r;
	struct addr a = ea(1);

	times.used = 50;
	follow(&r, &times);
	use(&r, 1);
	use(&r, 1);
	do {
		q = mapper_expect(&r.mp, MSG_FEED_USED);
		if (!q.m.n)
			mapper_answer(&r.mp, &q, true);
	} while (!q.m.n);
	ck_assert_uint_eq(q.m.n, 1);
	ck_assert(addr_eq(&q.arecs[0].ea, &a));
	use(&r, 2);
	mapper_hang_up(&r.mp);
	started(&r, STORE, 5, STORE, 5, 1);
	send_at(&r, STORE, 5);
	expect_report(&r, 2);
	expect_report(&r, 0);
	ck_assert_uint_eq(feed_stats(r.feed)->reported, 2);
	use(&r, 1);
	do {
		q = mapper_expect(&r.mp, MSG_FEED_USED);
		mapper_answer(&r.mp, &q, !q.m.n);
	} while (!q.m.n);
	expect_report(&r, 0); /* one refused is not reported for ever */
	ck_assert_uint_eq(feed_stats(r.feed)->reported, 2);
	rig_fini(&r);
}
END_TEST

/* More than one packet holds. */
START_TEST(test_used_many)
{
	struct rig r;
	struct mapper_req q;
	struct msg_entry e;
	struct addr a;
	uint32_t i;

	follow(&r, &fast);
	for (i = 0; i < 998; i++) {
		e = remote(1);
		e.arec.ea.b[2] = (uint8_t)(16 + (i >> 8));
		e.arec.ea.b[3] = (uint8_t)i;
		e.arec.ref = ref_from_u64(1000 + i);
		ck_assert_int_eq(maps_set(r.maps, &e), 0);
		a = e.arec.ea;
		maps_used(r.maps, maps_by_ea(r.maps, &a));
	}
	use(&r, 1);
	use(&r, 2);
	/* At once: a thousand don't wait for the time. */
	q = mapper_expect(&r.mp, MSG_FEED_USED);
	ck_assert_uint_eq(q.m.n, 1000);
	use(&r, 1);
	mapper_answer(&r.mp, &q, true);
	expect_report(&r, 1);
	RUN_UNTIL(&r.mp, feed_stats(r.feed)->reported == 1001);
	rig_fini(&r);
}
END_TEST

enum how {
	HOW_ACK,
	HOW_NACK,
	HOW_END
};

/* Each question, with each kind of answer. */
START_TEST(test_questions)
{
	const struct addr no = {0};
	const struct ref five = ref_from_u64(5), six = ref_from_u64(6);
	const struct {
		const char *what;
		enum ask ask;
		struct addr addr;
		uint8_t cmd;
		enum how how;
		struct arec rec;
		enum feed_answer answer;
	} rows[] = {
		{"ea", ASK_EA, peer, MSG_GET_EA, HOW_ACK,
			{ea(5), no, peer, five}, FEED_YES},
		{"ea, refused", ASK_EA, peer, MSG_GET_EA, HOW_NACK,
			{no, no, peer, five}, FEED_NO},
		{"ea of another", ASK_EA, peer, MSG_GET_EA, HOW_ACK,
			{ea(5), no, peer, six}, FEED_NO},
		{"ea outside", ASK_EA, peer, MSG_GET_EA, HOW_ACK,
			{ip(5), no, peer, five}, FEED_NO},
		{"ea, the end", ASK_EA, peer, MSG_GET_EA, HOW_END,
			{no, no, no, five}, FEED_NONE},
		{"ref", ASK_REF, ip(5), MSG_GET_REF, HOW_ACK,
			{no, ip(5), no, five}, FEED_YES},
		{"ref of another", ASK_REF, ip(5), MSG_GET_REF, HOW_ACK,
			{no, ip(6), no, five}, FEED_NO},
		{"no ref", ASK_REF, ip(5), MSG_GET_REF, HOW_ACK,
			{no, ip(5), no, {{0}}}, FEED_NO},
		{"lookup", ASK_LOOKUP, ea(5), MSG_LOOKUP_EA, HOW_ACK,
			{ea(5), no, peer, five}, FEED_YES},
		{"lookup, nobody", ASK_LOOKUP, ea(5), MSG_LOOKUP_EA, HOW_NACK,
			{ea(5), no, peer, five}, FEED_NO},
		{"lookup of another", ASK_LOOKUP, ea(5), MSG_LOOKUP_EA, HOW_ACK,
			{ea(6), no, peer, five}, FEED_NO},
	};
	struct rig r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct question q =
			question_of(rows[i].ask, &rows[i].addr, &five);
		struct mapper_req req;
		struct msg ack = {.mode = MSG_ACK,
			.cmd = rows[i].cmd,
			.mark = {1, 6},
			.n = 1,
			.arecs = &rows[i].rec};
		struct addr five_ea = ea(5), five_ip = ip(5);
		bool yes = rows[i].answer == FEED_YES;

		follow(&r, &fast);
		ck_assert_int_eq(feed_ask(r.feed, &q), 0);
		req = mapper_expect(&r.mp, rows[i].cmd);
		ck_assert_uint_eq(req.m.n, 1);
		ck_assert_uint_eq(req.m.mark.owner, 0);
		ack.id = req.m.id;
		if (rows[i].how == HOW_ACK)
			mapper_send(&r.mp, &ack);
		else if (rows[i].how == HOW_NACK)
			mapper_answer(&r.mp, &req, false);
		else
			mapper_hang_up(&r.mp);
		RUN_UNTIL(&r.mp, r.answers == 1);
		ck_assert_msg(r.answer == rows[i].answer, "%s: %d",
			rows[i].what, (int)r.answer);
		ck_assert(r.q.ask == rows[i].ask &&
			  addr_eq(&r.q.addr, &rows[i].addr));
		if (rows[i].ask == ASK_REF)
			ck_assert(
				(maps_by_ip(r.maps, &five_ip) != NULL) == yes);
		else
			ck_assert(
				(maps_by_ea(r.maps, &five_ea) != NULL) == yes);
		ck_assert_uint_eq(r.changed, yes ? 3 : 2);
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

/* A copy does not outlive its addresses' quarantine. */
START_TEST(test_keep)
{
	struct rig r;

	follow(&r, &fast);
	mapper_end(&r.mp);
	RUN_UNTIL(&r.mp, state(&r) == FEED_AWAY);
	ck_assert(holds(&r, 1));
	feed_set_keep(r.feed, 50);
	RUN_UNTIL(&r.mp, !holds(&r, 1));
	ck_assert_uint_eq(maps_count(r.maps, true), 0);
	mapper_listen(&r.mp);
	started(&r, 0, 0, STORE, 5, 0);
	rig_fini(&r);
}
END_TEST

/* Freed in every state, with answers out. */
START_TEST(test_free)
{
	struct question q = question_of(ASK_LOOKUP, &peer, NULL);
	struct rig r;

	follow(&r, &fast);
	ck_assert_int_eq(feed_ask(r.feed, &q), 0);
	use(&r, 1);
	rig_fini(&r);
	ck_assert_uint_eq(r.answers, 0);
	feed_free(NULL);
	rig_init(&r, &fast);
	ck_assert_int_eq(feed_ask(r.feed, &q), -ENOTCONN);
	rig_fini(&r);
	ck_assert_str_eq(feed_state_name(FEED_FOLLOWING), "following");
}
END_TEST

RUN_TESTS("gwd feed", test_copy_and_changes, test_restart, test_cut_change,
	test_cut_copy, test_gaps, test_bad_starts, test_refused, test_silence,
	test_no_answer, test_used, test_used_many, test_questions,
	test_answer_after_change, test_keep, test_free)
