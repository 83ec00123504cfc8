/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Items of the mapper protocol: what is refused and why, padding, text. */
#include "libipref/msg.h"

#include "tests/unit/run.h"
#include "tests/unit/vec.h"

#define PKT_MAX 512

#define AREC44                                                                 \
	"0af03e1d"                                                             \
	"00000000"                                                             \
	"c0000201"                                                             \
	"00000000000000000000000000000005"
#define AREC44_2 "04040404" AREC44

static const struct msg_format v44 = {4, 4, MSG_DIALECT_1};
static const struct msg_format v44_2 = {4, 4, MSG_DIALECT_2};
static const struct msg_format v44_new = {4, 4, MSG_DIALECT_UNKNOWN};
static const struct msg_format v66 = {6, 6, MSG_DIALECT_1};

/* Packets in hex and what decoding makes of them. */
static const struct {
	const char *hex;
	const struct msg_format *fmt;
	enum msg_error e;
} packets[] = {
	{"1100000144000002", &v44, MSG_OK},
	{"", &v44, MSG_SHORT},
	{"11", &v44, MSG_SHORT},
	{"11000001440000", &v44, MSG_SHORT},
	{"110000014400000200", &v44, MSG_UNALIGNED},
	{"1000000144000002", &v44, MSG_BAD_SIGNATURE},
	{"1100000144000001", &v44, MSG_BAD_LENGTH},
	{"1100000144000003", &v44, MSG_BAD_LENGTH},
	{"1100000144000000", &v44, MSG_BAD_LENGTH},
	{"1100000144010002", &v44, MSG_BAD_RESERVED},
	{"1100000144800002", &v44_new, MSG_BAD_RESERVED},
	/* Versions, dialects. */
	{"1100000146000002", &v44, MSG_BAD_VERSION},
	{"1100000164000002", &v44_new, MSG_BAD_VERSION},
	{"1100000100000002", &v44, MSG_BAD_VERSION},
	{"1100000144000002", &v44_2, MSG_BAD_VERSION},
	{"1100000144000002", &v66, MSG_BAD_VERSION},
	{"1100000100000002", &v44_new, MSG_OK},
	{"1100000144000002", &v44_new, MSG_OK},
	{"11870007"
	 "0000000a" AREC44_2,
		&v44_new, MSG_OK},
	{"11870007"
	 "0000000a"
	 "04040604" AREC44,
		&v44_2, MSG_BAD_VERSION},
	{"11870007"
	 "0000000a"
	 "04100404" AREC44,
		&v44_2, MSG_BAD_VERSION},
	{"11870007"
	 "0000000a"
	 "04040410" AREC44,
		&v44_2, MSG_BAD_VERSION},
	{"11870007"
	 "00000009" AREC44,
		&v44_2, MSG_BAD_VERSION},
	/* A record of the wrong versions, and one that is cut. */
	{"11640007"
	 "0000000b"
	 "04060404" AREC44 "04040404",
		&v44_2, MSG_BAD_VERSION},
	/* Commands and modes. */
	{"1103000144000002", &v44, MSG_UNKNOWN},
	{"113f000144000002", &v44, MSG_UNKNOWN},
	{"1107000144000002", &v44, MSG_BAD_MODE}, /* MC_GET_EA DATA */
	{"1161000144000002", &v44, MSG_BAD_MODE}, /* FEED_SET REQ */
	{"11a1000144000002", &v44, MSG_BAD_MODE}, /* FEED_SET ACK */
	/* Items: none, one of two, two of one. */
	{"1147000144000002", &v44, MSG_BAD_ITEMS},
	{"11870001"
	 "44000010" AREC44 AREC44,
		&v44, MSG_BAD_ITEMS},
	{"1101000144000004"
	 "0000000100000002",
		&v44, MSG_BAD_ITEMS},
	{"1101000144000012"
	 "0000000100000002" AREC44 AREC44,
		&v44, MSG_OK},
	/* Strings: type, length 0, longer than the packet. */
	{"11470001"
	 "4400000a" AREC44 "04026162",
		&v44, MSG_OK},
	{"11470001"
	 "4400000a" AREC44 "05026162",
		&v44, MSG_BAD_ITEMS},
	{"11470001"
	 "4400000a" AREC44 "04000000",
		&v44, MSG_BAD_ITEMS},
	{"11470001"
	 "4400000a" AREC44 "04036162",
		&v44, MSG_BAD_ITEMS},
	{"11470001"
	 "4400000a" AREC44 "04ff6162",
		&v44, MSG_BAD_ITEMS},
	/* The string is whole, its padding is cut. */
	{"114f0001"
	 "44000007"
	 "00000000"
	 "cbf29ce484222325"
	 "04026162"
	 "04036162",
		&v44, MSG_BAD_ITEMS},
	/* Two strings where one may be. */
	{"11470001"
	 "4400000b" AREC44 "04026162"
	 "04026162",
		&v44, MSG_BAD_ITEMS},
#define FEED_START                                                             \
	"11600001"                                                             \
	"4400000e"                                                             \
	"0000000000000000"                                                     \
	"0000000000000000"
#define PROFILE_REST "c000020100000000000000000000000000000007"
	{FEED_START "0af00000"
		    "00000000" PROFILE_REST "0c000000",
		&v44, MSG_OK},
	{FEED_START "0af00000"
		    "00000000" PROFILE_REST "20000000",
		&v44, MSG_OK},
	{FEED_START "00000000"
		    "00000000" PROFILE_REST "00000000",
		&v44, MSG_OK},
	{FEED_START "0af00000"
		    "00000000" PROFILE_REST "21000000",
		&v44, MSG_BAD_ITEMS},
	{FEED_START "0af00000"
		    "00000000" PROFILE_REST "0b000000",
		&v44, MSG_BAD_ITEMS},
	{FEED_START "0af00001"
		    "00000000" PROFILE_REST "1f000000",
		&v44, MSG_BAD_ITEMS},
	{FEED_START "0af00000"
		    "01000000" PROFILE_REST "0c000000",
		&v44, MSG_BAD_ITEMS},
};

