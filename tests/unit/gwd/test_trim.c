/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors of ours made shorter: whatever the length asked for, what comes out
 * is a message that a gateway can read, or nothing. */
#include "gwd/trim.h"

#include "gwd/cksum.h"
#include "gwd/header.h"
#include "gwd/icmp.h"
#include "tests/unit/run.h"

#define QUOTE_MAX 300

struct error {
	uint8_t p[GW_REPLY_MAX];
	size_t len;
	size_t outer, inner; /* lengths of the headers */
};

/* As the core makes them: about a packet with so much payload. */
static void
make(struct error *e, uint8_t ver, uint64_t ref, bool frag, size_t payload)
{
	const struct gw_settings set = {
		.tunnel_ver = ver,
		.pub = ver == 4 ? (struct addr){4, {192, 0, 2, 1}}
				: (struct addr){6, {0x20, 1, [15] = 1}},
		.own_ref = ref_from_u64(1),
	};
	const struct header h = {
		.ttl = 9,
		.proto = 17,
		.frag = frag,
		.mf = frag,
		.src_gw = ver == 4 ? (struct addr){4, {198, 51, 100, 7}}
				   : (struct addr){6, {0x20, 1, [15] = 7}},
		.dst_gw = set.pub,
		.src_ref = ref_from_u64(ref),
		.dst_ref = ref_from_u64(9),
	};
	uint8_t offending[QUOTE_MAX + HEADER_MAX];
	struct packet_out out = {.p = e->p, .size = sizeof(e->p)};
	struct packet_in in = {.p = offending};
	struct wbuf w;
	size_t i;

	wbuf_init(&w, offending, sizeof(offending));
	header_encode(&w, &h);
	e->inner = w.len;
	for (i = 0; i < payload; i++)
		wbuf_u8(&w, (i * 7 + 3) % 256);
	ck_assert(wbuf_ok(&w));
	in.len = w.len;
	icmp_reply_peer(&set, &in, &h, offending + e->inner, payload,
		ICMP_UNREACHABLE, ICMP_UNREACHABLE_NET, &out);
	ck_assert_int_eq(out.reply, REPLY_PEER);
	e->len = out.len;
	e->outer = header_size(&(struct header){.src_gw = h.dst_gw,
		.dst_gw = h.src_gw,
		.src_ref = set.own_ref,
		.dst_ref = h.src_ref});
}

/* e: `was`, trimmed; its packet had so much payload. */
static void
check_trimmed(const struct error *e, const struct error *was, size_t payload)
{
	size_t quote = e->outer + ICMP_HEADER, left;
	struct header h;
	size_t size;

	ck_assert_uint_eq((e->len - e->outer) % 2, 0);
	ck_assert_uint_eq(
		cksum_fold(cksum_sum(e->p + e->outer, e->len - e->outer)),
		0xffff);
	ck_assert_int_eq(
		header_decode(&h, &size, e->p + quote, e->len - quote), 0);
	ck_assert_uint_eq(size, e->inner);
	left = e->len - quote - e->inner;
	ck_assert_uint_ge(left, payload < 8 ? payload & ~(size_t)1 : 8);
	/* Nothing else has changed. */
	ck_assert_mem_eq(e->p, was->p, e->outer + 2);
	ck_assert_mem_eq(e->p + e->outer + 4, was->p + e->outer + 4,
		e->len - e->outer - 4);
}

static void
check_all_lengths(const struct error *was, size_t payload)
{
	size_t max, n, shortest = 0;
	struct error e;

	for (max = 0; max <= was->len + 2; max++) {
		e = *was;
		n = trim_error(e.p, e.len, max);
		ck_assert_uint_le(n, max);
		if (!n) {
			ck_assert_uint_eq(shortest, 0);
			ck_assert_mem_eq(e.p, was->p, was->len);
			continue;
		}
		shortest = shortest ? shortest : n;
		ck_assert(n == was->len || n >= max - 1);
		e.len = n;
		check_trimmed(&e, was, payload);
	}
	ck_assert_uint_eq(n, was->len);
	ck_assert_uint_le(shortest, was->outer + ICMP_HEADER + was->inner + 8);
}

START_TEST(test_trim)
{
	static const uint64_t refs[] = {5, UINT64_C(1) << 40, UINT64_MAX};
	static const size_t payloads[] = {0, 1, 7, 8, 9, 20, 100, 299};
	struct error e;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(refs); i++)
		for (j = 0; j < ARRAY_LEN(payloads); j++) {
			make(&e, 4, refs[i], false, payloads[j]);
			check_all_lengths(&e, payloads[j]);
			make(&e, 4, refs[i], true, payloads[j]);
			check_all_lengths(&e, payloads[j]);
			make(&e, 6, refs[i], false, payloads[j]);
			check_all_lengths(&e, payloads[j]);
		}
}
END_TEST

/* A spoofed ping of usual size gets an answer no longer than itself. */
START_TEST(test_usual)
{
	struct error e;
	size_t sent = 20 + 64, n;

	make(&e, 4, 5, false, 64);
	ck_assert_uint_gt(e.len, sent);
	n = trim_error(e.p, e.len, sent);
	ck_assert_uint_eq(n, sent);
}
END_TEST

/* What is no such message is refused at every length. */
START_TEST(test_garbage)
{
	uint8_t p[64] = {0x10, 0x40};
	size_t len;

	for (len = 2; len < sizeof(p); len++)
		ck_assert_uint_eq(trim_error(p, len, len - 1), 0);
}
END_TEST

RUN_TESTS("gwd trim", test_trim, test_usual, test_garbage)
