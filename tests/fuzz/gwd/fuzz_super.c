/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads of a TUN device with offloads, the first byte choosing the gateway:
 * refused, or segments; and when they can go at once, they are what encap()
 * makes of each.
 */
#include "gwd/burst.h"
#include "gwd/encap.h"
#include "tests/fuzz/gwd/checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Room for a segment, and not a byte more. */
static void
check_segment(const struct gateway *g, const struct super *s, size_t i,
	const struct batch *t, size_t at)
{
	const struct iovec *v = &t->iov[2 * at];
	size_t len = s->headers + v[1].iov_len;
	uint8_t *packet = malloc(len);
	const struct packet_in in = {.p = packet, .len = len};
	struct packet_out out = gateway_out(len);

	REQUIRE(packet && super_segment(s, i, packet, len) == len);
	encap(&g->set, g->maps, &in, &out);
	REQUIRE(!out.drop && addr_eq(&out.peer, &t->peer));
	REQUIRE(out.len == v[0].iov_len + v[1].iov_len);
	REQUIRE(!memcmp(out.p, v[0].iov_base, v[0].iov_len));
	REQUIRE(!memcmp(out.p + v[0].iov_len, v[1].iov_base, v[1].iov_len));
	REQUIRE(at + 1 < t->n ? out.len == t->size : out.len <= t->size);
	free(packet);
	free(out.p);
}

static void
check_burst(const struct gateway *g, const struct super *s, struct burst *b)
{
	static struct batch t;
	size_t i, next = 0;
	bool done;

	do {
		batch_init(&t, BATCH_OLD);
		done = burst_fill(b, &t);
		REQUIRE(t.n && t.len <= BATCH_BYTES);
		for (i = 0; i < t.n; i++)
			check_segment(g, s, next++, &t, i);
	} while (!done);
	REQUIRE(next == s->n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gateway *g;
	struct super s;
	struct burst b;
	uint8_t *copy;

	if (!size)
		return 0;
	g = gateway_get(data[0]);
	copy = malloc(size - 1 ? size - 1 : 1);
	REQUIRE(copy);
	memcpy(copy, data + 1, size - 1);
	if (!super_read(&s, copy, size - 1) && s.n > 1 &&
		burst_begin(&b, &g->set, g->maps, &s))
		check_burst(g, &s, &b);
	free(copy);
	return 0;
}