static void
check_packet(const char *hex, const struct msg_format *fmt, enum msg_error want)
{
	uint8_t pkt[PKT_MAX], *copy;
	enum msg_error e;
	struct msg m;
	size_t len;

	/* A copy of just that size, for the sanitizers. */
	len = vec_hex(hex, pkt, sizeof(pkt));
	copy = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, pkt, len);
	e = msg_decode(&m, fmt, copy, len);
	free(copy);
	ck_assert_msg(e == want, "%s: %s, not %s", hex, msg_error_text(e),
		msg_error_text(want));
	/* A refused message holds its header and nothing else. */
	if (e != MSG_OK)
		ck_assert(!m.n && !m.raw && !m.str.len && !m.hash &&
			  !m.local.len && !m.profile.encode_net.len);
}

START_TEST(test_packets)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(packets); i++)
		check_packet(packets[i].hex, packets[i].fmt, packets[i].e);
}
END_TEST

START_TEST(test_largest)
{
	static uint8_t pkt[MSG_MAX + 4];
	static struct arec arecs[MSG_MAX / 28 + 1];
	struct msg m = {.mode = MSG_REQ, .cmd = MSG_FEED_USED, .id = 1};
	struct msg got;
	size_t len, fit = (MSG_MAX - MSG_HEADER) / 28;

	m.arecs = arecs;
	m.n = fit;
	ck_assert_int_eq(msg_encode(&m, &v44, pkt, sizeof(pkt), &len), MSG_OK);
	ck_assert_uint_eq(len, MSG_HEADER + fit * 28);
	ck_assert_int_eq(msg_decode(&got, &v44, pkt, len), MSG_OK);
	ck_assert_uint_eq(got.n, fit);
	m.n = fit + 1;
	ck_assert_int_eq(
		msg_encode(&m, &v44, pkt, sizeof(pkt), &len), MSG_TOO_BIG);
	/* One word more than the limit, though the length field says so. */
	memset(pkt, 0, sizeof(pkt));
	memcpy(pkt, "\x11\x64\x00\x01\x44\x00\x40\x01", 8);
	ck_assert_int_eq(
		msg_decode(&got, &v44, pkt, sizeof(pkt)), MSG_BAD_LENGTH);
}
END_TEST

#define REQ(c, ...)                                                            \
	{                                                                      \
		.mode = MSG_REQ, .cmd = MSG_##c, __VA_ARGS__                   \
	}
#define SET(...)                                                               \
	{                                                                      \
		.mode = MSG_DATA, .cmd = MSG_FEED_SET, __VA_ARGS__             \
	}

struct encoding {
	struct msg m;
	enum msg_error e;
};

