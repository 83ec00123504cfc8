/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arriving packets: every result is a valid local packet from somebody known
 * to one of our hosts, or a reason; and a right checksum stays right.
 */
#include "gwd/decap.h"
#include "gwd/trim.h"
#include "tests/fuzz/gwd/checks.h"

#define UDP 17

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A UDP datagram for an IPv6 network gets a checksum if it has none. */
static bool
gets_sum(const struct view *from, const struct view *to)
{
	return to->form == 6 && to->proto == UDP && !from->off && !from->mf &&
	       !from->l4[6] && !from->l4[7] &&
	       (size_t)(from->l4[4] << 8 | from->l4[5]) == from->l4_len;
}

static void
check_same(const struct gateway *g, const struct packet_in *in,
	const struct view *from, const struct view *to)
{
	REQUIRE(to->ttl == from->ttl - (g->set.dec_ttl ? 1 : 0));
	REQUIRE(to->mf == from->mf && to->off == from->off);
	REQUIRE(to->form == 6 || to->df == from->df);
	if (from->proto == 1) {
		REQUIRE(check_is_icmp(to));
		/* an echo; errors are right anyway */
		if (!from->off && !from->mf && !check_carries(to->form, to->l4))
			REQUIRE(check_l4_sum(from) == check_l4_sum(to));
		return;
	}
	REQUIRE(to->proto == from->proto && to->l4_len == from->l4_len);
	REQUIRE(to->header + from->l4_len <= in->len + GW_GROWTH);
	if (check_has_sum(from))
		REQUIRE(check_l4_sum(from) == check_l4_sum(to));
	else if (gets_sum(from, to))
		REQUIRE((to->l4[6] || to->l4[7]) && !check_l4_sum(to));
}

static void
run(const struct gateway *g, const struct packet_in *in, struct packet_out *out)
{
	struct view from, to;

	decap(&g->set, g->maps, in, out);
	gateway_check_out(out);
	REQUIRE(out->drop || out->peer_ok);
	REQUIRE(out->ask == ASK_NOTHING || out->ask == ASK_EA ||
		(out->ask == ASK_WHOLE && !in->whole));
	if (out->reply) {
		check_reply_peer(g, in, out);
		/* to who has sent nothing but this */
		out->len = trim_error(out->p, out->len, in->len);
		REQUIRE(out->len <= in->len);
		if (out->len)
			check_reply_peer(g, in, out);
	} else if (!out->drop) {
		from = check_tunnel(in->p, in->len);
		to = check_delivered(g, out);
		check_same(g, in, &from, &to);
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
	in.from = g->peer;
	out = gateway_out(in.len);
	run(g, &in, &out);
	if (out.ask == ASK_WHOLE) {
		in.whole = (uint32_t)in.len + 1000;
		run(g, &in, &out);
	}
	free(out.p);
	return 0;
}
