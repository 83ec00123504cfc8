/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zones for tests, written as lines "OWNER TYPE DATA", one string per record:
 * owners are relative to example.com ("@" the apex; with a last dot complete).
 */
#ifndef TESTS_UNIT_DNSAGENTD_ZONES_H
#define TESTS_UNIT_DNSAGENTD_ZONES_H

#include "dnsagentd/hosts.h"
#include "tests/unit/dns/scripted.h"

#define ZONE_APEX  "example.com"
#define ZONE_LINES 24

static inline void
zone_line(struct zone *z, const char *line)
{
	char owner[64], type[16], full[128];
	uint8_t bytes[1024];
	const char *data;
	struct wbuf w;
	struct rbuf r;
	struct dns_rr rr;
	int at = 0;

	ck_assert_int_eq(sscanf(line, "%63s %15s %n", owner, type, &at), 2);
	data = line + at;
	if (!strcmp(owner, "@"))
		snprintf(full, sizeof(full), ZONE_APEX);
	else if (owner[strlen(owner) - 1] == '.')
		snprintf(full, sizeof(full), "%s", owner);
	else
		snprintf(full, sizeof(full), "%s." ZONE_APEX, owner);
	wbuf_init(&w, bytes, sizeof(bytes));
	wbuf_zeros(&w, DNS_HEADER);
	if (!strcmp(type, "TXT"))
		put_txt(&w, full, data);
	else if (!strcmp(type, "A") || !strcmp(type, "AAAA"))
		put_addr(&w, full, data);
	else if (!strcmp(type, "CNAME"))
		put_target(&w, full, DNS_TYPE_CNAME, data);
	else if (!strcmp(type, "NS"))
		put_target(&w, full, DNS_TYPE_NS, data);
	else if (!strcmp(type, "DNAME"))
		put_target(&w, full, DNS_TYPE_DNAME, data);
	else
		ck_abort_msg("%s", line);
	rbuf_init(&r, bytes, w.len);
	rbuf_skip(&r, DNS_HEADER);
	rr = dns_rr_get(&r);
	ck_assert(rbuf_done(&r));
	ck_assert(zone_add(z, &rr, bytes, w.len));
}

/* The hosts of a zone of these lines (NULL ends them), from the first to the
 * last or the other way round. */
static inline void
zone_make_hosts(struct hosts *h, const char *const *lines, uint8_t tunnel_ver,
	bool reverse)
{
	struct name apex = named(ZONE_APEX);
	struct zone z;
	size_t i, n = 0;

	zone_init(&z, &apex, tunnel_ver, NULL, NULL);
	while (n < ZONE_LINES && lines[n])
		n++;
	for (i = 0; i < n; i++)
		zone_line(&z, lines[reverse ? n - 1 - i : i]);
	zone_close(&z);
	ck_assert_int_eq(hosts_make(h, &z), 0);
	zone_fini(&z);
}

/* "LABEL CONTEXT REF" */
static inline const char *
host_text(const struct hosts *h, size_t i, char buf[1200])
{
	const struct host *host = &h->v[i];
	char ctx[NAME_TEXT_MAX], ref[REF_TEXT_MAX];

	if (host->gw.ver)
		addr_format(&host->gw, ctx);
	else
		name_format(&h->contexts[host->context], ctx);
	snprintf(buf, 1200, "%.*s %s %s", host->label_len,
		(const char *)host->label, ctx, ref_format(&host->ref, ref));
	return buf;
}

#endif
