/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings as options: every type, every spelling, every error; --help. */
#include "tests/unit/libipref/conf_rows.h"

static const struct value_case {
	const char *name, *text;
	const char *want;  /* as show() has it; NULL: refused */
	const char *error; /* then; the reason, behind "PLACE: " */
} values[] = {
	{"flag", "true", "true", NULL},
	{"flag", "false", "false", NULL},
	{"flag", "T", "true", NULL},
	{"flag", "0", "false", NULL},
	{"flag", "yes", NULL, "\"yes\" is neither true nor false"},
	{"flag", "", NULL, "\"\" is neither true nor false"},
	{"port", "1", "1", NULL},
	{"port", "65535", "65535", NULL},
	{"port", "0x10", "16", NULL},
	{"port", "007", "7", NULL},
	{"port", "0", NULL, "0 is out of range, 1 to 65535"},
	{"port", "65536", NULL, "65536 is out of range, 1 to 65535"},
	{"port", "-1", NULL, "-1 is out of range, 1 to 65535"},
	{"port", "18446744073709551617", NULL,
		"18446744073709551617 is out of range, 1 to 65535"},
	{"port", "", NULL, "\"\" is no number"},
	{"port", "-", NULL, "\"-\" is no number"},
	{"port", "+5", NULL, "\"+5\" is no number"},
	{"port", "5 ", NULL, "\"5 \" is no number"},
	{"port", "0x", NULL, "\"0x\" is no number"},
	{"port", "1e3", NULL, "\"1e3\" is no number"},
	{"wide", "18446744073709551615", "18446744073709551615", NULL},
	{"wide", "18446744073709551616", NULL,
		"18446744073709551616 is out of range, "
		"0 to 18446744073709551615"},
	{"wide", "-0", "0", NULL},
	{"clamped", "10081", "10080", NULL},
	{"clamped", "0", "1", NULL},
	{"clamped", "-99999999999999999999", "1", NULL},
	{"clamped", "5", "5", NULL},
	{"clamped", "x", NULL, "\"x\" is no number"},
	{"lenient", "0", "45", NULL},
	{"lenient", "nonsense", "45", NULL},
	{"lenient", "101", "45", NULL},
	{"lenient", "100", "100", NULL},
	{"text", "", "", NULL},
	{"text", "a=b,c d", "a=b,c d", NULL},
	{"checked", "/x", "/x", NULL},
	{"checked", "x", NULL, "\"x\" does not begin with /"},
	{"only", "-x", "-x", NULL},
	{"addr", "192.0.2.1", "192.0.2.1", NULL},
	{"addr", "2001:DB8::1", "2001:db8::1", NULL},
	{"addr", "192.0.2.256", NULL,
		"\"192.0.2.256\" is no IPv4 or IPv6 address"},
	{"addr", "", NULL, "\"\" is no IPv4 or IPv6 address"},
	{"endpoint", "192.0.2.1", "192.0.2.1", NULL},
	{"endpoint", "192.0.2.1:53", "192.0.2.1:53", NULL},
	{"endpoint", "[2001:db8::1]:53", "[2001:db8::1]:53", NULL},
	{"endpoint", "192.0.2.1:0", NULL,
		"\"192.0.2.1:0\" is no ADDRESS, ADDRESS:PORT or "
		"[ADDRESS]:PORT"},
	{"prefix", "10.8.0.0/16", "10.8.0.0/16", NULL},
	{"prefix", "10.8.0.1/16", NULL,
		"\"10.8.0.1/16\" is no network, ADDRESS/LENGTH with host "
		"bits of zero"},
	{"ref", "11", "11", NULL},
	{"ref", "1-2345", "1-2345", NULL},
	{"ref", "x", NULL, "\"x\" is no reference"},
	{"list", "a", "[a]", NULL},
	{"list", "a,b", "[a][b]", NULL},
	{"list", " a , b c,,d ", "[a][b c][d]", NULL},
	{"list", "", "", NULL},
	{"list", ",", "", NULL},
	{"whole", "a,b", "[a,b]", NULL},
	{"whole", "", "[]", NULL},
	{"old", "nonsense", "-", NULL},
	{"old-switch", "true", "-", NULL},
};

static bool
is_switch(const char *name)
{
	return !strcmp(name, "flag") || !strcmp(name, "old-switch");
}

