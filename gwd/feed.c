/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants:
 * 1. stats.store and stats.revision name what the copy holds entirely; both
 *    are 0 from the begin of a full copy to its end, so that one that was cut
 *    short is begun anew. `revision` is that of the last packet: the change it
 *    numbers may have more packets to come, so it counts as whole only when the
 *    next one, or FEED_AT, has come.
 * 2. Once all is there revisions grow by one or stay (while catching up the
 *    mapper leaves out those that others have undone). Anything else is a gap,
 *    and the answer to a gap is to start anew. Tentative entries come and go
 * with the revision that is there and are no part of what it names: FEED_HOLD
 *    before each FEED_START, or a full copy, settles which the mapper has.
 * 3. Changes and answers come over one connection, in the mapper's order: an
 *    answer is never older than what the copy has of it.
 */
#include "gwd/feed.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "gwd/maps.h"
#include "gwd/report.h"
#include "libipref/log.h"

#define REQUESTS_MAX (PENDING_QUESTIONS + 16)
/* Longer than the first packet waits: a question that nobody waits for any more
 * is not asked again. */
#define ANSWER_MS (PENDING_WAIT_MS + 500)

/* In marks: proto/mapper.md, "Owners". */
#define OWNER_MAPPER	1
#define OWNER_TENTATIVE 3

const struct feed_times feed_times_default = {
	.tick = 1000,
	.used = 30000,
	.silence = 15000,
	.refused = 3000,
	.hold = 1000,
	.start = 5000,
	.retry = 5000,
	.keep = 86400000,
	/* The mapper hands their eas out again 10 min after they ended, and
	 * may have heard of them last some time before it went silent. */
	.keep_tentative = 540000,
};

/* A question that mapperd has been asked. */
struct asked {
	LIST_ENTRY(asked) link;
	struct feed *feed;
	struct question q;
};

struct feed {
	struct feed_config cfg;
	struct mclient *mc;
	struct report *report;
	struct event *tick;
	LIST_HEAD(, asked) asked; /* owned */
	struct feed_stats stats;  /* state among them */
	uint64_t revision;	  /* of the last packet */
	uint64_t copy_store;	  /* whose copy is coming */
	uint64_t heard_ms;	  /* last message of the feed */
	uint64_t refused_ms;
	struct log_limit limit;
};

static const char *const state_names[FEED_N_STATES] = {
	[FEED_AWAY] = "away",
	[FEED_HOLDING] = "holding",
	[FEED_STARTING] = "starting",
	[FEED_REFUSED] = "refused",
	[FEED_COPYING] = "copying",
	[FEED_CATCHING_UP] = "catching-up",
	[FEED_FOLLOWING] = "following",
};

const char *
feed_state_name(enum feed_state s)
{
	return s < FEED_N_STATES ? state_names[s] : "?";
}

static void
set_state(struct feed *f, enum feed_state s)
{
	if (f->stats.state >= FEED_COPYING)
		f->stats.followed_ms = now_ms();
	f->stats.state = s;
}

bool
feed_can_ask(const struct feed *f)
{
	return f->stats.state >= FEED_COPYING;
}

static void
forget(struct feed *f)
{
	f->stats.store = f->stats.revision = f->revision = 0;
}

/* The connection is no good any more. */
static void
start_anew(struct feed *f, const char *why)
{
	set_state(f, FEED_AWAY);
	mclient_reset(f->mc, why);
}

/* What we hold can't be what the mapper has. */
static void
gap(struct feed *f, const char *why)
{
	f->stats.gaps++;
	forget(f);
	start_anew(f, why);
}

/* --- the copy ----------------------------------------------------------- */

static void
set_entry(struct feed *f, const struct msg_entry *e)
{
	int err = maps_set(f->cfg.maps, e);

	f->stats.sets++;
	if (err) {
		f->stats.not_held++;
		log_limited(&f->limit, LOG_LEVEL_WARN,
			"feed: an entry is not held: %s", strerror(-err));
		return;
	}
	f->cfg.changed(e, f->cfg.arg);
}

static void
apply(struct feed *f, const struct msg *m)
{
	struct msg_entry e;
	size_t i;

	for (i = 0; i < m->n; i++) {
		e = msg_entry(m, i);
		if (m->cmd == MSG_FEED_SET) {
			set_entry(f, &e);
		} else {
			f->stats.dels++;
			maps_del(f->cfg.maps, &e.arec);
		}
	}
}

