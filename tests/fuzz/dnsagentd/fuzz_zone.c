/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A transferred zone (as in fuzz_transfer), to hosts and to a set: nothing is
 * out of order, and the order in which records came does not matter.
 */
#include <stdlib.h>

#include "dnsagentd/set.h"
#include "libipref/dns/xfr.h"

#define MAX_RECORDS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct records {
	struct dns_rr rr[MAX_RECORDS];
	const uint8_t *msg[MAX_RECORDS];
	size_t len[MAX_RECORDS];
	size_t n;
};

static bool
take(const struct dns_rr *rr, const uint8_t *msg, size_t len, void *arg)
{
	struct records *recs = arg;

	recs->rr[recs->n] = *rr;
	recs->msg[recs->n] = msg;
	recs->len[recs->n++] = len;
	return true;
}

/* All messages; false when they are no whole zone. */
static bool
read_zone(struct records *recs, const struct name *apex, const uint8_t *data,
	size_t size)
{
	const struct xfr_config cfg = {
		.zone = *apex,
		.id = 0x1234,
		.max_bytes = 1 << 20,
		.max_records = MAX_RECORDS,
		.record = take,
		.arg = recs,
	};
	enum xfr_result res = XFR_MORE;
	const uint8_t *msg;
	struct rbuf r;
	struct xfr x;
	size_t len;

	xfr_init(&x, &cfg);
	rbuf_init(&r, data, size);
	while (res == XFR_MORE) {
		len = rbuf_be16(&r);
		msg = rbuf_take(&r, len);
		if (!rbuf_ok(&r))
			return false;
		res = xfr_message(&x, msg, len);
	}
	return res == XFR_DONE;
}

static void
make(struct hosts *h, const struct records *recs, const struct name *apex,
	bool reverse)
{
	struct zone z;
	size_t i, k;

	zone_init(&z, apex, 4, NULL, NULL);
	for (i = 0; i < recs->n; i++) {
		k = reverse ? recs->n - 1 - i : i;
		if (!zone_add(&z, &recs->rr[k], recs->msg[k], recs->len[k]))
			abort();
	}
	zone_close(&z);
	if (hosts_make(h, &z))
		abort();
	zone_fini(&z);
}

static void
check_hosts(const struct hosts *h)
{
	struct addr ips[MAX_RECORDS * 8], contexts[MAX_RECORDS * 8];
	struct set set;
	size_t i;

	if (h->n_names > ARRAY_LEN(ips) || h->n_contexts > ARRAY_LEN(contexts))
		return;
	for (i = 0; i < h->n; i++)
		if (h->v[i].name >= h->n_names || !h->v[i].label_len ||
			(!h->v[i].gw.ver && h->v[i].context >= h->n_contexts))
			abort();
	for (i = 0; i < h->n_names; i++)
		ips[i] = addr_from_bytes(4, "\012\0\0\1");
	for (i = 0; i < h->n_contexts; i++)
		contexts[i] = addr_from_bytes(4, "\300\0\2\1");
	if (set_make(&set, h, ips, contexts, NULL, NULL))
		abort();
	for (i = 1; i < set.n; i++)
		if (arec_cmp(&set.v[i - 1], &set.v[i]) >= 0)
			abort();
	set_fini(&set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct records recs;
	struct hosts h, again;
	struct name apex;

	recs.n = 0;
	if (!name_parse(&apex, "example.com", 11) ||
		!read_zone(&recs, &apex, data, size))
		return 0;
	make(&h, &recs, &apex, false);
	make(&again, &recs, &apex, true);
	if (!hosts_eq(&h, &again))
		abort();
	check_hosts(&h);
	hosts_fini(&h);
	hosts_fini(&again);
	return 0;
}
