/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings out of the file: types, places of errors, precedence, reloading. */
#include <errno.h>

#include "libipref/log.h"
#include "tests/unit/libipref/conf_rows.h"

/* One entry, in the section it belongs to, on line 2 of a file. */
static const struct entry_case {
	const char *section, *entry;
	const char *name;  /* of the field looked at */
	const char *want;  /* as show() has it; NULL: refused */
	const char *error; /* then; behind "FILE:2: " */
} entries[] = {
	{"gwd", "port = 7;", "port", "7", NULL},
	{"gwd", "port = 7L;", "port", "7", NULL},
	{"gwd", "port = 0x7fL;", "port", "127", NULL},
	{"gwd", "port = \"7\";", "port", NULL,
		"gwd.port: a number is needed, this is a string"},
	{"gwd", "port = 7.0;", "port", NULL,
		"gwd.port: a number is needed, this is a fraction"},
	{"gwd", "port = true;", "port", NULL,
		"gwd.port: a number is needed, this is true or false"},
	{"gwd", "port = [7];", "port", NULL,
		"gwd.port: a number is needed, this is a list"},
	{"gwd", "port = { };", "port", NULL,
		"gwd.port: a number is needed, this is a group"},
	{"gwd", "port = 65536;", "port", NULL,
		"gwd.port: 65536 is out of range, 1 to 65535"},
	{"gwd", "port = -1;", "port", NULL,
		"gwd.port: -1 is out of range, 1 to 65535"},
	{"gwd", "port = 4294967297;", "port", NULL,
		"gwd.port: 4294967297 is out of range, 1 to 65535"},
	{"gwd", "wide = 4294967297;", "wide", "4294967297", NULL},
	{"gwd", "wide = 2147483648;", "wide", "2147483648", NULL},
	{"gwd", "wide = 0xffffffff;", "wide", "4294967295", NULL},
	{"gwd", "wide = 0x100000001;", "wide", "4294967297", NULL},
	{"gwd", "wide = 0000000000000000000000005;", "wide", "5", NULL},
	{"gwd", "wide = 999999999999999999;", "wide", "999999999999999999",
		NULL},
	{"gwd", "wide = 9999999999999999999;", "wide", NULL,
		"a number is too long"},
	{"gwd", "wide = -5000000000;", "wide", NULL,
		"gwd.wide: -5000000000 is out of range, "
		"0 to 18446744073709551615"},
	{"gwd", "lenient = 0;", "lenient", NULL,
		"gwd.lenient: 0 is out of range, 1 to 100"},
	{"gwd", "clamped = 0;", "clamped", "1", NULL},
	{"gwd", "text = \"4294967297\";", "text", "4294967297", NULL},
	{"gwd", "text = \"a\\\"99999999999\";", "text", "a\"99999999999", NULL},
	{"gwd", "text = \"a\" \"b\";", "text", "ab", NULL},
	{"gwd", "text = 5;", "text", NULL,
		"gwd.text: a string in quotes is needed, this is a number"},
	{"gwd", "checked = \"x\";", "checked", NULL,
		"gwd.checked: \"x\" does not begin with /"},
	{"gwd", "only = \"x\";", "only", NULL,
		"gwd.only: can be given as an option only"},
	{"gwd", "list = \"a,b\";", "list", "[a][b]", NULL},
	{"gwd", "list = [ \"a,b\", \"c\" ];", "list", "[a,b][c]", NULL},
	{"gwd", "list = ( \"a\", \"c\" );", "list", "[a][c]", NULL},
	{"gwd", "list = [ ];", "list", "", NULL},
	{"gwd", "list = ( \"a\", 5 );", "list", NULL,
		"gwd.list: item 2 is no string"},
	{"gwd", "list = 5;", "list", NULL,
		"gwd.list: a string or a list of strings is needed, "
		"this is a number"},
	{"gwd", "whole = \"a,b\";", "whole", "[a,b]", NULL},
	{"gwd", "endpoint = \"[::1]:5\";", "endpoint", "[::1]:5", NULL},
	{"gwd", "old = 5;", "old", "-", NULL},
	{"gwd", "old = \"x\";", "old", "-", NULL},
	{"gwd", "old-switch = true;", "old-switch", "-", NULL},
	{"gwd", "old = ( );", "old", NULL,
		"gwd.old: one value is needed, this is a list"},
	{"gwd", "prot = 5;", "port", NULL,
		"gwd.prot: unknown; did you mean port?"},
	{"gwd", "flga = true;", "flag", NULL,
		"gwd.flga: unknown; did you mean flag?"},
	{"gwd", "onyl = 5;", "only", NULL, "gwd.onyl: unknown"},
	{"gwd", "nonsense = 5;", "port", NULL, "gwd.nonsense: unknown"},
	{"gwd", "flag = true;", "flag", "true", NULL},
	{"common", "flag = true;", "flag", "true", NULL},
	{"common", "flag = 1;", "flag", NULL,
		"common.flag: true or false is needed, this is a number"},
	{"common", "addr = \"::1\";", "addr", "::1", NULL},
	{"common", "addr = 1;", "addr", NULL,
		"common.addr: a string in quotes is needed, this is a number"},
	{"common", "prefix = \"10.0.0.0/8\";", "prefix", "10.0.0.0/8", NULL},
	{"common", "ref = 5;", "ref", "5", NULL},
	{"common", "ref = \"1-2345\";", "ref", "1-2345", NULL},
	{"common", "ref = 1.5;", "ref", NULL,
		"common.ref: a string or a number is needed, "
		"this is a fraction"},
	{"common", "port = 5;", "port", NULL,
		"common.port: unknown here; it belongs in section gwd"},
	{"common", "port = 5; # 99999999999999999999", "port", NULL,
		"common.port: unknown here; it belongs in section gwd"},
	{"common", "prefx = 5;", "prefix", NULL,
		"common.prefx: unknown; did you mean prefix?"},
	{"gwd", "port = ;", "port", NULL, "syntax error"},
	{"gwd", "port = 5; port = 6;", "port", NULL, "duplicate setting name"},
	{"gwd", "@include \"x\"", "port", NULL, "@include can't be used"},
};

