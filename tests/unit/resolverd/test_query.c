/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries from end to end within one event loop: translation by tables of
 * names, of mappers and of versions; forwarding; reverse names; limits.
 */
#include "tests/unit/run.h"

#include "tests/unit/resolverd/fixture.h"

#define A    DNS_TYPE_A
#define AAAA DNS_TYPE_AAAA
#define TXT  DNS_TYPE_TXT
#define SOA  "test. 60 IN SOA ns.test. mail.test. 1 2 3 4 30"
#define RULE(name, type, ...)                                                  \
	{                                                                      \
		name, type, FAKE_ANSWER, 0, {__VA_ARGS__}, {0},                \
		{                                                              \
			0                                                      \
		}                                                              \
	}

static const struct fake_rule rules[] = {
	RULE("one.test.", TXT, "one.test. 60 IN TXT \"AA 192.0.2.1 + 17\""),
	RULE("one.test.", A, "one.test. 60 IN A 203.0.113.1"),
	RULE("one.test.", AAAA, "one.test. 60 IN AAAA 2001:db8::bad"),
	RULE("sub.two.example.", TXT,
		"sub.two.example. 60 IN TXT \"AA 192.0.2.1 + 18\""),
	RULE("named.test.", TXT, "named.test. 60 IN TXT \"AA gw.test + 17\""),
	RULE("gw.test.", A, "gw.test. 20 IN A 192.0.2.1"),
	RULE("gw.test.", AAAA, "gw.test. 20 IN AAAA 2001:db8::1"),
	RULE("both.test.", TXT, "both.test. 60 IN TXT \"AA 192.0.2.1 + 17\"",
		"both.test. 60 IN TXT \"AA 192.0.2.2 + 18\""),
	RULE("same.test.", TXT,
		"same.test. 60 IN TXT \"AA 192.0.2.1 + 17\" \"AA "
		"192.0.2.1+17\"",
		"same.test. 60 IN TXT \"AA 192.0.2.2 + 17\""),
	RULE("strings.test.", TXT,
		"strings.test. 60 IN TXT \"x\" \"AA 192.0.2.1 + 17\" \"AA\""),
	RULE("twogw.test.", TXT,
		"twogw.test. 60 IN TXT \"AA gw2.test + 17\" \"AA GW2.TEST. + "
		"18\""),
	RULE("gw2.test.", A, "gw2.test. 60 IN A 192.0.2.1",
		"gw2.test. 60 IN A 192.0.2.2", "gw2.test. 60 IN A 127.0.0.1"),
	RULE("gwalias.test.", TXT,
		"gwalias.test. 60 IN TXT \"AA gwc.test + 17\""),
	RULE("gwc.test.", A, "gwc.test. 9 IN CNAME gw.test.",
		"gw.test. 20 IN A 192.0.2.1"),
	RULE("alias.test.", TXT, "alias.test. 77 IN CNAME one.test.",
		"one.test. 60 IN TXT \"AA 192.0.2.1 + 17\""),
	RULE("far.test.", TXT, "far.test. 77 IN CNAME mid.other.",
		"mid.other. 77 IN CNAME one.test."),
	RULE("plainalias.test.", TXT, "plainalias.test. 77 IN CNAME p.test."),
	RULE("plainalias.test.", A, "plainalias.test. 77 IN CNAME p.test.",
		"p.test. 60 IN A 203.0.113.2"),
	RULE("long.test.", TXT,
		"long.test. 86400 IN TXT \"AA 192.0.2.1 + 17\""),
	RULE("none.test.", TXT, "none.test. 60 IN TXT \"v=spf1\""),
	RULE("none.test.", A, "none.test. 60 IN A 203.0.113.2"),
	RULE("none.test.", AAAA, "none.test. 60 IN AAAA 2001:db8::2"),
	RULE("native.test.", A, "native.test. 60 IN A 203.0.113.3"),
	RULE("broken.test.", TXT, "broken.test. 60 IN TXT \"AA nonsense\""),
	RULE("broken.test.", A, "broken.test. 60 IN A 203.0.113.2"),
	RULE("zero.test.", TXT, "zero.test. 60 IN TXT \"AA 192.0.2.1 + 0\""),
	RULE("lo.test.", TXT, "lo.test. 60 IN TXT \"AA 127.0.0.1 + 17\""),
	RULE("six.test.", TXT, "six.test. 60 IN TXT \"AA 2001:db8::1 + 17\""),
	RULE("nogw.test.", TXT, "nogw.test. 60 IN TXT \"AA no.test + 17\""),
	RULE("mixed.test.", TXT, "mixed.test. 60 IN TXT \"AA 192.0.2.1 + 0\"",
		"mixed.test. 60 IN TXT \"AA 192.0.2.1 + 17\""),
	{"gone.test.", TXT, FAKE_ANSWER, 3, {0}, {SOA}, {0}},
	{"gonealias.test.", TXT, FAKE_ANSWER, 3,
		{"gonealias.test. 60 IN CNAME gone.test."}, {SOA}, {0}},
	{"fail.test.", TXT, FAKE_ANSWER, 2, {0}, {0}, {0}},
	RULE("fail.test.", A, "fail.test. 60 IN A 203.0.113.4"),
	{"refused.test.", TXT, FAKE_ANSWER, 5, {0}, {0}, {0}},
	{"garbage.test.", TXT, FAKE_GARBAGE, 0,
		{"garbage.test. 60 IN TXT \"x\""}, {0}, {0}},
	{"silent.test.", TXT, FAKE_SILENT, 0, {0}, {0}, {0}},
	{"failgw.test.", TXT, FAKE_ANSWER, 0,
		{"failgw.test. 60 IN TXT \"AA fail2.test + 17\""}, {0}, {0}},
	{"fail2.test.", A, FAKE_ANSWER, 2, {0}, {0}, {0}},
	{"cut.test.", TXT, FAKE_TRUNCATE, 0,
		{"cut.test. 60 IN TXT \"AA 192.0.2.1 + 17\""}, {0}, {0}},
	{"poison.test.", TXT, FAKE_POISON, 0,
		{"poison.test. 60 IN TXT \"AA 192.0.2.1 + 17\""}, {0}, {0}},
	RULE("loop.test.", TXT, "loop.test. 60 IN CNAME loop2.test.",
		"loop2.test. 60 IN CNAME loop.test."),
	RULE("x.except.test.", TXT,
		"x.except.test. 60 IN TXT \"AA 192.0.2.1 + 17\""),
	RULE("x.except.test.", A, "x.except.test. 60 IN A 203.0.113.5"),
	RULE("outside.example.", A, "outside.example. 60 IN A 203.0.113.6"),
	RULE("in.example.", A, "in.example. 60 IN CNAME one.test.",
		"one.test. 60 IN A 203.0.113.1"),
	RULE("in.example.", TXT, "in.example. 60 IN CNAME one.test.",
		"one.test. 60 IN TXT \"AA 192.0.2.1 + 17\""),
	{"one.test.", DNS_TYPE_MX, FAKE_ANSWER, 0,
		{"one.test. 60 IN MX 1 one.test."}, {0},
		{"one.test. 60 IN A 203.0.113.1"}},
	{"one.test.", DNS_TYPE_SOA, FAKE_ANSWER, 0, {0}, {SOA}, {0}},
	{"gone.test.", A, FAKE_ANSWER, 0, {"gone.test. 60 IN A 203.0.113.7"},
		{0}, {0}},
};

