/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP errors that quote packets, which may be errors that quote packets, and
 * so on, either way: lengths fit, so that all of it is looked at. What comes
 * out is checked at each level (checks.h); what is well must come out.
 *
 * Input: settings; 0 arriving, 1 leaving; levels; for each of them a row of
 * proto/icmp.def, MTU (2 bytes), ends, form, bytes cut off the quote; then the
 * innermost packet's protocol and payload.
 */
#include "gwd/decap.h"
#include "gwd/encap.h"
#include "tests/fuzz/gwd/checks.h"

#define LEVELS_MAX 6
#define QUOTE_MAX  1000
#define TCP	   6
#define UDP	   17

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct level {
	uint8_t row, ends, form, cut;
	uint16_t mtu;
};

enum { /* form */
	FORM_FRAG = 1,
	FORM_MF = 2,
	FORM_OFFSET = 4,
	FORM_DF = 8,
	FORM_EXTENDED = 16, /* RFC 4884: the quote's length is given */
	FORM_BITS = 31,
};

/* Messages that no row has. */
static const uint8_t strange[][2] = {
	{5, 1}, {4, 0}, {12, 0}, {3, 3}, {3, 99}, {1, 2}, {2, 0}, {255, 255}};

struct script {
	const struct gateway *g;
	bool leaving;
	unsigned n;
	struct level levels[LEVELS_MAX + 1]; /* the last: the innermost */
	uint8_t proto;
	const uint8_t *payload;
	size_t payload_len;
};

static struct script
read_script(const struct gateway *g, struct rbuf *r)
{
	struct script s = {.g = g};
	unsigned i;

	s.leaving = rbuf_u8(r) & 1;
	s.n = rbuf_u8(r) % (LEVELS_MAX + 1);
	for (i = 0; i < s.n; i++) {
		s.levels[i].row = rbuf_u8(r);
		s.levels[i].mtu = rbuf_be16(r);
		s.levels[i].ends = rbuf_u8(r);
		s.levels[i].form = rbuf_u8(r) & FORM_BITS;
		s.levels[i].cut = rbuf_u8(r);
	}
	s.proto = rbuf_u8(r);
	s.payload_len = rbuf_left(r) < QUOTE_MAX ? rbuf_left(r) : QUOTE_MAX;
	s.payload = rbuf_take(r, s.payload_len);
	return s;
}

/* --- building ----------------------------------------------------------- */

static bool
usual_ends(const struct level *l)
{
	return (l->ends & 15) < 3 && l->ends >> 4 < 3;
}

/* One end of a local packet: 0-2 hosts, 3 the gateway, then who should not be
 * there. */
static struct addr
local_end(const struct gateway *g, unsigned which, bool ours)
{
	if (which >= 8)
		ours = !ours;
	switch (which % 8) {
	case 3:
		return g->set.own_local;
	case 4:
		return gateway_local_addr(g, "10.99.1.1", "2001:db8:99::1");
	case 5:
		return gateway_local_addr(g, "10.240.9.9", "fd00:240::999");
	case 6:
		return addr_zero(g->set.local_ver);
	case 7:
		return gateway_local_addr(g, "224.0.0.1", "ff02::1");
	}
	return ours ? gateway_local_addr(g, gateway_ours[which % 8].v4,
			      gateway_ours[which % 8].v6)
		    : gateway_local_addr(g, gateway_theirs[which % 8].v4,
			      gateway_theirs[which % 8].v6);
}

static void
tunnel_end(const struct gateway *g, unsigned which, bool ours, struct addr *gw,
	struct ref *ref)
{
	static const char *const others[] = {
		"1", "777", "0", "ffff-ffff-ffff-ffff-ffff-ffff-ffff-ffff"};

	*gw = ours ? g->set.pub : g->peer;
	if (which >= 8)
		*gw = which % 2 ? addr_zero(g->set.tunnel_ver)
				: gateway_addr(g->set.tunnel_ver == 6
						       ? "2001:db8:9::9"
						       : "203.0.113.9");
	which %= 8;
	*ref = gateway_ref(which >= 4  ? others[which % 4]
			   : which > 2 ? others[0]
			   : ours      ? gateway_ours[which].ref
				       : gateway_theirs[which].ref);
}

static struct packet
local_packet(const struct script *s, unsigned level, bool from_us)
{
	const struct level *l = &s->levels[level];
	bool icmp = level < s->n;
	struct packet p = {
		.ver = s->g->set.local_ver,
		.src = local_end(s->g, l->ends & 15, from_us),
		.dst = local_end(s->g, l->ends >> 4, !from_us),
		.ttl = 64,
		.proto = icmp ? 1 : s->proto,
		.df = l->form & FORM_DF,
		.frag = l->form & (FORM_FRAG | FORM_MF | FORM_OFFSET),
		.mf = l->form & FORM_MF,
		.off = l->form & FORM_OFFSET ? 8 : 0,
		.ident = 0x1234,
	};

	return p;
}

