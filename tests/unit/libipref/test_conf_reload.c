/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the settings again: what changes, what does not, what is said. */
#include <errno.h>

#include "libipref/log.h"
#include "tests/unit/libipref/conf_rows.h"

#define BASE "port = 7; text = \"t\"; list = [ \"a\" ]; fixed = \"f\";"

static const struct reload_case {
	const char *entries; /* of section gwd, instead of BASE */
	int rc;
	const char *shown; /* port, text, list, fixed, flag, addr */
	const char *log;   /* @ stands for the path */
} cases[] = {
	{BASE, 0, "7 t [a] f false -", ""},
	{"port = 8; text = \"t\"; list = [ \"a\" ]; fixed = \"f\";", 0,
		"8 t [a] f false -", ""},
	{"port = 8; text = \"u\"; list = \"b,c\"; fixed = \"f\"; flag = true; "
	 "addr = \"::1\";",
		0, "8 u [b][c] f true ::1", ""},
	{"fixed = \"f\";", 0, "1045 (null)  f false -", ""},
	{"fixed = \"g\"; port = 9;", 0, "9 (null)  f false -",
		"<4>@:1: fixed changed; takes effect at the next start\n"},
	{"port = 9;", 0, "9 (null)  f false -",
		"<4>settings: fixed changed; takes effect at the next "
		"start\n"},
	{"port = 70000; text = \"u\";", -EINVAL, "7 t [a] f false -",
		"<3>@:1: gwd.port: 70000 is out of range, 1 to 65535\n"},
	{"text = \"u\"; prt = 5;", -EINVAL, "7 t [a] f false -",
		"<3>@:1: gwd.prt: unknown; did you mean port?\n"},
	{"wide = 8; port = 8; text = \"u\";", -EINVAL, "7 t [a] f false -",
		"<3>@:1: port is the same as wide\n"},
	{"port = ", -EINVAL, "7 t [a] f false -", "<3>@:1: syntax error\n"},
	{BASE "clamped = 99999;", 0, "7 t [a] f false -",
		"<5>@:1: gwd.clamped: 99999 is out of range (1 to 10080), "
		"taken as 10080\n"},
};

static const char *
show_some(const struct settings *s, char buf[SHOWN_MAX])
{
	static const char *const names[] = {
		"port", "text", "list", "fixed", "flag", "addr"};
	char one[SHOWN_MAX];
	size_t i, n = 0;

	for (i = 0; i < ARRAY_LEN(names); i++)
		n += (size_t)snprintf(buf + n, SHOWN_MAX - n, "%s%s",
			i ? " " : "", show(s, names[i], one));
	return buf;
}

static void
write_entries(const struct run *r, const char *entries)
{
	char text[512];

	snprintf(text, sizeof(text), "gwd: { %s };\n", entries);
	run_write_file(r, text, strlen(text));
}

/* Reloads and returns what was logged, the caller's. */
static char *
reload(struct run *r, int want)
{
	struct capture c;
	int rc;

	capture_start(&c, STDERR_FILENO);
	rc = conf_reload(&r->conf);
	ck_assert_int_eq(rc, want);
	return capture_end(&c);
}

START_TEST(test_reload)
{
	char buf[SHOWN_MAX], want[SHOWN_MAX * 4];
	const struct reload_case *k;
	struct settings before;
	struct run r;
	char *text;

	for (k = cases; k < cases + ARRAY_LEN(cases); k++) {
		run_begin(&r);
		run_file(&r, "gwd: { " BASE " };\n");
		ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
		before = r.settings;
		write_entries(&r, k->entries);
		text = reload(&r, k->rc);
		ck_assert_str_eq(text, with_path(&r, k->log, want));
		ck_assert_str_eq(show_some(&r.settings, buf), k->shown);
		if (k->rc)
			ck_assert_mem_eq(&r.settings, &before, sizeof(before));
		/* What did not change stays where it was. */
		ck_assert_ptr_eq(r.settings.fixed, before.fixed);
		ck_assert_ptr_eq(r.settings.checked, before.checked);
		free(text);
		/* And back. */
		write_entries(&r, BASE);
		free(reload(&r, 0));
		ck_assert_str_eq(
			show_some(&r.settings, buf), "7 t [a] f false -");
		run_end(&r);
	}
}
END_TEST

