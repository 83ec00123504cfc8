/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The screen. One row per type says what its rdata is made of; types without a
 * row are opaque (RFC 3597). Every field consumes bytes or ends its row, and a
 * name costs at most a constant, so that the time is linear in the length.
 */
#include "libipref/dns/screen.h"

#define QUESTION_MIN  5	 /* root, type, class */
#define RECORD_MIN    11 /* root, type, class, ttl, length */
#define OPCODE_UPDATE 5

/* Fields of rdata, in order:
 *	n  name, maybe compressed	b w l  1, 2, 4 bytes
 *	s  character-string		S  one or more of them, to the end
 *	v  bytes behind a 2-byte length	o  any number of: 2-byte code, v
 *	*  anything, to the end
 * What remains behind the last field is refused. */
struct layout {
	uint16_t type;
	const char *fields;
};

static const struct layout layouts[] = {
	{DNS_TYPE_A, "l"},
	{DNS_TYPE_NS, "n"},
	{3, "n"}, /* MD */
	{4, "n"}, /* MF */
	{DNS_TYPE_CNAME, "n"},
	{DNS_TYPE_SOA, "nnlllll"},
	{7, "n"}, /* MB */
	{8, "n"}, /* MG */
	{9, "n"}, /* MR */
	{DNS_TYPE_PTR, "n"},
	{13, "ss"}, /* HINFO */
	{14, "nn"}, /* MINFO */
	{DNS_TYPE_MX, "wn"},
	{DNS_TYPE_TXT, "S"},
	{17, "nn"},	   /* RP */
	{18, "wn"},	   /* AFSDB */
	{19, "s"},	   /* X25 */
	{21, "wn"},	   /* RT */
	{23, "n"},	   /* NSAP-PTR */
	{24, "wbblllwn*"}, /* SIG */
	{26, "wnn"},	   /* PX */
	{27, "sss"},	   /* GPOS */
	{DNS_TYPE_AAAA, "llll"},
	{30, "n*"}, /* NXT */
	{DNS_TYPE_SRV, "wwwn"},
	{35, "wwsssn"}, /* NAPTR */
	{36, "wn"},	/* KX */
	{DNS_TYPE_DNAME, "n"},
	{DNS_TYPE_OPT, "o"},
	{46, "wbblllwn*"}, /* RRSIG */
	{47, "n*"},	   /* NSEC */
	{58, "nn"},	   /* TALINK */
	{DNS_TYPE_SVCB, "wn*"},
	{DNS_TYPE_HTTPS, "wn*"},
	{99, "S"},   /* SPF */
	{107, "wn"}, /* LP */
	{DNS_TYPE_TKEY, "nllwwvv"},
	{DNS_TYPE_TSIG, "nwlwvwwv"},
};

static const char *
fields_of(uint16_t type)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(layouts); i++)
		if (layouts[i].type == type)
			return layouts[i].fields;
	return "*";
}

static void
skip_options(struct rbuf *r)
{
	while (rbuf_left(r)) {
		rbuf_skip(r, 2);
		rbuf_skip(r, rbuf_be16(r));
	}
}

static void
skip_strings(struct rbuf *r)
{
	do
		rbuf_skip(r, rbuf_u8(r));
	while (rbuf_left(r));
}

static void
skip_field(struct rbuf *r, char field)
{
	switch (field) {
	case 'n':
		(void)name_get(r);
		break;
	case 'b':
		rbuf_skip(r, 1);
		break;
	case 'w':
		rbuf_skip(r, 2);
		break;
	case 'l':
		rbuf_skip(r, 4);
		break;
	case 's':
		rbuf_skip(r, rbuf_u8(r));
		break;
	case 'S':
		skip_strings(r);
		break;
	case 'v':
		rbuf_skip(r, rbuf_be16(r));
		break;
	case 'o':
		skip_options(r);
		break;
	case '*':
		rbuf_skip(r, rbuf_left(r));
		break;
	}
}

/* Updates, and only they, have records without rdata, in the classes NONE and
 * ANY (RFC 2136, 2.4 and 2.5). */
static bool
may_be_empty(const struct screened *s, const struct dns_rr *rr)
{
	return DNS_OPCODE_OF(s->header.flags) == OPCODE_UPDATE &&
	       rr->type != DNS_TYPE_TSIG &&
	       (rr->class == DNS_CLASS_NONE || rr->class == DNS_CLASS_ANY);
}

