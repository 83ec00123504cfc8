/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses, endpoints, prefixes: text both ways, classes, arithmetic. */
#include "libipref/addr.h"

#include <arpa/inet.h>

#include "tests/unit/run.h"

/* A copy of the text without NUL, so that sanitizers see each byte too many. */
static char *
text_copy(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, len);
	return copy;
}

static struct addr
addr_of(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse(&a, text, strlen(text)), "%s", text);
	return a;
}

static struct prefix
prefix_of(const char *text)
{
	struct prefix p;

	ck_assert_msg(prefix_parse(&p, text, strlen(text)), "%s", text);
	return p;
}

/* Texts of addresses; what they print as, or NULL for an error. */
static const struct text {
	const char *text, *want;
} addrs[] = {
	{"192.0.2.1", "192.0.2.1"},
	{"0.0.0.0", "0.0.0.0"},
	{"255.255.255.255", "255.255.255.255"},
	{"::", "::"},
	{"::1", "::1"},
	{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	{"2001:db8::", "2001:db8::"},
	{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	{"", NULL},
	{" 192.0.2.1", NULL},
	{"192.0.2.1 ", NULL},
	{"192.0.2", NULL},
	{"192.0.2.1.1", NULL},
	{"192.0.2.01", NULL},
	{"192.000.002.001", NULL},
	{"192.0.2.256", NULL},
	{"192.0.2.0x1", NULL},
	{"3221225985", NULL},
	{"+192.0.2.1", NULL},
	{"[::1]", NULL},
	{"fe80::1%eth0", NULL},
	{"::1/128", NULL},
	{"1::2::3", NULL},
	{":", NULL},
	{"1:2:3:4:5:6:7:8:9", NULL},
	{"12345::", NULL},
	{"gw.example.com", NULL},
	{"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", NULL},
};

START_TEST(test_text)
{
	char buf[ADDR_TEXT_MAX];
	struct addr a, again;
	size_t i;

	for (i = 0; i < ARRAY_LEN(addrs); i++) {
		const char *text = addrs[i].text;
		size_t len = strlen(text);
		char *copy = text_copy(text, len);
		bool ok;

		memset(&a, 0xee, sizeof(a));
		ok = addr_parse(&a, copy, len);
		free(copy);
		ck_assert_msg(ok == (addrs[i].want != NULL), "%s", text);
		if (!ok) {
			ck_assert_uint_eq(a.ver, 0);
			ck_assert(addr_is_zero(&a));
			continue;
		}
		ck_assert_str_eq(addr_format(&a, buf), addrs[i].want);
		again = addr_of(buf);
		/* Equal values are equal structs: they serve as keys. */
		ck_assert_mem_eq(&a, &again, sizeof(a));
	}
	/* A NUL is no end. */
	ck_assert(!addr_parse(&a, "::1\0", 4));
	ck_assert(!addr_parse(&a, "1.2.3.4\0005", 9));
	a = (struct addr){0};
	ck_assert_str_eq(addr_format(&a, buf), "-");
	a.ver = 5;
	ck_assert_str_eq(addr_format(&a, buf), "-");
}
END_TEST

enum {
	ZERO = 1,
	LOOPBACK = 2,
	LINK = 4,
	MULTICAST = 8,
	GLOBAL = 16,
};

static const struct {
	const char *text;
	unsigned is;
	uint8_t second;
} classes[] = {
	{"0.0.0.0", ZERO, 0},
	{"0.0.0.1", GLOBAL, 0},
	{"10.240.7.1", GLOBAL, 7},
	{"192.168.84.97", GLOBAL, 84},
	{"126.255.255.255", GLOBAL, 255},
	{"127.0.0.1", LOOPBACK, 0},
	{"127.255.255.255", LOOPBACK, 255},
	{"128.0.0.0", GLOBAL, 0},
	{"169.253.255.255", GLOBAL, 255},
	{"169.254.1.1", LINK, 1},
	{"169.255.0.0", GLOBAL, 0},
	{"223.255.255.255", GLOBAL, 255},
	{"224.0.0.1", MULTICAST, 0},
	{"239.255.255.255", MULTICAST, 255},
	{"240.0.0.1", GLOBAL, 0},
	{"255.255.255.254", GLOBAL, 255},
	{"255.255.255.255", 0, 255},
	{"::", ZERO, 0},
	{"::1", LOOPBACK, 0},
	{"::2", GLOBAL, 0},
	{"2001:db8::12ff", GLOBAL, 0x12},
	{"fd00:240::1", GLOBAL, 0},
	{"fe7f::1", GLOBAL, 0},
	{"fe80::1", LINK, 0},
	{"febf::1", LINK, 0},
	{"fec0::1", GLOBAL, 0},
	{"fe00::1", GLOBAL, 0},
	{"ff02::1", MULTICAST, 0},
	/* v4-mapped: what the IPv4 address is */
	{"::ffff:192.0.2.1", GLOBAL, 2},
	{"::ffff:127.0.0.1", LOOPBACK, 0},
	{"::ffff:169.254.3.1", LINK, 3},
	{"::ffff:224.0.0.1", MULTICAST, 0},
	{"::ffff:0.0.0.0", 0, 0},
	{"::ffff:255.255.255.255", 0, 255},
};

START_TEST(test_classes)
{
	struct addr a;
	size_t i;

	for (i = 0; i < ARRAY_LEN(classes); i++) {
		unsigned is = 0;

		a = addr_of(classes[i].text);
		is |= addr_is_zero(&a) ? ZERO : 0;
		is |= addr_is_loopback(&a) ? LOOPBACK : 0;
		is |= addr_is_link_local(&a) ? LINK : 0;
		is |= addr_is_multicast(&a) ? MULTICAST : 0;
		is |= addr_is_global_unicast(&a) ? GLOBAL : 0;
		ck_assert_msg(
			is == classes[i].is, "%s: %u", classes[i].text, is);
		ck_assert_uint_eq(addr_second_byte(&a), classes[i].second);
	}
	a = (struct addr){0};
	ck_assert(addr_is_zero(&a));
	ck_assert(!addr_is_global_unicast(&a));
	ck_assert_uint_eq(addr_second_byte(&a), 0);
}
END_TEST

START_TEST(test_order)
{
	static const char *const rising[] = {"0.0.0.0", "0.0.0.1", "0.0.1.0",
		"127.0.0.1", "255.0.0.0", "::", "::1",
		"1::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(rising); i++) {
		for (k = 0; k < ARRAY_LEN(rising); k++) {
			struct addr a = addr_of(rising[i]);
			struct addr b = addr_of(rising[k]);
			int order = addr_cmp(&a, &b);

			ck_assert((order < 0) == (i < k));
			ck_assert((order > 0) == (i > k));
			ck_assert(addr_eq(&a, &b) == (i == k));
		}
	}
}
END_TEST

START_TEST(test_wire)
{
	static const uint8_t bytes[17] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
	static const uint8_t zeros[16];
	uint8_t out[17];
	struct addr a, b;
	struct rbuf r;
	struct wbuf w;
	unsigned ver;
	size_t have;

	for (ver = 0; ver < 256; ver++) {
		size_t len = addr_len((uint8_t)ver);

		ck_assert_uint_eq(len, ver == 4 ? 4 : ver == 6 ? 16 : 0);
		for (have = 0; have <= 17; have++) {
			rbuf_init(&r, bytes, have);
			a = addr_get(&r, (uint8_t)ver);
			ck_assert(rbuf_ok(&r) == (len && have >= len));
			if (!rbuf_ok(&r)) {
				ck_assert(addr_is_zero(&a));
				continue;
			}
			ck_assert_uint_eq(rbuf_left(&r), have - len);
			b = addr_from_bytes((uint8_t)ver, bytes);
			ck_assert_mem_eq(&a, &b, sizeof(a));
			ck_assert_mem_eq(a.b, bytes, len);
			ck_assert_mem_eq(a.b + len, zeros, 16 - len);
			wbuf_init(&w, out, len);
			addr_put(&w, &a, (uint8_t)ver);
			ck_assert(wbuf_ok(&w));
			ck_assert_mem_eq(out, bytes, len);
			wbuf_init(&w, out, len - 1);
			addr_put(&w, &a, (uint8_t)ver);
			ck_assert(!wbuf_ok(&w));
		}
	}
	a = addr_zero(4);
	wbuf_init(&w, out, sizeof(out));
	addr_put(&w, &a, 6);
	ck_assert(!wbuf_ok(&w));
	a = (struct addr){0};
	wbuf_init(&w, out, sizeof(out));
	addr_put(&w, &a, 0);
	ck_assert(!wbuf_ok(&w));
	a = addr_from_bytes(5, bytes);
	ck_assert_uint_eq(a.ver, 0);
}
END_TEST

START_TEST(test_sockaddr)
{
	static const struct {
		const char *in, *out;
		socklen_t len;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", sizeof(struct sockaddr_in)},
		{"2001:db8::7", "2001:db8::7", sizeof(struct sockaddr_in6)},
		{"::ffff:192.0.2.1", "192.0.2.1", sizeof(struct sockaddr_in6)},
	};
	struct sockaddr_storage ss;
	struct endpoint e;
	char buf[ADDR_TEXT_MAX];
	struct addr a = {0};
	socklen_t len, cut;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		a = addr_of(rows[i].in);
		addr_to_sockaddr(&a, 1045, &ss, &len);
		ck_assert_uint_eq(len, rows[i].len);
		ck_assert(endpoint_from_sockaddr(
			&e, (struct sockaddr *)&ss, len));
		ck_assert_str_eq(addr_format(&e.addr, buf), rows[i].out);
		ck_assert_uint_eq(e.port, 1045);
		for (cut = 0; cut < len; cut++)
			ck_assert(!endpoint_from_sockaddr(
				&e, (struct sockaddr *)&ss, cut));
	}
	a = (struct addr){0};
	addr_to_sockaddr(&a, 1045, &ss, &len);
	ck_assert_uint_eq(len, 0);
	ss.ss_family = AF_UNIX;
	ck_assert(!endpoint_from_sockaddr(
		&e, (struct sockaddr *)&ss, sizeof(ss)));
}
END_TEST

START_TEST(test_endpoint)
{
	static const struct text rows[] = {
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:1045", "192.0.2.1:1045"},
		{"192.0.2.1:65535", "192.0.2.1:65535"},
		{"2001:db8::1", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"[2001:db8::1]:53", "[2001:db8::1]:53"},
		{"[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
		{"", NULL},
		{":", NULL},
		{":53", NULL},
		{"192.0.2.1:", NULL},
		{"192.0.2.1:0", NULL},
		{"192.0.2.1:65536", NULL},
		{"192.0.2.1:99999999999999999999", NULL},
		{"192.0.2.1:053", NULL},
		{"192.0.2.1:+53", NULL},
		{"192.0.2.1: 53", NULL},
		{"192.0.2.1:53:53", NULL},
		{"[192.0.2.1]:53", NULL},
		{"[2001:db8::1", NULL},
		{"2001:db8::1]:53", NULL},
		{"[2001:db8::1]53", NULL},
		{"[2001:db8::1]:", NULL},
		{"[]:53", NULL},
		{"[", NULL},
		{"gw.example.com:53", NULL},
	};
	char buf[ENDPOINT_TEXT_MAX];
	struct endpoint e;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = text_copy(rows[i].text, len);
		bool ok = endpoint_parse(&e, copy, len);

		free(copy);
		ck_assert_msg(ok == (rows[i].want != NULL), "%s", rows[i].text);
		if (ok)
			ck_assert_str_eq(
				endpoint_format(&e, buf), rows[i].want);
	}
	e = (struct endpoint){.port = 53};
	ck_assert_str_eq(endpoint_format(&e, buf), "-");
}
END_TEST

START_TEST(test_prefix_text)
{
	static const struct text rows[] = {
		{"10.240.0.0/12", "10.240.0.0/12"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"192.0.2.1/32", "192.0.2.1/32"},
		{"fd00:240::/64", "fd00:240::/64"},
		{"::/0", "::/0"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
		{"", NULL},
		{"/", NULL},
		{"/12", NULL},
		{"10.240.0.0", NULL},
		{"10.240.0.0/", NULL},
		{"10.240.0.0/33", NULL},
		{"10.240.0.0/-1", NULL},
		{"10.240.0.0/012", NULL},
		{"10.240.0.0/12 ", NULL},
		{"10.240.0.0/12/12", NULL},
		{"10.241.0.0/12", NULL},
		{"fd00::/129", NULL},
		{"fd00::1/64", NULL},
		{"fd00::1:0:0:0/64", NULL},
		{"128.0.0.0/0", NULL},
		{"10.0.0.1/31", NULL},
	};
	char buf[PREFIX_TEXT_MAX];
	struct prefix p;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *copy = text_copy(rows[i].text, len);
		bool ok = prefix_parse(&p, copy, len);
		const char *want = rows[i].want;

		free(copy);
		ck_assert_msg(ok == (want != NULL), "%s", rows[i].text);
		if (ok)
			ck_assert_str_eq(prefix_format(&p, buf), want);
	}
	p = (struct prefix){0};
	ck_assert_str_eq(prefix_format(&p, buf), "-");
}
END_TEST

START_TEST(test_prefix_has)
{
	static const struct {
		const char *prefix, *addr;
		bool has;
	} rows[] = {
		{"10.240.0.0/12", "10.240.0.0", true},
		{"10.240.0.0/12", "10.255.255.255", true},
		{"10.240.0.0/12", "10.239.255.255", false},
		{"10.240.0.0/12", "11.240.0.0", false},
		{"10.240.0.0/12", "::10.240.0.0", false},
		{"0.0.0.0/0", "255.1.2.3", true},
		{"0.0.0.0/0", "::", false},
		{"192.0.2.1/32", "192.0.2.1", true},
		{"192.0.2.1/32", "192.0.2.0", false},
		{"fd00:240::/64", "fd00:240::ffff:ffff:ffff:ffff", true},
		{"fd00:240::/64", "fd00:240:0:1::", false},
		{"fd00:240::/63", "fd00:240:0:1::", true},
		{"fd00:240::1/128", "fd00:240::1", true},
		{"fd00:240::1/128", "fd00:240::", false},
		{"::/0", "ffff::", true},
	};
	struct prefix none = {0};
	struct addr a;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct prefix p = prefix_of(rows[i].prefix);

		a = addr_of(rows[i].addr);
		ck_assert_msg(prefix_has(&p, &a) == rows[i].has, "%s %s",
			rows[i].prefix, rows[i].addr);
		ck_assert(prefix_eq(&p, &p));
		ck_assert(!prefix_eq(&p, &none));
	}
	a = (struct addr){0};
	ck_assert(!prefix_has(&none, &a));
}
END_TEST

