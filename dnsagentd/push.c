/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pushing.
 *
 * Invariants: n_acked counts the batches in state ACKED, n_sent those in SENT,
 * which are those with a request. The HASH is asked for only when all are
 * ACKED, and there is at most one such request. `timer` belongs to the state:
 * SENDING: the next try after a refusal; ASKING: the next question; HELD: the
 * next heartbeat.
 */
#include "dnsagentd/push.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#include <event2/event.h>

#include "libipref/log.h"

#define WINDOW 64   /* batches unacknowledged at once */
#define ACK_MS 5000 /* mapper.md */

enum batch_state {
	BATCH_WAITS,
	BATCH_SENT,
	BATCH_ACKED,
};

struct batch {
	struct push *push;
	size_t first, n; /* records */
	enum batch_state state;
	uint32_t id; /* the last one used */
	bool sent_once;
	struct mreq *request; /* SENT */
};

struct push {
	struct push_config cfg;
	struct set set; /* owned */
	struct batch *batches;
	size_t n_batches, n_acked, n_sent;
	size_t next; /* no batch before it is in state WAITS */
	struct mreq *hash_request;
	struct event *timer;
	uint64_t backoff_ms;
	bool unsure; /* connected anew since the first batch: a NACK of the
		      * HASH is then no surprise */
	struct log_limit limit;
	struct push_stats stats;
};

static void pump(struct push *p);

static const char *
name_of(const struct push *p, char buf[SOURCE_TEXT_MAX])
{
	return source_format(p->cfg.source, buf);
}

static void
arm(struct push *p, uint64_t ms)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};

	if (evtimer_add(p->timer, &tv))
		log_err("push: no timer: no memory");
}

/* A random number from low up to, not including, high. */
static uint64_t
random_between(uint64_t low, uint64_t high)
{
	uint64_t r = 0;

	if (high <= low || getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return low;
	return low + r % (high - low);
}

static void
back_off(struct push *p)
{
	arm(p, p->backoff_ms);
	p->backoff_ms *= 2;
	if (p->backoff_ms > p->cfg.interval_ms)
		p->backoff_ms = p->cfg.interval_ms;
	if (p->backoff_ms < p->cfg.ack_ms)
		p->backoff_ms = p->cfg.ack_ms;
}

/* --- messages ------------------------------------------------------------- */

static struct msg
make_msg(const struct push *p, enum msg_cmd cmd, uint32_t count)
{
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = (uint8_t)cmd,
		.count = count,
		.hash = p->set.hash,
	};

	msg_set_source(&m, p->cfg.source);
	return m;
}

/* Records that fit into one batch; 0 when not even one does. */
static size_t
batch_room(const struct push *p)
{
	struct msg m = make_msg(p, MSG_MC_HOST_DATA, 1);
	uint8_t buf[MSG_BATCH_MAX];
	size_t len;

	m.id = 1;
	if (msg_encode(&m, &p->cfg.fmt, buf, sizeof(buf), &len))
		return 0;
	return (sizeof(buf) - len) / msg_arec_len(&p->cfg.fmt);
}

static bool
echoes(const struct push *p, const struct msg *answer, uint32_t count)
{
	return answer->count == count && answer->hash == p->set.hash;
}

/* --- the hash ------------------------------------------------------------- */

static void
forget_acks(struct push *p)
{
	size_t i;

	for (i = 0; i < p->n_batches; i++)
		p->batches[i].state = BATCH_WAITS;
	p->n_acked = p->next = 0;
	p->unsure = false;
	p->stats.state = PUSH_SENDING;
	p->stats.batches_acked = 0;
}

static void
take_hash_ack(struct push *p)
{
	char name[SOURCE_TEXT_MAX];

	if (p->stats.state != PUSH_HELD)
		log_info("source %s: the mapper holds %zu records",
			name_of(p, name), p->set.n);
	p->stats.state = PUSH_HELD;
	p->stats.hash_acks++;
	p->stats.held_ms = now_ms();
	p->backoff_ms = p->cfg.ack_ms;
	p->unsure = false;
	arm(p, random_between(p->cfg.interval_ms / 10 * 9, p->cfg.interval_ms));
}

