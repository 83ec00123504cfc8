/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The recent changes against a plain array: what comes out is what went in, of
 * all IP versions, the newest revisions and each of them whole. */
#include "help.h"
#include "mapperd/ring.h"
#include "tests/unit/run.h"

#define N_PLAIN 4096
#define MAX	100

struct plain {
	uint64_t revision;
	struct op op;
};

static struct msg_profile
profile_of(uint8_t local_ver, uint8_t tunnel_ver)
{
	return (struct msg_profile){
		.encode_net = {.addr = addr_zero(local_ver)},
		.pub = addr_zero(tunnel_ver),
	};
}

static struct addr
roll_addr(struct dice *dice, uint8_t ver)
{
	uint8_t bytes[16];
	size_t i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(roll(dice) >> 32);
	return addr_from_bytes(ver, bytes);
}

static struct op
roll_op(struct dice *dice, uint8_t local_ver, uint8_t tunnel_ver)
{
	static const uint32_t owners[] = {
		OWNER_MAPPER, OWNER_HOSTS, OWNER_TENTATIVE, OWNER_SOURCE + 9};
	struct op op = {.kind = roll_below(dice, 2) ? OP_ADD : OP_DEL,
		.data = {
			.kind = roll_below(dice, 2) ? ENTRY_LOCAL
						    : ENTRY_REMOTE,
			.owner = owners[roll_below(dice, ARRAY_LEN(owners))],
			.addr = roll_addr(dice, local_ver),
			.key.gw = roll_addr(dice, tunnel_ver),
		}};
	struct addr ref = roll_addr(dice, 6);

	memcpy(op.data.key.ref.b, ref.b, REF_LEN);
	return op;
}

static void
check_item(const struct ring *r, size_t i, const struct plain *p)
{
	struct ring_item item = ring_at(r, i);
	struct msg_entry is = ring_entry(&item);
	struct msg_entry was = ring_entry_of(&p->op.data, p->revision);

	ck_assert_uint_eq(item.revision, p->revision);
	ck_assert_int_eq(item.removed, p->op.kind == OP_DEL);
	ck_assert_int_eq(item.kind, p->op.data.kind);
	ck_assert_uint_eq(is.flags, was.flags);
	ck_assert_uint_eq(is.born, was.born);
	ck_assert(addr_eq(&is.arec.ea, &was.arec.ea));
	ck_assert(addr_eq(&is.arec.ip, &was.arec.ip));
	ck_assert(addr_eq(&is.arec.gw, &was.arec.gw));
	ck_assert(ref_eq(&is.arec.ref, &was.arec.ref));
}

/* The ring has the newest of these, up to its bound: whole revisions. */
static void
check_ring(const struct ring *r, const struct plain *p, size_t n)
{
	size_t i, room = n < MAX ? 0 : n - MAX;

	ck_assert_uint_le(r->n, MAX);
	ck_assert_uint_eq(r->seq, n - r->n);
	for (i = 0; i < r->n; i++)
		check_item(r, i, &p[n - r->n + i]);
	/* The one before has gone, with all of its revision, for want of room.
	 */
	if (r->n < n) {
		ck_assert_uint_eq(r->oldest, p[n - r->n - 1].revision);
		ck_assert(!r->n || p[n - r->n].revision > r->oldest);
		for (i = n - r->n; i && p[i - 1].revision == r->oldest; i--)
			;
		ck_assert_uint_lt(i, room);
	}
	ck_assert_uint_eq(ring_above(r, r->oldest), 0);
}

static void
fill(uint8_t local_ver, uint8_t tunnel_ver)
{
	static struct plain p[N_PLAIN];
	const struct msg_profile profile = profile_of(local_ver, tunnel_ver);
	struct dice dice = {91};
	uint64_t revision = UINT64_C(0x123456789a);
	struct ring r;
	size_t i, k, n = 0;

	ck_assert_int_eq(ring_init(&r, MAX, revision, &profile), 0);
	while (n + 8 < N_PLAIN) {
		revision++;
		k = 1 + roll_below(&dice, 8);
		ring_begin(&r, revision, k);
		for (i = 0; i < k; i++, n++) {
			p[n] = (struct plain){revision,
				roll_op(&dice, local_ver, tunnel_ver)};
			ck_assert(ring_takes(&r, &p[n].op.data));
			ring_add(&r, revision, &p[n].op);
		}
		check_ring(&r, p, n);
	}
	/* Where one who lacks a revision goes on. */
	for (i = 1; i < r.n; i++)
		if (p[n - r.n + i].revision != p[n - r.n + i - 1].revision)
			ck_assert_uint_eq(
				ring_above(&r, p[n - r.n + i - 1].revision), i);
	ck_assert_uint_eq(ring_above(&r, revision), r.n);
	ring_fini(&r);
}

START_TEST(test_random)
{
	fill(4, 4);
	fill(4, 6);
	fill(6, 4);
	fill(6, 6);
}
END_TEST

/* A change as large as all that is kept is kept, a larger one ends it all. */
START_TEST(test_largest)
{
	const struct msg_profile profile = profile_of(4, 4);
	struct dice dice = {92};
	struct plain p[MAX + 1];
	struct ring r;
	size_t i, n;

	for (n = MAX; n <= MAX + 1; n++) {
		ck_assert_int_eq(ring_init(&r, MAX, 5, &profile), 0);
		p[0] = (struct plain){6, roll_op(&dice, 4, 4)};
		ring_begin(&r, 6, 1);
		ring_add(&r, 6, &p[0].op);
		ring_begin(&r, 7, n);
		for (i = 0; i < n; i++) {
			p[i] = (struct plain){7, roll_op(&dice, 4, 4)};
			ring_add(&r, 7, &p[i].op);
		}
		ck_assert_uint_eq(r.n, n <= MAX ? n : 0);
		ck_assert_uint_eq(r.oldest, n <= MAX ? 6 : 7);
		for (i = 0; i < r.n; i++)
			check_item(&r, i, &p[i]);
		ring_fini(&r);
	}
}
END_TEST

/* Followers know no other versions; and what a recent change may cost: with the
 * mapping itself it is to stay below 300 bytes. */
START_TEST(test_versions)
{
	static const uint8_t vers[] = {4, 6};
	struct dice dice = {93};
	struct msg_profile profile;
	struct ring r;
	struct op op;
	unsigned i;

	for (i = 0; i < 16; i++) {
		profile = profile_of(vers[i & 1], vers[i >> 1 & 1]);
		ck_assert_int_eq(ring_init(&r, MAX, 1, &profile), 0);
		op = roll_op(&dice, vers[i >> 2 & 1], vers[i >> 3 & 1]);
		ck_assert_int_eq(ring_takes(&r, &op.data), (i & 3) == i >> 2);
		ck_assert_uint_le(r.size, (i & 3) ? 60 : 36);
		ring_fini(&r);
	}
}
END_TEST

RUN_TESTS("ring", test_random, test_largest, test_versions)