static void
on_changes(struct feed *f, const struct msg *m)
{
	bool copying = f->stats.state == FEED_COPYING;
	bool following = f->stats.state == FEED_FOLLOWING;

	if (m->revision < f->revision ||
		(following && m->revision - f->revision > 1)) {
		log_warn("feed: revision %" PRIu64 " after %" PRIu64
			 ": a change is missing",
			m->revision, f->revision);
		gap(f, "a change is missing");
		return;
	}
	if (!copying && m->revision != f->revision)
		f->stats.revision = f->revision;
	f->revision = m->revision;
	apply(f, m);
}

static void
on_at(struct feed *f, const struct msg *m)
{
	bool copying = f->stats.state == FEED_COPYING;
	bool first = f->stats.state != FEED_FOLLOWING;

	if (m->store != (copying ? f->copy_store : f->stats.store) ||
		m->revision < f->revision ||
		(!first && m->revision != f->revision)) {
		log_warn("feed: mapper is at revision %" PRIu64
			 " of %016" PRIx64 ", gateway at %" PRIu64
			 " of %016" PRIx64,
			m->revision, m->store, f->revision,
			copying ? f->copy_store : f->stats.store);
		gap(f, "a change is missing");
		return;
	}
	if (copying)
		maps_sweep(f->cfg.maps);
	f->stats.store = m->store;
	f->stats.revision = f->revision = m->revision;
	set_state(f, FEED_FOLLOWING);
	if (!first)
		return;
	log_info("feed: following at revision %" PRIu64
		 ", %zu mappings of remote hosts, %zu of ours",
		f->stats.revision, maps_count(f->cfg.maps, true),
		maps_count(f->cfg.maps, false));
	report_used(f->report);
}

static void
on_data(const struct msg *m, void *arg)
{
	struct feed *f = arg;

	if (f->stats.state < FEED_COPYING)
		return;
	f->heard_ms = now_ms();
	if (m->cmd == MSG_FEED_SET || m->cmd == MSG_FEED_DEL)
		on_changes(f, m);
	else if (m->cmd == MSG_FEED_AT)
		on_at(f, m);
}

/* --- beginning ---------------------------------------------------------- */

static void
refused(struct feed *f, const struct msg *m)
{
	f->stats.refusals++;
	f->refused_ms = now_ms();
	snprintf(f->stats.refused_why, sizeof(f->stats.refused_why), "%.*s",
		(int)m->str.len, m->str.p);
	log_limited(&f->limit, LOG_LEVEL_ERR, "feed: refused by the mapper: %s",
		f->stats.refused_why);
	set_state(f, FEED_REFUSED);
}

static void
accepted(struct feed *f, const struct msg *m)
{
	bool changes_only = m->count == 1;

	if (m->count > 1 ||
		(changes_only && (m->store != f->stats.store ||
					 m->revision < f->stats.revision))) {
		log_warn("feed: the mapper's answer makes no sense");
		gap(f, "an answer that makes no sense");
		return;
	}
	f->heard_ms = now_ms();
	f->stats.refused_why[0] = '\0';
	if (changes_only) {
		f->stats.catch_ups++;
		f->revision = f->stats.revision;
		set_state(f, FEED_CATCHING_UP);
	} else {
		f->stats.copies++;
		f->copy_store = m->store;
		forget(f);
		maps_begin(f->cfg.maps);
		set_state(f, FEED_COPYING);
	}
	f->cfg.ready(f->cfg.arg);
}

static void
on_started(enum mclient_result res, const struct msg *answer, void *arg)
{
	struct feed *f = arg;

	if (f->stats.state != FEED_STARTING)
		return;
	if (res == MCLIENT_ACK)
		accepted(f, answer);
	else if (res == MCLIENT_NACK)
		refused(f, answer);
	else if (res == MCLIENT_TIMEOUT)
		start_anew(f, "no answer to FEED_START");
}

