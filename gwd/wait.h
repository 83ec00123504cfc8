/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What stands between the worker and the feed: packets that wait, the questions
 * that they wait for, and their way back.
 *
 * A packet goes back to the worker when the answer to its question has come, or
 * a change of the mappings that answers it; it is given up when its time is
 * over. While mapperd is away questions are kept (as long as their packets) and
 * asked when it is back.
 */
#ifndef GWD_WAIT_H
#define GWD_WAIT_H

#include "gwd/feed.h"
#include "gwd/pending.h"

struct event_base;
struct wait;
struct worker;

/* NULL: no memory. */
struct wait *wait_new(struct event_base *base) MUSTCHECK;
/* Packets that wait are lost. NULL is fine. */
void wait_free(struct wait *w);
/* Both borrowed; before the loop runs. */
void wait_connect(struct wait *w, struct feed *f, struct worker *worker);

/* Called by the worker: struct worker_config, wait. */
enum drop wait_packet(struct wait *w, const struct packet_in *in,
	const struct packet_out *out, unsigned asked, uint64_t now_ms);
/* Called by the feed: struct feed_config. arg is the struct wait. */
void wait_changed(const struct msg_entry *e, void *arg);
void wait_answered(
	const struct question *q, enum feed_answer answer, void *arg);
void wait_ready(void *arg);

const struct pending *wait_pending(const struct wait *w);

#endif
