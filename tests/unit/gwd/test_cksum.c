/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checksums against plain recomputation, and the place of the checksum in
 * pieces of transport protocols.
 */
#include "gwd/cksum.h"
#include "gwd/l4.h"
#include "tests/unit/run.h"

/* One byte after the other, end-around carry at once (RFC 1071, 1). */
static uint16_t
plain_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static uint32_t seed = 20240117;

static uint8_t
next_byte(void)
{
	seed = seed * 1103515245 + 12345;
	return (uint8_t)(seed >> 16);
}

START_TEST(test_sum)
{
	static uint8_t bytes[65536 + 1];
	static const size_t lens[] = {
		0, 1, 2, 3, 4, 5, 7, 8, 20, 575, 576, 65535, 65536, 65537};
	size_t i, k;
	int fill;

	for (fill = 0; fill < 3; fill++) {
		for (i = 0; i < sizeof(bytes); i++)
			bytes[i] = fill == 0   ? 0
				   : fill == 1 ? 0xff
					       : next_byte();
		for (k = 0; k < ARRAY_LEN(lens); k++)
			ck_assert_uint_eq(cksum_fold(cksum_sum(bytes, lens[k])),
				plain_sum(bytes, lens[k]));
	}
}
END_TEST

/* Any beginning, any end. */
START_TEST(test_sum_pieces)
{
	static uint8_t bytes[700];
	size_t at, len;

	for (at = 0; at < sizeof(bytes); at++)
		bytes[at] = next_byte();
	for (at = 0; at < 9; at++)
		for (len = 0; len <= 600; len++)
			ck_assert_uint_eq(
				cksum_fold(cksum_sum(bytes + at, len)),
				plain_sum(bytes + at, len));
}
END_TEST

START_TEST(test_fold)
{
	static const struct {
		uint32_t sum;
		uint16_t fold;
	} rows[] = {
		{0, 0},
		{1, 1},
		{0xffff, 0xffff},
		{0x10000, 1},
		{0x1ffff, 1},
		{0x1fffe, 0xffff},
		{0xffff0000, 0xffff},
		{0xffffffff, 0xffff},
		{0xfffe0001, 0xffff},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_uint_eq(cksum_fold(rows[i].sum), rows[i].fold);
		ck_assert_uint_eq(
			cksum_field(rows[i].sum), (uint16_t)~rows[i].fold);
	}
}
END_TEST

/* The corners of RFC 1624 (section 4 and its examples), and that a change and
 * its reverse give an equal field. */