START_TEST(test_entries)
{
	char text[512], buf[SHOWN_MAX], want[SHOWN_MAX * 2];
	const struct entry_case *e;
	struct run r;

	for (e = entries; e < entries + ARRAY_LEN(entries); e++) {
		snprintf(text, sizeof(text), "%s: {\n\t%s\n};\n", e->section,
			e->entry);
		run_begin(&r);
		run_file(&r, text);
		if (e->want) {
			ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
			ck_assert_str_eq(r.err, "");
			ck_assert_str_eq(
				show(&r.settings, e->name, buf), e->want);
			snprintf(want, sizeof(want), "%s:2", r.path);
			ck_assert_str_eq(conf_origin(&r.conf, e->name), want);
			ck_assert(conf_given(&r.conf, e->name));
			ck_assert_str_eq(r.conf.file, r.path);
		} else {
			ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
			snprintf(want, sizeof(want), "gwd: %s:2: %s\n", r.path,
				e->error);
			ck_assert_str_eq(r.err, want);
		}
		run_end(&r);
	}
}
END_TEST

/* Whole files; @ stands for the path. */
static const struct {
	const char *text;
	const char *err; /* NULL: taken */
} files[] = {
	{"", NULL},
	{"\n# only a comment\n", NULL},
	{"/* 99999999999999999999 @include */\n// \"\n# \"\ngwd: { };", NULL},
	{"mapperd: { nonsense = 5; };\niprefctl: { };\nresolverd: { };"
	 "dnsagentd: { x = ( 1, 2 ); };\n",
		NULL},
	{"\ngwdd: { };\n", "gwd: @:2: unknown section \"gwdd\"\n"},
	{"port = 5;\n", "gwd: @:1: unknown section \"port\"\n"},
	{"gwd = 5;\n", "gwd: @:1: gwd: a group is needed: { ... }\n"},
	{"\nmapperd = 5;\n", "gwd: @:2: mapperd: a group is needed: { ... }\n"},
	{"gwd: {\n", "gwd: @:2: syntax error\n"},
	{"gwd: {\n port = 5;\n}}\n", "gwd: @:3: syntax error\n"},
	{"gwd: { };\n text = \"\n\n", "gwd: @:2: a string without an end\n"},
	{"gwd: { };\n text = \"\\\"", "gwd: @:2: a string without an end\n"},
	{"gwd: { };\n text = \"\\", "gwd: @:2: a string without an end\n"},
	{"gwd: { };\n\n/* * /\n", "gwd: @:3: a comment without an end\n"},
	{"gwd: { };\n/*/\n", "gwd: @:2: a comment without an end\n"},
	{"gwd: { /**/ };\n# \"", NULL},
	{"gwd: {\n port = 0;\n};\ncommon: {\n flag = 5;\n nope = 1;\n};\n",
		"gwd: @:5: common.flag: true or false is needed, "
		"this is a number\n"
		"gwd: @:6: common.nope: unknown\n"
		"gwd: @:2: gwd.port: 0 is out of range, 1 to 65535\n"},
	{"gwd: {\n port = 5;\n wide = 5;\n};\n",
		"gwd: @:2: port is the same as wide\n"},
	{"gwd: {\n clamped = 77;\n};\n", "gwd: all is wrong\n"},
	{"gwd: {\n wide = 99999999999999999999;\n @include \"x\"\n};\n",
		"gwd: @:2: a number is too long\n"
		"gwd: @:3: @include can't be used\n"},
};

/* @include in a message is not a path. */
static const char *
expected(const struct run *r, const char *want, char buf[SHOWN_MAX * 4])
{
	char copy[SHOWN_MAX * 4], *p;

	snprintf(copy, sizeof(copy), "%s", want);
	for (p = strstr(copy, "@include"); p; p = strstr(p, "@include"))
		*p = '\1';
	with_path(r, copy, buf);
	for (p = strchr(buf, '\1'); p; p = strchr(p, '\1'))
		*p = '@';
	return buf;
}

