/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverse names to addresses and back. */
#include "tests/unit/run.h"

#include <string.h>

#include "resolverd/reverse.h"

static const struct {
	const char *name;
	const char *prefix; /* NULL: not a reverse name */
	bool whole;
} cases[] = {
	{"1.2.240.10.in-addr.arpa", "10.240.2.1/32", true},
	{"240.10.IN-ADDR.ARPA", "10.240.0.0/16", true},
	{"in-addr.arpa", "0.0.0.0/0", true},
	{"x.2.240.10.in-addr.arpa", "10.240.2.0/24", false},
	{"9.1.2.240.10.in-addr.arpa", "10.240.2.1/32", false},
	{"256.10.in-addr.arpa", "10.0.0.0/8", false},
	{"01.10.in-addr.arpa", "10.0.0.0/8", false},
	{"-1.10.in-addr.arpa", "10.0.0.0/8", false},
	{"1000.in-addr.arpa", "0.0.0.0/0", false},
	{"d.f.ip6.arpa", "fd00::/8", true},
	{"D.F.ip6.arpa", "fd00::/8", true},
	{"0.d.f.ip6.arpa", "fd00::/12", true},
	{"g.d.f.ip6.arpa", "fd00::/8", false},
	{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	 "ip6.arpa",
		"2001:db8::1/128", true},
	{"example", NULL, false},
	{"arpa", NULL, false},
	{"1.in-addr.arpa.example", NULL, false},
};

START_TEST(test_parse)
{
	char text[PREFIX_TEXT_MAX];
	struct prefix p;
	struct name n;
	bool whole, ok;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert(name_parse(&n, cases[i].name, strlen(cases[i].name)));
		ok = reverse_parse(&p, &whole, &n);
		ck_assert_msg(ok == (cases[i].prefix != NULL), "case %zu", i);
		if (!ok)
			continue;
		ck_assert_str_eq(prefix_format(&p, text), cases[i].prefix);
		ck_assert_msg(whole == cases[i].whole, "case %zu", i);
	}
}
END_TEST

/* Names of whole labels read back. */
START_TEST(test_round)
{
	struct name n, back;
	struct prefix p;
	bool whole;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		if (!cases[i].prefix || !cases[i].whole)
			continue;
		ck_assert(name_parse(&n, cases[i].name, strlen(cases[i].name)));
		ck_assert(reverse_parse(&p, &whole, &n));
		reverse_name(&back, &p);
		ck_assert_msg(name_eq(&n, &back), "case %zu", i);
	}
}
END_TEST

RUN_TESTS("reverse", test_parse, test_round)
