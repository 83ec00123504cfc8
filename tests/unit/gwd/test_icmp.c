/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP: types and codes against the specification's table (not proto/icmp.def,
 * which is what is tested), and messages with packets inside packets.
 */
#include "gwd/icmp.h"
#include "tests/unit/gwd/site.h"
#include "tests/unit/run.h"

static const struct {
	int ipref[2], v4[2], v6[2];
	bool carries, mtu;
} kinds[] = {
	{{0, 0}, {0, 0}, {129, 0}, false, false},
	{{8, 0}, {8, 0}, {128, 0}, false, false},
	{{3, 0}, {3, 0}, {1, 0}, true, false},
	{{3, 1}, {3, 1}, {1, 3}, true, false},
	{{3, 2}, {3, 3}, {1, 4}, true, false},
	{{3, 4}, {3, 4}, {2, 0}, true, true},
	{{3, 13}, {3, 13}, {1, 1}, true, false},
	{{11, 0}, {11, 0}, {3, 0}, true, false},
	{{11, 1}, {11, 1}, {3, 1}, true, false},
};

/* Leaving only, by RFC 7915: version, type, code -> IPREF type, code. */
static const int leaving[][5] = {
	{4, 3, 5, 3, 0},
	{4, 3, 6, 3, 0},
	{4, 3, 7, 3, 0},
	{4, 3, 8, 3, 0},
	{4, 3, 9, 3, 13},
	{4, 3, 10, 3, 13},
	{4, 3, 11, 3, 0},
	{4, 3, 12, 3, 0},
	{4, 3, 15, 3, 13},
	{6, 1, 2, 3, 1},
};

static bool
reads_as(uint8_t from, uint8_t to, const int in[2], const int out[2])
{
	const uint8_t l4[8] = {(uint8_t)in[0], (uint8_t)in[1]};
	struct icmp m;

	return icmp_read(&m, from, to, l4, sizeof(l4)) && m.type == out[0] &&
	       m.code == out[1];
}

START_TEST(test_kinds)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		const int *const t = kinds[i].ipref;

		ck_assert(reads_as(4, ICMP_IN_TUNNEL, kinds[i].v4, t));
		ck_assert(reads_as(6, ICMP_IN_TUNNEL, kinds[i].v6, t));
		ck_assert(reads_as(ICMP_IN_TUNNEL, 4, t, kinds[i].v4));
		ck_assert(reads_as(ICMP_IN_TUNNEL, 6, t, kinds[i].v6));
	}
	for (i = 0; i < ARRAY_LEN(leaving); i++)
		ck_assert(reads_as((uint8_t)leaving[i][0], ICMP_IN_TUNNEL,
			&leaving[i][1], &leaving[i][3]));
}
END_TEST

/* Nothing else is known, of 65,536 kinds per form. */
START_TEST(test_no_other_kinds)
{
	static const struct {
		uint8_t form;
		size_t known;
	} forms[] = {{ICMP_IN_TUNNEL, 9}, {4, 9 + 9}, {6, 9 + 1}};
	uint8_t l4[8] = {0};
	struct icmp m;
	size_t i, n;
	unsigned k;

	for (i = 0; i < ARRAY_LEN(forms); i++) {
		for (n = 0, k = 0; k < 65536; k++) {
			l4[0] = (uint8_t)(k >> 8);
			l4[1] = (uint8_t)k;
			n += icmp_read(&m, forms[i].form, ICMP_IN_TUNNEL, l4,
				sizeof(l4));
		}
		ck_assert_uint_eq(n, forms[i].known);
	}
}
END_TEST

/* What a message says besides its kind, and where its packet ends: RFC 4884
 * length fields of at least 128 bytes count, others don't. */
