/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IPv6 packets: extension headers in any order and number, lengths, quoted and
 * cut. The payload length is filled in where a row does not give its own. */
#include "gwd/packet.h"
#include "tests/unit/run.h"
#include "tests/unit/vec.h"

#define ADDRS                                                                  \
	"fd00007700000000000000000000000a"                                     \
	"fd00024000000000000000000000010a"
#define IP6(next) "6a5fffff0000" next "3f" ADDRS
/* Extension headers of 8 bytes, by what follows them */
#define OPTIONS(next)	    next "00010400000000"
#define ROUTING(next, left) next "0002" left "00000000"
#define FRAG(next, field)   next "00" field "12345678"
#define UDP8		    "0007000800080000"

#define WHOLE -1

/* Ends of rows. */
#define FAILS(drop) drop, 0, 0, 0, 0, false, false, 0, 0
#define READS(l4, proto, len, whole)                                           \
	DROP_NONE, l4, proto, len, whole, false, false, 0, 0
#define ROUTED(l4, proto, len, pointer)                                        \
	DROP_NONE, l4, proto, len, len, false, false, 0, pointer
#define PIECE(l4, proto, len, mf, off)                                         \
	DROP_NONE, l4, proto, len, len, true, mf, off, 0

static const struct row {
	const char *why, *hex;
	int payload; /* what the header says; WHOLE: the truth */
	bool quoted;
	enum drop drop;
	size_t l4; /* where it begins */
	uint8_t proto;
	size_t l4_len, l4_whole;
	bool frag, mf;
	uint16_t off;
	uint32_t pointer; /* 0: no source route */
} rows[] = {
	{"UDP", IP6("11") UDP8, WHOLE, false, READS(40, 17, 8, 8)},
	{"no payload", IP6("11"), WHOLE, false, READS(40, 17, 0, 0)},
	{"ICMPv6 is ICMP", IP6("3a") UDP8, WHOLE, false, READS(40, 1, 8, 8)},
	{"ICMPv4 is not", IP6("01") UDP8, WHOLE, false, FAILS(DROP_PROTOCOL)},
	{"half a header", "6a5fffff0000113f", WHOLE, false,
		FAILS(DROP_TOO_SHORT)},
	{"39 bytes", "6a5fffff0000113f" ADDRS, -2, false,
		FAILS(DROP_TOO_SHORT)},
	{"longer than it says", IP6("11") UDP8, 7, false,
		FAILS(DROP_BAD_LENGTH)},
	{"shorter than it says", IP6("11") UDP8, 9, false,
		FAILS(DROP_BAD_LENGTH)},
	{"hop-by-hop options", IP6("00") OPTIONS("11") UDP8, WHOLE, false,
		READS(48, 17, 8, 8)},
	{"destination options of 24 bytes",
		IP6("3c") "1102011400000000000000000000000000000000"
			  "00000000" UDP8,
		WHOLE, false, READS(64, 17, 8, 8)},
	{"a routing header that is done", IP6("2b") ROUTING("11", "00") UDP8,
		WHOLE, false, READS(48, 17, 8, 8)},
	{"... that is not", IP6("2b") ROUTING("11", "01") UDP8, WHOLE, false,
		ROUTED(48, 17, 8, 43)},
	{"... behind options",
		IP6("00") OPTIONS("3c") OPTIONS("2b") ROUTING("11", "ff") UDP8,
		WHOLE, false, ROUTED(64, 17, 8, 59)},
	{"all of them",
		IP6("00") OPTIONS("3c") OPTIONS("2b") ROUTING("2c", "00")
			FRAG("06", "0001") UDP8,
		WHOLE, false, PIECE(72, 6, 8, true, 0)},
	{"eight",
		IP6("00") OPTIONS("3c") OPTIONS("3c") OPTIONS("3c")
			OPTIONS("3c") OPTIONS("3c") OPTIONS("3c") OPTIONS("3c")
				OPTIONS("11") UDP8,
		WHOLE, false, READS(104, 17, 8, 8)},
	{"nine",
		IP6("00") OPTIONS("3c") OPTIONS("3c") OPTIONS("3c")
			OPTIONS("3c") OPTIONS("3c") OPTIONS("3c") OPTIONS("3c")
				OPTIONS("3c") OPTIONS("11") UDP8,
		WHOLE, false, FAILS(DROP_BAD_HEADER)},
	{"hop-by-hop options in the middle",
		IP6("3c") OPTIONS("00") OPTIONS("11") UDP8, WHOLE, false,
		FAILS(DROP_BAD_HEADER)},
	{"a header that is not there", IP6("00") OPTIONS("3c"), WHOLE, false,
		FAILS(DROP_TOO_SHORT)},
	{"half a header there", IP6("3c") "110001", WHOLE, false,
		FAILS(DROP_TOO_SHORT)},
	{"a header longer than the packet", IP6("3c") "1101010400000000", WHOLE,
		false, FAILS(DROP_TOO_SHORT)},
	{"a first fragment", IP6("2c") FRAG("11", "0001") UDP8, WHOLE, false,
		PIECE(48, 17, 8, true, 0)},
	{"the last there can be", IP6("2c") FRAG("11", "fff8") UDP8, WHOLE,
		false, PIECE(48, 17, 8, false, 65528)},
	{"reserved bits of a fragment", IP6("2c") "11ff000612345678" UDP8,
		WHOLE, false, PIECE(48, 17, 8, false, 0)},
	{"half a fragment header", IP6("2c") "11000001", WHOLE, false,
		FAILS(DROP_TOO_SHORT)},
	{"options behind that of a whole packet",
		IP6("2c") FRAG("3c", "0000") OPTIONS("11") UDP8, WHOLE, false,
		PIECE(56, 17, 8, false, 0)},
	{"options behind that of a first fragment",
		IP6("2c") FRAG("3c", "0001") OPTIONS("11") UDP8, WHOLE, false,
		FAILS(DROP_PROTOCOL)},
	{"... of a later one", IP6("2c") FRAG("3c", "0008") UDP8, WHOLE, false,
		FAILS(DROP_PROTOCOL)},
	{"two fragment headers",
		IP6("2c") FRAG("2c", "0000") FRAG("11", "0000") UDP8, WHOLE,
		false, FAILS(DROP_BAD_HEADER)},
	{"a jumbogram", IP6("00") "1100c20400010008" UDP8, 0, false,
		FAILS(DROP_BAD_LENGTH)},
	{"a jumbogram, quoted", IP6("00") "1100c20400010008" UDP8, 0, true,
		FAILS(DROP_TOO_SHORT)},
	{"quoted, cut", IP6("11") UDP8, 1000, true, READS(40, 17, 8, 1000)},
	{"quoted, cut behind options", IP6("00") OPTIONS("11") UDP8, 1000, true,
		READS(48, 17, 8, 992)},
	{"quoted, with bytes behind it", IP6("11") UDP8 UDP8, 8, true,
		READS(40, 17, 8, 8)},
	{"quoted, cut in an extension header", IP6("00") "110001", 1000, true,
		FAILS(DROP_TOO_SHORT)},
	{"quoted, too short for its options", IP6("00") OPTIONS("11") UDP8, 7,
		true, FAILS(DROP_TOO_SHORT)},
	{"quoted, cut in the header", "6a5fffff03e8113f", WHOLE, true,
		FAILS(DROP_TOO_SHORT)},
};

