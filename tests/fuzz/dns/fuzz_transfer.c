/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone transfer of example.com, id 0x1234: messages as on a TCP connection,
 * each behind its length. What is reported is of the zone, and in bounds.
 */
#include <stdlib.h>

#include "libipref/dns/xfr.h"

#define MAX_RECORDS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct name zone;
	size_t records;
};

static bool
take(const struct dns_rr *rr, const uint8_t *msg, size_t len, void *arg)
{
	struct seen *seen = arg;

	if (!name_under(&rr->owner, &seen->zone) ||
		++seen->records > MAX_RECORDS ||
		(rr->type == DNS_TYPE_SOA) != (seen->records == 1) ||
		rr->rdata < msg || rr->rdata + rr->rdlen > msg + len)
		abort();
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {0};
	struct xfr_config cfg = {
		.id = 0x1234,
		.max_bytes = 1 << 20,
		.max_records = MAX_RECORDS,
		.record = take,
		.arg = &seen,
	};
	enum xfr_result res = XFR_MORE;
	char why[XFR_TEXT_MAX];
	const uint8_t *msg;
	struct rbuf r;
	struct xfr x;
	size_t len;

	if (!name_parse(&cfg.zone, "example.com", 11))
		abort();
	seen.zone = cfg.zone;
	xfr_init(&x, &cfg);
	rbuf_init(&r, data, size);
	while (res == XFR_MORE) {
		len = rbuf_be16(&r);
		msg = rbuf_take(&r, len);
		if (!rbuf_ok(&r))
			return 0;
		res = xfr_message(&x, msg, len);
	}
	if (!*xfr_text(&x, res, why) || (res == XFR_DONE && !seen.records))
		abort();
	return 0;
}
