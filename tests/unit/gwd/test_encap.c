/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaving packets beyond the captured ones: every reason, who is told, what is
 * asked, what is noted as used. Packets are given in hex; their IPv4 total
 * length is filled in.
 */
#include "tests/unit/gwd/site.h"
#include "tests/unit/run.h"

#define HOST		      "c0a84d0a" /* 192.168.77.10, reference a10 */
#define UNLISTED	      "c0a84d63" /* 192.168.77.99, no mapping */
#define EA		      "0af0010a" /* 10.240.1.10 */
#define NO_EA		      "0af001c8" /* 10.240.1.200, no mapping */
#define OWN		      "0af00001"
#define UDP8		      "0007000800080000"
#define IP(flags, ttl, proto) "4500000004d2" flags ttl proto "0000"

/* Ends of rows: nobody is told; nobody is told, but the mapper is asked. */
#define QUIET	   REPLY_NONE, ASK_NOTHING, 0, 0
#define ASKED(ask) REPLY_NONE, ask, 0, 0

static const struct encap_row {
	const char *why, *hex;
	enum drop drop;
	enum reply reply;
	enum ask ask;
	uint8_t type, code; /* of the ICMP error */
} rows[] = {
	{"a packet", IP("0000", "40", "11") HOST EA UDP8, DROP_NONE, QUIET},
	{"nothing", "", DROP_TOO_SHORT, QUIET},
	{"half a header", "4500000004d200004011", DROP_TOO_SHORT, QUIET},
	{"options cut", "4600000004d2000040110000" HOST EA, DROP_TOO_SHORT,
		QUIET},
	{"version 6",
		"60000000000811400000000000000000000000000000000000000000"
		"0000000000000000000000000000" UDP8,
		DROP_IP_VERSION, QUIET},
	{"version 5", "5500000004d2000040110000" HOST EA UDP8, DROP_IP_VERSION,
		QUIET},
	{"header of 16", "4400000004d2000040110000" HOST EA UDP8,
		DROP_BAD_HEADER, QUIET},
	{"an option of length 1",
		"4600000004d2000040110000" HOST EA "94010000" UDP8,
		DROP_BAD_HEADER, QUIET},
	{"an option longer than the options",
		"4600000004d2000040110000" HOST EA "94050000" UDP8,
		DROP_BAD_HEADER, QUIET},
	{"a route without pointer",
		"4600000004d2000040110000" HOST EA "01018302" UDP8,
		DROP_BAD_HEADER, QUIET},
	{"a source route with a hop left",
		"4700000004d2000040110000" HOST EA "830704c000020900" UDP8,
		DROP_SOURCE_ROUTE, REPLY_LOCAL, ASK_NOTHING, 3, 5},
	{"a strict one",
		"4700000004d2000040110000" HOST EA "890704c000020900" UDP8,
		DROP_SOURCE_ROUTE, REPLY_LOCAL, ASK_NOTHING, 3, 5},
	{"a pointer to the last byte",
		"4700000004d2000040110000" HOST EA "830707c000020900" UDP8,
		DROP_SOURCE_ROUTE, REPLY_LOCAL, ASK_NOTHING, 3, 5},
	{"a source route at its end",
		"4700000004d2000040110000" HOST EA "830708c000020900" UDP8,
		DROP_NONE, QUIET},
	{"a source route behind the end of options",
		"4800000004d2000040110000" HOST EA
		"00000000830704c000020900" UDP8,
		DROP_NONE, QUIET},
	{"link-local", IP("0000", "40", "11") "a9fe0101" EA UDP8,
		DROP_LINK_LOCAL, QUIET},
	{"from the encoding network", IP("0000", "40", "11") EA EA UDP8,
		DROP_SRC_ENCODED, QUIET},
	{"from nobody", IP("0000", "40", "11") "00000000" EA UDP8,
		DROP_SRC_NOT_UNICAST, QUIET},
	{"from broadcast", IP("0000", "40", "11") "ffffffff" EA UDP8,
		DROP_SRC_NOT_UNICAST, QUIET},
	{"MF and 12 bytes", IP("2000", "40", "11") HOST EA UDP8 "00000000",
		DROP_FRAGMENT_UNALIGNED, QUIET},
	{"UDP of 7 bytes", IP("0000", "40", "11") HOST EA "00070008000800",
		DROP_L4_TOO_SHORT, QUIET},
	{"ICMP of 7 bytes", IP("0000", "40", "01") HOST EA "08000000000000",
		DROP_L4_TOO_SHORT, QUIET},
	{"AH", IP("0000", "40", "33") HOST EA UDP8, DROP_PROTOCOL, QUIET},
	{"ICMPv6", IP("0000", "40", "3a") HOST EA UDP8, DROP_PROTOCOL, QUIET},
	{"hop-by-hop options", IP("0000", "40", "00") HOST EA UDP8,
		DROP_PROTOCOL, QUIET},
	{"an unknown ICMP type",
		IP("0000", "40", "01") HOST EA "0a00000000000000",
		DROP_ICMP_TYPE, QUIET},
	{"an ICMP error in fragments",
		IP("2000", "40", "01") HOST EA "0300000000000000",
		DROP_ICMP_FRAGMENT, QUIET},
	{"an ICMP error without a packet",
		IP("0000", "40", "01") HOST EA "0300000000000000",
		DROP_ICMP_INNER, QUIET},
	{"an MTU of 0",
		IP("0000", "40", "01") HOST EA "0304000000000000"
					       "4500001c000000004011000"
					       "0" EA HOST UDP8,
		DROP_ICMP_MTU, QUIET},
	{"an MTU of 28",
		IP("0000", "40", "01") HOST EA
		"030400000000001c"
		"4500001c0000000040110000" EA HOST UDP8,
		DROP_ICMP_MTU, QUIET},
	{"a quoted packet that nobody here sent",
		IP("0000", "40", "01") HOST EA
		"0300000000000000"
		"4500001c0000000040110000" HOST EA UDP8,
		DROP_ICMP_INNER, QUIET},
	{"a quoted packet of an unknown source",
		IP("0000", "40", "01") HOST EA
		"0300000000000000"
		"4500001c0000000040110000" NO_EA HOST UDP8,
		DROP_ICMP_INNER, QUIET},
	{"a quoted packet to an unlisted host",
		IP("0000", "40", "01") HOST EA
		"0300000000000000"
		"4500001c0000000040110000" EA UNLISTED UDP8,
		DROP_ICMP_INNER, QUIET},
	{"an unknown ea", IP("0000", "40", "11") HOST NO_EA UDP8,
		DROP_DST_UNKNOWN, REPLY_LOCAL, ASK_LOOKUP, 3, 0},
	{"... of an unlisted source: nothing is asked about that one",
		IP("0000", "40", "11") UNLISTED NO_EA UDP8, DROP_DST_UNKNOWN,
		REPLY_LOCAL, ASK_LOOKUP, 3, 0},
	{"... in a first fragment", IP("2000", "40", "11") HOST NO_EA UDP8,
		DROP_DST_UNKNOWN, REPLY_LOCAL, ASK_LOOKUP, 3, 0},
	{"... in a later fragment: asked, no error",
		IP("0001", "40", "11") HOST NO_EA UDP8, DROP_DST_UNKNOWN,
		ASKED(ASK_LOOKUP)},
	{"... about an echo",
		IP("0000", "40", "01") HOST NO_EA "0800000000000000",
		DROP_DST_UNKNOWN, REPLY_LOCAL, ASK_LOOKUP, 3, 0},
	{"... about an error",
		IP("0000", "40", "01") HOST NO_EA "0c00000000000000",
		DROP_DST_UNKNOWN, ASKED(ASK_LOOKUP)},
	{"... about a redirect",
		IP("0000", "40", "01") HOST NO_EA "0500000000000000",
		DROP_DST_UNKNOWN, ASKED(ASK_LOOKUP)},
	{"out of the encoding network",
		IP("0000", "40", "11") HOST "cb007109" UDP8,
		DROP_DST_NOT_ENCODED, REPLY_LOCAL, ASK_NOTHING, 3, 0},
	{"to a group: no error", IP("0000", "40", "11") HOST "e0000001" UDP8,
		DROP_DST_NOT_ENCODED, QUIET},
	{"to all: no error", IP("0000", "40", "11") HOST "ffffffff" UDP8,
		DROP_DST_NOT_ENCODED, QUIET},
	{"an unlisted source", IP("0000", "40", "11") UNLISTED EA UDP8,
		DROP_SRC_UNKNOWN, ASKED(ASK_REF)},
	{"the gateway itself", IP("0000", "40", "11") OWN EA UDP8, DROP_NONE,
		QUIET},
	{"to the gateway itself", IP("0000", "40", "11") HOST OWN UDP8,
		DROP_NONE, QUIET},
	{"TTL 0 is not ours to judge", IP("0000", "00", "11") HOST EA UDP8,
		DROP_NONE, QUIET},
};

