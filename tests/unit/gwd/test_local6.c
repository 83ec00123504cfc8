/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An IPv6 local network beyond the captured packets: what is refused and why,
 * who is told in ICMPv6, what is asked, echoes in fragments, path MTUs that the
 * network reports, UDP without checksum. Payload lengths are filled in.
 */
#include "tests/unit/gwd/site.h"
#include "tests/unit/run.h"

#define HOST	  "fd00007700000000000000000000000a" /* reference a10 */
#define UNLISTED  "fd000077000000000000000000000063"
#define EA	  "fd00024000000000000000000000010a"
#define NO_EA	  "fd0002400000000000000000000001c8"
#define OWN	  "fd000240000000000000000000000001"
#define UDP8	  "0007000800080000"
#define IP6(next) "600000000000" next "40"
#define PLAIN	  IP6("11") HOST EA UDP8
#define QUOTED	  "6000000000081140" EA HOST UDP8
#define ECHO	  "80001234aaaabbbb"
#define ROUTING	  "1100000200000000" /* with two hops left, then UDP */
#define OPTIONS	  "3c00010400000000" /* then destination options */

#define QUIET	    REPLY_NONE, ASK_NOTHING, 0, 0, 0
#define ASKED(ask)  REPLY_NONE, ask, 0, 0, 0
#define TOLD(t, c)  REPLY_LOCAL, ASK_NOTHING, t, c, 0
#define LOOKUP	    REPLY_LOCAL, ASK_LOOKUP, 1, 0, 0
#define POINTED(at) REPLY_LOCAL, ASK_NOTHING, 4, 0, at

