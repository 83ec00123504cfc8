/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Superpackets translated at once: their IPREF packets are, byte by byte and in
 * order, those that encap() makes of the packets that their host would have
 * sent without offloads (flight.h); and what must not go that way does not.
 *
 * BURST_FLIGHTS in the environment: how many superpackets, about; BURST_SEED:
 * another seed.
 */
#include "gwd/burst.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/encap.h"
#include "gwd/maps.h"
#include "gwd/udp_many.h"
#include "tests/unit/gwd/flight.h"
#include "tests/unit/run.h"

#define FLIGHTS	    2000
#define FLOCK	    3
#define WIRE_FLOCKS 50
#define BOUND_MS    5000
#define VERSIONS    4 /* of the local network and the tunnel */
#define SYN	    0x02

static uint8_t payload[FLIGHT_MAX];
static uint8_t raw[FLOCK][FLIGHT_VNET + FLIGHT_MAX];

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
read_flight(const struct flight *f, uint8_t *b, struct super *s)
{
	ck_assert_int_eq(super_read(s, b, flight_read(f, b)), DROP_NONE);
	ck_assert_uint_gt(s->n, 1);
}

/* --- the property ------------------------------------------------------- */

/* Flights to one peer, whose packets share batches. */
struct flock {
	const struct gateway *g;
	struct flight flight[FLOCK];
	size_t n, at, packet; /* which is next to be found in a batch */
	size_t n_segments;
	const struct wire *wire; /* NULL: batches don't really leave */
};

/* A socket on the loopback interface whose messages the kernel cuts, and one
 * that receives. */
struct wire {
	int from, to;
};

/* The next packet of the flock as its host would have sent it alone, translated
 * alone. */
static void
reference(struct flock *k, struct packet_out *out)
{
	static uint8_t packet[FLIGHT_MAX];
	struct packet_in in = {.p = packet, .number = (uint32_t)k->packet};

	ck_assert_uint_lt(k->at, k->n);
	in.len = flight_packet(&k->flight[k->at], k->packet, packet);
	encap(&k->g->set, k->g->maps, &in, out);
	ck_assert_int_eq(out->drop, DROP_NONE);
	if (++k->packet == flight_count(&k->flight[k->at])) {
		k->at++;
		k->packet = 0;
	}
}

/* The bytes of a batch, as a message of one piece. */
static size_t
flatten(const struct batch *t, uint8_t *message)
{
	const struct iovec *v;
	size_t i, len = 0;

	for (i = 0; i < 2 * t->n; i++) {
		v = &t->iov[i];
		ck_assert_uint_le(v->iov_len, BATCH_BYTES - len);
		memcpy(message + len, v->iov_base, v->iov_len);
		len += v->iov_len;
	}
	ck_assert_uint_eq(len, t->len);
	return len;
}

/* What the kernel cuts off as packet i of n; its length. */
static size_t
cut(const uint8_t *message, size_t len, const struct batch *t, size_t i,
	uint8_t *piece)
{
	size_t at = i * t->size, n = len - at;

	ck_assert_uint_lt(at, len);
	if (n > t->size)
		n = t->size;
	ck_assert_msg(i + 1 < t->n || at + n == len, "the rest");
	memcpy(piece, message + at, n);
	return n;
}

static void
wire_send(const struct wire *w, const struct batch *t)
{
	const struct msghdr m = {
		.msg_iov = (struct iovec *)(uintptr_t)t->iov,
		.msg_iovlen = 2 * t->n,
	};
	int size = t->n > 1 ? (int)t->size : 0;

	ck_assert_int_eq(
		setsockopt(w->from, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)),
		0);
	ck_assert_int_eq(sendmsg(w->from, &m, 0), (ssize_t)t->len);
}

static size_t
wire_receive(const struct wire *w, uint8_t *piece)
{
	struct pollfd p = {.fd = w->to, .events = POLLIN};
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, BOUND_MS), 1);
	n = recv(w->to, piece, BATCH_BYTES, 0);
	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

static void
check_batch(struct flock *k, const struct batch *t)
{
	static uint8_t tunnel[FLIGHT_MAX + GW_GROWTH];
	static uint8_t message[BATCH_BYTES], piece[BATCH_BYTES];
	struct packet_out want = {.p = tunnel, .size = sizeof(tunnel)};
	size_t i, n, len = flatten(t, message);

	ck_assert_uint_gt(t->n, 0);
	ck_assert_uint_le(t->n, t->max);
	if (k->wire)
		wire_send(k->wire, t);
	for (i = 0; i < t->n; i++, k->n_segments++) {
		reference(k, &want);
		if (k->wire)
			n = wire_receive(k->wire, piece);
		else
			n = cut(message, len, t, i, piece);
		if (n != want.len || memcmp(piece, want.p, n))
			ck_abort_msg("packet %zu of %zu", i, t->n);
		ck_assert(addr_eq(&t->peer, &want.peer));
		ck_assert_uint_eq(t->tos, want.tos);
	}
}

