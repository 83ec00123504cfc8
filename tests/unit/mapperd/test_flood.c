/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flood of packets with made-up source references, while resolvers ask for
 * new names: each of them is answered, what the flood makes the mapper remember
 * stays within bounds, and is gone some time after it. The clock is simulated;
 * `make proofs` has floods of ten minutes.
 */
#include <stdio.h>

#include "libipref/log.h"
#include "mapperd/allot_impl.h"
#include "mapperd/mapper_impl.h"
#include "rig.h"
#include "tests/unit/run.h"

#define PER_S	 2000
#define TICK_MS	 250
#define PEERS	 10000
#define CONTEXTS 7 /* that resolvers ask about */
#define HOUR	 UINT64_C(3600000)

#define FLOOD_S 60 /* FLOOD_SECONDS in the environment: another length */

struct flood {
	struct rig rig;
	struct mapper_config cfg;
	struct rig_client *gateway, *resolver;
	unsigned peers;
	bool proves; /* each packet's mapping is proved at once */
	uint64_t made, refused, asked;
	uint64_t most_entries, most_tentative, most_blocks, most_counters;
};

/* Peer i of many, 50 in a /24. */
static struct addr
peer_addr(unsigned i)
{
	struct addr gw = addr_of("100.64.0.0");

	gw.b[2] = (uint8_t)(i / 50);
	gw.b[3] = (uint8_t)(i % 50 + 1);
	return gw;
}

static struct msg
answer(struct rig_client *c, uint8_t cmd, const struct arec *rec)
{
	struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .id = 9, .arecs = rec, .n = 1};

	rig_clear(c->rig);
	rig_request(c, &m);
	rig_pump(c->rig);
	MUST(c->rig->n_out == 1);
	MUST(msg_decode(&m, &c->fmt, c->rig->out[0].bytes,
		     c->rig->out[0].len) == MSG_OK);
	return m;
}

static void
flood_packet(struct flood *f)
{
	struct arec rec = {
		.gw = peer_addr((unsigned)roll_below(&f->rig.dice, f->peers)),
		.ref = ref_from_u64(roll(&f->rig.dice) | 1 << 16)};
	struct msg m = answer(f->gateway, MSG_GET_EA, &rec);

	if (m.mode != MSG_ACK) {
		f->refused++;
		return;
	}
	f->made++;
	rec = msg_arec(&m, 0);
	if (f->proves)
		MUST(answer(f->gateway, MSG_FEED_PROVED, &rec).mode == MSG_ACK);
}

/* A name that nobody asked for before. */
static void
resolver_asks(struct flood *f)
{
	struct arec rec = {.gw = addr_of("198.51.100.1"),
		.ref = ref_from_u64(++f->asked << 16 | 1)};

	rec.gw.b[3] = (uint8_t)(f->asked % CONTEXTS + 1);
	if (answer(f->resolver, MSG_MC_GET_EA, &rec).mode != MSG_ACK)
		ck_abort_msg("a resolver is refused after %llu packets",
			(unsigned long long)(f->made + f->refused));
}

static size_t
counters(struct flood *f)
{
	return rig_mapper(&f->rig)->allot->quotas.counts.n;
}

static void
highest(uint64_t *most, uint64_t n)
{
	if (*most < n)
		*most = n;
}

static void
look(struct flood *f)
{
	const struct entries *es = mapper_entries(rig_mapper(&f->rig));
	struct allot_stats st;

	mapper_allot_stats(rig_mapper(&f->rig), &st);
	highest(&f->most_entries, es->n[ENTRY_REMOTE]);
	highest(&f->most_tentative, st.tentative + st.tentative_gone);
	highest(&f->most_blocks, f->rig.store.blocks.n);
	highest(&f->most_counters, counters(f));
	MUST(st.taken_peer <= st.pool * f->cfg.allot.peer_percent / 100);
	MUST(f->rig.store.blocks.n >= st.blocks);
}

static void
tick(struct flood *f, uint64_t ms)
{
	f->rig.now += ms;
	rig_clear(&f->rig);
	while (mapper_tick(rig_mapper(&f->rig)))
		rig_pump(&f->rig);
	rig_pump(&f->rig);
	rig_clear(&f->rig);
}

/* 10 names and PER_S packets a second. */
static void
flood(struct flood *f)
{
	const char *text = getenv("FLOOD_SECONDS");
	unsigned long seconds = text ? strtoul(text, NULL, 10) : FLOOD_S, t;
	unsigned i;

	for (t = 0; t < seconds * 1000 / TICK_MS; t++) {
		for (i = 0; i < PER_S * TICK_MS / 1000; i++) {
			flood_packet(f);
			if (i % (PER_S / 10) == 0)
				resolver_asks(f);
		}
		tick(f, TICK_MS);
		look(f);
	}
}