static const struct leaving {
	const char *why, *hex;
	enum drop drop;
	enum reply reply;
	enum ask ask;
	uint8_t type, code; /* of the ICMPv6 error */
	uint32_t rest;	    /* ... bytes 4 to 7 */
} leaving[] = {
	{"a packet", PLAIN, DROP_NONE, QUIET},
	{"IPv4", "4500001c000000004011000001020304010203040000000000000000",
		DROP_IP_VERSION, QUIET},
	{"link-local", IP6("11") "fe800000000000000000000000000001" EA UDP8,
		DROP_LINK_LOCAL, QUIET},
	{"from nobody: an address is being tried",
		IP6("3a") "00000000000000000000000000000000"
			  "ff0200000000000000000001ff000001"
			  "8700000000000000",
		DROP_SRC_NOT_UNICAST, QUIET},
	{"from the encoding network", IP6("11") EA EA UDP8, DROP_SRC_ENCODED,
		QUIET},
	{"from a group", IP6("11") "ff020000000000000000000000000001" EA UDP8,
		DROP_SRC_NOT_UNICAST, QUIET},
	{"to a group", IP6("11") HOST "ff020000000000000000000000000001" UDP8,
		DROP_DST_NOT_ENCODED, QUIET},
	{"out of the encoding network",
		IP6("11") HOST "20010db8000000000000000000000001" UDP8,
		DROP_DST_NOT_ENCODED, TOLD(1, 0)},
	{"to nobody", IP6("11") HOST NO_EA UDP8, DROP_DST_UNKNOWN, LOOKUP},
	{"... an echo", IP6("3a") HOST NO_EA ECHO, DROP_DST_UNKNOWN, LOOKUP},
	{"... in a later fragment",
		IP6("2c") HOST NO_EA "1100000812345678" UDP8, DROP_DST_UNKNOWN,
		ASKED(ASK_LOOKUP)},
	{"... about an error", IP6("3a") HOST NO_EA "0100000000000000" QUOTED,
		DROP_DST_UNKNOWN, ASKED(ASK_LOOKUP)},
	{"... about a redirect", IP6("3a") HOST NO_EA "8900000000000000",
		DROP_DST_UNKNOWN, ASKED(ASK_LOOKUP)},
	{"an unlisted source", IP6("11") UNLISTED EA UDP8, DROP_SRC_UNKNOWN,
		ASKED(ASK_REF)},
	{"a source route", IP6("2b") HOST EA ROUTING UDP8, DROP_SOURCE_ROUTE,
		POINTED(43)},
	{"... behind options",
		IP6("00") HOST EA OPTIONS "2b00010400000000" ROUTING UDP8,
		DROP_SOURCE_ROUTE, POINTED(59)},
	{"ICMPv4", IP6("01") HOST EA ECHO, DROP_PROTOCOL, QUIET},
	{"AH", IP6("33") HOST EA UDP8, DROP_PROTOCOL, QUIET},
	{"mobility", IP6("87") HOST EA UDP8, DROP_PROTOCOL, QUIET},
	{"bytes behind no next header", IP6("3b") HOST EA UDP8, DROP_NONE,
		QUIET},
	{"none behind it", IP6("3b") HOST EA, DROP_PROTOCOL, QUIET},
	{"MF and 12 bytes",
		IP6("2c") HOST EA "1100000112345678" UDP8 "00000000",
		DROP_FRAGMENT_UNALIGNED, QUIET},
	{"UDP of 7 bytes", IP6("11") HOST EA "00070008000800",
		DROP_L4_TOO_SHORT, QUIET},
	{"neighbour solicitation", IP6("3a") HOST EA "8700000000000000",
		DROP_ICMP_TYPE, QUIET},
	{"parameter problem", IP6("3a") HOST EA "0400000000000000" QUOTED,
		DROP_ICMP_TYPE, QUIET},
	{"an error in fragments",
		IP6("2c") HOST EA "3a00000112345678"
				  "0100000000000000" QUOTED,
		DROP_ICMP_FRAGMENT, QUIET},
	{"an error in a packet with a fragment header",
		IP6("2c") HOST EA "3a00000012345678"
				  "0100000000000000" QUOTED,
		DROP_NONE, QUIET},
	{"an error about a packet of IPv4",
		IP6("3a") HOST EA
		"0100000000000000"
		"4500001c00000000401100000102030401020304" UDP8,
		DROP_ICMP_INNER, QUIET},
	{"... cut behind its header",
		IP6("3a") HOST EA "0100000000000000"
				  "6000000003e81140" EA HOST,
		DROP_NONE, QUIET},
	{"... cut in its header",
		IP6("3a") HOST EA "0100000000000000"
				  "6000000003e81140" EA "fd00007700000000",
		DROP_ICMP_INNER, QUIET},
	{"... of AH",
		IP6("3a") HOST EA "0100000000000000"
				  "6000000000083340" EA HOST UDP8,
		DROP_ICMP_INNER, QUIET},
	{"... that this host sent",
		IP6("3a") HOST EA "0100000000000000"
				  "6000000000081140" HOST EA UDP8,
		DROP_ICMP_INNER, QUIET},
};

/* The bytes of hex on the heap, with the payload length in them. */
static uint8_t *
packet(const char *hex, size_t *len)
{
	uint8_t buf[512];
	uint8_t *p;

	*len = vec_hex(hex, buf, sizeof(buf));
	if (buf[0] >> 4 == 6)
		buf[5] = (uint8_t)(*len - 40);
	p = malloc(*len);
	ck_assert_ptr_nonnull(p);
	memcpy(p, buf, *len);
	return p;
}

static void
leave(const struct site *s, const char *hex, uint32_t whole,
	struct packet_out *out, uint8_t buf[1024])
{
	struct packet_in in = {.number = 5, .whole = whole};
	uint8_t *p = packet(hex, &in.len);

	in.p = p;
	*out = (struct packet_out){.p = buf, .size = 1024};
	encap(&s->set, s->maps, &in, out);
	free(p);
}

/* The sum over ICMPv6 with its pseudo-header: of a right one 0. */
static uint32_t
icmp_residue(const uint8_t *p, size_t len)
{
	uint64_t sum = len - 40 + 58;
	size_t i;

	for (i = 8; i < len; i++)
		sum += i % 2 ? p[i] : (uint64_t)p[i] << 8;
	return (uint32_t)(sum % 0xffff);
}

