/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every request ends in one call of its on_...(): also when the connection ends
 * (MCLIENT_GONE), and then before the next one is there. So a batch that is
 * under way is always of this connection.
 */
#include "gwd/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gwd/maps.h"
#include "libipref/log.h"

#define BATCH_MAX 1000	/* records: one packet holds them */
#define ANEW_MAX  16384 /* entries in a tick: a millisecond or two */

struct batch {
	struct arec recs[BATCH_MAX];
	size_t n;
	bool under_way;
};

struct report {
	struct report_config cfg;
	struct report_stats stats;
	struct batch used;   /* n: not yet acknowledged */
	struct batch proved; /* n: under way */
	struct batch held;   /* the last portion */
	uint64_t used_ms;    /* last report */
	uint64_t anew_ms;    /* since when use is told once */
	size_t n_anew;	     /* entries of which it may be told anew */
	uint64_t prove_ms;   /* not before */
	struct log_limit limit;
};

/* False: it can't be sent (logged), done() will not be called. */
static bool
tell(struct report *r, uint8_t cmd, const struct batch *b, uint64_t timeout_ms,
	mclient_done done)
{
	const struct msg m = {
		.mode = MSG_REQ, .cmd = cmd, .n = b->n, .arecs = b->recs};

	if (mclient_request(r->cfg.mc, &m, timeout_ms, 0, done, r))
		return true;
	log_limited(&r->limit, LOG_LEVEL_WARN, "feed: %s can't be sent: %s",
		msg_cmd_name(cmd), strerror(errno));
	return false;
}

/* --- held --------------------------------------------------------------- */

static void hold_next(struct report *r);

static void
on_held(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct report *r = arg;
	struct arec a;
	size_t i;

	if (res == MCLIENT_GONE)
		return;
	if (res != MCLIENT_ACK) {
		r->stats.unheld++;
		r->cfg.held(false, r->cfg.arg);
		return;
	}
	for (i = 0; i < answer->n; i++) {
		a = msg_arec(answer, i);
		if (!maps_is_tentative(r->cfg.maps, &a))
			continue;
		maps_del(r->cfg.maps, &a);
		r->stats.not_held++;
	}
	hold_next(r);
}

static void
hold_next(struct report *r)
{
	struct batch *b = &r->held;

	b->n = maps_walk_next(r->cfg.maps, b->recs, BATCH_MAX);
	if (!b->n)
		r->cfg.held(true, r->cfg.arg);
	else if (tell(r, MSG_FEED_HOLD, b, r->cfg.hold, on_held))
		r->stats.held += b->n;
	else
		r->cfg.held(false, r->cfg.arg);
}

void
report_hold(struct report *r)
{
	maps_walk(r->cfg.maps);
	hold_next(r);
}

/* --- proved ------------------------------------------------------------- */

static void report_proved(struct report *r);

/* The changes that an ACK is about have come before it. */
static void
proved_acked(struct report *r)
{
	struct batch *b = &r->proved;
	bool more = b->n == BATCH_MAX;
	size_t i;

	for (i = 0; i < b->n; i++)
		if (maps_is_tentative(r->cfg.maps, &b->recs[i]))
			r->stats.refused++;
		else
			r->stats.promoted++;
	if (more)
		report_proved(r);
}

static void
proved_again(struct report *r)
{
	size_t i;

	for (i = 0; i < r->proved.n; i++)
		maps_prove(r->cfg.maps, &r->proved.recs[i]);
}

static void
on_proved(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct report *r = arg;

	(void)answer;
	r->proved.under_way = false;
	if (res == MCLIENT_ACK) {
		proved_acked(r);
		return;
	}
	proved_again(r);
	if (res != MCLIENT_GONE)
		r->prove_ms = now_ms() + r->cfg.retry;
}

static void
report_proved(struct report *r)
{
	struct batch *b = &r->proved;

	b->n = maps_take_proved(r->cfg.maps, b->recs, BATCH_MAX);
	if (!b->n)
		return;
	b->under_way = tell(r, MSG_FEED_PROVED, b, r->cfg.reply, on_proved);
	if (b->under_way)
		r->stats.proved += b->n;
	else
		proved_again(r);
}

/* --- in use ------------------------------------------------------------- */

static void
on_used(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct report *r = arg;
	struct batch *b = &r->used;
	bool more = b->n == BATCH_MAX;

	(void)answer;
	b->under_way = false;
	if (res == MCLIENT_TIMEOUT || res == MCLIENT_GONE)
		return; /* they are reported again */
	if (res == MCLIENT_ACK)
		r->stats.used += b->n;
	else
		log_limited(&r->limit, LOG_LEVEL_WARN,
			"feed: the mapper refused a report of %zu entries in "
			"use",
			b->n);
	b->n = 0;
	if (more)
		report_used(r);
}

void
report_used(struct report *r)
{
	struct batch *b = &r->used;

	if (b->under_way)
		return;
	b->n += maps_take_used(r->cfg.maps, b->recs + b->n, BATCH_MAX - b->n);
	r->used_ms = now_ms();
	b->under_way = tell(r, MSG_FEED_USED, b, r->cfg.reply, on_used);
}

/* --- life --------------------------------------------------------------- */

/* An entry's use is told once in such a time, however often it is used: 100,000
 * of them would be told of all the time. Of many it takes several ticks. */
static void
use_anew(struct report *r, uint64_t now)
{
	size_t n;

	if (now - r->anew_ms >= r->cfg.used) {
		r->anew_ms = now;
		r->n_anew = maps_taken_count(r->cfg.maps);
	}
	n = r->n_anew < ANEW_MAX ? r->n_anew : ANEW_MAX;
	r->n_anew -= n;
	maps_use_anew(r->cfg.maps, n);
}

void
report_tick(struct report *r, uint64_t now)
{
	if (!r->proved.under_way && now >= r->prove_ms)
		report_proved(r);
	if (now - r->used_ms >= r->cfg.used ||
		maps_used_count(r->cfg.maps) >= BATCH_MAX)
		report_used(r);
	use_anew(r, now);
}

struct report *
report_new(const struct report_config *cfg)
{
	struct report *r = calloc(1, sizeof(*r));

	if (r) {
		r->cfg = *cfg;
		r->anew_ms = now_ms();
	}
	return r;
}

void
report_free(struct report *r)
{
	free(r);
}

const struct report_stats *
report_stats(const struct report *r)
{
	return &r->stats;
}
