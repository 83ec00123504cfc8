/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes made of real peers, paths and settings, and what lanes count on them.
 */
#include "gwd/steer.h"

#include "tests/unit/run.h"

#define T0	1000000ULL
#define PORT	4000
#define DEFAULT 1045
#define LEN	100
#define LANES	2

static const struct addr pub = {4, {198, 51, 100, 9}};

struct rig {
	struct steer s;
	struct gw_settings set;
	struct peer_confs confs;
	struct paths *paths;
	uint32_t hop; /* MTU of every first hop; 0: there is none */
	size_t n_asked;
};

static size_t n_retired;

/* Nobody else reads. */
static void
retire(void (*destroy)(void *p), void *p)
{
	n_retired++;
	destroy(p);
}

static uint32_t
path_mtu(const struct addr *peer, uint64_t now_ms, void *arg)
{
	struct rig *r = arg;
	uint32_t mtu = paths_get(r->paths, peer, now_ms);

	if (mtu || !r->hop)
		return mtu;
	r->n_asked++;
	paths_first_hop(r->paths, peer, r->hop, now_ms);
	return paths_get(r->paths, peer, now_ms);
}

static const struct conf_list empty;

static void
configure(struct rig *r, char *line, char *denied, uint8_t dscp, uint64_t now)
{
	const struct conf_list lines = {&line, line != NULL};
	const struct conf_list deny = {&denied, denied != NULL};
	const struct peer_conf_lists lists = {.peer = &lines,
		.allow = &empty,
		.deny = &deny,
		.ver = 4,
		.dscp = dscp};
	char why[200];
	size_t i;

	peer_confs_fini(&r->confs);
	ck_assert_int_eq(
		peer_confs_init(&r->confs, &lists, why, sizeof(why)), 0);
	peers_configure(r->s.peers, &r->confs, now);
	paths_unfix(r->paths);
	for (i = 0; i < r->confs.n; i++)
		if (r->confs.v[i].mtu)
			paths_fix(r->paths, &r->confs.v[i].addr,
				r->confs.v[i].mtu);
}

static void
start(struct rig *r, size_t max)
{
	*r = (struct rig){
		.set = {.local_ver = 4, .tunnel_ver = 4, .pub = pub},
		.hop = 1500,
		.paths = paths_new(max, PATHS_LOWEST_V4, 0),
	};
	r->s = (struct steer){
		.set = &r->set,
		.confs = &r->confs,
		.paths = r->paths,
		.peers = peers_new(max, DEFAULT),
		.routes = routes_new(max, LANES, retire),
		.path_mtu = path_mtu,
		.arg = r,
	};
	ck_assert(r->s.peers && r->s.routes && r->paths);
	peers_set_public(r->s.peers, &pub);
	steer_start(&r->s);
	configure(r, NULL, NULL, 0, T0);
}

static void
stop(struct rig *r)
{
	steer_stop(&r->s);
	routes_free(r->s.routes);
	peers_free(r->s.peers);
	paths_free(r->paths);
	peer_confs_fini(&r->confs);
}

static struct addr
peer_addr(uint32_t n)
{
	return (struct addr){4, {192, 0, (uint8_t)(n >> 8), (uint8_t)n}};
}

/* As the slow way does. */
static void
heard(struct rig *r, const struct addr *a, uint16_t port, uint64_t now)
{
	const struct endpoint from = {*a, port};

	steer_take(&r->s, a, now);
	peers_heard(r->s.peers, &from, &pub, LEN, now);
	steer_peer(&r->s, a, now);
}

static void
sent(struct rig *r, const struct addr *a, uint64_t now)
{
	steer_take(&r->s, a, now);
	(void)peers_sent(r->s.peers, a, LEN, now);
	steer_peer(&r->s, a, now);
}

/* Until there is a route, if there can be one. */
static void
heard_often(struct rig *r, const struct addr *a, uint16_t port, uint64_t now)
{
	int i;

	for (i = 0; i < STEER_PACKETS; i++)
		heard(r, a, port, now);
}

