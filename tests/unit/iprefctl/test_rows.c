/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables that are printed as their rows come. */
#include "iprefctl/rows.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/run.h"

static const struct column columns[] = {{"N", {"n"}}, {"WORD", {"word"}}};

/* The text of a table of n rows, the caller's; those that come late are
 * wider. */
static char *
table(size_t n, bool heading)
{
	struct rows rows;
	char *text;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);
	json_t *row;

	ck_assert_ptr_nonnull(out);
	rows_init(&rows, out, columns, ARRAY_LEN(columns));
	for (i = 0; i < n; i++) {
		row = json_pack("{s:I, s:s}", "n",
			i < ROWS_KEPT ? (json_int_t)i : (json_int_t)123456,
			"word", "w");
		rows_put(&rows, row);
		json_decref(row);
	}
	rows_end(&rows, heading);
	fclose(out);
	return text;
}

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

START_TEST(test_tables)
{
	static const size_t sizes[] = {
		1, 2, ROWS_KEPT - 1, ROWS_KEPT, ROWS_KEPT + 1, 10000};
	char *text;
	size_t i;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		text = table(sizes[i], true);
		ck_assert_uint_eq(count_lines(text), sizes[i] + 1);
		ck_assert_int_eq(strncmp(text, "N", 1), 0);
		free(text);
	}
	text = table(11, true);
	ck_assert_str_eq(strrchr(text, '\0') - 6, "10  w\n");
	ck_assert_int_eq(strncmp(text, "N   WORD\n0   w\n", 15), 0);
	free(text);
	/* Widths are those of the first rows; wider ones push on. */
	text = table(ROWS_KEPT + 1, true);
	ck_assert_ptr_nonnull(strstr(text, "\n255  w\n123456  w\n"));
	free(text);
	text = table(0, true);
	ck_assert_str_eq(text, "N  WORD\n");
	free(text);
	text = table(0, false);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

RUN_TESTS("rows", test_tables)
