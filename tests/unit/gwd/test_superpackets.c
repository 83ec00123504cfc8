/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Superpackets from host to host: read at gateway A (super), translated at once
 * (burst, batch), cut into datagrams, put together again at gateway B (merge),
 * cut by its kernel. What B's host gets is compared byte by byte, in order
 * within each flow, with the packets that a host there would have sent, written
 * from the description (flight.h).
 *
 * Some datagrams are damaged on the way: these come out alone, with the same
 * damage, and with a checksum that is wrong.
 *
 * SUPERPACKETS_ROUNDS in the environment: how many rounds; SUPERPACKETS_SEED:
 * another seed.
 */
#include <stdio.h>

#include "gwd/burst.h"
#include "gwd/datagrams.h"
#include "gwd/decap.h"
#include "gwd/maps.h"
#include "gwd/merge.h"
#include "tests/unit/gwd/cut.h"
#include "tests/unit/run.h"

#define ROUNDS	 600
#define VERSIONS 8 /* of both local networks and the tunnel */
#define FLOWS	 3
#define SEGMENTS 141
#define DATAGRAM (9000 + BATCH_HEADER)
#define SYN	 0x02

struct gateway {
	struct gw_settings set;
	struct maps *maps;
	struct addr host, remote;
};

/* What is known of a datagram when it arrives. */
struct sent {
	uint32_t number;
	uint8_t tos;
	size_t damaged; /* byte of layer 4 in which ... */
	uint8_t bit;	/* ... this was changed; 0: none */
};

struct flow {
	struct flight leaves, arrives; /* at A, at B */
	struct super super;
	struct burst burst;
	struct sent sent[SEGMENTS];
	size_t n_sent, n_got;
	bool done; /* all of it is in batches */
};

static uint64_t rng, seed;
static struct gateway a, b;
static struct flow flows[FLOWS];
static uint8_t payload[FLIGHT_MAX], raw[FLOWS][FLIGHT_VNET + FLIGHT_MAX];
static struct merge merge;
static uint8_t datagrams[MERGE_MAX][DATAGRAM];
static struct packet_in ins[MERGE_MAX];
static uint32_t number;
static size_t n_merged[2][2], n_damaged; /* [IPv6][TCP] */

static struct addr
address(uint8_t ver, uint8_t first, uint8_t last)
{
	struct addr addr = addr_zero(ver);

	addr.b[0] = first;
	addr.b[addr_len(ver) - 1] = last;
	return addr;
}

static void
map_end(struct gateway *g, bool ours, const struct addr *gw, uint64_t ref)
{
	struct msg_entry e = {.flags = MSG_ENTRY_LISTED, .born = 1};

	if (ours)
		e.arec.ip = g->host;
	else
		e.arec.ea = g->remote;
	e.arec.gw = *gw;
	e.arec.ref = ref_from_u64(ref);
	ck_assert_int_eq(maps_set(g->maps, &e), 0);
}

static void
gateway_init(struct gateway *g, uint8_t local, uint8_t tunnel, uint8_t nr)
{
	*g = (struct gateway){
		.set =
			{
				.local_ver = local,
				.tunnel_ver = tunnel,
				.pub = address(tunnel, 0x20, nr),
				.own_local = address(local, 0x21, nr),
				.own_ref = ref_from_u64(0x100),
				.encode_net = {address(local, 10, 0), 8},
				.dec_ttl = flight_draw(&rng, 2),
			},
		.host = address(local, 0x22, nr),
		.remote = address(local, 10, nr),
	};
	g->maps = maps_new(&g->set.pub, 10);
	ck_assert_ptr_nonnull(g->maps);
}

static void
gateways_init(unsigned versions)
{
	uint8_t tunnel = versions & 4 ? 6 : 4;

	gateway_init(&a, versions & 1 ? 6 : 4, tunnel, 1);
	gateway_init(&b, versions & 2 ? 6 : 4, tunnel, 2);
	map_end(&a, true, &a.set.pub, 0x1234);
	map_end(&b, false, &a.set.pub, 0x1234);
	map_end(&a, false, &b.set.pub, UINT64_C(1) << 40);
	map_end(&b, true, &b.set.pub, UINT64_C(1) << 40);
}

/* --- leaving ------------------------------------------------------------ */

