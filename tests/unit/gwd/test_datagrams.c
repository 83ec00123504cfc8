/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/datagrams.h"
#include "tests/unit/run.h"

/* All bytes come once and in order, in the sizes given. */
START_TEST(test_cut)
{
	static const struct {
		size_t len, size, n, last;
	} rows[] = {
		{100, 0, 1, 100},
		{0, 0, 1, 0},
		{0, 10, 1, 0},
		{9, 10, 1, 9},
		{10, 10, 1, 10},
		{11, 10, 2, 1},
		{20, 10, 2, 10},
		{65535, 1, 65535, 1},
		{65507, 1400, 47, 1107},
	};
	static uint8_t bytes[65535];
	size_t i, k, len;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		const struct datagrams d = {bytes, rows[i].len, rows[i].size};
		const uint8_t *at = bytes;

		ck_assert_uint_eq(datagrams_count(&d), rows[i].n);
		for (k = 0; k < rows[i].n; k++, at += len) {
			ck_assert_ptr_eq(datagrams_get(&d, k, &len), at);
			ck_assert_uint_eq(len, k + 1 < rows[i].n
						       ? rows[i].size
						       : rows[i].last);
		}
		ck_assert_ptr_eq(at, bytes + rows[i].len);
	}
}
END_TEST

RUN_TESTS("datagrams", test_cut)
