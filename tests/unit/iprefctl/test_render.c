/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iprefctl/render.h"

#include <string.h>

#include "tests/unit/run.h"

static json_t *
parse(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	ck_assert_msg(json != NULL, "test data: %s", text);
	return json;
}

START_TEST(test_values)
{
	static const struct {
		const char *json, *text;
	} rows[] = {
		{"\"x y\"", "x y"},
		{"\"\"", "-"},
		{"12345678901", "12345678901"},
		{"-1", "-1"},
		{"true", "yes"},
		{"false", "no"},
		{"null", "-"},
		{"1.5", "1.5"},
		{"\"a\\u001b[31mb\\u007f\"", "a?[31mb?"},
		{"\"\\u009b31m \\u00a0\"", "??31m \u00a0"},
	};
	char buf[64];
	json_t *json;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		json = parse(rows[i].json);
		ck_assert_str_eq(
			render_value(json, buf, sizeof(buf)), rows[i].text);
		json_decref(json);
	}
	ck_assert_str_eq(render_value(NULL, buf, sizeof(buf)), "-");
	json = parse("\"cut here\"");
	ck_assert_str_eq(render_value(json, buf, 4), "cut");
	json_decref(json);
}
END_TEST

START_TEST(test_durations)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = {
		{0, "0 s"},
		{59, "59 s"},
		{60, "1 min 0 s"},
		{3599, "59 min 59 s"},
		{3600, "1 h 0 min"},
		{14399, "3 h 59 min"},
		{86400, "1 d 0 h"},
		{100 * 86400 + 7200, "100 d 2 h"},
	};
	char buf[64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_str_eq(
			render_duration(rows[i].seconds, buf, sizeof(buf)),
			rows[i].text);
}
END_TEST

START_TEST(test_ago)
{
	json_t *seconds = json_integer(61), *none = json_null();
	char buf[64];

	ck_assert_str_eq(
		render_ago(seconds, "-", buf, sizeof(buf)), "1 min 1 s ago");
	ck_assert_str_eq(render_ago(none, "never", buf, sizeof(buf)), "never");
	ck_assert_str_eq(render_ago(NULL, "-", buf, sizeof(buf)), "-");
	json_decref(seconds);
	json_decref(none);
}
END_TEST

/* What render_object() (columns NULL) or render_table() prints. */
static char *
rendered(const char *text, const struct column *columns, size_t n)
{
	json_t *json = parse(text);
	char *out;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	ck_assert_ptr_nonnull(f);
	if (columns)
		render_table(f, json, columns, n, 1);
	else
		render_object(f, json, 0);
	fclose(f);
	json_decref(json);
	return out;
}

START_TEST(test_object)
{
	char *out = rendered("{\"a\": 1, \"long\": \"x\", \"none\": [],"
			     " \"in\": {\"b\": null},"
			     " \"rows\": [{\"k\": 1, \"v\": \"yy\"},"
			     " {\"k\": 22, \"late\": 3}],"
			     " \"deep\": [{\"k\": 1, \"in\": [{\"x\": 2}]},"
			     " {\"k\": 3, \"in\": []}]}",
		NULL, 0);

	ck_assert_str_eq(out, "a     1\n"
			      "long  x\n"
			      "in:\n"
			      "  b  -\n"
			      "rows:\n"
			      "  k   v   late\n"
			      "  1   yy  -\n"
			      "  22  -   3\n"
			      "deep 1:\n"
			      "  k  1\n"
			      "  in:\n"
			      "    x\n"
			      "    2\n"
			      "deep 2:\n"
			      "  k  3\n");
	free(out);
}
END_TEST

START_TEST(test_table)
{
	static const struct column columns[] = {
		{"A", {"ea", "ip"}}, {"NAME", {"name"}}};
	char *out = rendered("[{\"ea\": \"10.1.2.3\"}, 5,"
			     " {\"ip\": \"x\", \"ea\": null, \"name\": \"n\"}]",
		columns, ARRAY_LEN(columns));

	ck_assert_str_eq(out, " A         NAME\n"
			      " 10.1.2.3  -\n"
			      " x         n\n");
	free(out);
	out = rendered("[]", columns, ARRAY_LEN(columns));
	ck_assert_str_eq(out, " A  NAME\n");
	free(out);
}
END_TEST

RUN_TESTS("render", test_values, test_durations, test_ago, test_object,
	test_table)
