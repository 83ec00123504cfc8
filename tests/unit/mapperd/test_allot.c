/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The allotment: rules by tables, and random operations with a simulated clock
 * against a plain model. */
#include "help.h"
#include "mapperd/allot.h"
#include "mapperd/pool.h"
#include "tests/unit/run.h"

#define HOUR UINT64_C(3600000)

static struct allot_config
config(const char *net, struct dice *dice)
{
	struct allot_config cfg = {
		.encode = prefix_of(net),
		.quarantine_ms = 24 * HOUR,
		.reuse_ms = 2 * HOUR,
		.peer_percent = 75,
		.peer_gw = 1 << 20,
		.peer_net = 1 << 20,
		.resolver_gw = 1 << 20,
		.refs_per_s = 100,
		.refs_burst = 1000,
		.max = 1 << 20,
		.random = roll_bytes,
		.arg = dice,
	};

	cfg.own_local = prefix_host(&cfg.encode, 1);
	return cfg;
}

static uint64_t
pool_of(const char *net)
{
	struct dice dice = {1};
	struct allot_config cfg = config(net, &dice);
	struct allot *a = allot_new(&cfg);
	struct allot_stats st;

	ck_assert_ptr_nonnull(a);
	allot_stats(a, &st);
	allot_free(a);
	return st.pool;
}

