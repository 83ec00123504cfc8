/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last drop about an address: about whom a packet is, what is remembered,
 * and that nothing wrong is ever found. */
#include "gwd/recent.h"

#include <stdlib.h>
#include <string.h>

#include "gwd/header.h"
#include "tests/unit/run.h"

static struct recent *
fresh(uint64_t seed)
{
	struct recent *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	recent_init(r, seed);
	return r;
}

static const struct addr host = {4, {192, 168, 84, 10}};
static const struct addr ea = {4, {10, 240, 1, 7}};
static const struct addr peer = {4, {198, 51, 100, 1}};
static const struct addr pub = {4, {192, 0, 2, 1}};

/* An IPv4 header from host to ea; all that is looked at. */
static void
out(struct recent *r, enum drop drop, uint64_t now)
{
	uint8_t pkt[28] = {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17};
	const struct packet_in in = {.p = pkt, .len = sizeof(pkt)};

	memcpy(pkt + 12, host.b, 4);
	memcpy(pkt + 16, ea.b, 4);
	recent_note(r, drop, WAY_OUT, &in, now);
}

/* A datagram from the peer's host 5 to ours with 7; cut to len. */
static void
in(struct recent *r, enum drop drop, size_t len, uint64_t now)
{
	const struct header h = {.ttl = 64,
		.proto = 17,
		.src_gw = peer,
		.dst_gw = pub,
		.src_ref = ref_from_u64(5),
		.dst_ref = ref_from_u64(7)};
	uint8_t pkt[64];
	struct wbuf w;
	struct packet_in datagram = {.p = pkt, .len = len, .from = peer};

	wbuf_init(&w, pkt, sizeof(pkt));
	header_encode(&w, &h);
	wbuf_zeros(&w, 8);
	ck_assert(wbuf_ok(&w) && len <= w.len);
	recent_note(r, drop, WAY_IN, &datagram, now);
}

START_TEST(test_out)
{
	struct recent *r = fresh(1);
	const struct recent_drop *d;

	ck_assert_ptr_null(recent_get(r, RECENT_LOCAL, &host, NULL));
	out(r, DROP_TOO_BIG, 1000);
	out(r, DROP_DST_UNKNOWN, 3000);
	out(r, DROP_ICMP_LIMITED, 4000); /* is about our answer */
	d = recent_get(r, RECENT_LOCAL, &host, NULL);
	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(d->drop, DROP_DST_UNKNOWN);
	ck_assert_int_eq(d->way, WAY_OUT);
	ck_assert_uint_eq(d->at_ms, 3000);
	ck_assert_uint_eq(d->since_ms, 1000);
	ck_assert_uint_eq(d->count, 2);
	ck_assert_uint_eq(d->len, 28);
	ck_assert(addr_eq(&d->src, &host) && addr_eq(&d->dst, &ea));
	ck_assert(!d->refs);
	ck_assert_ptr_nonnull(recent_get(r, RECENT_LOCAL, &ea, NULL));
	/* An address of another kind is another one. */
	ck_assert_ptr_null(recent_get(r, RECENT_PEER, &host, NULL));
	ck_assert_ptr_null(recent_get(r, RECENT_LOCAL, &peer, NULL));
	free(r);
}
END_TEST

START_TEST(test_in)
{
	struct recent *r = fresh(2);
	const struct ref five = ref_from_u64(5), seven = ref_from_u64(7);
	const struct recent_drop *d;

	in(r, DROP_REF_UNKNOWN, 28, 500);
	d = recent_get(r, RECENT_IPREF, &peer, &five);
	ck_assert_ptr_nonnull(d);
	ck_assert(d->refs && ref_eq(&d->dst_ref, &seven) &&
		  ref_eq(&d->src_ref, &five));
	ck_assert(addr_eq(&d->src, &peer) && addr_eq(&d->dst, &pub));
	ck_assert_int_eq(d->way, WAY_IN);
	ck_assert_ptr_nonnull(recent_get(r, RECENT_OWN, NULL, &seven));
	ck_assert_ptr_nonnull(recent_get(r, RECENT_PEER, &peer, NULL));
	ck_assert_ptr_null(recent_get(r, RECENT_IPREF, &peer, &seven));
	ck_assert_ptr_null(recent_get(r, RECENT_OWN, NULL, &five));
	ck_assert_ptr_null(recent_get(r, RECENT_IPREF, &pub, &five));
	free(r);
}
END_TEST

