/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets are taken out of `pending` before the worker gets them, because it
 * may offer them again, with another question, while the list is walked.
 */
#include "gwd/wait.h"

#include <event2/event.h>
#include <stdlib.h>

#include "gwd/worker.h"
#include "libipref/log.h"

struct wait {
	struct pending *pending; /* owned */
	struct event *timer;	 /* pending at the next packet's end; owned */
	struct feed *feed;
	struct worker *worker;
};

static void
set_timer(struct wait *w, uint64_t now)
{
	uint64_t next = pending_next_ms(w->pending);
	uint64_t left = next > now ? next - now : 0;
	struct timeval tv = {
		.tv_sec = (time_t)(left / 1000),
		.tv_usec = (suseconds_t)(left % 1000 * 1000),
	};

	/* Without memory for a timer the next packet sets it. */
	if (next != UINT64_MAX && !evtimer_pending(w->timer, NULL))
		(void)evtimer_add(w->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct waiting_list list = TAILQ_HEAD_INITIALIZER(list);
	struct wait *w = arg;
	struct waiting *p;
	uint64_t now = now_ms();

	(void)fd;
	(void)what;
	pending_expire(w->pending, now, &list);
	while ((p = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, p, link);
		worker_drop(w->worker, p, DROP_MAPPER_TIMEOUT);
		waiting_free(p);
	}
	set_timer(w, now);
}

struct wait *
wait_new(struct event_base *base)
{
	struct wait *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->pending = pending_new();
	w->timer = evtimer_new(base, on_timer, w);
	if (!w->pending || !w->timer) {
		wait_free(w);
		return NULL;
	}
	return w;
}

void
wait_free(struct wait *w)
{
	if (!w)
		return;
	if (w->timer)
		event_free(w->timer);
	pending_free(w->pending);
	free(w);
}

void
wait_connect(struct wait *w, struct feed *f, struct worker *worker)
{
	w->feed = f;
	w->worker = worker;
}

/* What can't be asked now is asked when the feed is ready, or has got another
 * answer. */
static bool
ask(struct wait *w, const struct question *q)
{
	if (feed_ask(w->feed, q))
		return false;
	pending_asked(w->pending, q);
	return true;
}

enum drop
wait_packet(struct wait *w, const struct packet_in *in,
	const struct packet_out *out, unsigned asked, uint64_t now_ms)
{
	struct question q = question_of(out->ask, &out->addr, &out->ref);

	switch (pending_add(w->pending, in, out, asked, now_ms)) {
	case PENDING_REFUSED:
		return out->drop;
	case PENDING_FULL:
		return DROP_QUEUE_FULL;
	case PENDING_ASK:
		(void)ask(w, &q);
		break;
	case PENDING_WAITS:
		break;
	}
	set_timer(w, now_ms);
	return DROP_NONE;
}

static void
back(struct wait *w, const struct question *q)
{
	struct waiting_list list = TAILQ_HEAD_INITIALIZER(list);
	struct waiting *p;

	pending_take(w->pending, q, &list);
	while ((p = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, p, link);
		worker_again(w->worker, p);
		waiting_free(p);
	}
}

void
wait_changed(const struct msg_entry *e, void *arg)
{
	struct wait *w = arg;
	struct question q;

	if (!pending_questions(w->pending))
		return;
	if (addr_is_zero(&e->arec.ea)) {
		q = question_of(ASK_REF, &e->arec.ip, &e->arec.ref);
		back(w, &q);
		return;
	}
	q = question_of(ASK_LOOKUP, &e->arec.ea, &e->arec.ref);
	back(w, &q);
	q = question_of(ASK_EA, &e->arec.gw, &e->arec.ref);
	back(w, &q);
}

void
wait_ready(void *arg)
{
	struct wait *w = arg;
	struct question q;

	while (pending_to_ask(w->pending, &q))
		if (!ask(w, &q))
			break;
}

void
wait_answered(const struct question *q, enum feed_answer answer, void *arg)
{
	struct wait *w = arg;

	if (answer == FEED_NONE) {
		if (pending_unanswered(w->pending, q))
			(void)ask(w, q);
	} else {
		if (answer == FEED_NO)
			pending_refuse(w->pending, q, now_ms());
		back(w, q);
	}
	/* There is room for a question that was one too many before. */
	wait_ready(w);
}

const struct pending *
wait_pending(const struct wait *w)
{
	return w->pending;
}