/* Local and tunnel version 4; the mapper answers well. */
static const struct {
	const char *name;
	uint16_t type, rcode;
	const char *answer, *authority;
} names[] = {
	{"one.test", A, 0, "one.test. 60 IN A 10.240.0.17\n", ""},
	{"ONE.test", A, 0, "ONE.test. 60 IN A 10.240.0.17\n", ""},
	{"sub.two.example", A, 0, "sub.two.example. 60 IN A 10.240.0.18\n", ""},
	{"named.test", A, 0, "named.test. 20 IN A 10.240.0.17\n", ""},
	{"gwalias.test", A, 0, "gwalias.test. 9 IN A 10.240.0.17\n", ""},
	{"both.test", A, 0,
		"both.test. 60 IN A 10.240.0.17\n"
		"both.test. 60 IN A 10.240.0.18\n",
		""},
	{"same.test", A, 0, "same.test. 60 IN A 10.240.0.17\n", ""},
	{"strings.test", A, 0, "strings.test. 60 IN A 10.240.0.17\n", ""},
	{"twogw.test", A, 0,
		"twogw.test. 60 IN A 10.240.0.17\n"
		"twogw.test. 60 IN A 10.240.0.18\n",
		""},
	{"alias.test", A, 0,
		"alias.test. 77 IN CNAME one.test.\n"
		"one.test. 60 IN A 10.240.0.17\n",
		""},
	{"far.test", A, 0,
		"far.test. 77 IN CNAME mid.other.\n"
		"mid.other. 77 IN CNAME one.test.\n"
		"one.test. 60 IN A 10.240.0.17\n",
		""},
	{"plainalias.test", A, 0,
		"p.test. 60 IN A 203.0.113.2\n"
		"plainalias.test. 77 IN CNAME p.test.\n",
		""},
	{"long.test", A, 0, "long.test. 3600 IN A 10.240.0.17\n", ""},
	{"none.test", A, 0, "none.test. 60 IN A 203.0.113.2\n", ""},
	{"none.test", AAAA, 0, "none.test. 60 IN AAAA 2001:db8::2\n", ""},
	{"native.test", A, 0, "native.test. 60 IN A 203.0.113.3\n", ""},
	{"broken.test", A, 0, "broken.test. 60 IN A 203.0.113.2\n", ""},
	{"mixed.test", A, 0, "mixed.test. 60 IN A 10.240.0.17\n", ""},
	{"cut.test", A, 0, "cut.test. 60 IN A 10.240.0.17\n", ""},
	{"poison.test", A, 0, "poison.test. 60 IN A 10.240.0.17\n", ""},
	{"x.except.test", A, 0, "x.except.test. 60 IN A 203.0.113.5\n", ""},
	{"outside.example", A, 0, "outside.example. 60 IN A 203.0.113.6\n", ""},
	{"in.example", A, 0,
		"in.example. 60 IN CNAME one.test.\n"
		"one.test. 60 IN A 10.240.0.17\n",
		""},
	{"one.test", AAAA, 0, "",
		"test. 30 IN SOA ns.test. mail.test. 1 2 3 4 30\n"},
	{"alias.test", AAAA, 0, "alias.test. 77 IN CNAME one.test.\n",
		"test. 30 IN SOA ns.test. mail.test. 1 2 3 4 30\n"},
	{"zero.test", AAAA, 0, "",
		"test. 30 IN SOA ns.test. mail.test. 1 2 3 4 30\n"},
	{"gone.test", A, 3, "",
		"test. 60 IN SOA ns.test. mail.test. 1 2 3 4 30\n"},
	{"gone.test", AAAA, 3, "",
		"test. 60 IN SOA ns.test. mail.test. 1 2 3 4 30\n"},
	{"gonealias.test", A, 3, "gonealias.test. 60 IN CNAME gone.test.\n",
		"test. 60 IN SOA ns.test. mail.test. 1 2 3 4 30\n"},
	{"zero.test", A, 2, "", ""},
	{"lo.test", A, 2, "", ""},
	{"six.test", A, 2, "", ""},
	{"nogw.test", A, 2, "", ""},
	{"failgw.test", A, 2, "", ""},
	{"fail.test", A, 2, "", ""},
	{"fail.test", AAAA, 2, "", ""},
	{"refused.test", A, 2, "", ""},
	{"garbage.test", A, 2, "", ""},
	{"silent.test", A, 2, "", ""},
	{"loop.test", A, 2, "", ""},
	{"one.test", TXT, 0, "one.test. 60 IN TXT \"AA 192.0.2.1 + 17\"\n", ""},
	{"one.test", DNS_TYPE_MX, 0, "one.test. 60 IN MX 1 one.test.\n", ""},
	{"one.test", DNS_TYPE_ANY, 0,
		"one.test. 3600 IN HINFO \"RFC8482\" \"\"\n", ""},
};