/* The same flight as from a host at B: what B's gateway has to make of it. */
static struct flight
as_at_b(const struct flight *f)
{
	struct flight at_b = *f;

	at_b.ver = b.set.local_ver;
	at_b.src = b.remote;
	at_b.dst = b.host;
	at_b.df = f->ver == 6 || f->df;
	at_b.ttl = (uint8_t)(f->ttl - a.set.dec_ttl - b.set.dec_ttl);
	at_b.options = 0;
	at_b.label = 0;
	return at_b;
}

static void
draw_flow(struct flow *f, uint16_t port)
{
	*f = (struct flow){0};
	flight_random(&f->leaves, &rng, &a.host, &a.remote, payload);
	f->leaves.flags &= (uint8_t)~SYN;
	f->leaves.port = port;
	if (f->leaves.ttl < 3)
		f->leaves.ttl = 3;
	if (flight_draw(&rng, 2))
		f->leaves.flags = 0x18; /* mostly it is this */
	f->arrives = as_at_b(&f->leaves);
}

static void
begin_flow(struct flow *f, uint8_t *bytes)
{
	size_t len = flight_read(&f->leaves, bytes);

	ck_assert_int_eq(super_read(&f->super, bytes, len), DROP_NONE);
	ck_assert_uint_gt(f->super.n, 1);
	ck_assert_uint_le(f->super.n, SEGMENTS);
	ck_assert(burst_begin(&f->burst, &a.set, a.maps, &f->super));
}

/* --- arriving ----------------------------------------------------------- */

static struct flow *
flow_of(const uint8_t *l4)
{
	size_t i = cut_get16(l4) - 0xc001u;

	ck_assert_uint_lt(i, FLOWS);
	return &flows[i];
}

/* The packet that B's host is to get next of this flow. */
static size_t
expected(const struct flow *f, uint8_t *p)
{
	const struct sent *s = &f->sent[f->n_got];
	struct flight at_b = f->arrives;
	size_t len;

	ck_assert_uint_lt(f->n_got, f->n_sent);
	at_b.tos = s->tos;
	at_b.ident = (uint16_t)(s->number - f->n_got);
	len = flight_packet(&at_b, f->n_got, p);
	p[flight_l4(&at_b) + s->damaged] ^= s->bit;
	cut_forget_ident(p);
	return len;
}

/* A packet for B's host. */
static void
arrived(uint8_t *p, size_t len, bool alone)
{
	static uint8_t want[FLIGHT_MAX];
	size_t l4 = b.set.local_ver == 6 ? 40 : 20;
	struct flow *f = flow_of(p + l4);
	const struct sent *s = &f->sent[f->n_got];
	size_t field = l4 + (f->leaves.proto == 6 ? 16 : 6);

	ck_assert_uint_eq(len, expected(f, want));
	cut_forget_ident(p);
	ck_assert_msg(!s->bit || alone, "damaged, and not alone");
	ck_assert_msg(cut_sum_is_right(p, len) == !s->bit, "checksum");
	/* a damaged checksum is not wrong by a bit any more */
	if (s->bit && s->damaged + l4 - field < 2)
		memcpy(want + field, p + field, 2);
	if (memcmp(p, want, len))
		ck_abort_msg("packet %zu of %zu; seed %llu", f->n_got,
			f->n_sent, (unsigned long long)seed);
	f->n_got++;
}

static void
write_merged(const struct merge_out *m)
{
	static uint8_t write[FLIGHT_VNET + FLIGHT_MAX], p[FLIGHT_MAX];
	size_t len = 0, i;
	struct cut c;

	for (i = 0; i < (size_t)m->n_iov; i++) {
		ck_assert_uint_le(m->iov[i].iov_len, sizeof(write) - len);
		memcpy(write + len, m->iov[i].iov_base, m->iov[i].iov_len);
		len += m->iov[i].iov_len;
	}
	ck_assert_uint_eq(len, m->len);
	ck_assert(cut_begin(&c, write, len));
	ck_assert_uint_eq(c.n, m->n);
	if (c.n > 1)
		n_merged[c.v6][c.tcp] += c.n;
	for (i = 0; i < c.n; i++)
		arrived(p, cut_packet(&c, i, p), c.n == 1);
}

static void
flush(void)
{
	struct merge_out m;

	while (merge_next(&merge, &m))
		write_merged(&m);
	merge_begin(&merge, &b.set, b.maps, true, true);
}

/* One that is not plain. */
static void
write_alone(const struct packet_in *in)
{
	uint8_t p[DATAGRAM + GW_GROWTH];
	struct packet_out out = {.p = p, .size = sizeof(p)};

	decap(&b.set, b.maps, in, &out);
	ck_assert_int_eq(out.drop, DROP_NONE);
	arrived(p, out.len, true);
}

