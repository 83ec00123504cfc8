/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/mss.h"
#include "gwd/cksum.h"
#include "gwd/header.h"
#include "tests/unit/run.h"

#define TCP_MAX	 200
#define CHECKSUM 16 /* where it is in TCP */

/* TCP's header with these options and some payload, its checksum right. */
static size_t
make_tcp(uint8_t *tcp, uint8_t flags, const uint8_t *options, size_t n)
{
	struct wbuf w;

	ck_assert_uint_eq(n % 4, 0);
	wbuf_init(&w, tcp, TCP_MAX);
	wbuf_be32(&w, 0xc0000050); /* ports */
	wbuf_be32(&w, 0x01020304);
	wbuf_be32(&w, 0);
	wbuf_u8(&w, (5 + n / 4) << 4);
	wbuf_u8(&w, flags);
	wbuf_be16(&w, 0xfaf0);
	wbuf_be16(&w, 0); /* checksum */
	wbuf_be16(&w, 0);
	wbuf_bytes(&w, options, n);
	wbuf_bytes(&w, "early data", 10);
	wbuf_patch16(&w, CHECKSUM, cksum_field(cksum_sum(tcp, w.len)));
	ck_assert(wbuf_ok(&w));
	return w.len;
}

/* The sum over everything, its field among it, of a right checksum. */
static bool
sum_is_right(const uint8_t *tcp, size_t len)
{
	return cksum_fold(cksum_sum(tcp, len)) == 0xffff;
}

START_TEST(test_options)
{
	static const struct {
		const char *why;
		uint8_t options[40], len;
		uint8_t at;	  /* of the value in the options */
		uint16_t mss, to; /* 0: nothing is changed */
	} rows[] = {
		{"1460 to 1400", {2, 4, 0x05, 0xb4}, 4, 2, 1400, 1400},
		{"equal", {2, 4, 0x05, 0xb4}, 4, 2, 1460, 0},
		{"smaller is never raised", {2, 4, 0x02, 0x18}, 4, 2, 1400, 0},
		{"the largest", {2, 4, 0xff, 0xff}, 4, 2, 536, 536},
		{"high byte only", {2, 4, 0x06, 0x00}, 4, 2, 0x500, 0x500},
		{"behind others",
			{1, 1, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 0x05,
				0xb4, 1, 0},
			20, 16, 1400, 1400},
		{"at an odd byte", {1, 2, 4, 0x05, 0xb4, 3, 3, 7}, 8, 3, 1400,
			1400},
		{"last", {1, 1, 1, 1, 2, 4, 0x05, 0xb4}, 8, 6, 1400, 1400},
		{"none", {3, 3, 7, 1}, 4, 0, 1400, 0},
		{"no options", {0}, 0, 0, 1400, 0},
		{"behind the end", {0, 0, 0, 0, 2, 4, 0x05, 0xb4}, 8, 6, 1400,
			0},
		{"of another length", {2, 6, 0x05, 0xb4, 0, 0, 1, 1}, 8, 2,
			1400, 0},
		{"reaching out of the header", {1, 2, 4, 5}, 4, 0, 1400, 0},
		{"cut behind its kind", {1, 1, 1, 2}, 4, 0, 1400, 0},
		{"length 0", {3, 0, 2, 4, 0x05, 0xb4, 0, 0}, 8, 4, 1400, 0},
		{"length 1", {3, 1, 2, 4, 0x05, 0xb4, 0, 0}, 8, 4, 1400, 0},
		{"none wanted", {2, 4, 0x05, 0xb4}, 4, 2, 0, 0},
	};
	uint8_t tcp[TCP_MAX], before[TCP_MAX];
	size_t i, len, at;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		len = make_tcp(tcp, 2, rows[i].options, rows[i].len);
		memcpy(before, tcp, len);
		ck_assert_msg(mss_clamp(L4_TUNNEL, tcp, len, rows[i].mss) ==
				      !!rows[i].to,
			"%s", rows[i].why);
		ck_assert_msg(sum_is_right(tcp, len), "%s", rows[i].why);
		if (rows[i].to) {
			at = 20u + rows[i].at;
			ck_assert_uint_eq(
				(unsigned)(tcp[at] << 8 | tcp[at + 1]),
				rows[i].to);
			memcpy(before + at, tcp + at, 2);
			memcpy(before + CHECKSUM, tcp + CHECKSUM, 2);
		}
		ck_assert_msg(!memcmp(before, tcp, len), "%s", rows[i].why);
	}
}
END_TEST