/* One local zone with these records. */
static void
write_zone(struct fixture *f, const char *apex, const char *text)
{
	char path[] = "/tmp/test-query-XXXXXX", conf[128];
	const char *list = conf;
	FILE *out = fdopen(mkstemp(path), "w");

	fprintf(out, "$TTL 60\n@ SOA ns mail 7 2 3 4 5\n%s", text);
	ck_assert_int_eq(fclose(out), 0);
	snprintf(conf, sizeof(conf), "%s=%s", apex, path);
	f->conf.zone = conf_list_of(&list, 1);
	ck_assert_int_eq(zones_load(&f->r.zones, &f->conf.zone), 0);
	unlink(path);
}

START_TEST(test_names)
{
	static struct fixture f;
	size_t i;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	for (i = 0; i < ARRAY_LEN(names); i++) {
		fixture_ask(&f, names[i].name, names[i].type);
		ck_assert_msg(screen_rcode(&f.s) == names[i].rcode,
			"%s %u: rcode %u", names[i].name, names[i].type,
			screen_rcode(&f.s));
		ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
			names[i].answer);
		ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_AUTHORITY),
			names[i].authority);
		ck_assert_uint_eq(f.s.header.counts[DNS_ADDITIONAL], 1);
		ck_assert_uint_eq(f.s.header.flags & ~DNS_RCODE,
			DNS_QR | DNS_RD | DNS_RA);
	}
	fixture_stop(&f);
}
END_TEST

