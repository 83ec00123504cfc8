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

/* Segment nr of a superpacket. */
static void
segment(const uint8_t *p, size_t len, const struct virtio_net_hdr *v, size_t nr)
{
	struct bytes *b = &got[n_got++];
	size_t ip = v->csum_start, size = v->gso_size, hdr = v->hdr_len;
	size_t at = hdr + nr * size, n = len - at < size ? len - at : size;
	bool tcp = v->csum_offset == 16, v6 = ip == 40;
	uint32_t l4_len = (uint32_t)(hdr - ip + n), sum;
	uint8_t *l4 = b->p + ip;

	ck_assert_uint_le(n_got, RESULTS);
	memcpy(b->p, p, hdr);
	memcpy(b->p + hdr, p + at, n);
	b->len = hdr + n;
	b->taken = false;
	if (v6) {
		trip_put16(b->p + 4, l4_len);
	} else {
		trip_put16(b->p + 2, (uint32_t)b->len);
		if (!(p[6] & 0x40))
			trip_put16(b->p + 4, trip_get16(p + 4) + (uint32_t)nr);
		trip_put16(b->p + 10, 0);
		trip_put16(b->p + 10, 0xffff - trip_sum(b->p, 20));
	}
	if (tcp) {
		sum = trip_get16(l4 + 4) << 16 | trip_get16(l4 + 6);
		sum += (uint32_t)(nr * size);
		trip_put16(l4 + 4, sum >> 16);
		trip_put16(l4 + 6, sum);
		if (at + n < len)
			l4[13] &= 0xf6;
		if (nr)
			l4[13] &= 0x7f;
	} else {
		trip_put16(l4 + 4, l4_len);
	}
	trip_put16(l4 + v->csum_offset, 0);
	sum = trip_sum(v6 ? b->p + 8 : b->p + 12, v6 ? 32 : 8) + l4_len +
	      (tcp ? 6 : 17) + trip_sum(l4, l4_len);
	sum = 0xffff - sum % 0xffff;
	trip_put16(l4 + v->csum_offset, sum == 0xffff && tcp ? 0 : sum);
}

static void
split(const struct merge_out *out)
{
	static uint8_t p[MERGE_BYTES];
	struct virtio_net_hdr v;
	size_t len = 0, segments, i;
	bool tcp, v6 = set.local_ver == 6;
	uint32_t sum;
	int k;

	memcpy(&v, out->iov[0].iov_base, sizeof(v));
	for (k = 1; k < out->n_iov; k++) {
		ck_assert_uint_le(len + out->iov[k].iov_len, sizeof(p));
		memcpy(p + len, out->iov[k].iov_base, out->iov[k].iov_len);
		len += out->iov[k].iov_len;
	}
	ck_assert_uint_eq(out->len, len + sizeof(v));
	if (v.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		ck_assert_uint_eq(out->n, 1);
		ck_assert_uint_eq(v.flags, 0);
		memcpy(got[n_got].p, p, len);
		got[n_got].len = len;
		got[n_got++].taken = false;
		return;
	}
	tcp = p[v6 ? 6 : 9] == 6;
	n_super[tcp][v6]++;
	ck_assert_uint_eq(v.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(v.gso_type, !tcp ? 5 : v6 ? 4 : 1);
	ck_assert_uint_eq(v.csum_start, v6 ? 40 : 20);
	ck_assert_uint_eq(v.csum_offset, tcp ? 16 : 6);
	ck_assert_uint_gt(v.gso_size, 0);
	sum = trip_sum(v6 ? p + 8 : p + 12, v6 ? 32 : 8) + (tcp ? 6 : 17) +
	      (uint32_t)len - v.csum_start;
	ck_assert_uint_eq(trip_get16(p + v.csum_start + v.csum_offset) % 0xffff,
		sum % 0xffff);
	segments = (len - v.hdr_len + v.gso_size - 1) / v.gso_size;
	ck_assert_uint_eq(segments, out->n);
	for (i = 0; i < segments; i++)
		segment(p, len, &v, i);
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

RUN_TESTS("merge", test_same_as_one_by_one, test_bounds)
