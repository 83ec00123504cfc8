/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exchanges of deployed programs, replayed; who may ask what; garbage. */
#include <inttypes.h>
#include <stdio.h>

#include "rig.h"
#include "tests/unit/run.h"
#include "tests/unit/vec.h"

static const struct combination {
	const char *name, *net, *pub;
	const char *elsewhere; /* as public address: the vectors' is foreign */
	const char *own_local;
} combinations[] = {
	{"44", "10.240.0.0/12", "192.0.2.1", "198.51.100.99", "10.240.0.1"},
	{"46", "10.240.0.0/12", "2001:db8:2::1", "2001:db8:ffff::1",
		"10.240.0.1"},
	{"64", "fd00:240::/64", "192.0.2.1", "198.51.100.99", "fd00:240::1"},
	{"66", "fd00:240::/64", "2001:db8:2::1", "2001:db8:ffff::1",
		"fd00:240::1"},
};

/* Where ours answers otherwise than what was captured: by the exchange's name
 * behind the combination. */
static const struct otherwise {
	const char *name;
	enum {
		SAME_AS_ACK, /* the captured bytes, but ACK */
		NACK_ONLY,
		OWN_LOCAL, /* ACK with the gateway's own local address */
		GATEWAY,   /* ACK of GET_EA or GET_REF */
		NOTHING,
		SKIP, /* taken in another state of the gateway */
	} how;
} otherwise[] = {
	{"agent-empty-hash-1", SAME_AS_ACK},
	{"agent-go-hash-2", SAME_AS_ACK},
	{"test-get-ea-ref-0", NACK_ONLY},
	{"test-get-ea-own-public", OWN_LOCAL},
	{"test-refused-byte-4-zero",
		NOTHING}, /* the connection has a dialect */
	{"test-get-ea-on-socket-GET_EA", GATEWAY},
	{"test-get-ref-on-socket-GET_REF", GATEWAY},
	{"test-get-ea-pool-spent", SKIP},
	{"new-get-ea-nack", SKIP},
};

static const struct otherwise *
find_otherwise(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(otherwise); i++)
		if (!strcmp(otherwise[i].name, name))
			return &otherwise[i];
	return NULL;
}

/* Bytes that the block says to vary are made the expected ones. */
static void
apply_vary(const struct vec_block *b, uint8_t *got, const uint8_t *want,
	size_t len)
{
	unsigned off, n;
	const char *v;
	size_t i;

	for (i = 0; (v = vec_nth(b, "vary", i)); i++) {
		ck_assert_int_eq(sscanf(v, "answer %u %u", &off, &n), 2);
		ck_assert_uint_le(off + n, len);
		memcpy(got + off, want + off, n);
	}
}

/* The bytes that ours answers with instead; their number. */
static size_t
expect_otherwise(const struct combination *co, const struct otherwise *o,
	const struct msg_format *fmt, const struct msg *req, uint8_t *want,
	size_t len)
{
	struct msg m = {.mode = MSG_NACK, .cmd = req->cmd, .id = req->id};
	struct arec rec;

	if (o->how == SAME_AS_ACK) {
		want[1] = (uint8_t)((want[1] & 63) | MSG_ACK << 6);
		return len;
	}
	if (o->how == OWN_LOCAL) {
		rec = msg_arec(req, 0);
		rec.ea = addr_of(co->own_local);
		m.mode = MSG_ACK;
		m.arecs = &rec;
		m.n = 1;
	}
	if (o->how == NOTHING)
		return 0;
	ck_assert_int_eq(msg_encode(&m, fmt, want, MSG_MAX, &len), MSG_OK);
	return len;
}

/* The remote entry that an ACK told of: (gw, ref) leads to one ea for good. */
static void
check_told(struct rig *r, const struct msg *answer)
{
	struct arec rec;
	const struct entry *e;
	struct entry_key key;

	if (answer->mode != MSG_ACK || answer->cmd != MSG_MC_GET_EA)
		return;
	rec = msg_arec(answer, 0);
	key = (struct entry_key){rec.gw, rec.ref};
	e = entries_remote(mapper_entries(rig_mapper(r)), &key);
	if (e)
		ck_assert(addr_eq(&e->addr, &rec.ea));
}

static void
check_gateway_answer(struct rig_client *c, const struct msg *req)
{
	struct msg answer = rig_out(c, 0);
	struct arec rec = msg_arec(&answer, 0);

	ck_assert_int_eq(answer.mode, MSG_ACK);
	ck_assert_uint_eq(answer.id, req->id);
	ck_assert_uint_eq(answer.mark.owner, OWNER_MAPPER);
	if (req->cmd == MSG_GET_EA)
		ck_assert_uint_ge(addr_second_byte(&rec.ea), 16);
	else
		ck_assert_uint_eq(ref_wire_len(&rec.ref), 16);
}