/* What it held, or got over a broken connection, may well be gone: it gets it
 * again at once. Straight after a whole set it makes no sense: later. */
static void
take_hash_nack(struct push *p)
{
	bool expected = p->stats.state == PUSH_HELD || p->unsure;
	char name[SOURCE_TEXT_MAX];

	log_limited(&p->limit, LOG_LEVEL_NOTICE,
		"source %s: the mapper does not hold the set: it is sent again",
		name_of(p, name));
	p->stats.hash_nacks++;
	forget_acks(p);
	if (expected)
		pump(p);
	else
		back_off(p);
}

/* Asked again: at once when the time for an answer is over already. */
static void
no_answer(struct push *p, bool timeout)
{
	char name[SOURCE_TEXT_MAX];

	log_limited(&p->limit, LOG_LEVEL_WARN, "source %s: %s",
		name_of(p, name),
		timeout ? "the mapper does not answer: asked again"
			: "the mapper answers for another set: asked again");
	arm(p, timeout ? 1 : p->cfg.ack_ms);
}

static void
on_hash_done(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct push *p = arg;
	uint32_t count = (uint32_t)p->set.n;

	p->hash_request = NULL;
	if (res == MCLIENT_ACK && echoes(p, answer, count))
		take_hash_ack(p);
	else if (res == MCLIENT_NACK)
		take_hash_nack(p);
	else if (res != MCLIENT_GONE)
		no_answer(p, res == MCLIENT_TIMEOUT);
}

static void
ask_hash(struct push *p)
{
	struct msg m = make_msg(p, MSG_MC_HOST_DATA_HASH, (uint32_t)p->set.n);

	if (p->hash_request)
		return;
	p->hash_request = mclient_request(
		p->cfg.mapper, &m, p->cfg.ack_ms, 0, on_hash_done, p);
	/* Without a connection push_up() will ask. */
	if (!p->hash_request && errno != ENOTCONN)
		arm(p, p->cfg.ack_ms);
}

/* --- batches -------------------------------------------------------------- */

static void
take_batch_ack(struct batch *b)
{
	struct push *p = b->push;

	b->state = BATCH_ACKED;
	p->stats.batches_acked = ++p->n_acked;
	if (p->n_acked < p->n_batches) {
		pump(p);
		return;
	}
	p->stats.state = PUSH_ASKING;
	ask_hash(p);
}

static void
on_batch_done(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct batch *b = arg;
	struct push *p = b->push;
	char name[SOURCE_TEXT_MAX];

	b->request = NULL;
	b->state = BATCH_WAITS;
	p->n_sent--;
	if (p->next > (size_t)(b - p->batches))
		p->next = (size_t)(b - p->batches);
	if (res == MCLIENT_ACK && echoes(p, answer, b->id)) {
		take_batch_ack(b);
	} else if (res == MCLIENT_TIMEOUT) {
		log_limited(&p->limit, LOG_LEVEL_WARN,
			"source %s: the mapper does not acknowledge: sent "
			"again",
			name_of(p, name));
		pump(p);
	} else if (res != MCLIENT_GONE) {
		p->stats.refused++;
		log_limited(&p->limit, LOG_LEVEL_WARN,
			"source %s: the mapper refuses a batch of %zu records",
			name_of(p, name), b->n);
		if (!evtimer_pending(p->timer, NULL))
			back_off(p);
	}
}

/* False: not now. */
static bool
send_batch(struct batch *b)
{
	struct push *p = b->push;
	struct msg m;

	b->id = (uint32_t)random_between(1, UINT32_MAX);
	m = make_msg(p, MSG_MC_HOST_DATA, b->id);
	m.n = b->n;
	m.arecs = b->n ? p->set.v + b->first : NULL;
	b->request = mclient_request(
		p->cfg.mapper, &m, p->cfg.ack_ms, 0, on_batch_done, b);
	if (!b->request) {
		if (errno != ENOTCONN)
			arm(p, p->cfg.ack_ms);
		return false;
	}
	b->state = BATCH_SENT;
	p->n_sent++;
	p->stats.batches++;
	p->stats.resent += b->sent_once;
	b->sent_once = true;
	return true;
}

/* Sends what waits, as far as the window goes; a pause after a refusal holds
 * until its timer. */