START_TEST(test_read)
{
	static const struct {
		uint8_t from, l4[8];
		size_t len, quote_len;
		uint32_t mtu;
	} rows[] = {
		{4, {3, 4, 0, 0, 0, 0, 0x05, 0xdc}, 100, 92, 1500},
		{4, {3, 4, 0, 0, 0xff, 0, 0x05, 0xdc}, 100, 92, 1500},
		{6, {2, 0, 0, 0, 0, 1, 0, 0}, 100, 92, 65536},
		{6, {2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 300, 292, UINT32_MAX},
		{0, {3, 4, 0, 0, 0, 32, 0x05, 0xdc}, 300, 292, 1500},
		{4, {3, 1, 0, 0, 0, 32, 0, 0}, 300, 128, 0},
		{4, {3, 1, 0, 0, 0, 31, 0, 0}, 300, 292, 0},
		{4, {3, 1, 0, 0, 0, 80, 0, 0}, 300, 292, 0},
		{6, {3, 0, 0, 0, 16, 0, 0, 0}, 300, 128, 0},
		{6, {3, 0, 0, 0, 15, 0, 0, 0}, 300, 292, 0},
	};
	uint8_t l4[300] = {0};
	struct icmp m;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(l4, rows[i].l4, 8);
		ck_assert(icmp_read(
			&m, rows[i].from, ICMP_IN_TUNNEL, l4, rows[i].len));
		ck_assert(m.carries);
		ck_assert_uint_eq(m.quote_len, rows[i].quote_len);
		ck_assert_ptr_eq(m.quote, l4 + 8);
		if (m.has_mtu)
			ck_assert_uint_eq(m.mtu, rows[i].mtu);
		ck_assert_int_eq(m.has_mtu, rows[i].mtu != 0);
		ck_assert(!icmp_read(&m, rows[i].from, ICMP_IN_TUNNEL, l4, 7));
	}
}
END_TEST

START_TEST(test_is_error)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	unsigned type;
	uint8_t l4[8] = {0};
	bool error;

	for (type = 0; type < 256; type++) {
		l4[0] = (uint8_t)type;
		error = memchr(errors, (int)type, sizeof(errors));
		ck_assert_int_eq(icmp_is_error(4, l4, 8), error);
		ck_assert_int_eq(icmp_is_error(ICMP_IN_TUNNEL, l4, 8), error);
		ck_assert_int_eq(
			icmp_is_error(6, l4, 8), type < 128 || type == 137);
	}
	ck_assert(icmp_is_error(4, l4, 0));
}
END_TEST

static uint16_t
ones_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return (uint16_t)(sum % 0xffff);
}

/* An ICMPv4 error about an error about ... about a UDP packet with that many
 * bytes behind its IP header, `levels` packets in all. The way alternates. */
static size_t
nested(uint8_t *p, unsigned levels, size_t udp)
{
	static const uint8_t host[] = {192, 168, 77, 10};
	static const uint8_t ea[] = {10, 240, 1, 10};
	size_t at = 0, i;
	unsigned level;

	for (level = 0; level < levels; level++) {
		bool last = level + 1 == levels;

		memset(p + at, 0, 28);
		p[at] = 0x45;
		p[at + 8] = 9;
		p[at + 9] = last ? 17 : 1;
		memcpy(p + at + 12, level % 2 ? ea : host, 4);
		memcpy(p + at + 16, level % 2 ? host : ea, 4);
		at += 20;
		if (!last) {
			p[at] = 11;
			at += 8;
		}
	}
	for (i = 0; i < udp; i++)
		p[at++] = (uint8_t)(i + 1);
	for (level = 0; level < levels; level++) {
		p[28 * level + 2] = (uint8_t)((at - 28 * level) >> 8);
		p[28 * level + 3] = (uint8_t)(at - 28 * level);
	}
	return at;
}

/* Leaving: how many packets inside each other come out, each ICMP checksum
 * right, the length even. IPREF headers are 20 bytes here. */
static void
check_levels(const struct packet_out *out, unsigned packets, size_t payload)
{
	static const uint8_t ours[] = {0, 0, 0x0a, 0x10};
	size_t at = 0;
	unsigned level;

	ck_assert_int_eq(out->drop, DROP_NONE);
	for (level = 0; level < packets; level++) {
		ck_assert_uint_eq(out->p[at], 0x10);
		ck_assert_mem_eq(out->p + at + (level % 2 ? 16 : 12), ours, 4);
		at += 20;
		if (out->p[at - 17] != 1)
			break;
		ck_assert_uint_eq(ones_sum(out->p + at, out->len - at), 0);
		at += 8;
	}
	ck_assert_uint_eq(out->len - at, payload);
	ck_assert_uint_eq(out->len % 2, 0);
}

