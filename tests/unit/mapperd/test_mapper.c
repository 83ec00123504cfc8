/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapper's promises, by random operations with a simulated clock against a
 * plain model of what clients were told; and its single rules.
 */
#include <stdio.h>

#include "rig.h"
#include "tests/unit/run.h"

#define HOUR  UINT64_C(3600000)
#define HOSTS 6000 /* more than the pool has addresses */

/* What clients were told of one remote host. */
struct told {
	struct addr ea;	     /* version 0: nothing */
	uint64_t until;	     /* it holds at least so long */
	uint64_t last_asked; /* it must end 4 h (and a bit) after this */
};

/* Who an ea was told to lead to last, and until when. */
struct holder {
	unsigned host;
	uint64_t until;
	bool any;
};

struct model {
	struct rig rig;
	struct mapper_config cfg;
	struct rig_client *client;
	struct told hosts[HOSTS];
	struct holder holders[8192]; /* by host part of a /19 */
	struct dice dice;
	unsigned acks, nacks, restarts, failures;
};

static struct arec
host_arec(unsigned host)
{
	struct arec rec = {
		.gw = addr_of("203.0.0.0"), .ref = ref_from_u64(host + 1)};

	rec.gw.b[2] = (uint8_t)(host % 50);
	rec.gw.b[3] = (uint8_t)(host % 7 + 1);
	return rec;
}

static void
model_ack(struct model *m, unsigned host, const struct addr *ea)
{
	struct told *t = &m->hosts[host];
	struct holder *h =
		&m->holders[(unsigned)(ea->b[2] & 31) << 8 | ea->b[3]];
	uint64_t now = m->rig.now;
	const struct entry *stored;

	ck_assert_uint_ge(addr_second_byte(ea), 16);
	if (t->ea.ver && t->until > now)
		ck_assert_msg(addr_eq(&t->ea, ea), "an answer changed");
	if (h->any && h->host != host)
		ck_assert_msg(now >= h->until + m->cfg.allot.reuse_ms,
			"an ea of another host, too early");
	t->ea = *ea;
	t->until = now + 3 * HOUR;
	/* While the store can't write, what is known is served on, but a lease
	 * longer than the stored one is lost with the process. */
	stored = entries_by_ea(&m->rig.store.entries, ea);
	ck_assert_ptr_nonnull(stored);
	if (m->rig.store.fail && stored->expires < t->until)
		t->until = stored->expires;
	ck_assert_uint_ge(stored->expires, t->until);
	t->last_asked = now;
	*h = (struct holder){host, t->until, true};
	m->acks++;
}

/* One question; sometimes the store fails, or we are killed before it. */
static void
model_ask(struct model *m, unsigned host, bool known_ends)
{
	struct arec rec = host_arec(host), got;
	struct msg req = {.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 5,
		.arecs = &rec,
		.n = 1};
	struct msg answer;

	rig_clear(&m->rig);
	rig_request(m->client, &req);
	if (known_ends)
		return; /* the caller kills us now */
	rig_pump(&m->rig);
	ck_assert_uint_eq(m->rig.n_out, 1);
	answer = rig_out(m->client, 0);
	if (answer.mode == MSG_NACK) {
		m->nacks++;
		/* What was told and still holds is served, always. */
		ck_assert(!m->hosts[host].ea.ver ||
			  m->hosts[host].until <= m->rig.now);
		return;
	}
	got = msg_arec(&answer, 0);
	model_ack(m, host, &got.ea);
}

static void
model_tick(struct model *m)
{
	rig_clear(&m->rig);
	mapper_tick(rig_mapper(&m->rig));
	rig_pump(&m->rig);
}

static void
model_restart(struct model *m)
{
	rig_clear(&m->rig);
	rig_restart(&m->rig, &m->cfg);
	m->client = rig_join(&m->rig, ROLE_ALL);
	m->restarts++;
}

