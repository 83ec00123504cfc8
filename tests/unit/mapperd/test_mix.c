/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets, resolvers, proofs, operators, failing disks and restarts in random
 * order, about few hosts, so that they meet: what a follower knows stays what
 * the mapper has, what the allotment counts what there is, and no ea leads to
 * another host before its quarantine is over.
 */
#include <stdio.h>

#include "tentative.h"
#include "tests/unit/run.h"
#include "view.h"

#define HOSTS 24
#define LINES 6 /* of the hosts file, of the first hosts */

/* Whom an ea led to last, and until when. */
struct holder {
	struct addr ea; /* the key */
	struct entry_key key;
	uint32_t owner;
	uint64_t seen;
};

struct mix {
	struct rig rig;
	struct rig_client *c, *gwd;
	struct view view;
	struct table holders; /* struct holder, owned */
	struct dice dice;
	unsigned restarts, held, forgotten, promoted;
};

static struct arec
host(unsigned i)
{
	return remote(i % 3, i + 1);
}

static void
request(struct mix *x, uint8_t cmd, const struct arec *recs, size_t n)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = recs, .n = n};

	rig_request(x->c, &m);
}

/* Records of what the follower knows: all, or only tentative ones. */
static size_t
known(struct mix *x, bool tentative, struct arec *recs, size_t max)
{
	const struct entry *e;
	size_t n = 0;

	TAILQ_FOREACH(e, &x->view.entries.all, all)
	if (n < max && e->kind == ENTRY_REMOTE &&
		(!tentative || e->owner == OWNER_TENTATIVE))
		recs[n++] = (struct arec){
			.ea = e->addr, .gw = e->key.gw, .ref = e->key.ref};
	return n;
}

static void
report(struct mix *x, uint8_t cmd)
{
	struct arec recs[HOSTS];
	size_t n = known(x, false, recs, HOSTS);
	size_t from = n ? roll_below(&x->dice, n) : 0;

	request(x, cmd, recs + from, n - from);
}

static void
list(struct mix *x)
{
	struct hosts_rec lines[LINES];
	struct arec rec;
	size_t n = 0;
	unsigned i;

	for (i = 0; i < LINES; i++) {
		if (roll_below(&x->dice, 2))
			continue;
		rec = host(i);
		lines[n] = line_for(&rec);
		lines[n++].entry.addr.b[3] = (uint8_t)(i + 100);
	}
	ck_assert_int_eq(mapper_hosts(rig_mapper(&x->rig), lines, n), 0);
}

static void
ignore(int err, size_t n, void *arg)
{
	unsigned *forgotten = arg;

	(void)n;
	*forgotten += !err;
}

static void
forget_one(struct mix *x)
{
	struct arec recs[HOSTS];
	size_t n = known(x, false, recs, HOSTS);

	if (n)
		mapper_forget(rig_mapper(&x->rig),
			&recs[roll_below(&x->dice, n)].ea, ignore,
			&x->forgotten);
}

static void
tick(struct mix *x)
{
	x->rig.now += roll_below(&x->dice, 90000);
	if (!roll_below(&x->dice, 100))
		x->rig.now += roll_below(&x->dice, 6 * 60 * MINUTE);
	while (mapper_tick(rig_mapper(&x->rig)))
		;
}

/* The follower comes back: holds, then goes on from where it was. */
static void
return_to(struct mix *x)
{
	struct arec recs[HOSTS], left;
	size_t n = known(x, true, recs, HOSTS), i;
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_FEED_HOLD,
		.id = 3,
		.arecs = recs,
		.n = n,
		.store = x->view.store,
		.revision = x->view.revision,
		.profile = {prefix_of("10.240.0.0/12"), addr_of("192.0.2.1"),
			ref_from_u64(1)},
	};
	struct msg answer;

	rig_clear(&x->rig);
	rig_request(x->gwd, &m);
	answer = rig_out(x->gwd, 0);
	ck_assert_int_eq(answer.mode, MSG_ACK);
	for (i = 0; i < answer.n; i++) {
		left = msg_arec(&answer, i);
		entries_del(&x->view.entries,
			entries_by_ea(&x->view.entries, &left.ea));
	}
	x->held += n - answer.n;
	rig_clear(&x->rig);
	m.cmd = MSG_FEED_START;
	m.n = 0;
	rig_request(x->gwd, &m);
	answer = rig_out(x->gwd, 0);
	view_started(&x->view, &answer);
	while (feed_pump(server_feed(x->rig.server)))
		;
}

