/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arriving packets beyond the captured ones: every reason, who is told, what is
 * asked, what teaches a port, identifications.
 */
#include "tests/unit/gwd/site.h"
#include "tests/unit/run.h"

#define PEER	"c0000202"
#define PUB	"c0000201"
#define THEIRS	"00000021" /* 10.240.1.10 */
#define UNKNOWN "00777777" /* of the peer: not mapped */
#define OURS	"00000a10" /* 192.168.77.10 */
#define NOBODY	"00000999"
#define UDP8	"0007000800080000"
/* First byte, protocol; then source and destination */
#define IPREF(first, proto) first "403c" proto PEER PUB
#define ERROR		    IPREF("10", "01") THEIRS OURS "0300000000000000"
#define QUOTED		    "10403c11"

/* Ends of rows: nobody is told; as QUIET, but it did not teach its port. */
#define QUIET	REPLY_NONE, ASK_NOTHING, true
#define STRANGE REPLY_NONE, ASK_NOTHING, false

static const struct decap_row {
	const char *why, *hex;
	enum drop drop;
	enum reply reply;
	enum ask ask;
	bool peer_ok;
} rows[] = {
	{"a packet", IPREF("10", "11") THEIRS OURS UDP8, DROP_NONE, QUIET},
	{"nothing", "", DROP_TUNNEL_SHORT, STRANGE},
	{"the header alone", IPREF("10", "06") THEIRS OURS, DROP_NONE, QUIET},
	{"version 2", IPREF("20", "11") THEIRS OURS UDP8, DROP_TUNNEL_VERSION,
		STRANGE},
	{"rl 3", IPREF("1c", "11") THEIRS OURS UDP8, DROP_TUNNEL_REF_LEN,
		STRANGE},
	{"contexts of version 6",
		"10603c11" PEER PUB PEER PUB PEER PUB PEER PUB THEIRS OURS UDP8,
		DROP_TUNNEL_IPVER, STRANGE},
	{"a reserved bit",
		"12403c11000000040000000"
		"0" PEER PUB THEIRS OURS UDP8,
		DROP_TUNNEL_RESERVED, STRANGE},
	{"another's source context", "10403c11c0000203" PUB THEIRS OURS UDP8,
		DROP_SRC_CONTEXT, STRANGE},
	{"another's destination context",
		"10403c11" PEER "c0000203" THEIRS OURS UDP8, DROP_DST_CONTEXT,
		STRANGE},
	{"MF and 12 bytes",
		"12403c110000000100000001" PEER PUB THEIRS OURS UDP8 "00000000",
		DROP_FRAGMENT_UNALIGNED, STRANGE},
	{"MF and 8 bytes", "12403c110000000100000001" PEER PUB THEIRS OURS UDP8,
		DROP_NONE, QUIET},
	{"UDP of 7 bytes", IPREF("10", "11") THEIRS OURS "00070008000800",
		DROP_L4_TOO_SHORT, QUIET},
	{"half a TCP checksum", IPREF("10", "06") THEIRS OURS UDP8 UDP8 "00",
		DROP_L4_TOO_SHORT, QUIET},
	{"AH", IPREF("10", "33") THEIRS OURS UDP8, DROP_PROTOCOL, QUIET},
	{"protocol 58", IPREF("10", "3a") THEIRS OURS UDP8, DROP_PROTOCOL,
		QUIET},
	{"no next header", IPREF("10", "3b") THEIRS OURS UDP8, DROP_PROTOCOL,
		QUIET},
	{"nobody's reference", IPREF("10", "11") THEIRS NOBODY UDP8,
		DROP_REF_UNKNOWN, REPLY_PEER, ASK_NOTHING, true},
	{"... from an unknown source: nothing is asked",
		IPREF("10", "11") UNKNOWN NOBODY UDP8, DROP_REF_UNKNOWN,
		REPLY_PEER, ASK_NOTHING, true},
	{"... from reference 0: no error",
		IPREF("10", "11") "00000000" NOBODY UDP8, DROP_REF_UNKNOWN,
		QUIET},
	{"... in a later fragment: no error",
		"12403c110000000800000001" PEER PUB THEIRS NOBODY UDP8,
		DROP_REF_UNKNOWN, QUIET},
	{"... about an error: no error",
		IPREF("10", "01") THEIRS NOBODY "0b00000000000000",
		DROP_REF_UNKNOWN, QUIET},
	{"... about an error of an unknown kind: no error",
		IPREF("10", "01") THEIRS NOBODY "0c00000000000000",
		DROP_REF_UNKNOWN, QUIET},
	{"... about an echo",
		IPREF("10", "01") THEIRS NOBODY "0800000000000000",
		DROP_REF_UNKNOWN, REPLY_PEER, ASK_NOTHING, true},
	{"an unknown source", IPREF("10", "11") UNKNOWN OURS UDP8,
		DROP_EA_REFUSED, REPLY_NONE, ASK_EA, true},
	{"... too short: nothing is asked",
		IPREF("10", "11") UNKNOWN OURS "00070008", DROP_L4_TOO_SHORT,
		QUIET},
	{"an unknown ICMP type",
		IPREF("10", "01") THEIRS OURS "0d00000000000000",
		DROP_ICMP_TYPE, QUIET},
	{"an ICMP error in fragments",
		"12403c010000000100000001" PEER PUB THEIRS OURS
		"0300000000000000",
		DROP_ICMP_FRAGMENT, QUIET},
	{"an ICMP error without a packet", ERROR, DROP_ICMP_INNER, QUIET},
	{"a quoted packet cut behind its header",
		ERROR QUOTED PUB PEER OURS THEIRS, DROP_NONE, QUIET},
	{"a quoted packet cut in its header", ERROR QUOTED PUB PEER OURS "0000",
		DROP_ICMP_INNER, QUIET},
	{"a quoted packet of version 2", ERROR "20403c11" PUB PEER OURS THEIRS,
		DROP_ICMP_INNER, QUIET},
	{"a quoted packet with contexts of version 6",
		ERROR "10603c11" PUB PEER OURS THEIRS PUB PEER OURS THEIRS OURS
			THEIRS,
		DROP_ICMP_INNER, QUIET},
	{"a quoted packet of another gateway",
		ERROR QUOTED "c0000203" PEER OURS THEIRS, DROP_ICMP_INNER,
		QUIET},
	{"a quoted packet of nobody here", ERROR QUOTED PUB PEER NOBODY THEIRS,
		DROP_ICMP_INNER, QUIET},
	{"a quoted packet to an unknown host",
		ERROR QUOTED PUB PEER OURS UNKNOWN, DROP_ICMP_INNER, QUIET},
	{"a quoted packet that went the same way",
		ERROR QUOTED PEER PUB THEIRS OURS, DROP_ICMP_INNER, QUIET},
	{"a quoted ICMP type without equivalent",
		ERROR "10403c01" PUB PEER OURS THEIRS "0d00000000000000",
		DROP_ICMP_INNER, QUIET},
	{"quoted ICMP too short for its header",
		ERROR "10403c01" PUB PEER OURS THEIRS "0d000000", DROP_NONE,
		QUIET},
	{"an MTU of 0",
		IPREF("10", "01") THEIRS OURS
		"0304000000000000" QUOTED PUB PEER OURS THEIRS,
		DROP_ICMP_MTU, QUIET},
};