/* No mapping outlives its lease by more than it takes to end it. */
static void
model_check_ended(struct model *m, unsigned host, uint64_t slack)
{
	struct arec rec = host_arec(host);
	struct entry_key key = {rec.gw, rec.ref};
	const struct told *t = &m->hosts[host];
	const struct entry *e =
		entries_remote(mapper_entries(rig_mapper(&m->rig)), &key);

	if (e)
		ck_assert_uint_gt(
			t->last_asked + m->cfg.lease_ms + slack, m->rig.now);
}

static void
run_model(uint64_t seed, unsigned n)
{
	struct model *m = calloc(1, sizeof(*m));
	uint64_t started;
	unsigned host;

	printf("seed %llu\n", (unsigned long long)seed);
	rig_init(&m->rig, "10.200.0.0/19", "192.0.2.1");
	m->cfg = rig_config(&m->rig, "10.200.0.0/19", "192.0.2.1");
	m->dice.state = seed;
	m->client = rig_join(&m->rig, ROLE_ALL);
	started = m->rig.now;
	while (n--) {
		m->rig.now += roll_below(&m->dice, 10000);
		/* Once in a while a quiet time, also longer than leases. */
		if (!roll_below(&m->dice, 3000))
			m->rig.now += roll_below(&m->dice, 12 * HOUR);
		host = (unsigned)roll_below(&m->dice, HOSTS);
		if (!roll_below(&m->dice, 500)) {
			model_ask(m, host, true);
			model_restart(m);
			started = m->rig.now;
			continue;
		}
		if (!roll_below(&m->dice, 50)) {
			m->rig.store.fail = -ENOSPC;
			m->failures++;
		}
		model_ask(m, host, false);
		m->rig.store.fail = 0;
		if (roll_below(&m->dice, 4))
			continue;
		model_tick(m);
		/* Failed renewals count from the answer all the same. */
		if (m->rig.now - started > m->cfg.hold_ms)
			model_check_ended(
				m, (unsigned)roll_below(&m->dice, HOSTS), 1);
	}
	ck_assert_ptr_null(m->rig.fatal);
	ck_assert_uint_gt(m->acks, 1000);
	ck_assert_uint_gt(m->restarts, 10);
	printf("%u answers, %u refusals, %u restarts, %u failures\n", m->acks,
		m->nacks, m->restarts, m->failures);
	rig_fini(&m->rig);
	free(m);
}

START_TEST(test_model)
{
	uint64_t seed;

	for (seed = 1; seed <= 3; seed++)
		run_model(seed * 104729, 20000);
}
END_TEST

static struct msg
ask(struct rig_client *c, uint8_t cmd, const struct arec *rec)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = rec, .n = 1};

	return rig_ask(c, &m);
}

static struct entry *
only_entry(struct rig *r)
{
	return TAILQ_FIRST(&mapper_entries(rig_mapper(r))->all);
}

/* When leases are renewed: below three quarters, by questions and by use. */
START_TEST(test_renewal)
{
	static const struct {
		uint64_t after; /* ms since it was made */
		uint8_t cmd;
		bool renewed;
	} rows[] = {
		{HOUR - 1, MSG_MC_GET_EA, false},
		{HOUR - 1, MSG_FEED_USED, false},
		{HOUR, MSG_MC_GET_EA, false},
		{HOUR + 1, MSG_MC_GET_EA, true},
		{HOUR + 1, MSG_GET_EA, true},
		{HOUR + 1, MSG_FEED_USED, true},
		{4 * HOUR - 1, MSG_FEED_USED, true},
	};
	static struct rig r;
	struct rig_client *c;
	struct arec rec = host_arec(1);
	uint64_t made;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		rig_init(&r, "10.240.0.0/12", "192.0.2.1");
		c = rig_join(&r, ROLE_ALL);
		ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
		made = r.now;
		ck_assert_uint_eq(only_entry(&r)->expires, made + 4 * HOUR);
		r.now += rows[i].after;
		if (rows[i].cmd == MSG_FEED_USED)
			rec.ea = only_entry(&r)->addr;
		ck_assert_int_eq(ask(c, rows[i].cmd, &rec).mode, MSG_ACK);
		rec.ea = (struct addr){0};
		ck_assert_uint_eq(only_entry(&r)->expires,
			(rows[i].renewed ? r.now : made) + 4 * HOUR);
		rig_fini(&r);
	}
}
END_TEST

