/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker with an IPv6 local network: echoes in fragments go on together,
 * or are dropped when the last one never comes. */
#include "tests/unit/gwd/worker_rig.h"

#define HEADER6 48 /* with a fragment header */
#define IPREF_HEADER_I                                                         \
	28	 /* of an IPREF packet: IPV4 contexts, short references */
#define ECHO  24 /* bytes of the whole message */
#define FIRST 16 /* of them in the first fragment */

static const struct addr host6 = {6, {0xfd, [15] = 1}};
static const struct addr ea6 = {6, {0xfd, 0x02, [15] = 2}};

static void
rig_init6(struct rig *r)
{
	struct msg_entry e = {.flags = MSG_ENTRY_LISTED,
		.arec = {.ip = host6, .ref = ref_from_u64(9)}};

	rig_init(r, 1500);
	r->set.local_ver = 6;
	r->set.own_local = (struct addr){6, {0xfd, 0x02, [15] = 1}};
	r->set.encode_net = (struct prefix){{6, {0xfd, 0x02}}, 16};
	ck_assert_int_eq(maps_set(r->maps, &e), 0);
	e = remote(&ea6, 7);
	ck_assert_int_eq(maps_set(r->maps, &e), 0);
}

/* The part [off, off + len) of an echo request. */
static void
sends_part(struct rig *r, uint32_t ident, size_t off, size_t len)
{
	uint8_t echo[ECHO] = {128, 0, 0x12, 0x34}, p[HEADER6 + ECHO] = {0};
	bool more = off + len < ECHO;
	struct wbuf w;

	wbuf_init(&w, p, sizeof(p));
	wbuf_be32(&w, 6u << 28);
	wbuf_be16(&w, 8 + len);
	wbuf_be16(&w, 44 << 8 | 64);
	addr_put(&w, &host6, 6);
	addr_put(&w, &ea6, 6);
	wbuf_be16(&w, 58 << 8);
	wbuf_be16(&w, off | more);
	wbuf_be32(&w, ident);
	wbuf_bytes(&w, echo + off, len);
	ck_assert(wbuf_ok(&w));
	host_sends_packet(r, p, w.len);
}

static void
sends_first(struct rig *r, uint32_t ident)
{
	sends_part(r, ident, 0, FIRST);
}

static void
sends_last(struct rig *r, uint32_t ident)
{
	sends_part(r, ident, FIRST, ECHO - FIRST);
}

static void
peer_gets_part(struct rig *r, uint32_t ident, size_t off, size_t len)
{
	uint8_t p[256];
	struct rbuf b;

	rbuf_init(&b, p, receive(r, r->peer, p, sizeof(p)));
	ck_assert_uint_eq(rbuf_be32(&b), 0x13404001);
	ck_assert_uint_eq(rbuf_be32(&b), off | (off + len < ECHO));
	ck_assert_uint_eq(rbuf_be32(&b), ident);
	ck_assert_uint_eq(b.len, IPREF_HEADER_I + len);
	if (off == 0)
		ck_assert_uint_eq(p[IPREF_HEADER_I], 8);
}

START_TEST(test_first_comes_first)
{
	struct rig r;

	rig_init6(&r);
	sends_first(&r, 1);
	sends_last(&r, 2); /* another's */
	peer_gets_part(&r, 2, FIRST, ECHO - FIRST);
	ck_assert_uint_eq(counted(&r)->waited, 1);
	ck_assert(is_empty(r.peer));
	sends_last(&r, 1);
	peer_gets_part(&r, 1, FIRST, ECHO - FIRST);
	peer_gets_part(&r, 1, 0, FIRST);
	ck_assert_uint_eq(counted(&r)->packets[WAY_OUT], 3);
	rig_fini(&r);
}
END_TEST

START_TEST(test_last_comes_first)
{
	struct rig r;

	rig_init6(&r);
	sends_last(&r, 1);
	sends_first(&r, 1);
	peer_gets_part(&r, 1, FIRST, ECHO - FIRST);
	peer_gets_part(&r, 1, 0, FIRST);
	ck_assert_uint_eq(counted(&r)->waited, 0);
	rig_fini(&r);
}
END_TEST

START_TEST(test_last_never_comes)
{
	struct rig r;

	rig_init6(&r);
	sends_first(&r, 1);
	sends_first(&r, 2);
	RUN_UNTIL(&r.mp, counted(&r)->drops[DROP_ECHO_WAITS] == 2);
	ck_assert_uint_eq(counted(&r)->waited, 2);
	sends_last(&r, 1);
	peer_gets_part(&r, 1, FIRST, ECHO - FIRST);
	ck_assert_uint_eq(counted(&r)->packets[WAY_OUT], 1);
	ck_assert(is_empty(r.peer));
	rig_fini(&r);
}
END_TEST

RUN_TESTS("worker6", test_first_comes_first, test_last_comes_first,
	test_last_never_comes)