static void
sent_often(struct rig *r, const struct addr *a, uint64_t now)
{
	int i;

	for (i = 0; i < STEER_PACKETS; i++)
		sent(r, a, now);
}

static const struct route_way *
way_of(const struct rig *r, const struct addr *a)
{
	const struct route *route = routes_get(r->s.routes, a);

	return route ? route_way(route) : NULL;
}

/* As a lane does. */
static void
count(const struct rig *r, const struct addr *a, enum way way, uint64_t now)
{
	const struct route *route = routes_get(r->s.routes, a);

	ck_assert_ptr_nonnull(route);
	route_count(route, LANES - 1, way, 1, LEN, now);
}

START_TEST(test_when)
{
	struct addr a = peer_addr(1), b = peer_addr(2), none = peer_addr(3);
	char denied[] = "192.0.0.2";
	struct rig r;
	int i;

	start(&r, 100);
	configure(&r, NULL, denied, 0, T0);
	steer_peer(&r.s, &none, T0);
	ck_assert_ptr_null(way_of(&r, &none));
	ck_assert_uint_eq(peers_count(r.s.peers), 0);
	for (i = 1; i < STEER_PACKETS; i++) {
		sent(&r, &a, T0);
		ck_assert_ptr_null(way_of(&r, &a));
	}
	sent(&r, &a, T0);
	ck_assert_ptr_nonnull(way_of(&r, &a));
	sent_often(&r, &b, T0);
	ck_assert_ptr_null(way_of(&r, &b));
	sent_often(&r, &pub, T0);
	ck_assert_ptr_null(way_of(&r, &pub));
	ck_assert_uint_eq(r.n_asked, 1);
	r.hop = 0;
	sent_often(&r, &none, T0);
	ck_assert_ptr_null(way_of(&r, &none));
	stop(&r);
}
END_TEST

/* Those who only send to us have one, too. */
START_TEST(test_way)
{
	char line[] = "192.0.0.2 tos port=777 mtu=1400 ref=5";
	struct addr a = peer_addr(1), b = peer_addr(2);
	const struct route_way *way;
	struct rig r;

	start(&r, 100);
	configure(&r, line, NULL, 10, T0);
	sent_often(&r, &a, T0);
	way = way_of(&r, &a);
	ck_assert(addr_eq(&way->peer, &a));
	ck_assert_uint_eq(way->port, DEFAULT);
	ck_assert_uint_eq(way->src.ver, 0);
	ck_assert_uint_eq(way->to.ver, 0);
	ck_assert_uint_eq(way->mtu, 1500);
	ck_assert(!way->tos);
	ck_assert_uint_eq(way->dscp_tos, 10 << 2);
	ck_assert(ref_eq(&way->ref, &r.confs.others.ref));
	heard(&r, &a, PORT, T0);
	way = way_of(&r, &a);
	ck_assert_uint_eq(way->port, PORT);
	ck_assert(addr_eq(&way->src, &pub));
	ck_assert(addr_eq(&way->to, &pub));
	heard_often(&r, &b, 777, T0);
	way = way_of(&r, &b);
	ck_assert_uint_eq(way->port, 777);
	ck_assert(addr_eq(&way->to, &pub));
	ck_assert_uint_eq(way->mtu, 1400);
	ck_assert(way->tos);
	ck_assert_uint_eq(ref_cmp(&way->ref, &(struct ref){{[15] = 5}}), 0);
	stop(&r);
}
END_TEST

/* Nothing changes, nothing is done. */
START_TEST(test_quiet)
{
	const struct route_way *before;
	struct addr a = peer_addr(1);
	struct rig r;

	start(&r, 100);
	heard(&r, &a, PORT, T0);
	sent(&r, &a, T0);
	heard(&r, &a, PORT, T0);
	sent(&r, &a, T0);
	before = way_of(&r, &a);
	n_retired = 0;
	heard(&r, &a, PORT, T0 + 10);
	sent(&r, &a, T0 + 20);
	count(&r, &a, WAY_OUT, T0 + 30);
	steer_some(&r.s, T0 + 1000);
	ck_assert_ptr_eq(way_of(&r, &a), before);
	ck_assert_uint_eq(n_retired, 0);
	ck_assert_uint_eq(r.n_asked, 1);
	stop(&r);
}
END_TEST