/* A disk that takes its time delays nobody who asks for what is known: not
 * while half of the stored lease is left. */
START_TEST(test_renewal_waits_for_nobody)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec = host_arec(1);
	const struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 9,
		.arecs = &rec,
		.n = 1};
	uint64_t asked;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(rig_ask(c, &m).mode, MSG_ACK);
	r.now += HOUR + 1;
	asked = r.now;
	rig_clear(&r);
	rig_request(c, &m);
	rig_request(c, &m);
	ck_assert_uint_eq(r.n_out, 2);
	ck_assert_int_eq(rig_out(c, 1).mode, MSG_ACK);
	ck_assert_uint_eq(r.store.n_queued, 1);
	rig_pump(&r);
	ck_assert_uint_eq(only_entry(&r)->expires, asked + 4 * HOUR);
	/* A renewal that fails is tried again with the next question. */
	r.now += 2 * HOUR;
	r.store.fail = -ENOSPC;
	rig_clear(&r);
	rig_request(c, &m);
	ck_assert_uint_eq(r.n_out, 1);
	rig_pump(&r);
	ck_assert(only_entry(&r)->unsaved);
	r.store.fail = 0;
	ck_assert_int_eq(rig_ask(c, &m).mode, MSG_ACK);
	ck_assert(!only_entry(&r)->unsaved);
	/* Now it does wait. */
	r.now += 2 * HOUR + 1;
	rig_clear(&r);
	rig_request(c, &m);
	ck_assert_uint_eq(r.n_out, 0);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 1);
	ck_assert_uint_eq(only_entry(&r)->expires, r.now + 4 * HOUR);
	rig_fini(&r);
}
END_TEST

/* Nothing ends in the first minute after a start, unless gwd has told. */
START_TEST(test_hold)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct arec rec = host_arec(1);
	bool reports;

	for (reports = false;; reports = true) {
		rig_init(&r, "10.240.0.0/12", "192.0.2.1");
		cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
		c = rig_join(&r, ROLE_ALL);
		ask(c, MSG_MC_GET_EA, &rec);
		r.now += 5 * HOUR;
		rig_restart(&r, &cfg);
		c = rig_join(&r, ROLE_ALL);
		mapper_tick(rig_mapper(&r));
		rig_pump(&r);
		ck_assert_ptr_nonnull(only_entry(&r));
		if (reports) {
			struct arec none = {.ea = addr_of("10.240.99.99")};

			ask(c, MSG_FEED_USED, &none);
		} else {
			r.now += 60000;
		}
		mapper_tick(rig_mapper(&r));
		rig_pump(&r);
		ck_assert_ptr_null(only_entry(&r));
		rig_fini(&r);
		if (reports)
			return;
	}
}
END_TEST

/* The store can't write: what is known is served, nothing new is told, nothing
 * is left behind; then all is well again. */
START_TEST(test_store_fails)
{
	static struct rig r;
	struct rig_client *c;
	struct arec known = host_arec(1), new = host_arec(2);
	struct arec host = {.ip = addr_of("192.168.1.1")};
	struct allot_stats st;
	struct msg m;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &known).mode, MSG_ACK);
	r.now += 2 * HOUR;
	r.store.fail = -ENOSPC;
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &known).mode, MSG_ACK);
	ck_assert_uint_eq(only_entry(&r)->expires, r.now + 4 * HOUR);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &new).mode, MSG_NACK);
	ck_assert_int_eq(ask(c, MSG_GET_REF, &host).mode, MSG_NACK);
	m = ask(c, MSG_FEED_USED, &known);
	ck_assert_int_eq(m.mode, MSG_ACK); /* nothing had to be written */
	mapper_allot_stats(rig_mapper(&r), &st);
	ck_assert_uint_eq(st.taken, 1);
	r.now += 5 * HOUR;
	mapper_tick(rig_mapper(&r));
	rig_pump(&r);
	ck_assert_ptr_nonnull(only_entry(&r)); /* its end can't be stored */
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &known).mode, MSG_ACK);
	r.store.fail = 0;
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &new).mode, MSG_ACK);
	ck_assert_ptr_null(r.fatal);
	r.store.fail = -ENOTRECOVERABLE;
	ask(c, MSG_GET_REF, &host);
	ck_assert_ptr_nonnull(r.fatal);
	rig_fini(&r);
}
END_TEST