/* The bytes of a row, on the heap, with the total length in them. */
static uint8_t *
packet(const char *hex, size_t *len)
{
	uint8_t buf[256];
	uint8_t *p;

	*len = vec_hex(hex, buf, sizeof(buf));
	if (*len >= 4 && buf[0] >> 4 == 4)
		buf[3] = (uint8_t)*len;
	p = malloc(*len ? *len : 1);
	ck_assert_ptr_nonnull(p);
	memcpy(p, buf, *len);
	return p;
}

static void
run(const struct site *s, const char *hex, struct packet_out *out,
	uint8_t buf[1024])
{
	struct packet_in in = {.number = 0x12345};
	uint8_t *p = packet(hex, &in.len);

	in.p = p;
	*out = (struct packet_out){
		.p = buf, .size = 1024, .ask = ASK_EA, .peer_ok = true};
	encap(&s->set, s->maps, &in, out);
	free(p);
}

/* An IPv4 packet from the own local address with right checksums. */
static void
check_reply(const struct packet_out *out, const struct encap_row *row)
{
	static const uint8_t own[] = {10, 240, 0, 1};
	const uint8_t *p = out->p;
	uint32_t sum = 0;
	size_t i;

	ck_assert_uint_ge(out->len, 28);
	ck_assert_uint_eq((size_t)(p[2] << 8 | p[3]), out->len);
	ck_assert_uint_eq(p[4] << 8 | p[5], 0x2345);
	ck_assert_uint_eq(p[6], 0);
	ck_assert_uint_eq(p[8], 64);
	ck_assert_uint_eq(p[9], 1);
	ck_assert_mem_eq(p + 12, own, 4);
	ck_assert_uint_eq(p[20], row->type);
	ck_assert_uint_eq(p[21], row->code);
	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	ck_assert_uint_eq(sum % 0xffff, 0);
	for (sum = 0, i = 20; i < out->len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	ck_assert_uint_eq(sum % 0xffff, 0);
	ck_assert(out->from_self);
}

START_TEST(test_rows)
{
	struct packet_out out;
	uint8_t buf[1024];
	struct site s;
	size_t i;

	site_named(&s, "44");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		run(&s, rows[i].hex, &out, buf);
		ck_assert_msg(out.drop == rows[i].drop, "%s: %s", rows[i].why,
			drop_label(out.drop));
		ck_assert_msg(out.reply == rows[i].reply, "%s", rows[i].why);
		ck_assert_msg(out.ask == rows[i].ask, "%s", rows[i].why);
		ck_assert(!out.peer_ok);
		if (out.reply)
			check_reply(&out, &rows[i]);
		else
			ck_assert(!out.from_self);
		ck_assert_int_eq(
			out.len > 0, !out.drop || out.reply != REPLY_NONE);
	}
	site_fini(&s);
}
END_TEST

