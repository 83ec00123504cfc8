/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is the same in both IP versions; a row of `versions` does the rest. */
#include "gwd/packet.h"

#include "gwd/cksum.h"
#include "gwd/l4.h"
#include "gwd/packet_impl.h"

static const struct packet_version *const versions[] = {
	[4] = &packet_v4,
	[6] = &packet_v6,
};

/* NULL: not understood. */
static const struct packet_version *
version(uint8_t ver)
{
	return ver < ARRAY_LEN(versions) ? versions[ver] : NULL;
}

enum drop
packet_parse(struct packet *p, uint8_t ver, const uint8_t *b, size_t len,
	bool quoted)
{
	const struct packet_version *v = version(ver);
	enum drop drop;

	*p = (struct packet){.ver = ver};
	if (!len)
		return DROP_TOO_SHORT;
	if (!v || b[0] >> 4 != ver)
		return DROP_IP_VERSION;
	drop = v->parse(p, b, len, quoted);
	if (drop)
		return drop;
	if (p->proto == v->icmp)
		p->proto = L4_ICMP;
	else if (p->proto == L4_ICMP || p->proto == L4_ICMPV6)
		return DROP_PROTOCOL;
	return DROP_NONE;
}

size_t
packet_begin(struct wbuf *w, const struct packet *p)
{
	const struct packet_version *v = version(p->ver);
	struct packet numbered = *p;
	size_t start = w->len;

	if (!v) {
		wbuf_fail(w);
		return start;
	}
	if (p->proto == L4_ICMP)
		numbered.proto = v->icmp;
	v->begin(w, &numbered);
	return start;
}

void
packet_end(struct wbuf *w, const struct packet *p, size_t start)
{
	const struct packet_version *v = version(p->ver);

	if (v)
		v->end(w, start);
}

size_t
packet_header_len(uint8_t ver, bool frag)
{
	const struct packet_version *v = version(ver);

	return v ? v->header + (frag ? v->frag_header : 0) : 0;
}

bool
packet_icmp_pseudo(uint8_t ver)
{
	const struct packet_version *v = version(ver);

	return v && v->icmp_pseudo;
}

uint32_t
packet_icmp_sum(const struct packet *p, size_t len)
{
	const struct packet_version *v = version(p->ver);

	if (!v || !v->icmp_pseudo)
		return 0;
	return cksum_addr(&p->src) + cksum_addr(&p->dst) +
	       (uint32_t)(len >> 16) + (uint32_t)(len & UINT16_MAX) + v->icmp;
}