START_TEST(test_adjust_corners)
{
	static const struct {
		uint16_t field;
		uint32_t minus, plus;
		uint16_t result;
	} rows[] = {
		{0xdd2f, 0x5555, 0x3285, 0x0000}, /* RFC 1624, 4 */
		{0x0000, 0, 0, 0x0000},
		{0xffff, 0, 0, 0x0000}, /* its equal */
		{0x0000, 0x1234, 0x1234, 0x0000},
		{0xffff, 0x1234, 0x1234, 0x0000},
		{0x1234, 0xffff, 0, 0x1234},
		{0x1234, 0, 0xffff, 0x1234},
		{0x0000, 0x0001, 0, 0x0001},
		{0xffff, 0x0001, 0, 0x0001},
		{0xfffe, 0, 0x0001, 0xfffd},
		{0x0001, 0, 0x0001, 0x0000},
		{0x1000, 0x30000, 0x2fffd, 0x1003},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_msg(cksum_adjust(rows[i].field, rows[i].minus,
				      rows[i].plus) == rows[i].result,
			"row %zu: %04x", i,
			cksum_adjust(
				rows[i].field, rows[i].minus, rows[i].plus));
}
END_TEST

START_TEST(test_adjust_recomputed)
{
	uint8_t bytes[64];
	struct addr before[2], after[2];
	uint16_t field;
	unsigned round;
	size_t i;

	for (round = 0; round < 20000; round++) {
		for (i = 0; i < sizeof(bytes); i++)
			bytes[i] = round % 3 ? next_byte() : 0;
		for (i = 0; i < 2; i++) {
			uint8_t ver = round % 2 ? 4 : 6;

			before[i] = addr_from_bytes(ver, bytes + 16 * i);
			memcpy(bytes + 16 * i, before[i].b, 16);
			after[i] = addr_zero(ver);
		}
		for (i = 0; i < addr_len(after[0].ver); i++) {
			after[0].b[i] = next_byte();
			after[1].b[i] = round % 5 ? next_byte() : 0xff;
		}
		field = (uint16_t)~plain_sum(bytes, sizeof(bytes));
		field = cksum_adjust(field,
			cksum_addr(&before[0]) + cksum_addr(&before[1]),
			cksum_addr(&after[0]) + cksum_addr(&after[1]));
		memcpy(bytes, after[0].b, 16);
		memcpy(bytes + 16, after[1].b, 16);
		/* 0x0000 and 0xffff are one value: compare as a receiver does,
		 * the sum with the field in it has to be zero */
		ck_assert_uint_eq(cksum_fold((uint32_t)field +
					     plain_sum(bytes, sizeof(bytes))),
			0xffff);
	}
}
END_TEST

static const struct check_row {
	uint8_t proto;
	uint16_t off;
	size_t len;
	enum drop drop;
	int field; /* where it is adjusted; -1: nowhere */
} checks[] = {
	{1, 0, 7, DROP_L4_TOO_SHORT, -1},
	{1, 0, 8, DROP_NONE, -1},
	{1, 8, 1, DROP_NONE, -1},
	{6, 0, 0, DROP_NONE, -1},
	{6, 0, 15, DROP_NONE, -1},
	{6, 0, 16, DROP_NONE, -1},
	{6, 0, 17, DROP_L4_TOO_SHORT, -1},
	{6, 0, 18, DROP_NONE, 16},
	{6, 8, 8, DROP_NONE, -1},
	{6, 8, 9, DROP_L4_TOO_SHORT, -1},
	{6, 8, 10, DROP_NONE, 8},
	{6, 16, 1, DROP_L4_TOO_SHORT, -1},
	{6, 16, 2, DROP_NONE, 0},
	{6, 24, 1, DROP_NONE, -1},
	{17, 0, 7, DROP_L4_TOO_SHORT, -1},
	{17, 0, 8, DROP_NONE, 6},
	{17, 8, 1, DROP_NONE, -1},
	{33, 0, 7, DROP_L4_TOO_SHORT, -1},
	{33, 0, 8, DROP_NONE, 6},
	{136, 0, 7, DROP_L4_TOO_SHORT, -1},
	{136, 0, 8, DROP_NONE, 6},
	{132, 0, 12, DROP_NONE, -1},
	{47, 0, 0, DROP_NONE, -1},
};

START_TEST(test_l4_places)
{
	uint8_t piece[64], before[64];
	size_t i, k;
	int changed;

	for (i = 0; i < ARRAY_LEN(checks); i++) {
		const struct check_row *row = &checks[i];

		ck_assert_msg(
			l4_check(row->proto, row->off, row->len) == row->drop,
			"row %zu", i);
		for (k = 0; k < sizeof(piece); k++)
			before[k] = piece[k] = (uint8_t)(0x11 * k + 1);
		l4_adjust(L4_TUNNEL, row->proto, row->off, piece, row->len,
			0x4321, 0);
		changed = -1;
		for (k = 0; k < sizeof(piece); k++)
			if (changed < 0 && piece[k] != before[k])
				changed = (int)k;
		ck_assert_msg(changed == row->field, "row %zu: %d", i, changed);
	}
}
END_TEST

/* The forms of zero: see l4.c. */
START_TEST(test_l4_zero)
{
	static const struct {
		uint8_t proto;
		enum l4_end to;
		uint16_t field;
		uint32_t minus, plus;
		uint16_t result;
	} rows[] = {
		{6, L4_TUNNEL, 0x0000, 0x1234, 0, 0x1234},
		{6, L4_TUNNEL, 0xffff, 0x1234, 0, 0x1234},
		{6, L4_TUNNEL, 0xedcb, 0x1234, 0, 0xffff},
		{6, L4_LOCAL, 0x1234, 0, 0x1234, 0x0000},
		{6, L4_LOCAL, 0x0000, 0, 0x1234, 0xedcb},
		{6, L4_LOCAL, 0xffff, 0, 0x1234, 0xedcb},
		{17, L4_TUNNEL, 0x0000, 0x1234, 0, 0x0000},
		{17, L4_TUNNEL, 0xedcb, 0x1234, 0, 0xffff},
		{17, L4_LOCAL, 0x0000, 0, 0x1234, 0x0000},
		{17, L4_LOCAL, 0x1234, 0, 0x1234, 0xffff},
		{33, L4_TUNNEL, 0x0000, 0x1234, 0, 0x1234},
		{33, L4_LOCAL, 0x1234, 0, 0x1234, 0xffff},
		{136, L4_TUNNEL, 0x0000, 0x1234, 0, 0x0000},
		{136, L4_LOCAL, 0x1234, 0, 0x1234, 0xffff},
	};
	uint8_t piece[20];
	size_t i, at;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		at = rows[i].proto == 6 ? 16 : 6;
		memset(piece, 0x77, sizeof(piece));
		piece[at] = (uint8_t)(rows[i].field >> 8);
		piece[at + 1] = (uint8_t)rows[i].field;
		l4_adjust(rows[i].to, rows[i].proto, 0, piece, sizeof(piece),
			rows[i].minus, rows[i].plus);
		ck_assert_msg(
			(piece[at] << 8 | piece[at + 1]) == rows[i].result,
			"row %zu: %02x%02x", i, piece[at], piece[at + 1]);
	}
}
END_TEST

START_TEST(test_l4_carried)
{
	static const uint8_t refused[] = {
		0, 43, 44, 51, 58, 59, 60, 135, 139, 140};
	unsigned proto;
	size_t i, n = 0;

	for (i = 0; i < sizeof(refused); i++)
		ck_assert(!l4_carried(refused[i]));
	for (proto = 0; proto < 256; proto++)
		n += l4_carried((uint8_t)proto);
	ck_assert_uint_eq(n, 256 - sizeof(refused));
}
END_TEST

RUN_TESTS("cksum", test_sum, test_sum_pieces, test_fold, test_adjust_corners,
	test_adjust_recomputed, test_l4_places, test_l4_zero, test_l4_carried)
