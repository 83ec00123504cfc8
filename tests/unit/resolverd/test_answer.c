/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building answers: what is written reads back (by the screen, by ldns), names
 * are compressed, cuts say so; relaying leaves out what must not reach a host.
 */
#include "tests/unit/run.h"

#include <time.h>

#include "tests/unit/resolverd/records.h"

/* One record of each type with names in it, and others. */
static const char *const records[] = {
	"a.test. 60 IN A 192.0.2.1",
	"a.test. 60 IN AAAA 2001:db8::1",
	"A.Test. 60 IN NS ns.a.test.",
	"a.test. 60 IN CNAME b.a.test.",
	"a.test. 60 IN SOA ns.a.test. mail.a.test. 1 2 3 4 5",
	"a.test. 60 IN PTR c.a.test.",
	"a.test. 60 IN MINFO c.a.test. d.a.test.",
	"a.test. 60 IN MX 10 mx.a.test.",
	"a.test. 60 IN TXT \"some text\" \"\" \"more\"",
	"a.test. 60 IN RP a.test. b.test.",
	"a.test. 60 IN AFSDB 1 c.a.test.",
	"a.test. 60 IN RT 1 c.a.test.",
	"a.test. 60 IN PX 1 c.a.test. d.a.test.",
	"a.test. 60 IN SRV 1 2 3 srv.a.test.",
	"a.test. 60 IN NAPTR 1 2 \"a\" \"b\" \"!x!y!\" r.a.test.",
	"a.test. 60 IN KX 1 c.a.test.",
	"a.test. 60 IN DNAME d.test.",
	"a.test. 60 IN TYPE65280 \\# 5 c00cff0001",
	"a.test. 60 IN CAA 0 issue \"ca.test\"",
	". 60 IN NS a.root-servers.test.",
};

/* Every record goes through answer_rr() and, out of that compressed message,
 * answer_copy(), and is the same in the end. */
START_TEST(test_round)
{
	static uint8_t one[DNS_MESSAGE_MAX], two[DNS_MESSAGE_MAX];
	static char before[40000], after[40000];
	struct answer_head h = head_for("a.test", DNS_TYPE_A);
	struct screened s;
	struct answer a;
	struct dns_rr rr;
	struct rbuf r;
	size_t i, len, len2;

	answer_begin(&a, &h, one);
	for (i = 0; i < ARRAY_LEN(records); i++)
		add_text(&a, DNS_ANSWER, records[i]);
	len = answer_end(&a, DNS_NOERROR, EDE_NONE);
	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq(screen_message(&s, one, len), SCREEN_OK);
	ck_assert_uint_eq(s.header.counts[DNS_ANSWER], ARRAY_LEN(records));

	answer_begin(&a, &h, two);
	rbuf_init(&r, one, len);
	rbuf_skip(&r, s.at[DNS_ANSWER]);
	for (i = 0; i < ARRAY_LEN(records); i++) {
		rr = dns_rr_get(&r);
		answer_copy(&a, DNS_ANSWER, &rr, one, len);
	}
	len2 = answer_end(&a, DNS_NOERROR, EDE_NONE);
	ck_assert_uint_eq(len2, len);
	section_text(one, len, LDNS_SECTION_ANSWER, before);
	section_text(two, len2, LDNS_SECTION_ANSWER, after);
	ck_assert_str_eq(before, after);
	for (i = 0; i < ARRAY_LEN(records); i++) {
		char line[LINE_MAX_LEN];

		snprintf(line, sizeof(line), "%s", records[i]);
		/* The owner's case is that of the name compressed with. */
		if (i != 2)
			ck_assert_msg(strstr(before, line) != NULL, "%s in %s",
				line, before);
	}
}
END_TEST

