/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Splitting at IPREF level, and MTU arithmetic. */
#include "gwd/frag.h"
#include "gwd/header.h"
#include "gwd/packet.h"
#include "gwd/pmtu.h"
#include "tests/unit/run.h"

#define PAYLOAD_MAX 4000

static const struct split_row {
	const char *why;
	struct header h; /* contexts and references are filled in */
	uint8_t ver;
	uint64_t ref;
	size_t payload, room, pieces;
} splits[] = {
	{"two pieces", {.ttl = 9, .proto = 17}, 4, 5, 1440, 1400, 2},
	{"just fits with I: one", {.proto = 17}, 4, 5, 1372, 1400, 1},
	{"one byte more: two", {.proto = 17}, 4, 5, 1373, 1400, 2},
	{"many", {.proto = 6}, 4, 5, 4000, 100, 56},
	{"the last one not a multiple of 8", {.proto = 6}, 4, 5, 145, 100, 3},
	{"IPv6, long references", {.proto = 6}, 6, UINT64_MAX, 1452, 1452, 2},
	{"a fragment split further",
		{.frag = true,
			.mf = true,
			.off = 800,
			.ident = 77,
			.proto = 17},
		4, 5, 800, 500, 2},
	{"a last fragment split further",
		{.frag = true, .off = 800, .ident = 77, .proto = 17}, 4, 5, 801,
		500, 2},
	{"a fragment with I and identification 0 keeps it",
		{.frag = true, .mf = true, .proto = 17}, 4, 5, 800, 500, 2},
	{"no room for 8 bytes", {.proto = 17}, 4, 5, 100, 35, 0},
	{"no room for the header", {.proto = 17}, 4, 5, 100, 10, 0},
	{"beyond the largest offset", {.frag = true, .off = 65528, .proto = 17},
		4, 5, 160, 108, 1},
};

/* Writes the row's packet; its payload counts up. Returns the length. */
static size_t
make_packet(const struct split_row *row, uint8_t *buf, size_t size)
{
	struct header h = row->h;
	struct wbuf w;
	size_t i;

	h.src_gw = addr_zero(row->ver);
	h.dst_gw = addr_zero(row->ver);
	h.dst_gw.b[3] = 9;
	h.src_ref = ref_from_u64(row->ref);
	h.dst_ref = ref_from_u64(1);
	wbuf_init(&w, buf, size);
	header_encode(&w, &h);
	for (i = 0; i < row->payload; i++)
		wbuf_u8(&w, (uint8_t)(i * 7 + i / 256));
	ck_assert(wbuf_ok(&w));
	return w.len;
}

/* The i-th piece fits, continues the others, and says what the packet said. */
static void
check_piece(const struct split_row *row, const uint8_t *pkt, size_t len,
	const uint8_t *piece, size_t n, size_t from, size_t to)
{
	struct header h, whole;
	size_t header, size;
	bool last = to == row->payload;

	ck_assert_int_eq(header_decode(&whole, &size, pkt, len), DROP_NONE);
	ck_assert_int_eq(header_decode(&h, &header, piece, n), DROP_NONE);
	ck_assert_uint_le(n, row->room);
	ck_assert(h.frag);
	ck_assert_uint_eq(h.off, row->h.off + from);
	ck_assert_int_eq(h.mf, row->h.mf || !last);
	ck_assert_uint_eq(h.ident, row->h.frag ? row->h.ident : 0xabcd1234);
	ck_assert(!h.df);
	ck_assert_uint_eq(h.ttl, row->h.ttl);
	ck_assert_uint_eq(h.proto, row->h.proto);
	ck_assert(ref_eq(&h.src_ref, &whole.src_ref));
	ck_assert(addr_eq(&h.dst_gw, &whole.dst_gw));
	ck_assert(last || (to - from) % 8 == 0);
	ck_assert_uint_eq(n - header, to - from);
	ck_assert_mem_eq(piece + header, pkt + size + from, to - from);
}

