/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf.h: every accessor at every shortage; failures stick; nothing is read or
 * written beyond the bytes given. */
#include "libipref/buf.h"

#include "tests/unit/run.h"

/* Bytes of a field and its value when they are 01 02 03 ... */
static const struct field {
	size_t size;
	uint64_t value; /* of bytes 01 02 ... */
	uint64_t max;	/* the largest that fits */
} fields[] = {
	{1, 0x01, UINT8_MAX},
	{2, 0x0102, UINT16_MAX},
	{4, 0x01020304, UINT32_MAX},
	{8, 0x0102030405060708, UINT64_MAX},
};

static uint64_t
read_field(struct rbuf *r, size_t size)
{
	switch (size) {
	case 1:
		return rbuf_u8(r);
	case 2:
		return rbuf_be16(r);
	case 4:
		return rbuf_be32(r);
	default:
		return rbuf_be64(r);
	}
}

static void
write_field(struct wbuf *w, size_t size, uint64_t v)
{
	switch (size) {
	case 1:
		wbuf_u8(w, v);
		break;
	case 2:
		wbuf_be16(w, v);
		break;
	case 4:
		wbuf_be32(w, v);
		break;
	default:
		wbuf_be64(w, v);
	}
}

/* A copy of n bytes 01 02 ... of exactly that size, so that sanitizers see
 * each byte too many. */
static uint8_t *
bytes_new(size_t n)
{
	uint8_t *p = malloc(n ? n : 1);
	size_t i;

	ck_assert_ptr_nonnull(p);
	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(i + 1);
	return p;
}

START_TEST(test_read_each_length)
{
	size_t i, have;

	for (i = 0; i < ARRAY_LEN(fields); i++) {
		for (have = 0; have <= fields[i].size + 1; have++) {
			bool enough = have >= fields[i].size;
			uint8_t *p = bytes_new(have);
			struct rbuf r;
			uint64_t v;

			rbuf_init(&r, p, have);
			ck_assert(rbuf_ok(&r));
			ck_assert_uint_eq(rbuf_left(&r), have);
			v = read_field(&r, fields[i].size);
			ck_assert_uint_eq(v, enough ? fields[i].value : 0);
			ck_assert(rbuf_ok(&r) == enough);
			ck_assert(rbuf_done(&r) == (have == fields[i].size));
			ck_assert_uint_eq(rbuf_left(&r),
				enough ? have - fields[i].size : 0);
			free(p);
		}
	}
}
END_TEST

START_TEST(test_read_failure_sticks)
{
	uint8_t *p = bytes_new(3);
	uint8_t copy[3] = {9, 9, 9};
	struct rbuf r;

	rbuf_init(&r, p, 3);
	ck_assert_uint_eq(rbuf_be32(&r), 0);
	/* One byte would be there, but the cursor is spoilt. */
	ck_assert_uint_eq(rbuf_u8(&r), 0);
	ck_assert_ptr_null(rbuf_take(&r, 1));
	ck_assert_ptr_null(rbuf_take(&r, 0));
	rbuf_bytes(&r, copy, sizeof(copy));
	ck_assert(!copy[0] && !copy[1] && !copy[2]);
	ck_assert_uint_eq(rbuf_left(&r), 0);
	ck_assert(!rbuf_ok(&r));
	ck_assert(!rbuf_done(&r));

	rbuf_init(&r, p, 3);
	rbuf_fail(&r);
	ck_assert_uint_eq(rbuf_u8(&r), 0);
	ck_assert(!rbuf_ok(&r));
	free(p);
}
END_TEST

START_TEST(test_read_bytes)
{
	uint8_t *p = bytes_new(5);
	uint8_t copy[2];
	struct rbuf r;

	rbuf_init(&r, p, 5);
	rbuf_skip(&r, 1);
	rbuf_bytes(&r, copy, 2);
	ck_assert_uint_eq(copy[0], 2);
	ck_assert_uint_eq(copy[1], 3);
	ck_assert_ptr_eq(rbuf_take(&r, 2), p + 3);
	ck_assert(rbuf_done(&r));
	rbuf_skip(&r, 0);
	ck_assert(rbuf_done(&r));
	/* Lengths near the top of size_t don't wrap. */
	rbuf_skip(&r, SIZE_MAX);
	ck_assert(!rbuf_ok(&r));
	free(p);
}
END_TEST

START_TEST(test_read_nothing)
{
	struct rbuf r;

	rbuf_init(&r, NULL, 0);
	ck_assert(rbuf_done(&r));
	ck_assert_uint_eq(rbuf_u8(&r), 0);
	ck_assert(!rbuf_done(&r));
}
END_TEST