START_TEST(test_compression)
{
	uint8_t buf[512];
	struct answer_head h = head_for("www.a.test", DNS_TYPE_A);
	struct answer a;

	h.limit = sizeof(buf);
	answer_begin(&a, &h, buf);
	ck_assert_uint_eq(a.question_end, 12 + 12 + 4);
	add_text(&a, DNS_ANSWER, "WWW.a.test. 60 IN A 192.0.2.1");
	ck_assert_uint_eq(a.w.len - a.question_end, 2 + 10 + 4);
	add_text(&a, DNS_ANSWER, "x.a.test. 60 IN A 192.0.2.1");
	ck_assert_uint_eq(a.w.len - a.question_end, 16 + 4 + 10 + 4);
	/* Data of a type that may not be compressed is written whole. */
	add_text(&a, DNS_ANSWER, "x.a.test. 60 IN SRV 1 2 3 x.a.test.");
	ck_assert_uint_eq(a.w.len - a.question_end, 34 + 2 + 10 + 6 + 10);
}
END_TEST

/* Names of many labels that are alike but for the last one, as an attacker's
 * zone may have them, don't hold up the loop: each end of a name is compared
 * with few others, not with all that were written. */
START_TEST(test_alike_names)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	struct answer_head h = head_for("a.test", DNS_TYPE_A);
	char text[NAME_TEXT_MAX];
	struct answer a;
	struct name n;
	size_t i, k, ends = 0;

	answer_begin(&a, &h, buf);
	for (i = 0; !a.truncated; i++) {
		for (k = 0; k < 240; k += 2)
			memcpy(text + k, "a.", 2);
		snprintf(text + k, sizeof(text) - k, "x%zu", i);
		n = named(text);
		ends += 121;
		answer_rr(&a, DNS_ANSWER, &n, DNS_TYPE_A, DNS_CLASS_IN, 60,
			"\1\2\3\4", 4);
	}
	ck_assert_uint_gt(i, 200);
	ck_assert_uint_le(a.compared, 2 * ends);
}
END_TEST

/* Places behind 16,383 are not pointed to. */
START_TEST(test_far_names)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	static const uint8_t filler[17000];
	struct answer_head h = head_for("a.test", DNS_TYPE_A);
	struct name n = named("a.test");
	struct screened s;
	struct answer a;
	size_t len;

	answer_begin(&a, &h, buf);
	answer_rr(&a, DNS_ANSWER, &n, 65280, DNS_CLASS_IN, 1, filler,
		sizeof(filler));
	add_text(&a, DNS_ANSWER, "far.away. 60 IN A 192.0.2.1");
	add_text(&a, DNS_ANSWER, "far.away. 60 IN A 192.0.2.2");
	len = answer_end(&a, DNS_NOERROR, EDE_NONE);
	ck_assert_int_eq(screen_message(&s, buf, len), SCREEN_OK);
	ck_assert_uint_eq(s.header.counts[DNS_ANSWER], 3);
}
END_TEST

/* The answer section and what happens at each limit. */
START_TEST(test_limits)
{
	uint8_t buf[DNS_UDP_PAYLOAD];
	struct answer_head h = head_for("a.test", DNS_TYPE_A);
	struct screened s;
	struct answer a;
	size_t limit, i, len, whole = 0;
	bool edns;

	for (limit = 512; limit < sizeof(buf); limit++) {
		edns = limit & 1;
		h.limit = limit;
		h.edns = edns;
		memset(buf, 0xee, sizeof(buf));
		answer_begin(&a, &h, buf);
		for (i = 0; i < 45; i++)
			add_text(&a, DNS_ANSWER, "a.test. 60 IN A 192.0.2.1");
		len = answer_end(&a, DNS_NOERROR, EDE_UPSTREAM);
		ck_assert_uint_le(len, limit);
		if (limit < sizeof(buf) - 1)
			ck_assert_uint_eq(buf[limit], 0xee);
		ck_assert_int_eq(screen_message(&s, buf, len), SCREEN_OK);
		ck_assert(!s.opt == !edns);
		if (s.header.flags & DNS_TC) {
			ck_assert_uint_eq(s.header.counts[DNS_ANSWER], 0);
			ck_assert_uint_eq(s.header.counts[DNS_QUESTION], 1);
		} else {
			ck_assert_uint_eq(s.header.counts[DNS_ANSWER], 45);
			whole++;
		}
	}
	ck_assert_uint_gt(whole, 0);
	ck_assert_uint_lt(whole, sizeof(buf) - 512);
}
END_TEST