static void
run(const struct site *s, const char *hex, const char *from,
	struct packet_out *out, uint8_t buf[1024])
{
	uint8_t bytes[256];
	struct packet_in in = {
		.from = site_addr(from, strlen(from)), .number = 0x7654321};
	uint8_t *p;

	in.len = vec_hex(hex, bytes, sizeof(bytes));
	p = malloc(in.len ? in.len : 1);
	ck_assert_ptr_nonnull(p);
	memcpy(p, bytes, in.len);
	in.p = p;
	*out = (struct packet_out){
		.p = buf, .size = 1024, .ask = ASK_REF, .from_self = true};
	decap(&s->set, s->maps, &in, out);
	free(p);
}

START_TEST(test_rows)
{
	struct packet_out out;
	struct addr peer = site_addr("192.0.2.2", 9);
	uint8_t buf[1024];
	struct site s;
	size_t i;

	site_named(&s, "44");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		run(&s, rows[i].hex, "192.0.2.2", &out, buf);
		ck_assert_msg(out.drop == rows[i].drop, "%s: %s", rows[i].why,
			drop_label(out.drop));
		ck_assert_msg(out.reply == rows[i].reply, "%s", rows[i].why);
		ck_assert_msg(out.ask == rows[i].ask, "%s", rows[i].why);
		ck_assert_msg(
			out.peer_ok == rows[i].peer_ok, "%s", rows[i].why);
		ck_assert(!out.from_self);
		ck_assert(!out.reply || addr_eq(&out.peer, &peer));
		ck_assert_int_eq(
			out.len > 0, !out.drop || out.reply != REPLY_NONE);
	}
	site_fini(&s);
}
END_TEST