static void
check_value(const struct value_case *v, const char *prefix, bool joined)
{
	char want[SHOWN_MAX * 2], buf[SHOWN_MAX], word[256];
	struct run r;

	run_begin(&r);
	if (joined) {
		snprintf(word, sizeof(word), "%s%s=%s", prefix, v->name,
			v->text);
		run_word(&r, word);
	} else {
		snprintf(word, sizeof(word), "%s%s", prefix, v->name);
		run_word(&r, word);
		run_word(&r, v->text);
	}
	if (v->want) {
		ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
		ck_assert_str_eq(show(&r.settings, v->name, buf), v->want);
		ck_assert(conf_given(&r.conf, v->name));
		snprintf(want, sizeof(want), "option -%s", v->name);
		ck_assert_str_eq(conf_origin(&r.conf, v->name), want);
		ck_assert_str_eq(r.err, "");
	} else {
		ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
		snprintf(want, sizeof(want), "gwd: option -%s: %s\n", v->name,
			v->error);
		ck_assert_str_eq(r.err, want);
	}
	ck_assert_str_eq(r.out, "");
	run_end(&r);
}

START_TEST(test_values)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(values); i++) {
		check_value(&values[i], "-", true);
		check_value(&values[i], "--", true);
		if (is_switch(values[i].name))
			continue;
		check_value(&values[i], "-", false);
		check_value(&values[i], "--", false);
	}
}
END_TEST

START_TEST(test_defaults)
{
	static const char *const want[][2] = {{"flag", "false"},
		{"port", "1045"}, {"clamped", "60"}, {"lenient", "45"},
		{"wide", "0"}, {"text", "(null)"}, {"checked", "/run/x"},
		{"only", "(null)"}, {"fixed", "here"}, {"addr", "-"},
		{"endpoint", "-"}, {"prefix", "10.240.0.0/12"}, {"ref", "1"},
		{"list", ""}, {"whole", ""}};
	char buf[SHOWN_MAX];
	struct run r;
	size_t i;

	run_begin(&r);
	ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
	for (i = 0; i < ARRAY_LEN(want); i++) {
		ck_assert_str_eq(
			show(&r.settings, want[i][0], buf), want[i][1]);
		ck_assert(!conf_given(&r.conf, want[i][0]));
		ck_assert_str_eq(conf_origin(&r.conf, want[i][0]), "default");
	}
	ck_assert_ptr_null(r.conf.file);
	run_end(&r);
}
END_TEST

/* What several words mean together. */
static const struct words_case {
	const char *words;
	const char *name, *want; /* a field, or the error */
} words_cases[] = {
	{"-flag", "flag", "true"},
	{"--flag", "flag", "true"},
	{"-flag -flag=false", "flag", "false"},
	{"-port 5 --port=6", "port", "6"},
	{"-port=6 -port 5", "port", "5"},
	{"-list a -list b,c", "list", "[a][b][c]"},
	{"-whole a,b -whole c", "whole", "[a,b][c]"},
	{"-text -flag", "text", "-flag"},
	{"-text -flag", "flag", "false"},
	{"-text --", "text", "--"},
	{"-old-switch -flag", "flag", "true"},
	{"-old -flag", "flag", "false"},
	{"-lenient 7 -lenient x", "lenient", "45"},
	{"-nope", NULL, "option -nope: unknown"},
	{"-prot 5", NULL, "option -prot: unknown; did you mean -port?"},
	{"--clampd=5", NULL, "option -clampd: unknown; did you mean -clamped?"},
	{"-confg x", NULL, "option -confg: unknown; did you mean -config?"},
	{"---port=5", NULL, "option --port: unknown; did you mean -port?"},
	{"-=5", NULL, "option -: unknown"},
	{"-port", NULL, "option -port: a value is missing (PORT)"},
	{"-flag -text", NULL, "option -text: a value is missing (VALUE)"},
	{"--config", NULL, "option -config: a value is missing (FILE)"},
	{"-flag x", NULL, "\"x\": gwd takes nothing but options"},
	{"-flag false", NULL, "\"false\": gwd takes nothing but options"},
	{"-", NULL, "\"-\": gwd takes nothing but options"},
	{"-- -flag", NULL, "\"-flag\": gwd takes nothing but options"},
	{"-wide 5 -port 5", NULL, "option -port: port is the same as wide"},
	{"-wide 1045", NULL, "port is the same as wide"},
	{"-clamped 77", NULL, "all is wrong"},
	{"-config /nonexistent/x", NULL,
		"/nonexistent/x: can't be opened: No such file or directory"},
	{"-config /", NULL, "/: can't be read: Is a directory"},
};