/* The additional section is left out rather than the answer cut. */
START_TEST(test_additional)
{
	uint8_t buf[512];
	struct answer_head h = head_for("a.test", DNS_TYPE_A);
	struct screened s;
	struct answer a;
	size_t i, len;

	h.limit = sizeof(buf);
	answer_begin(&a, &h, buf);
	add_text(&a, DNS_ANSWER, "a.test. 60 IN A 192.0.2.1");
	for (i = 0; i < 60; i++)
		add_text(&a, DNS_ADDITIONAL, "a.test. 60 IN A 192.0.2.1");
	len = answer_end(&a, DNS_NOERROR, EDE_NONE);
	ck_assert_int_eq(screen_message(&s, buf, len), SCREEN_OK);
	ck_assert(!(s.header.flags & DNS_TC));
	ck_assert_uint_eq(s.header.counts[DNS_ANSWER], 1);
	ck_assert_uint_gt(s.header.counts[DNS_ADDITIONAL], 20);
}
END_TEST

START_TEST(test_too_long_for_tcp)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	static const uint8_t filler[40000];
	struct answer_head h = head_for("a.test", DNS_TYPE_A);
	struct name n = named("a.test");
	struct answer a;

	answer_begin(&a, &h, buf);
	answer_rr(&a, DNS_ANSWER, &n, 65280, DNS_CLASS_IN, 1, filler, 40000);
	answer_rr(&a, DNS_ANSWER, &n, 65280, DNS_CLASS_IN, 1, filler, 40000);
	ck_assert_uint_eq(answer_end(&a, DNS_NOERROR, EDE_NONE), 0);
}
END_TEST

static const struct {
	uint16_t query_flags, rcode;
	bool edns, aa, ra;
	unsigned ede;
	uint16_t flags; /* of the answer */
	size_t len;
} heads[] = {
	{DNS_RD, 0, false, false, true, EDE_NONE, 0x8180, 24},
	{0, 0, false, true, true, EDE_NONE, 0x8480, 24},
	{DNS_RD | DNS_CD | DNS_AD | DNS_Z, 2, true, false, true, EDE_NONE,
		0x8192, 35},
	{DNS_RD, 2, true, false, true, EDE_UPSTREAM, 0x8182, 41},
	{DNS_RD, 2, false, false, true, EDE_UPSTREAM, 0x8182, 24},
	{DNS_RD, DNS_BADVERS, true, false, false, EDE_NONE, 0x8100, 35},
	{0x2800, DNS_NOTIMP, false, false, true, EDE_NONE, 0xa884, 24},
};

START_TEST(test_heads)
{
	struct answer_head h;
	struct screened s;
	struct answer a;
	uint8_t buf[512];
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(heads); i++) {
		h = head_for("a.test", DNS_TYPE_A);
		h.limit = sizeof(buf);
		h.flags = heads[i].query_flags;
		h.edns = heads[i].edns;
		h.dnssec_ok = true;
		answer_begin(&a, &h, buf);
		a.aa = heads[i].aa;
		a.ra = heads[i].ra;
		len = answer_end(&a, heads[i].rcode, heads[i].ede);
		ck_assert_uint_eq(len, heads[i].len);
		ck_assert_int_eq(screen_message(&s, buf, len), SCREEN_OK);
		ck_assert_uint_eq(s.header.flags, heads[i].flags);
		ck_assert_uint_eq(s.header.id, 0x1234);
		if (heads[i].edns) {
			ck_assert_uint_eq(screen_rcode(&s), heads[i].rcode);
			ck_assert_uint_eq(s.payload, 1232);
			ck_assert_uint_eq(s.edns_flags, 0x8000);
		}
	}
}
END_TEST