START_TEST(test_counts)
{
	struct addr a = peer_addr(1);
	const struct peer *peer;
	struct rig r;

	start(&r, 100);
	heard(&r, &a, PORT, T0);
	sent(&r, &a, T0);
	heard(&r, &a, PORT, T0);
	sent(&r, &a, T0);
	count(&r, &a, WAY_IN, T0 + 100);
	count(&r, &a, WAY_OUT, T0 + 200);
	steer_some(&r.s, T0 + 1000);
	peer = peers_get(r.s.peers, &a);
	ck_assert_uint_eq(peer->in_packets, 3);
	ck_assert_uint_eq(peer->out_bytes, 3 * LEN);
	ck_assert_uint_eq(peer->heard_ms, T0 + 100);
	ck_assert_uint_eq(peer->used_ms, T0 + 200);
	ck_assert_uint_eq(peers_proved(r.s.peers), 1);
	steer_some(&r.s, T0 + 2000);
	ck_assert_uint_eq(peer->in_packets, 3);
	/* nor is anything lost that the slow way comes upon */
	count(&r, &a, WAY_IN, T0 + 2100);
	steer_peer(&r.s, &a, T0 + 2200);
	ck_assert_uint_eq(peer->in_packets, 4);
	stop(&r);
}
END_TEST

/* Lanes alone hear the peer; a datagram from another port comes a millisecond
 * later. */
START_TEST(test_port)
{
	struct addr a = peer_addr(1);
	struct rig r;

	start(&r, 100);
	heard_often(&r, &a, PORT, T0);
	count(&r, &a, WAY_IN, T0 + 1500);
	heard(&r, &a, 9999, T0 + 1501);
	ck_assert_uint_eq(way_of(&r, &a)->port, PORT);
	ck_assert_uint_eq(peers_stats(r.s.peers)->port_refusals, 1);
	count(&r, &a, WAY_IN, T0 + 2400);
	steer_some(&r.s, T0 + 2500);
	heard(&r, &a, 9999, T0 + 3399);
	ck_assert_uint_eq(way_of(&r, &a)->port, PORT);
	heard(&r, &a, 9999, T0 + 3400);
	ck_assert_uint_eq(way_of(&r, &a)->port, 9999);
	stop(&r);
}
END_TEST

/* Another port is set: what comes from it first is to teach it. */
START_TEST(test_pinned)
{
	struct addr a = peer_addr(1);
	char line[] = "192.0.0.1 port=777";
	struct rig r;

	start(&r, 100);
	heard_often(&r, &a, PORT, T0);
	configure(&r, line, NULL, 0, T0 + 1);
	steer_all(&r.s, T0 + 1);
	ck_assert_uint_eq(way_of(&r, &a)->port, 777);
	ck_assert(addr_eq(&way_of(&r, &a)->src, &pub));
	ck_assert_uint_eq(way_of(&r, &a)->to.ver, 0);
	heard(&r, &a, PORT, T0 + 2);
	ck_assert_uint_eq(way_of(&r, &a)->to.ver, 0);
	heard(&r, &a, 777, T0 + 3);
	ck_assert(addr_eq(&way_of(&r, &a)->to, &pub));
	stop(&r);
}
END_TEST

START_TEST(test_reload)
{
	struct addr a = peer_addr(1), b = peer_addr(2);
	char line[] = "192.0.0.2 tos mtu=1300", denied[] = "192.0.0.1";
	struct rig r;

	start(&r, 100);
	sent_often(&r, &a, T0);
	sent_often(&r, &b, T0);
	count(&r, &a, WAY_OUT, T0 + 1);
	configure(&r, line, denied, 0, T0 + 2);
	ck_assert_ptr_null(way_of(&r, &a));
	peers_set_default_port(r.s.peers, 2045);
	steer_all(&r.s, T0 + 2);
	ck_assert_ptr_null(peers_get(r.s.peers, &a));
	ck_assert_uint_eq(way_of(&r, &b)->mtu, 1300);
	ck_assert_uint_eq(way_of(&r, &b)->port, 2045);
	ck_assert(way_of(&r, &b)->tos);
	configure(&r, NULL, NULL, 0, T0 + 3);
	steer_all(&r.s, T0 + 3);
	ck_assert_uint_eq(way_of(&r, &b)->mtu, 1500);
	ck_assert(!way_of(&r, &b)->tos);
	stop(&r);
}
END_TEST