/* The questions name what is missing. */
START_TEST(test_questions)
{
	struct packet_out out;
	uint8_t buf[1024];
	struct addr a;
	struct site s;

	site_named(&s, "44");
	run(&s, IP("0000", "40", "11") HOST NO_EA UDP8, &out, buf);
	a = site_addr("10.240.1.200", 12);
	ck_assert(addr_eq(&out.addr, &a));
	run(&s, IP("0000", "40", "11") UNLISTED EA UDP8, &out, buf);
	a = site_addr("192.168.77.99", 13);
	ck_assert(addr_eq(&out.addr, &a));
	site_fini(&s);
}
END_TEST

/* Entries that gave an address are named; the gateway itself has none. */
START_TEST(test_used)
{
	struct packet_out out;
	uint8_t buf[1024];
	struct addr host, ea, peer;
	struct site s;

	site_named(&s, "44");
	host = site_addr("192.168.77.10", 13);
	ea = site_addr("10.240.1.10", 11);
	peer = site_addr("192.0.2.2", 9);
	run(&s, IP("0000", "40", "11") HOST EA UDP8, &out, buf);
	ck_assert_ptr_eq(out.used[0], maps_by_ip(s.maps, &host));
	ck_assert_ptr_eq(out.used[1], maps_by_ea(s.maps, &ea));
	ck_assert(addr_eq(&out.peer, &peer));
	run(&s, IP("0000", "40", "11") OWN EA UDP8, &out, buf);
	ck_assert_ptr_null(out.used[0]);
	ck_assert_ptr_eq(out.used[1], maps_by_ea(s.maps, &ea));
	run(&s, IP("0000", "40", "01") HOST EA "0a00000000000000", &out, buf);
	ck_assert_ptr_null(out.used[0]);
	ck_assert_ptr_null(out.used[1]);
	site_fini(&s);
}
END_TEST