static void
exchange(struct rig_client *c, const struct combination *co,
	const struct vec_block *b, const char *name)
{
	static uint8_t request[MSG_MAX], want[MSG_MAX];
	const struct otherwise *o = find_otherwise(name);
	const char *answer = vec_get(b, "answer");
	struct msg_format before = c->fmt;
	size_t len = vec_hex(vec_get(b, "request"), request, MSG_MAX);
	size_t want_len = answer ? vec_hex(answer, want, MSG_MAX) : 0;
	struct msg req = {0}, out;

	if (o && o->how == SKIP)
		return;
	rig_clear(c->rig);
	rig_packet(c, request, len);
	rig_pump(c->rig);
	ck_assert_ptr_null(c->rig->fatal);
	if (o && o->how != NOTHING)
		ck_assert_int_eq(
			msg_decode(&req, &before, request, len), MSG_OK);
	if (o && o->how == GATEWAY) {
		check_gateway_answer(c, &req);
		return;
	}
	if (o)
		want_len =
			expect_otherwise(co, o, &c->fmt, &req, want, want_len);
	ck_assert_msg(c->rig->n_out == (want_len ? 1 : 0), "%s/%s: %zu answers",
		co->name, name, c->rig->n_out);
	if (!want_len)
		return;
	out = rig_out(c, 0);
	check_told(c->rig, &out);
	ck_assert_msg(c->rig->out[0].len == want_len, "%s/%s: length %zu",
		co->name, name, c->rig->out[0].len);
	if (!o)
		apply_vary(b, c->rig->out[0].bytes, want, want_len);
	/* A made-up answer has a made-up ea. */
	if (vec_get(b, "derived") && out.cmd == MSG_MC_GET_EA)
		memcpy(c->rig->out[0].bytes + 12, want + 12,
			addr_len(c->fmt.local_ver));
	ck_assert_msg(!memcmp(c->rig->out[0].bytes, want, want_len),
		"%s/%s: another answer", co->name, name);
}

/* All exchanges of one kind of client, in order, on one connection. */
static unsigned
replay(const struct combination *co, const char *who, bool derived)
{
	struct rig *r = malloc(sizeof(*r));
	struct rig_client *c;
	struct vec_file f;
	struct vec_block b;
	const char *name;
	unsigned n = 0;

	/* Deployed gateways allot for their own address too; for resolvers the
	 * vectors are only of use when that address is not ours. */
	rig_init(r, co->net, strcmp(who, "resolver") ? co->pub : co->elsewhere);
	c = rig_join(r, ROLE_ALL);
	vec_open(&f, "mapper.txt");
	while (vec_next(&f, &b)) {
		name = vec_get(&b, "exchange");
		if (!name || strncmp(name, co->name, 2) || name[2] != '/' ||
			strcmp(vec_get(&b, "who"), who) ||
			!vec_get(&b, "derived") == derived)
			continue;
		exchange(c, co, &b, name + 3);
		n++;
	}
	vec_close(&f);
	rig_fini(r);
	free(r);
	return n;
}

START_TEST(test_replay)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(combinations); i++) {
		ck_assert_uint_ge(replay(&combinations[i], "agent", false), 20);
		ck_assert_uint_eq(
			replay(&combinations[i], "resolver", false), 8);
		ck_assert_uint_ge(replay(&combinations[i], "test", false), 39);
		ck_assert_uint_eq(replay(&combinations[i], "agent", true), 2);
		ck_assert_uint_eq(
			replay(&combinations[i], "resolver", true), 2);
	}
}
END_TEST

static struct msg
question(uint8_t cmd, const struct arec *rec)
{
	return (struct msg){
		.mode = MSG_REQ, .cmd = cmd, .id = 7, .arecs = rec, .n = 1};
}

/* Each message from a client of each set of roles: answered, refused, ignored.
 */
