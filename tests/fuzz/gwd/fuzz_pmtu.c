/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes: MTUs told from one side to the other fit there; splitting gives all of
 * the payload back in pieces that fit; "fragmentation needed" is told with an
 * MTU that would have passed, also when a router quotes what we sent.
 *
 * Input: settings, path MTU and local MTU (2 bytes each), a local packet.
 */
#include "gwd/encap.h"
#include "gwd/frag.h"
#include "gwd/lost.h"
#include "gwd/pmtu.h"
#include "tests/fuzz/gwd/checks.h"

#define V6_LEAST 1280

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A local packet of `mtu` bytes, with an IPREF header of `header`, has an IPREF
 * packet of at most `room` bytes. IPv6 hosts can't be told less than 1280. */
static void
require_fits(const struct gateway *g, uint32_t mtu, size_t header, bool frag,
	uint32_t room)
{
	uint8_t ver = g->set.local_ver;
	size_t local = (ver == 6 ? 40u : 20u) + (ver == 6 && frag ? 8u : 0u);

	REQUIRE(mtu <= UINT16_MAX);
	if (mtu > local && (ver == 4 || mtu > V6_LEAST))
		REQUIRE(mtu - local + header <= room);
}

static void
arithmetic(const struct gateway *g, uint32_t path_mtu, uint32_t local_mtu)
{
	uint32_t outer = g->set.tunnel_ver == 6 ? 48 : 28;
	uint32_t room = pmtu_room(g->set.tunnel_ver, path_mtu), mtu;
	size_t header;

	REQUIRE(room == (path_mtu > outer ? path_mtu - outer : 0));
	for (header = HEADER_MIN; header <= HEADER_MAX; header += 4) {
		mtu = pmtu_to_local(g->set.local_ver, header, false, room);
		require_fits(g, mtu, header, false, room);
		mtu = pmtu_to_local(g->set.local_ver, header, true, room);
		require_fits(g, mtu, header, true, room);
	}
	mtu = pmtu_to_tunnel(local_mtu);
	REQUIRE(mtu < UINT16_MAX && (!mtu || mtu < local_mtu));
	/* 16-byte references, no I */
	header = g->set.tunnel_ver == 6 ? 68 : 44;
	mtu = pmtu_interface(g->set.local_ver, g->set.tunnel_ver, path_mtu);
	require_fits(g, mtu, header, false, room);
}

/* Whether no piece beginning at off may be made. */
static bool
must_end(const struct view *whole, size_t room, size_t header, size_t off)
{
	return off == whole->l4_len || room < header + 8 ||
	       whole->off + off > HEADER_OFFSET;
}

static void
splitting(const uint8_t *pkt, size_t len, size_t room)
{
	struct view whole = check_tunnel(pkt, len), piece;
	size_t off = 0, before, n, header = 0;
	uint8_t *buf = malloc(room + 1);
	struct header h;

	REQUIRE(buf);
	REQUIRE(!header_decode(&h, &header, pkt, len));
	h.frag = true;
	header = header_size(&h);
	for (;;) {
		before = off;
		n = frag_piece(pkt, len, room, 1, &off, buf, room);
		if (!n)
			break;
		REQUIRE(n <= room);
		piece = check_tunnel(buf, n);
		REQUIRE(piece.l4_len == off - before);
		REQUIRE(piece.off == whole.off + before);
		REQUIRE(piece.mf == (whole.mf || off < whole.l4_len));
		REQUIRE(!piece.mf || piece.l4_len % 8 == 0 || whole.mf);
		REQUIRE(piece.proto == whole.proto && piece.ttl == whole.ttl);
		REQUIRE(!memcmp(piece.l4, whole.l4 + before, piece.l4_len));
	}
	REQUIRE(off == before);
	REQUIRE(must_end(&whole, room, header, off));
	free(buf);
}

static void
telling(const struct gateway *g, const struct packet_in *in,
	const struct packet_out *sent, uint32_t path_mtu)
{
	struct view v, tunnel = check_tunnel(sent->p, sent->len);
	struct packet_out out = gateway_out(0);
	uint32_t mtu;
	bool frag = sent->p[0] & HEADER_I;

	frag_too_big(&g->set, in, sent->p, sent->len, path_mtu, &out);
	REQUIRE(out.drop == DROP_TOO_BIG);
	if (out.reply) {
		check_reply_local(g, in, &out);
		v = check_local(g, out.p, out.len, false);
		mtu = (uint32_t)(v.l4[6] << 8 | v.l4[7]);
		REQUIRE(v.form == 6 ? v.l4[0] == 2 && v.l4[1] == 0
				    : v.l4[0] == 3 && v.l4[1] == 4);
		require_fits(g, mtu, tunnel.header, frag,
			pmtu_room(g->set.tunnel_ver, path_mtu));
	}
	free(out.p);
}

/* A router on the path quotes this, a UDP payload cut somewhere; sent: it is
 * one of ours. */
static void
losing(const struct gateway *g, const uint8_t *quote, size_t len, bool sent,
	uint32_t path_mtu)
{
	const struct ref none = {0};
	bool ours = lost_is_ours(&g->set, g->maps, &g->peer, &none, quote, len);
	struct packet_out out;
	struct header h;
	struct view v;
	size_t header;

	if (sent && !header_decode(&h, &header, quote, len) &&
		addr_eq(&h.dst_gw, &g->peer))
		REQUIRE(ours);
	if (!ours)
		return;
	out = gateway_out(0);
	lost_reply(&g->set, g->maps, quote, len, path_mtu, 7, &out);
	REQUIRE(out.reply == REPLY_NONE || out.reply == REPLY_LOCAL);
	if (out.reply) {
		v = check_local(g, out.p, out.len, false);
		REQUIRE(check_is_icmp(&v) && check_is_ours(g, &v.dst));
		check_icmp(g, &v, 0);
	}
	free(out.p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_in in = {.number = 7};
	uint32_t path_mtu, local_mtu;
	const struct gateway *g;
	struct packet_out out;

	if (size < 5)
		return 0;
	g = gateway_get(data[0]);
	path_mtu = (uint32_t)(data[1] << 8 | data[2]);
	local_mtu = (uint32_t)(data[3] << 8 | data[4]);
	arithmetic(g, path_mtu, local_mtu);
	in.p = data + 5;
	in.len = size - 5;
	out = gateway_out(in.len);
	encap(&g->set, g->maps, &in, &out);
	if (!out.drop) {
		splitting(out.p, out.len, frag_room(&g->set, path_mtu));
		splitting(out.p, out.len, local_mtu);
		telling(g, &in, &out, path_mtu);
		losing(g, out.p, local_mtu % (out.len + 1), true, path_mtu);
	}
	losing(g, in.p, in.len, false, path_mtu);
	free(out.p);
	return 0;
}
