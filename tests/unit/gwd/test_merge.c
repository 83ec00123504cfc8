/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random streams of datagrams, merged, cut into segments again in a plain way,
 * and compared with what decap() makes of them one by one: the same packets, in
 * order within each flow. MERGE_SEED in the environment: another seed.
 */
#include <stdio.h>

#include "gwd/decap.h"
#include "gwd/maps.h"
#include "gwd/merge.h"
#include "tests/unit/gwd/cut.h"
#include "tests/unit/gwd/trip.h"
#include "tests/unit/run.h"

#define ROUNDS	 1000
#define STREAM	 MERGE_MAX
#define PAYLOAD	 2000
#define DATAGRAM (HEADER_MAX + 60 + PAYLOAD)
#define RESULTS	 (2 * STREAM)

struct bytes {
	uint8_t p[DATAGRAM + 40];
	size_t len;
	bool taken;
};

struct flow {
	uint8_t proto, ttl, flags;
	uint16_t ports[2], size;
	uint32_t seq, ack;
	uint8_t from; /* host */
	bool df;
	size_t options;
};

static uint64_t rng, seed;
static struct gw_settings set;
static struct maps *maps;
static struct merge merge;
static struct addr peer;
static struct flow flows[4];
static uint8_t datagrams[STREAM][DATAGRAM];
static struct packet_in ins[STREAM];
static struct bytes want[RESULTS], got[RESULTS];
static size_t n_want, n_got, n_super[2][2]; /* [TCP][IPv6] */

static uint32_t
draw(uint32_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(((rng >> 32) * below) >> 32);
}

static struct addr
address(uint8_t ver, uint8_t first, uint8_t last)
{
	struct addr a = addr_zero(ver);

	a.b[0] = first;
	a.b[1] = 1;
	a.b[addr_len(ver) - 1] = last;
	return a;
}

static void
site(uint8_t local, uint8_t tunnel)
{
	struct msg_entry e;
	unsigned i;

	peer = address(tunnel, 0x21, 2);
	set = (struct gw_settings){.local_ver = local,
		.tunnel_ver = tunnel,
		.pub = address(tunnel, 0x21, 1),
		.own_local = address(local, 10, 9),
		.own_ref = ref_from_u64(99),
		.encode_net = {.addr = {.ver = local}, .len = 8},
		.dec_ttl = draw(2)};
	set.encode_net.addr.b[0] = 11;
	maps = maps_new(&set.pub, 8);
	for (i = 0; i < 2; i++) {
		e = (struct msg_entry){.born = 1};
		e.arec.ip = address(local, 10, (uint8_t)(1 + i));
		e.arec.gw = set.pub;
		e.arec.ref = ref_from_u64(1 + i);
		ck_assert_int_eq(maps_set(maps, &e), 0);
		e = (struct msg_entry){.born = 1};
		e.arec.ea = address(local, 11, (uint8_t)(1 + i));
		e.arec.gw = peer;
		e.arec.ref = ref_from_u64(11 + i);
		ck_assert_int_eq(maps_set(maps, &e), 0);
	}
}

/* --- datagrams ---------------------------------------------------------- */

static size_t
put_l4(struct flow *f, uint8_t *l4, size_t payload)
{
	size_t header = f->proto == 6 ? 20 + f->options : 8, i;
	uint32_t len = (uint32_t)(header + payload), sum;
	size_t field = f->proto == 6 ? 16 : 6;

	memset(l4, 0, header);
	for (i = header; i < len; i++)
		l4[i] = (uint8_t)draw(256);
	trip_put16(l4, f->ports[0]);
	trip_put16(l4 + 2, f->ports[1]);
	if (f->proto == 6) {
		trip_put16(l4 + 4, f->seq >> 16);
		trip_put16(l4 + 6, f->seq);
		f->ack += !draw(40);
		trip_put16(l4 + 10, f->ack);
		l4[12] = (uint8_t)(header / 4 << 4 | !draw(100));
		l4[13] = f->flags | (draw(12) ? 0 : 8);
		if (!draw(40))
			l4[13] = (uint8_t)draw(256);
		l4[15] = draw(40) ? 7 : 8; /* window */
		if (f->options)
			l4[20] = draw(40) ? 1 : 0;
		f->seq += (uint32_t)payload;
	} else {
		trip_put16(l4 + 4, draw(60) ? len : len - 1);
	}
	sum = (trip_sum(l4, len) + len + f->proto) % 0xffff;
	trip_put16(l4 + field, 0xffff - sum);
	if (!draw(25))
		trip_put16(l4 + field, draw(2) ? 0 : draw(65536));
	if (!draw(50))
		l4[len - 1] ^= (uint8_t)(1u << draw(8));
	return len;
}