/* On the heap, as long as it is. */
static uint8_t *
packet(const struct row *row, size_t *len)
{
	uint8_t buf[256];
	size_t said;
	uint8_t *p;

	*len = vec_hex(row->hex, buf, sizeof(buf));
	if (row->payload == -2) /* the last byte is missing */
		--*len;
	said = row->payload >= 0 ? (size_t)row->payload
	       : *len > 40	 ? *len - 40
				 : 0;
	if (*len >= 40) {
		buf[4] = (uint8_t)(said >> 8);
		buf[5] = (uint8_t)said;
	}
	p = malloc(*len);
	ck_assert_ptr_nonnull(p);
	memcpy(p, buf, *len);
	return p;
}

static void
check_fields(const struct row *row, const struct packet *p, const uint8_t *b)
{
	ck_assert_uint_eq(p->ttl, 0x3f);
	ck_assert_uint_eq(p->tos, 0xa5);
	ck_assert_uint_eq(p->proto, row->proto);
	ck_assert(p->df);
	ck_assert_ptr_eq(p->l4, b + row->l4);
	ck_assert_uint_eq(p->l4_len, row->l4_len);
	ck_assert_uint_eq(p->l4_whole, row->l4_whole);
	ck_assert_int_eq(p->frag, row->frag);
	ck_assert_int_eq(p->mf, row->mf);
	ck_assert_uint_eq(p->off, row->off);
	ck_assert_uint_eq(p->ident, row->frag ? 0x12345678 : 0);
	ck_assert_int_eq(p->source_route, row->pointer != 0);
	ck_assert_uint_eq(p->pointer, row->pointer);
	ck_assert_mem_eq(p->src.b, b + 8, 16);
	ck_assert_mem_eq(p->dst.b, b + 24, 16);
}