/* Both of two, since nobody knows which one counts. */
START_TEST(test_twice)
{
	static const uint8_t options[] = {2, 4, 5, 180, 2, 4, 5, 220};
	uint8_t tcp[TCP_MAX];
	size_t len = make_tcp(tcp, 2, options, sizeof(options));

	ck_assert(mss_clamp(L4_LOCAL, tcp, len, 1400));
	ck_assert_uint_eq((unsigned)(tcp[22] << 8 | tcp[23]), 1400);
	ck_assert_uint_eq((unsigned)(tcp[26] << 8 | tcp[27]), 1400);
	ck_assert(sum_is_right(tcp, len));
}
END_TEST

/* A data offset beyond the segment, or one cut anywhere: nothing is read or
 * written past its end (the sanitizer's part). */
START_TEST(test_cut)
{
	static const uint8_t options[] = {1, 1, 2, 4, 5, 180, 1, 1};
	uint8_t tcp[TCP_MAX], *p;
	size_t whole = make_tcp(tcp, 2, options, sizeof(options)), len;

	for (len = 0; len <= whole; len++) {
		p = malloc(len ? len : 1);
		ck_assert_ptr_nonnull(p);
		memcpy(p, tcp, len);
		ck_assert_int_eq(mss_clamp(L4_TUNNEL, p, len, 1400), len >= 28);
		free(p);
	}
}
END_TEST

/* A checksum that comes out as 0 is 0xffff in the tunnel. */
START_TEST(test_zero)
{
	static const uint8_t options[] = {2, 4, 0x05, 0xb4}; /* 1460 */
	uint8_t tcp[TCP_MAX];
	struct wbuf w;
	size_t len = make_tcp(tcp, 2, options, sizeof(options));

	wbuf_init(&w, tcp + CHECKSUM, 2);
	wbuf_be16(&w, 0xffff - (1460 - 1400));
	ck_assert(mss_clamp(L4_TUNNEL, tcp, len, 1400));
	ck_assert_uint_eq(tcp[CHECKSUM], 0xff);
	ck_assert_uint_eq(tcp[CHECKSUM + 1], 0xff);
	len = make_tcp(tcp, 2, options, sizeof(options));
	wbuf_init(&w, tcp + CHECKSUM, 2);
	wbuf_be16(&w, 0xffff - (1460 - 1400));
	ck_assert(mss_clamp(L4_LOCAL, tcp, len, 1400));
	ck_assert_uint_eq(tcp[CHECKSUM], 0);
	ck_assert_uint_eq(tcp[CHECKSUM + 1], 0);
}
END_TEST

static size_t
make_tunnel(uint8_t *buf, size_t size, const struct header *like,
	const uint8_t *tcp, size_t len)
{
	struct header h = *like;
	struct wbuf w;

	h.src_gw = addr_zero(4);
	h.dst_gw = addr_zero(4);
	h.src_ref = ref_from_u64(5);
	h.dst_ref = ref_from_u64(6);
	wbuf_init(&w, buf, size);
	header_encode(&w, &h);
	wbuf_bytes(&w, tcp, len);
	ck_assert(wbuf_ok(&w));
	return w.len;
}