/* A local zone's aliases lead on to what is translated, forwarded or neither.
 */
static const struct {
	const char *name;
	uint16_t type, rcode, flags;
	const char *answer;
} aliases[] = {
	{"t.zone", A, 0, DNS_AA,
		"one.test. 60 IN A 10.240.0.17\n"
		"t.zone. 60 IN CNAME one.test.\n"},
	{"t.zone", AAAA, 0, DNS_AA, "t.zone. 60 IN CNAME one.test.\n"},
	{"n.zone", A, 0, DNS_AA,
		"n.zone. 60 IN CNAME none.test.\n"
		"none.test. 60 IN A 203.0.113.2\n"},
	{"a.zone", A, 0, DNS_AA,
		"a.zone. 60 IN CNAME plainalias.test.\n"
		"p.test. 60 IN A 203.0.113.2\n"
		"plainalias.test. 77 IN CNAME p.test.\n"},
	{"g.zone", A, 3, DNS_AA, "g.zone. 60 IN CNAME gone.test.\n"},
	{"f.zone", A, 2, 0, ""},
	{"l.zone", A, 2, 0, ""},
};

START_TEST(test_aliases)
{
	static struct fixture f;
	size_t i;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	write_zone(&f, "zone",
		"t CNAME one.test.\nn CNAME none.test.\na CNAME "
		"plainalias.test.\ng CNAME gone.test.\nf CNAME fail.test.\n"
		"l CNAME l\n");
	for (i = 0; i < ARRAY_LEN(aliases); i++) {
		fixture_ask(&f, aliases[i].name, aliases[i].type);
		ck_assert_msg(screen_rcode(&f.s) == aliases[i].rcode, "%s: %u",
			aliases[i].name, screen_rcode(&f.s));
		ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
			aliases[i].answer);
		ck_assert_uint_eq(f.s.header.flags & DNS_AA, aliases[i].flags);
	}
	fixture_stop(&f);
}
END_TEST

/* What else a mapper may do: the answer for one.test A. */
static const struct {
	enum mapper_how how;
	uint16_t rcode;
	unsigned asked;
} mappers[] = {
	{MAPPER_ACK, 0, 1},
	{MAPPER_NACK, 2, 1},
	{MAPPER_SILENT, 2, 1},
	{MAPPER_OTHER_GW, 2, 1},
	{MAPPER_OTHER_REF, 2, 1},
	{MAPPER_LOOPBACK, 2, 1},
	{MAPPER_NETWORK, 2, 1},
	{MAPPER_BROADCAST, 2, 1},
	{MAPPER_NO_EA, 2, 1},
	{MAPPER_HANGS_UP, 0, 2},
};

