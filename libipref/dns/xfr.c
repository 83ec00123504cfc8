/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zone transfers, judged. `records` counts what went to the callback: 0 means
 * that the opening SOA has still to come.
 */
#include "libipref/dns/xfr.h"

#include <stdio.h>

void
xfr_init(struct xfr *x, const struct xfr_config *cfg)
{
	*x = (struct xfr){.cfg = *cfg};
}

static struct dns_question
question(const struct xfr *x)
{
	return (struct dns_question){
		.name = x->cfg.zone,
		.type = DNS_TYPE_AXFR,
		.class = DNS_CLASS_IN,
	};
}

void
xfr_query_put(const struct xfr *x, struct wbuf *w)
{
	const struct dns_question q = question(x);

	dns_query_put(w, x->cfg.id, 0, &q, 0);
}

/* Only the first message has to repeat the question (RFC 5936, 2.2.1). */
static bool
question_fits(const struct xfr *x, const struct screened *s)
{
	const struct dns_question q = question(x);

	if (!s->header.counts[DNS_QUESTION])
		return x->messages > 0;
	return dns_question_eq(&q, &s->question);
}

static enum xfr_result
check_header(struct xfr *x, const struct screened *s)
{
	const struct dns_header *h = &s->header;

	if (h->id != x->cfg.id)
		return XFR_ID;
	if (!(h->flags & DNS_QR) || DNS_OPCODE_OF(h->flags) != 0)
		return XFR_NOT_RESPONSE;
	x->rcode = screen_rcode(s);
	if (x->rcode != DNS_NOERROR)
		return XFR_RCODE;
	if (h->flags & DNS_TC)
		return XFR_TRUNCATED;
	if (!question_fits(x, s))
		return XFR_QUESTION;
	return h->counts[DNS_ANSWER] ? XFR_MORE : XFR_EMPTY;
}

/* Types of questions and of messages (RFC 6895, 3.1). */
static bool
is_meta(uint16_t type)
{
	return type == 0 || type == DNS_TYPE_OPT ||
	       (type >= 128 && type <= 255);
}

static bool
soa_eq(const struct dns_soa *a, const struct dns_soa *b)
{
	return name_eq(&a->mname, &b->mname) && name_eq(&a->rname, &b->rname) &&
	       a->serial == b->serial && a->refresh == b->refresh &&
	       a->retry == b->retry && a->expire == b->expire &&
	       a->minimum == b->minimum;
}

/* An SOA opens the zone or closes it. */
static enum xfr_result
take_soa(struct xfr *x, const struct dns_rr *rr, const uint8_t *msg, size_t len)
{
	struct dns_soa soa;

	if (!name_eq(&rr->owner, &x->cfg.zone))
		return XFR_OTHER_SOA;
	if (!dns_soa_get(&soa, rr, msg, len))
		return XFR_MALFORMED;
	if (!x->records) {
		x->soa = soa;
		return XFR_MORE;
	}
	return soa_eq(&soa, &x->soa) ? XFR_DONE : XFR_OTHER_SOA;
}

static enum xfr_result
take_record(
	struct xfr *x, const struct dns_rr *rr, const uint8_t *msg, size_t len)
{
	enum xfr_result res;

	if (rr->class != DNS_CLASS_IN)
		return XFR_CLASS;
	if (is_meta(rr->type))
		return XFR_TYPE;
	if (rr->type == DNS_TYPE_SOA) {
		res = take_soa(x, rr, msg, len);
		if (res != XFR_MORE)
			return res;
	} else if (!x->records) {
		return XFR_NO_SOA;
	}
	if (!name_under(&rr->owner, &x->cfg.zone))
		return XFR_OUTSIDE;
	if (x->records == x->cfg.max_records)
		return XFR_MANY_RECORDS;
	x->records++;
	return x->cfg.record(rr, msg, len, x->cfg.arg) ? XFR_MORE : XFR_CALLER;
}

enum xfr_result
xfr_message(struct xfr *x, const uint8_t *msg, size_t len)
{
	enum xfr_result res;
	struct screened s;
	struct dns_rr rr;
	struct rbuf r;
	size_t i, n;

	x->bytes += len;
	if (x->bytes > x->cfg.max_bytes)
		return XFR_MANY_BYTES;
	x->screen = screen_message(&s, msg, len);
	if (x->screen)
		return XFR_MALFORMED;
	res = check_header(x, &s);
	if (res != XFR_MORE)
		return res;
	x->messages++;
	rbuf_init(&r, msg, len);
	rbuf_skip(&r, s.at[DNS_ANSWER]);
	n = s.header.counts[DNS_ANSWER];
	for (i = 0; i < n && res == XFR_MORE; i++) {
		rr = dns_rr_get(&r);
		res = take_record(x, &rr, msg, len);
	}
	return res == XFR_DONE && i < n ? XFR_AFTER_SOA : res;
}

const char *
xfr_text(const struct xfr *x, enum xfr_result r, char buf[XFR_TEXT_MAX])
{
	static const char *const texts[XFR_N_RESULTS] = {
		[XFR_MORE] = "not complete",
		[XFR_DONE] = "complete",
		[XFR_MALFORMED] = "a message with ",
		[XFR_ID] = "a message with another id",
		[XFR_NOT_RESPONSE] = "a message that is no response",
		[XFR_RCODE] = "refused by the server",
		[XFR_TRUNCATED] = "a message marked as truncated",
		[XFR_QUESTION] = "a message for another question",
		[XFR_EMPTY] = "a message without records",
		[XFR_CLASS] = "a record of another class",
		[XFR_TYPE] = "a record of a type that no zone has",
		[XFR_NO_SOA] = "the first record is no SOA",
		[XFR_OTHER_SOA] = "a second SOA that is not the first one",
		[XFR_AFTER_SOA] = "records behind the closing SOA",
		[XFR_OUTSIDE] = "a record that is not of the zone",
		[XFR_MANY_BYTES] = "more bytes than allowed",
		[XFR_MANY_RECORDS] = "more records than allowed",
		[XFR_CALLER] = "no memory for its records",
	};
	const char *text = (size_t)r < XFR_N_RESULTS ? texts[r] : "unknown";

	if (r == XFR_RCODE)
		snprintf(buf, XFR_TEXT_MAX, "%s (rcode %u)", text,
			(unsigned)x->rcode);
	else
		snprintf(buf, XFR_TEXT_MAX, "%s%s", text,
			r == XFR_MALFORMED ? screen_text(x->screen) : "");
	return buf;
}
