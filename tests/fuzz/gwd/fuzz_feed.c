/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gwd's copy of the mappings under any sequence of messages from a mapper,
 * connections that end, answers that never come, questions and packets.
 *
 * Input: steps of a byte that says what and 2 bytes of number or length, then a
 * packet's bytes (steps PACKET, and ANSWER: the answer to a request, whose
 * mode, command and id are put right).
 */
#include <event2/event.h>

#include "gwd/feed.h"
#include "gwd/report.h"
#include "tests/fuzz/gwd/mclient.h"

#define MAX 32 /* entries of the copy */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step { /* seeds.py knows them too */
	PACKET,
	ANSWER,
	REFUSE,
	TIME_OUT,
	UP,
	DOWN,
	TIME,
	ASK,
	CARRY,
	N_STEPS
};

struct bench {
	struct feed *feed;
	struct maps *maps;
	struct event_base *base;
	uint64_t asked, answers;
};

static const struct msg_format fmt = {4, 4, MSG_DIALECT_1};

static void
on_changed(const struct msg_entry *e, void *arg)
{
	struct bench *b = arg;

	/* it is held, or another that was there before */
	if (addr_is_zero(&e->arec.ea))
		REQUIRE(maps_by_ip(b->maps, &e->arec.ip) ||
			!addr_is_zero(&e->arec.gw));
	else
		REQUIRE(maps_by_ea(b->maps, &e->arec.ea));
}

static void
on_answered(const struct question *q, enum feed_answer answer, void *arg)
{
	struct bench *b = arg;

	b->answers++;
	if (answer != FEED_YES)
		return;
	if (q->ask == ASK_LOOKUP)
		REQUIRE(maps_by_ea(b->maps, &q->addr) ||
			feed_stats(b->feed)->not_held);
	else if (q->ask == ASK_EA)
		REQUIRE(maps_remote(b->maps, &q->addr, &q->ref) ||
			feed_stats(b->feed)->not_held);
}

static void
on_ready(void *arg)
{
	struct bench *b = arg;

	REQUIRE(feed_can_ask(b->feed));
}

/* --- steps ------------------------------------------------------------------
 */

static void
packet(const uint8_t *p, size_t len)
{
	struct msg m;

	if (msg_decode(&m, &fmt, p, len) == MSG_OK)
		fake_packet(fake, &m);
}

/* Mode, command and id of its header become those of an answer to r. */
static void
answer(const struct mreq *r, uint8_t mode, const uint8_t *p, size_t len)
{
	uint8_t *copy;

	if (!r || len < MSG_HEADER)
		return;
	copy = malloc(len);
	REQUIRE(copy);
	memcpy(copy, p, len);
	copy[1] = (uint8_t)(mode << 6 | r->cmd);
	copy[2] = (uint8_t)(r->id >> 8);
	copy[3] = (uint8_t)r->id;
	copy[6] = (uint8_t)(len / 4 >> 8);
	copy[7] = (uint8_t)(len / 4);
	packet(copy, len);
	free(copy);
}

static void
ask(struct bench *b, unsigned n)
{
	struct addr gw = {4, {198, 51, 100, 1}}, ea = {4, {10, 240, 1}};
	struct addr ip = {4, {192, 168, 84}};
	struct ref ref = ref_from_u64(n >> 2), none = {0};
	struct question q;

	ea.b[3] = ip.b[3] = (uint8_t)(n >> 2);
	if (n % 4 == 0)
		q = question_of(ASK_LOOKUP, &ea, &none);
	else if (n % 4 == 1)
		q = question_of(ASK_REF, &ip, &none);
	else
		q = question_of(ASK_EA, &gw, &ref);
	if (!feed_ask(b->feed, &q))
		b->asked++;
}

static void
carry(struct bench *b, unsigned n)
{
	struct addr ea = {4, {10, 240, 1, (uint8_t)(n >> 1)}};
	const struct map *e = maps_by_ea(b->maps, &ea);

	if (e)
		maps_used(b->maps, e, n % 2 ? WAY_IN : WAY_OUT);
}

static void
step(struct bench *b, struct rbuf *r)
{
	enum step what = rbuf_u8(r) % N_STEPS;
	unsigned n = rbuf_be16(r);
	struct mreq *req = fake_nth(fake, n >> 12);
	size_t len = n % 4096 < rbuf_left(r) ? n % 4096 : rbuf_left(r);

	switch (what) {
	case PACKET:
		packet(rbuf_take(r, len), len);
		break;
	case ANSWER:
		answer(req, MSG_ACK, rbuf_take(r, len), len);
		break;
	case REFUSE:
		answer(req, MSG_NACK, rbuf_take(r, len), len);
		break;
	case TIME_OUT:
		if (req)
			fake_end(fake, req, MCLIENT_TIMEOUT, NULL);
		break;
	case UP:
		fake_up(fake);
		break;
	case DOWN:
		fake_down(fake);
		break;
	case TIME:
		fake_now += n * (n % 16 ? 1 : 5000);
		event_base_loop(b->base, EVLOOP_NONBLOCK);
		break;
	case ASK:
		ask(b, n);
		break;
	case CARRY:
		carry(b, n);
		break;
	case N_STEPS:
		break;
	}
	if (fake->resetting)
		fake_down(fake);
}

/* --- what always holds
 * -------------------------------------------------------- */

static void
check(const struct bench *b)
{
	const struct feed_stats *s = feed_stats(b->feed);
	size_t held = maps_count(b->maps, true) + maps_count(b->maps, false);

	REQUIRE(s->state < FEED_N_STATES);
	REQUIRE(fake->up || s->state == FEED_AWAY);
	REQUIRE(held <= MAX);
	REQUIRE(maps_count_tentative(b->maps) <= maps_count(b->maps, true));
	/* a copy that is not whole is not named */
	REQUIRE(s->state != FEED_COPYING || (!s->store && !s->revision));
	REQUIRE(b->asked == s->asked);
	REQUIRE(b->answers == s->yes + s->no + s->unanswered);
	REQUIRE(b->answers <= b->asked);
	/* every question is under way or has been answered */
	REQUIRE(fake->up || b->answers == b->asked);
}

static struct feed *
new_feed(struct bench *b)
{
	const struct addr pub = {4, {192, 0, 2, 1}};
	struct feed_config cfg = {
		.path = "none",
		.fmt = fmt,
		.profile = {{{4, {10, 240}}, 12}, pub, ref_from_u64(1)},
		.times = feed_times_default,
		.changed = on_changed,
		.answered = on_answered,
		.ready = on_ready,
		.arg = b,
	};

	cfg.times.tick = 0; /* at each turn of the loop */
	b->maps = maps_new(&pub, MAX);
	REQUIRE(b->maps);
	cfg.maps = b->maps;
	return feed_new(b->base, &cfg);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct event_base *base;
	struct bench b = {0};
	struct rbuf r;

	if (!base)
		base = event_base_new();
	REQUIRE(base);
	log_init("fuzz", (enum log_level)0, false);
	fake_now = 1000000;
	b.base = base;
	b.feed = new_feed(&b);
	REQUIRE(b.feed);
	rbuf_init(&r, data, size);
	while (rbuf_ok(&r) && rbuf_left(&r)) {
		step(&b, &r);
		check(&b);
	}
	feed_free(b.feed);
	maps_free(b.maps);
	return 0;
}