static void
check_encodings(const struct encoding *rows, size_t n)
{
	uint8_t out[PKT_MAX];
	size_t i, len;

	for (i = 0; i < n; i++) {
		enum msg_error e =
			msg_encode(&rows[i].m, &v44, out, sizeof(out), &len);

		ck_assert_msg(
			e == rows[i].e, "row %zu: %s", i, msg_error_text(e));
	}
}

static const char x256[256] = "x";
static const struct msg_str s0 = {"", 0}, s1 = {x256, 1}, s255 = {x256, 255},
			    s256 = {x256, 256};

START_TEST(test_encode_records)
{
	struct addr v4 = addr_zero(4), v6 = addr_zero(6);
	struct arec good = {.gw = v4}, bad_ea = {.ea = v6}, bad_ip = {.ip = v6},
		    bad_gw = {.gw = v6};
	struct msg_entry entry = {.arec = good}, bad = {.arec = bad_ip};
	const struct encoding rows[] = {
		{REQ(MC_GET_EA, .n = 1, .arecs = &good), MSG_OK},
		{REQ(MC_GET_EA, .n = 0, .arecs = &good), MSG_BAD_ITEMS},
		{REQ(MC_GET_EA, .n = 2, .arecs = &good), MSG_BAD_ITEMS},
		{REQ(MC_GET_EA, .n = 1), MSG_BAD_ITEMS},
		{REQ(MC_GET_EA, .n = 1, .arecs = &bad_ea), MSG_BAD_ITEMS},
		{REQ(MC_GET_EA, .n = 1, .arecs = &bad_ip), MSG_BAD_ITEMS},
		{REQ(MC_GET_EA, .n = 1, .arecs = &bad_gw), MSG_BAD_ITEMS},
		{REQ(MC_HOST_DATA, .local = s1, .domain = s1, .n = 1),
			MSG_BAD_ITEMS},
		{SET(.n = 1, .entries = &entry), MSG_OK},
		{SET(.n = 1, .entries = &bad), MSG_BAD_ITEMS},
		{SET(.n = 1, .arecs = &good), MSG_BAD_ITEMS},
	};
	uint8_t out[PKT_MAX];
	size_t len;

	check_encodings(rows, ARRAY_LEN(rows));
	ck_assert_int_eq(
		msg_encode(&rows[0].m, &v44_new, out, sizeof(out), &len),
		MSG_BAD_VERSION);
}
END_TEST

START_TEST(test_encode_strings)
{
	struct arec a = {0};
	const struct encoding rows[] = {
		{REQ(MC_GET_EA, .n = 1, .arecs = &a, .str = s1), MSG_OK},
		{REQ(MC_GET_EA, .n = 1, .arecs = &a, .str = s255), MSG_OK},
		{REQ(MC_GET_EA, .n = 1, .arecs = &a, .str = s256),
			MSG_BAD_ITEMS},
		{REQ(MC_HOST_DATA_HASH, .local = s1, .domain = s1), MSG_OK},
		{REQ(MC_HOST_DATA_HASH, .local = s0, .domain = s1),
			MSG_BAD_ITEMS},
		{REQ(MC_HOST_DATA_HASH, .local = s1, .domain = s256),
			MSG_BAD_ITEMS},
		{{.mode = MSG_NACK, .cmd = MSG_FEED_START, .str = s0},
			MSG_BAD_ITEMS},
		{{.mode = MSG_NACK, .cmd = MSG_FEED_START, .str = s1}, MSG_OK},
	};

	check_encodings(rows, ARRAY_LEN(rows));
}
END_TEST

START_TEST(test_encode_profiles)
{
	struct addr v4 = addr_zero(4), v6 = addr_zero(6);
	struct msg_profile long_net = {.encode_net = {v4, 33}},
			   net6 = {.encode_net = {v6, 64}},
			   unaligned = {.encode_net = {{4, {10, 1}}, 8}},
			   pub6 = {.pub = v6};
	const struct encoding rows[] = {
		{REQ(FEED_START, .n = 0), MSG_OK},
		{REQ(FEED_START, .profile = long_net), MSG_BAD_ITEMS},
		{REQ(FEED_START, .profile = net6), MSG_BAD_ITEMS},
		{REQ(FEED_START, .profile = pub6), MSG_BAD_ITEMS},
		{REQ(FEED_START, .profile = unaligned), MSG_BAD_ITEMS},
	};

	check_encodings(rows, ARRAY_LEN(rows));
}
END_TEST