/* What is believed of a path ends: of one in use it is asked anew. */
START_TEST(test_path)
{
	struct addr a = peer_addr(1), b = peer_addr(2);
	uint64_t now;
	struct rig r;

	start(&r, 100);
	sent_often(&r, &a, T0);
	sent_often(&r, &b, T0 + 30000);
	ck_assert(paths_learn(r.paths, &a, 1400, T0 + 1));
	steer_peer(&r.s, &a, T0 + 1);
	ck_assert_uint_eq(way_of(&r, &a)->mtu, 1400);
	ck_assert_uint_eq(r.n_asked, 2);
	r.hop = 1480;
	for (now = T0 + 1000; now < T0 + PATHS_KEEP_MS; now += 1000) {
		if (way_of(&r, &b) && now <= T0 + 80000)
			count(&r, &b, WAY_IN, now - 1);
		count(&r, &a, WAY_OUT, now - 1);
		steer_some(&r.s, now);
		ck_assert_uint_eq(way_of(&r, &a)->mtu, 1400);
		ck_assert((way_of(&r, &b) != NULL) == (now < T0 + 90000));
	}
	ck_assert_uint_eq(paths_peek(r.paths, &a)->used_ms, now - 1000);
	ck_assert_uint_eq(r.n_asked, 2 + 9);
	count(&r, &a, WAY_OUT, now);
	steer_some(&r.s, now + 1000);
	ck_assert_uint_eq(way_of(&r, &a)->mtu, 1480);
	/* no route of the kernel's any more */
	r.hop = 0;
	for (; now < T0 + PATHS_KEEP_MS + PATHS_HOP_MS + 2000; now += 1000) {
		if (way_of(&r, &a))
			count(&r, &a, WAY_OUT, now);
		steer_some(&r.s, now + 1000);
	}
	ck_assert_ptr_null(way_of(&r, &a));
	stop(&r);
}
END_TEST

/* Also where the MTU of the first hop never has to be asked for. */
START_TEST(test_idle)
{
	struct addr a = peer_addr(1);
	struct rig r;

	start(&r, 100);
	paths_set_initial(r.paths, 1500);
	sent_often(&r, &a, T0);
	steer_some(&r.s, T0 + STEER_IDLE_MS - 1);
	count(&r, &a, WAY_IN, T0 + STEER_IDLE_MS);
	steer_some(&r.s, T0 + STEER_IDLE_MS);
	ck_assert_ptr_nonnull(way_of(&r, &a));
	steer_some(&r.s, T0 + 2 * STEER_IDLE_MS - 1);
	ck_assert_ptr_nonnull(way_of(&r, &a));
	steer_some(&r.s, T0 + 2 * STEER_IDLE_MS);
	ck_assert_ptr_null(way_of(&r, &a));
	sent(&r, &a, T0 + 3 * STEER_IDLE_MS);
	ck_assert_ptr_nonnull(way_of(&r, &a));
	stop(&r);
}
END_TEST

/* Its route goes with it, and what a lane still counts is of nobody. */
START_TEST(test_pushed_out)
{
	struct addr a = peer_addr(1), other;
	struct rig r;
	uint32_t i;

	start(&r, 16);
	sent_often(&r, &a, T0);
	count(&r, &a, WAY_OUT, T0);
	for (i = 100; i < 120; i++) {
		other = peer_addr(i);
		heard(&r, &other, PORT, T0 + 1);
	}
	ck_assert_ptr_null(peers_get(r.s.peers, &a));
	ck_assert_ptr_null(way_of(&r, &a));
	steer_take(&r.s, &a, T0 + 2);
	ck_assert_ptr_null(peers_get(r.s.peers, &a));
	heard(&r, &a, 9999, T0 + 3);
	ck_assert_uint_eq(peers_get(r.s.peers, &a)->out_packets, 0);
	ck_assert_int_eq(peers_get(r.s.peers, &a)->proof, PEER_HEARD);
	/* a route needs to be worth it anew */
	ck_assert_ptr_null(way_of(&r, &a));
	heard_often(&r, &a, 9999, T0 + 4);
	ck_assert_uint_eq(way_of(&r, &a)->port, 9999);
	stop(&r);
}
END_TEST