START_TEST(test_pool_size)
{
	static const struct {
		const char *net;
		uint64_t n;
	} rows[] = {
		/* 256 values of the second byte, 16 of them for people, and
		 * the all-ones host part */
		{"10.240.0.0/12", 16 * 240 * 256 - 1},
		{"10.200.0.0/19", 16 * 256 - 1},
		/* the whole network above the rule: zeros, ones and our own
		 * address are inside */
		{"10.200.224.0/19", 32 * 256 - 3},
		{"10.0.0.0/8", 256 * 240 * 256 - 1},
		{"fd00:240::/64", UINT64_MAX},
		{"fd00:240::/112", 240 * 256 - 1},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(pool_of(rows[i].net) == rows[i].n, "%s: %llu",
			rows[i].net, (unsigned long long)pool_of(rows[i].net));
}
END_TEST

/* Every number once, drawn by rank, with removals in between. */
START_TEST(test_pool_nth)
{
	struct dice dice = {99};
	struct pool p;
	bool *seen;
	uint64_t i, k, n;
	unsigned bits;

	for (bits = 6; bits <= 16; bits += 5) {
		n = UINT64_C(1) << bits;
		seen = calloc(n, sizeof(*seen));
		ck_assert_int_eq(pool_init(&p, bits), 0);
		for (i = 0; i < n; i++)
			pool_add(&p, i);
		pool_add(&p, 3);
		ck_assert_uint_eq(p.n, n);
		while (p.n) {
			k = roll_below(&dice, p.n);
			i = pool_nth(&p, k);
			ck_assert_uint_lt(i, n);
			ck_assert(pool_has(&p, i));
			ck_assert(!seen[i]);
			seen[i] = true;
			pool_remove(&p, i);
			pool_remove(&p, i);
		}
		pool_fini(&p);
		free(seen);
	}
}
END_TEST

static void
check_ea(const struct allot_config *cfg, const struct addr *ea)
{
	char text[ADDR_TEXT_MAX];
	struct addr ones = prefix_host(&cfg->encode, UINT64_MAX);

	addr_format(ea, text);
	ck_assert_msg(prefix_has(&cfg->encode, ea), "%s outside", text);
	ck_assert_msg(addr_second_byte(ea) >= 16, "%s: rule", text);
	ck_assert_msg(!addr_eq(ea, &cfg->encode.addr), "%s: zeros", text);
	ck_assert_msg(!addr_eq(ea, &ones), "%s: ones", text);
	ck_assert_msg(!addr_eq(ea, &cfg->own_local), "%s: our own", text);
}

#define MODEL_MAX 8192 /* the /19's host parts */

enum model_state {
	NEVER,
	TAKEN,
	GONE
};

struct model {
	enum model_state state[MODEL_MAX];
	uint64_t since[MODEL_MAX];
	struct allot_ea handle[MODEL_MAX];
	size_t virgin, taken;
};

static size_t
host_of(const struct addr *ea)
{
	return (size_t)(ea->b[2] & 31) << 8 | ea->b[3];
}

static size_t
oldest_gone(const struct model *m)
{
	size_t i, best = MODEL_MAX;

	for (i = 0; i < MODEL_MAX; i++)
		if (m->state[i] == GONE &&
			(best == MODEL_MAX || m->since[i] < m->since[best]))
			best = i;
	return best;
}

static void
model_take(struct model *m, const struct allot_config *cfg,
	enum allot_result res, const struct allot_ea *out, uint64_t now)
{
	size_t i = host_of(&out->ea), oldest;

	if (res != ALLOT_OK) {
		ck_assert_int_eq(res, ALLOT_SPENT);
		ck_assert_uint_eq(m->virgin, 0);
		oldest = oldest_gone(m);
		ck_assert(oldest == MODEL_MAX ||
			  now - m->since[oldest] < cfg->reuse_ms);
		return;
	}
	check_ea(cfg, &out->ea);
	ck_assert_int_ne(m->state[i], TAKEN);
	if (m->virgin) {
		ck_assert_int_eq(m->state[i], NEVER);
		m->virgin--;
	} else {
		oldest = oldest_gone(m);
		ck_assert_uint_eq(m->since[i], m->since[oldest]);
		ck_assert_uint_ge(now - m->since[i], cfg->reuse_ms);
	}
	m->state[i] = TAKEN;
	m->handle[i] = *out;
	m->taken++;
}

static size_t
some_taken(const struct model *m, struct dice *dice)
{
	size_t i = roll_below(dice, MODEL_MAX), n;

	for (n = 0; n < MODEL_MAX; n++, i = (i + 1) % MODEL_MAX)
		if (m->state[i] == TAKEN)
			return i;
	return MODEL_MAX;
}

static void
run_model(uint64_t seed, unsigned n)
{
	struct dice dice = {seed};
	struct allot_config cfg = config("10.200.0.0/19", &dice);
	struct allot *a = allot_new(&cfg);
	struct addr gw = addr_of("192.0.2.7");
	struct model m = {.virgin = 16 * 256 - 1};
	uint64_t now = 1000 * HOUR, want = 0;
	struct allot_stats st;
	struct allot_ea out;
	enum allot_result res;
	size_t i;

	while (n--) {
		now += roll_below(&dice, 20000);
		/* Phases of more and of fewer, so that the pool gets full. */
		if (!roll_below(&dice, 4000))
			want = roll_below(&dice, 100);
		if (roll_below(&dice, 100) < want) {
			res = allot_ea(a, &gw, CAUSE_RESOLVER, now, &out);
			model_take(&m, &cfg, res, &out, now);
			if (res == ALLOT_OK && !roll_below(&dice, 10)) {
				/* The store could not: as if never taken. */
				i = host_of(&out.ea);
				allot_ea_undo(a, &out);
				m.state[i] = out.again ? GONE : NEVER;
				m.virgin += !out.again;
				m.taken--;
			}
			continue;
		}
		i = some_taken(&m, &dice);
		if (i == MODEL_MAX)
			continue;
		ck_assert_int_eq(allot_ea_gone(a, &m.handle[i].ea, &gw,
					 CAUSE_RESOLVER, now),
			0);
		m.state[i] = GONE;
		m.since[i] = now;
		m.taken--;
		allot_stats(a, &st);
		ck_assert_uint_eq(st.taken, m.taken);
	}
	allot_free(a);
}

START_TEST(test_model)
{
	uint64_t seed;

	for (seed = 1; seed <= 8; seed++)
		run_model(seed * 7919, 40000);
}
END_TEST

/* What was taken and gone before a restart is neither virgin afterwards. */
START_TEST(test_load)
{
	struct dice dice = {5};
	struct allot_config cfg = config("10.200.0.0/19", &dice);
	struct allot *a = allot_new(&cfg);
	struct addr gw = addr_of("192.0.2.7"), ea;
	struct addr other = addr_of("10.201.16.5");
	struct allot_ea out;
	struct allot_stats st;
	unsigned i, n = 0;

	for (i = 0; i < 100; i++) {
		ea = prefix_host(&cfg.encode, 4096 + i + 1);
		ck_assert(allot_ea_load(a, &ea, &gw, CAUSE_PEER));
		ea = prefix_host(&cfg.encode, 4096 + 200 + i);
		ck_assert_int_eq(
			allot_ea_load_gone(a, &ea, CAUSE_PEER, 10 * HOUR), 0);
	}
	ck_assert(!allot_ea_load(a, &other, &gw, CAUSE_PEER));
	ck_assert_int_eq(allot_ea_load_gone(a, &other, CAUSE_PEER, HOUR), 0);
	while (allot_ea(a, &gw, CAUSE_RESOLVER, 11 * HOUR, &out) == ALLOT_OK) {
		check_ea(&cfg, &out.ea);
		ck_assert(host_of(&out.ea) - 4097 >= 100);
		ck_assert(host_of(&out.ea) - 4296 >= 100);
		n++;
	}
	ck_assert_uint_eq(n, 16 * 256 - 1 - 200);
	allot_stats(a, &st);
	ck_assert_uint_eq(st.gone, 100);
	ck_assert_uint_eq(st.taken_peer, 200);
	/* Two hours gone, nothing else left: then they come. */
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_RESOLVER, 12 * HOUR, &out), ALLOT_OK);
	ck_assert(out.again);
	ck_assert_uint_lt(host_of(&out.ea) - 4296, 100);
	allot_free(a);
}
END_TEST