static size_t
put_datagram(uint8_t *p, struct flow *f)
{
	struct header h = {.ttl = draw(40) ? f->ttl : 1 + (uint8_t)draw(9),
		.proto = f->proto,
		.df = draw(60) ? f->df : !f->df,
		.src_gw = draw(40) ? peer : addr_zero(set.tunnel_ver),
		.dst_gw = set.pub,
		.src_ref = ref_from_u64(11 + f->from),
		.dst_ref = ref_from_u64(draw(100) ? 1 : 77)};
	size_t payload = f->size;
	struct wbuf w;

	if (!draw(15))
		payload = draw(PAYLOAD);
	if (!draw(100))
		h.frag = h.mf = true;
	if (!draw(100))
		h.proto = 1;
	wbuf_init(&w, p, HEADER_MAX);
	header_encode(&w, &h);
	ck_assert(wbuf_ok(&w));
	return w.len + put_l4(f, p + w.len, payload);
}

static void
make_stream(void)
{
	/* ACK with ECE, FIN, CWR */
	static const uint8_t odd[] = {0x50, 0x11, 0x90};
	size_t i, n_flows = 1 + draw(4);
	struct flow *f = &flows[0];

	for (i = 0; i < n_flows; i++)
		flows[i] = (struct flow){.proto = draw(2) ? 6 : 17,
			.ttl = 64,
			.flags = draw(4) ? 0x10 : odd[draw(ARRAY_LEN(odd))],
			.ports = {(uint16_t)draw(3), (uint16_t)draw(3)},
			.size = (uint16_t)draw(draw(2) ? 40 : PAYLOAD),
			.seq = UINT32_MAX - draw(3000),
			.from = (uint8_t)draw(2),
			.df = draw(4),
			.options = 4 * draw(4)};
	for (i = 0; i < STREAM; i++) {
		if (!draw(8))
			f = &flows[draw((uint32_t)n_flows)];
		ins[i] = (struct packet_in){.p = datagrams[i],
			.len = put_datagram(datagrams[i], f),
			.from = peer,
			.tos = draw(60) ? 0 : 3,
			.number = 65500 + (uint32_t)i};
	}
}

/* --- results ------------------------------------------------------------ */

static void
one(const struct packet_in *in, struct bytes *to, size_t *n)
{
	struct bytes *b = &to[*n];
	uint8_t p[DATAGRAM + GW_REPLY_MAX];
	struct packet_out out = {.p = p, .size = sizeof(p)};

	decap(&set, maps, in, &out);
	if (out.drop)
		return;
	ck_assert_uint_le(out.len, sizeof(b->p));
	ck_assert_uint_lt(*n, RESULTS);
	memcpy(b->p, p, out.len);
	b->len = out.len;
	b->taken = false;
	++*n;
}

static void
split(const struct merge_out *out)
{
	static uint8_t w[sizeof(merge.vnet) + MERGE_BYTES];
	size_t len = 0, i;
	struct cut c;

	for (i = 0; i < (size_t)out->n_iov; i++) {
		ck_assert_uint_le(len + out->iov[i].iov_len, sizeof(w));
		memcpy(w + len, out->iov[i].iov_base, out->iov[i].iov_len);
		len += out->iov[i].iov_len;
	}
	ck_assert_uint_eq(out->len, len);
	ck_assert(cut_begin(&c, w, len));
	ck_assert_uint_eq(c.n, out->n);
	n_super[c.tcp][c.v6] += c.n > 1;
	for (i = 0; i < c.n; i++, n_got++) {
		ck_assert_uint_lt(n_got, RESULTS);
		got[n_got].len = cut_packet(&c, i, got[n_got].p);
		got[n_got].taken = false;
		cut_forget_ident(got[n_got].p);
	}
}

