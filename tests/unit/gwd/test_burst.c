/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A superpacket translated at once: its IPREF packets are, byte by byte and in
 * order, those that encap() makes of its segments one by one; and what must not
 * go that way does not.
 *
 * BURST_FLIGHTS in the environment: how many superpackets; BURST_SEED: another
 * seed.
 */
#include "gwd/burst.h"

#include <stdio.h>

#include "gwd/encap.h"
#include "gwd/maps.h"
#include "tests/unit/gwd/flight.h"
#include "tests/unit/run.h"

#define FLIGHTS	 2000
#define VERSIONS 4 /* of the local network and the tunnel */
#define SYN	 0x02

static uint8_t payload[FLIGHT_MAX];
static uint8_t raw[FLIGHT_VNET + FLIGHT_MAX];

struct gateway {
	struct gw_settings set;
	struct maps *maps;
	struct addr host, remote, peer;
};

static struct addr
address(uint8_t ver, uint8_t first, uint8_t last)
{
	struct addr a = addr_zero(ver);

	a.b[0] = first;
	a.b[addr_len(ver) - 1] = last;
	return a;
}

static void
map_end(struct gateway *g, const struct addr *ip, const struct addr *ea,
	const struct addr *gw, uint64_t ref)
{
	struct msg_entry e = {.flags = MSG_ENTRY_LISTED, .born = 1};

	if (ip)
		e.arec.ip = *ip;
	else
		e.arec.ea = *ea;
	e.arec.gw = *gw;
	e.arec.ref = ref_from_u64(ref);
	ck_assert_int_eq(maps_set(g->maps, &e), 0);
}

/* i: which combination of versions; ref: of the remote host. */
static void
gateway_init(struct gateway *g, unsigned i, uint64_t ref)
{
	uint8_t local = i & 1 ? 6 : 4, tunnel = i & 2 ? 6 : 4;

	*g = (struct gateway){
		.set =
			{
				.local_ver = local,
				.tunnel_ver = tunnel,
				.pub = address(tunnel, 0x20, 1),
				.own_local = address(local, 0x21, 1),
				.own_ref = ref_from_u64(0x100),
				.encode_net = {address(local, 10, 0), 8},
			},
		.host = address(local, 0x22, 2),
		.remote = address(local, 10, 3),
		.peer = address(tunnel, 0x23, 4),
	};
	g->maps = maps_new(&g->set.pub, 10);
	ck_assert_ptr_nonnull(g->maps);
	map_end(g, &g->host, NULL, &g->set.pub, 0x1234);
	map_end(g, NULL, &g->remote, &g->peer, ref);
}

static void
gateway_fini(struct gateway *g)
{
	maps_free(g->maps);
}

static void
read_flight(const struct flight *f, struct super *s)
{
	ck_assert_int_eq(super_read(s, raw, flight_read(f, raw)), DROP_NONE);
	ck_assert_uint_gt(s->n, 1);
}

/* --- the property ------------------------------------------------------- */

/* Packet i of the flight, one by one. */
static void
reference(const struct gateway *g, const struct super *s, size_t i,
	struct packet_out *out)
{
	static uint8_t packet[FLIGHT_MAX];
	struct packet_in in = {.p = packet, .number = (uint32_t)i};

	in.len = super_segment(s, i, packet, sizeof(packet));
	ck_assert_uint_gt(in.len, 0);
	encap(&g->set, g->maps, &in, out);
	ck_assert_int_eq(out->drop, DROP_NONE);
}

/* What the kernel will cut off as packet i of t. */
static void
check_packet(const struct batch *t, size_t i, const struct packet_out *want)
{
	const struct iovec *v = &t->iov[2 * i];
	size_t len = v[0].iov_len + v[1].iov_len;

	if (len != want->len || memcmp(v[0].iov_base, want->p, v[0].iov_len) ||
		memcmp(v[1].iov_base, want->p + v[0].iov_len, v[1].iov_len))
		ck_abort_msg("packet %zu of %zu", i, t->n);
	if (i + 1 < t->n ? len != t->size : len != t->last || len > t->size)
		ck_abort_msg("size of packet %zu of %zu", i, t->n);
	ck_assert(addr_eq(&t->peer, &want->peer));
	ck_assert_uint_eq(t->tos, want->tos);
}

/* Checks t, whose first packet is segment `first`; returns which is next. */
static size_t
check_batch(const struct gateway *g, const struct super *s,
	const struct burst *b, const struct batch *t, size_t first)
{
	static uint8_t tunnel[FLIGHT_MAX + GW_GROWTH];
	struct packet_out want = {.p = tunnel, .size = sizeof(tunnel)};
	size_t i, bytes = 0;

	ck_assert_uint_gt(t->n, 0);
	ck_assert_uint_le(t->n, t->max);
	ck_assert_uint_le(t->len, BATCH_BYTES);
	for (i = 0; i < t->n; i++) {
		reference(g, s, first + i, &want);
		check_packet(t, i, &want);
		bytes += want.len;
		ck_assert_ptr_eq(b->used[0], want.used[0]);
		ck_assert_ptr_eq(b->used[1], want.used[1]);
	}
	ck_assert_uint_eq(t->len, bytes);
	return first + t->n;
}

static void
check_burst(const struct gateway *g, const struct flight *f, size_t max)
{
	static struct batch t;
	struct super s;
	struct burst b;
	size_t next = 0;
	bool done;

	read_flight(f, &s);
	ck_assert(burst_begin(&b, &g->set, g->maps, &s));
	do {
		batch_init(&t, max);
		done = burst_fill(&b, &t);
		if (t.n > 1)
			ck_assert_uint_eq(t.size, burst_size(&b));
		/* as many as go */
		ck_assert(done || t.n == max ||
			  t.len + burst_size(&b) > BATCH_BYTES);
		next = check_batch(g, &s, &b, &t, next);
	} while (!done);
	ck_assert_uint_eq(next, s.n);
}