static void
start(struct feed *f)
{
	const struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_FEED_START,
		.store = f->stats.store,
		.revision = f->stats.revision,
		.profile = f->cfg.profile,
	};

	set_state(f, FEED_STARTING);
	if (!mclient_request(f->mc, &m, f->cfg.times.start, 0, on_started, f))
		start_anew(f, "FEED_START can't be sent");
}

/* Without an answer nobody knows which tentative entries are the mapper's: a
 * full copy tells. */
static void
on_held(bool all, void *arg)
{
	struct feed *f = arg;

	if (f->stats.state != FEED_HOLDING)
		return;
	if (!all) {
		log_warn("feed: the mapper does not say which tentative "
			 "mappings it holds: all are copied");
		forget(f);
	}
	start(f);
}

static void
begin(struct feed *f)
{
	set_state(f, FEED_HOLDING);
	report_hold(f->report);
}

static void
on_up(void *arg)
{
	begin(arg);
}

static void
on_down(void *arg)
{
	struct feed *f = arg;

	if (f->stats.state == FEED_FOLLOWING)
		log_warn("feed: the mapper is gone, forwarding on its "
			 "mappings of revision %" PRIu64,
			f->stats.revision);
	set_state(f, FEED_AWAY);
}

/* --- time --------------------------------------------------------------- */

/* Addresses are handed out anew after their quarantine: what we hold must not
 * outlive it. */
static void
check_age(struct feed *f, uint64_t now)
{
	uint64_t away = now - f->stats.followed_ms;
	size_t n =
		maps_count(f->cfg.maps, true) + maps_count(f->cfg.maps, false);

	if (!n || feed_can_ask(f))
		return;
	if (away >= f->cfg.times.keep_tentative)
		maps_drop_tentative(f->cfg.maps);
	if (away < f->cfg.times.keep)
		return;
	log_err("feed: no mapper for too long, its %zu mappings are dropped",
		n);
	forget(f);
	maps_begin(f->cfg.maps);
	maps_sweep(f->cfg.maps);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct feed *f = arg;
	uint64_t now = now_ms();

	(void)fd;
	(void)what;
	if (f->stats.state == FEED_REFUSED &&
		now - f->refused_ms >= f->cfg.times.refused)
		begin(f);
	else if (feed_can_ask(f) && now - f->heard_ms >= f->cfg.times.silence)
		start_anew(f, "nothing heard");
	else if (feed_can_ask(f))
		report_tick(f->report, now);
	check_age(f, now);
}

/* --- questions ---------------------------------------------------------- */

static const uint8_t ask_cmds[] = {
	[ASK_REF] = MSG_GET_REF,
	[ASK_EA] = MSG_GET_EA,
	[ASK_LOOKUP] = MSG_LOOKUP_EA,
};

/* Whether the record answers the question. */
static bool
fits(const struct feed *f, const struct question *q, const struct arec *a)
{
	if (q->ask == ASK_REF)
		return addr_eq(&a->ip, &q->addr) && addr_is_zero(&a->ea) &&
		       !ref_is_zero(&a->ref);
	if (!addr_is_zero(&a->ip) ||
		!prefix_has(&f->cfg.profile.encode_net, &a->ea))
		return false;
	if (q->ask == ASK_LOOKUP)
		return addr_eq(&a->ea, &q->addr);
	return addr_eq(&a->gw, &q->addr) && ref_eq(&a->ref, &q->ref);
}

/* The feed has brought it already when mapperd made it for this question. */
static bool
is_held(const struct feed *f, const struct arec *a)
{
	const struct map *e;

	if (!addr_is_zero(&a->ip))
		return maps_by_ip(f->cfg.maps, &a->ip);
	e = maps_by_ea(f->cfg.maps, &a->ea);
	return e && addr_eq(&e->gw, &a->gw) && ref_eq(&e->ref, &a->ref);
}

static enum feed_answer
take_answer(struct feed *f, const struct question *q, const struct msg *m)
{
	struct msg_entry e = {.born = m->mark.mark};

	if (m->n != 1)
		return FEED_NO;
	e.arec = msg_arec(m, 0);
	if (m->mark.owner == OWNER_TENTATIVE)
		e.flags = MSG_ENTRY_TENTATIVE;
	else if (m->mark.owner != OWNER_MAPPER)
		e.flags = MSG_ENTRY_LISTED;
	if (!fits(f, q, &e.arec)) {
		log_limited(&f->limit, LOG_LEVEL_WARN,
			"feed: the mapper's answer to %s does not fit",
			msg_cmd_name(ask_cmds[q->ask]));
		return FEED_NO;
	}
	if (!is_held(f, &e.arec))
		set_entry(f, &e);
	return FEED_YES;
}