START_TEST(test_levels)
{
	static const struct {
		unsigned levels;
		size_t udp;
		unsigned packets;
		size_t payload;
	} rows[] = {
		{2, 12, 2, 12},
		{3, 12, 3, 12},
		{3, 13, 3, 12},
		{3, 9, 3, 8},
		{3, 0, 3, 0},
		{2, 1, 2, 0},
		/* the third packet is an error: its packet is left out */
		{4, 12, 3, 0},
		{5, 12, 3, 0},
	};
	uint8_t pkt[256], buf[1024];
	struct packet_in in = {.p = pkt};
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	struct site s;
	size_t i;

	site_named(&s, "44");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		in.len = nested(pkt, rows[i].levels, rows[i].udp);
		encap(&s.set, s.maps, &in, &out);
		check_levels(&out, rows[i].packets, rows[i].payload);
	}
	site_fini(&s);
}
END_TEST

/* ... and back: what left arrives as it was, with the lengths that are there.
 * The far gateway is played by one with the ends exchanged. */
static void
far_site(struct site *far)
{
	struct msg_entry e = {.born = 1};

	site_named(far, "44");
	maps_free(far->maps);
	far->set.pub = site_addr("192.0.2.2", 9);
	far->maps = maps_new(&far->set.pub, 4);
	ck_assert_ptr_nonnull(far->maps);
	e.arec.ea = site_addr("10.240.1.10", 11);
	e.arec.gw = site_addr("192.0.2.1", 9);
	e.arec.ref = ref_from_u64(0xa10);
	ck_assert_int_eq(maps_set(far->maps, &e), 0);
	e.arec = (struct arec){.ip = site_addr("192.168.77.10", 13),
		.ref = ref_from_u64(0x21)};
	ck_assert_int_eq(maps_set(far->maps, &e), 0);
}

START_TEST(test_levels_back)
{
	uint8_t pkt[256], mid[1024], buf[1024];
	struct packet_in in = {.p = pkt};
	struct packet_out out = {.p = mid, .size = sizeof(mid)};
	struct packet_out end = {.p = buf, .size = sizeof(buf)};
	struct site near, far;
	unsigned levels, i;
	size_t at;

	site_named(&near, "44");
	far_site(&far);
	for (levels = 2; levels < 6; levels++) {
		in = (struct packet_in){.p = pkt};
		in.len = nested(pkt, levels, 12);
		encap(&near.set, near.maps, &in, &out);
		ck_assert_int_eq(out.drop, DROP_NONE);
		in = (struct packet_in){.p = mid, .len = out.len};
		in.from = near.set.pub;
		decap(&far.set, far.maps, &in, &end);
		ck_assert_int_eq(end.drop, DROP_NONE);
		ck_assert_uint_eq(
			end.len, levels < 4 ? 28 * levels - 8 + 12 : 28 * 3);
		for (i = 0, at = 0; i < 3 && i < levels; i++, at += 28) {
			ck_assert_uint_eq(buf[at], 0x45);
			ck_assert_uint_eq(
				(size_t)(buf[at + 2] << 8 | buf[at + 3]),
				end.len - at);
			ck_assert_uint_eq(ones_sum(buf + at, 20), 0);
			ck_assert_uint_eq(buf[at + 9], i + 1 < levels ? 1 : 17);
			if (buf[at + 9] == 1)
				ck_assert_uint_eq(ones_sum(buf + at + 20,
							  end.len - at - 20),
					0);
		}
	}
	site_fini(&near);
	site_fini(&far);
}
END_TEST

/* An extension behind the quoted packet (RFC 4884) and bytes behind the
 * quoted packet's own end are left out. */
START_TEST(test_extension)
{
	uint8_t pkt[512], buf[1024];
	struct packet_in in = {.p = pkt};
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	struct site s;
	size_t len;

	site_named(&s, "44");
	len = nested(pkt, 2, 180); /* quotes 200 bytes */
	pkt[25] = 136 / 4;
	in.len = len;
	encap(&s.set, s.maps, &in, &out);
	ck_assert_int_eq(out.drop, DROP_NONE);
	ck_assert_uint_eq(out.len, 20 + 8 + 20 + 136 - 20);
	ck_assert_uint_eq(buf[25], 0);
	pkt[25] = 0;
	pkt[28 + 3] = 100; /* the quoted packet ends before the message */
	encap(&s.set, s.maps, &in, &out);
	ck_assert_uint_eq(out.len, 20 + 8 + 100);
	site_fini(&s);
}
END_TEST

RUN_TESTS("icmp", test_kinds, test_no_other_kinds, test_read, test_is_error,
	test_levels, test_levels_back, test_extension)