START_TEST(test_mappers)
{
	static struct fixture f;
	size_t i;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	for (i = 0; i < ARRAY_LEN(mappers); i++) {
		f.mapper.how = mappers[i].how;
		f.mapper.asked = 0;
		fixture_ask(&f, "one.test", A);
		ck_assert_msg(screen_rcode(&f.s) == mappers[i].rcode,
			"case %zu: rcode %u", i, screen_rcode(&f.s));
		ck_assert_uint_eq(f.mapper.asked, mappers[i].asked);
		ck_assert_uint_eq(f.s.header.counts[DNS_ANSWER],
			mappers[i].rcode ? 0 : 1);
	}
	ck_assert_uint_eq(f.r.stats.ea_refused, 6);

	/* Late: nobody waits for it any more, and it is no other's answer. */
	f.mapper.how = MAPPER_LATE;
	fixture_ask(&f, "one.test", A);
	ck_assert_uint_eq(screen_rcode(&f.s), 2);
	fixture_ask(&f, "sub.two.example", A);
	ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
		"sub.two.example. 60 IN A 10.240.0.18\n");

	/* Away: SERVFAIL; back: answers. */
	f.mapper.how = MAPPER_ACK;
	mapper_stop(&f.mapper);
	fixture_ask(&f, "one.test", A);
	ck_assert_uint_eq(screen_rcode(&f.s), 2);
	fixture_ask(&f, "none.test", A);
	ck_assert_uint_eq(screen_rcode(&f.s), 0);
	fixture_ask(&f, "one.test", AAAA);
	ck_assert_uint_eq(screen_rcode(&f.s), 0);
	mapper_start(&f.mapper);
	LOOP_UNTIL(f.base, mclient_stats(f.r.mapper)->connected);
	fixture_ask(&f, "one.test", A);
	ck_assert_uint_eq(screen_rcode(&f.s), 0);
	fixture_stop(&f);
}
END_TEST

/* The name asked for is what the mapper gets: the alias, in lower case. */
START_TEST(test_name_told)
{
	static struct fixture f;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	fixture_ask(&f, "Alias.TEST", A);
	ck_assert_str_eq(f.mapper.names[0], "alias.test.");
	fixture_stop(&f);
}
END_TEST

static const struct {
	uint8_t local, tunnel;
	const char *name;
	uint16_t type;
	const char *answer; /* NULL: SERVFAIL */
} versions[] = {
	{4, 6, "six.test", A, "six.test. 60 IN A 10.240.0.17\n"},
	{4, 6, "named.test", A, "named.test. 20 IN A 10.240.0.17\n"},
	{4, 6, "one.test", A, NULL},
	{4, 6, "six.test", AAAA, ""},
	{6, 4, "one.test", AAAA, "one.test. 60 IN AAAA fd00:240::11\n"},
	{6, 4, "one.test", A, ""},
	{6, 4, "named.test", AAAA, "named.test. 20 IN AAAA fd00:240::11\n"},
	{6, 6, "six.test", AAAA, "six.test. 60 IN AAAA fd00:240::11\n"},
	{6, 6, "one.test", AAAA, NULL},
};

START_TEST(test_versions)
{
	static struct fixture f;
	size_t i;

	for (i = 0; i < ARRAY_LEN(versions); i++) {
		fixture_start(&f, versions[i].local, versions[i].tunnel, rules,
			ARRAY_LEN(rules));
		fixture_ask(&f, versions[i].name, versions[i].type);
		ck_assert_msg(
			screen_rcode(&f.s) == (versions[i].answer ? 0 : 2),
			"case %zu", i);
		ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
			versions[i].answer ? versions[i].answer : "");
		fixture_stop(&f);
	}
}
END_TEST

static const struct {
	uint8_t local;
	const char *name;
	uint16_t type, rcode;
	const char *answer;
} reverse[] = {
	{4, "5.0.240.10.in-addr.arpa", DNS_TYPE_PTR, 0,
		"5.0.240.10.in-addr.arpa. 60 IN PTR asked.test.\n"},
	{4, "9.0.240.10.in-addr.arpa", DNS_TYPE_PTR, 3, ""},
	{4, "10.0.240.10.in-addr.arpa", DNS_TYPE_PTR, 3, ""},
	{4, "5.0.240.10.in-addr.arpa", A, 0, ""},
	{4, "0.240.10.in-addr.arpa", DNS_TYPE_PTR, 0, ""},
	{4, "240.10.in-addr.arpa", DNS_TYPE_NS, 0, ""},
	{4, "x.240.10.in-addr.arpa", DNS_TYPE_PTR, 3, ""},
	{4, "1.5.0.240.10.in-addr.arpa", DNS_TYPE_PTR, 3, ""},
	{4, "5.0.255.10.in-addr.arpa", DNS_TYPE_PTR, 0,
		"5.0.255.10.in-addr.arpa. 60 IN PTR asked.test.\n"},
	{4, "240.10.in-addr.arpa", DNS_TYPE_SOA, 0,
		"240.10.in-addr.arpa. 5 IN SOA 240.10.in-addr.arpa. "
		"nobody.invalid. 1 10800 3600 604800 5\n"},
	{6,
		"5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.2.0.0.0."
		"d.f.ip6.arpa",
		DNS_TYPE_PTR, 0,
		"5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.2.0.0.0."
		"d.f.ip6.arpa. 60 IN PTR asked.test.\n"},
};