/* SVCB data in hex: with hints, without. */
static const struct {
	const char *in, *out; /* out NULL: nothing stripped; "!": broken */
} hints[] = {
	{"000100", NULL},
	{"0001000001000302"
	 "6832",
		NULL},
	{"00010000040004c0000201", "000100"},
	{"0001000006001020010db8000000000000000000000001", "000100"},
	{"000100000100030268320004"
	 "0004c0000201",
		"00010000010003026832"},
	/* mandatory = ipv4hint: the key goes with its list */
	{"00010000000002000400040004c0000201", "000100"},
	/* mandatory = alpn, ipv4hint */
	{"000100000000040001000400010003026832"
	 "00040004c0000201",
		"0001000000000200010001"
		"0003026832"},
	/* a target */
	{"0001"
	 "0161047465737400"
	 "00040004c0000201",
		"0001"
		"0161047465737400"},
	{"00010000040004c00002", "!"},
	{"0001", "!"},
	{"000100000000030001"
	 "00",
		"!"},
};

static size_t
hex(const char *text, uint8_t *out)
{
	unsigned byte;
	size_t n = 0;

	for (; *text; text += 2) {
		ck_assert_int_eq(sscanf(text, "%2x", &byte), 1);
		out[n++] = (uint8_t)byte;
	}
	return n;
}

START_TEST(test_strip_hints)
{
	uint8_t in[256], out[256], want[256];
	struct wbuf w;
	size_t i, len, n;
	bool stripped;

	for (i = 0; i < ARRAY_LEN(hints); i++) {
		len = hex(hints[i].in, in);
		wbuf_init(&w, out, sizeof(out));
		stripped = answer_strip_hints(&w, in, len);
		if (hints[i].out && *hints[i].out == '!') {
			ck_assert_msg(!wbuf_ok(&w), "case %zu", i);
			continue;
		}
		ck_assert_msg(wbuf_ok(&w), "case %zu", i);
		ck_assert_msg(
			stripped == (hints[i].out != NULL), "case %zu", i);
		n = hex(hints[i].out ? hints[i].out : hints[i].in, want);
		ck_assert_uint_eq(w.len, n);
		ck_assert_mem_eq(out, want, n);
	}
}
END_TEST

#define SIG " 5 1 60 20300101000000 20200101000000 1 test. AAAA"