static void
kill_it(struct mix *x)
{
	struct mapper_config cfg =
		rig_config(&x->rig, "10.240.0.0/12", "192.0.2.1");

	x->promoted += mapper_stats(rig_mapper(&x->rig))->promoted;
	x->rig.store.fail = 0;
	rig_clear(&x->rig);
	rig_restart(&x->rig, &cfg);
	x->c = rig_join(&x->rig, ROLE_ALL);
	x->gwd = rig_join(&x->rig, ROLE_ALL);
	return_to(x);
	x->restarts++;
}

static void
do_one(struct mix *x)
{
	struct arec rec = host((unsigned)roll_below(&x->dice, HOSTS));

	switch (roll_below(&x->dice, 16)) {
	case 0:
		list(x);
		break;
	case 1:
		forget_one(x);
		break;
	case 2:
		x->rig.store.fail = roll_below(&x->dice, 4) ? 0 : -ENOSPC;
		break;
	case 3:
		if (!roll_below(&x->dice, 20))
			kill_it(x);
		break;
	case 4:
		report(x, MSG_FEED_PROVED);
		break;
	case 5:
		report(x, MSG_FEED_USED);
		break;
	case 6:
	case 7:
		tick(x);
		break;
	case 8:
	case 9:
		request(x, MSG_MC_GET_EA, &rec, 1);
		break;
	default:
		request(x, MSG_GET_EA, &rec, 1);
	}
}

/* An ea that leads to another host than before has been out of use for long
 * enough. */
static void
check_holder(struct mix *x, const struct entry *e)
{
	struct holder *h = table_get(&x->holders, &e->addr);
	uint64_t wait = 0;

	if (!h) {
		h = calloc(1, sizeof(*h));
		h->ea = e->addr;
		h->key = e->key;
		ck_assert_int_eq(table_put(&x->holders, h), 0);
	}
	if (h->owner == OWNER_MAPPER)
		wait = 24 * 60 * MINUTE;
	else if (h->owner == OWNER_TENTATIVE)
		wait = 10 * MINUTE;
	if (entry_key_cmp(&h->key, &e->key))
		ck_assert_uint_ge(x->rig.now, h->seen + wait);
	h->key = e->key;
	h->owner = e->owner;
	h->seen = x->rig.now;
}

static void
check(struct mix *x)
{
	const struct entry *e;

	view_read(&x->view, x->gwd);
	rig_clear(&x->rig);
	view_check(&x->view, &x->rig);
	TAILQ_FOREACH(e, &mapper_entries(rig_mapper(&x->rig))->all, all)
	{
		if (e->kind == ENTRY_REMOTE)
			check_holder(x, e);
		if (!x->rig.store.n_queued)
			ck_assert(!e->busy && !e->promoting);
	}
	if (!x->rig.store.n_queued)
		check_sums(&x->rig);
	ck_assert_ptr_null(x->rig.fatal);
}

static void
run(uint64_t seed)
{
	struct mix *x = calloc(1, sizeof(*x));
	struct holder *h;
	unsigned i;

	printf("seed %llu\n", (unsigned long long)seed);
	rig_init(&x->rig, "10.240.0.0/12", "192.0.2.1");
	x->dice.state = seed;
	view_init(&x->view);
	table_init(&x->holders, offsetof(struct holder, ea),
		sizeof(struct addr), 1 << 20);
	x->c = rig_join(&x->rig, ROLE_ALL);
	x->gwd = rig_join(&x->rig, ROLE_ALL);
	return_to(x);
	for (i = 0; i < 10000; i++) {
		do_one(x);
		check(x);
		while (roll_below(&x->dice, 3) && memstore_step(&x->rig.store))
			check(x);
	}
	x->promoted += mapper_stats(rig_mapper(&x->rig))->promoted;
	printf("%u restarts, %u held, %u promoted, %u forgotten\n", x->restarts,
		x->held, x->promoted, x->forgotten);
	ck_assert_uint_gt(x->restarts, 5);
	ck_assert_uint_gt(x->held, 10);
	ck_assert_uint_gt(x->promoted, 100);
	ck_assert_uint_gt(x->forgotten, 100);
	entries_fini(&x->view.entries);
	TABLE_FOREACH (&x->holders, pos, h)
		free(h);
	table_fini(&x->holders);
	rig_fini(&x->rig);
	free(x);
}

START_TEST(test_any_order)
{
	uint64_t seed;

	for (seed = 1; seed <= 3; seed++)
		run(seed * 7919);
}
END_TEST

RUN_TESTS("mix", test_any_order)
