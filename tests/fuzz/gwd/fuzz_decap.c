/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arriving packets: every result is a valid IPv4 packet or a reason, and
 * a right checksum stays right. */
#include "gwd/decap.h"
#include "gwd/header.h"
#include "tests/fuzz/gwd/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_delivered(const struct packet_in *in, const struct packet_out *out)
{
	const uint8_t *l4 = out->p + 20;
	size_t header, len = out->len - 20;
	struct header h;

	gateway_check_v4(out->p, out->len);
	REQUIRE(!header_decode(&h, &header, in->p, in->len));
	REQUIRE(out->p[9] == h.proto);
	REQUIRE((out->p[6] << 8 | out->p[7]) ==
		((h.df ? 0x4000 : 0) | (h.mf ? 0x2000 : 0) | h.off / 8));
	if (h.off || h.mf)
		return;
	REQUIRE(h.proto == 1 || len == in->len - header);
	if (gateway_has_sum(h.proto, in->p + header, in->len - header))
		REQUIRE(gateway_sum(h.proto, in->p + header, len, NULL, 0) ==
			gateway_sum(h.proto, l4, len, out->p + 12, 8));
}

static void
check_reply(const struct gateway *g, const struct packet_out *out)
{
	struct header h;
	size_t header;

	REQUIRE(out->reply == REPLY_PEER);
	REQUIRE(!header_decode(&h, &header, out->p, out->len));
	REQUIRE(h.proto == 1 && h.ttl == 64 && !h.df && !h.frag);
	REQUIRE(addr_eq(&h.dst_gw, &g->peer));
	REQUIRE(addr_eq(&h.dst_gw, &out->peer));
	REQUIRE((out->len - header) % 2 == 0);
	/* the ICMP checksum has no pseudo-header */
	REQUIRE(gateway_sum(0, out->p + header, out->len - header, NULL, 0) ==
		(out->len - header) % 0xffff);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_in in = {.p = data + 1, .len = size - 1, .number = 7};
	struct packet_out out;
	struct gateway g;

	if (!size)
		return 0;
	gateway_init(&g, data[0]);
	in.from = g.peer;
	out = gateway_out(in.len);
	decap(&g.set, g.maps, &in, &out);
	gateway_check_out(&out);
	REQUIRE(out.drop || out.peer_ok);
	REQUIRE(out.ask == ASK_NOTHING || out.ask == ASK_EA);
	if (out.reply)
		check_reply(&g, &out);
	else if (!out.drop)
		check_delivered(&in, &out);
	free(out.p);
	gateway_fini(&g);
	return 0;
}