START_TEST(test_files)
{
	char want[SHOWN_MAX * 4];
	struct run r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++) {
		run_begin(&r);
		run_file(&r, files[i].text);
		run_load(&r, &spec);
		ck_assert_str_eq(r.err,
			files[i].err ? expected(&r, files[i].err, want) : "");
		ck_assert_int_eq(
			r.action, files[i].err ? CONF_EXIT_BAD : CONF_RUN);
		run_end(&r);
	}
}
END_TEST

START_TEST(test_check_config)
{
	char want[SHOWN_MAX * 4];
	struct run r;

	run_begin(&r);
	run_file(&r, "gwd: { port = 7; };");
	run_word(&r, "--check-config");
	ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_OK);
	ck_assert_str_eq(r.out, with_path(&r, "@: ok\n", want));
	ck_assert_str_eq(r.err, "");
	run_end(&r);
	run_begin(&r);
	run_file(&r, "gwd: { port = 0; };");
	run_word(&r, "--check-config");
	ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
	ck_assert_str_eq(r.out, "");
	ck_assert_str_eq(r.err,
		with_path(&r,
			"gwd: @:1: gwd.port: 0 is out of range, 1 to 65535\n",
			want));
	run_end(&r);
}
END_TEST

START_TEST(test_bytes)
{
	static char big[(1 << 20) + 1];
	char want[SHOWN_MAX * 4];
	struct run r;
	size_t len;

	run_begin(&r);
	run_file_bytes(&r, "gwd: { };\0 nonsense", 19);
	ck_assert_int_eq(run_load(&r, &spec), CONF_EXIT_BAD);
	ck_assert_str_eq(
		r.err, with_path(&r, "gwd: @: has a NUL byte\n", want));
	run_end(&r);
	memset(big, '\n', sizeof(big));
	for (len = sizeof(big) - 1; len <= sizeof(big); len++) {
		run_begin(&r);
		run_file_bytes(&r, big, len);
		run_load(&r, &spec);
		ck_assert_str_eq(r.err,
			len < sizeof(big)
				? ""
				: with_path(&r,
					  "gwd: @: longer than 1048576 bytes\n",
					  want));
		run_end(&r);
	}
}
END_TEST

/* The default file may be absent; one that is there is read. */
START_TEST(test_default_file)
{
	struct conf_spec own = spec;
	struct run r;

	own.default_file = "/nonexistent/ipref.conf";
	run_begin(&r);
	ck_assert_int_eq(run_load(&r, &own), CONF_RUN);
	ck_assert_ptr_null(r.conf.file);
	run_end(&r);

	run_begin(&r);
	run_file(&r, "gwd: { port = 7; };");
	r.argc = 1;
	own.default_file = r.path;
	ck_assert_int_eq(run_load(&r, &own), CONF_RUN);
	ck_assert_str_eq(r.conf.file, r.path);
	ck_assert_uint_eq(r.settings.port, 7);
	run_end(&r);
}
END_TEST

/* Defaults, then common, then the own section, then options. */
START_TEST(test_precedence)
{
	static const char *const refs[] = {"1", "2", "3", "4"};
	char text[256], buf[SHOWN_MAX], want[SHOWN_MAX];
	struct run r;
	int set, own_first;

	for (set = 0; set < 16; set++) {
		own_first = set & 8;
		snprintf(text, sizeof(text), "%s\n%s\n",
			own_first ? (set & 2 ? "gwd: { ref = 3; };" : "")
				  : (set & 1 ? "common: { ref = 2; };" : ""),
			own_first ? (set & 1 ? "common: { ref = 2; };" : "")
				  : (set & 2 ? "gwd: { ref = 3; };" : ""));
		run_begin(&r);
		run_file(&r, text);
		if (set & 4)
			run_words(&r, "-ref 4");
		ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
		ck_assert_str_eq(show(&r.settings, "ref", buf),
			refs[set & 4	  ? 3
				: set & 2 ? 2
					  : (set & 1)]);
		snprintf(want, sizeof(want), "%s:%d", r.path,
			(set & 2)   ? (own_first ? 1 : 2)
			: own_first ? 2
				    : 1);
		ck_assert_str_eq(
			conf_origin(&r.conf, "ref"), set & 4   ? "option -ref"
						     : set & 3 ? want
							       : "default");
		run_end(&r);
	}
}
END_TEST

/* An option's list takes the place of the file's. */
START_TEST(test_list_precedence)
{
	char buf[SHOWN_MAX];
	struct run r;

	run_begin(&r);
	run_file(&r, "gwd: { list = [ \"a\", \"b\" ]; };");
	run_words(&r, "-list c -list d");
	ck_assert_int_eq(run_load(&r, &spec), CONF_RUN);
	ck_assert_str_eq(show(&r.settings, "list", buf), "[c][d]");
	run_end(&r);
}
END_TEST

RUN_TESTS("conf_file", test_entries, test_files, test_check_config, test_bytes,
	test_default_file, test_precedence, test_list_precedence)
