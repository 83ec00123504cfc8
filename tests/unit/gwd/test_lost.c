/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of ours that were lost for their size, by what a router quotes. */
#include "gwd/lost.h"

#include "gwd/header.h"
#include "tests/unit/gwd/site.h"
#include "tests/unit/run.h"

#define PAYLOAD	  1000
#define PATH_MTU  900
#define IP_HEADER 20

static const struct ref none;

/* UDP from host 192.168.77.10 to ea 10.240.1.10, as it leaves the site. */
static size_t
send_host_packet(struct site *s, uint16_t flags, struct site_outs *outs,
	uint8_t *local, size_t size)
{
	const struct addr src = {4, {192, 168, 77, 10}};
	const struct addr dst = {4, {10, 240, 1, 10}};
	struct wbuf w;
	size_t i;

	wbuf_init(&w, local, size);
	wbuf_be16(&w, 0x4500);
	wbuf_be16(&w, IP_HEADER + 8 + PAYLOAD);
	wbuf_be16(&w, 0);
	wbuf_be16(&w, flags);
	wbuf_be32(&w, 0x40110000); /* TTL 64, UDP */
	addr_put(&w, &src, 4);
	addr_put(&w, &dst, 4);
	wbuf_be16(&w, 1000);
	wbuf_be16(&w, 2000);
	wbuf_be16(&w, 8 + PAYLOAD);
	wbuf_be16(&w, 0);
	for (i = 0; i < PAYLOAD; i++)
		wbuf_u8(&w, (uint8_t)i);
	ck_assert(wbuf_ok(&w));
	outs->n = 0;
	ck_assert_int_eq(site_local(s, local, w.len, outs), DROP_NONE);
	ck_assert_uint_eq(outs->n, 1);
	ck_assert(outs->out[0].tunnel);
	return w.len;
}

/* The message to the host: its MTU is what fits the path, and what it quotes is
 * the host's packet (but for the IP header's checksum, which it had not). */
static void
check_message(const struct site *s, const struct packet_out *out,
	const uint8_t *local, size_t tunnel_header, size_t quoted)
{
	const uint8_t *icmp = out->p + IP_HEADER, *inner = icmp + 8;
	uint32_t mtu = (uint32_t)(icmp[6] << 8 | icmp[7]);

	ck_assert_int_eq(out->reply, REPLY_LOCAL);
	ck_assert(out->from_self);
	ck_assert_mem_eq(out->p + 12, s->set.own_local.b, 4);
	ck_assert_mem_eq(out->p + 16, local + 12, 4);
	ck_assert_uint_eq(icmp[0], 3);
	ck_assert_uint_eq(icmp[1], 4);
	ck_assert_uint_eq(
		mtu - IP_HEADER + tunnel_header, frag_room(&s->set, PATH_MTU));
	ck_assert_uint_ge(quoted, IP_HEADER);
	ck_assert_uint_eq(out->len, IP_HEADER + 8 + quoted);
	ck_assert_mem_eq(inner + 6, local + 6, 4); /* flags, TTL, UDP */
	ck_assert_mem_eq(inner + 12, local + 12, quoted < 24 ? 8 : 12);
}

START_TEST(test_told)
{
	static const char *const sites[] = {
		"44", "46", "44-nopub", "44-ownref"};
	static struct site_outs outs;
	uint8_t local[2048], buf[GW_REPLY_MAX];
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	const struct site_out *sent = &outs.out[0];
	struct site s;
	size_t i, len, header, whole;

	for (i = 0; i < ARRAY_LEN(sites); i++) {
		site_named(&s, sites[i]);
		whole = send_host_packet(
			&s, 0x4000, &outs, local, sizeof(local));
		header = sent->len - (whole - IP_HEADER);
		/* too short for a proof, and for an answer */
		for (len = 0; len < header; len++) {
			ck_assert(!lost_is_ours(&s.set, s.maps, &sent->to.addr,
				&none, sent->p, len));
			lost_reply(&s.set, s.maps, sent->p, len, PATH_MTU, 1,
				&out);
			ck_assert_int_eq(out.reply, REPLY_NONE);
		}
		for (; len < 600; len++) {
			ck_assert(lost_is_ours(&s.set, s.maps, &sent->to.addr,
				&none, sent->p, len));
			lost_reply(&s.set, s.maps, sent->p, len, PATH_MTU, 1,
				&out);
			ck_assert_int_eq(out.drop, DROP_TOO_BIG);
			check_message(&s, &out, local, header,
				(len < 576 ? len : 576) - header + IP_HEADER);
		}
		site_fini(&s);
	}
}
END_TEST

/* Whom it makes no sense to tell. */
START_TEST(test_not_told)
{
	static const struct {
		const char *why;
		uint16_t flags; /* of the host's packet */
		size_t at;	/* then this byte of the tunnel packet */
		uint8_t value;	/* becomes this */
	} rows[] = {
		{"it may be split", 0, 0, 0x10},
		{"a later fragment", 0x4000 | 10, 0, 0x13},
		{"an ICMP error", 0x4000, 3, 1},
		{"the gateway's own", 0x4000, 15, 1},
	};
	static struct site_outs outs;
	uint8_t local[2048], buf[GW_REPLY_MAX];
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	struct site_out *sent = &outs.out[0];
	struct site s;
	size_t i;

	site_named(&s, "44");
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		(void)send_host_packet(
			&s, rows[i].flags, &outs, local, sizeof(local));
		sent->p[rows[i].at] = rows[i].value;
		if (rows[i].at == 3)
			sent->p[20] = 3; /* the ICMP type, as it were */
		if (rows[i].at == 15)
			memset(sent->p + 12, 0, 3); /* its reference */
		lost_reply(&s.set, s.maps, sent->p, 100, PATH_MTU, 1, &out);
		ck_assert_msg(out.reply == REPLY_NONE, "%s", rows[i].why);
	}
	site_fini(&s);
}
END_TEST

