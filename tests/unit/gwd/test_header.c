/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IPREF header: wire form both ways, every field, every refusal. */
#include "gwd/header.h"
#include "tests/unit/run.h"
#include "tests/unit/vec.h"

static const struct header_row {
	const char *hex; /* of the header */
	uint8_t ver, ttl, proto;
	bool df, frag, mf;
	uint16_t off;
	uint32_t ident;
	const char *src_gw, *dst_gw, *src_ref, *dst_ref;
} rows[] = {
	{"10403f06c0000201c000020200000a1000000021", 4, 63, 6, false, false,
		false, 0, 0, "192.0.2.1", "192.0.2.2", "2576", "33"},
	{"1140ff11c0000201c0000202ab000d13ffffffff", 4, 255, 17, true, false,
		false, 0, 0, "192.0.2.1", "192.0.2.2",
		"ab00-0000-0000-0000-0000-0000-0000-0d13",
		"ff00-0000-0000-0000-0000-0000-00ff-ffff"},
	{"12400011"
	 "00000031"
	 "89ab5678"
	 "c0000201c000020200000a1000000021",
		4, 0, 17, false, true, true, 48, 0x89ab5678, "192.0.2.1",
		"192.0.2.2", "2576", "33"},
	{"13400011"
	 "0000fff8"
	 "00000000"
	 "00000000c000020200000a1000000021",
		4, 0, 17, true, true, false, 65528, 0, "0.0.0.0", "192.0.2.2",
		"2576", "33"},
	{"14403f06c0000201c0000202"
	 "cd778899aabb0e14"
	 "0000000000000021",
		4, 63, 6, false, false, false, 0, 0, "192.0.2.1", "192.0.2.2",
		"cd00-0000-0000-0000-0077-8899-aabb-0e14", "33"},
	{"18403f06c0000201c0000202"
	 "00010000000000000000000000000000"
	 "00000000000000000000000000000a10",
		4, 63, 6, false, false, false, 0, 0, "192.0.2.1", "192.0.2.2",
		"1-0-0-0-0-0-0-0", "2576"},
	{"1b603f01"
	 "00000009"
	 "00000007"
	 "20010db8000200000000000000000001"
	 "20010db8000200000000000000000002"
	 "00010000000000000000000000000000"
	 "fedcba9876543210fedcba9876543210",
		6, 63, 1, true, true, true, 8, 7, "2001:db8:2::1",
		"2001:db8:2::2", "1-0-0-0-0-0-0-0",
		"fedc-ba98-7654-3210-fedc-ba98-7654-3210"},
};

static struct addr
address(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(&a, text, strlen(text)));
	return a;
}

static struct ref
reference(const char *text)
{
	struct ref r;

	ck_assert_msg(ref_parse(&r, text, strlen(text)), "%s", text);
	return r;
}

static struct header
row_header(const struct header_row *row)
{
	return (struct header){
		.ttl = row->ttl,
		.proto = row->proto,
		.df = row->df,
		.frag = row->frag,
		.mf = row->mf,
		.off = row->off,
		.ident = row->ident,
		.src_gw = address(row->src_gw),
		.dst_gw = address(row->dst_gw),
		.src_ref = reference(row->src_ref),
		.dst_ref = reference(row->dst_ref),
	};
}

static void
check_equal(const struct header *a, const struct header *b)
{
	ck_assert_uint_eq(a->ttl, b->ttl);
	ck_assert_uint_eq(a->proto, b->proto);
	ck_assert_int_eq(a->df, b->df);
	ck_assert_int_eq(a->frag, b->frag);
	ck_assert_int_eq(a->mf, b->mf);
	ck_assert_uint_eq(a->off, b->off);
	ck_assert_uint_eq(a->ident, b->ident);
	ck_assert(addr_eq(&a->src_gw, &b->src_gw));
	ck_assert(addr_eq(&a->dst_gw, &b->dst_gw));
	ck_assert(ref_eq(&a->src_ref, &b->src_ref));
	ck_assert(ref_eq(&a->dst_ref, &b->dst_ref));
}

START_TEST(test_rows)
{
	uint8_t wire[HEADER_MAX + 8] = {0}, out[HEADER_MAX];
	struct header h, want;
	size_t i, len, size;
	struct wbuf w;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		len = vec_hex(rows[i].hex, wire, sizeof(wire));
		want = row_header(&rows[i]);
		ck_assert_int_eq(
			header_decode(&h, &size, wire, len + 5), DROP_NONE);
		ck_assert_uint_eq(size, len);
		ck_assert_uint_eq(header_peek(wire, len), len);
		check_equal(&h, &want);
		ck_assert_uint_eq(header_size(&want), len);
		wbuf_init(&w, out, sizeof(out));
		header_encode(&w, &want);
		ck_assert(wbuf_ok(&w));
		ck_assert_uint_eq(w.len, len);
		ck_assert_mem_eq(out, wire, len);
	}
}
END_TEST