START_TEST(test_property)
{
	static const uint64_t refs[] = {7, UINT64_C(1) << 40, UINT64_MAX};
	unsigned long n = flight_number("BURST_FLIGHTS", FLIGHTS), i;
	uint64_t seed = flight_number("BURST_SEED", 20261123) + (unsigned)_i;
	uint64_t rng = seed;
	struct gateway g;
	struct flight f;

	for (i = 0; i < n / VERSIONS; i++) {
		gateway_init(&g, (unsigned)_i, refs[flight_draw(&rng, 3)]);
		g.set.dec_ttl = flight_draw(&rng, 2);
		flight_random(&f, &rng, &g.host, &g.remote, payload);
		f.flags &= (uint8_t)~SYN;
		check_burst(
			&g, &f, flight_draw(&rng, 2) ? BATCH_OLD : BATCH_MAX);
		gateway_fini(&g);
	}
	printf("burst, versions %d: %lu flights of seed %llu\n", _i, i,
		(unsigned long long)seed);
}
END_TEST

/* --- what goes one by one ----------------------------------------------- */

static struct flight
usual(const struct gateway *g)
{
	return (struct flight){
		.ver = g->set.local_ver,
		.proto = 6,
		.src = g->host,
		.dst = g->remote,
		.ttl = 64,
		.flags = 0x10,
		.payload = payload,
		.len = 300,
		.size = 100,
	};
}

static bool
begins(const struct gateway *g, const struct flight *f)
{
	struct super s;
	struct burst b;

	read_flight(f, &s);
	return burst_begin(&b, &g->set, g->maps, &s);
}

START_TEST(test_not_plain)
{
	struct gateway g;
	struct flight f;

	gateway_init(&g, (unsigned)_i, 7);
	f = usual(&g);
	ck_assert(begins(&g, &f));
	f.flags |= SYN;
	ck_assert(!begins(&g, &f));

	f = usual(&g);
	f.src.b[1] = 1;
	ck_assert_msg(!begins(&g, &f), "an unknown source");
	f = usual(&g);
	f.dst.b[1] = 1;
	ck_assert_msg(!begins(&g, &f), "an unknown destination");

	f = usual(&g);
	f.ttl = 1;
	ck_assert(begins(&g, &f));
	g.set.dec_ttl = true;
	ck_assert_msg(!begins(&g, &f), "the end of its time");

	f = usual(&g);
	g.set.local_ver = 10 - g.set.local_ver;
	ck_assert_msg(!begins(&g, &f), "another IP version");
	gateway_fini(&g);
}
END_TEST

/* More headers than a template takes: not a burst, but segments. */
START_TEST(test_long_headers)
{
	uint8_t out[1024];
	struct gateway g;
	struct flight f;
	struct super s;
	struct burst b;

	gateway_init(&g, 1, 7);
	f = usual(&g);
	f.options = 192;
	f.tcp_more = BURST_TEMPLATE - 40 - 192 - 20;
	ck_assert(begins(&g, &f));
	f.tcp_more += 4;
	read_flight(&f, &s);
	ck_assert(!burst_begin(&b, &g.set, g.maps, &s));
	ck_assert_uint_gt(super_segment(&s, 0, out, sizeof(out)), 0);
	gateway_fini(&g);
}
END_TEST

/* --- batches ------------------------------------------------------------ */

/* Packets of any flow to a peer share a batch as long as their sizes do. */
START_TEST(test_batch)
{
	static struct batch t;
	static uint8_t bytes[BATCH_BYTES];
	struct addr a = address(4, 1, 1), b = address(4, 1, 2);
	size_t i;

	batch_init(&t, 3);
	ck_assert(batch_takes(&t, &a, 0, BATCH_BYTES));
	ck_assert(!batch_takes(&t, &a, 0, BATCH_BYTES + 1));
	memset(batch_add(&t, &a, 5, 8, bytes, 92), 1, 8);
	ck_assert(batch_takes(&t, &a, 5, 100));
	ck_assert(batch_takes(&t, &a, 5, 1));
	ck_assert_msg(!batch_takes(&t, &a, 5, 101), "larger");
	ck_assert_msg(!batch_takes(&t, &b, 5, 100), "another peer");
	ck_assert_msg(!batch_takes(&t, &a, 4, 100), "another class");
	(void)batch_add(&t, &a, 5, 0, bytes, 99);
	ck_assert_msg(!batch_takes(&t, &a, 5, 99), "behind a shorter one");

	batch_init(&t, 3);
	for (i = 0; i < 3; i++) {
		ck_assert(batch_takes(&t, &b, 0, 100));
		(void)batch_add(&t, &b, 0, 0, bytes, 100);
	}
	ck_assert_msg(!batch_takes(&t, &b, 0, 100), "too many");
	ck_assert_uint_eq(t.len, 300);

	batch_init(&t, 1000);
	ck_assert_uint_eq(t.max, BATCH_MAX);
	(void)batch_add(&t, &b, 0, 0, bytes, BATCH_BYTES / 2 + 1);
	ck_assert(batch_takes(&t, &b, 0, BATCH_BYTES / 2));
	ck_assert_msg(!batch_takes(&t, &b, 0, BATCH_BYTES / 2 + 1), "bytes");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("burst");
	TCase *tc = tcase_create("burst");
	SRunner *runner;
	int bad;

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(tc, test_property, 0, VERSIONS);
	tcase_add_loop_test(tc, test_not_plain, 0, VERSIONS);
	tcase_add_test(tc, test_long_headers);
	tcase_add_test(tc, test_batch);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
