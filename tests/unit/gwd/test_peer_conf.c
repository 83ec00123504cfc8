/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator says of peers: lines, lists, and what is refused why. */
#include "gwd/peer_conf.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/run.h"

static struct addr
addr(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(&a, text, strlen(text)));
	return a;
}

START_TEST(test_line)
{
	struct peer_conf c;
	char why[200];
	struct addr a = addr("192.0.2.7");

	ck_assert(peer_conf_parse(&c, "192.0.2.7", 4, why, sizeof(why)));
	ck_assert(addr_eq(&c.addr, &a));
	ck_assert(!c.port && !c.mtu && !c.tos && !c.keep_alive_s);
	ck_assert(!c.keep_alive_set);
	ck_assert(ref_eq(&c.ref, &(struct ref){.b[15] = 1}));

	ck_assert(peer_conf_parse(&c,
		"  192.0.2.7 port=2000\ttos mtu=1400  ref=1-2 keep-alive=25 ",
		4, why, sizeof(why)));
	ck_assert_uint_eq(c.port, 2000);
	ck_assert_uint_eq(c.mtu, 1400);
	ck_assert(c.tos && c.keep_alive_set);
	ck_assert_uint_eq(c.keep_alive_s, 25);
	ck_assert(ref_eq(&c.ref, &(struct ref){.b = {[13] = 1, [15] = 2}}));
}
END_TEST

START_TEST(test_refused)
{
	static const struct {
		const char *line, *why;
		uint8_t ver;
	} rows[] = {
		{"", "an address is missing", 4},
		{"   ", "an address is missing", 4},
		{"gw.example", "is no IPv4 or IPv6 address", 4},
		{"2001:db8::1", "not of the tunnel's IP version, 4", 4},
		{"192.0.2.1", "not of the tunnel's IP version, 6", 6},
		{"127.0.0.1", "is no address of a gateway", 4},
		{"0.0.0.0", "is no address of a gateway", 4},
		{"192.0.2.1 prot=5", "192.0.2.1: \"prot\" is none of", 4},
		{"192.0.2.1 port", "port needs a value", 4},
		{"192.0.2.1 port=", "port: \"\" is no number", 4},
		{"192.0.2.1 port=x", "port: \"x\" is no number", 4},
		{"192.0.2.1 port=-1", "port: \"-1\" is no number", 4},
		{"192.0.2.1 port=0", "port: 0 is out of range, 1 to 65535", 4},
		{"192.0.2.1 port=65536", "port: 65536 is out of range", 4},
		{"192.0.2.1 port=99999999999999999999", "out of range", 4},
		{"192.0.2.1 port=1 port=2", "port is given twice", 4},
		{"192.0.2.1 mtu=575", "mtu: 575 is out of range, 576", 4},
		{"2001:db8::1 mtu=1279", "1279 is out of range, 1280", 6},
		{"192.0.2.1 mtu=65536", "mtu: 65536 is out of range", 4},
		{"192.0.2.1 ref=0", "ref: \"0\" is no reference", 4},
		{"192.0.2.1 ref=xyz", "ref: \"xyz\" is no reference", 4},
		{"192.0.2.1 tos=1", "tos takes no value", 4},
		{"192.0.2.1 tos tos", "tos is given twice", 4},
		{"192.0.2.1 keep-alive=3601", "out of range, 0 to 3600", 4},
	};
	struct peer_conf c;
	char why[200];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(!peer_conf_parse(&c, rows[i].line, rows[i].ver,
				      why, sizeof(why)),
			"\"%s\"", rows[i].line);
		ck_assert_msg(strstr(why, rows[i].why) != NULL,
			"\"%s\": \"%s\"", rows[i].line, why);
	}
}
END_TEST

/* However long the words, what is said stays in its room. */
START_TEST(test_long)
{
	char line[400], why[40];
	struct peer_conf c;
	size_t n;

	for (n = 0; n < sizeof(line) - 20; n++) {
		strcpy(line, "192.0.2.1 port=");
		memset(line + strlen("192.0.2.1 port="), 'x', n);
		line[strlen("192.0.2.1 port=") + n] = '\0';
		ck_assert(!peer_conf_parse(&c, line, 4, why, sizeof(why)));
		ck_assert(memchr(why, '\0', sizeof(why)) != NULL);
	}
}
END_TEST

#define LIST(...)                                                              \
	&(struct conf_list)                                                    \
	{                                                                      \
		(char *[]){__VA_ARGS__},                                       \
			sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)       \
	}

static const struct conf_list empty;

