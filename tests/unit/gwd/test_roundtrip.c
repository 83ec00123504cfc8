/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random datagrams from a host of site A to a host of site B: fragmented or
 * not by the host, translated at A, split or not on the way, translated at B,
 * put together again. What arrives is what was sent, but for addresses, and
 * its checksum is as right or wrong as it was: recomputed here in the plainest
 * way.
 */
#include "gwd/header.h"
#include "tests/unit/gwd/site.h"
#include "tests/unit/run.h"

#define ROUNDS	  3000
#define ROOM_MAX  4096
#define DGRAM_MAX 2048

static uint64_t rng;

static uint32_t
draw(uint32_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(rng >> 33) % below;
}

/* A host is at `ip` on its own network and at `ea` on the other. */
struct host {
	struct addr ip, ea, gw;
	struct ref ref;
};

struct pair {
	struct gw_settings a, b;
	struct maps *at_a, *at_b;
	struct host from, to; /* of A, of B */
};

struct dgram {
	uint8_t proto, ttl;
	bool df;
	uint16_t ident;
	size_t field; /* where its checksum is; 0: none over addresses */
	size_t len;
	uint8_t l4[DGRAM_MAX];
};

static struct ref
random_ref(void)
{
	static const size_t lens[] = {1, 3, 4, 7, 8, 15, 16};
	size_t len = lens[draw(ARRAY_LEN(lens))], i;
	struct ref r = {0};

	for (i = 0; i < len; i++)
		r.b[REF_LEN - 1 - i] = (uint8_t)(1 + draw(255));
	if (draw(2))
		r.b[0] = (uint8_t)draw(256);
	return r;
}

static struct addr
random_addr(uint8_t ver, uint8_t first, uint8_t second)
{
	struct addr a = addr_zero(ver);
	size_t i;

	for (i = 2; i < addr_len(ver); i++)
		a.b[i] = (uint8_t)draw(256);
	a.b[0] = first;
	a.b[1] = second;
	a.b[3] |= 2; /* not the gateway's own address */
	return a;
}

static struct maps *
site_maps(const struct addr *pub, const struct host *local,
	const struct host *remote)
{
	struct maps *m = maps_new(pub, 2);
	struct msg_entry e = {.born = 1};

	ck_assert_ptr_nonnull(m);
	e.arec = (struct arec){
		.ip = local->ip, .gw = local->gw, .ref = local->ref};
	ck_assert_int_eq(maps_set(m, &e), 0);
	e.arec = (struct arec){
		.ea = remote->ea, .gw = remote->gw, .ref = remote->ref};
	ck_assert_int_eq(maps_set(m, &e), 0);
	return m;
}

static void
pair_init(struct pair *p)
{
	uint8_t ver = draw(2) ? 4 : 6;

	p->a = (struct gw_settings){
		.local_ver = 4,
		.tunnel_ver = ver,
		.pub = random_addr(ver, 0x20, 1),
		.own_local = random_addr(4, 10, 240),
		.own_ref = ref_from_u64(0x100), /* never drawn */
		.encode_net = {.addr = random_addr(4, 10, 240), .len = 12},
	};
	p->a.encode_net.addr = addr_zero(4);
	p->a.encode_net.addr.b[0] = 10;
	p->a.encode_net.addr.b[1] = 240;
	p->b = p->a;
	p->b.pub = random_addr(ver, 0x20, 2);
	p->from = (struct host){random_addr(4, 192, 168),
		random_addr(4, 10, 241), p->a.pub, random_ref()};
	p->to = (struct host){random_addr(4, 192, 168), random_addr(4, 10, 242),
		p->b.pub, random_ref()};
	p->at_a = site_maps(&p->a.pub, &p->from, &p->to);
	p->at_b = site_maps(&p->b.pub, &p->to, &p->from);
}

static void
pair_fini(struct pair *p)
{
	maps_free(p->at_a);
	maps_free(p->at_b);
}

/* The sum over a datagram and, where its checksum covers them, its addresses;
 * of a right one 0. */