/* An ICMPv6 error from the own local address with a right checksum. */
static void
check_reply(const struct packet_out *out, const struct leaving *row)
{
	static const uint8_t head[] = {0x60, 0, 0, 0};
	const uint8_t *p = out->p;
	uint8_t own[16], rest[4] = {0, 0, 0, (uint8_t)row->rest};

	vec_hex(OWN, own, sizeof(own));
	ck_assert_uint_ge(out->len, 48 + 40);
	ck_assert_mem_eq(p, head, sizeof(head));
	ck_assert_uint_eq((size_t)(p[4] << 8 | p[5]), out->len - 40);
	ck_assert_uint_eq(p[6], 58);
	ck_assert_uint_eq(p[7], 64);
	ck_assert_mem_eq(p + 8, own, 16);
	ck_assert_mem_eq(p + 24, p + 48 + 8, 16); /* who sent it */
	ck_assert_uint_eq(p[40], row->type);
	ck_assert_uint_eq(p[41], row->code);
	ck_assert_mem_eq(p + 44, rest, 4);
	ck_assert_uint_eq(icmp_residue(p, out->len), 0);
	ck_assert(out->from_self);
}

START_TEST(test_leaving)
{
	const struct leaving *row;
	struct packet_out out;
	uint8_t buf[1024];
	struct site s;

	site_named(&s, "66");
	for (row = leaving; row < leaving + ARRAY_LEN(leaving); row++) {
		leave(&s, row->hex, 0, &out, buf);
		ck_assert_msg(out.drop == row->drop, "%s: %s", row->why,
			drop_label(out.drop));
		ck_assert_msg(out.reply == row->reply, "%s", row->why);
		ck_assert_msg(out.ask == row->ask, "%s", row->why);
		ck_assert(!out.mtu_of.ver);
		if (out.reply)
			check_reply(&out, row);
	}
	site_fini(&s);
}
END_TEST

/* "Packet too big" of the local network: what its host takes is told also when
 * the message can't go on. */
START_TEST(test_mtu_of)
{
	static const struct {
		const char *mtu, *inner;
		enum drop drop;
		bool told;
		uint32_t says;
	} rows[] = {
		{"00000500", QUOTED, DROP_NONE, true, 1280},
		{"00000000", QUOTED, DROP_ICMP_MTU, true, 0},
		{"0000001c", QUOTED, DROP_ICMP_MTU, true, 28},
		{"ffffffff", QUOTED, DROP_NONE, true, UINT32_MAX},
		{"00000500", "6000000000081140" EA UNLISTED UDP8,
			DROP_ICMP_INNER, false, 0},
		{"00000500", "6000000000081140" NO_EA HOST UDP8,
			DROP_ICMP_INNER, false, 0},
		{"00000500", "6000000000081140" HOST EA UDP8, DROP_ICMP_INNER,
			false, 0},
	};
	struct packet_out out;
	uint8_t buf[1024];
	struct addr host = site_addr("fd00:77::a", 10);
	char hex[512];
	struct site s;
	size_t i;

	site_named(&s, "64");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(hex, sizeof(hex), IP6("3a") HOST EA "02000000%s%s",
			rows[i].mtu, rows[i].inner);
		leave(&s, hex, 0, &out, buf);
		ck_assert_int_eq(out.drop, rows[i].drop);
		ck_assert_int_eq(addr_eq(&out.mtu_of, &host), rows[i].told);
		ck_assert_uint_eq(out.mtu, rows[i].says);
	}
	leave(&s, PLAIN, 0, &out, buf);
	ck_assert(!out.mtu_of.ver);
	site_fini(&s);
}
END_TEST

/* A first fragment needs the length of the whole; the last one tells it, those
 * between and those of anything else don't. */
