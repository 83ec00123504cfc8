/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries judged. The order of the checks decides which error is given: opcode,
 * form, EDNS version, counts, class, type.
 */
#include "resolverd/request.h"

#include <string.h>

#define UDP_MIN 512 /* RFC 1035, 4.2.1 */

static void
set_error(struct request *rq, uint16_t rcode, unsigned ede)
{
	rq->kind = REQUEST_ERROR;
	rq->rcode = rcode;
	rq->ede = ede;
}

static void
take_edns(struct request *rq, const struct screened *s, bool tcp)
{
	size_t payload = s->payload;

	if (!s->opt)
		return;
	rq->head.edns = true;
	rq->head.dnssec_ok = s->edns_flags & DNS_EDNS_DO;
	if (tcp)
		return;
	if (payload > ANSWER_UDP_MAX)
		payload = ANSWER_UDP_MAX;
	if (payload > UDP_MIN)
		rq->head.limit = payload;
}

/* What else than the question may be there: an IXFR's SOA, OPT, TSIG. */
static bool
counts_ok(const struct screened *s)
{
	const uint16_t *n = s->header.counts;

	return n[DNS_QUESTION] == 1 && !n[DNS_ANSWER] &&
	       n[DNS_AUTHORITY] <= (s->question.type == DNS_TYPE_IXFR ? 1 : 0);
}

static void
take_serial(struct request *rq, const struct screened *s, const uint8_t *msg,
	size_t len)
{
	struct dns_soa soa;
	struct dns_rr rr;
	struct rbuf r;

	if (!s->header.counts[DNS_AUTHORITY])
		return;
	rbuf_init(&r, msg, len);
	rbuf_skip(&r, s->at[DNS_AUTHORITY]);
	rr = dns_rr_get(&r);
	if (!rbuf_ok(&r) || rr.type != DNS_TYPE_SOA ||
		!dns_soa_get(&soa, &rr, msg, len))
		return;
	rq->has_serial = true;
	rq->serial = soa.serial;
}

static void
judge_type(struct request *rq, const struct screened *s, const uint8_t *msg,
	size_t len)
{
	uint16_t type = s->question.type;

	switch (type) {
	case DNS_TYPE_IXFR:
		take_serial(rq, s, msg, len);
		if (!rq->has_serial) {
			set_error(rq, DNS_FORMERR, EDE_NONE);
			return;
		}
		rq->kind = REQUEST_TRANSFER;
		return;
	case DNS_TYPE_AXFR:
		rq->kind = REQUEST_TRANSFER;
		return;
	case 0:
	case DNS_TYPE_OPT:
	case DNS_TYPE_TSIG:
		set_error(rq, DNS_FORMERR, EDE_NONE);
		return;
	default:
		/* Questions of other kinds (RFC 6895, 3.1). */
		if (type >= 128 && type < DNS_TYPE_ANY)
			set_error(rq, DNS_NOTIMP, EDE_NONE);
		else
			rq->kind = REQUEST_QUERY;
	}
}

void
request_parse(struct request *rq, const uint8_t *msg, size_t len, bool tcp)
{
	enum screen_result res;
	struct screened s;

	memset(rq, 0, sizeof(*rq));
	rq->ede = EDE_NONE;
	res = screen_message(&s, msg, len);
	if (res == SCREEN_SHORT || s.header.flags & DNS_QR)
		return;
	rq->head.id = s.header.id;
	rq->head.flags = s.header.flags;
	rq->head.limit = tcp ? DNS_MESSAGE_MAX : UDP_MIN;
	if (res == SCREEN_OK) {
		rq->head.has_question = s.header.counts[DNS_QUESTION] == 1;
		rq->head.question = s.question;
		take_edns(rq, &s, tcp);
	}
	if (DNS_OPCODE_OF(s.header.flags))
		set_error(rq, DNS_NOTIMP, EDE_NOT_SUPPORTED);
	else if (res != SCREEN_OK)
		set_error(rq, DNS_FORMERR, EDE_NONE);
	else if (s.edns_version)
		set_error(rq, DNS_BADVERS, EDE_NONE);
	else if (!counts_ok(&s))
		set_error(rq, DNS_FORMERR, EDE_NONE);
	else if (s.tsig) /* we have no keys: none is known (RFC 8945, 5.2) */
		set_error(rq, DNS_NOTAUTH, EDE_NONE);
	else if (s.question.class != DNS_CLASS_IN)
		set_error(rq, DNS_REFUSED, EDE_NOT_SUPPORTED);
	else
		judge_type(rq, &s, msg, len);
}