START_TEST(test_write_each_length)
{
	size_t i, k, room;

	for (i = 0; i < ARRAY_LEN(fields); i++) {
		for (room = 0; room <= fields[i].size + 1; room++) {
			bool fits = room >= fields[i].size;
			uint8_t *p = malloc(room ? room : 1);
			struct wbuf w;

			ck_assert_ptr_nonnull(p);
			wbuf_init(&w, p, room);
			write_field(&w, fields[i].size, fields[i].value);
			ck_assert(wbuf_ok(&w) == fits);
			for (k = 0; fits && k < fields[i].size; k++)
				ck_assert_uint_eq(p[k], k + 1);
			ck_assert_uint_eq(w.len, fits ? fields[i].size : 0);
			free(p);
		}
	}
}
END_TEST

START_TEST(test_write_refuses_what_is_too_wide)
{
	uint8_t p[8];
	struct wbuf w;
	size_t i;

	for (i = 0; i < ARRAY_LEN(fields); i++) {
		wbuf_init(&w, p, sizeof(p));
		write_field(&w, fields[i].size, fields[i].max);
		ck_assert(wbuf_ok(&w));
		if (fields[i].max == UINT64_MAX)
			continue;
		wbuf_init(&w, p, sizeof(p));
		write_field(&w, fields[i].size, fields[i].max + 1);
		ck_assert(!wbuf_ok(&w));
	}
}
END_TEST

START_TEST(test_write_failure_sticks)
{
	uint8_t p[4] = {7, 7, 7, 7};
	struct wbuf w;

	wbuf_init(&w, p, 3);
	wbuf_be32(&w, 1);
	wbuf_u8(&w, 1);
	wbuf_be16(&w, 1);
	wbuf_bytes(&w, "x", 1);
	wbuf_zeros(&w, 1);
	wbuf_patch16(&w, 0, 1);
	ck_assert_ptr_null(wbuf_room(&w, 0));
	ck_assert(!wbuf_ok(&w));
	ck_assert_uint_eq(w.len, 0);
	ck_assert(p[0] == 7 && p[1] == 7 && p[2] == 7 && p[3] == 7);

	wbuf_init(&w, p, 4);
	wbuf_fail(&w);
	wbuf_u8(&w, 1);
	ck_assert(!wbuf_ok(&w));
	ck_assert_uint_eq(p[0], 7);
}
END_TEST

START_TEST(test_write_bytes)
{
	static const uint8_t want[] = {1, 2, 0, 0, 5};
	uint8_t p[5];
	uint8_t *room;
	struct wbuf w;

	memset(p, 0xee, sizeof(p));
	wbuf_init(&w, p, sizeof(p));
	wbuf_bytes(&w, want, 2);
	wbuf_bytes(&w, NULL, 0);
	wbuf_zeros(&w, 2);
	room = wbuf_room(&w, 1);
	ck_assert_ptr_eq(room, p + 4);
	room[0] = 5;
	ck_assert(wbuf_ok(&w));
	ck_assert_mem_eq(p, want, sizeof(want));
	ck_assert_ptr_null(wbuf_room(&w, SIZE_MAX));
	ck_assert(!wbuf_ok(&w));
}
END_TEST

START_TEST(test_patch)
{
	/* len: bytes written before the patch at pos */
	static const struct {
		size_t len, pos;
		uint64_t v;
		bool ok;
	} rows[] = {
		{0, 0, 1, false},
		{1, 0, 1, false},
		{2, 0, 0x1234, true},
		{2, 1, 1, false},
		{4, 2, 0xffff, true},
		{4, 2, 0x10000, false},
		{4, 3, 1, false},
		{4, 4, 1, false},
		{4, SIZE_MAX, 1, false},
		{4, SIZE_MAX - 1, 1, false},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t p[8] = {0};
		struct wbuf w;

		wbuf_init(&w, p, sizeof(p));
		wbuf_zeros(&w, rows[i].len);
		wbuf_patch16(&w, rows[i].pos, rows[i].v);
		ck_assert_msg(wbuf_ok(&w) == rows[i].ok, "row %zu", i);
		ck_assert_uint_eq(w.len, rows[i].len);
		if (!rows[i].ok)
			continue;
		ck_assert_uint_eq(p[rows[i].pos], rows[i].v >> 8);
		ck_assert_uint_eq(p[rows[i].pos + 1], rows[i].v & 0xff);
	}
}
END_TEST

RUN_TESTS("buf", test_read_each_length, test_read_failure_sticks,
	test_read_bytes, test_read_nothing, test_write_each_length,
	test_write_refuses_what_is_too_wide, test_write_failure_sticks,
	test_write_bytes, test_patch)