/* What was acknowledged is not kept, as turns out when nothing new is asked
 * for: that is said at once, and once. */
START_TEST(test_store_ended)
{
	static struct rig r;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	mapper_tick(rig_mapper(&r));
	ck_assert_ptr_null(r.fatal);
	r.store.ended = true;
	mapper_tick(rig_mapper(&r));
	ck_assert_ptr_nonnull(r.fatal);
	r.fatal = NULL;
	mapper_tick(rig_mapper(&r));
	ck_assert_ptr_null(r.fatal);
	rig_fini(&r);
}
END_TEST

/* Who asks while the end of an entry is being stored gets another ea. */
START_TEST(test_asked_while_ending)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec = host_arec(1), got;
	struct msg m = {.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 9,
		.arecs = &rec,
		.n = 1};
	struct addr before;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ask(c, MSG_MC_GET_EA, &rec);
	before = only_entry(&r)->addr;
	r.now += 5 * HOUR;
	mapper_tick(rig_mapper(&r));
	rig_clear(&r);
	rig_request(c, &m);
	ck_assert_uint_eq(r.n_out, 0);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 1);
	m = rig_out(c, 0);
	got = msg_arec(&m, 0);
	ck_assert_int_eq(m.mode, MSG_ACK);
	ck_assert(!addr_eq(&got.ea, &before));
	rig_fini(&r);
}
END_TEST

/* Many ask for one thing before it is stored: one entry, as many answers. */
START_TEST(test_asked_at_once)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec = host_arec(1), first, got;
	struct msg m = {
		.mode = MSG_REQ, .cmd = MSG_MC_GET_EA, .arecs = &rec, .n = 1};
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	for (i = 1; i <= 100; i++) {
		m.id = (uint16_t)i;
		rig_request(c, &m);
	}
	ck_assert_uint_eq(r.store.n_queued, 1);
	ck_assert_uint_eq(r.n_out, 0);
	rig_pump(&r);
	ck_assert_uint_eq(r.n_out, 100);
	for (i = 0; i < 100; i++) {
		m = rig_out(c, i);
		ck_assert_uint_eq(m.id, i + 1);
		got = msg_arec(&m, 0);
		if (!i)
			first = got;
		ck_assert(addr_eq(&got.ea, &first.ea));
	}
	rig_fini(&r);
}
END_TEST

