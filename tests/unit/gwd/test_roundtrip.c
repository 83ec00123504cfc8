/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random packets from a host of site A, or its gateway, to one of site B, in
 * every combination of IP versions of A, B and the tunnel: translated at A, cut
 * up or not on the way, translated at B. What B's host gets is, byte by byte,
 * what the description of the packet says (trip.h).
 *
 * ROUNDTRIP_PACKETS in the environment: how many in all; ROUNDTRIP_SEED:
 * another seed.
 */
#include <stdio.h>

#include "gwd/decap.h"
#include "gwd/encap.h"
#include "gwd/frag.h"
#include "gwd/header.h"
#include "gwd/maps.h"
#include "tests/unit/gwd/trip.h"
#include "tests/unit/run.h"

#define PACKETS	     100000
#define COMBINATIONS 8
#define PER_PAIR     100
#define NUMBER	     0x7777
#define PIECES_IDENT 0x12345678

/* Without a note in Check's log each time it holds. */
#define NEED(x)                                                                \
	do {                                                                   \
		if (!(x))                                                      \
			failed(#x, __LINE__);                                  \
	} while (0)

/* The random numbers, the gateways, the packet at hand: for failed(). */
static uint64_t rng, seed;
static unsigned long packet_nr;
static uint8_t pool[2 * TRIP_L4_MAX];

struct pair {
	uint8_t ver[2], tunnel;
	struct gw_settings set[2];
	struct maps *maps[2];
	struct trip_host host[2]; /* of A, of B */
	struct ref ref[2];	  /* theirs */
};

static void
failed(const char *what, int line)
{
	ck_abort_msg("line %d: %s; packet %lu of seed %llu", line, what,
		packet_nr, (unsigned long long)seed);
}

static uint32_t
draw(uint32_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(((rng >> 32) * below) >> 32);
}

/* --- sites -------------------------------------------------------------- */

static struct ref
random_ref(void)
{
	static const size_t lens[] = {1, 3, 4, 7, 8, 15, 16};
	size_t len = lens[draw(ARRAY_LEN(lens))], i;
	struct ref r = {0};

	for (i = 0; i < len; i++)
		r.b[REF_LEN - 1 - i] = (uint8_t)(1 + draw(255));
	if (draw(2))
		r.b[0] = (uint8_t)draw(256);
	return r;
}

/* Begins with these two bytes; is never the gateway's own. */
static struct addr
random_addr(uint8_t ver, uint8_t first, uint8_t second)
{
	struct addr a = addr_zero(ver);
	size_t i;

	for (i = 2; i < addr_len(ver); i++)
		a.b[i] = (uint8_t)draw(256);
	a.b[0] = first;
	a.b[1] = second;
	a.b[3] |= 2;
	return a;
}

static struct addr
encoded(uint8_t ver, uint8_t second)
{
	return ver == 4 ? random_addr(4, 10, second)
			: random_addr(6, 0xfd, second);
}

static void
map_host(struct pair *p, enum site_nr site, enum site_nr whose)
{
	struct msg_entry e = {.born = 1};
	struct addr *addr = site == whose ? &e.arec.ip : &e.arec.ea;

	*addr = p->host[whose].at[site];
	e.arec.gw = p->set[whose].pub;
	e.arec.ref = p->ref[whose];
	NEED(!maps_set(p->maps[site], &e));
}

static void
init_site(struct pair *p, enum site_nr site)
{
	uint8_t ver = p->ver[site];
	struct gw_settings *set = &p->set[site];
	struct addr net = addr_zero(ver);
	bool itself = !draw(8);

	net.b[0] = ver == 4 ? 10 : 0xfd;
	net.b[1] = 240;
	*set = (struct gw_settings){
		.local_ver = ver,
		.tunnel_ver = p->tunnel,
		.pub = random_addr(p->tunnel, 0x20, (uint8_t)(1 + site)),
		.own_local = encoded(ver, 240),
		.own_ref = ref_from_u64(0x100), /* never drawn */
		.encode_net = {.addr = net, .len = 12},
	};
	p->ref[site] = itself ? set->own_ref : random_ref();
	p->host[site].at[site] = itself	    ? set->own_local
				 : ver == 4 ? random_addr(4, 192, 168)
					    : random_addr(6, 0x20, 0x01);
	p->host[site].at[!site] = encoded(p->ver[!site], 242);
	p->maps[site] = maps_new(&set->pub, 2);
	NEED(p->maps[site]);
}

static void
init_pair(struct pair *p, unsigned combination)
{
	enum site_nr site;

	p->ver[A] = combination & 1 ? 6 : 4;
	p->ver[B] = combination & 2 ? 6 : 4;
	p->tunnel = combination & 4 ? 6 : 4;
	for (site = A; site <= B; site++)
		init_site(p, site);
	for (site = A; site <= B; site++) {
		map_host(p, site, A);
		map_host(p, site, B);
	}
}

static void
fini_pair(struct pair *p)
{
	maps_free(p->maps[A]);
	maps_free(p->maps[B]);
}

/* --- packets ------------------------------------------------------------ */

static const struct {
	uint8_t proto;
	size_t field, min;
} protos[] = {{6, 16, 20}, {17, 6, 8}, {33, 6, 12}, {136, 6, 8}, {132, 0, 0},
	{47, 0, 0}, {50, 0, 0}, {4, 0, 0}, {253, 0, 0}};

/* ICMPv4, ICMPv6. */
static const uint8_t echoes[][2][2] = {{{0, 0}, {129, 0}}, {{8, 0}, {128, 0}}};
static const uint8_t errors[][2][2] = {{{3, 4}, {2, 0}}, {{3, 0}, {1, 0}},
	{{3, 1}, {1, 3}}, {{3, 3}, {1, 4}}, {{3, 13}, {1, 1}},
	{{11, 0}, {3, 0}}, {{11, 1}, {3, 1}}};

static size_t
random_len(size_t min)
{
	return min + draw(draw(8) ? 64 : 1400);
}

/* What is the same in all kinds. */
static void
init_trip(struct trip *t, const struct pair *p, unsigned level)
{
	enum site_nr from = level % 2 ? B : A;

	*t = (struct trip){
		.src = &p->host[from],
		.dst = &p->host[!from],
		.ttl = (uint8_t)draw(256),
		.tos = (uint8_t)draw(256),
		.df = draw(2),
		.ident = draw(UINT32_MAX),
		.data = pool + draw(TRIP_L4_MAX - 1500),
	};
	if (!draw(4))
		t->options = p->ver[A] == 6 ? 8 * (1 + draw(3)) : 4 * draw(4);
}

static void
random_leaf(struct trip *t, bool inner)
{
	size_t kind = draw(ARRAY_LEN(protos) + 2);
	static uint8_t udp[TRIP_L4_MAX];

	t->wrong = (uint16_t)(draw(8) ? 0 : draw(0xffff));
	if (kind >= ARRAY_LEN(protos)) {
		t->kind = TRIP_ECHO;
		t->proto = 1;
		t->field = 2;
		t->len = random_len(8);
		memcpy(t->type, echoes[draw(2)], sizeof(t->type));
	} else {
		t->proto = protos[kind].proto;
		t->field = protos[kind].field;
		t->len = random_len(protos[kind].min);
	}
	if (t->proto == 17 && !inner) {
		memcpy(udp, t->data, t->len);
		trip_put16(udp + 4, (uint32_t)t->len);
		t->data = udp;
	}
	if (t->proto == 17 || t->proto == 136)
		t->none = !draw(8);
	t->pseudo_len = (uint32_t)t->len;
	t->there = t->claimed = t->len;
}

/* Quoted: perhaps the first fragment, perhaps cut. */
static void
cut_leaf(struct trip *t, const struct pair *p)
{
	if (t->proto != 1 && !draw(4)) {
		t->mf = draw(2);
		t->frag = t->mf || p->ver[A] == 6;
	}
	if (t->mf)
		t->len = t->claimed = t->there = (t->len + 7) & ~(size_t)7;
	if (draw(2))
		t->there = draw((uint32_t)t->there + 1);
	/* A whole echo, else half of what its checksum needs is missing. */
	if (t->there < 8)
		t->there = t->len < 8 ? t->len : 8;
}

/* more: room for what it quotes, down to the fourth packet, which gets lost. */
static void
random_inner(
	struct trip *t, struct trip *more, const struct pair *p, unsigned level)
{
	init_trip(t, p, level);
	if (level == 3 || draw(4)) {
		random_leaf(t, true);
		cut_leaf(t, p);
		if (level > 1 && t->there > 200)
			t->there = 200;
		return;
	}
	t->kind = TRIP_ERROR;
	t->proto = 1;
	memcpy(t->type, errors[1 + draw(6)], sizeof(t->type));
	t->inner = more;
	random_inner(more, more + 1, p, level + 1);
}

static void
random_error(struct trip *t, struct trip *inner, const struct pair *p)
{
	size_t kind = draw(ARRAY_LEN(errors));

	t->kind = TRIP_ERROR;
	t->proto = 1;
	memcpy(t->type, errors[kind], sizeof(t->type));
	if (kind == 0)
		t->rest = 576 + draw(draw(2) ? 1500 : 0xffff - 576);
	if (kind == 0 && p->ver[A] == 6 && !draw(8))
		t->rest += draw(1 << 20);
	t->inner = inner;
	random_inner(inner, inner + 1, p, 1);
}

/* --- what has to arrive ------------------------------------------------- */

static bool
always_df(const struct pair *p)
{
	return p->ver[A] == 6;
}

/* Its I in the tunnel. */
static bool
has_fragment_info(const struct trip *t)
{
	return t->frag && (t->proto != 1 || t->off || t->mf);
}

static size_t
ipref_header(const struct pair *p, bool frag)
{
	size_t a = ref_wire_len(&p->ref[A]), b = ref_wire_len(&p->ref[B]);
	size_t addr = p->tunnel == 6 ? 16 : 4;

	return 4 + (frag ? 8 : 0) + 2 * addr + 2 * (a > b ? a : b);
}

static size_t
at_most(size_t n, size_t max)
{
	return n < max ? n : max;
}

/* 576 bytes at either end, and an even number of them. */
static void
expect_quoted(struct trip *t, const struct pair *p, unsigned level)
{
	size_t before = trip_header(t, A);
	size_t after = ipref_header(p, has_fragment_info(t));

	if (level == 1)
		t->there = at_most(before + t->there, 576) - before;
	t->there &= ~(size_t)1;
	if (level == 1)
		t->there = at_most(after + t->there, 576) - after;
	t->claimed = t->there;
	t->pseudo_len = (uint32_t)t->there;
}

static uint32_t
expect_mtu(const struct trip *t, const struct pair *p)
{
	bool frag = has_fragment_info(t->inner);
	size_t mtu = at_most(t->rest, 0xffff) - 28;

	if (!t->rest)
		return 0;
	mtu += p->ver[B] == 6 ? 40 + (frag ? 8 : 0) : 20;
	mtu -= ipref_header(p, frag);
	if (p->ver[B] == 6 && mtu < 1280)
		mtu = 1280;
	return (uint32_t)at_most(mtu, 0xffff);
}

/* From what leaves A to what has to arrive at B. */
static void
expect(struct trip *t, const struct pair *p, unsigned level)
{
	if (t->kind == TRIP_ERROR)
		t->rest = level == 0 ? expect_mtu(t, p) : 0;
	else if (level > 0)
		expect_quoted(t, p, level);
	if (level == 2)
		t->inner = NULL;
	if (t->inner)
		expect(t->inner, p, level + 1);
	t->options = 0;
	if (level > 0)
		t->tos = 0;
	t->df = t->df || always_df(p);
	t->frag = has_fragment_info(t);
	if (p->ver[A] == 4)
		t->ident &= 0xffff;
	if (!t->frag)
		t->ident = level == 0 && !t->df ? NUMBER : 0;
	if (level == 0 && t->proto == 17 && t->none && p->ver[B] == 6) {
		t->none = false;
		t->wrong = 0;
	}
}

/* --- the trip ----------------------------------------------------------- */

/* The first fragment of an echo in an IPv6 network: the length is asked for. */
static bool
waits(const struct pair *p, enum site_nr site, const struct trip *t)
{
	return p->ver[site] == 6 && t->kind == TRIP_ECHO && !t->off && t->mf;
}

static uint32_t
tells_whole(const struct pair *p, enum site_nr site, const struct trip *t)
{
	bool last = p->ver[site] == 6 && t->proto == 1 && t->off && !t->mf;

	return last ? (uint32_t)(t->off + t->there) : 0;
}

/* An IPREF packet arrives at B; it has to become t. */
static void
arrive(const struct pair *p, const struct trip *t, bool none,
	const uint8_t *tunnel, size_t len)
{
	static uint8_t buf[TRIP_MAX + GW_GROWTH];
	static struct trip_bytes want;
	struct packet_in in = {.p = tunnel,
		.len = len,
		.from = p->set[A].pub,
		.number = NUMBER,
		.tos = t->tos};
	struct packet_out out = {.p = buf, .size = len + GW_GROWTH};

	decap(&p->set[B], p->maps[B], &in, &out);
	NEED(out.peer_ok);
	if (none && p->ver[B] == 6 && t->mf && !t->off) {
		NEED(out.drop == DROP_UDP_NO_SUM);
		return;
	}
	if (waits(p, B, t)) {
		NEED(out.drop == DROP_ECHO_WAITS && out.ask == ASK_WHOLE);
		in.whole = (uint32_t)t->len;
		decap(&p->set[B], p->maps[B], &in, &out);
	}
	NEED(!out.drop && !out.ask && !out.from_self);
	NEED(out.whole == tells_whole(p, B, t));
	want.len = want.n_sums = 0;
	trip_packet(t, B, &want);
	NEED(trip_same(&want, out.p, out.len));
}

/* Cut up on the way: every piece is what it says of the whole. */
static void
arrive_in_pieces(const struct pair *p, const struct trip *t, bool none,
	const uint8_t *tunnel, size_t len, size_t room)
{
	uint8_t piece[TRIP_MAX];
	size_t header = ipref_header(p, true), off = 0, n;
	struct trip part = *t;

	part.frag = true;
	part.ident = t->frag ? t->ident : PIECES_IDENT;
	part.there = 0;
	while ((n = frag_piece(tunnel, len, room, PIECES_IDENT, &off, piece,
			sizeof(piece)))) {
		NEED(n <= room);
		part.off += part.there;
		part.there = part.claimed = n - header;
		part.mf = t->mf || part.off + part.there < t->off + t->there;
		arrive(p, &part, none, piece, n);
	}
	NEED(part.off + part.there == t->off + t->there);
}

static void
check_out(const struct pair *p, const struct trip *t,
	const struct packet_out *out)
{
	NEED(!out->drop && !out->ask);
	NEED(addr_eq(&out->peer, &p->set[B].pub));
	NEED(out->tos == t->tos);
	NEED(out->whole == tells_whole(p, A, t));
	NEED(!out->mtu_of.ver == !t->rest);
	NEED(out->mtu == t->rest);
	if (t->rest)
		NEED(addr_eq(&out->mtu_of, &p->host[A].at[A]));
}

/* t, as A's host sends it, goes to B. */
static void
carry(const struct pair *p, struct trip *t)
{
	static uint8_t tunnel[TRIP_MAX + GW_GROWTH];
	static struct trip_bytes sent;
	struct packet_in in = {.p = sent.p};
	struct packet_out out = {.p = tunnel};
	size_t room = HEADER_MAX + 24 + draw(1400);
	bool none = t->none && t->proto == 17;

	packet_nr++;
	sent.len = sent.n_sums = 0;
	trip_packet(t, A, &sent);
	in.len = sent.len;
	out.size = sent.len + GW_GROWTH;
	encap(&p->set[A], p->maps[A], &in, &out);
	if (waits(p, A, t)) {
		NEED(out.drop == DROP_ECHO_WAITS && out.ask == ASK_WHOLE);
		in.whole = (uint32_t)t->len;
		encap(&p->set[A], p->maps[A], &in, &out);
	}
	check_out(p, t, &out);
	expect(t, p, 0);
	NEED(frag_forbidden(tunnel) == t->df);
	if (t->df || t->kind == TRIP_ERROR || out.len <= room)
		arrive(p, t, none, tunnel, out.len);
	else
		arrive_in_pieces(p, t, none, tunnel, out.len, room);
}

/* As fragments that the host made. */
static void
carry_fragments(const struct pair *p, const struct trip *whole)
{
	struct trip t;
	size_t off, len;

	for (off = 0; off < whole->len; off += len) {
		len = whole->len - off;
		if (len > 8)
			len = 8 * (1 + draw((uint32_t)(len - 1) / 8));
		t = *whole;
		t.frag = true;
		t.off = off;
		t.there = t.claimed = len;
		t.mf = off + len < whole->len;
		/* the only one: a fragment in IPv6 alone */
		if (!t.mf && !off)
			t.frag = p->ver[A] == 6;
		carry(p, &t);
	}
}

static void
round_trip(const struct pair *p)
{
	struct trip t, inner[3];

	init_trip(&t, p, 0);
	if (!draw(4)) {
		random_error(&t, inner, p);
		carry(p, &t);
		return;
	}
	random_leaf(&t, false);
	if (draw(2))
		carry_fragments(p, &t);
	else
		carry(p, &t);
}

static unsigned long
number(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

START_TEST(test_roundtrip)
{
	unsigned long n = number("ROUNDTRIP_PACKETS", PACKETS) / COMBINATIONS;
	unsigned round = 0;
	struct pair p;
	size_t i;

	seed = number("ROUNDTRIP_SEED", 20240501) + (unsigned)_i;
	rng = seed;
	packet_nr = 0;
	for (i = 0; i < sizeof(pool); i++)
		pool[i] = (uint8_t)(draw(8) ? draw(256) : 0xff * draw(2));
	init_pair(&p, (unsigned)_i);
	while (packet_nr < n) {
		if (++round % PER_PAIR == 0) {
			fini_pair(&p);
			init_pair(&p, (unsigned)_i);
		}
		round_trip(&p);
	}
	fini_pair(&p);
	printf("local %u and %u, tunnel %u: %lu packets of seed %llu\n",
		p.ver[A], p.ver[B], p.tunnel, packet_nr,
		(unsigned long long)seed);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("roundtrip");
	TCase *tc = tcase_create("roundtrip");
	SRunner *runner;
	int bad;

	tcase_set_timeout(tc, TEST_TIMEOUT);
	tcase_add_loop_test(tc, test_roundtrip, 0, COMBINATIONS);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	bad = srunner_ntests_failed(runner);
	srunner_free(runner);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