START_TEST(test_split)
{
	uint8_t pkt[PAYLOAD_MAX + HEADER_MAX];
	uint8_t piece[PAYLOAD_MAX + HEADER_MAX];
	size_t i, k, len, n, off, before;

	for (i = 0; i < ARRAY_LEN(splits); i++) {
		len = make_packet(&splits[i], pkt, sizeof(pkt));
		off = 0;
		for (k = 0;; k++) {
			before = off;
			n = frag_piece(pkt, len, splits[i].room, 0xabcd1234,
				&off, piece, sizeof(piece));
			if (!n)
				break;
			check_piece(
				&splits[i], pkt, len, piece, n, before, off);
		}
		ck_assert_uint_eq(off, before);
		ck_assert_msg(k == splits[i].pieces, "%s: %zu pieces",
			splits[i].why, k);
	}
}
END_TEST

/* No piece where none can be, and none into too small a buffer. */
START_TEST(test_split_nothing)
{
	uint8_t pkt[PAYLOAD_MAX], piece[64];
	size_t len = make_packet(&splits[0], pkt, sizeof(pkt)), off = 0;

	ck_assert_uint_eq(frag_piece(pkt, 19, 1400, 1, &off, piece, 64), 0);
	ck_assert_uint_eq(frag_piece(pkt, 20, 1400, 1, &off, piece, 64), 0);
	ck_assert_uint_eq(frag_piece(pkt, len, 1400, 1, &off, piece, 64), 0);
	ck_assert_uint_eq(off, 0);
	ck_assert(!frag_forbidden(pkt));
	pkt[0] |= HEADER_D;
	ck_assert(frag_forbidden(pkt));
}
END_TEST

/* IPv6 counts on 1280 bytes, though D is always set there: then a piece does
 * not have it. */
START_TEST(test_despite_d)
{
	const struct gw_settings v4 = {.local_ver = 4}, v6 = {.local_ver = 6};
	uint8_t pkt[PAYLOAD_MAX], piece[PAYLOAD_MAX];
	struct split_row row = splits[0];
	size_t len, off = 0;

	ck_assert(!frag_despite_d(&v4, 600));
	ck_assert(!frag_despite_d(&v4, 1280));
	ck_assert(frag_despite_d(&v6, 1280));
	ck_assert(!frag_despite_d(&v6, 1281));
	row.h.df = true;
	len = make_packet(&row, pkt, sizeof(pkt));
	ck_assert(frag_forbidden(pkt));
	ck_assert_uint_gt(
		frag_piece(pkt, len, 1400, 1, &off, piece, sizeof(piece)), 0);
	ck_assert(!frag_forbidden(piece));
}
END_TEST

/* Into IPv6: the same rows, by the MTU that leaves as much room. */
static size_t
make_host_packet(const struct split_row *row, uint8_t *buf, size_t size)
{
	const struct packet p = {
		.ver = 6,
		.src = {6, {0xfd, [15] = 1}},
		.dst = {6, {0xfd, [15] = 2}},
		.tos = 0x2e,
		.ttl = row->h.ttl,
		.proto = row->h.proto,
		.frag = row->h.frag,
		.mf = row->h.mf,
		.off = row->h.off,
		.ident = row->h.ident,
	};
	struct wbuf w;
	size_t i, start;

	wbuf_init(&w, buf, size);
	start = packet_begin(&w, &p);
	for (i = 0; i < row->payload; i++)
		wbuf_u8(&w, (uint8_t)(i * 7 + i / 256));
	packet_end(&w, &p, start);
	ck_assert(wbuf_ok(&w));
	return w.len;
}

