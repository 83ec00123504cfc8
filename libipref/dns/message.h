/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of DNS messages that clients read and write by themselves: header,
 * question, records one by one (RFC 1035, 4.1), and the numbers in them.
 *
 * Reading needs no allocation and copies names only. What comes from outside
 * goes through screen_message() first; it tells the positions that the readers
 * here start from. All integers in host order.
 */
#ifndef LIBIPREF_DNS_MESSAGE_H
#define LIBIPREF_DNS_MESSAGE_H

#include "libipref/dns/name.h"

#define DNS_HEADER	12
#define DNS_MESSAGE_MAX 65535
#define DNS_PORT	53
#define DNS_UDP_PAYLOAD 1232 /* what we advertise by EDNS */

/* Bits of the header's second 16-bit word. */
enum {
	DNS_QR = 0x8000,
	DNS_OPCODE = 0x7800, /* mask */
	DNS_AA = 0x0400,
	DNS_TC = 0x0200,
	DNS_RD = 0x0100,
	DNS_RA = 0x0080,
	DNS_Z = 0x0040,
	DNS_AD = 0x0020,
	DNS_CD = 0x0010,
	DNS_RCODE = 0x000f, /* mask */
};
#define DNS_OPCODE_OF(flags) (((flags)&DNS_OPCODE) >> 11)
#define DNS_RCODE_OF(flags)  ((flags)&DNS_RCODE)

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_NOTAUTH = 9,
	DNS_NOTZONE = 10,
	DNS_BADVERS = 16, /* with the upper bits in OPT */
};

enum dns_type {
	DNS_TYPE_A = 1,
	DNS_TYPE_NS = 2,
	DNS_TYPE_CNAME = 5,
	DNS_TYPE_SOA = 6,
	DNS_TYPE_PTR = 12,
	DNS_TYPE_MX = 15,
	DNS_TYPE_TXT = 16,
	DNS_TYPE_AAAA = 28,
	DNS_TYPE_SRV = 33,
	DNS_TYPE_DNAME = 39,
	DNS_TYPE_OPT = 41,
	DNS_TYPE_SVCB = 64,
	DNS_TYPE_HTTPS = 65,
	DNS_TYPE_TKEY = 249,
	DNS_TYPE_TSIG = 250,
	DNS_TYPE_IXFR = 251,
	DNS_TYPE_AXFR = 252,
	DNS_TYPE_ANY = 255,
};

enum dns_class {
	DNS_CLASS_IN = 1,
	DNS_CLASS_NONE = 254,
	DNS_CLASS_ANY = 255,
};

/* Sections in wire order: indexes of counts and positions. */
enum dns_section {
	DNS_QUESTION,
	DNS_ANSWER,
	DNS_AUTHORITY,
	DNS_ADDITIONAL,
	DNS_N_SECTIONS,
};

struct dns_header {
	uint16_t id, flags;
	uint16_t counts[DNS_N_SECTIONS];
};

struct dns_question {
	struct name name;
	uint16_t type, class;
};

/* A record; rdata points into the message (names in it may be compressed) and
 * dies with it. */
struct dns_rr {
	struct name owner;
	uint16_t type, class;
	uint32_t ttl;
	uint16_t rdlen;
	size_t rdpos; /* of the rdata, from the message's first byte */
	const uint8_t *rdata;
};

/* What an SOA record says. */
struct dns_soa {
	struct name mname, rname;
	uint32_t serial, refresh, retry, expire, minimum;
};

/* Cursors stand on the thing to be read in a whole message (p is its first
 * byte); failures mark them and give zeros. */
struct dns_header dns_header_get(struct rbuf *r);
struct dns_question dns_question_get(struct rbuf *r);
struct dns_rr dns_rr_get(struct rbuf *r);

/* The rdata of a record of that type, which lies in the message msg of len
 * bytes; false when it makes no sense. */
bool dns_soa_get(struct dns_soa *soa, const struct dns_rr *rr,
	const uint8_t *msg, size_t len) MUSTCHECK;
/* For types whose rdata is one name: CNAME, NS, PTR, DNAME. */
bool dns_target_get(struct name *target, const struct dns_rr *rr,
	const uint8_t *msg, size_t len) MUSTCHECK;
/* Walks the character-strings of a TXT record: start with *pos = 0; false at
 * the end. s is inside the rdata, not terminated, maybe of length 0. */
bool dns_txt_next(
	const struct dns_rr *rr, size_t *pos, const uint8_t **s, size_t *len);

bool dns_question_eq(
	const struct dns_question *a, const struct dns_question *b);

void dns_header_put(struct wbuf *w, const struct dns_header *h);
void dns_question_put(struct wbuf *w, const struct dns_question *q);
/* A record with this rdata, owner uncompressed. */
void dns_rr_put(struct wbuf *w, const struct name *owner, uint16_t type,
	uint16_t class, uint32_t ttl, const void *rdata, size_t rdlen);
/* A whole query: header with one question and these flags; with payload not 0
 * also an OPT record (EDNS version 0, no options) that advertises it. */
void dns_query_put(struct wbuf *w, uint16_t id, uint16_t flags,
	const struct dns_question *q, uint16_t payload);

#endif