START_TEST(test_words)
{
	char buf[SHOWN_MAX], want[SHOWN_MAX];
	const struct words_case *w;
	struct run r;

	for (w = words_cases; w < words_cases + ARRAY_LEN(words_cases); w++) {
		run_begin(&r);
		run_words(&r, w->words);
		if (w->name) {
			ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
			ck_assert_str_eq(
				show(&r.settings, w->name, buf), w->want);
			ck_assert_str_eq(r.err, "");
		} else {
			ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
			snprintf(want, sizeof(want), "gwd: %s\n", w->want);
			ck_assert_str_eq(r.err, want);
		}
		run_end(&r);
	}
}
END_TEST

/* All that is wrong is said, up to a bound. */
START_TEST(test_many_errors)
{
	struct run r;
	const char *p;
	int i, lines = 0;

	run_begin(&r);
	run_words(&r, "-nope -prt=1 -flag=x");
	ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
	ck_assert_str_eq(r.err, "gwd: option -nope: unknown\n"
				"gwd: option -prt: unknown; did you mean "
				"-port?\n");
	run_end(&r);
	run_begin(&r);
	run_words(&r, "-port=x -flag=x -addr=x -ref=x");
	ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
	for (p = r.err; *p; p++)
		lines += *p == '\n';
	ck_assert_int_eq(lines, 4);
	run_end(&r);
	run_begin(&r);
	for (i = 1; i < MAX_WORDS; i++)
		run_word(&r, "-x");
	ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
	run_end(&r);
}
END_TEST

START_TEST(test_operands)
{
	static const struct {
		const char *words;
		size_t n;
		const char *first;
	} cases[] = {
		{"", 0, NULL},
		{"-flag", 0, NULL},
		{"a b", 2, "a"},
		{"-flag a -port 5", 3, "a"},
		{"-port 5 a", 1, "a"},
		{"-- -port 5", 2, "-port"},
		{"-flag -- a", 1, "a"},
		{"- -flag", 2, "-"},
		{"-flag false", 1, "false"},
	};
	struct run r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		run_begin(&r);
		run_words(&r, cases[i].words);
		ck_assert_int_eq(run_load(&r, &spec_with_operands), CONF_RUN);
		ck_assert_uint_eq(r.conf.n_operands, cases[i].n);
		if (cases[i].n)
			ck_assert_str_eq(r.conf.operands[0], cases[i].first);
		ck_assert_uint_eq(r.settings.port, i == 4 ? 5 : 1045);
		run_end(&r);
	}
}
END_TEST

/* Options that print something and are done. */
START_TEST(test_actions)
{
	static const struct {
		const char *words;
		enum conf_action action;
		const char *out, *err; /* out: what it begins with */
	} cases[] = {
		{"--version", CONF_EXIT_OK, "gwd " IPREF_VERSION "\n", ""},
		{"-version -nope", CONF_EXIT_OK, "gwd " IPREF_VERSION "\n", ""},
		{"-help", CONF_EXIT_OK, "gwd " IPREF_VERSION ": does things\n",
			""},
		{"-h", CONF_EXIT_OK, "gwd " IPREF_VERSION ": does things\n",
			""},
		{"--check-config", CONF_EXIT_OK, "gwd: ok (without a file)\n",
			""},
		{"--check-config -port 0", CONF_EXIT_BAD, "",
			"gwd: option -port: 0 is out of range, 1 to 65535\n"},
	};
	struct run r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		run_begin(&r);
		run_words(&r, cases[i].words);
		ck_assert_int_eq(run_load(&r, &spec), cases[i].action);
		ck_assert_int_eq(
			strncmp(r.out, cases[i].out, strlen(cases[i].out)), 0);
		ck_assert_str_eq(r.err, cases[i].err);
		run_end(&r);
	}
}
END_TEST