START_TEST(test_encode_commands)
{
	struct arec a = {0};
	const struct encoding rows[] = {
		{{.mode = MSG_DATA, .cmd = MSG_FEED_START}, MSG_BAD_MODE},
		{{.mode = MSG_REQ, .cmd = 3}, MSG_UNKNOWN},
		{{.mode = MSG_REQ, .cmd = 200}, MSG_UNKNOWN},
		/* Answers that began as copies of their requests: what their
		 * rows do not name is left out. */
		{{.mode = MSG_NACK, .cmd = MSG_MC_GET_EA, .n = 1, .arecs = &a},
			MSG_OK},
		{{.mode = MSG_ACK,
			 .cmd = MSG_MC_HOST_DATA,
			 .n = 9,
			 .local = s1,
			 .domain = s1},
			MSG_OK},
	};

	check_encodings(rows, ARRAY_LEN(rows));
}
END_TEST

/* Between them the tests above meet each reason; each has a text. */
START_TEST(test_reasons)
{
	bool seen[MSG_N_ERRORS] = {[MSG_TOO_BIG] = true}; /* test_largest */
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(packets); i++)
		seen[packets[i].e] = true;
	for (i = 0; i < MSG_N_ERRORS; i++) {
		ck_assert_msg(seen[i], "reason %zu is not tested", i);
		ck_assert_uint_gt(strlen(msg_error_text(i)), 0);
		for (k = 0; k < i; k++)
			ck_assert_str_ne(msg_error_text(i), msg_error_text(k));
	}
	ck_assert_str_eq(msg_error_text(MSG_N_ERRORS), "invalid");
	ck_assert_str_eq(msg_mode_name(4), "invalid");
}
END_TEST

/* Padding that is not zero is read, and written as zero. */
START_TEST(test_padding)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"114700014400000b" AREC44 "040361622e7fff01",
			"114700014400000b" AREC44 "040361622e000000"},
		{"114f0001"
		 "44000008"
		 "00000000"
		 "cbf29ce484222325"
		 "040161ff"
		 "0405626364656601",
			"114f0001"
			"44000008"
			"00000000"
			"cbf29ce484222325"
			"04016100"
			"0405626364656600"},
		{FEED_START "0af00000"
			    "00000000" PROFILE_REST "0c123456",
			FEED_START "0af00000"
				   "00000000" PROFILE_REST "0c000000"},
		{"11210000"
		 "4400000f"
		 "0000000000000009"
		 "00000001"
		 "ffffffff"
		 "0000000000000008" AREC44,
			"11210000"
			"4400000f"
			"0000000000000009"
			"00000001"
			"00000000"
			"0000000000000008" AREC44},
	};
	uint8_t in[PKT_MAX], want[PKT_MAX], out[PKT_MAX];
	size_t i, len, out_len;
	struct msg m;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		len = vec_hex(rows[i].in, in, sizeof(in));
		ck_assert_uint_eq(
			vec_hex(rows[i].out, want, sizeof(want)), len);
		ck_assert_int_eq(msg_decode(&m, &v44, in, len), MSG_OK);
		ck_assert_int_eq(
			msg_encode(&m, &v44, out, sizeof(out), &out_len),
			MSG_OK);
		ck_assert_uint_eq(out_len, len);
		ck_assert_mem_eq(out, want, len);
	}
}
END_TEST

START_TEST(test_record_bounds)
{
	uint8_t pkt[PKT_MAX];
	struct msg_entry e;
	struct arec a;
	struct msg m;
	size_t len = vec_hex("1187000144000009" AREC44, pkt, sizeof(pkt));

	ck_assert_int_eq(msg_decode(&m, &v44, pkt, len), MSG_OK);
	a = msg_arec(&m, 0);
	ck_assert_uint_eq(a.ea.ver, 4);
	ck_assert_uint_eq(a.ea.b[0], 10);
	a = msg_arec(&m, 1);
	ck_assert(addr_is_zero(&a.ea) && ref_is_zero(&a.ref));
	m.n = 0;
	a = msg_arec(&m, 0);
	ck_assert(addr_is_zero(&a.ea) && ref_is_zero(&a.ref));
	e = msg_entry(&m, SIZE_MAX);
	ck_assert(!e.flags && !e.born && addr_is_zero(&e.arec.gw));
}
END_TEST

