/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaving packets: every result is a valid IPREF packet from one of our hosts
 * to somebody known, or a reason; and a right checksum stays right.
 */
#include "gwd/encap.h"
#include "tests/fuzz/gwd/checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether the input, which was passed, has nothing that check_local() does not
 * know: options, extension headers. */
static bool
is_plain(const struct gateway *g, const struct packet_in *in)
{
	const uint8_t *p = in->p;

	if (g->set.local_ver == 4)
		return p[0] == 0x45 && !(p[6] & 0x80) && !check_sum(0, p, 20);
	return p[6] != 0 && p[6] != 43 && p[6] != 44 && p[6] != 60;
}

static void
check_same(
	const struct gateway *g, const struct view *from, const struct view *to)
{
	REQUIRE(to->ttl == from->ttl - (g->set.dec_ttl ? 1 : 0));
	REQUIRE(to->mf == from->mf && to->off == from->off);
	REQUIRE(to->df == from->df);
	if (check_is_icmp(from)) {
		REQUIRE(to->proto == 1);
		/* an echo; errors are right anyway */
		if (!from->off && !from->mf &&
			!check_carries(ICMP_IN_TUNNEL, to->l4))
			REQUIRE(check_l4_sum(from) == check_l4_sum(to));
		return;
	}
	REQUIRE(to->proto == from->proto && to->l4_len == from->l4_len);
	if (check_has_sum(from))
		REQUIRE(check_l4_sum(from) == check_l4_sum(to));
	else if (from->off >= 24)
		REQUIRE(!memcmp(from->l4, to->l4, to->l4_len));
}

static void
run(const struct gateway *g, const struct packet_in *in, struct packet_out *out)
{
	struct view from, to;

	encap(&g->set, g->maps, in, out);
	gateway_check_out(out);
	REQUIRE(out->ask == ASK_NOTHING || out->ask == ASK_REF ||
		out->ask == ASK_LOOKUP ||
		(out->ask == ASK_WHOLE && !in->whole));
	if (out->reply) {
		check_reply_local(g, in, out);
	} else if (!out->drop) {
		to = check_sent(g, out);
		if (!is_plain(g, in))
			return;
		from = check_local(g, in->p, in->len, false);
		check_same(g, &from, &to);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_in in = {.p = data + 1, .len = size - 1, .number = 7};
	const struct gateway *g;
	struct packet_out out;

	if (!size)
		return 0;
	g = gateway_get(data[0]);
	out = gateway_out(in.len);
	run(g, &in, &out);
	if (out.ask == ASK_WHOLE) {
		in.whole = (uint32_t)in.len + 1000;
		run(g, &in, &out);
	}
	free(out.p);
	return 0;
}