static struct flood *
flood_new(const char *net, unsigned peers, bool proves)
{
	struct flood *f = calloc(1, sizeof(*f));

	log_init("test", LOG_LEVEL_ERR, false);
	rig_init(&f->rig, net, "192.0.2.1");
	f->cfg = rig_config(&f->rig, net, "192.0.2.1");
	f->peers = peers;
	f->proves = proves;
	f->gateway = rig_join(&f->rig, ROLE_FEED);
	f->resolver = rig_join(&f->rig, ROLE_RESOLVE);
	return f;
}

static void
flood_free(struct flood *f)
{
	rig_fini(&f->rig);
	free(f);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What is there at most while it lasts: by the quotas, by time, by the part of
 * the pool. */
static void
check_bounds(struct flood *f)
{
	const struct allot_config *a = &f->cfg.allot;
	uint64_t nets = (f->peers + 49) / 50, tentative, rests, promoted;
	struct allot_stats st;
	uint64_t share;

	mapper_allot_stats(rig_mapper(&f->rig), &st);
	share = st.pool * a->peer_percent / 100;
	tentative = least(
		(uint64_t)f->peers * a->tentative_gw, nets * a->tentative_net);
	tentative = least(
		tentative, PER_S * (f->cfg.tentative_ms + 2 * TICK_MS) / 1000);
	/* Each rests for its short quarantine; new ones come meanwhile. */
	rests = tentative *
		(a->tentative_quarantine_ms / f->cfg.tentative_ms + 1);
	promoted = f->proves ? least((uint64_t)f->peers * a->peer_gw,
				       nets * a->peer_net)
			     : 0;
	ck_assert_uint_le(f->most_tentative, least(share, tentative + rests));
	ck_assert_uint_le(
		f->most_entries, f->asked + least(share, tentative + promoted));
	ck_assert_uint_le(f->most_blocks, share / BLOCK_SIZE + BLOCK_SIZE);
	ck_assert_uint_le(f->most_counters, CONTEXTS + 2 * (f->peers + nets));
}

/* Some time after the flood only what resolvers asked for is left of it. */
static void
check_after(struct flood *f, uint64_t ms)
{
	struct mapper *m = rig_mapper(&f->rig);
	struct allot_stats st;
	uint64_t until = f->rig.now + ms;

	while (f->rig.now < until)
		tick(f, ms / 400);
	mapper_allot_stats(m, &st);
	ck_assert_uint_eq(st.tentative, 0);
	ck_assert_uint_eq(st.tentative_gone, 0);
	ck_assert_uint_le(f->rig.store.blocks.n, 16);
	ck_assert_uint_eq(st.blocks, f->rig.store.blocks.n);
}

static void
report(const struct flood *f, const char *what)
{
	printf("%s: %llu mappings made, %llu refused, %llu names; at most %llu "
	       "entries, %llu tentative eas, %llu blocks, %llu counters\n",
		what, (unsigned long long)f->made,
		(unsigned long long)f->refused, (unsigned long long)f->asked,
		(unsigned long long)f->most_entries,
		(unsigned long long)f->most_tentative,
		(unsigned long long)f->most_blocks,
		(unsigned long long)f->most_counters);
	fflush(stdout);
}

static const struct {
	const char *what, *net;
	unsigned peers;
	bool proves;
} floods[] = {
	{"one peer", "10.240.0.0/12", 1, false},
	{"10,000 peers", "10.240.0.0/12", PEERS, false},
	{"10,000 peers, a small pool", "10.200.0.0/16", PEERS, false},
	{"one peer, proved", "10.240.0.0/12", 1, true},
	{"10,000 peers, proved, a small pool", "10.200.0.0/16", PEERS, true},
};

START_TEST(test_flood)
{
	struct flood *f =
		flood_new(floods[_i].net, floods[_i].peers, floods[_i].proves);
	const struct entries *es;

	flood(f);
	report(f, floods[_i].what);
	check_bounds(f);
	if (f->proves) {
		/* All ends by time, the names too, and may be had again. */
		check_after(f, 5 * HOUR);
		ck_assert_uint_eq(counters(f), 0);
	} else {
		check_after(f, HOUR);
		es = mapper_entries(rig_mapper(&f->rig));
		ck_assert_uint_eq(es->n[ENTRY_REMOTE], f->asked);
		ck_assert_uint_eq(counters(f), CONTEXTS);
	}
	resolver_asks(f);
	flood_free(f);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("flood");
	TCase *tc = tcase_create("flood");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 280);
	tcase_add_loop_test(tc, test_flood, 0, ARRAY_LEN(floods));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