START_TEST(test_prefix_host)
{
	static const struct {
		const char *prefix;
		uint64_t n;
		const char *want;
		uint8_t bits;
	} rows[] = {
		{"10.240.0.0/12", 1, "10.240.0.1", 20},
		{"10.240.0.0/12", 0, "10.240.0.0", 20},
		{"10.240.0.0/12", 0xfffff, "10.255.255.255", 20},
		{"10.240.0.0/12", 0x100001, "10.240.0.1", 20},
		{"10.240.0.0/12", UINT64_MAX, "10.255.255.255", 20},
		{"10.0.32.0/19", 0x1fff, "10.0.63.255", 13},
		{"0.0.0.0/0", 0x01020304, "1.2.3.4", 32},
		{"192.0.2.1/32", UINT64_MAX, "192.0.2.1", 0},
		{"fd00:240::/64", 1, "fd00:240::1", 64},
		{"fd00:240::/64", UINT64_MAX, "fd00:240::ffff:ffff:ffff:ffff",
			64},
		{"fd00::/16", UINT64_MAX, "fd00::ffff:ffff:ffff:ffff", 112},
		{"fd00::/115", 0x12345, "fd00::345", 13},
		{"::/0", 1, "::1", 128},
	};
	char buf[ADDR_TEXT_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct prefix p = prefix_of(rows[i].prefix);
		struct addr a = prefix_host(&p, rows[i].n);

		ck_assert_str_eq(addr_format(&a, buf), rows[i].want);
		ck_assert(prefix_has(&p, &a));
		ck_assert_uint_eq(prefix_host_bits(&p), rows[i].bits);
	}
}
END_TEST

RUN_TESTS("addr", test_text, test_classes, test_order, test_wire, test_sockaddr,
	test_endpoint, test_prefix_text, test_prefix_has, test_prefix_host)
