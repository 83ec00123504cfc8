/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a scripted master says in a zone transfer: one function each. */
#ifndef TESTS_UNIT_DNS_TRANSFERS_H
#define TESTS_UNIT_DNS_TRANSFERS_H

#include "libipref/base.h"
#include "tests/unit/dns/scripted.h"

#define ZONE "example.com"

/* What goes over the connection, frames and all. */
struct script {
	uint8_t bytes[1 << 18];
	struct wbuf w;
	uint16_t id;
	size_t frame;	/* where the message at hand began */
	size_t ends[8]; /* where each message ended */
	size_t n;
};

static inline void
open_message(struct script *s, uint16_t flags, uint16_t qd, uint16_t an)
{
	const struct dns_header h = {
		.id = s->id, .flags = flags, .counts = {qd, an, 0, 0}};

	s->frame = s->w.len;
	wbuf_zeros(&s->w, 2);
	dns_header_put(&s->w, &h);
}

static inline void
put_question(struct script *s, const char *name, uint16_t type)
{
	const struct dns_question q = {named(name), type, DNS_CLASS_IN};

	dns_question_put(&s->w, &q);
}

static inline void
close_message(struct script *s)
{
	wbuf_patch16(&s->w, s->frame, s->w.len - s->frame - 2);
	ck_assert(wbuf_ok(&s->w));
	ck_assert_uint_lt(s->n, ARRAY_LEN(s->ends));
	s->ends[s->n++] = s->w.len;
}

static inline void
first_message(struct script *s, uint16_t an)
{
	open_message(s, DNS_QR | DNS_AA, 1, an);
	put_question(s, ZONE, DNS_TYPE_AXFR);
}

/* --- scripts ------------------------------------------------------------ */

static inline void
good(struct script *s)
{
	first_message(s, 2);
	put_soa(&s->w, ZONE, 7);
	put_txt(&s->w, "h1." ZONE, "AA 192.0.2.1 + 1");
	close_message(s);
	open_message(s, DNS_QR | DNS_AA, 0, 2);
	put_txt(&s->w, "h2.EXAMPLE.com", "AA 192.0.2.1 + 2");
	put_addr(&s->w, "gw." ZONE, "192.0.2.1");
	close_message(s);
	open_message(s, DNS_QR | DNS_AA, 1, 1);
	put_question(s, "Example.Com", DNS_TYPE_AXFR);
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
good_small(struct script *s)
{
	first_message(s, 2);
	put_soa(&s->w, ZONE, 7);
	put_soa(&s->w, "EXAMPLE.com", 7);
	close_message(s);
}

static inline void
wrong_id(struct script *s)
{
	s->id++;
	good(s);
}

static inline void
wrong_id_later(struct script *s)
{
	first_message(s, 1);
	put_soa(&s->w, ZONE, 7);
	close_message(s);
	s->id ^= 1;
	open_message(s, DNS_QR, 0, 1);
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
one_message(struct script *s, uint16_t flags, uint16_t qd, const char *qname,
	uint16_t qtype)
{
	open_message(s, flags, qd, 2);
	if (qd)
		put_question(s, qname, qtype);
	put_soa(&s->w, ZONE, 7);
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
no_response(struct script *s)
{
	one_message(s, 0, 1, ZONE, DNS_TYPE_AXFR);
}

static inline void
opcode_notify(struct script *s)
{
	one_message(s, DNS_QR | 4 << 11, 1, ZONE, DNS_TYPE_AXFR);
}

static inline void
refused(struct script *s)
{
	open_message(s, DNS_QR | DNS_REFUSED, 1, 0);
	put_question(s, ZONE, DNS_TYPE_AXFR);
	close_message(s);
}

static inline void
truncated(struct script *s)
{
	one_message(s, DNS_QR | DNS_TC, 1, ZONE, DNS_TYPE_AXFR);
}

static inline void
other_question(struct script *s)
{
	one_message(s, DNS_QR, 1, "example.net", DNS_TYPE_AXFR);
}

static inline void
other_type(struct script *s)
{
	one_message(s, DNS_QR, 1, ZONE, DNS_TYPE_IXFR);
}

static inline void
no_question(struct script *s)
{
	one_message(s, DNS_QR, 0, NULL, 0);
}

static inline void
no_records(struct script *s)
{
	open_message(s, DNS_QR, 1, 0);
	put_question(s, ZONE, DNS_TYPE_AXFR);
	close_message(s);
}

static inline void
no_soa_first(struct script *s)
{
	first_message(s, 2);
	put_txt(&s->w, "h1." ZONE, "AA 192.0.2.1 + 1");
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
foreign_soa(struct script *s)
{
	first_message(s, 2);
	put_soa(&s->w, "sub." ZONE, 7);
	put_soa(&s->w, "sub." ZONE, 7);
	close_message(s);
}

static inline void
other_closing_soa(struct script *s)
{
	first_message(s, 3);
	put_soa(&s->w, ZONE, 7);
	put_txt(&s->w, "h1." ZONE, "AA 192.0.2.1 + 1");
	put_soa(&s->w, ZONE, 8);
	close_message(s);
}

static inline void
soa_in_the_middle(struct script *s)
{
	first_message(s, 4);
	put_soa(&s->w, ZONE, 7);
	put_soa(&s->w, ZONE, 7);
	put_txt(&s->w, "h1." ZONE, "AA 192.0.2.1 + 1");
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
soa_below(struct script *s)
{
	first_message(s, 3);
	put_soa(&s->w, ZONE, 7);
	put_soa(&s->w, "sub." ZONE, 7);
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
owner_outside(struct script *s)
{
	first_message(s, 3);
	put_soa(&s->w, ZONE, 7);
	put_txt(&s->w, "h1.xexample.com", "AA 192.0.2.1 + 1");
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
class_chaos(struct script *s)
{
	struct name n = named("h1." ZONE);

	first_message(s, 3);
	put_soa(&s->w, ZONE, 7);
	dns_rr_put(&s->w, &n, DNS_TYPE_TXT, 3, 0, "\1x", 2);
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
meta_type(struct script *s)
{
	first_message(s, 3);
	put_soa(&s->w, ZONE, 7);
	put_rr(&s->w, "h1." ZONE, DNS_TYPE_ANY, "", 0);
	put_soa(&s->w, ZONE, 7);
	close_message(s);
}

static inline void
compression_loop(struct script *s)
{
	first_message(s, 2);
	put_soa(&s->w, ZONE, 7);
	wbuf_be16(&s->w, 0xc000 | (s->w.len - s->frame - 2));
	wbuf_bytes(&s->w, "\0\20\0\1\0\0\0\1\0\2\1x", 12);
	close_message(s);
}

static inline void
no_closing_soa(struct script *s)
{
	good(s);
	s->w.len = s->ends[1];
}

static inline void
zero_length(struct script *s)
{
	wbuf_zeros(&s->w, 2);
}

static inline void
nothing(struct script *s)
{
	(void)s;
}

/* Goes on for ever, each message a full one. */
static inline void
filler(struct script *s)
{
	size_t i;

	if (!s->w.len) {
		first_message(s, 1);
		put_soa(&s->w, ZONE, 7);
		close_message(s);
	}
	s->n = 1;
	open_message(s, DNS_QR, 0, 1000);
	for (i = 0; i < 1000; i++)
		put_txt(&s->w, "h1." ZONE, "AA 192.0.2.1 + 1");
	close_message(s);
}

#endif