static const struct {
	const char *hex, *text;
} texts[] = {
	{"1100000944000002", "DATA NOOP 9"},
	{"1147fb954400000d0000000000000000c0000201000000000000000000"
	 "00000000000005040c68312e6f6e652e746573742e0000",
		"REQ MC_GET_EA 64405 arec ea - ip - gw 192.0.2.1 ref 5 "
		"name h1.one.test."},
	{"11c7121944000002", "NACK MC_GET_EA 4633"},
	{"1101000144000004"
	 "0000000100000002",
		NULL},
	{"110200014400000400000010"
	 "ffffffff",
		"DATA SET_MARK 1 owner 16 mark 4294967295"},
	{"114e00204400000b66666666"
	 "18e74b0fad99e893"
	 "04086c6f632e74657374000004097a65726f2e7465737400",
		"REQ MC_HOST_DATA 32 batch 66666666 hash "
		"18e74b0fad99e893 source loc.test:zero.test"},
	{"118f00164400000b00000003"
	 "ae281b899f6059ae"
	 "04086c6f632e746573740000040968616e642e7465737400",
		"ACK MC_HOST_DATA_HASH 22 count 3 hash "
		"ae281b899f6059ae source loc.test:hand.test"},
	{FEED_START "0af00000"
		    "00000000" PROFILE_REST "0c000000",
		"REQ FEED_START 1 store 0000000000000000 revision 0 "
		"encode-net 10.240.0.0/12 public 192.0.2.1 own-ref 7"},
	{"11e0000144000005"
	 "040a6e6f205c0a7f00ff61620000",
		NULL},
	{"11e0000144000004"
	 "04066e5c0a7f00ff",
		"NACK FEED_START 1 reason n\\092\\010\\127\\000\\255"},
	{"11a0000144000007"
	 "00000000000000ff"
	 "0000000000000011"
	 "00000001",
		"ACK FEED_START 1 store 00000000000000ff revision 17 "
		"kind 1"},
	{"11210000"
	 "4400000f"
	 "0000000000000009"
	 "00000003"
	 "00000000"
	 "0000000000000008" AREC44,
		"DATA FEED_SET 0 revision 9 entry listed tentative "
		"born 8 ea 10.240.62.29 ip - gw 192.0.2.1 ref 5"},
};

START_TEST(test_text)
{
	uint8_t pkt[PKT_MAX];
	char text[PKT_MAX];
	struct msg m;
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		len = vec_hex(texts[i].hex, pkt, sizeof(pkt));
		if (!texts[i].text) {
			ck_assert_int_ne(
				msg_decode(&m, &v44, pkt, len), MSG_OK);
			continue;
		}
		ck_assert_int_eq(msg_decode(&m, &v44, pkt, len), MSG_OK);
		msg_format_text(&m, text, sizeof(text));
		ck_assert_str_eq(text, texts[i].text);
	}
	m = (struct msg){.mode = MSG_REQ, .cmd = 3, .id = 9};
	msg_format_text(&m, text, sizeof(text));
	ck_assert_str_eq(text, "REQ 3 9");
}
END_TEST

START_TEST(test_sources)
{
	static const struct {
		const char *local, *domain;
		size_t local_len;
		const char *text; /* NULL: refused */
	} rows[] = {
		{"int.test", "one.test", 8, "int.test:one.test"},
		{"INT.Test.", "One.TEST.", 9, "int.test:one.test"},
		{"a", "b", 1, "a:b"},
		{"a\0b", "c", 3, NULL},
		{"a:b", "c", 3, NULL},
		{".", "c", 1, NULL},
		{"", "c", 0, NULL},
		{"a", "", 1, NULL},
	};
	char text[SOURCE_TEXT_MAX], longest[256];
	struct source s, again;
	struct msg m = {0};
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		m.local = (struct msg_str){rows[i].local, rows[i].local_len};
		m.domain = (struct msg_str){
			rows[i].domain, strlen(rows[i].domain)};
		ck_assert_int_eq(msg_source(&m, &s), rows[i].text != NULL);
		if (rows[i].text)
			ck_assert_str_eq(source_format(&s, text), rows[i].text);
	}
	memset(longest, 'x', sizeof(longest));
	m.local = m.domain = (struct msg_str){longest, 255};
	ck_assert(msg_source(&m, &s));
	ck_assert_uint_eq(strlen(s.local), 255);
	m.domain.len = 256;
	ck_assert(!msg_source(&m, &again));
	msg_set_source(&m, &s);
	ck_assert(msg_source(&m, &again));
	ck_assert(source_eq(&s, &again));
}
END_TEST

RUN_TESTS("msg_item", test_packets, test_largest, test_encode_records,
	test_encode_strings, test_encode_profiles, test_encode_commands,
	test_reasons, test_padding, test_record_bounds, test_text, test_sources)
