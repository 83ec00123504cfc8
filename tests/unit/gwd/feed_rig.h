/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The feed under test, its copy, and a scripted mapper. */
#ifndef TESTS_UNIT_GWD_FEED_RIG_H
#define TESTS_UNIT_GWD_FEED_RIG_H

#include "gwd/feed.h"

#include <errno.h>

#include "gwd/maps.h"
#include "gwd/report.h"
#include "tests/unit/gwd/mapper.h"

#define STORE  UINT64_C(0x1122334455667788)
#define STORE2 UINT64_C(0x99aabbccddeeff00)

static const struct feed_times fast = {
	.tick = 10,
	.used = 100000,
	.silence = 100000,
	.refused = 30,
	.hold = 2000,
	.start = 2000,
	.retry = 30,
	.keep = 100000,
	.keep_tentative = 100000,
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

static inline void
on_changed(const struct msg_entry *e, void *arg)
{
	struct rig *r = arg;

	(void)e;
	r->changed++;
}

static inline void
on_answered(const struct question *q, enum feed_answer answer, void *arg)
{
	struct rig *r = arg;

	r->answers++;
	r->q = *q;
	r->answer = answer;
}

static inline void
on_ready(void *arg)
{
	struct rig *r = arg;

	r->ready++;
}

static inline void
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
	r->maps = maps_new(&pub, 2000);
	cfg.maps = r->maps;
	r->feed = feed_new(r->mp.base, &cfg);
	ck_assert_ptr_nonnull(r->feed);
}

static inline void
rig_fini(struct rig *r)
{
	feed_free(r->feed);
	maps_free(r->maps);
	mapper_fini(&r->mp);
}

static inline enum feed_state
state(const struct rig *r)
{
	return feed_stats(r->feed)->state;
}

static inline struct addr
ea(uint8_t n)
{
	return (struct addr){4, {10, 240, 1, n}};
}

static inline struct addr
ip(uint8_t n)
{
	return (struct addr){4, {192, 168, 84, n}};
}

static inline struct msg_entry
remote(uint8_t n)
{
	return (struct msg_entry){.born = n,
		.arec = {.ea = ea(n), .gw = peer, .ref = ref_from_u64(n)}};
}

static inline struct msg_entry
tentative(uint8_t n)
{
	struct msg_entry e = remote(n);

	e.flags = MSG_ENTRY_TENTATIVE;
	e.born = 0;
	return e;
}

static inline void
send_entry(struct rig *r, uint8_t cmd, uint64_t rev, const struct msg_entry *e)
{
	const struct msg m = {.mode = MSG_DATA,
		.cmd = cmd,
		.revision = rev,
		.n = 1,
		.entries = e};

	mapper_send(&r->mp, &m);
}

static inline void
send_set(struct rig *r, uint64_t rev, uint8_t n)
{
	struct msg_entry e = remote(n);

	send_entry(r, MSG_FEED_SET, rev, &e);
}

static inline void
send_at(struct rig *r, uint64_t store, uint64_t rev)
{
	const struct msg m = {.mode = MSG_DATA,
		.cmd = MSG_FEED_AT,
		.store = store,
		.revision = rev};

	mapper_send(&r->mp, &m);
}

/* The feed begins, holding this; the mapper answers so. */
static inline void
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

static inline void
expect_report(struct rig *r, size_t n)
{
	struct mapper_req q = mapper_expect(&r->mp, MSG_FEED_USED);

	ck_assert_uint_eq(q.m.n, n);
	mapper_answer(&r->mp, &q, true);
}

static inline bool
holds(const struct rig *r, uint8_t n)
{
	struct addr a = ea(n);

	return maps_by_ea(r->maps, &a);
}

static inline void
carry(struct rig *r, uint8_t n, enum way way)
{
	struct addr a = ea(n);

	maps_used(r->maps, maps_by_ea(r->maps, &a), way);
}

/* A mapper that is there, and a feed that follows it: store STORE, revision 5,
 * the remote entries 1 and 2. */
static inline void
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

#endif