/* Not its ports: they say which flow it is. */
static void
damage(struct sent *s, uint8_t *l4, size_t len)
{
	if (flight_draw(&rng, 25))
		return;
	s->damaged = 4 + flight_draw(&rng, (uint32_t)len - 4);
	if (flight_draw(&rng, 2))
		s->damaged = 4 + flight_draw(&rng, 14);
	if (s->damaged >= len)
		s->damaged = len - 1;
	s->bit = (uint8_t)(1u << flight_draw(&rng, 8));
	l4[s->damaged] ^= s->bit;
	if (l4[6] || l4[7]) {
		n_damaged++;
		return;
	}
	/* of UDP that would say that there is no checksum */
	l4[s->damaged] ^= s->bit;
	s->bit = 0;
}

static void
arrive(struct flow *f, const uint8_t *p, size_t len, uint8_t tos)
{
	struct sent *s = &f->sent[f->n_sent++];
	size_t header = header_peek(p, len);
	struct packet_in *in;
	uint8_t *copy;

	ck_assert_uint_le(len, DATAGRAM);
	ck_assert_uint_gt(header, 0);
	if (merge.n == MERGE_MAX)
		flush();
	in = &ins[merge.n];
	copy = memcpy(datagrams[merge.n], p, len);
	*s = (struct sent){.number = number++, .tos = tos};
	damage(s, copy + header, len - header);
	*in = (struct packet_in){.p = copy,
		.len = len,
		.from = a.set.pub,
		.number = s->number,
		.tos = tos};
	if (merge_add(&merge, in))
		return;
	flush();
	write_alone(in);
}

/* The next packets of a flow, from one gateway to the other. */
static void
carry(struct flow *f)
{
	static uint8_t message[BATCH_BYTES];
	static struct batch t;
	struct datagrams d = {.p = message};
	const uint8_t *p;
	size_t i, len;

	batch_init(&t, 1 + flight_draw(&rng, 20));
	f->done = burst_fill(&f->burst, &t);
	for (i = 0; i < 2 * t.n; i++) {
		memcpy(message + d.len, t.iov[i].iov_base, t.iov[i].iov_len);
		d.len += t.iov[i].iov_len;
	}
	ck_assert_uint_eq(d.len, t.len);
	d.size = t.n > 1 ? t.size : 0;
	ck_assert_uint_eq(datagrams_count(&d), t.n);
	for (i = 0; i < t.n; i++) {
		p = datagrams_get(&d, i, &len);
		arrive(f, p, len, t.tos);
	}
}

/* Flows take turns at random. */
static void
carry_all(size_t n)
{
	size_t left = n, i;

	while (left) {
		i = flight_draw(&rng, (uint32_t)n);
		if (flows[i].done)
			continue;
		carry(&flows[i]);
		left -= flows[i].done;
		if (!flight_draw(&rng, 10))
			flush();
	}
	flush();
	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(flows[i].n_sent, flows[i].super.n);
		ck_assert_uint_eq(flows[i].n_got, flows[i].super.n);
	}
}

START_TEST(test_from_host_to_host)
{
	unsigned long rounds = flight_number("SUPERPACKETS_ROUNDS", ROUNDS), i;
	size_t k, n;

	seed = rng = flight_number("SUPERPACKETS_SEED", 20261124);
	printf("superpackets: seed %llu\n", (unsigned long long)seed);
	for (i = 0; i < rounds; i++) {
		gateways_init(i % VERSIONS);
		number = flight_draw(&rng, UINT32_MAX);
		merge_begin(&merge, &b.set, b.maps, true, true);
		n = 1 + flight_draw(&rng, FLOWS);
		for (k = 0; k < n; k++)
			draw_flow(&flows[k], (uint16_t)k);
		for (k = 0; k < n; k++)
			begin_flow(&flows[k], raw[k]);
		carry_all(n);
		maps_free(a.maps);
		maps_free(b.maps);
	}
	for (k = 0; k < 4; k++)
		ck_assert_uint_gt(n_merged[k / 2][k % 2], rounds);
	ck_assert_uint_gt(n_damaged, rounds);
	printf("superpackets: merged TCP %zu, %zu, UDP %zu, %zu, damaged %zu\n",
		n_merged[0][1], n_merged[1][1], n_merged[0][0], n_merged[1][0],
		n_damaged);
}
END_TEST

RUN_TESTS("superpackets", test_from_host_to_host)