START_TEST(test_reverse)
{
	static struct fixture f;
	unsigned asked;
	size_t i;

	for (i = 0; i < ARRAY_LEN(reverse); i++) {
		fixture_start(&f, reverse[i].local, 4, rules, ARRAY_LEN(rules));
		fixture_ask(&f, reverse[i].name, reverse[i].type);
		ck_assert_msg(
			screen_rcode(&f.s) == reverse[i].rcode, "case %zu", i);
		ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
			reverse[i].answer);
		if (!*reverse[i].answer)
			ck_assert_uint_eq(f.s.header.counts[DNS_AUTHORITY], 1);
		ck_assert_uint_eq(f.dns.asked, 0);
		fixture_stop(&f);
	}
	/* What is outside of the encoding network is forwarded. */
	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	asked = f.dns.asked;
	fixture_ask(&f, "1.2.239.10.in-addr.arpa", DNS_TYPE_PTR);
	fixture_ask(&f, "10.in-addr.arpa", DNS_TYPE_NS);
	ck_assert_uint_eq(f.dns.asked, asked + 2);
	/* A local zone above the encoding network's does not hide it; one
	 * within does. */
	write_zone(&f, "10.in-addr.arpa",
		"*.240 PTR no.test.\n1.1.1 PTR a.test.\n");
	fixture_ask(&f, "5.0.240.10.in-addr.arpa", DNS_TYPE_PTR);
	ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
		"5.0.240.10.in-addr.arpa. 60 IN PTR asked.test.\n");
	fixture_ask(&f, "1.1.1.10.in-addr.arpa", DNS_TYPE_PTR);
	ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
		"1.1.1.10.in-addr.arpa. 60 IN PTR a.test.\n");
	zones_fini(&f.r.zones);
	conf_list_drop(&f.conf.zone);
	write_zone(&f, "0.240.10.in-addr.arpa", "5 PTR local.test.\n");
	fixture_ask(&f, "5.0.240.10.in-addr.arpa", DNS_TYPE_PTR);
	ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
		"5.0.240.10.in-addr.arpa. 60 IN PTR local.test.\n");
	zones_fini(&f.r.zones);
	conf_list_drop(&f.conf.zone);
	/* The mapper away: SERVFAIL, and still not forwarded. */
	mapper_stop(&f.mapper);
	fixture_ask(&f, "5.0.240.10.in-addr.arpa", DNS_TYPE_PTR);
	ck_assert_uint_eq(screen_rcode(&f.s), 2);
	ck_assert_uint_eq(f.dns.asked, asked + 2);
	fixture_stop(&f);
}
END_TEST

/* A mapper that does not know LOOKUP_EA and takes one request at a time is not
 * asked again at once. */
START_TEST(test_no_lookup)
{
	static struct fixture f;
	uint64_t began;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	f.conf.mapper_pipeline = 1;
	f.mapper.how = MAPPER_SILENT;
	fixture_ask(&f, "5.0.240.10.in-addr.arpa", DNS_TYPE_PTR);
	ck_assert_uint_eq(screen_rcode(&f.s), 2);
	began = now_ms();
	fixture_ask(&f, "6.0.240.10.in-addr.arpa", DNS_TYPE_PTR);
	ck_assert_uint_eq(screen_rcode(&f.s), 2);
	ck_assert(now_ms() - began < f.conf.mapper_timeout);
	fixture_stop(&f);
}
END_TEST

/* Validators that check for themselves get things as they are; DO alone does
 * not. */
START_TEST(test_dnssec)
{
	static struct fixture f;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	fixture_ask_with(&f, "one.test", A, DNS_RD | DNS_CD, 0x8000);
	ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
		"one.test. 60 IN A 203.0.113.1\n");
	ck_assert(f.dns.last_cd && f.dns.last_do);
	ck_assert_uint_eq(f.s.edns_flags, 0x8000);
	fixture_ask_with(&f, "one.test", A, DNS_RD, 0x8000);
	ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
		"one.test. 60 IN A 10.240.0.17\n");
	fixture_ask_with(&f, "one.test", A, DNS_RD | DNS_CD, 0);
	ck_assert_str_eq(fixture_section(&f, LDNS_SECTION_ANSWER),
		"one.test. 60 IN A 10.240.0.17\n");
	fixture_stop(&f);
}
END_TEST