static void
pump(struct push *p)
{
	if (evtimer_pending(p->timer, NULL))
		return;
	for (; p->next < p->n_batches && p->n_sent < WINDOW; p->next++)
		if (p->batches[p->next].state == BATCH_WAITS &&
			!send_batch(&p->batches[p->next]))
			return;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct push *p = arg;

	(void)fd;
	(void)what;
	if (p->stats.state == PUSH_SENDING)
		pump(p);
	else if (p->stats.state != PUSH_NOTHING)
		ask_hash(p);
}

/* --- the set -------------------------------------------------------------- */

static void
cancel_all(struct push *p)
{
	size_t i;

	if (p->hash_request)
		mclient_cancel(p->cfg.mapper, p->hash_request);
	p->hash_request = NULL;
	for (i = 0; i < p->n_batches; i++)
		if (p->batches[i].request)
			mclient_cancel(p->cfg.mapper, p->batches[i].request);
	p->n_sent = 0;
	free(p->batches);
	p->batches = NULL;
	p->n_batches = 0;
	evtimer_del(p->timer);
}

struct push *
push_new(struct event_base *base, const struct push_config *cfg)
{
	struct push *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->cfg = *cfg;
	if (!p->cfg.ack_ms)
		p->cfg.ack_ms = ACK_MS;
	p->backoff_ms = p->cfg.ack_ms;
	p->set.hash = MSG_EMPTY_SET_HASH;
	p->timer = evtimer_new(base, on_timer, p);
	if (!p->timer) {
		free(p);
		return NULL;
	}
	return p;
}

void
push_free(struct push *p)
{
	if (!p)
		return;
	cancel_all(p);
	event_free(p->timer);
	set_fini(&p->set);
	free(p);
}

static void
cut_batches(struct push *p, struct batch *batches, size_t n, size_t room)
{
	size_t i;

	for (i = 0; i < n; i++) {
		batches[i].push = p;
		batches[i].first = i * room;
		batches[i].n = p->set.n - i * room;
		if (batches[i].n > room)
			batches[i].n = room;
	}
	p->batches = batches;
	p->n_batches = n;
}

int
push_take(struct push *p, struct set *set)
{
	size_t room, n;
	struct batch *batches;

	if (p->stats.state != PUSH_NOTHING && p->set.hash == set->hash &&
		p->set.n == set->n) {
		set_fini(set);
		return 0;
	}
	room = batch_room(p);
	if (!room)
		bug("no record fits into a batch");
	n = set->n ? (set->n + room - 1) / room : 1;
	batches = calloc(n, sizeof(*batches));
	if (!batches)
		return -ENOMEM;
	cancel_all(p);
	set_fini(&p->set);
	p->set = *set;
	*set = (struct set){.hash = MSG_EMPTY_SET_HASH};
	cut_batches(p, batches, n, room);
	p->backoff_ms = p->cfg.ack_ms;
	p->stats.sets++;
	p->stats.records = p->set.n;
	p->stats.hash = p->set.hash;
	p->stats.n_batches = n;
	forget_acks(p);
	pump(p);
	return 0;
}

void
push_up(struct push *p)
{
	if (p->stats.state == PUSH_NOTHING)
		return;
	/* Pauses were about the connection before. */
	evtimer_del(p->timer);
	p->unsure = true;
	if (p->stats.state == PUSH_SENDING)
		pump(p);
	else
		ask_hash(p);
}

void
push_set_interval(struct push *p, uint64_t interval_ms)
{
	p->cfg.interval_ms = interval_ms;
	if (p->stats.state == PUSH_HELD && evtimer_pending(p->timer, NULL))
		arm(p, random_between(interval_ms / 10 * 9, interval_ms));
}

const struct push_stats *
push_stats(const struct push *p)
{
	return &p->stats;
}

const char *
push_state_text(enum push_state s)
{
	static const char *const texts[] = {
		[PUSH_NOTHING] = "no set yet",
		[PUSH_SENDING] = "being sent",
		[PUSH_ASKING] = "sent",
		[PUSH_HELD] = "held by the mapper",
	};

	return (size_t)s < ARRAY_LEN(texts) ? texts[s] : "unknown";
}