/* The input of a captured vector, as it leaves. */
static void
send_captured(struct site *s, const char *name, struct site_outs *outs)
{
	struct vec_file f;
	struct vec_block b;
	struct site_in in;
	size_t i;

	outs->n = 0;
	vec_open(&f, "tunnel.txt");
	while (vec_next(&f, &b)) {
		if (strcmp(b.lines[0].key, "vector") ||
			strcmp(b.lines[0].value, name))
			continue;
		for (i = 0; i < b.n; i++)
			if (site_input(&in, &b.lines[i])) {
				ck_assert_int_eq(
					site_take(s, &in, outs), DROP_NONE);
				free(in.p);
			}
	}
	vec_close(&f);
	ck_assert_uint_eq(outs->n, 1);
}

/* IPv6 hosts: "packet too big", but nothing where it could only say 1280. */
START_TEST(test_v6)
{
	static const struct {
		const char *site, *vector;
		uint32_t path, told; /* 0: nothing */
	} rows[] = {
		{"64", "64/encap/largest-that-fits", 1400, 1392},
		{"64", "64/encap/largest-that-fits", 1288, 1280},
		{"64", "64/encap/largest-that-fits", 1287, 0},
		{"64", "64/encap/largest-that-fits", 576, 0},
		{"66", "66/encap/largest-that-fits", 1400, 1348},
		{"66", "66/encap/largest-that-fits", 1332, 1280},
		{"66", "66/encap/largest-that-fits", 1280, 0},
	};
	static struct site_outs outs;
	uint8_t buf[GW_REPLY_MAX];
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	const struct site_out *sent = &outs.out[0];
	struct site s;
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		site_named(&s, rows[i].site);
		send_captured(&s, rows[i].vector, &outs);
		ck_assert(lost_is_ours(
			&s.set, s.maps, &sent->to.addr, &none, sent->p, 500));
		lost_reply(&s.set, s.maps, sent->p, 500, rows[i].path, 1, &out);
		ck_assert_msg(
			out.reply == (rows[i].told ? REPLY_LOCAL : REPLY_NONE),
			"row %zu", i);
		if (rows[i].told) {
			ck_assert_uint_eq(buf[6], 58);
			ck_assert_mem_eq(buf + 8, s.set.own_local.b, 16);
			ck_assert_uint_eq(buf[40], 2);
			ck_assert_uint_eq((unsigned)(buf[46] << 8 | buf[47]),
				rows[i].told);
		}
		site_fini(&s);
	}
}
END_TEST

/* Made-up quotes: each end of the packet has to be known, and to its peer. */
START_TEST(test_forged)
{
	static const struct {
		const char *why;
		size_t at; /* this byte of the tunnel packet is changed */
	} rows[] = {
		{"the version", 0},
		{"the source's context", 7},
		{"the destination's context", 11},
		{"the source's reference", 15},
		{"the destination's reference", 19},
	};
	const struct addr third = {4, {192, 0, 2, 3}};
	static struct site_outs outs;
	uint8_t local[2048];
	struct site_out *sent = &outs.out[0];
	struct site s;
	size_t i;

	site_named(&s, "44");
	(void)send_host_packet(&s, 0x4000, &outs, local, sizeof(local));
	ck_assert(lost_is_ours(
		&s.set, s.maps, &sent->to.addr, &none, sent->p, 100));
	ck_assert(!lost_is_ours(&s.set, s.maps, &third, &none, sent->p, 100));
	for (i = 0; i < ARRAY_LEN(rows); i++) {
		sent->p[rows[i].at] ^= 0x40;
		ck_assert_msg(!lost_is_ours(&s.set, s.maps, &sent->to.addr,
				      &none, sent->p, 100),
			"%s", rows[i].why);
		sent->p[rows[i].at] ^= 0x40;
	}
	site_fini(&s);
}
END_TEST

/* The gateways' own references are no secret; one of them and a host's is. */
START_TEST(test_own_refs)
{
	static struct site_outs outs;
	uint8_t local[2048];
	struct site_out *sent = &outs.out[0];
	struct header h;
	struct site s;
	size_t size;

	site_named(&s, "44");
	(void)send_host_packet(&s, 0x4000, &outs, local, sizeof(local));
	ck_assert_int_eq(header_decode(&h, &size, sent->p, sent->len), 0);
	ck_assert(lost_is_ours(
		&s.set, s.maps, &sent->to.addr, &h.dst_ref, sent->p, 100));
	s.set.own_ref = h.src_ref;
	ck_assert(!lost_is_ours(
		&s.set, s.maps, &sent->to.addr, &h.dst_ref, sent->p, 100));
	ck_assert(lost_is_ours(
		&s.set, s.maps, &sent->to.addr, &none, sent->p, 100));
	site_fini(&s);
}
END_TEST

RUN_TESTS("gwd lost", test_own_refs, test_told, test_v6, test_not_told,
	test_forged)
