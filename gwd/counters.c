/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses are read here without any check but the length: what is looked at
 * has just been refused. */
#include "gwd/counters.h"

#include "libipref/buf.h"

#define IPV4_ADDRS 12 /* where they begin */
#define IPV6_ADDRS 8

#define MINUTE_MS 60000

void
counters_addrs(
	const uint8_t *pkt, size_t len, struct addr *src, struct addr *dst)
{
	struct rbuf r;
	uint8_t ver;

	*src = *dst = (struct addr){0};
	rbuf_init(&r, pkt, len);
	ver = rbuf_u8(&r) >> 4;
	if (ver != 4 && ver != 6)
		return;
	rbuf_skip(&r, (ver == 4 ? IPV4_ADDRS : IPV6_ADDRS) - 1);
	*src = addr_get(&r, ver);
	*dst = addr_get(&r, ver);
	if (!rbuf_ok(&r))
		*src = *dst = (struct addr){0};
}

/* What is counted, as of this minute. */
static struct per_minute
per_minute_at(const struct per_minute *m, uint64_t minute)
{
	if (minute == m->minute)
		return *m;
	return (struct per_minute){.minute = minute,
		.before = minute == m->minute + 1 ? m->now : 0};
}

/* The last 60 seconds are what this minute has of them, and the rest of the one
 * before, over which its packets are taken to be spread evenly. */
uint64_t
counters_last_minute(const struct counters *c, enum drop drop, uint64_t now_ms)
{
	const struct per_minute m =
		per_minute_at(&c->lately[drop], now_ms / MINUTE_MS);

	return m.now + m.before * (MINUTE_MS - now_ms % MINUTE_MS) / MINUTE_MS;
}

void
counters_add(struct counters *c, enum drop drop, enum way way, uint64_t n,
	uint64_t now_ms)
{
	if (!n)
		return;
	c->drops[drop] += n;
	c->lately[drop] = per_minute_at(&c->lately[drop], now_ms / MINUTE_MS);
	c->lately[drop].now += n;
	c->last[drop] = (struct offender){.at_ms = now_ms, .way = way};
}

void
counters_drop(struct counters *c, enum drop drop, enum way way,
	const struct packet_in *in, uint64_t now_ms)
{
	struct offender *o = &c->last[drop];

	counters_add(c, drop, way, 1, now_ms);
	o->len = in->len;
	if (way == WAY_IN)
		o->src = in->from;
	else
		counters_addrs(in->p, in->len, &o->src, &o->dst);
}