START_TEST(test_parse)
{
	const struct row *row;
	struct packet p;
	enum drop drop;
	size_t len;
	uint8_t *b;

	for (row = rows; row < rows + ARRAY_LEN(rows); row++) {
		b = packet(row, &len);
		drop = packet_parse(&p, 6, b, len, row->quoted);
		ck_assert_msg(drop == row->drop, "%s: %s", row->why,
			drop_label(drop));
		if (!drop)
			check_fields(row, &p, b);
		ck_assert_int_eq(packet_parse(&p, 4, b, len, row->quoted),
			DROP_IP_VERSION);
		free(b);
	}
}
END_TEST

/* What is written reads as it was, with nothing that was not given. */
START_TEST(test_write)
{
	struct packet p = {.ver = 6, .ttl = 7, .tos = 0xb8, .proto = 1}, again;
	uint8_t buf[64];
	struct wbuf w;
	size_t start;
	int frag;

	p.src = addr_from_bytes(6, "from....from....");
	p.dst = addr_from_bytes(6, "to......to......");
	for (frag = 0; frag < 2; frag++) {
		p.frag = frag;
		p.mf = frag;
		p.off = frag ? 65520 : 0;
		p.ident = frag ? 0xfedcba98 : 0;
		wbuf_init(&w, buf, sizeof(buf));
		start = packet_begin(&w, &p);
		ck_assert_uint_eq(w.len, packet_header_len(6, frag));
		wbuf_bytes(&w, "12345678", 8);
		packet_end(&w, &p, start);
		ck_assert(wbuf_ok(&w));
		ck_assert_int_eq(packet_parse(&again, 6, buf, w.len, false), 0);
		ck_assert_uint_eq(again.ttl, 7);
		ck_assert_uint_eq(again.tos, 0xb8);
		ck_assert_uint_eq(again.proto, 1);
		ck_assert_int_eq(again.frag, frag);
		ck_assert_int_eq(again.mf, frag);
		ck_assert_uint_eq(again.off, p.off);
		ck_assert_uint_eq(again.ident, p.ident);
		ck_assert(addr_eq(&again.src, &p.src));
		ck_assert(addr_eq(&again.dst, &p.dst));
		ck_assert_uint_eq(again.l4_len, 8);
	}
}
END_TEST

/* Too long for its length field: refused. */
START_TEST(test_write_too_long)
{
	static uint8_t buf[65536 + 40];
	struct packet p = {.ver = 6, .proto = 17};
	struct wbuf w;
	size_t start;

	p.src = p.dst = addr_zero(6);
	wbuf_init(&w, buf, sizeof(buf));
	start = packet_begin(&w, &p);
	wbuf_zeros(&w, 65535);
	packet_end(&w, &p, start);
	ck_assert(wbuf_ok(&w));
	wbuf_zeros(&w, 1);
	packet_end(&w, &p, start);
	ck_assert(!wbuf_ok(&w));
}
END_TEST

RUN_TESTS("packet6", test_parse, test_write, test_write_too_long)