START_TEST(test_options_stay)
{
	struct run r;

	run_begin(&r);
	run_file(&r, "gwd: { port = 7; };\n");
	run_words(&r, "-port 9");
	ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
	write_entries(&r, "port = 8;");
	free(reload(&r, 0));
	ck_assert_uint_eq(r.settings.port, 9);
	ck_assert_str_eq(conf_origin(&r.conf, "port"), "option -port");
	run_end(&r);
}
END_TEST

START_TEST(test_origins)
{
	char want[SHOWN_MAX * 4];
	struct run r;

	run_begin(&r);
	run_file(&r, "gwd: { port = 7; fixed = \"f\"; };\n");
	ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
	run_write_file(&r, "\n\ngwd: { text = \"x\"; };\n", 22);
	free(reload(&r, 0));
	ck_assert(!conf_given(&r.conf, "port"));
	ck_assert_str_eq(conf_origin(&r.conf, "port"), "default");
	ck_assert_str_eq(
		conf_origin(&r.conf, "text"), with_path(&r, "@:3", want));
	/* It was not taken back, so it still comes from the old line. */
	ck_assert_str_eq(
		conf_origin(&r.conf, "fixed"), with_path(&r, "@:1", want));
	run_end(&r);
}
END_TEST

/* A note is said once, not at each reload. */
START_TEST(test_notes_once)
{
	char want[SHOWN_MAX * 4];
	struct run r;
	char *text;

	run_begin(&r);
	run_file(&r, "gwd: { old = 5; };\n");
	ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
	text = reload(&r, 0);
	ck_assert_str_eq(text, "");
	free(text);
	write_entries(&r, "old = 5; clamped = 0;");
	text = reload(&r, 0);
	ck_assert_str_eq(text,
		with_path(&r,
			"<5>@:1: gwd.clamped: 0 is out of range (1 to 10080), "
			"taken as 1\n",
			want));
	free(text);
	text = reload(&r, 0);
	ck_assert_str_eq(text, "");
	free(text);
	run_end(&r);
}
END_TEST

/* Also when it was not named: it was read, so it should be there. */
START_TEST(test_file_gone)
{
	struct conf_spec own = spec;
	char want[SHOWN_MAX * 4];
	struct run r;
	char *text;

	run_begin(&r);
	run_file(&r, "gwd: { port = 7; };\n");
	r.argc = 1;
	own.default_file = r.path;
	ck_assert_int_eq(run_load(&r, &own), CONF_RUN);
	ck_assert_int_eq(unlink(r.path), 0);
	text = reload(&r, -EINVAL);
	ck_assert_str_eq(text,
		with_path(&r,
			"<3>@: can't be opened: No such file or directory\n",
			want));
	ck_assert_uint_eq(r.settings.port, 7);
	free(text);
	run_end(&r);
}
END_TEST

/* A default file may come later. */
START_TEST(test_file_comes)
{
	struct conf_spec own = spec;
	struct run r;

	run_begin(&r);
	run_file(&r, "");
	ck_assert_int_eq(unlink(r.path), 0);
	r.argc = 1;
	own.default_file = r.path;
	ck_assert_int_eq(run_load(&r, &own), CONF_RUN);
	free(reload(&r, 0));
	ck_assert_uint_eq(r.settings.port, 1045);
	write_entries(&r, "port = 8;");
	free(reload(&r, 0));
	ck_assert_uint_eq(r.settings.port, 8);
	run_end(&r);
}
END_TEST

RUN_TESTS("conf_reload", test_reload, test_options_stay, test_origins,
	test_notes_once, test_file_gone, test_file_comes)