START_TEST(test_share)
{
	struct dice dice = {6};
	struct allot_config cfg = config("10.200.0.0/19", &dice);
	struct allot *a = allot_new(&cfg);
	struct addr gw = addr_of("192.0.2.7");
	struct allot_ea out[4096], more;
	size_t n = 0, resolvers = 0;

	while (allot_ea(a, &gw, CAUSE_PEER, HOUR, &out[n]) == ALLOT_OK)
		n++;
	ck_assert_uint_eq(n, 4095 * 75 / 100);
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_PEER, HOUR, &more), ALLOT_SHARE);
	/* What has gone still counts for peers: theirs must not eat up ours. */
	ck_assert_int_eq(
		allot_ea_gone(a, &out[0].ea, &gw, CAUSE_PEER, HOUR), 0);
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_PEER, HOUR, &more), ALLOT_SHARE);
	while (allot_ea(a, &gw, CAUSE_RESOLVER, HOUR, &more) == ALLOT_OK)
		resolvers++;
	ck_assert_uint_eq(resolvers, 4095 - n);
	allot_free(a);
}
END_TEST

START_TEST(test_quotas)
{
	static const struct {
		const char *gw;
		enum entry_cause cause;
		enum allot_result res;
	} rows[] = {
		{"192.0.2.1", CAUSE_PEER, ALLOT_OK},
		{"192.0.2.1", CAUSE_PEER, ALLOT_OK},
		{"192.0.2.1", CAUSE_PEER, ALLOT_QUOTA}, /* two per address */
		{"192.0.2.2", CAUSE_PEER, ALLOT_OK},
		{"192.0.2.3", CAUSE_PEER, ALLOT_QUOTA}, /* three per /24 */
		{"192.0.3.3", CAUSE_PEER, ALLOT_OK},
		{"192.0.2.1", CAUSE_RESOLVER, ALLOT_OK},
		{"192.0.2.1", CAUSE_RESOLVER, ALLOT_OK},
		{"192.0.2.1", CAUSE_RESOLVER, ALLOT_OK},
		{"192.0.2.1", CAUSE_RESOLVER, ALLOT_OK},
		{"192.0.2.1", CAUSE_RESOLVER, ALLOT_QUOTA}, /* four */
		{"2001:db8:1:1::1", CAUSE_PEER, ALLOT_OK},
		{"2001:db8:1:1::2", CAUSE_PEER, ALLOT_OK},
		{"2001:db8:1:1:8::", CAUSE_PEER, ALLOT_OK},
		{"2001:db8:1:1:9::", CAUSE_PEER, ALLOT_QUOTA}, /* per /64 */
		{"2001:db8:1:2::1", CAUSE_PEER, ALLOT_OK},
	};
	struct dice dice = {7};
	struct allot_config cfg = config("10.200.0.0/19", &dice);
	struct allot_ea out, first = {0};
	struct addr gw;
	struct allot *a;
	size_t i;

	cfg.peer_gw = 2;
	cfg.peer_net = 3;
	cfg.resolver_gw = 4;
	a = allot_new(&cfg);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		gw = addr_of(rows[i].gw);
		ck_assert_msg(allot_ea(a, &gw, rows[i].cause, HOUR, &out) ==
				      rows[i].res,
			"row %zu", i);
		if (!i)
			first = out;
	}
	/* One ends: there is room for one. */
	ck_assert_int_eq(
		allot_ea_gone(a, &first.ea, &first.gw, CAUSE_PEER, HOUR), 0);
	ck_assert_int_eq(
		allot_ea(a, &first.gw, CAUSE_PEER, HOUR, &out), ALLOT_OK);
	ck_assert_int_eq(
		allot_ea(a, &first.gw, CAUSE_PEER, HOUR, &out), ALLOT_QUOTA);
	allot_free(a);
}
END_TEST