/* Flight f of the flock into batches; those that are full are checked. */
static void
fill(struct flock *k, size_t f, struct batch *t)
{
	static uint8_t tunnel[FLIGHT_MAX + GW_GROWTH];
	struct packet_out want = {.p = tunnel, .size = sizeof(tunnel)};
	struct flock one = {.g = k->g, .n = 1, .flight = {k->flight[f]}};
	struct super s;
	struct burst b;

	read_flight(&k->flight[f], raw[f], &s);
	ck_assert(burst_begin(&b, &k->g->set, k->g->maps, &s));
	reference(&one, &want);
	ck_assert_ptr_eq(b.used[0], want.used[0]);
	ck_assert_ptr_eq(b.used[1], want.used[1]);
	ck_assert_uint_eq(burst_size(&b), want.len);
	while (!burst_fill(&b, t)) {
		/* as many as go; behind other flights it may be none */
		ck_assert(k->at < f || t->n == t->max ||
			  t->len + burst_size(&b) > BATCH_BYTES);
		check_batch(k, t);
		batch_init(t, t->max);
	}
}

static void
check_flock(struct flock *k, size_t max)
{
	static struct batch t;
	size_t f;

	batch_init(&t, max);
	for (f = 0; f < k->n; f++)
		fill(k, f, &t);
	check_batch(k, &t);
	ck_assert_uint_eq(k->at, k->n);
}

/* Some flights, perhaps alike enough to share batches. */
static void
draw_flock(struct flock *k, uint64_t *rng)
{
	size_t i;

	k->n = 1 + flight_draw(rng, FLOCK);
	k->at = k->packet = 0;
	for (i = 0; i < k->n; i++) {
		if (!i || flight_draw(rng, 2))
			flight_random(&k->flight[i], rng, &k->g->host,
				&k->g->remote, payload);
		else
			k->flight[i] = k->flight[i - 1];
		k->flight[i].flags &= (uint8_t)~SYN;
	}
}

static void
check_flocks(
	unsigned versions, unsigned long n, const struct wire *wire, size_t max)
{
	static const uint64_t refs[] = {7, UINT64_C(1) << 40, UINT64_MAX};
	uint64_t seed = flight_number("BURST_SEED", 20261123) + versions;
	struct flock k = {.wire = wire};
	uint64_t rng = seed;
	struct gateway g;
	unsigned long i;

	for (i = 0; i < n; i++) {
		gateway_init(&g, versions, refs[flight_draw(&rng, 3)]);
		g.set.dec_ttl = flight_draw(&rng, 2);
		k.g = &g;
		draw_flock(&k, &rng);
		check_flock(&k, flight_draw(&rng, 2) ? max : BATCH_OLD);
		gateway_fini(&g);
	}
	printf("burst, versions %u%s: %zu packets of seed %llu\n", versions,
		wire ? ", cut by the kernel" : "", k.n_segments,
		(unsigned long long)seed);
}

START_TEST(test_property)
{
	check_flocks((unsigned)_i,
		flight_number("BURST_FLIGHTS", FLIGHTS) / VERSIONS / 2, NULL,
		BATCH_MAX);
}
END_TEST

/* --- the same, cut by the kernel ---------------------------------------- */

static void
wire_open(struct wire *w)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int room = 4 << 20;

	w->from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	w->to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert(w->from >= 0 && w->to >= 0);
	/* as much as it gives */
	(void)setsockopt(w->to, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	ck_assert_int_eq(bind(w->to, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(getsockname(w->to, (struct sockaddr *)&a, &len), 0);
	ck_assert_int_eq(connect(w->from, (struct sockaddr *)&a, len), 0);
}

START_TEST(test_cut_by_kernel)
{
	unsigned most = udp_most_segments();
	struct wire w;

	if (!most) {
		printf("burst: this kernel cuts nothing\n");
		return;
	}
	wire_open(&w);
	check_flocks((unsigned)_i, WIRE_FLOCKS, &w, most);
	close(w.from);
	close(w.to);
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

	read_flight(f, raw[0], &s);
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

/* Larger than what one message may have, with the tunnel's header. */
START_TEST(test_large)
{
	struct gateway g;
	struct flight f;

	gateway_init(&g, (unsigned)_i, 7);
	f = usual(&g);
	f.size = BATCH_BYTES - (4 + 2 * addr_len(g.set.tunnel_ver) + 8) - 20;
	f.len = f.size + 1;
	ck_assert(begins(&g, &f));
	f.size++;
	f.len++;
	ck_assert(!begins(&g, &f));
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
	read_flight(&f, raw[0], &s);
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
	tcase_add_loop_test(tc, test_cut_by_kernel, 0, VERSIONS);
	tcase_add_loop_test(tc, test_not_plain, 0, VERSIONS);
	tcase_add_loop_test(tc, test_large, 0, VERSIONS);
	tcase_add_test(tc, test_long_headers);
	tcase_add_test(tc, test_batch);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