static void
check_host_piece(const struct split_row *row, const struct packet *whole,
	const uint8_t *piece, size_t n, size_t from, size_t to)
{
	bool last = to == row->payload;
	struct packet p;

	ck_assert_int_eq(packet_parse(&p, 6, piece, n, false), DROP_NONE);
	ck_assert(p.frag);
	ck_assert_uint_eq(p.off, row->h.off + from);
	ck_assert_int_eq(p.mf, row->h.mf || !last);
	ck_assert_uint_eq(p.ident, row->h.frag ? row->h.ident : 0xabcd1234);
	ck_assert_uint_eq(p.ttl, row->h.ttl);
	ck_assert_uint_eq(p.tos, 0x2e);
	ck_assert_uint_eq(p.proto, row->h.proto);
	ck_assert(addr_eq(&p.src, &whole->src));
	ck_assert(addr_eq(&p.dst, &whole->dst));
	ck_assert_uint_eq(p.l4_len, to - from);
	ck_assert(last || (to - from) % 8 == 0);
	ck_assert_mem_eq(p.l4, whole->l4 + from, to - from);
}

START_TEST(test_host)
{
	uint8_t pkt[PAYLOAD_MAX + 48], piece[PAYLOAD_MAX + 48];
	size_t i, k, len = 0, n, off, before;
	struct packet whole;
	uint32_t mtu;

	for (i = 0; i < ARRAY_LEN(splits); i++) {
		if (splits[i].ver != 4)
			continue;
		len = make_host_packet(&splits[i], pkt, sizeof(pkt));
		ck_assert_int_eq(
			packet_parse(&whole, 6, pkt, len, false), DROP_NONE);
		/* 28: an IPREF header with I, as in the rows */
		mtu = (uint32_t)splits[i].room + 48 - 28;
		off = 0;
		for (k = 0;; k++) {
			before = off;
			n = frag_host_piece(pkt, len, mtu, 0xabcd1234, &off,
				piece, sizeof(piece));
			if (!n)
				break;
			ck_assert_uint_le(n, mtu);
			check_host_piece(
				&splits[i], &whole, piece, n, before, off);
		}
		ck_assert_msg(k == splits[i].pieces, "%s: %zu pieces",
			splits[i].why, k);
	}
	off = 0;
	ck_assert_uint_eq(
		frag_host_piece(pkt, len, 1400, 1, &off, piece, 64), 0);
	ck_assert_uint_eq(
		frag_host_piece(pkt, 39, 1400, 1, &off, piece, 64), 0);
}
END_TEST

START_TEST(test_for_host)
{
	static const struct {
		uint8_t local_ver, first;
		size_t len;
		bool cut;
	} rows[] = {
		{6, 0x10, 1281, true}, {6, 0x12, 1281, true},
		{6, 0x10, 1280, false},
		{6, 0x11, 1400, false}, /* D: the router tells the sender */
		{4, 0x10, 1400, false}, /* the kernel cuts */
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct gw_settings set = {.local_ver = rows[i].local_ver};

		ck_assert_msg(frag_for_host(&set, &rows[i].first, rows[i].len,
				      1280) == rows[i].cut,
			"row %zu", i);
	}
}
END_TEST

START_TEST(test_mtu)
{
	static const struct {
		uint8_t local, tunnel;
		size_t header;
		bool frag;
		uint32_t path, room, local_mtu;
	} rows[] = {
		{4, 4, 44, false, 1500, 1472, 1448},
		{4, 4, 52, true, 1500, 1472, 1440},
		{4, 4, 20, false, 1500, 1472, 1472},
		{4, 6, 68, false, 1500, 1452, 1404},
		{4, 4, 44, false, 65535, 65507, 65483},
		{4, 4, 20, false, 28, 0, 0},
		{4, 4, 20, false, 0, 0, 0},
		{4, 4, 44, false, 52, 24, 0},
		{4, 4, 44, false, 72, 44, 0},
		{4, 4, 44, false, 73, 45, 21},
		{6, 4, 44, false, 1500, 1472, 1468},
		{6, 4, 52, true, 1500, 1472, 1468},
		{6, 6, 68, false, 1300, 1252, 1280},
		{6, 6, 68, false, 116, 68, 0},
		{6, 6, 76, true, 1500, 1452, 1424},
		{6, 4, 44, false, 1313, 1285, 1281},
		{6, 4, 44, false, 1311, 1283, 1280},
		{6, 4, 44, false, 576, 548, 1280},
		{6, 4, 44, false, 28, 0, 0},
	};
	struct gw_settings set;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		set = (struct gw_settings){.tunnel_ver = rows[i].tunnel};
		ck_assert_uint_eq(frag_room(&set, rows[i].path), rows[i].room);
		ck_assert_uint_eq(pmtu_to_local(rows[i].local, rows[i].header,
					  rows[i].frag, rows[i].room),
			rows[i].local_mtu);
	}
	ck_assert_uint_eq(pmtu_to_local(4, 20, false, UINT32_MAX), 65535);
}
END_TEST