START_TEST(test_references)
{
	struct dice dice = {8};
	struct allot_config cfg = config("10.240.0.0/12", &dice);
	struct allot *a = allot_new(&cfg);
	struct ref first, r;
	struct addr ea;
	bool is_ref;
	int i;

	for (i = 0; i < 100000; i++) {
		ck_assert_int_eq(allot_ref(a, HOUR, false, &r), ALLOT_OK);
		ck_assert_uint_ge(ref_second_byte(&r), 16);
		ck_assert_uint_eq(ref_wire_len(&r), 16);
	}
	/* The generator starts again: the same reference would come, but it is
	 * in quarantine. */
	dice.state = 8;
	ck_assert_int_eq(allot_ref(a, HOUR, false, &first), ALLOT_OK);
	ck_assert_int_eq(allot_ref_gone(a, &first, HOUR), 0);
	dice.state = 8;
	ck_assert_int_eq(allot_ref(a, HOUR, false, &r), ALLOT_OK);
	ck_assert(!ref_eq(&r, &first));
	ck_assert(!allot_forget(a, 24 * HOUR, &is_ref, &ea, &r));
	ck_assert(allot_forget(a, 25 * HOUR, &is_ref, &ea, &r));
	ck_assert(is_ref && ref_eq(&r, &first));
	ck_assert(!allot_forget(a, 25 * HOUR, &is_ref, &ea, &r));
	allot_free(a);
}
END_TEST

START_TEST(test_reference_rate)
{
	struct dice dice = {9};
	struct allot_config cfg = config("10.240.0.0/12", &dice);
	struct allot *a = allot_new(&cfg);
	struct ref r;
	int n = 0;

	while (allot_ref(a, HOUR, true, &r) == ALLOT_OK)
		n++;
	ck_assert_int_eq(n, 1000);
	ck_assert_int_eq(allot_ref(a, HOUR, true, &r), ALLOT_RATE);
	ck_assert_int_eq(allot_ref(a, HOUR, false, &r), ALLOT_OK);
	for (n = 0; allot_ref(a, HOUR + 500, true, &r) == ALLOT_OK;)
		n++;
	ck_assert_int_eq(n, 50);
	for (n = 0; allot_ref(a, 100 * HOUR, true, &r) == ALLOT_OK;)
		n++;
	ck_assert_int_eq(n, 1000);
	allot_free(a);
}
END_TEST

/* Networks without a bitmap: taken and gone ones are not drawn again, gone ones
 * are forgotten when their quarantine is over. */
START_TEST(test_large)
{
	struct dice dice = {10};
	struct allot_config cfg = config("fd00:240::/64", &dice);
	struct allot *a = allot_new(&cfg);
	struct addr gw = addr_of("2001:db8::1"), ea;
	struct allot_ea first, second;
	struct allot_stats st;
	struct ref ref;
	bool is_ref;

	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_RESOLVER, HOUR, &first), ALLOT_OK);
	check_ea(&cfg, &first.ea);
	dice.state = 10;
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_RESOLVER, HOUR, &second), ALLOT_OK);
	ck_assert(!addr_eq(&first.ea, &second.ea));
	ck_assert_int_eq(
		allot_ea_gone(a, &first.ea, &gw, CAUSE_RESOLVER, HOUR), 0);
	dice.state = 10;
	ck_assert_int_eq(
		allot_ea(a, &gw, CAUSE_RESOLVER, HOUR, &second), ALLOT_OK);
	ck_assert(!addr_eq(&first.ea, &second.ea));
	ck_assert(allot_forget(a, 25 * HOUR, &is_ref, &ea, &ref));
	ck_assert(!is_ref && addr_eq(&ea, &first.ea));
	allot_stats(a, &st);
	ck_assert_uint_eq(st.gone, 0);
	ck_assert_uint_eq(st.taken, 2);
	allot_free(a);
}
END_TEST

RUN_TESTS("allot", test_pool_size, test_pool_nth, test_model, test_load,
	test_share, test_quotas, test_references, test_reference_rate,
	test_large)
