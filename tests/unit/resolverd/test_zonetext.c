/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logical lines, words and $GENERATE templates of zone files. */
#include "tests/unit/run.h"

#include <stdio.h>
#include <string.h>

#include "resolverd/zonetext.h"

static const struct {
	const char *text;
	const char *lines; /* "N:line|N:line", then "!error" */
} cases[] = {
	{"", ""},
	{"\n\n  \n;c\n", ""},
	{"a b\n", "1:a b"},
	{"a b", "1:a b"},
	{"a b;c\n\nd\n", "1:a b|3:d"},
	{"a ( b\n c )\nd\n", "1:a   b  c  |3:d"},
	{"a ( b ; ( comment\n )\nd", "1:a   b    |3:d"},
	{"a \"x;y(\"\n", "1:a \"x;y(\""},
	{"a \"x\\\"y\" z\n", "1:a \"x\\\"y\" z"},
	{"a\\;b c\n", "1:a\\;b c"},
	{" \t a\r\n", "1: \t a "},
	{"a (\nb\n", "!parenthesis not closed at the end of the file"},
	{"a )\n", "!closing parenthesis without an opening one"},
	{"ok\na \"b\nc\"\n", "1:ok|!string not closed on its line"},
	{"a \"b", "!string not closed at the end of the file"},
	{"a\\\nb", "!string not closed on its line"},
};

START_TEST(test_lines)
{
	enum zonetext_result res;
	const char *error = NULL;
	struct zonetext t;
	char got[512], *end;
	size_t i;
	FILE *f;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		f = tmpfile();
		ck_assert_ptr_nonnull(f);
		fputs(cases[i].text, f);
		rewind(f);
		ck_assert(zonetext_init(&t, f));
		end = got;
		*end = '\0';
		while ((res = zonetext_next(&t, &error)) == ZONETEXT_LINE)
			end += sprintf(end, "%s%u:%s", end == got ? "" : "|",
				t.at, t.buf);
		if (res == ZONETEXT_BAD)
			sprintf(end, "%s!%s", end == got ? "" : "|", error);
		ck_assert_str_eq(got, cases[i].lines);
		zonetext_fini(&t);
		fclose(f);
	}
}
END_TEST

START_TEST(test_too_long)
{
	const char *error = NULL;
	struct zonetext t;
	size_t i;
	FILE *f = tmpfile();

	for (i = 0; i < ZONETEXT_LINE_MAX + 10; i++)
		putc('a', f);
	putc('\n', f);
	rewind(f);
	ck_assert(zonetext_init(&t, f));
	ck_assert_int_eq(zonetext_next(&t, &error), ZONETEXT_BAD);
	ck_assert_str_eq(error, "line too long");
	zonetext_fini(&t);
	fclose(f);
}
END_TEST

START_TEST(test_zero_byte)
{
	const char *error = NULL;
	struct zonetext t;
	FILE *f = tmpfile();

	fwrite("a\0b\n", 1, 4, f);
	rewind(f);
	ck_assert(zonetext_init(&t, f));
	ck_assert_int_eq(zonetext_next(&t, &error), ZONETEXT_BAD);
	ck_assert_str_eq(error, "a zero byte");
	zonetext_fini(&t);
	fclose(f);
}
END_TEST

START_TEST(test_words)
{
	char text[] = "  a\t\"b c\" d\\ e \"f\\\"g h\" i", *p = text;
	static const char *const words[] = {
		"a", "\"b c\"", "d\\ e", "\"f\\\"g h\"", "i"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		ck_assert_str_eq(zonetext_word(&p), words[i]);
	ck_assert_ptr_null(zonetext_word(&p));
}
END_TEST

static const struct {
	const char *text;
	unsigned start, stop, step; /* step 0: refused */
} ranges[] = {
	{"1-10", 1, 10, 1},
	{"0-254/2", 0, 254, 2},
	{"5-5", 5, 5, 1},
	{"0-65535", 0, 65535, 1},
	{"0-65536", 0, 0, 0},
	{"0-131071/2", 0, 131071, 2},
	{"10-1", 0, 0, 0},
	{"1-10/0", 0, 0, 0},
	{"1", 0, 0, 0},
	{"1-", 0, 0, 0},
	{"1-2x", 0, 0, 0},
	{"1-2/3x", 0, 0, 0},
};

START_TEST(test_ranges)
{
	struct generate g;
	size_t i;
	bool ok;

	for (i = 0; i < ARRAY_LEN(ranges); i++) {
		ok = generate_parse(&g, ranges[i].text);
		ck_assert_msg(ok == (ranges[i].step != 0), "case %zu", i);
		if (!ok)
			continue;
		ck_assert_uint_eq(g.start, ranges[i].start);
		ck_assert_uint_eq(g.stop, ranges[i].stop);
		ck_assert_uint_eq(g.step, ranges[i].step);
	}
}
END_TEST

static const struct {
	const char *template;
	unsigned value;
	const char *text; /* NULL: refused */
} templates[] = {
	{"host$", 7, "host7"},
	{"$.$", 12, "12.12"},
	{"a\\$b", 1, "a$b"},
	{"h${0,3}", 7, "h007"},
	{"h${10}", 7, "h17"},
	{"h${-3,2}", 7, "h04"},
	{"h${0,4,x}", 255, "h00ff"},
	{"h${0,0,X}", 255, "hFF"},
	{"h${0,0,o}", 8, "h10"},
	{"h${-8}", 7, NULL},
	{"h${0,0,z}", 7, NULL},
	{"h${", 7, NULL},
	{"h${}", 7, NULL},
	{"h${1,2,d,}", 7, NULL},
};

START_TEST(test_templates)
{
	char out[64];
	size_t i;
	bool ok;

	for (i = 0; i < ARRAY_LEN(templates); i++) {
		ok = generate_expand(out, sizeof(out), templates[i].template,
			templates[i].value);
		ck_assert_msg(ok == (templates[i].text != NULL), "case %zu", i);
		if (ok)
			ck_assert_str_eq(out, templates[i].text);
	}
	ck_assert(!generate_expand(out, 20, "a long text with $ in it", 1));
}
END_TEST

RUN_TESTS("zonetext", test_lines, test_too_long, test_zero_byte, test_words,
	test_ranges, test_templates)