START_TEST(test_mtu_leaving)
{
	static const uint32_t rows[][2] = {
		{1500, 1472},
		{68, 40},
		{29, 1},
		{28, 0},
		{0, 0},
		{65535, 65507},
		{65536, 65507},
		{UINT32_MAX, 65507},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_uint_eq(pmtu_to_tunnel(rows[i][0]), rows[i][1]);
}
END_TEST

START_TEST(test_mtu_interface)
{
	ck_assert_uint_eq(pmtu_interface(4, 4, 1500), 1448);
	ck_assert_uint_eq(pmtu_interface(4, 6, 1500), 1404);
	ck_assert_uint_eq(pmtu_interface(6, 4, 1500), 1468);
	ck_assert_uint_eq(pmtu_interface(6, 6, 1500), 1424);
	ck_assert_uint_eq(pmtu_interface(6, 4, 1312), 1280);
	ck_assert_uint_eq(pmtu_interface(6, 6, 1280), 1280);
	ck_assert_uint_eq(pmtu_interface(6, 4, 576), 1280);
	ck_assert_uint_eq(pmtu_interface(4, 4, 52), 0);
	ck_assert_uint_eq(pmtu_interface(4, 4, 0), 0);
}
END_TEST

/* A local packet as large as the MTU that frag_too_big() tells makes an IPREF
 * packet that just fits. */
START_TEST(test_told_mtu_fits)
{
	struct gw_settings set = {
		.local_ver = 4, .tunnel_ver = 4, .own_local = addr_zero(4)};
	uint8_t pkt[PAYLOAD_MAX], buf[GW_REPLY_MAX];
	uint8_t local[1428] = {0x45, 0, 0x05, 0x94, 0, 0, 0x40, 0, 64, 17, 0, 0,
		10, 1, 1, 1, 10, 240, 1, 1};
	struct packet_in in = {.p = local, .len = sizeof(local)};
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	struct split_row row = splits[0];
	size_t len;
	uint32_t mtu;

	row.payload = sizeof(local) - 20;
	row.h.df = true;
	len = make_packet(&row, pkt, sizeof(pkt));
	frag_too_big(&set, &in, pkt, len, 1400, &out);
	ck_assert_int_eq(out.drop, DROP_TOO_BIG);
	ck_assert_int_eq(out.reply, REPLY_LOCAL);
	ck_assert_uint_eq(buf[20], 3);
	ck_assert_uint_eq(buf[21], 4);
	mtu = (uint32_t)(buf[26] << 8 | buf[27]);
	ck_assert_uint_eq(mtu - 20 + (len - row.payload) + 28, 1400);
	/* nothing is said about a later fragment */
	local[6] = 0x40;
	local[7] = 1;
	frag_too_big(&set, &in, pkt, len, 1400, &out);
	ck_assert_int_eq(out.drop, DROP_TOO_BIG);
	ck_assert_int_eq(out.reply, REPLY_NONE);
}
END_TEST

RUN_TESTS("frag", test_split, test_split_nothing, test_despite_d, test_host,
	test_for_host, test_mtu, test_mtu_leaving, test_mtu_interface,
	test_told_mtu_fits)