START_TEST(test_cut)
{
	uint8_t wire[HEADER_MAX];
	struct header h;
	size_t i, len, cut, size;
	struct wbuf w;
	uint8_t *p;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		len = vec_hex(rows[i].hex, wire, sizeof(wire));
		h = row_header(&rows[i]);
		for (cut = 0; cut < len; cut++) {
			p = malloc(cut ? cut : 1);
			ck_assert_ptr_nonnull(p);
			wbuf_init(&w, p, cut);
			header_encode(&w, &h);
			ck_assert(!wbuf_ok(&w));
			memcpy(p, wire, cut);
			ck_assert_int_eq(header_decode(&h, &size, p, cut),
				DROP_TUNNEL_SHORT);
			ck_assert_uint_eq(header_peek(p, cut), 0);
			h = row_header(&rows[i]);
			free(p);
		}
	}
}
END_TEST

static const struct {
	size_t at;
	uint8_t value;
	enum drop drop;
} refused[] = {
	{0, 0x02, DROP_TUNNEL_VERSION},
	{0, 0x22, DROP_TUNNEL_VERSION},
	{0, 0xf2, DROP_TUNNEL_VERSION},
	{0, 0x1e, DROP_TUNNEL_REF_LEN},
	{1, 0x41, DROP_TUNNEL_RESERVED},
	{1, 0x48, DROP_TUNNEL_RESERVED},
	{1, 0x00, DROP_TUNNEL_IPVER},
	{1, 0x50, DROP_TUNNEL_IPVER},
	{1, 0xf0, DROP_TUNNEL_IPVER},
	{4, 0x01, DROP_TUNNEL_RESERVED},
	{5, 0x80, DROP_TUNNEL_RESERVED},
	{7, 0x32, DROP_TUNNEL_RESERVED},
	{7, 0x34, DROP_TUNNEL_RESERVED},
	{7, 0x30, DROP_NONE},
	{0, 0x13, DROP_NONE},
};

START_TEST(test_refused)
{
	uint8_t wire[HEADER_MAX] = {0};
	struct header h;
	size_t i, size;

	for (i = 0; i < ARRAY_LEN(refused); i++) {
		vec_hex(rows[2].hex, wire, sizeof(wire));
		wire[refused[i].at] = refused[i].value;
		ck_assert_msg(header_decode(&h, &size, wire, sizeof(wire)) ==
				      refused[i].drop,
			"row %zu", i);
		/* what I adds is not looked at */
		ck_assert_msg(!header_peek(wire, sizeof(wire)) ==
				      (refused[i].drop && refused[i].at < 4),
			"row %zu", i);
	}
}
END_TEST

/* A longer form than needed is read as the same reference and written in the
 * shortest. */
START_TEST(test_longer_forms)
{
	static const char *const forms[] = {
		"10403c11c0000202c00002010000002100000a10",
		"14403c11c0000202c000020100000000000000210000000000000a10",
		"18403c11c0000202c0000201"
		"00000000000000000000000000000021"
		"00000000000000000000000000000a10",
	};
	uint8_t wire[HEADER_MAX], out[HEADER_MAX], first[HEADER_MIN];
	struct header h;
	struct wbuf w;
	size_t i, len, size;

	vec_hex(forms[0], first, sizeof(first));
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		len = vec_hex(forms[i], wire, sizeof(wire));
		ck_assert_int_eq(
			header_decode(&h, &size, wire, len), DROP_NONE);
		ck_assert_uint_eq(size, len);
		wbuf_init(&w, out, sizeof(out));
		header_encode(&w, &h);
		ck_assert_uint_eq(w.len, sizeof(first));
		ck_assert_mem_eq(out, first, sizeof(first));
	}
}
END_TEST

START_TEST(test_not_written)
{
	uint8_t out[HEADER_MAX];
	struct header h = row_header(&rows[2]);
	struct wbuf w;

	h.off = 12;
	wbuf_init(&w, out, sizeof(out));
	header_encode(&w, &h);
	ck_assert(!wbuf_ok(&w));
	h = row_header(&rows[0]);
	h.src_gw = address("2001:db8::1");
	wbuf_init(&w, out, sizeof(out));
	header_encode(&w, &h);
	ck_assert(!wbuf_ok(&w));
	h.src_gw = h.dst_gw = (struct addr){0};
	wbuf_init(&w, out, sizeof(out));
	header_encode(&w, &h);
	ck_assert(!wbuf_ok(&w));
}
END_TEST

RUN_TESTS("header", test_rows, test_cut, test_refused, test_longer_forms,
	test_not_written)
