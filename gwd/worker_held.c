/* SPDX-License-Identifier: GPL-2.0-or-later */
/* First fragments of ICMPv6 echoes that wait for the last one; a tick looks
 * after them while there are any. */
#include <errno.h>
#include <event2/event.h>

#include "gwd/held.h"
#include "gwd/worker_impl.h"

static void
drop_lost(struct worker *w, struct waiting_list *lost)
{
	struct waiting *p;
	struct job j;

	while ((p = TAILQ_FIRST(lost))) {
		TAILQ_REMOVE(lost, p, link);
		j = job_of(p);
		job_drop(w, &j, DROP_ECHO_WAITS);
		waiting_free(p);
	}
}

static void
start_timer(struct worker *w)
{
	static const struct timeval tick = {.tv_usec = 500000};

	if (held_packets(w->held) && !event_pending(w->held_end, EV_TIMEOUT, 0))
		(void)event_add(w->held_end, &tick);
}

static void
on_held_end(evutil_socket_t fd, short what, void *arg)
{
	struct waiting_list lost = TAILQ_HEAD_INITIALIZER(lost);
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->now_ms = now_ms();
	held_expire(w->held, w->now_ms, &lost);
	drop_lost(w, &lost);
	start_timer(w);
}

void
hold_first(struct worker *w, struct job *j, const struct packet_out *out)
{
	struct waiting_list lost = TAILQ_HEAD_INITIALIZER(lost);
	uint32_t whole;

	if (!held_first(w->held, j->way, &j->in, out, j->asked, w->now_ms,
		    &whole, &lost)) {
		job_drop(w, j, out->drop);
	} else if (whole) {
		j->in.whole = whole;
		job_again(w, j);
	} else {
		job_waits(w, j);
	}
	drop_lost(w, &lost);
	start_timer(w);
}

void
hold_last(struct worker *w, const struct job *j, const struct packet_out *out)
{
	struct waiting_list lost = TAILQ_HEAD_INITIALIZER(lost);
	struct waiting *first =
		held_last(w->held, j->way, &j->in, out, w->now_ms, &lost);
	struct job next;

	drop_lost(w, &lost);
	if (!first)
		return;
	next = job_of(first);
	job_again(w, &next);
	waiting_free(first);
}

int
hold_init(struct worker *w)
{
	w->held = held_new();
	w->held_end = evtimer_new(w->cfg.base, on_held_end, w);
	return w->held && w->held_end ? 0 : -ENOMEM;
}

void
hold_fini(struct worker *w)
{
	if (w->held_end)
		event_free(w->held_end);
	held_free(w->held);
}

size_t
worker_held(const struct worker *w)
{
	return held_packets(w->held);
}