static const struct {
	uint16_t qtype;
	const char *in[4]; /* "X rr": section A(nswer), N(s), D (additional) */
	const char *left[4]; /* of these, what is left (their indexes) */
	bool hints_stay;
} relays[] = {
	{DNS_TYPE_A, {"A a.test. 60 IN A 192.0.2.1"}, {"0"}, false},
	{DNS_TYPE_A,
		{"A a.test. 60 IN CNAME b.test.", "A b.test. 60 IN A 192.0.2.1",
			"A b.test. 60 IN AAAA ::1",
			"D c.test. 60 IN A 192.0.2.1"},
		{"0", "1"}, false},
	{DNS_TYPE_MX,
		{"A a.test. 60 IN MX 1 b.test.", "A b.test. 60 IN A 192.0.2.1",
			"D b.test. 60 IN A 192.0.2.1",
			"D b.test. 60 IN AAAA ::1"},
		{"0"}, false},
	{DNS_TYPE_MX,
		{"N test. 60 IN NS ns.test.", "D ns.test. 60 IN A 192.0.2.1",
			"D ns.test. 60 IN RRSIG A" SIG,
			"D x.test. 60 IN TXT \"x\""},
		{"0", "3"}, false},
	{DNS_TYPE_A,
		{"A a.test. 60 IN A 192.0.2.1", "A a.test. 60 IN RRSIG A" SIG,
			"A a.test. 60 IN RRSIG AAAA" SIG,
			"N a.test. 60 IN A 192.0.2.1"},
		{"0", "1"}, false},
	{DNS_TYPE_TXT, {"N test. 60 IN SOA a.test. b.test. 1 2 3 4 5"}, {"0"},
		false},
	{DNS_TYPE_TXT,
		{"A a.test. 60 CH TXT \"x\"", "A a.test. 60 IN TXT \"y\""},
		{"1"}, false},
	{DNS_TYPE_HTTPS,
		{"A a.test. 60 IN HTTPS 1 . alpn=h2",
			"A a.test. 60 IN RRSIG HTTPS" SIG},
		{"0", "1"}, false},
	{DNS_TYPE_HTTPS,
		{"A a.test. 60 IN HTTPS 1 . ipv4hint=192.0.2.1",
			"A a.test. 60 IN RRSIG HTTPS" SIG,
			"A a.test. 60 IN RRSIG TXT" SIG},
		{"=a.test. 60 IN HTTPS 1 .", "2"}, false},
	{DNS_TYPE_HTTPS,
		{"A a.other. 60 IN HTTPS 1 . ipv4hint=192.0.2.1",
			"A a.other. 60 IN RRSIG HTTPS" SIG},
		{"0", "1"}, false},
	{DNS_TYPE_HTTPS,
		{"A a.other. 60 IN HTTPS 1 b.test. ipv4hint=192.0.2.1"},
		{"=a.other. 60 IN HTTPS 1 b.test."}, false},
	{DNS_TYPE_HTTPS, {"A a.not.test. 60 IN HTTPS 1 . ipv4hint=192.0.2.1"},
		{"0"}, false},
	{DNS_TYPE_HTTPS,
		{"A a.test. 60 IN HTTPS 1 . ipv4hint=192.0.2.1",
			"A a.test. 60 IN RRSIG HTTPS" SIG},
		{"0", "1"}, true},
};

static void
add_relay_rr(struct answer *a, const char *text)
{
	enum dns_section s = *text == 'A'   ? DNS_ANSWER
			     : *text == 'N' ? DNS_AUTHORITY
					    : DNS_ADDITIONAL;

	add_text(a, s, text + 2);
}

START_TEST(test_relay)
{
	static uint8_t up[DNS_MESSAGE_MAX], got[DNS_MESSAGE_MAX],
		want[DNS_MESSAGE_MAX];
	struct name in = named("test"), out = named("not.test");
	struct domains domains = {{&in, 1}, {&out, 1}};
	struct answer_filter f = {0};
	struct answer_head h;
	struct screened s;
	struct answer a;
	size_t i, k, len, want_len;
	const char *left;

	for (i = 0; i < ARRAY_LEN(relays); i++) {
		h = head_for("a.test", relays[i].qtype);
		h.edns = true; /* an OPT record that must go */
		answer_begin(&a, &h, up);
		for (k = 0; k < 4 && relays[i].in[k]; k++)
			add_relay_rr(&a, relays[i].in[k]);
		len = answer_end(&a, DNS_NOERROR, EDE_NONE);
		ck_assert_int_eq(screen_message(&s, up, len), SCREEN_OK);

		h.edns = false;
		f.qtype = relays[i].qtype;
		f.domains = relays[i].hints_stay ? NULL : &domains;
		answer_begin(&a, &h, got);
		answer_relay(&a, up, len, &s, &f);
		len = answer_end(&a, DNS_NOERROR, EDE_NONE);

		answer_begin(&a, &h, want);
		for (k = 0; k < 4 && relays[i].left[k]; k++) {
			left = relays[i].left[k];
			if (*left == '=')
				add_text(&a, DNS_ANSWER, left + 1);
			else
				add_relay_rr(&a, relays[i].in[*left - '0']);
		}
		want_len = answer_end(&a, DNS_NOERROR, EDE_NONE);
		ck_assert_msg(len == want_len && !memcmp(got, want, len),
			"case %zu", i);
	}
}
END_TEST

RUN_TESTS("answer", test_round, test_compression, test_alike_names,
	test_far_names, test_limits, test_additional, test_too_long_for_tcp,
	test_heads, test_strip_hints, test_relay)