static void
write_all(void)
{
	struct merge_out out;

	while (merge_next(&merge, &out))
		split(&out);
	merge_begin(&merge, &set, maps, true, true);
}

static bool
same_flow(const struct bytes *a, const struct bytes *b)
{
	bool v6 = set.local_ver == 6;
	size_t addrs = v6 ? 8 : 12, l4 = v6 ? 40 : 20;

	return a->p[v6 ? 6 : 9] == b->p[v6 ? 6 : 9] &&
	       !memcmp(a->p + addrs, b->p + addrs, l4 - addrs) &&
	       !memcmp(a->p + l4, b->p + l4, 4);
}

static void
compare(void)
{
	size_t i, k;

	ck_assert_msg(n_want == n_got, "%zu, not %zu; seed %llu", n_got, n_want,
		(unsigned long long)seed);
	for (i = 0; i < n_want; i++) {
		for (k = 0; k < n_got; k++)
			if (!got[k].taken && same_flow(&want[i], &got[k]))
				break;
		if (k == n_got || want[i].len != got[k].len ||
			memcmp(want[i].p, got[k].p, got[k].len))
			ck_abort_msg("packet %zu differs; seed %llu", i,
				(unsigned long long)seed);
		got[k].taken = true;
	}
}

START_TEST(test_same_as_one_by_one)
{
	const char *env = getenv("MERGE_SEED");
	unsigned round;
	size_t i;

	seed = rng = env ? strtoull(env, NULL, 0) : 1;
	printf("merge: seed %llu\n", (unsigned long long)seed);
	for (round = 0; round < ROUNDS; round++) {
		site(round & 1 ? 6 : 4, round & 2 ? 6 : 4);
		make_stream();
		n_want = n_got = 0;
		merge_begin(&merge, &set, maps, true, true);
		for (i = 0; i < STREAM; i++) {
			one(&ins[i], want, &n_want);
			if (merge_add(&merge, &ins[i]))
				continue;
			write_all();
			one(&ins[i], got, &n_got);
		}
		write_all();
		compare();
		maps_free(maps);
	}
	for (i = 0; i < 4; i++)
		ck_assert_uint_gt(n_super[i / 2][i % 2], ROUNDS);
}
END_TEST

/* A datagram with payload of that many zeros, a right checksum, and one byte of
 * layer 4 changed before that. */
static void
put_plain(uint8_t *p, const struct header *h, size_t at, uint8_t value,
	size_t payload, struct packet_in *in)
{
	size_t field = h->proto == 6 ? 16 : 6;
	size_t len = (h->proto == 6 ? 20 : 8) + payload;
	struct wbuf w;
	uint8_t *l4;

	wbuf_init(&w, p, HEADER_MAX);
	header_encode(&w, h);
	ck_assert(wbuf_ok(&w));
	l4 = memset(p + w.len, 0, len);
	if (h->proto == 6) {
		l4[12] = 0x50;
		l4[13] = 0x10;
	} else {
		trip_put16(l4 + 4, (uint32_t)len);
	}
	l4[at] = value;
	trip_put16(l4 + field,
		0xffff - (trip_sum(l4, len) + (uint32_t)len + h->proto) %
				 0xffff);
	*in = (struct packet_in){.p = p, .len = w.len + len, .from = peer};
}

/* A site, and what a header of its peer's looks like. */
static struct header
plain_site(uint8_t local, uint8_t proto)
{
	site(local, 4);
	merge_begin(&merge, &set, maps, true, true);
	return (struct header){.proto = proto,
		.ttl = 64,
		.df = true,
		.src_gw = peer,
		.dst_gw = set.pub,
		.src_ref = ref_from_u64(11),
		.dst_ref = ref_from_u64(1)};
}

