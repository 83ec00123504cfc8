/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapper codec on any bytes: each format decodes them or gives a reason;
 * what decodes encodes to the same bytes but for padding, which is zero then,
 * and in the other dialect means the same.
 *
 * Input is the packet. Its length field is also put right, so that the fuzzer
 * need not learn it.
 */
#include <stdlib.h>
#include <string.h>

#include "libipref/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool ok)
{
	if (!ok)
		abort();
}

static size_t
encode(const struct msg *m, const struct msg_format *fmt, uint8_t *out)
{
	size_t len;

	expect(msg_encode(m, fmt, out, MSG_MAX, &len) == MSG_OK);
	return len;
}

/* Every byte is the packet's, or zero where the packet has padding; only
 * padding may differ, and that is so in a second round too. */
static void
same_but_padding(const struct msg *m, const uint8_t *pkt, size_t len)
{
	static uint8_t first[MSG_MAX], second[MSG_MAX];
	struct msg again;
	size_t i;

	expect(encode(m, &m->fmt, first) == len);
	for (i = 0; i < len; i++)
		expect(first[i] == pkt[i] || first[i] == 0);
	expect(msg_decode(&again, &m->fmt, first, len) == MSG_OK);
	expect(encode(&again, &m->fmt, second) == len);
	expect(!memcmp(first, second, len));
}

/* There and back again; a packet near the limit may not fit there. */
static void
other_dialect(const struct msg *m)
{
	static uint8_t there[MSG_MAX], back[MSG_MAX], first[MSG_MAX];
	struct msg_format fmt = m->fmt;
	struct msg other;
	size_t len;

	fmt.dialect =
		m->fmt.dialect == MSG_DIALECT_1 ? MSG_DIALECT_2 : MSG_DIALECT_1;
	if (msg_encode(m, &fmt, there, sizeof(there), &len) == MSG_TOO_BIG)
		return;
	expect(msg_decode(&other, &fmt, there, len) == MSG_OK);
	len = encode(&other, &m->fmt, back);
	expect(encode(m, &m->fmt, first) == len);
	expect(!memcmp(first, back, len));
}

static void
texts(const struct msg *m)
{
	char text[256];
	size_t size;

	for (size = 1; size <= sizeof(text); size += 51) {
		msg_format_text(m, text, size);
		expect(strlen(text) < size);
	}
}

static void
try_format(const struct msg_format *fmt, const uint8_t *pkt, size_t len)
{
	struct source s;
	struct msg m;

	if (msg_decode(&m, fmt, pkt, len) != MSG_OK) {
		expect(m.n == 0 && m.str.len == 0);
		texts(&m);
		return;
	}
	same_but_padding(&m, pkt, len);
	other_dialect(&m);
	texts(&m);
	if (msg_source(&m, &s))
		expect(s.local[0] && s.domain[0]);
}

static void
try_all(const uint8_t *pkt, size_t len)
{
	struct msg_format fmt;
	int i;

	for (i = 0; i < 12; i++) {
		fmt.local_ver = i & 1 ? 6 : 4;
		fmt.tunnel_ver = i & 2 ? 6 : 4;
		fmt.dialect = (enum msg_dialect)(i / 4);
		try_format(&fmt, pkt, len);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	try_all(data, size);
	if (size < MSG_HEADER || size % 4 || size > MSG_MAX)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	copy[6] = (uint8_t)(size / 4 >> 8);
	copy[7] = (uint8_t)(size / 4);
	try_all(copy, size);
	free(copy);
	return 0;
}