static void
on_answer(enum mclient_result res, const struct msg *m, void *arg)
{
	struct asked *a = arg;
	struct feed *f = a->feed;
	struct question q = a->q;
	enum feed_answer answer = FEED_NONE;

	LIST_REMOVE(a, link);
	free(a);
	if (res == MCLIENT_NACK)
		answer = FEED_NO;
	else if (res == MCLIENT_ACK)
		answer = take_answer(f, &q, m);
	if (answer == FEED_YES)
		f->stats.yes++;
	else if (answer == FEED_NO)
		f->stats.no++;
	else
		f->stats.unanswered++;
	f->cfg.answered(&q, answer, f->cfg.arg);
}

int
feed_ask(struct feed *f, const struct question *q)
{
	struct arec rec = {0};
	const struct msg m = {.mode = MSG_REQ,
		.cmd = ask_cmds[q->ask],
		.n = 1,
		.arecs = &rec};
	struct asked *a;
	int err;

	if (!feed_can_ask(f))
		return -ENOTCONN;
	if (q->ask == ASK_REF)
		rec.ip = q->addr;
	else if (q->ask == ASK_LOOKUP)
		rec.ea = q->addr;
	else
		rec.gw = q->addr;
	rec.ref = q->ref;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->feed = f;
	a->q = *q;
	if (!mclient_request(f->mc, &m, ANSWER_MS, 0, on_answer, a)) {
		err = errno;
		free(a);
		return -err;
	}
	LIST_INSERT_HEAD(&f->asked, a, link);
	f->stats.asked++;
	return 0;
}

/* --- life --------------------------------------------------------------- */

static bool
start_reports(struct feed *f)
{
	const struct report_config cfg = {
		.mc = f->mc,
		.maps = f->cfg.maps,
		.used = f->cfg.times.used,
		.hold = f->cfg.times.hold,
		.reply = f->cfg.times.start,
		.retry = f->cfg.times.retry,
		.held = on_held,
		.arg = f,
	};

	f->report = report_new(&cfg);
	return f->report;
}

static bool
start_timer(struct feed *f, struct event_base *base)
{
	struct timeval tv = {
		.tv_sec = (time_t)(f->cfg.times.tick / 1000),
		.tv_usec = (suseconds_t)(f->cfg.times.tick % 1000 * 1000),
	};

	f->tick = event_new(base, -1, EV_PERSIST, on_tick, f);
	return f->tick && !event_add(f->tick, &tv);
}

struct feed *
feed_new(struct event_base *base, const struct feed_config *cfg)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct mclient_config mcfg = {
		.path = cfg->path,
		.fmt = cfg->fmt,
		.max_requests = REQUESTS_MAX,
		.up = on_up,
		.down = on_down,
		.data = on_data,
		.arg = f,
	};

	if (!f)
		return NULL;
	LIST_INIT(&f->asked);
	f->cfg = *cfg;
	f->stats.followed_ms = now_ms();
	f->mc = mclient_new(base, &mcfg);
	if (!f->mc || !start_reports(f) || !start_timer(f, base)) {
		feed_free(f);
		return NULL;
	}
	return f;
}

void
feed_free(struct feed *f)
{
	struct asked *a;

	if (!f)
		return;
	mclient_free(f->mc);
	report_free(f->report);
	if (f->tick)
		event_free(f->tick);
	while ((a = LIST_FIRST(&f->asked))) {
		LIST_REMOVE(a, link);
		free(a);
	}
	free(f);
}

void
feed_set_keep(struct feed *f, uint64_t keep_ms)
{
	f->cfg.times.keep = keep_ms;
}

const struct feed_stats *
feed_stats(const struct feed *f)
{
	return &f->stats;
}

const struct report_stats *
feed_report_stats(const struct feed *f)
{
	return report_stats(f->report);
}

const struct mclient_stats *
feed_mclient_stats(const struct feed *f)
{
	return mclient_stats(f->mc);
}