START_TEST(test_not_unicast)
{
	static const char *const froms[] = {
		"224.0.0.1", "0.0.0.0", "127.0.0.1", "169.254.1.1"};
	struct packet_out out;
	uint8_t buf[1024];
	struct site s;
	size_t i;

	site_named(&s, "44");
	for (i = 0; i < ARRAY_LEN(froms); i++) {
		run(&s, "10403c1100000000" PUB THEIRS NOBODY UDP8, froms[i],
			&out, buf);
		ck_assert_int_eq(out.drop, DROP_PEER_NOT_UNICAST);
		ck_assert(!out.peer_ok);
		ck_assert_int_eq(out.reply, REPLY_NONE);
	}
	run(&s, "10403c1100000000" PUB THEIRS NOBODY UDP8, "10.240.1.91", &out,
		buf);
	ck_assert_int_eq(out.drop, DROP_PEER_ENCODED);
	ck_assert(!out.peer_ok);
	ck_assert_int_eq(out.reply, REPLY_NONE);
	site_fini(&s);
}
END_TEST

/* The question names the IPREF address, with a zero context filled in. */
START_TEST(test_question)
{
	struct packet_out out;
	struct addr peer = site_addr("192.0.2.2", 9);
	struct ref ref = ref_from_u64(0x777777);
	uint8_t buf[1024];
	struct site s;

	site_named(&s, "44");
	run(&s, "10403c1100000000" PUB UNKNOWN OURS UDP8, "192.0.2.2", &out,
		buf);
	ck_assert_int_eq(out.ask, ASK_EA);
	ck_assert(addr_eq(&out.addr, &peer));
	ck_assert(ref_eq(&out.ref, &ref));
	site_fini(&s);
}
END_TEST

START_TEST(test_used)
{
	struct packet_out out;
	struct addr host, ea;
	uint8_t buf[1024];
	struct site s;

	site_named(&s, "44");
	host = site_addr("192.168.77.10", 13);
	ea = site_addr("10.240.1.10", 11);
	run(&s, IPREF("10", "11") THEIRS OURS UDP8, "192.0.2.2", &out, buf);
	ck_assert_ptr_eq(out.used[0], maps_by_ea(s.maps, &ea));
	ck_assert_ptr_eq(out.used[1], maps_by_ip(s.maps, &host));
	ck_assert(!out.from_self);
	/* to the gateway itself: no entry of ours */
	run(&s, IPREF("10", "11") THEIRS "00000001" UDP8, "192.0.2.2", &out,
		buf);
	ck_assert_ptr_eq(out.used[0], maps_by_ea(s.maps, &ea));
	ck_assert_ptr_null(out.used[1]);
	/* from the gateway itself, over its own public address */
	run(&s, "10403c11" PUB PUB "00000001" OURS UDP8, "192.0.2.1", &out,
		buf);
	ck_assert_int_eq(out.drop, DROP_NONE);
	ck_assert_ptr_null(out.used[0]);
	ck_assert(out.from_self);
	site_fini(&s);
}
END_TEST

/* Identifications: numbered by the caller without I and D, the packet's with
 * I, zero with D alone. The header checksum is right with each. */