static struct header
tunnel_header(const struct script *s, unsigned level, bool from_us)
{
	const struct packet p = local_packet(s, level, from_us);
	struct header h = {
		.ttl = p.ttl,
		.proto = p.proto,
		.df = p.df,
		.frag = p.frag,
		.mf = p.mf,
		.off = p.off,
		.ident = p.ident,
	};

	tunnel_end(s->g, s->levels[level].ends & 15, from_us, &h.src_gw,
		&h.src_ref);
	tunnel_end(s->g, s->levels[level].ends >> 4, !from_us, &h.dst_gw,
		&h.dst_ref);
	return h;
}

static void build(const struct script *s, struct wbuf *w, unsigned level);

static void
build_error(const struct script *s, struct wbuf *w, unsigned level)
{
	const struct level *l = &s->levels[level];
	uint8_t form = s->leaving ? s->g->set.local_ver : ICMP_IN_TUNNEL;
	size_t n = ARRAY_LEN(check_icmps), start;
	const uint8_t *kind = strange[l->row % ARRAY_LEN(strange)];

	if (l->row < 128)
		kind = form == 4   ? check_icmps[l->row % n].v4
		       : form == 6 ? check_icmps[l->row % n].v6
				   : check_icmps[l->row % n].tunnel;
	wbuf_bytes(w, kind, 2);
	wbuf_be16(w, 0); /* the checksum of errors is computed anew */
	wbuf_be16(w, l->form & FORM_EXTENDED ? 0x2020 : 0);
	wbuf_be16(w, l->mtu);
	start = w->len;
	build(s, w, level + 1);
	w->len -= l->cut < w->len - start ? l->cut : w->len - start;
}

static void
build(const struct script *s, struct wbuf *w, unsigned level)
{
	bool from_us = s->leaving == (level % 2 == 0);
	struct packet p = local_packet(s, level, from_us);
	struct header h = tunnel_header(s, level, from_us);
	size_t start = 0;

	if (s->leaving)
		start = packet_begin(w, &p);
	else
		header_encode(w, &h);
	if (level < s->n)
		build_error(s, w, level);
	else
		wbuf_bytes(w, s->payload, s->payload_len);
	if (s->leaving)
		packet_end(w, &p, start);
}

/* --- checking ------------------------------------------------------------- */

/* Nothing about it is strange: it has to be passed. */
static bool
is_well(const struct script *s)
{
	unsigned i;

	for (i = 0; i < s->n; i++)
		if (s->levels[i].row >= 128 || s->levels[i].form ||
			s->levels[i].cut || !usual_ends(&s->levels[i]) ||
			s->levels[i].mtu < 1280 || s->levels[i].mtu > 9000 ||
			s->levels[i].row % ARRAY_LEN(check_icmps) < 2)
			return false;
	return s->n && (s->proto == TCP || s->proto == UDP);
}

static void
run(const struct script *s, const struct packet_in *in, struct packet_out *out)
{
	const struct gateway *g = s->g;

	if (s->leaving)
		encap(&g->set, g->maps, in, out);
	else
		decap(&g->set, g->maps, in, out);
	gateway_check_out(out);
	REQUIRE(!is_well(s) || !out->drop);
	if (out->reply == REPLY_LOCAL)
		check_reply_local(g, in, out);
	else if (out->reply == REPLY_PEER)
		check_reply_peer(g, in, out);
	else if (!out->drop && s->leaving)
		check_sent(g, out);
	else if (!out->drop)
		check_delivered(g, out);
	/* never an error about an error */
	REQUIRE(!is_well(s) || !out->reply);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_in in = {.number = 7};
	struct packet_out out;
	uint8_t buf[8192], *exact;
	struct script s;
	struct rbuf r;
	struct wbuf w;

	if (size < 4)
		return 0;
	rbuf_init(&r, data + 1, size - 1);
	s = read_script(gateway_get(data[0]), &r);
	wbuf_init(&w, buf, sizeof(buf));
	if (rbuf_ok(&r))
		build(&s, &w, 0);
	if (!rbuf_ok(&r) || !wbuf_ok(&w))
		return 0;
	exact = malloc(w.len);
	REQUIRE(exact);
	memcpy(exact, buf, w.len);
	in.p = exact;
	in.len = w.len;
	in.from = s.g->peer;
	out = gateway_out(in.len);
	run(&s, &in, &out);
	free(out.p);
	free(exact);
	return 0;
}