static uint32_t
residue(const struct dgram *d, const struct addr *src, const struct addr *dst)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < d->len; i++)
		sum += i % 2 ? d->l4[i] : (uint64_t)d->l4[i] << 8;
	if (d->field) {
		sum += d->proto + d->len;
		for (i = 0; i < 4; i++)
			sum += (uint64_t)(src->b[i] + dst->b[i])
			       << (i % 2 ? 0 : 8);
	}
	return (uint32_t)(sum % 0xffff);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

static void
random_dgram(struct dgram *d, const struct pair *p)
{
	static const struct {
		uint8_t proto;
		size_t field, min;
	} kinds[] = {
		{6, 16, 20},
		{17, 6, 8},
		{33, 6, 12},
		{136, 6, 8},
		{1, 2, 8},
		{132, 0, 0},
		{47, 0, 0},
		{4, 0, 0},
	};
	size_t kind = draw(ARRAY_LEN(kinds)), i;
	size_t field = kinds[kind].field;

	d->proto = kinds[kind].proto;
	d->field = d->proto == 1 ? 0 : field;
	d->ttl = (uint8_t)draw(256);
	d->df = draw(2);
	d->ident = (uint16_t)draw(65536);
	d->len = kinds[kind].min + draw(draw(4) ? 64 : 1400);
	for (i = 0; i < d->len; i++)
		d->l4[i] = (uint8_t)(draw(8) ? draw(256) : 0xff * draw(2));
	if (d->proto == 1)
		put16(d->l4, draw(2) ? 0x0800 : 0); /* echo */
	if (!field)
		return;
	put16(d->l4 + field, 0);
	put16(d->l4 + field, 0xffff - residue(d, &p->from.ip, &p->to.ea));
	if (!draw(8))
		put16(d->l4 + field, draw(65536));
	if (d->proto == 17 && !draw(8))
		put16(d->l4 + field, 0);
}

/* The datagram's piece [off, off + len) as an IPv4 packet; returns its size.
 */
static size_t
make_packet(const struct dgram *d, const struct pair *p, size_t off, size_t len,
	uint8_t *out)
{
	size_t header = 20 + (draw(4) ? 0 : 4 * (1 + draw(3)));
	bool more = off + len < d->len;

	memset(out, 1, header); /* options: no operation */
	out[0] = (uint8_t)(0x40 + header / 4);
	put16(out + 2, (uint32_t)(header + len));
	put16(out + 4, d->ident);
	put16(out + 6, (d->df ? 0x4000u : 0) | (more ? 0x2000u : 0) |
			       (uint32_t)(off / 8));
	out[8] = d->ttl;
	out[9] = d->proto;
	put16(out + 10, 0);
	memcpy(out + 12, p->from.ip.b, 4);
	memcpy(out + 16, p->to.ea.b, 4);
	memcpy(out + header, d->l4 + off, len);
	return header + len;
}

/* What has arrived of a datagram. */
struct arrived {
	struct dgram d;
	size_t have; /* bytes */
};

static void
arrive(struct arrived *got, const struct dgram *sent, const struct pair *p,
	const uint8_t *tunnel, size_t len)
{
	uint8_t buf[ROOM_MAX];
	struct packet_in in = {
		.p = tunnel, .len = len, .from = p->a.pub, .number = 0x7777};
	struct packet_out out = {.p = buf, .size = sizeof(buf)};
	size_t off, n;
	bool fragment;
	uint32_t sum = 0, i;

	decap(&p->b, p->at_b, &in, &out);
	ck_assert_int_eq(out.drop, DROP_NONE);
	ck_assert_uint_eq(out.len, get16(buf + 2));
	ck_assert_uint_eq(buf[0], 0x45);
	for (i = 0; i < 20; i += 2)
		sum += get16(buf + i);
	ck_assert_uint_eq(sum % 0xffff, 0);
	ck_assert_mem_eq(buf + 12, p->from.ea.b, 4);
	ck_assert_mem_eq(buf + 16, p->to.ip.b, 4);
	ck_assert_uint_eq(buf[8], sent->ttl);
	ck_assert_uint_eq(buf[9], sent->proto);
	ck_assert_int_eq((buf[6] & 0x40) != 0, sent->df);
	fragment = get16(buf + 6) & 0x3fff;
	if (!fragment)
		ck_assert_uint_eq(get16(buf + 4), sent->df ? 0 : 0x7777);
	off = (get16(buf + 6) & 0x1fff) * 8;
	n = out.len - 20;
	ck_assert_uint_le(off + n, sent->len);
	ck_assert_int_eq((buf[6] & 0x20) != 0, off + n < sent->len);
	memcpy(got->d.l4 + off, buf + 20, n);
	got->have += n;
}

