/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All lengths but the quote's are even: headers are multiples of 4. */
#include "gwd/trim.h"

#include "gwd/cksum.h"
#include "gwd/header.h"
#include "gwd/icmp.h"
#include "libipref/buf.h"

#define PAYLOAD_MIN 8 /* ports; RFC 792 */

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t
trim_error(uint8_t *pkt, size_t len, size_t max)
{
	size_t outer, inner, quote, icmp;
	struct header h;
	struct wbuf w;

	if (len <= max)
		return len;
	if (header_decode(&h, &outer, pkt, len) || len - outer < ICMP_HEADER)
		return 0;
	quote = outer + ICMP_HEADER;
	if (header_decode(&h, &inner, pkt + quote, len - quote) ||
		max < quote + inner + least(PAYLOAD_MIN, len - quote - inner))
		return 0;
	max &= ~(size_t)1;
	icmp = max - outer;
	wbuf_init(&w, pkt + outer, icmp);
	w.len = icmp;
	wbuf_patch16(&w, 2, 0);
	wbuf_patch16(&w, 2, cksum_field(cksum_sum(pkt + outer, icmp)));
	return wbuf_ok(&w) ? max : 0;
}
