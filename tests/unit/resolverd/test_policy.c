/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of names, prefixes, endpoints and zones; what they match. */
#include "tests/unit/run.h"

#include <string.h>

#include "resolverd/policy.h"

/* A list out of a comma-separated text. */
static struct conf_list
list(char *text)
{
	static char *items[16];
	struct conf_list l = {.v = items};

	while (text && l.n < 16)
		items[l.n++] = strsep(&text, ",");
	return l;
}

static const struct {
	const char *domains, *except, *name;
	bool translated;
} domain_cases[] = {
	{".", NULL, "a.example", true},
	{".", NULL, ".", true},
	{"example", NULL, "a.example", true},
	{"example", NULL, "EXAMPLE", true},
	{"Example.", NULL, "example", true},
	{"example", NULL, "anexample", false},
	{"example", NULL, "example.com", false},
	{"example,test", NULL, "x.test", true},
	{"example", "in.example", "in.example", false},
	{"example", "in.example", "a.in.example", false},
	{"example", "in.example", "b.example", true},
	{".", "example,test", "x.test", false},
};

START_TEST(test_domains)
{
	char domains[64], except[64], err[128];
	struct conf_list texts;
	struct domains d;
	struct name n;
	size_t i;

	for (i = 0; i < ARRAY_LEN(domain_cases); i++) {
		memset(&d, 0, sizeof(d));
		strcpy(domains, domain_cases[i].domains);
		texts = list(domains);
		ck_assert_ptr_null(
			name_list_parse(&d.domains, &texts, err, sizeof(err)));
		if (domain_cases[i].except) {
			strcpy(except, domain_cases[i].except);
			texts = list(except);
			ck_assert_ptr_null(name_list_parse(
				&d.except, &texts, err, sizeof(err)));
		}
		ck_assert(name_parse(&n, domain_cases[i].name,
			strlen(domain_cases[i].name)));
		ck_assert_msg(
			domains_have(&d, &n) == domain_cases[i].translated,
			"case %zu", i);
		name_list_fini(&d.domains);
		name_list_fini(&d.except);
	}
}
END_TEST

static const struct {
	const char *list, *addr;
	bool in;
} prefix_cases[] = {
	{"10.0.0.0/8", "10.1.2.3", true},
	{"10.0.0.0/8", "11.1.2.3", false},
	{"192.0.2.1", "192.0.2.1", true},
	{"192.0.2.1", "192.0.2.2", false},
	{"any", "192.0.2.2", true},
	{"any", "2001:db8::1", true},
	{"0.0.0.0/0", "2001:db8::1", false},
	{"fd00::/8,10.0.0.0/8", "fd01::1", true},
	{"2001:db8::1", "2001:db8::2", false},
};

START_TEST(test_prefixes)
{
	struct prefix_list l;
	struct conf_list texts;
	struct addr a;
	char text[64], err[128];
	size_t i;

	for (i = 0; i < ARRAY_LEN(prefix_cases); i++) {
		strcpy(text, prefix_cases[i].list);
		texts = list(text);
		ck_assert_ptr_null(
			prefix_list_parse(&l, &texts, err, sizeof(err)));
		ck_assert(addr_parse(&a, prefix_cases[i].addr,
			strlen(prefix_cases[i].addr)));
		ck_assert_msg(prefix_list_has(&l, &a) == prefix_cases[i].in,
			"case %zu", i);
		prefix_list_fini(&l);
	}
}
END_TEST

enum kind {
	NAMES,
	PREFIXES,
	ENDPOINTS,
	ZONE
};

static const struct {
	enum kind kind;
	const char *text, *reason; /* part of it */
} bad_cases[] = {
	{NAMES, "example,a..b", "'a..b' is not a domain name"},
	{NAMES, "", "'' is not a domain name"},
	{PREFIXES, "10.0.0.1/8", "'10.0.0.1/8' is not"},
	{PREFIXES, "10.0.0.0/33", "is not"},
	{PREFIXES, "all", "'all' is not"},
	{ENDPOINTS, "192.0.2.1:0", "is not an address"},
	{ENDPOINTS, "192.0.2.1:65536", "is not an address"},
	{ENDPOINTS, "ns.example", "is not an address"},
	{ENDPOINTS, "192.0.2.1,", "'' is not an address"},
	{ZONE, "internal", "'internal' is not ZONE=FILE"},
	{ZONE, "internal=", "is not ZONE=FILE"},
	{ZONE, "=file", "is not ZONE=FILE"},
	{ZONE, "a..b=file", "is not ZONE=FILE"},
};

START_TEST(test_bad)
{
	char text[64], err[128];
	struct conf_list texts;
	struct name_list names;
	struct prefix_list nets;
	struct endpoint_list ends;
	struct zone_conf zone;
	const char *reason = NULL;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad_cases); i++) {
		strcpy(text, bad_cases[i].text);
		texts = list(text);
		switch (bad_cases[i].kind) {
		case NAMES:
			reason = name_list_parse(
				&names, &texts, err, sizeof(err));
			break;
		case PREFIXES:
			reason = prefix_list_parse(
				&nets, &texts, err, sizeof(err));
			break;
		case ENDPOINTS:
			reason = endpoint_list_parse(
				&ends, &texts, 53, err, sizeof(err));
			break;
		case ZONE:
			reason = zone_conf_parse(
				&zone, bad_cases[i].text, err, sizeof(err));
			break;
		}
		ck_assert_msg(reason && strstr(reason, bad_cases[i].reason),
			"case %zu: %s", i, reason ? reason : "taken");
	}
}
END_TEST

START_TEST(test_good)
{
	char text[] = "192.0.2.1,[2001:db8::1]:5353,192.0.2.2:54", err[128];
	struct conf_list texts = list(text);
	struct endpoint_list ends;
	struct zone_conf zone;
	struct name n;

	ck_assert_ptr_null(
		endpoint_list_parse(&ends, &texts, 53, err, sizeof(err)));
	ck_assert_uint_eq(ends.n, 3);
	ck_assert_uint_eq(ends.v[0].port, 53);
	ck_assert_uint_eq(ends.v[1].port, 5353);
	ck_assert_uint_eq(ends.v[1].addr.ver, 6);
	ck_assert_uint_eq(ends.v[2].port, 54);
	endpoint_list_fini(&ends);
	ck_assert_ptr_null(zone_conf_parse(
		&zone, "Lan.Example.=/a/b=c", err, sizeof(err)));
	ck_assert(name_parse(&n, "lan.example", 11));
	ck_assert(name_eq(&n, &zone.apex));
	ck_assert_str_eq(zone.path, "/a/b=c");
}
END_TEST

RUN_TESTS("policy", test_domains, test_prefixes, test_bad, test_good)
