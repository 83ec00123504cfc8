/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clients' messages judged, by table; every cut of a query harms nobody. */
#include "tests/unit/run.h"

#include <string.h>

#include "resolverd/request.h"

/* Name "a.test" in the question unless qdcount is 0; extra is appended. */
#define OPT1232	 "\0\0\x29\x04\xd0\0\0\0\0\0\0"
#define OPT_DO	 "\0\0\x29\x02\0\0\0\x80\0\0\0"
#define OPT_V1	 "\0\0\x29\x10\0\0\1\0\0\0\0"
#define OPT_BIG	 "\0\0\x29\x10\0\0\0\0\0\0\0"
#define OPT_TINY "\0\0\x29\0\x10\0\0\0\0\0\0"
#define OPT_UNK	 "\0\0\x29\x10\0\0\0\0\0\0\6\xfd\xe9\0\2\1\2"
#define ARR	 "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"
#define SOARR                                                                  \
	"\xc0\x0c\0\6\0\1\0\0\0\0\0\x16\0\0\0\0\0\7\0\0\0\1\0\0\0\1\0\0\0\1"   \
	"\0\0\0\1"
#define TSIGRR "\0\0\xfa\0\xff\0\0\0\0\0\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define X(s)   s, sizeof(s) - 1

static const struct {
	uint16_t flags, counts[4], type, class;
	const char *extra;
	size_t extra_len;
	enum request_kind kind;
	uint16_t rcode;
	size_t limit; /* by UDP */
	bool edns, dnssec_ok;
} cases[] = {
	{DNS_RD, {1}, 1, 1, X(""), REQUEST_QUERY, 0, 512, 0, 0},
	{0, {1}, 255, 1, X(""), REQUEST_QUERY, 0, 512, 0, 0},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(OPT1232), REQUEST_QUERY, 0, 1232, 1, 0},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(OPT_DO), REQUEST_QUERY, 0, 512, 1, 1},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(OPT_BIG), REQUEST_QUERY, 0, 1232, 1, 0},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(OPT_TINY), REQUEST_QUERY, 0, 512, 1, 0},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(OPT_UNK), REQUEST_QUERY, 0, 1232, 1, 0},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(OPT_V1), REQUEST_ERROR, DNS_BADVERS,
		1232, 1, 0},
	{DNS_RD, {1, 0, 0, 2}, 1, 1, X(OPT1232 OPT1232), REQUEST_ERROR,
		DNS_FORMERR, 512, 0, 0},
	{DNS_QR, {1}, 1, 1, X(""), REQUEST_DROP, 0, 0, 0, 0},
	{0x2000, {1}, 6, 1, X(""), REQUEST_ERROR, DNS_NOTIMP, 512, 0, 0},
	{0x2800, {1}, 6, 1, X(""), REQUEST_ERROR, DNS_NOTIMP, 512, 0, 0},
	{0x2800, {1, 5}, 6, 1, X(""), REQUEST_ERROR, DNS_NOTIMP, 512, 0, 0},
	{0x7800, {1}, 1, 1, X(""), REQUEST_ERROR, DNS_NOTIMP, 512, 0, 0},
	{0x2000, {1, 0, 0, 1}, 6, 1, X(OPT1232), REQUEST_ERROR, DNS_NOTIMP,
		1232, 1, 0},
	{DNS_RD, {0}, 0, 0, X(""), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
	{DNS_RD, {2}, 1, 1, X("\xc0\x0c\0\1\0\1"), REQUEST_ERROR, DNS_FORMERR,
		512, 0, 0},
	{DNS_RD, {1, 1}, 1, 1, X(ARR), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
	{DNS_RD, {1, 0, 1}, 1, 1, X(ARR), REQUEST_ERROR, DNS_FORMERR, 512, 0,
		0},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(ARR), REQUEST_QUERY, 0, 512, 0, 0},
	{DNS_RD, {1}, 1, 1, X("x"), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
	{DNS_RD, {1, 0, 0, 1}, 1, 1, X(TSIGRR), REQUEST_ERROR, DNS_NOTAUTH, 512,
		0, 0},
	{DNS_RD, {1}, 16, 3, X(""), REQUEST_ERROR, DNS_REFUSED, 512, 0, 0},
	{DNS_RD, {1}, 1, 255, X(""), REQUEST_ERROR, DNS_REFUSED, 512, 0, 0},
	{DNS_RD, {1}, 0, 1, X(""), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
	{DNS_RD, {1}, 41, 1, X(""), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
	{DNS_RD, {1}, 250, 1, X(""), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
	{DNS_RD, {1}, 249, 1, X(""), REQUEST_ERROR, DNS_NOTIMP, 512, 0, 0},
	{DNS_RD, {1}, 253, 1, X(""), REQUEST_ERROR, DNS_NOTIMP, 512, 0, 0},
	{DNS_RD, {1}, 128, 1, X(""), REQUEST_ERROR, DNS_NOTIMP, 512, 0, 0},
	{DNS_RD, {1}, 127, 1, X(""), REQUEST_QUERY, 0, 512, 0, 0},
	{DNS_RD, {1}, 65280, 1, X(""), REQUEST_QUERY, 0, 512, 0, 0},
	{0, {1}, 252, 1, X(""), REQUEST_TRANSFER, 0, 512, 0, 0},
	{0, {1, 0, 1}, 251, 1, X(SOARR), REQUEST_TRANSFER, 0, 512, 0, 0},
	{0, {1, 0, 1}, 251, 1, X(ARR), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
	{0, {1}, 251, 1, X(""), REQUEST_ERROR, DNS_FORMERR, 512, 0, 0},
};

static size_t
build(uint8_t *buf, size_t size, size_t i)
{
	struct dns_header h = {.id = 77, .flags = cases[i].flags};
	struct wbuf w;

	memcpy(h.counts, cases[i].counts, sizeof(h.counts));
	wbuf_init(&w, buf, size);
	dns_header_put(&w, &h);
	if (h.counts[DNS_QUESTION]) {
		wbuf_bytes(&w, "\1a\4test", 8);
		wbuf_be16(&w, cases[i].type);
		wbuf_be16(&w, cases[i].class);
	}
	wbuf_bytes(&w, cases[i].extra, cases[i].extra_len);
	ck_assert(wbuf_ok(&w));
	return w.len;
}

START_TEST(test_judged)
{
	struct request rq;
	uint8_t buf[256];
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		len = build(buf, sizeof(buf), i);
		request_parse(&rq, buf, len, false);
		ck_assert_msg(rq.kind == cases[i].kind, "case %zu: kind %d", i,
			rq.kind);
		if (rq.kind == REQUEST_DROP)
			continue;
		ck_assert_uint_eq(rq.head.id, 77);
		ck_assert_msg(rq.head.limit == cases[i].limit,
			"case %zu: limit %zu", i, rq.head.limit);
		ck_assert_msg(rq.head.edns == cases[i].edns, "case %zu", i);
		ck_assert_msg(
			rq.head.dnssec_ok == cases[i].dnssec_ok, "case %zu", i);
		if (rq.kind == REQUEST_ERROR)
			ck_assert_msg(rq.rcode == cases[i].rcode,
				"case %zu: rcode %u", i, rq.rcode);
		else
			ck_assert_uint_eq(rq.head.question.type, cases[i].type);
		request_parse(&rq, buf, len, true);
		ck_assert_uint_eq(rq.head.limit, DNS_MESSAGE_MAX);
	}
}
END_TEST

START_TEST(test_serial)
{
	struct request rq;
	uint8_t buf[256];
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].kind != REQUEST_TRANSFER || cases[i].type != 251)
			continue;
		request_parse(&rq, buf, build(buf, sizeof(buf), i), true);
		ck_assert(rq.has_serial);
		ck_assert_uint_eq(rq.serial, 7);
	}
}
END_TEST

/* Whatever is cut off, the answer is none, FORMERR or NOTIMP. */
START_TEST(test_cuts)
{
	struct request rq;
	uint8_t buf[256];
	size_t i, len, cut;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		len = build(buf, sizeof(buf), i);
		if (cases[i].extra_len == 1)
			continue; /* a byte too many: one less is right */
		for (cut = 0; cut < len; cut++) {
			request_parse(&rq, buf, cut, false);
			ck_assert(rq.kind == REQUEST_DROP ||
				  rq.kind == REQUEST_ERROR);
			if (rq.kind == REQUEST_ERROR)
				ck_assert(rq.rcode == DNS_FORMERR ||
					  rq.rcode == DNS_NOTIMP);
		}
	}
}
END_TEST

RUN_TESTS("request", test_judged, test_serial, test_cuts)