START_TEST(test_echo_leaves)
{
#define IN_PIECES(proto, field) IP6("2c") HOST EA proto "00" field "0000abcd"
	static const struct {
		const char *hex;
		enum ask ask;
		uint32_t whole;
	} rows[] = {
		{IN_PIECES("3a", "0001") ECHO, ASK_WHOLE, 0},
		{IN_PIECES("3a", "0009") ECHO, ASK_NOTHING, 0},
		{IN_PIECES("3a", "0010") ECHO, ASK_NOTHING, 24},
		{IN_PIECES("3a", "0010") "ff", ASK_NOTHING, 17},
		{IN_PIECES("3a", "0000") ECHO, ASK_NOTHING, 0},
		{IP6("3a") HOST EA ECHO, ASK_NOTHING, 0},
		{IN_PIECES("11", "0001") UDP8, ASK_NOTHING, 0},
		{IN_PIECES("11", "0010") UDP8, ASK_NOTHING, 0},
	};
	struct packet_out out;
	uint8_t buf[1024];
	struct addr host = site_addr("fd00:77::a", 10);
	struct addr ea = site_addr("fd00:240::10a", 13);
	struct site s;
	size_t i;

	site_named(&s, "66");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		leave(&s, rows[i].hex, 0, &out, buf);
		ck_assert_int_eq(out.ask, rows[i].ask);
		ck_assert_int_eq(
			out.drop, rows[i].ask ? DROP_ECHO_WAITS : DROP_NONE);
		ck_assert_uint_eq(out.whole, rows[i].whole);
		if (!out.ask && !out.whole)
			continue;
		ck_assert(addr_eq(&out.echo.src, &host));
		ck_assert(addr_eq(&out.echo.dst, &ea));
		ck_assert_uint_eq(out.echo.ident, 0xabcd);
	}
	leave(&s, rows[0].hex, 24, &out, buf);
	ck_assert_int_eq(out.drop, DROP_NONE);
	ck_assert_int_eq(out.ask, ASK_NOTHING);
	site_fini(&s);
}
END_TEST

static void
check_no_sum(const struct site *s, const char *l4, const char *field,
	enum drop drop, const char *want)
{
	char hex[256];
	uint8_t bytes[256], buf[1024], sum[2];
	struct packet_in in = {.p = bytes, .from = site_addr("192.0.2.2", 9)};
	struct packet_out out = {.p = buf, .size = sizeof(buf)};

	snprintf(hex, sizeof(hex), "1%d403c11%sc0000202c0000201%s%s",
		*field ? 2 : 0, field, "0000002100000a10", l4);
	in.len = vec_hex(hex, bytes, sizeof(bytes));
	decap(&s->set, s->maps, &in, &out);
	ck_assert_int_eq(out.drop, drop);
	if (drop)
		return;
	vec_hex(want, sum, sizeof(sum));
	ck_assert_mem_eq(buf + 40 + (*field ? 8 : 0) + 6, sum, 2);
}

/* UDP without checksum gets one when it is whole. From fd00:240::10a to
 * fd00:77::a the addresses sum to fdcc, and protocol 17 makes it fddd. */
START_TEST(test_no_sum)
{
	struct site s;

	site_named(&s, "64");
	/* ports, the length twice: 7 + 8 + 8 + 8; with fddd it is fdfc */
	check_no_sum(&s, "0007000800080000", "", DROP_NONE, "0203");
	check_no_sum(
		&s, "0007000800080000", "0000000000000001", DROP_NONE, "0203");
	/* a sum of ffff: 0 would say that there is none */
	check_no_sum(&s, "0007020b00080000", "", DROP_NONE, "ffff");
	/* padding behind the datagram does not count */
	check_no_sum(&s, "00070008000800001234", "", DROP_NONE, "0203");
	/* a length that can't be leaves it to the host to refuse it */
	check_no_sum(&s, "0007000800090000", "", DROP_NONE, "0000");
	check_no_sum(&s, "0007000800070000", "", DROP_NONE, "0000");
	/* of a fragment there is not enough to sum; a later one is not asked */
	check_no_sum(&s, "0007000800100000", "0000000100000001",
		DROP_UDP_NO_SUM, "");
	check_no_sum(
		&s, "0007000800000000", "0000000800000001", DROP_NONE, "0000");
	site_fini(&s);
}
END_TEST

RUN_TESTS("local6", test_leaving, test_mtu_of, test_echo_leaves, test_no_sum)