START_TEST(test_syn)
{
	static const struct {
		const char *why;
		struct header h;
		uint8_t flags;
		size_t at;
	} rows[] = {
		{"SYN", {.proto = 6}, 0x02, 20},
		{"SYN and ACK", {.proto = 6, .df = true}, 0x12, 20},
		{"whole, with I", {.proto = 6, .frag = true}, 0x02, 28},
		{"no SYN", {.proto = 6}, 0x10, 0},
		{"UDP", {.proto = 17}, 0x02, 0},
		{"a first fragment", {.proto = 6, .frag = true, .mf = true},
			0x02, 0},
		{"a later fragment", {.proto = 6, .frag = true, .off = 8}, 0x02,
			0},
	};
	static const uint8_t options[] = {2, 4, 5, 180};
	uint8_t tcp[TCP_MAX], pkt[2 * TCP_MAX];
	size_t i, n, len;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		n = make_tcp(tcp, rows[i].flags, options, sizeof(options));
		len = make_tunnel(pkt, sizeof(pkt), &rows[i].h, tcp, n);
		ck_assert_msg(
			mss_syn(pkt, len) == rows[i].at, "%s", rows[i].why);
		ck_assert_uint_eq(mss_syn(pkt, len - n + 19), 0);
		ck_assert_uint_eq(mss_syn(pkt, 19), 0);
	}
}
END_TEST

/* A full segment makes a local packet that the interface takes, and an IPREF
 * packet that the path takes; one byte more would not. */
START_TEST(test_of)
{
	static const struct {
		uint8_t local, tunnel;
		size_t header;
		uint32_t path, interface;
		uint16_t mss;
	} rows[] = {
		{4, 4, 20, 1500, 1448, 1408}, /* the interface: 1448 - 40 */
		{4, 4, 44, 1500, 1448, 1408},
		{4, 4, 44, 1400, 1448, 1308}, /* 1400 - 28 - 44 - 20 */
		{4, 4, 20, 1400, 1448, 1332},
		{4, 6, 68, 1280, 1404, 1144}, /* 1280 - 48 - 68 - 20 */
		{6, 4, 44, 1500, 1468, 1408},
		{6, 6, 68, 1280, 1424, 1144},
		{6, 4, 44, 576, 1280, 484},
		{4, 4, 44, 92, 1448, 0},
		{4, 4, 44, 1500, 40, 0},
	};
	struct gw_settings set;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		set = (struct gw_settings){.local_ver = rows[i].local,
			.tunnel_ver = rows[i].tunnel};
		ck_assert_msg(mss_of(&set, rows[i].header, rows[i].path,
				      rows[i].interface) == rows[i].mss,
			"row %zu: %u", i,
			mss_of(&set, rows[i].header, rows[i].path,
				rows[i].interface));
	}
}
END_TEST

/* From the local form of a packet and from its IPREF form alike; what is no SYN
 * stays as it is. */
START_TEST(test_fit)
{
	static const uint8_t options[] = {2, 4, 0x05, 0xb4}; /* 1460 */
	static const struct header like = {.proto = 6};
	const struct gw_settings set = {.local_ver = 4, .tunnel_ver = 4};
	uint8_t tcp[TCP_MAX], tunnel[2 * TCP_MAX], local[2 * TCP_MAX];
	struct packet_out out = {.p = local};
	size_t n, len, syn;

	for (syn = 0; syn < 2; syn++) {
		n = make_tcp(tcp, syn ? 0x02 : 0x10, options, sizeof(options));
		len = make_tunnel(tunnel, sizeof(tunnel), &like, tcp, n);
		memcpy(local + 20, tcp, n);
		out.len = 20 + n;
		ck_assert_int_eq(
			mss_fit(&set, 1400, 1448, tunnel, len, L4_LOCAL, &out),
			syn);
		/* 1400 - 28 - 20 - 20 */
		ck_assert_int_eq(local[42] << 8 | local[43], syn ? 1332 : 1460);
		ck_assert(sum_is_right(local + 20, n));
		ck_assert_mem_eq(tunnel + 20, tcp, n);
		ck_assert(!mss_fit(
			&set, 1400, 1448, tunnel, len, L4_LOCAL, &out));

		out = (struct packet_out){.p = tunnel, .len = len};
		ck_assert_int_eq(
			mss_fit(&set, 1400, 1448, tunnel, len, L4_TUNNEL, &out),
			syn);
		ck_assert_mem_eq(tunnel + 20, local + 20, n);
		out.p = local;
	}
}
END_TEST

RUN_TESTS("gwd mss", test_options, test_twice, test_cut, test_zero, test_syn,
	test_of, test_fit)