START_TEST(test_refused)
{
	static struct fixture f;
	uint8_t buf[512];
	size_t len;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	/* Without RD nothing is asked for. */
	fixture_ask_with(&f, "none.test", A, 0, 0);
	ck_assert_uint_eq(screen_rcode(&f.s), DNS_REFUSED);
	ck_assert_uint_eq(f.dns.asked, 0);
	/* Not on the list. */
	f.r.policy.allow.v[0].addr.b[0] = 126;
	fixture_ask(&f, "none.test", A);
	ck_assert_uint_eq(screen_rcode(&f.s), DNS_REFUSED);
	ck_assert_uint_eq(f.dns.asked, 0);
	f.r.policy.allow.v[0].addr.b[0] = 127;
	/* An answer gets no answer. */
	len = query_bytes(buf, 1, "none.test", A, DNS_QR, -1);
	fixture_send(&f, buf, len);
	LOOP_UNTIL(f.base, f.r.stats.dropped == 1);
	fixture_ask(&f, "none.test", A);
	ck_assert_uint_eq(f.s.header.id, 0x7777);
	fixture_stop(&f);
}
END_TEST

/* More than max-queries at once: SERVFAIL at once for the rest, but for local
 * zones, which wait for nobody. */
START_TEST(test_busy)
{
	static struct fixture f;
	uint8_t buf[512];
	unsigned i, answers = 0;

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	write_zone(&f, "lan", "www A 192.0.2.7\n");
	f.conf.max_queries = 2;
	for (i = 0; i < 4; i++)
		fixture_send(&f, buf,
			query_bytes(buf, (uint16_t)i, "silent.test", A, DNS_RD,
				-1));
	LOOP_UNTIL(f.base, f.r.n_queries == 2 && f.r.stats.refused_busy == 2);
	fixture_send(&f, buf, query_bytes(buf, 4, "www.lan", A, DNS_RD, -1));
	LOOP_UNTIL(f.base, f.r.stats.local == 1);
	ck_assert_uint_eq(f.r.n_queries, 2);
	for (i = 0; i < 3; i++) {
		LOOP_UNTIL(f.base, fixture_received(&f));
		ck_assert_int_eq(
			f.answer[3] & 0xf, i < 2 ? DNS_SERVFAIL : DNS_NOERROR);
	}
	for (answers = 0; answers < 2; answers++) {
		LOOP_UNTIL(f.base, fixture_received(&f));
		ck_assert_int_eq(f.answer[3] & 0xf, DNS_SERVFAIL);
	}
	ck_assert_uint_eq(f.r.stats.refused_busy, 2);
	fixture_stop(&f);
}
END_TEST

/* Queries under way when the daemon stops end without an answer. */
START_TEST(test_dropped)
{
	static struct fixture f;
	uint8_t buf[512];

	fixture_start(&f, 4, 4, rules, ARRAY_LEN(rules));
	f.mapper.how = MAPPER_SILENT;
	fixture_send(
		&f, buf, query_bytes(buf, 1, "silent.test", A, DNS_RD, -1));
	fixture_send(&f, buf,
		query_bytes(buf, 2, "silent.test", DNS_TYPE_MX, DNS_RD, -1));
	fixture_send(&f, buf, query_bytes(buf, 3, "one.test", A, DNS_RD, -1));
	fixture_send(&f, buf,
		query_bytes(buf, 4, "5.0.240.10.in-addr.arpa", DNS_TYPE_PTR,
			DNS_RD, -1));
	LOOP_UNTIL(f.base, f.mapper.asked == 1 && f.r.n_queries >= 3);
	resolver_drop_all(&f.r);
	ck_assert_uint_eq(f.r.n_queries, 0);
	fixture_stop(&f);
}
END_TEST

RUN_TESTS("query", test_names, test_aliases, test_mappers, test_name_told,
	test_versions, test_reverse, test_no_lookup, test_dnssec, test_refused,
	test_busy, test_dropped)