/* Whether the rdata is as its type wants. */
static bool
rdata_fits(const struct dns_rr *rr, const struct rbuf *msg)
{
	const char *field = fields_of(rr->type);
	struct rbuf r = *msg;

	r.pos = rr->rdpos;
	r.len = rr->rdpos + rr->rdlen;
	for (; *field; field++)
		skip_field(&r, *field);
	return rbuf_done(&r);
}

static enum screen_result
note_opt(struct screened *s, const struct dns_rr *rr, size_t at,
	enum dns_section section)
{
	if (s->opt || section != DNS_ADDITIONAL || rr->owner.len != 1)
		return SCREEN_OPT;
	s->opt = at;
	s->payload = rr->class;
	s->ext_rcode = (uint8_t)(rr->ttl >> 24);
	s->edns_version = (uint8_t)(rr->ttl >> 16);
	s->edns_flags = (uint16_t)rr->ttl;
	return SCREEN_OK;
}

static enum screen_result
screen_record(struct screened *s, struct rbuf *r, enum dns_section section)
{
	size_t at = r->pos;
	struct dns_rr rr = dns_rr_get(r);

	if (!rbuf_ok(r))
		return SCREEN_RECORD;
	/* Nothing may follow a TSIG record (RFC 8945, 5.1). */
	if (s->tsig)
		return SCREEN_TSIG;
	if (!rdata_fits(&rr, r) && (rr.rdlen || !may_be_empty(s, &rr)))
		return SCREEN_RDATA;
	if (rr.type == DNS_TYPE_OPT)
		return note_opt(s, &rr, at, section);
	if (rr.type == DNS_TYPE_TSIG) {
		if (section != DNS_ADDITIONAL || rr.class != DNS_CLASS_ANY)
			return SCREEN_TSIG;
		s->tsig = at;
	}
	return SCREEN_OK;
}

static bool
counts_fit(const struct dns_header *h, size_t len)
{
	size_t records = (size_t)h->counts[DNS_ANSWER] +
			 h->counts[DNS_AUTHORITY] + h->counts[DNS_ADDITIONAL];

	return h->counts[DNS_QUESTION] * (size_t)QUESTION_MIN +
		       records * RECORD_MIN <=
	       len - DNS_HEADER;
}

static enum screen_result
screen_sections(struct screened *s, struct rbuf *r)
{
	enum screen_result res;
	size_t section, i;

	s->at[DNS_QUESTION] = r->pos;
	if (s->header.counts[DNS_QUESTION]) {
		s->question = dns_question_get(r);
		if (!rbuf_ok(r))
			return SCREEN_QUESTION;
	}
	for (section = DNS_ANSWER; section < DNS_N_SECTIONS; section++) {
		s->at[section] = r->pos;
		for (i = 0; i < s->header.counts[section]; i++) {
			res = screen_record(s, r, (enum dns_section)section);
			if (res)
				return res;
		}
	}
	return rbuf_done(r) ? SCREEN_OK : SCREEN_TRAILING;
}

enum screen_result
screen_message(struct screened *s, const void *msg, size_t len)
{
	struct rbuf r;

	memset(s, 0, sizeof(*s));
	rbuf_init(&r, msg, len);
	if (len < DNS_HEADER)
		return SCREEN_SHORT;
	s->header = dns_header_get(&r);
	if (len > DNS_MESSAGE_MAX)
		return SCREEN_LONG;
	if (!counts_fit(&s->header, len))
		return SCREEN_COUNTS;
	if (s->header.counts[DNS_QUESTION] > 1)
		return SCREEN_QUESTIONS;
	return screen_sections(s, &r);
}

uint16_t
screen_rcode(const struct screened *s)
{
	return (uint16_t)(s->ext_rcode << 4 | DNS_RCODE_OF(s->header.flags));
}

const char *
screen_text(enum screen_result r)
{
	static const char *const texts[SCREEN_N_RESULTS] = {
		[SCREEN_OK] = "well formed",
		[SCREEN_SHORT] = "shorter than a header",
		[SCREEN_LONG] = "longer than 65535 bytes",
		[SCREEN_COUNTS] = "counts that can't be true for its size",
		[SCREEN_QUESTIONS] = "more than one question",
		[SCREEN_QUESTION] = "a broken question",
		[SCREEN_RECORD] = "a broken record",
		[SCREEN_RDATA] = "a record whose data does not fit its type",
		[SCREEN_OPT] = "an OPT record too many or out of place",
		[SCREEN_TSIG] = "a TSIG record too many or out of place",
		[SCREEN_TRAILING] = "bytes behind its last record",
	};

	return (size_t)r < ARRAY_LEN(texts) ? texts[r] : "unknown";
}
