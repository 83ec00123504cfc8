/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shows packets to those who ask, as they pass: the command /trace of the
 * control socket (for root and gwd's own user; a filter in its query, see
 * trace.h), a JSON object a line:
 *
 *	{"result": "start"}	from here on
 *	{"result": "passed" ...}	a packet
 *	{"result": "skipped", "packets": N, "why": "rate"}	left out: more
 *		than TRACER_RATE a second; "reader": the reader is too slow
 *
 * Packets are never held up for it: what a reader has not taken is kept up to a
 * bound, the rest is left out and counted. While nobody asks, a packet costs
 * the look at tracer_on(). For the loop's thread, but for tracer_on().
 */
#ifndef GWD_TRACER_H
#define GWD_TRACER_H

#include <stdatomic.h>

#include "gwd/trace.h"

#define TRACER_READERS 8    /* at once */
#define TRACER_RATE    1000 /* packets a second, to each */
#define TRACER_KEPT    1024 /* packets that a reader has not taken yet */

struct ctl;
struct event_base;
struct maps;

struct tracer {
	atomic_size_t n_readers;    /* other threads look at it, too */
	struct tracer_state *state; /* private */
};

/* maps is borrowed. NULL: no memory. */
struct tracer *tracer_new(
	struct event_base *base, const struct maps *maps) MUSTCHECK;
/* After the control socket has ended its streams. NULL is fine. */
void tracer_free(struct tracer *t);
/* Adds the command. */
void tracer_start(struct tracer *t, struct ctl *c);

/* Whether tracer_packet() has anybody to tell. NULL is fine. */
static inline bool
tracer_on(const struct tracer *t)
{
	return t && atomic_load_explicit(&t->n_readers, memory_order_relaxed);
}

void tracer_packet(struct tracer *t, const struct trace_input *in);

#endif
