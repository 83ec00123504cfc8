/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leaving packets: every result is a valid IPREF packet or a reason, a right
 * checksum stays right, and splitting gives all of the payload back.
 */
#include "gwd/encap.h"
#include "gwd/frag.h"
#include "gwd/header.h"
#include "tests/fuzz/gwd/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A packet without options that is no fragment: the tunnel's checksum is the
 * local one less the addresses. */
static void
check_sum(const uint8_t *p, size_t len, const uint8_t *l4, size_t l4_len)
{
	if (p[0] != 0x45 || (p[6] & 0x3f) || p[7])
		return;
	REQUIRE(p[9] == 1 || l4_len == len - 20);
	if (gateway_has_sum(p[9], p + 20, len - 20))
		REQUIRE(gateway_sum(p[9], p + 20, len - 20, p + 12, 8) ==
			gateway_sum(p[9], l4, l4_len, NULL, 0));
	else if (p[9] != 1 && p[9] != 6 && p[9] != 33)
		REQUIRE(!memcmp(p + 20, l4, p[9] == 136 ? 6 : l4_len));
}

static void
check_split(const uint8_t *pkt, size_t len, size_t header)
{
	size_t room = HEADER_MAX + 64, off = 0, before, n;
	uint8_t piece[HEADER_MAX + 64];
	struct header h;
	size_t piece_header;

	for (;;) {
		before = off;
		n = frag_piece(pkt, len, room, 1, &off, piece, sizeof(piece));
		if (!n)
			break;
		REQUIRE(n <= room);
		REQUIRE(!header_decode(&h, &piece_header, piece, n));
		REQUIRE(n - piece_header == off - before);
		REQUIRE(!h.mf || (off - before) % 8 == 0);
		REQUIRE(!memcmp(piece + piece_header, pkt + header + before,
			off - before));
	}
	REQUIRE(off == len - header || before > 0 || h.off > 65000);
}

static void
check(const struct gateway *g, const struct packet_in *in,
	struct packet_out *out)
{
	struct header h;
	size_t header;

	if (out->reply) {
		REQUIRE(out->reply == REPLY_LOCAL);
		gateway_check_v4(out->p, out->len);
		return;
	}
	if (out->drop)
		return;
	REQUIRE(!header_decode(&h, &header, out->p, out->len));
	REQUIRE(addr_eq(&h.src_gw, &g->set.pub));
	REQUIRE(addr_eq(&h.dst_gw, &out->peer));
	REQUIRE(!addr_is_zero(&out->peer));
	REQUIRE(!h.mf || (out->len - header) % 8 == 0);
	check_sum(in->p, in->len, out->p + header, out->len - header);
	h.off = 0;
	check_split(out->p, out->len, header);
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
	out = gateway_out(in.len);
	encap(&g.set, g.maps, &in, &out);
	gateway_check_out(&out);
	check(&g, &in, &out);
	free(out.p);
	gateway_fini(&g);
	return 0;
}