/* What can't be read is about the sender only, or about nobody. */
START_TEST(test_cut)
{
	static const uint8_t local[] = {0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0,
		0, 192, 168, 84, 10, 10, 240, 1, 7};
	struct packet_in cut = {.p = local};
	struct recent *r = fresh(3);
	const struct recent_drop *d;
	size_t len, i;

	for (len = 0; len < HEADER_MIN; len++)
		in(r, DROP_TUNNEL_SHORT, len, 500 + len);
	d = recent_get(r, RECENT_PEER, &peer, NULL);
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->count, HEADER_MIN);
	ck_assert(!d->refs && d->dst.ver == 0);
	for (i = 0, len = 0; i < RECENT_SLOTS; i++)
		len += r->slots[i].key.kind != RECENT_NONE;
	ck_assert_uint_eq(len, 1);
	for (; cut.len < sizeof(local); cut.len++)
		recent_note(r, DROP_TOO_SHORT, WAY_OUT, &cut, 900);
	ck_assert_ptr_null(recent_get(r, RECENT_LOCAL, &host, NULL));
	cut.len = sizeof(local);
	recent_note(r, DROP_TOO_SHORT, WAY_OUT, &cut, 900);
	ck_assert_ptr_nonnull(recent_get(r, RECENT_LOCAL, &host, NULL));
	free(r);
}
END_TEST

/* A flood of others' makes it forget, and never mix up: what is found is about
 * whom it was asked for. */
START_TEST(test_flood)
{
	struct recent *r = fresh(4);
	struct packet_in datagram = {.p = NULL, .len = 0, .from = {.ver = 4}};
	struct addr a = {.ver = 4};
	const struct recent_drop *d;
	size_t found = 0;
	uint32_t i;

	for (i = 0; i < 50000; i++) {
		memcpy(datagram.from.b, &i, sizeof(i));
		recent_note(r, DROP_TUNNEL_SHORT, WAY_IN, &datagram, 1000 + i);
	}
	for (i = 0; i < 50000; i++) {
		memcpy(a.b, &i, sizeof(i));
		d = recent_get(r, RECENT_PEER, &a, NULL);
		if (!d)
			continue;
		found++;
		ck_assert(addr_eq(&d->src, &a));
		ck_assert_uint_eq(d->at_ms, 1000 + i);
		ck_assert_uint_eq(d->count, 1);
	}
	/* The hash spreads: nearly every slot is somebody's. */
	ck_assert_uint_gt(found, RECENT_SLOTS * 9 / 10);
	free(r);
}
END_TEST

/* Who shares a slot depends on the seed. */
START_TEST(test_seed)
{
	struct recent *r = fresh(5), *other = fresh(6);
	size_t i, same = 0, used = 0;

	out(r, DROP_TOO_BIG, 1);
	in(r, DROP_REF_UNKNOWN, 28, 1);
	out(other, DROP_TOO_BIG, 1);
	in(other, DROP_REF_UNKNOWN, 28, 1);
	for (i = 0; i < RECENT_SLOTS; i++) {
		used += r->slots[i].key.kind != RECENT_NONE;
		same += r->slots[i].key.kind != RECENT_NONE &&
			other->slots[i].key.kind != RECENT_NONE;
	}
	ck_assert_uint_eq(used, 5);
	ck_assert_uint_lt(same, used);
	free(r);
	free(other);
}
END_TEST

RUN_TESTS("recent", test_out, test_in, test_cut, test_flood, test_seed)
