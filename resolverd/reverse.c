/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverse names, read from their right end, where the address begins. */
#include "resolverd/reverse.h"

#include <stdio.h>
#include <string.h>

static const uint8_t v4_top[] = "\7in-addr\4arpa";
static const uint8_t v6_top[] = "\3ip6\4arpa";

unsigned
reverse_step(uint8_t ver)
{
	return ver == 4 ? 8 : 4;
}

static void
top_name(struct name *n, uint8_t ver)
{
	const uint8_t *top = ver == 4 ? v4_top : v6_top;
	size_t len = ver == 4 ? sizeof(v4_top) : sizeof(v6_top);

	memset(n, 0, sizeof(*n));
	memcpy(n->b, top, len); /* with the root's zero */
	n->len = (uint8_t)len;
}

/* "0" to "255" without leading zeros, or one hex digit; -1: neither. */
static int
label_value(const uint8_t *label, size_t len, uint8_t ver)
{
	int v = 0;
	size_t i;

	if (ver == 6) {
		if (len != 1)
			return -1;
		if (*label >= '0' && *label <= '9')
			return *label - '0';
		v = *label | 0x20;
		return v >= 'a' && v <= 'f' ? v - 'a' + 10 : -1;
	}
	if (!len || len > 3 || (len > 1 && *label == '0'))
		return -1;
	for (i = 0; i < len; i++) {
		if (label[i] < '0' || label[i] > '9')
			return -1;
		v = 10 * v + label[i] - '0';
	}
	return v > 255 ? -1 : v;
}

static void
put_bits(struct prefix *p, unsigned value, unsigned step)
{
	unsigned at = p->len / 8u;

	if (step == 8 || p->len % 8u)
		p->addr.b[at] = (uint8_t)(p->addr.b[at] | value);
	else
		p->addr.b[at] = (uint8_t)(value << 4);
	p->len = (uint8_t)(p->len + step);
}

bool
reverse_parse(struct prefix *p, bool *whole, const struct name *n)
{
	size_t starts[NAME_WIRE_MAX / 2 + 1], labels = 0, top, i;
	struct name tops[2];
	uint8_t ver;
	unsigned step;
	int v;

	top_name(&tops[0], 4);
	top_name(&tops[1], 6);
	if (name_under(n, &tops[0]))
		ver = 4;
	else if (name_under(n, &tops[1]))
		ver = 6;
	else
		return false;
	top = (size_t)(n->len - tops[ver == 6].len);
	for (i = 0; i < top; i += n->b[i] + 1u)
		starts[labels++] = i;
	*p = (struct prefix){.addr = addr_zero(ver)};
	step = reverse_step(ver);
	while (labels && p->len < 8 * addr_len(ver)) {
		i = starts[labels - 1];
		v = label_value(n->b + i + 1, n->b[i], ver);
		if (v < 0)
			break;
		put_bits(p, (unsigned)v, step);
		labels--;
	}
	*whole = !labels;
	return true;
}

void
reverse_name(struct name *n, const struct prefix *p)
{
	unsigned step = reverse_step(p->addr.ver), bit, v;
	struct name up;
	char label[4];
	int len;

	top_name(n, p->addr.ver);
	for (bit = 0; bit < p->len; bit += step) {
		v = p->addr.b[bit / 8];
		if (step == 4)
			v = bit % 8 ? v & 0xf : v >> 4;
		len = snprintf(
			label, sizeof(label), step == 4 ? "%x" : "%u", v);
		up = *n;
		/* At most 64 labels of one digit: always fits. */
		if (!name_join(n, (const uint8_t *)label, (size_t)len, &up))
			return;
	}
}
