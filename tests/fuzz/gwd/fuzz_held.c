/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First fragments that wait for their last ones, in any order: each comes back
 * once, with the length that was told for it, and what is held is bounded.
 *
 * Input: steps of a byte that says what and which way, who, which message, and
 * 2 bytes of length or time.
 */
#include "gwd/held.h"
#include "libipref/buf.h"
#include "tests/fuzz/gwd/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct held *held;
	struct waiting_list lost;
	uint64_t now;
	size_t packets; /* held, as we count them */
	size_t bytes;
	struct packet_in in;
	struct packet_out out;
};

static void
came_back(struct bench *b, struct waiting *p)
{
	REQUIRE(b->packets > 0);
	b->packets--;
	b->bytes -= p->in.len;
	waiting_free(p);
}

static void
lose(struct bench *b)
{
	struct waiting *p;

	while ((p = TAILQ_FIRST(&b->lost))) {
		TAILQ_REMOVE(&b->lost, p, link);
		REQUIRE(!p->in.whole);
		came_back(b, p);
	}
}

static void
first(struct bench *b, enum way way, uint16_t len)
{
	static const uint8_t bytes[UINT16_MAX + 1];
	uint32_t whole;
	bool held;

	b->in.p = bytes;
	b->in.len = len;
	b->out.ask = ASK_WHOLE;
	b->out.drop = DROP_ECHO_WAITS;
	b->out.whole = 0;
	held = held_first(
		b->held, way, &b->in, &b->out, 0, b->now, &whole, &b->lost);
	lose(b);
	REQUIRE(held || !whole);
	if (held && !whole) {
		b->packets++;
		b->bytes += len;
	}
}

static void
last(struct bench *b, enum way way, uint16_t len)
{
	struct waiting *p;

	b->out.whole = len + 1u;
	p = held_last(b->held, way, &b->in, &b->out, b->now, &b->lost);
	lose(b);
	if (!p)
		return;
	REQUIRE(p->in.whole == len + 1u);
	REQUIRE(addr_eq(&p->in.from, &b->in.from));
	came_back(b, p);
}

static void
step(struct bench *b, struct rbuf *r)
{
	uint8_t what = rbuf_u8(r), who = rbuf_u8(r), which = rbuf_u8(r);
	enum way way = what & 1 ? WAY_IN : WAY_OUT;
	uint16_t n = rbuf_be16(r);

	b->in.from = way == WAY_IN ? (struct addr){4, {192, 0, 2, who}}
				   : (struct addr){0};
	b->out.echo = (struct echo){
		{6, {0xfd, [15] = who}}, {6, {0xfe, [15] = 1}}, which};
	switch ((what >> 1) % 4) {
	case 0:
	case 1:
		first(b, way, n);
		break;
	case 2:
		last(b, way, n);
		break;
	case 3:
		b->now += n % 2000;
		held_expire(b->held, b->now, &b->lost);
		lose(b);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench b = {.now = 1000};
	struct rbuf r;

	TAILQ_INIT(&b.lost);
	b.held = held_new();
	REQUIRE(b.held);
	rbuf_init(&r, data, size);
	while (rbuf_ok(&r) && rbuf_left(&r)) {
		step(&b, &r);
		REQUIRE(held_packets(b.held) == b.packets);
		REQUIRE(b.packets <= (size_t)WAY_N * HELD_MAX);
		REQUIRE(b.bytes <= (size_t)WAY_N * HELD_BYTES);
	}
	held_expire(b.held, b.now + HELD_MS, &b.lost);
	lose(&b);
	REQUIRE(!b.packets && !held_packets(b.held));
	held_free(b.held);
	return 0;
}
