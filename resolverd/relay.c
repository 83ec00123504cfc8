/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of an upstream's answer reaches a host. One rule per kind of record, all
 * in keep(): nothing that is for one hop, and no address that was not asked
 * for.
 */
#include "resolverd/answer.h"

#include <string.h>

struct relay {
	struct answer *a;
	const uint8_t *msg;
	size_t len;
	const struct screened *s;
	const struct answer_filter *f;
	bool hints; /* some are stripped: signatures of these types go */
};

static bool
is_address(uint16_t type)
{
	return type == DNS_TYPE_A || type == DNS_TYPE_AAAA;
}

static bool
is_svcb(uint16_t type)
{
	return type == DNS_TYPE_SVCB || type == DNS_TYPE_HTTPS;
}

/* The type that a signature is about; for others their own. */
static uint16_t
covered(const struct dns_rr *rr)
{
	struct rbuf r;

	if (rr->type != DNS_TYPE_RRSIG)
		return rr->type;
	rbuf_init(&r, rr->rdata, rr->rdlen);
	return rbuf_be16(&r);
}

/* For one hop, or for questions only (RFC 6895, 3.1). */
static bool
is_meta(uint16_t type)
{
	return !type || type == DNS_TYPE_OPT || (type >= 128 && type <= 255);
}

static bool
keep(const struct relay *y, enum dns_section section, const struct dns_rr *rr)
{
	uint16_t about = covered(rr);

	if (rr->class != DNS_CLASS_IN || is_meta(rr->type))
		return false;
	if (rr->type == DNS_TYPE_SIG && section == DNS_ADDITIONAL)
		return false; /* SIG(0): of that message */
	if (is_address(about))
		return section == DNS_ANSWER &&
		       (about == y->f->qtype || y->f->qtype == rr->type);
	return !(y->hints && is_svcb(about) && rr->type == DNS_TYPE_RRSIG);
}

/* An SVCB or HTTPS record about a name that is translated: its owner or its
 * target. */
static bool
hints_about_translated(const struct relay *y, const struct dns_rr *rr)
{
	struct name target;
	struct rbuf r;

	if (!y->f->domains || !is_svcb(rr->type))
		return false;
	rbuf_init(&r, rr->rdata, rr->rdlen);
	rbuf_skip(&r, 2);
	target = name_get_plain(&r);
	return domains_have(y->f->domains, &rr->owner) ||
	       (target.len > 1 && domains_have(y->f->domains, &target));
}

/* 64 KB of rdata without hints is shorter than with them. */
static bool
strip(const struct relay *y, const struct dns_rr *rr, struct wbuf *w)
{
	return hints_about_translated(y, rr) &&
	       answer_strip_hints(w, rr->rdata, rr->rdlen);
}

static void
relay_rr(struct relay *y, enum dns_section section, const struct dns_rr *rr)
{
	uint8_t plain[DNS_MESSAGE_MAX];
	struct wbuf w;

	if (!keep(y, section, rr))
		return;
	if (is_svcb(rr->type)) {
		wbuf_init(&w, plain, sizeof(plain));
		if (strip(y, rr, &w)) {
			answer_rr(y->a, section, &rr->owner, rr->type,
				rr->class, rr->ttl, plain, w.len);
			return;
		}
		if (hints_about_translated(y, rr) && !wbuf_ok(&w))
			return; /* broken: what it hints at is unknown */
	}
	answer_copy(y->a, section, rr, y->msg, y->len);
}

/* Writes each record of the answer, or only looks whether one has hints. */
static void
relay_pass(struct relay *y, bool write)
{
	uint8_t plain[DNS_MESSAGE_MAX];
	enum dns_section section;
	struct dns_rr rr;
	struct wbuf w;
	struct rbuf r;
	size_t i;

	rbuf_init(&r, y->msg, y->len);
	rbuf_skip(&r, y->s->at[DNS_ANSWER]);
	for (section = DNS_ANSWER; section < DNS_N_SECTIONS; section++)
		for (i = 0; i < y->s->header.counts[section]; i++) {
			rr = dns_rr_get(&r);
			if (!rbuf_ok(&r))
				return;
			if (write) {
				relay_rr(y, section, &rr);
			} else if (is_svcb(rr.type)) {
				wbuf_init(&w, plain, sizeof(plain));
				y->hints |= strip(y, &rr, &w);
			}
		}
}

void
answer_relay(struct answer *a, const uint8_t *msg, size_t len,
	const struct screened *s, const struct answer_filter *f)
{
	struct relay y = {.a = a, .msg = msg, .len = len, .s = s, .f = f};

	if (f->domains)
		relay_pass(&y, false);
	relay_pass(&y, true);
}