START_TEST(test_roles)
{
	static const struct {
		uint8_t cmd;
		unsigned needs;
	} rows[] = {
		{MSG_MC_GET_EA, ROLE_RESOLVE},
		{MSG_GET_EA, ROLE_FEED},
		{MSG_GET_REF, ROLE_FEED},
		{MSG_FEED_USED, ROLE_FEED},
		{MSG_LOOKUP_EA, ROLE_RESOLVE},
	};
	static struct rig r;
	struct rig_client *clients[8];
	struct arec rec = {
		.gw = addr_of("203.0.113.9"), .ref = ref_from_u64(5)};
	struct msg m, answer;
	unsigned roles;
	size_t i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	for (roles = 0; roles < 8; roles++)
		clients[roles] = rig_join(&r, roles);
	for (i = 0; i < ARRAY_LEN(rows); i++)
		for (roles = 0; roles < 8; roles++) {
			rec.ip = addr_of(
				rows[i].cmd == MSG_GET_REF ||
						rows[i].cmd == MSG_FEED_USED
					? "192.168.1.1"
					: "0.0.0.0");
			m = question(rows[i].cmd, &rec);
			answer = rig_ask(clients[roles], &m);
			if (rows[i].needs & ~roles)
				ck_assert_int_eq(answer.mode, MSG_NACK);
			else if (rows[i].cmd != MSG_LOOKUP_EA)
				ck_assert_int_eq(answer.mode, MSG_ACK);
		}
	ck_assert_uint_eq(server_stats(r.server)->forbidden, 20);
	rig_fini(&r);
}
END_TEST

/* A client may not have more questions under way than the bound: it is not
 * read from until they are answered; one that leaves costs nothing. */
START_TEST(test_in_flight)
{
	static struct rig r;
	struct rig_client *c, *other;
	struct arec rec = {.gw = addr_of("203.0.113.9")};
	struct msg m;
	unsigned i;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	other = rig_join(&r, ROLE_ALL);
	for (i = 1; i <= IN_FLIGHT_MAX; i++) {
		ck_assert(!c->paused);
		rec.ref = ref_from_u64(i);
		m = question(MSG_MC_GET_EA, &rec);
		rig_request(c, &m);
	}
	ck_assert(c->paused);
	rec.ref = ref_from_u64(5000);
	rig_request(other, &m);
	server_leave(r.server, other->id);
	rig_pump(&r);
	ck_assert(!c->paused);
	ck_assert_uint_eq(r.n_out, IN_FLIGHT_MAX);
	ck_assert_uint_eq(server_clients(r.server), 1);
	rig_fini(&r);
}
END_TEST

/* Cut, changed and made-up packets: nothing but counters, and a question
 * afterwards is answered. */
START_TEST(test_garbage)
{
	static struct rig r;
	struct rig_client *c;
	struct arec rec = {
		.gw = addr_of("203.0.113.9"), .ref = ref_from_u64(5)};
	struct dice dice = {11};
	uint8_t good[MSG_MAX], bad[512];
	struct msg m = question(MSG_MC_GET_EA, &rec), answer;
	struct vec_block b;
	struct vec_file f;
	size_t len, cut, i;
	int round;

	rig_init(&r, "10.240.0.0/12", "192.0.2.1");
	c = rig_join(&r, ROLE_ALL);
	c->fmt.dialect = MSG_DIALECT_1;
	vec_open(&f, "mapper.txt");
	while (vec_next(&f, &b)) {
		if (!vec_get(&b, "exchange"))
			continue;
		len = vec_hex(vec_get(&b, "request"), good, sizeof(good));
		for (cut = 0; cut < len; cut++) {
			rig_packet(c, good, cut);
			rig_pump(&r);
			rig_clear(&r);
		}
	}
	vec_close(&f);
	for (round = 0; round < 200000; round++) {
		len = roll_below(&dice, sizeof(bad));
		roll_bytes(bad, len, &dice);
		if (len >= 8 && round % 2) { /* a header that passes */
			len &= ~(size_t)3;
			bad[0] = MSG_SIGNATURE;
			bad[1] = (uint8_t)(64 | roll_below(&dice, 40));
			bad[4] = 0x44;
			bad[5] = 0;
			bad[6] = (uint8_t)(len / 4 >> 8);
			bad[7] = (uint8_t)(len / 4);
		}
		rig_packet(c, bad, len);
		if (round % 64 == 0) {
			r.now += 100;
			mapper_tick(rig_mapper(&r));
			rig_pump(&r);
			rig_clear(&r);
		}
	}
	rig_pump(&r);
	ck_assert_ptr_null(r.fatal);
	ck_assert_uint_gt(r.refused, 100000);
	answer = rig_ask(c, &m);
	ck_assert_int_eq(answer.mode, MSG_ACK);
	for (i = 0; i < r.n_clients; i++)
		ck_assert_uint_ne(r.clients[i].id, 0);
	rig_fini(&r);
}
END_TEST

RUN_TESTS("server", test_replay, test_roles, test_in_flight, test_garbage)