/* Made-up addresses get no routes, and who is heard by lanes alone stays. */
START_TEST(test_flood)
{
	struct addr a = peer_addr(1), other;
	struct rig r;
	uint32_t i;

	start(&r, 64);
	heard_often(&r, &a, PORT, T0);
	for (i = 100; i < 10100; i++) {
		if (i % 4 == 0)
			count(&r, &a, WAY_IN, T0 + i);
		other = peer_addr(i);
		heard(&r, &other, PORT, T0 + i);
	}
	ck_assert_uint_eq(peers_count(r.s.peers), 64);
	ck_assert_uint_eq(routes_count(r.s.routes), 1);
	ck_assert_uint_eq(way_of(&r, &a)->port, PORT);
	ck_assert_uint_ge(peers_get(r.s.peers, &a)->in_packets, 2400);
	ck_assert_int_eq(peers_get(r.s.peers, &a)->proof, PEER_HEARD);
	stop(&r);
}
END_TEST

static void
check_routes(const struct rig *r, uint32_t n_peers)
{
	struct addr a;
	uint32_t i;

	for (i = 0; i < n_peers; i++) {
		a = peer_addr(i);
		ck_assert((way_of(r, &a) == NULL) ==
			  (peers_get(r->s.peers, &a) == NULL));
	}
}

/* There is always room for the route of a new peer. */
START_TEST(test_full)
{
	struct addr a;
	struct rig r;
	uint32_t i;

	start(&r, 64);
	for (i = 0; i < 500; i++) {
		a = peer_addr(i);
		sent_often(&r, &a, T0 + i);
		ck_assert_ptr_nonnull(way_of(&r, &a));
	}
	ck_assert_uint_eq(routes_count(r.s.routes), 64);
	check_routes(&r, 500);
	steer_all(&r.s, T0 + 1000);
	ck_assert_uint_eq(routes_count(r.s.routes), 64);
	stop(&r);
}
END_TEST

static size_t
n_taken(const struct rig *r)
{
	const struct peer *p;
	size_t pos = 0, n = 0;

	while ((p = peers_next(r->s.peers, &pos)))
		n += p->in_packets == 1;
	return n;
}

/* A look is bounded, and looks come to all. */
START_TEST(test_many)
{
	const uint32_t n = 2 * STEER_SOME + 100;
	struct addr a;
	struct rig r;
	uint32_t i;

	start(&r, n + 100);
	for (i = 0; i < n; i++) {
		a = peer_addr(i);
		sent_often(&r, &a, T0);
		count(&r, &a, WAY_IN, T0 + 1);
	}
	for (i = 1; i <= 2; i++) {
		steer_some(&r.s, T0 + 1 + i);
		ck_assert_uint_eq(n_taken(&r), i * STEER_SOME);
	}
	steer_some(&r.s, T0 + 4);
	ck_assert_uint_eq(n_taken(&r), n);
	for (i = 0; i < n; i++) {
		a = peer_addr(i);
		count(&r, &a, WAY_OUT, T0 + 5);
	}
	steer_all(&r.s, T0 + 6);
	for (i = 0; i < n; i++) {
		a = peer_addr(i);
		ck_assert_uint_eq(peers_get(r.s.peers, &a)->out_packets,
			STEER_PACKETS + 1);
	}
	stop(&r);
}
END_TEST

RUN_TESTS("steer", test_when, test_way, test_quiet, test_counts, test_port,
	test_pinned, test_reload, test_path, test_idle, test_pushed_out,
	test_flood, test_full, test_many)
