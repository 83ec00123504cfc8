/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets described and chosen for those who trace them. */
#include "gwd/trace.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/run.h"

static const struct addr host = {4, {192, 168, 84, 10}};
static const struct addr ea = {4, {10, 240, 1, 7}};
static const struct addr peer = {4, {198, 51, 100, 1}};
static const struct addr pub = {4, {192, 0, 2, 1}};
static const struct addr none;

struct bytes {
	uint8_t b[128];
	size_t len;
};

/* ports 40000 and 80, as TCP: a SYN; as ICMP: an echo request 9, 3. */
static void
put_l4(struct wbuf *w, uint8_t proto)
{
	if (proto == 1) {
		wbuf_be16(w, 8 << 8);
		wbuf_be16(w, 0);
		wbuf_be16(w, 9);
		wbuf_be16(w, 3);
		return;
	}
	wbuf_be16(w, 40000);
	wbuf_be16(w, 80);
	wbuf_zeros(w, 8);
	wbuf_be16(w, 0x5002);
	wbuf_zeros(w, 6);
}

static struct bytes
local(uint8_t proto, const struct addr *src, const struct addr *dst)
{
	struct bytes x;
	struct wbuf w;

	wbuf_init(&w, x.b, sizeof(x.b));
	wbuf_be16(&w, 0x4500);
	wbuf_be16(&w, 20 + (proto == 1 ? 8 : 20));
	wbuf_be32(&w, 0x4000); /* DF */
	wbuf_u8(&w, 63);
	wbuf_u8(&w, proto);
	wbuf_be16(&w, 0);
	addr_put(&w, src, 4);
	addr_put(&w, dst, 4);
	put_l4(&w, proto);
	ck_assert(wbuf_ok(&w));
	x.len = w.len;
	return x;
}

static struct bytes
tunnel(uint8_t proto, const struct addr *src_gw, uint64_t src_ref,
	const struct addr *dst_gw, uint64_t dst_ref)
{
	const struct header h = {
		.ttl = 63,
		.proto = proto,
		.df = true,
		.src_gw = *src_gw,
		.dst_gw = *dst_gw,
		.src_ref = ref_from_u64(src_ref),
		.dst_ref = ref_from_u64(dst_ref),
	};
	struct bytes x;
	struct wbuf w;

	wbuf_init(&w, x.b, sizeof(x.b));
	header_encode(&w, &h);
	put_l4(&w, proto);
	ck_assert(wbuf_ok(&w));
	x.len = w.len;
	return x;
}

/* host + 700 -> ea, which is peer + 800, passed on. */
static struct trace
passed(uint8_t proto)
{
	const struct bytes in = local(proto, &host, &ea);
	const struct bytes out = tunnel(proto, &pub, 700, &peer, 800);
	const struct trace_input t = {
		.way = WAY_OUT,
		.in = in.b,
		.in_len = in.len,
		.out = out.b,
		.out_len = out.len,
		.peer = {peer, 1045},
		.pub = &pub,
	};
	struct trace trace;

	trace_decode(&trace, &t);
	return trace;
}

/* The way back, dropped. */
static struct trace
dropped(uint8_t proto, const struct addr *src_gw, const struct addr *dst_gw)
{
	const struct bytes in = tunnel(proto, src_gw, 800, dst_gw, 700);
	const struct trace_input t = {
		.way = WAY_IN,
		.result = TRACE_DROPPED,
		.drop = DROP_REF_UNKNOWN,
		.in = in.b,
		.in_len = in.len,
		.peer = {peer, 5000},
		.pub = &pub,
	};
	struct trace trace;

	trace_decode(&trace, &t);
	return trace;
}

START_TEST(test_both_forms)
{
	const struct trace t = passed(6);
	const struct trace_l4 *l4s[] = {&t.local.l4, &t.tunnel.l4};
	size_t i;

	ck_assert(t.way == WAY_OUT && t.result == TRACE_PASSED);
	ck_assert(t.local.there && t.local.parsed && t.tunnel.there);
	ck_assert(addr_eq(&t.local.p.src, &host));
	ck_assert(addr_eq(&t.local.p.dst, &ea));
	ck_assert(t.local.p.df && t.tunnel.h.df);
	ck_assert_uint_eq(t.local.p.ttl, 63);
	ck_assert_uint_eq(t.local.len, 40);
	ck_assert_uint_eq(t.tunnel.len, 40); /* 20 of header, 20 of TCP */
	ck_assert_uint_eq(t.tunnel.header_len, HEADER_MIN);
	ck_assert(addr_eq(&t.tunnel.h.dst_gw, &peer));
	ck_assert_uint_eq(t.peer.port, 1045);
	for (i = 0; i < ARRAY_LEN(l4s); i++) {
		ck_assert(l4s[i]->ports && l4s[i]->flags && !l4s[i]->icmp);
		ck_assert_uint_eq(l4s[i]->sport, 40000);
		ck_assert_uint_eq(l4s[i]->dport, 80);
		ck_assert_uint_eq(l4s[i]->tcp_flags, 2);
	}
}
END_TEST

START_TEST(test_icmp)
{
	const struct trace t = passed(1);

	ck_assert(t.local.l4.icmp && t.local.l4.echo && !t.local.l4.ports);
	ck_assert_uint_eq(t.local.l4.type, 8);
	ck_assert_uint_eq(t.tunnel.l4.id, 9);
	ck_assert_uint_eq(t.tunnel.l4.seq, 3);
}
END_TEST

