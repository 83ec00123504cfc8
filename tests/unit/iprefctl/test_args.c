/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arguments behind a command, queries made of them, what lookup understands. */
#include "iprefctl/args.h"

#include <string.h>

#include "tests/unit/run.h"

#define WORDS_MAX 12

static const struct args_option options[] = {
	{"owner", "OWNER", "owner"},
	{"name", "NAME", "name"},
	{"tentative", NULL, "tentative"},
	{"local", "X", NULL},
};

/* Words of a line, in memory of their own. */
static size_t
split(const char *line, char *memory, char *words[WORDS_MAX])
{
	char *save = NULL, *word;
	size_t n = 0;

	strcpy(memory, line);
	for (word = strtok_r(memory, " ", &save); word;
		word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	return n;
}

START_TEST(test_parse)
{
	static const struct {
		const char *line, *owner, *name;
		bool tentative;
		size_t n;
		const char *first;
	} cases[] = {
		{"", NULL, NULL, false, 0, NULL},
		{"a", NULL, NULL, false, 1, "a"},
		{"--owner x a", "x", NULL, false, 1, "a"},
		{"a -owner x b", "x", NULL, false, 2, "a"},
		{"-owner=x --name=y --tentative", "x", "y", true, 0, NULL},
		{"a -- --owner x", NULL, NULL, false, 3, "a"},
		{"-- -", NULL, NULL, false, 1, "-"},
		{"-", NULL, NULL, false, 1, "-"},
		{"--owner -- a", "--", NULL, false, 1, "a"},
		{"--owner=a=b", "a=b", NULL, false, 0, NULL},
		{"--owner x --owner y", "y", NULL, false, 0, NULL},
	};
	char memory[256], error[ARGS_ERROR_MAX], *words[WORDS_MAX];
	struct args a;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		n = split(cases[i].line, memory, words);
		ck_assert_msg(args_parse(&a, options, ARRAY_LEN(options), n,
				      words, error),
			"%s: %s", cases[i].line, error);
		ck_assert_pstr_eq(a.values[0], cases[i].owner);
		ck_assert_pstr_eq(a.values[1], cases[i].name);
		ck_assert_int_eq(a.values[2] != NULL, cases[i].tentative);
		ck_assert_uint_eq(a.n, cases[i].n);
		if (a.n)
			ck_assert_str_eq(a.operands[0], cases[i].first);
	}
}
END_TEST

START_TEST(test_parse_errors)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"--owner", "-owner: a value is missing (OWNER)"},
		{"--owner=", "-owner: a value is missing (OWNER)"},
		{"a --own x", "unknown option --own"},
		{"--ownerx x", "unknown option --ownerx"},
		{"--tentative=yes", "-tentative takes no value"},
		{"---", "unknown option ---"},
	};
	char memory[256], error[ARGS_ERROR_MAX], *words[WORDS_MAX];
	struct args a;
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		n = split(cases[i].line, memory, words);
		ck_assert(!args_parse(
			&a, options, ARRAY_LEN(options), n, words, error));
		ck_assert_str_eq(error, cases[i].says);
	}
}
END_TEST

START_TEST(test_target)
{
	const struct args a = {.values = {"a b&c=d+e%\xff", NULL, "1", "z"}};
	static char long_value[ARGS_TARGET_MAX];
	char target[ARGS_TARGET_MAX];
	size_t len;

	ck_assert(args_target(target, "/m", &a, options, ARRAY_LEN(options)));
	ck_assert_str_eq(
		target, "/m?owner=a%20b%26c%3Dd%2Be%25%FF&tentative=1");
	/* What fits, and what does not. */
	for (len = ARGS_TARGET_MAX - 20; len < ARGS_TARGET_MAX; len++) {
		memset(long_value, 'x', len);
		long_value[len] = '\0';
		strcpy(target, "/m");
		if (args_query(target, "k", long_value))
			ck_assert_uint_eq(strlen(target), len + 5);
		else
			ck_assert_uint_gt(len + 9, ARGS_TARGET_MAX - 1);
	}
	memset(long_value, '%', ARGS_TARGET_MAX / 3);
	long_value[ARGS_TARGET_MAX / 3] = '\0';
	strcpy(target, "/m");
	ck_assert(!args_query(target, "k", long_value));
}
END_TEST