/* The block of an option in the help text, or NULL. */
static const char *
help_block(const char *help, const char *name, char *buf, size_t size)
{
	char head[64];
	const char *p, *end;

	snprintf(head, sizeof(head), "\n\n  -%s", name);
	for (p = strstr(help, head); p; p = strstr(p + 1, head))
		if (strchr(" \n", p[strlen(head)]))
			break;
	if (!p)
		return NULL;
	end = strstr(p + 2, "\n\n");
	snprintf(buf, size, "%.*s", end ? (int)(end - p) : (int)strlen(p), p);
	return buf;
}

static void
check_help_of(const char *help, const struct conf_row *row, const char *section)
{
	char block[1024], want[128];

	ck_assert_ptr_nonnull(
		help_block(help, row->name, block, sizeof(block)));
	ck_assert_ptr_nonnull(strstr(block, row->help));
	if (row->arg)
		ck_assert_ptr_nonnull(strstr(block, row->arg));
	if (row->type == CONF_NOTHING)
		return;
	if (row->def) {
		snprintf(want, sizeof(want), "default: %s", row->def);
		ck_assert_ptr_nonnull(strstr(block, want));
	}
	if (row->max) {
		snprintf(want, sizeof(want), "%" PRIu64 " to %" PRIu64,
			row->min, row->max);
		ck_assert_ptr_nonnull(strstr(block, want));
	}
	snprintf(want, sizeof(want), "in the file: %s.%s", section, row->name);
	ck_assert_int_eq(
		strstr(block, want) != NULL, !(row->flags & CONF_OPTION_ONLY));
	ck_assert_int_eq(strstr(block, "SIGHUP") != NULL,
		(row->flags & CONF_RELOAD) != 0);
}

START_TEST(test_help)
{
	static const char *const builtins[] = {
		"config", "check-config", "help", "version"};
	char block[1024];
	const char *line;
	struct run r;
	size_t i, j;

	run_begin(&r);
	run_words(&r, "--help");
	ck_assert_int_eq(run_load(&r, &spec_with_operands), CONF_EXIT_OK);
	for (i = 0; i < ARRAY_LEN(tables); i++)
		for (j = 0; j < tables[i].n; j++)
			check_help_of(
				r.out, &tables[i].rows[j], tables[i].section);
	for (i = 0; i < ARRAY_LEN(builtins); i++)
		ck_assert_ptr_nonnull(
			help_block(r.out, builtins[i], block, sizeof(block)));
	ck_assert_ptr_nonnull(
		strstr(r.out, "\nusage: gwd [OPTION]... SOURCE...\n"));
	for (line = r.out; *line; line += strcspn(line, "\n") + 1)
		ck_assert_uint_le(strcspn(line, "\n"), 80);
	run_end(&r);
}
END_TEST

/* What is taken and means nothing, or was moved, is said. */
START_TEST(test_notes)
{
	struct capture c;
	struct run r;
	char *text;

	run_begin(&r);
	run_words(&r, "-old 5 -clamped 99999 -old-switch -lenient x -port 7");
	ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
	capture_start(&c, STDERR_FILENO);
	conf_say_notes(&r.conf);
	text = capture_end(&c);
	ck_assert_str_eq(text,
		"<5>option -old: taken, but means nothing here\n"
		"<5>option -clamped: 99999 is out of range (1 to 10080), taken "
		"as 10080\n"
		"<5>option -old-switch: taken, but means nothing here\n"
		"<5>option -lenient: \"x\" can't be used, taken as 45\n");
	free(text);
	run_end(&r);
}
END_TEST

/* Lists are bounded. */
START_TEST(test_list_bound)
{
	static char word[3 * 4096];
	struct run r;
	char *argv[] = {"gwd", "-list", word, NULL};
	struct capture c;
	size_t n, i;
	char *text;

	for (n = 4096; n <= 4097; n++) {
		for (i = 0; i < n; i++)
			memcpy(word + 2 * i, "x,", 3);
		run_begin(&r);
		capture_start(&c, STDERR_FILENO);
		r.action = conf_load(&r.conf, &spec, &r.settings, 3, argv);
		text = capture_end(&c);
		ck_assert_int_eq(r.action, n > 4096 ? CONF_EXIT_BAD : CONF_RUN);
		ck_assert_uint_eq(r.settings.list.n, n > 4096 ? 0 : 4096);
		free(text);
		run_end(&r);
	}
}
END_TEST

RUN_TESTS("conf", test_values, test_defaults, test_words, test_many_errors,
	test_operands, test_actions, test_help, test_notes, test_list_bound)