START_TEST(test_dropped)
{
	const struct addr zero = addr_zero(4);
	struct trace t = dropped(17, &zero, &zero);

	ck_assert(t.tunnel.there && !t.local.there);
	ck_assert_int_eq(t.drop, DROP_REF_UNKNOWN);
	/* Zero contexts are who they stand for. */
	ck_assert(addr_eq(&t.tunnel.h.src_gw, &peer));
	ck_assert(addr_eq(&t.tunnel.h.dst_gw, &pub));
	ck_assert_uint_eq(t.peer.port, 5000);
}
END_TEST

/* Whatever was refused is shown as far as it can be read. */
START_TEST(test_cut)
{
	const struct bytes in = local(6, &host, &ea);
	const struct bytes out = tunnel(6, &pub, 700, &peer, 800);
	struct trace_input t = {.way = WAY_OUT, .in = in.b, .pub = &none};
	struct trace trace;

	for (t.in_len = 0; t.in_len <= in.len; t.in_len++) {
		t.out = out.b;
		t.out_len = t.in_len;
		trace_decode(&trace, &t);
		ck_assert_int_eq(trace.local.there, t.in_len >= 20);
		ck_assert_int_eq(trace.tunnel.there, t.in_len >= HEADER_MIN);
		ck_assert_int_eq(trace.local.l4.ports, t.in_len >= 24);
		ck_assert_int_eq(trace.local.l4.flags, t.in_len >= 34);
		ck_assert_int_eq(trace.tunnel.l4.ports, t.out_len >= 24);
	}
	t.in = (const uint8_t *)"\xff\xff";
	t.in_len = 2;
	t.out = NULL;
	trace_decode(&trace, &t);
	ck_assert(!trace.local.there && !trace.tunnel.there);
}
END_TEST

static bool
matches(const char *query, const struct trace *t)
{
	char error[TRACE_ERROR_MAX];
	struct trace_filter f;

	ck_assert_msg(
		trace_filter_parse(&f, query, error), "%s: %s", query, error);
	return trace_match(&f, t);
}

START_TEST(test_filters)
{
	static const struct {
		const char *query;
		bool out, in; /* a TCP packet passed, a UDP one dropped */
	} rows[] = {
		{NULL, true, true},
		{"", true, true},
		{"drops=1", false, true},
		{"drops=0", true, true},
		{"direction=out", true, false},
		{"direction=in", false, true},
		{"protocol=tcp", true, false},
		{"protocol=TCP", true, false},
		{"protocol=17", false, true},
		{"protocol=icmp", false, false},
		{"address=192.168.84.10", true, false},
		{"address=10.240.1.7", true, false},
		{"address=10.240.0.0/16", true, false},
		{"address=198.51.100.1", true, true},
		{"address=192.0.2.0%2F24", true, true},
		{"address=2001:db8::/32", false, false},
		{"address=192.168.84.11", false, false},
		{"gw=198.51.100.1&ref=800", true, true},
		{"gw=192.0.2.1&ref=700", true, true},
		{"gw=192.0.2.1&ref=800", false, false},
		{"gw=198.51.100.1&ref=801", false, false},
		{"address=198.51.100.1&protocol=udp&direction=in&drops=1",
			false, true},
		{"address=198.51.100.1&protocol=udp&direction=out", false,
			false},
	};
	const struct trace out = passed(6), in = dropped(17, &peer, &pub);
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		ck_assert_msg(matches(rows[i].query, &out) == rows[i].out,
			"out: %s", rows[i].query);
		ck_assert_msg(matches(rows[i].query, &in) == rows[i].in,
			"in: %s", rows[i].query);
	}
}
END_TEST

#define TEN	 "1234567890"
#define TOO_LONG "protocol=" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* None of them shows more than was asked for. */
START_TEST(test_wrong_filters)
{
	static const char *const rows[] = {"address=x", "address=10.0.0.1/8",
		"gw=10.0.0.1", "ref=7", "gw=x&ref=7", "gw=10.0.0.1&ref=x",
		"protocol=256", "protocol=1234", "protocol=6x", "protocol=nix",
		"direction=up", "drops=2", "protocol",
		"protocol=", "protocol=%zz", "adress=10.0.0.1", "drops=1&nix=1",
		"=1", TOO_LONG};
	char error[TRACE_ERROR_MAX];
	struct trace_filter f;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		error[0] = '\0';
		ck_assert_msg(
			!trace_filter_parse(&f, rows[i], error), "%s", rows[i]);
		ck_assert_msg(error[0], "%s", rows[i]);
	}
}
END_TEST

START_TEST(test_flags)
{
	static const struct {
		uint8_t flags;
		const char *text;
	} rows[] = {{0, ""}, {0x02, "S"}, {0x12, "SA"}, {0x11, "FA"},
		{0x04, "R"}, {0xff, "FSRPAUEC"}};
	char buf[TRACE_FLAGS_MAX];
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		ck_assert_str_eq(trace_flags(rows[i].flags, buf), rows[i].text);
}
END_TEST

RUN_TESTS("trace", test_both_forms, test_icmp, test_dropped, test_cut,
	test_filters, test_wrong_filters, test_flags)