/* Left to the caller: what may have to be changed, cut, answered. */
START_TEST(test_not_plain)
{
	static const struct {
		const char *why;
		uint8_t local; /* 0: any */
		uint8_t proto;
		bool may_cut, frag;
		uint8_t at, value; /* in layer 4 */
		bool taken;
	} rows[] = {
		{"TCP", 0, 6, false, false, 0, 1, true},
		{"UDP", 0, 17, false, false, 0, 1, true},
		{"may be cut, IPv4", 4, 17, true, false, 0, 1, true},
		{"may be cut, IPv6", 6, 17, true, false, 0, 1, false},
		{"SYN", 0, 6, false, false, 13, 0x12, false},
		{"FIN", 0, 6, false, false, 13, 0x11, true},
		{"no header", 0, 6, false, false, 12, 0x40, false},
		{"all header", 0, 6, false, false, 12, 0xf0, true},
		{"UDP's length", 0, 17, false, false, 5, 47, false},
		{"a fragment", 0, 17, false, true, 0, 1, false},
		{"ICMP", 0, 1, false, false, 0, 8, false},
		{"UDP-Lite", 0, 136, false, false, 0, 1, false},
	};
	struct header h;
	size_t i, v;

	for (i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		v = i / 2;
		if (rows[v].local == (i % 2 ? 4 : 6))
			continue;
		h = plain_site(i % 2 ? 6 : 4, rows[v].proto);
		h.df = !rows[v].may_cut;
		h.frag = rows[v].frag;
		put_plain(datagrams[0], &h, rows[v].at, rows[v].value, 40,
			&ins[0]);
		ck_assert_msg(merge_add(&merge, &ins[0]) == rows[v].taken, "%s",
			rows[v].why);
		maps_free(maps);
	}
}
END_TEST

/* Who it is from counts, also where the header does not say so. */
START_TEST(test_from)
{
	struct header h = plain_site(4, 17);

	h.src_gw = addr_zero(4);
	put_plain(datagrams[0], &h, 0, 1, 40, &ins[0]);
	put_plain(datagrams[1], &h, 0, 1, 40, &ins[1]);
	ins[1].from.b[3]++;
	ck_assert(merge_add(&merge, &ins[0]));
	ck_assert_msg(!merge_add(&merge, &ins[1]), "another peer");

	/* written by the caller in another way */
	peer = h.src_gw = set.pub;
	h.src_ref = set.own_ref;
	put_plain(datagrams[2], &h, 0, 1, 40, &ins[2]);
	ck_assert_msg(!merge_add(&merge, &ins[2]), "our own gateway");
	maps_free(maps);
}
END_TEST

/* Headers that were looked at count, too: the caller is to end the batch. */
START_TEST(test_many_headers)
{
	struct header h = plain_site(4, 6);
	struct merge_out out;
	size_t i;

	for (i = 0; i < MERGE_MAX; i++) {
		h.ttl = (uint8_t)(100 + i);
		put_plain(datagrams[i], &h, 13, 0x12, 40, &ins[i]);
		ck_assert_msg(!merge_add(&merge, &ins[i]), "a SYN");
	}
	ck_assert_uint_eq(merge.n_forms, MERGE_MAX);
	put_plain(datagrams[0], &h, 0, 1, 40, &ins[0]);
	ck_assert_msg(merge_add(&merge, &ins[0]), "a header that is known");
	h.ttl = 99;
	put_plain(datagrams[1], &h, 0, 1, 40, &ins[1]);
	ck_assert_msg(!merge_add(&merge, &ins[1]), "no room for another");
	ck_assert(merge_next(&merge, &out));
	ck_assert_uint_eq(out.n, 1);
	ck_assert(!merge_next(&merge, &out));
	maps_free(maps);
}
END_TEST