START_TEST(test_all)
{
	const struct peer_conf_lists lists = {
		.peer = LIST("192.0.2.9 port=9", "192.0.2.1 port=1",
			"192.0.2.5 keep-alive=0 tos"),
		.allow = &empty,
		.deny = &empty,
		.ver = 4,
		.dscp = 46,
		.keep_alive_s = 30,
	};
	struct peer_confs c;
	struct addr a = addr("192.0.2.1"), b = addr("192.0.2.9");
	struct addr e = addr("192.0.2.5"), other = addr("192.0.2.2");
	char why[200];

	ck_assert_int_eq(peer_confs_init(&c, &lists, why, sizeof(why)), 0);
	ck_assert_uint_eq(peer_confs_get(&c, &a)->port, 1);
	ck_assert_uint_eq(peer_confs_get(&c, &b)->port, 9);
	ck_assert_uint_eq(peer_confs_get(&c, &b)->keep_alive_s, 30);
	ck_assert_uint_eq(peer_confs_get(&c, &e)->keep_alive_s, 0);
	ck_assert_uint_eq(peer_confs_get(&c, &other)->port, 0);
	ck_assert_uint_eq(peer_confs_get(&c, &other)->keep_alive_s, 30);
	ck_assert(peer_confs_allow(&c, &other));
	ck_assert_uint_eq(peer_confs_tos(&c, &e, 0x13), 0x13);
	ck_assert_uint_eq(peer_confs_tos(&c, &a, 0x13), 46 << 2);
	ck_assert_uint_eq(peer_confs_tos(&c, &other, 0x13), 46 << 2);
	peer_confs_fini(&c);
}
END_TEST

START_TEST(test_errors_say_where)
{
	const struct peer_conf_lists rows[] = {
		{LIST("192.0.2.1", "192.0.2.2 x"), &empty, &empty, 4, 0, 0},
		{LIST("192.0.2.1", "192.0.2.3", "192.0.2.1 tos"), &empty,
			&empty, 4, 0, 0},
		{&empty, LIST("192.0.2.0/24", "192.0.3.0/16"), &empty, 4, 0, 0},
		{&empty, &empty, LIST("2001:db8::/32"), 4, 0, 0},
	};
	static const char *const whys[] = {
		"peer: 192.0.2.2: \"x\" is none of",
		"peer: 192.0.2.1 is given twice",
		"allow-peers: \"192.0.3.0/16\" is no",
		"deny-peers: 2001:db8::/32 is not of the tunnel's",
	};
	struct peer_confs c;
	char why[200];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_int_eq(
			peer_confs_init(&c, &rows[i], why, sizeof(why)),
			-EINVAL);
		ck_assert_msg(
			!strncmp(why, whys[i], strlen(whys[i])), "\"%s\"", why);
	}
}
END_TEST

START_TEST(test_allow)
{
	static const struct {
		const char *addr;
		bool allowed;
	} rows[] = {
		{"192.0.2.1", true},
		{"192.0.2.255", true},
		{"192.0.3.0", false},
		{"192.0.1.255", false},
		{"192.0.2.64", false},
		{"192.0.2.95", false},
		{"192.0.2.96", true},
		{"192.0.2.77", false},
		{"198.51.100.7", true},
		{"198.51.100.8", false},
		{"1.2.3.4", false},
		{"255.0.0.1", false},
	};
	const struct peer_conf_lists lists = {
		.peer = &empty,
		.allow = LIST("198.51.100.7", "192.0.2.0/24", "192.0.2.0/25"),
		.deny = LIST("192.0.2.77", "192.0.2.64/27"),
		.ver = 4,
	};
	struct peer_confs c;
	struct addr a;
	char why[200];
	size_t i;

	ck_assert_int_eq(peer_confs_init(&c, &lists, why, sizeof(why)), 0);
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		a = addr(rows[i].addr);
		ck_assert_msg(peer_confs_allow(&c, &a) == rows[i].allowed, "%s",
			rows[i].addr);
	}
	peer_confs_fini(&c);
}
END_TEST

/* Against the plain way: every network asked. */
START_TEST(test_many_nets)
{
	static char text[300][PREFIX_TEXT_MAX];
	char *v[ARRAY_LEN(text)], why[200];
	struct prefix nets[ARRAY_LEN(text)];
	const struct conf_list list = {v, ARRAY_LEN(v)};
	const struct peer_conf_lists lists = {&empty, &empty, &list, 6, 0, 0};
	struct peer_confs c;
	uint32_t seed = 12345;
	struct addr a;
	size_t i, j;
	bool has;

	for (i = 0; i < ARRAY_LEN(text); i++) {
		seed = seed * 1103515245 + 12345;
		a = addr("2001:db8::");
		a.b[4] = (uint8_t)(seed >> 24);
		a.b[5] = (uint8_t)(seed >> 16);
		nets[i] =
			(struct prefix){a, (uint8_t)(seed >> 13 & 1 ? 48 : 40)};
		if (nets[i].len == 40)
			nets[i].addr.b[5] = 0;
		v[i] = text[i];
		prefix_format(&nets[i], text[i]);
	}
	ck_assert_int_eq(peer_confs_init(&c, &lists, why, sizeof(why)), 0);
	for (i = 0; i < 65536; i++) {
		a = addr("2001:db8::5");
		a.b[4] = (uint8_t)(i >> 8);
		a.b[5] = (uint8_t)i;
		for (has = false, j = 0; j < ARRAY_LEN(nets) && !has; j++)
			has = prefix_has(&nets[j], &a);
		ck_assert(peer_confs_allow(&c, &a) == !has);
	}
	peer_confs_fini(&c);
}
END_TEST

RUN_TESTS("gwd peer_conf", test_line, test_refused, test_long, test_all,
	test_errors_say_where, test_allow, test_many_nets)
