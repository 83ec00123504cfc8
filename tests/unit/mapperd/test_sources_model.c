/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources and the hosts file at random, with a store that fails and with
 * restarts, against what each of them lists: every reference that anybody lists
 * leads where one of those says, and whoever had it first has it still.
 */
#include <stdio.h>

#include "agent.h"
#include "tests/unit/run.h"

#define KEYS	12
#define LISTERS 5 /* the first is the hosts file */
#define STEPS	3000

struct model {
	struct rig rig;
	struct rig_client *c;
	struct dice dice;
	uint8_t lists[LISTERS][KEYS]; /* last byte of the ip; 0: not listed */
	int holder[KEYS];	      /* -1: nobody */
};

static const char *const domains[LISTERS] = {"", "a", "b", "c", "d"};

static struct addr
ip_of(size_t lister, uint8_t value)
{
	struct addr ip = addr_of("192.168.0.0");

	ip.b[2] = (uint8_t)(lister + 1);
	ip.b[3] = value;
	return ip;
}

static void
roll_list(struct model *m, uint8_t list[KEYS])
{
	size_t k;

	for (k = 0; k < KEYS; k++)
		list[k] = (uint8_t)(roll_below(&m->dice, 2) *
				    (1 + roll_below(&m->dice, 3)));
}

/* A failed store recovers, and what is tried again by itself has been. */
static void
recover(struct model *m)
{
	m->rig.store.fail = 0;
	pass_time(&m->rig, 1500);
	pass_time(&m->rig, 1500);
}

static void
step_publish(struct model *m, size_t lister)
{
	uint8_t list[KEYS];
	struct arec recs[KEYS];
	size_t k, n = 0;
	enum msg_mode mode;

	roll_list(m, list);
	for (k = 0; k < KEYS; k++)
		if (list[k])
			recs[n++] = (struct arec){
				.ip = ip_of(lister, list[k]),
				.gw = addr_of("192.0.2.1"),
				.ref = ref_from_u64(k + 1),
			};
	mode = batch_of(m->c, domains[lister], msg_set_hash(recs, n), recs, n);
	ck_assert_int_eq(mode, m->rig.store.fail ? MSG_NACK : MSG_ACK);
	if (mode == MSG_ACK)
		memcpy(m->lists[lister], list, sizeof(list));
}

/* Also when it can't be stored at once: it is remembered. */
static void
step_empty(struct model *m, size_t lister)
{
	held(m->c, domains[lister], MSG_EMPTY_SET_HASH, 0);
	memset(m->lists[lister], 0, sizeof(m->lists[lister]));
}

static void
step_hosts(struct model *m)
{
	struct hosts_rec recs[KEYS];
	size_t k, n = 0;

	roll_list(m, m->lists[0]);
	for (k = 0; k < KEYS; k++)
		if (m->lists[0][k])
			recs[n++] = (struct hosts_rec){
				.entry = {ENTRY_LOCAL, ip_of(0, m->lists[0][k]),
					{addr_zero(4), ref_from_u64(k + 1)},
					1}};
	ck_assert_int_eq(mapper_hosts(rig_mapper(&m->rig), recs, n), 0);
	rig_pump(&m->rig);
}

static void
on_done(int err, size_t n, void *arg)
{
	(void)n;
	*(int *)arg = err;
}

static void
step_remove(struct model *m, size_t lister)
{
	struct source so = source_of(domains[lister]);
	bool there = source_in(&m->rig, domains[lister]);
	int err = 1;

	mapper_source_remove(rig_mapper(&m->rig), &so, on_done, &err);
	rig_pump(&m->rig);
	if (!there)
		ck_assert_int_eq(err, -ENOENT);
	else
		ck_assert_int_eq(err, m->rig.store.fail);
	if (!err)
		memset(m->lists[lister], 0, sizeof(m->lists[lister]));
}

static void
step_restart(struct model *m)
{
	struct mapper_config cfg =
		rig_config(&m->rig, "10.240.0.0/12", "192.0.2.1");

	rig_restart(&m->rig, &cfg);
	m->c = rig_join(&m->rig, ROLE_ALL);
}

static int
lister_of(struct model *m, uint32_t owner)
{
	const struct host_source *s =
		hostset_by_id(mapper_sources(rig_mapper(&m->rig)), owner);
	int i;

	for (i = 1; s && i < LISTERS; i++)
		if (!strcmp(s->name.domain, domains[i]))
			return i;
	ck_assert_uint_eq(owner, OWNER_HOSTS);
	return 0;
}

static void
check_truth(struct model *m)
{
	const struct entries *es = mapper_entries(rig_mapper(&m->rig));
	struct entry_key key = {addr_zero(4), {{0}}};
	size_t k, i, listers, waiting = 0;
	const struct entry *e;
	int before;

	for (k = 0; k < KEYS; k++) {
		key.ref = ref_from_u64(k + 1);
		e = entries_local(es, &key);
		for (listers = 0, i = 0; i < LISTERS; i++)
			listers += m->lists[i][k] != 0;
		ck_assert_int_eq(e != NULL, listers != 0);
		before = m->holder[k];
		m->holder[k] = e ? lister_of(m, e->owner) : -1;
		if (!e)
			continue;
		ck_assert_uint_eq(e->addr.b[2], (unsigned)m->holder[k] + 1);
		ck_assert_uint_eq(e->addr.b[3], m->lists[m->holder[k]][k]);
		if (before >= 0 && m->lists[before][k])
			ck_assert_int_eq(m->holder[k], before);
		waiting += listers - 1;
	}
	ck_assert_uint_eq(
		mapper_sources(rig_mapper(&m->rig))->n_waits, waiting);
}

static void
step(struct model *m)
{
	size_t lister = 1 + roll_below(&m->dice, LISTERS - 1);
	uint64_t what = roll_below(&m->dice, 16);

	if (!roll_below(&m->dice, 6))
		m->rig.store.fail = -ENOSPC;
	if (what < 8) {
		step_publish(m, lister);
	} else if (what < 10) {
		step_empty(m, lister);
	} else if (what < 13) {
		step_hosts(m);
	} else if (what < 15) {
		step_remove(m, lister);
	} else {
		recover(m);
		step_restart(m);
	}
	if (m->rig.store.fail)
		recover(m);
	rig_clear(&m->rig);
}

static void
run(uint64_t seed)
{
	static struct model m;
	int i;

	printf("seed %llu\n", (unsigned long long)seed);
	memset(&m, 0, sizeof(m));
	m.dice.state = seed;
	rig_init(&m.rig, "10.240.0.0/12", "192.0.2.1");
	m.c = rig_join(&m.rig, ROLE_ALL);
	memset(m.holder, -1, sizeof(m.holder));
	for (i = 0; i < STEPS; i++) {
		step(&m);
		check_truth(&m);
	}
	rig_fini(&m.rig);
}

START_TEST(test_random)
{
	uint64_t i;

	for (i = 1; i <= 10; i++)
		run(i * 104729);
}
END_TEST

RUN_TESTS("sources_model", test_random)