/* An echo's checksum is carried as it is, also in its rarer form of zero. */
/* To a gateway inside the encoding network the datagram would come back to us,
 * to leave again. */
START_TEST(test_peer_encoded)
{
	struct packet_out out;
	uint8_t buf[1024];
	struct site s;

	site_named(&s, "44");
	site_map(&s, "10.240.1.90 10.240.1.91 00000000000000000000000000000021",
		true);
	run(&s, IP("0000", "40", "11") HOST "0af0015a" UDP8, &out, buf);
	ck_assert_int_eq(out.drop, DROP_PEER_ENCODED);
	ck_assert_int_eq(out.ask, ASK_NOTHING);
	ck_assert_int_eq(out.reply, REPLY_NONE);
	site_fini(&s);
}
END_TEST

START_TEST(test_echo_checksum)
{
	static const char *const checksums[] = {"0000", "ffff", "1234"};
	struct packet_out out;
	uint8_t buf[1024], want[2];
	char hex[128];
	struct site s;
	size_t i;

	site_named(&s, "44");
	for (i = 0; i < ARRAY_LEN(checksums); i++) {
		snprintf(hex, sizeof(hex),
			IP("0000", "40", "01") HOST EA "0800%s00010002",
			checksums[i]);
		run(&s, hex, &out, buf);
		ck_assert_int_eq(out.drop, DROP_NONE);
		vec_hex(checksums[i], want, sizeof(want));
		ck_assert_mem_eq(buf + out.len - 6, want, sizeof(want));
	}
	site_fini(&s);
}
END_TEST

/* Without a public address the gateway's own IPREF address is none to send
 * to, and nobody can say more about it. */
START_TEST(test_own_without_public)
{
	struct packet_out out;
	uint8_t buf[1024];
	struct site s;

	site_named(&s, "44-nopub");
	run(&s, IP("0000", "40", "11") HOST OWN UDP8, &out, buf);
	ck_assert_int_eq(out.drop, DROP_DST_UNKNOWN);
	ck_assert_int_eq(out.reply, REPLY_LOCAL);
	ck_assert_int_eq(out.ask, ASK_NOTHING);
	site_fini(&s);
}
END_TEST

static const struct ttl_row {
	const char *hex;
	enum drop drop;
	enum ask ask;
} ttls[] = {
	{IP("0000", "02", "11") HOST EA UDP8, DROP_NONE, ASK_NOTHING},
	{IP("0000", "01", "11") HOST EA UDP8, DROP_TTL_EXCEEDED, ASK_NOTHING},
	{IP("0000", "00", "11") HOST EA UDP8, DROP_TTL_EXCEEDED, ASK_NOTHING},
	{IP("0000", "01", "11") UNLISTED EA UDP8, DROP_TTL_EXCEEDED,
		ASK_NOTHING},
	{IP("0000", "02", "11") UNLISTED EA UDP8, DROP_SRC_UNKNOWN, ASK_REF},
	{IP("0000", "01", "11") HOST NO_EA UDP8, DROP_DST_UNKNOWN, ASK_LOOKUP},
};

START_TEST(test_ttl)
{
	struct packet_out out;
	uint8_t buf[1024];
	struct site s;
	size_t i;

	site_named(&s, "44-ttl");
	for (i = 0; i < ARRAY_LEN(ttls); i++) {
		run(&s, ttls[i].hex, &out, buf);
		ck_assert_int_eq(out.drop, ttls[i].drop);
		ck_assert_int_eq(out.ask, ttls[i].ask);
		if (out.drop == DROP_TTL_EXCEEDED) {
			ck_assert_int_eq(out.reply, REPLY_LOCAL);
			ck_assert_uint_eq(buf[20], 11);
			ck_assert_uint_eq(buf[21], 0);
		}
	}
	site_fini(&s);
}
END_TEST

RUN_TESTS("encap", test_rows, test_questions, test_used, test_peer_encoded,
	test_echo_checksum, test_own_without_public, test_ttl)