START_TEST(test_identification)
{
	static const struct {
		const char *hex;
		unsigned ident, flags;
	} ids[] = {
		{IPREF("10", "11") THEIRS OURS UDP8, 0x4321, 0},
		{IPREF("11", "11") THEIRS OURS UDP8, 0, 0x4000},
		{"12403c110000000089ab5678" PEER PUB THEIRS OURS UDP8, 0x5678,
			0},
		{"13403c110000000989ab5678" PEER PUB THEIRS OURS UDP8, 0x5678,
			0x6001},
	};
	struct packet_out out;
	uint8_t buf[1024];
	struct site s;
	uint32_t sum;
	size_t i, k;

	site_named(&s, "44");
	for (i = 0; i < ARRAY_LEN(ids); i++) {
		run(&s, ids[i].hex, "192.0.2.2", &out, buf);
		ck_assert_int_eq(out.drop, DROP_NONE);
		ck_assert_uint_eq(buf[4] << 8 | buf[5], ids[i].ident);
		ck_assert_uint_eq(buf[6] << 8 | buf[7], ids[i].flags);
		for (sum = 0, k = 0; k < 20; k += 2)
			sum += (uint32_t)(buf[k] << 8 | buf[k + 1]);
		ck_assert_uint_eq(sum % 0xffff, 0);
	}
	site_fini(&s);
}
END_TEST

/* Without a public address a quoted packet's own context may be zero or the
 * one under which this datagram came, and no other. */
START_TEST(test_alias)
{
	static const struct {
		const char *outer, *inner;
		enum drop drop;
	} aliases[] = {
		{"c6336401", "c6336401", DROP_NONE},
		{"c6336401", "00000000", DROP_NONE},
		{"c6336401", "c6336402", DROP_ICMP_INNER},
		{"00000000", "c6336401", DROP_ICMP_INNER},
		{"00000000", "00000000", DROP_NONE},
	};
	struct packet_out out;
	uint8_t buf[1024];
	char hex[256];
	struct site s;
	size_t i;

	site_named(&s, "44-nopub");
	for (i = 0; i < ARRAY_LEN(aliases); i++) {
		snprintf(hex, sizeof(hex),
			"10403c01" PEER "%s" THEIRS OURS
			"0300000000000000" QUOTED "%s" PEER OURS THEIRS,
			aliases[i].outer, aliases[i].inner);
		run(&s, hex, "192.0.2.2", &out, buf);
		ck_assert_int_eq(out.drop, aliases[i].drop);
	}
	site_fini(&s);
}
END_TEST

START_TEST(test_ttl)
{
	static const struct {
		const char *ttl;
		enum drop drop;
		const char *src;
	} ttls[] = {
		{"02", DROP_NONE, THEIRS},
		{"01", DROP_TTL_EXCEEDED, THEIRS},
		{"00", DROP_TTL_EXCEEDED, THEIRS},
		{"01", DROP_TTL_EXCEEDED, UNKNOWN},
		{"02", DROP_EA_REFUSED, UNKNOWN},
	};
	struct packet_out out;
	uint8_t buf[1024];
	char hex[256];
	struct site s;
	size_t i;

	site_named(&s, "44-ttl");
	for (i = 0; i < ARRAY_LEN(ttls); i++) {
		snprintf(hex, sizeof(hex), "1040%s11" PEER PUB "%s" OURS UDP8,
			ttls[i].ttl, ttls[i].src);
		run(&s, hex, "192.0.2.2", &out, buf);
		ck_assert_int_eq(out.drop, ttls[i].drop);
		ck_assert_int_eq(out.reply, out.drop == DROP_TTL_EXCEEDED
						    ? REPLY_PEER
						    : REPLY_NONE);
		if (out.reply)
			ck_assert_uint_eq(buf[20], 11);
		if (!out.drop)
			ck_assert_uint_eq(buf[8], 1);
	}
	site_fini(&s);
}
END_TEST

RUN_TESTS("decap", test_rows, test_not_unicast, test_question, test_used,
	test_identification, test_alias, test_ttl)
