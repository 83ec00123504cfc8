/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The screen, and everything that may read a message that passed it: our own
 * readers and ldns.
 */
#include <stdlib.h>

#include <ldns/ldns.h>

#include "libipref/dns/lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_record(const struct dns_rr *rr, const uint8_t *msg, size_t len)
{
	struct name target, again;
	char text[NAME_TEXT_MAX];
	struct dns_soa soa;
	const uint8_t *s;
	size_t pos = 0, n;

	name_format(&rr->owner, text);
	if (!name_parse(&again, text, strlen(text)) ||
		!name_eq(&again, &rr->owner))
		abort();
	switch (rr->type) {
	case DNS_TYPE_SOA:
		/* Empty ones pass in updates. */
		if (rr->rdlen && !dns_soa_get(&soa, rr, msg, len))
			abort();
		break;
	case DNS_TYPE_TXT:
		while (dns_txt_next(rr, &pos, &s, &n))
			if (s < rr->rdata || s + n > rr->rdata + rr->rdlen)
				abort();
		if (pos != rr->rdlen)
			abort();
		break;
	case DNS_TYPE_CNAME:
		if (rr->rdlen && !dns_target_get(&target, rr, msg, len))
			abort();
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lookup_answer a = {.msg = data, .len = size};
	struct addr addrs[4];
	struct screened s;
	struct dns_rr rr;
	struct rbuf r;
	ldns_pkt *pkt;
	size_t i, n;

	if (screen_message(&s, data, size))
		return 0;
	rbuf_init(&r, data, size);
	rbuf_skip(&r, s.at[DNS_ANSWER]);
	n = (size_t)s.header.counts[1] + s.header.counts[2] +
	    s.header.counts[3];
	for (i = 0; i < n; i++) {
		rr = dns_rr_get(&r);
		read_record(&rr, data, size);
	}
	if (!rbuf_done(&r))
		abort();
	a.screened = &s;
	lookup_addrs(&a, 4, addrs, ARRAY_LEN(addrs));
	lookup_addrs(&a, 6, addrs, ARRAY_LEN(addrs));
	if (ldns_wire2pkt(&pkt, data, size) == LDNS_STATUS_OK)
		ldns_pkt_free(pkt);
	return 0;
}