/* Without a checksum it stays alone, or, for IPv6, needs one. */
START_TEST(test_no_sum)
{
	struct header h;
	size_t i, v;

	for (v = 4; v <= 6; v += 2) {
		h = plain_site((uint8_t)v, 17);
		for (i = 0; i < 2; i++) {
			put_plain(datagrams[i], &h, 0, 1, 40, &ins[i]);
			memset(datagrams[i] + ins[i].len - 40 - 2, 0, 2);
			ck_assert(merge_add(&merge, &ins[i]) == (v == 4));
		}
		ck_assert_uint_eq(merge.n_groups, v == 4 ? 2 : 0);
		maps_free(maps);
	}
}
END_TEST

/* Segments that follow each other and say the same; together or not. */
START_TEST(test_together)
{
	static const struct {
		const char *why;
		uint8_t at, value;
		bool together;
	} rows[] = {
		{"ACK", 13, 0x10, true},
		{"ECE", 13, 0x50, true},
		{"PSH", 13, 0x18, false},
		{"FIN", 13, 0x11, false},
		{"RST", 13, 0x14, false},
		{"URG", 13, 0x30, false},
		{"CWR", 13, 0x90, false},
		{"no ACK", 13, 0, false},
		{"reserved bits", 12, 0x51, false},
	};
	struct header h;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		h = plain_site(4, 6);
		for (k = 0; k < 2; k++) {
			put_plain(datagrams[k], &h, rows[i].at, rows[i].value,
				40, &ins[k]);
			/* the sequence number, and what takes it back */
			datagrams[k][ins[k].len - 40 - 20 + 7] = 40 * (k > 0);
			datagrams[k][ins[k].len - 1] = 0;
			trip_put16(datagrams[k] + ins[k].len - 2,
				0xffff - 40 * (k > 0));
			ck_assert(merge_add(&merge, &ins[k]));
		}
		ck_assert_msg((merge.n_groups == 1) == rows[i].together, "%s",
			rows[i].why);
		maps_free(maps);
	}
}
END_TEST

/* As much as the length fields hold, as many as kernels take of UDP. */
START_TEST(test_largest)
{
	static const struct {
		size_t size, n, last;
		size_t groups;
	} rows[] = {
		{1039, 63, 50, 1}, /* 65535 with the headers */
		{1039, 63, 51, 2},
		{10, MERGE_UDP - 1, 10, 1},
		{10, MERGE_UDP, 10, 2},
	};
	struct header h;
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		h = plain_site(4, 17);
		for (k = 0; k <= rows[i].n; k++) {
			put_plain(datagrams[k], &h, 0, 1,
				k < rows[i].n ? rows[i].size : rows[i].last,
				&ins[k]);
			ck_assert(merge_add(&merge, &ins[k]));
		}
		ck_assert_uint_eq(merge.n_groups, rows[i].groups);
		n_got = 0;
		write_all();
		ck_assert_uint_eq(n_got, rows[i].n + 1);
		maps_free(maps);
	}
}
END_TEST

/* What the device does not take is not made; nor more than a batch. */
START_TEST(test_bounds)
{
	struct flow f = {.proto = 17, .ttl = 64, .size = 8, .df = true};
	struct merge_out out;
	size_t i, taken = 0, shown = 0;

	rng = 1;
	site(4, 4);
	merge_begin(&merge, &set, maps, true, false);
	for (i = 0; i < 3 * MERGE_MAX; i++) {
		struct packet_in *in = &ins[i % STREAM];

		*in = (struct packet_in){
			.p = datagrams[i % STREAM], .from = peer};
		if (i < STREAM)
			in->len = put_datagram(datagrams[i], &f);
		else
			in->len = HEADER_MIN;
		taken += merge_add(&merge, in);
		ck_assert_uint_le(taken, MERGE_MAX);
	}
	ck_assert_uint_gt(taken, MERGE_MAX / 2);
	while (merge_next(&merge, &out)) {
		ck_assert_uint_eq(out.n, 1);
		shown++;
	}
	ck_assert_uint_eq(shown, taken);
	maps_free(maps);
}
END_TEST

RUN_TESTS("merge", test_same_as_one_by_one, test_not_plain, test_from,
	test_many_headers, test_no_sum, test_together, test_largest,
	test_bounds)