START_TEST(test_lookup)
{
	static const struct {
		const char *line, *target;
	} cases[] = {
		{"10.240.1.2", "/mappings?host=10.240.1.2"},
		{"fd00::1", "/mappings?host=fd00::1"},
		{"192.0.2.1+11", "/mappings?gw=192.0.2.1&ref=11"},
		{"192.0.2.1 + 0-8000", "/mappings?gw=192.0.2.1&ref=0-8000"},
		{"192.0.2.1 +11", "/mappings?gw=192.0.2.1&ref=11"},
		{"2001:db8::1+ 5", "/mappings?gw=2001:db8::1&ref=5"},
		{"www.Example.", "/mappings?name=www.Example."},
		{"*.example", "/mappings?name=*.example"},
		{"www\\.x", "/mappings?name=www%5C.x"},
	};
	static const struct {
		const char *line, *says;
	} broken[] = {
		{"x+1", "\"x\": a context address is no IP address"},
		{"+1", "\"\": a context address is no IP address"},
		{"192.0.2.1+", "\"\": no reference"},
		{"192.0.2.1+1+2", "\"1+2\": no reference"},
		{"a b", "\"a b\" is no address, no GW+REF and no name"},
		{"10.0.0.0/8", "\"10.0.0.0/8\" is no address, no GW+REF and "
			       "no name"},
	};
	char target[ARGS_TARGET_MAX], memory[256], error[ARGS_ERROR_MAX];
	char *words[WORDS_MAX];
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		n = split(cases[i].line, memory, words);
		ck_assert_msg(args_lookup(target, n, words, error), "%s: %s",
			cases[i].line, error);
		ck_assert_str_eq(target, cases[i].target);
	}
	for (i = 0; i < ARRAY_LEN(broken); i++) {
		n = split(broken[i].line, memory, words);
		ck_assert(!args_lookup(target, n, words, error));
		ck_assert_str_eq(error, broken[i].says);
	}
}
END_TEST

/* Longer than any name, in one word and in many. */
START_TEST(test_lookup_too_long)
{
	static char word[4000];
	char target[ARGS_TARGET_MAX], error[ARGS_ERROR_MAX];
	char *words[8];
	size_t i, len;

	for (len = 100; len < sizeof(word); len += 100) {
		memset(word, 'x', len);
		word[len] = '\0';
		for (i = 0; i < ARRAY_LEN(words); i++)
			words[i] = word;
		if (!args_lookup(target, 1, words, error))
			ck_assert_str_eq(error, "that is longer than any name");
		ck_assert(!args_lookup(target, 8, words, error));
	}
	ck_assert(!args_lookup(target, 1, words, error));
}
END_TEST

START_TEST(test_who)
{
	static const struct {
		char *words[3];
		size_t n;
		enum who_kind kind;
		const char *what, *ref;
	} rows[] = {
		{{"10.240.1.7"}, 1, WHO_ADDRESS, "10.240.1.7", ""},
		{{"fd00::1"}, 1, WHO_ADDRESS, "fd00::1", ""},
		{{"10.240.0.0/12"}, 1, WHO_NET, "10.240.0.0/12", ""},
		{{"192.0.2.1+700"}, 1, WHO_IPREF, "192.0.2.1", "700"},
		{{"192.0.2.1", "+", "0-700"}, 3, WHO_IPREF, "192.0.2.1",
			"0-700"},
		{{"2001:db8::1 ", "+5"}, 2, WHO_IPREF, "2001:db8::1", "5"},
		{{"www.example."}, 1, WHO_NAME, "www.example.", ""},
	};
	static char *const wrong[] = {"", " ", "10.0.0.1/8", "x+5", "10.0.0.1+",
		"10.0.0.1+x", "two words", "a/b"};
	char *words[3], error[ARGS_ERROR_MAX];
	struct who who;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(words, rows[i].words, sizeof(words));
		ck_assert_msg(
			args_who(&who, rows[i].n, words, error), "%s", error);
		ck_assert_int_eq(who.kind, rows[i].kind);
		ck_assert_str_eq(who.what, rows[i].what);
		ck_assert_str_eq(who.ref, rows[i].ref);
	}
	for (i = 0; i < ARRAY_LEN(wrong); i++) {
		words[0] = wrong[i];
		error[0] = '\0';
		ck_assert_msg(!args_who(&who, 1, words, error), "%s", wrong[i]);
		ck_assert(error[0]);
	}
}
END_TEST

RUN_TESTS("args", test_parse, test_parse_errors, test_target, test_lookup,
	test_lookup_too_long, test_who)