/* The pool spent: refused; what is known is served on. */
START_TEST(test_pool_spent)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec;
	unsigned i, acks = 0;

	rig_init(&r, "10.200.0.0/19", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	for (i = 0; i < 4200; i++) {
		rec = host_arec(i);
		acks += ask(c, MSG_MC_GET_EA, &rec).mode == MSG_ACK;
	}
	ck_assert_uint_eq(acks, 16 * 256 - 1);
	rec = host_arec(0);
	ck_assert_int_eq(ask(c, MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	rig_fini(&r);
}
END_TEST

/* An operator's line for a host that has an ea already: the line's comes in its
 * place, and which one the mapper had allotted is in quarantine. */
START_TEST(test_hosts_over_dynamic)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec = host_arec(1), got;
	struct hosts_rec line = {
		.entry = {ENTRY_REMOTE, addr_of("10.240.8.8"),
			{rec.gw, rec.ref}, 1},
	};
	struct allot_stats st;
	struct msg m;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ask(c, MSG_MC_GET_EA, &rec);
	/* Both are under way at once for another host. */
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), &line, 1), 0);
	rig_pump(&r);
	m = ask(c, MSG_MC_GET_EA, &rec);
	got = msg_arec(&m, 0);
	ck_assert(addr_eq(&got.ea, &line.entry.addr));
	mapper_allot_stats(rig_mapper(&r), &st);
	ck_assert_uint_eq(st.gone, 1);
	ck_assert_uint_eq(st.taken, 0);
	/* The question is stored first, the line meets it, is thought over and
	 * comes in its place. */
	rec = host_arec(2);
	line.entry.key = (struct entry_key){rec.gw, rec.ref};
	m = (struct msg){.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 3,
		.arecs = &rec,
		.n = 1};
	rig_clear(&r);
	rig_request(c, &m);
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), &line, 1), 0);
	rig_pump(&r);
	ck_assert_ptr_null(r.fatal);
	m = ask(c, MSG_MC_GET_EA, &rec);
	got = msg_arec(&m, 0);
	ck_assert(addr_eq(&got.ea, &line.entry.addr));
	mapper_allot_stats(rig_mapper(&r), &st);
	ck_assert_uint_eq(st.gone, 2);
	rig_fini(&r);
}
END_TEST

/* The settings of another day: entries that do not fit go, those under what is
 * our address now become our own. */
START_TEST(test_other_settings)
{
	static struct rig r;
	struct mapper_config cfg;
	struct rig_client *c;
	struct arec rec = host_arec(1), own = {.gw = addr_of("192.0.2.9"),
						.ref = ref_from_u64(0x105)};
	struct hosts_rec line = {
		.entry = {ENTRY_LOCAL, addr_of("192.168.1.5"),
			{own.gw, own.ref}, 1},
	};
	struct arec got;
	struct msg m;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	ask(c, MSG_MC_GET_EA, &rec);
	ck_assert_int_eq(mapper_hosts(rig_mapper(&r), &line, 1), 0);
	rig_pump(&r);
	/* As it is, that context is somebody else's: it gets an ea. */
	m = ask(c, MSG_MC_GET_EA, &own);
	got = msg_arec(&m, 0);
	ck_assert_uint_eq(got.ea.b[0], 10);
	cfg = rig_config(&r, "10.224.0.0/12", "192.0.2.9");
	rig_restart(&r, &cfg);
	rig_pump(&r);
	c = rig_join(&r, ROLE_ALL);
	m = ask(c, MSG_MC_GET_EA, &own);
	got = msg_arec(&m, 0);
	ck_assert(addr_eq(&got.ea, &line.entry.addr));
	m = ask(c, MSG_MC_GET_EA, &rec);
	got = msg_arec(&m, 0);
	ck_assert(prefix_has(&cfg.rules.encode, &got.ea));
	ck_assert_uint_eq(mapper_entries(rig_mapper(&r))->n[ENTRY_REMOTE], 1);
	ck_assert_uint_eq(r.store.entries.n[ENTRY_REMOTE], 1);
	ck_assert_uint_eq(r.store.entries.n[ENTRY_LOCAL], 1);
	rig_fini(&r);
}
END_TEST

/* Leases of a time when they were longer have today's length. */
START_TEST(test_shorter_lifetime)
{
	static struct rig r;
	struct mapper_config cfg;
	struct arec rec = host_arec(1);

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	ck_assert_int_eq(
		ask(rig_join(&r, ROLE_ALL), MSG_MC_GET_EA, &rec).mode, MSG_ACK);
	rig_clear(&r);
	cfg = rig_config(&r, "10.240.0.0/12", "192.0.2.1");
	cfg.lease_ms = HOUR;
	rig_restart(&r, &cfg);
	ck_assert_uint_eq(only_entry(&r)->expires, r.now + HOUR);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("mapper", test_model, test_renewal, test_renewal_waits_for_nobody,
	test_hold, test_store_fails, test_store_ended, test_asked_while_ending,
	test_asked_at_once, test_pool_spent, test_hosts_over_dynamic,
	test_other_settings, test_shorter_lifetime)