/* Through the gateway of A, in pieces or whole, to B. */
static void
carry(struct arrived *got, const struct dgram *sent, const struct pair *p,
	const uint8_t *pkt, size_t len)
{
	uint8_t tunnel[ROOM_MAX], piece[ROOM_MAX];
	struct packet_in in = {.p = pkt, .len = len};
	struct packet_out out = {.p = tunnel, .size = sizeof(tunnel)};
	size_t off = 0, room, n;

	encap(&p->a, p->at_a, &in, &out);
	ck_assert_msg(!out.drop, "%s", drop_label(out.drop));
	ck_assert(addr_eq(&out.peer, &p->b.pub));
	room = HEADER_MAX + 24 + draw(1400);
	if (frag_forbidden(tunnel) || out.len <= room) {
		arrive(got, sent, p, tunnel, out.len);
		return;
	}
	while ((n = frag_piece(tunnel, out.len, room, 0x12340000, &off, piece,
			sizeof(piece)))) {
		ck_assert_uint_le(n, room);
		arrive(got, sent, p, piece, n);
	}
}

static void
compare(const struct dgram *sent, const struct dgram *got, const struct pair *p)
{
	struct dgram masked = *sent, masked_got = *got;

	if (sent->field) {
		put16(masked.l4 + sent->field, 0);
		put16(masked_got.l4 + sent->field, 0);
	}
	ck_assert_mem_eq(masked.l4, masked_got.l4, sent->len);
	if (sent->proto == 17 || sent->proto == 136)
		ck_assert_int_eq(!get16(sent->l4 + 6), !get16(got->l4 + 6));
	if (sent->field && (get16(sent->l4 + sent->field) || sent->proto == 6 ||
				   sent->proto == 33))
		ck_assert_uint_eq(residue(sent, &p->from.ip, &p->to.ea),
			residue(got, &p->from.ea, &p->to.ip));
}

static void
round_trip(const struct pair *p)
{
	static struct dgram sent;
	static struct arrived got;
	uint8_t pkt[DGRAM_MAX + 60];
	size_t off, len, size;
	bool whole = draw(2);

	random_dgram(&sent, p);
	got = (struct arrived){.d = sent};
	memset(got.d.l4, 0xee, sizeof(got.d.l4));
	for (off = 0; off < sent.len || !off; off += len) {
		len = sent.len - off;
		if (!whole && len > 8)
			len = 8 * (1 + draw((uint32_t)(len - 1) / 8));
		size = make_packet(&sent, p, off, len, pkt);
		carry(&got, &sent, p, pkt, size);
		if (!sent.len)
			break;
	}
	ck_assert_uint_eq(got.have, sent.len);
	compare(&sent, &got.d, p);
}

START_TEST(test_roundtrip)
{
	static const uint64_t seeds[] = {1, 20240501, 0xfeedface};
	struct pair p;
	size_t i;
	unsigned round;

	for (i = 0; i < ARRAY_LEN(seeds); i++) {
		rng = seeds[i];
		printf("seed %llu\n", (unsigned long long)seeds[i]);
		for (round = 0; round < ROUNDS; round++) {
			pair_init(&p);
			round_trip(&p);
			pair_fini(&p);
		}
	}
}
END_TEST

RUN_TESTS("roundtrip", test_roundtrip)
