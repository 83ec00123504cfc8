/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions under way, which server is asked next, what its answer means.
 *
 *	upstream_ask --> flight --timer--> flight_next: one more try
 *	   (joins an equal one)  ^            |
 *	                         |            v
 *	   useless answer, error +---- tries open ---answer---> flight_end: OK
 *	   silence (timer)       |
 *	                         +--> no server or time left --> flight_end
 *
 * Earlier tries stay open while later ones are made: a late answer is as good
 * as a quick one. flight_end() is the only place that calls back; it takes the
 * flight out of the table first, so that a callback may ask the same again.
 */
#include "resolverd/upstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/log.h"
#include "resolverd/answer.h"
#include "resolverd/upstream_impl.h"

#define TRIES_MAX	8    /* queries sent for one question */
#define TRY_FIRST_MS	400  /* silence before the next try ... */
#define TRY_STEP_MS	300  /* ... each time this much longer */
#define TCP_MS		2000 /* for a TCP exchange before another try */
#define DOWN_AFTER	2    /* silences in a row */
#define DOWN_FIRST_MS	1000
#define DOWN_LONGEST_MS 8000
#define YXDOMAIN	6

static void on_timer(evutil_socket_t fd, short what, void *arg);

struct upstream *
upstream_new(struct event_base *base, const struct upstream_config *cfg)
{
	struct upstream *up = calloc(1, sizeof(*up));
	size_t i;

	if (!up)
		return NULL;
	up->base = base;
	up->total_ms = cfg->total_ms;
	table_init(&up->flights, offsetof(struct flight, key),
		sizeof(struct flight_key), cfg->max_flights);
	table_init(&up->tries, offsetof(struct try, key),
		sizeof(struct try_key), cfg->max_flights * TRIES_MAX);
	for (i = 0; i < cfg->servers->n && i < UPSTREAM_SERVERS_MAX; i++) {
		up->servers[i].up = up;
		up->servers[i].at = cfg->servers->v[i];
		up->servers[i].stats.server = cfg->servers->v[i];
	}
	up->n_servers = i;
	return up;
}

static void
flight_free(struct flight *f)
{
	while (!TAILQ_EMPTY(&f->open))
		try_free(TAILQ_FIRST(&f->open));
	if (f->timer)
		event_free(f->timer);
	free(f);
}

void
upstream_free(struct upstream *up)
{
	struct upstream_req *r;
	struct flight *f;
	size_t pos = 0, i;

	if (!up)
		return;
	while ((f = table_next(&up->flights, &pos))) {
		while ((r = TAILQ_FIRST(&f->waiters))) {
			TAILQ_REMOVE(&f->waiters, r, link);
			free(r);
		}
		table_del(&up->flights, &f->key);
		flight_free(f);
		pos = 0;
	}
	for (i = 0; i < up->n_servers; i++)
		server_close(&up->servers[i]);
	table_fini(&up->tries);
	table_fini(&up->flights);
	free(up);
}

static void
arm(struct flight *f, uint64_t ms)
{
	uint64_t now = now_ms();
	struct timeval tv;

	if (now + ms > f->deadline_ms)
		ms = f->deadline_ms > now ? f->deadline_ms - now : 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (event_add(f->timer, &tv))
		bug("a timer can't be set");
}

static void
flight_end(struct flight *f, enum upstream_result res, const uint8_t *msg,
	size_t len, const struct screened *s)
{
	struct upstream_req *r;

	table_del(&f->up->flights, &f->key);
	f->up->stats.in_flight--;
	f->ending = true;
	while (!TAILQ_EMPTY(&f->open))
		try_free(TAILQ_FIRST(&f->open));
	while ((r = TAILQ_FIRST(&f->waiters))) {
		TAILQ_REMOVE(&f->waiters, r, link);
		r->done(res, msg, len, s, r->arg);
		free(r);
	}
	flight_free(f);
}

static bool
is_down(const struct server *s, uint64_t now)
{
	return s->fails >= DOWN_AFTER && now < s->down_until_ms;
}

/* Silence or an error: after several in a row the server is asked last, each
 * time for longer. */
static void
server_missed(struct server *s)
{
	uint64_t wait = DOWN_FIRST_MS;
	unsigned i;

	s->fails++;
	for (i = DOWN_AFTER; i < s->fails && wait < DOWN_LONGEST_MS; i++)
		wait *= 2;
	s->down_until_ms = now_ms() + wait;
}

static void
server_answered(struct server *s, uint64_t sent_ms)
{
	uint64_t took = now_ms() - sent_ms;
	uint32_t rtt = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;

	s->stats.answers++;
	s->stats.rtt_ms =
		s->stats.rtt_ms
			? (uint32_t)((7 * (uint64_t)s->stats.rtt_ms + rtt) / 8)
			: rtt;
	s->fails = 0;
}

/* The server to ask next: least asked for this question, then one that is not
 * down, then any by chance. NULL: all have answered uselessly. */
static struct server *
pick(const struct flight *f)
{
	struct upstream *up = f->up;
	struct server *best = NULL;
	unsigned score, best_score = 0, equals = 0;
	uint64_t now = now_ms();
	size_t i;

	for (i = 0; i < up->n_servers; i++) {
		if (f->useless[i])
			continue;
		score = 2u * f->asked[i] + is_down(&up->servers[i], now);
		if (!best || score < best_score) {
			best = &up->servers[i];
			best_score = score;
			equals = 1;
		} else if (score == best_score &&
			   !arc4random_uniform(++equals)) {
			best = &up->servers[i];
		}
	}
	return best;
}

/* We are out of something: no server's fault. */
static bool
is_own_fault(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS ||
	       rc == -ENOMEM || rc == -ENOSPC || rc == -EAGAIN;
}

/* One more try, now. The flight may be gone afterwards. */
static void
flight_next(struct flight *f)
{
	struct server *s;
	int rc;

	while (f->tries < TRIES_MAX && now_ms() < f->deadline_ms) {
		s = pick(f);
		if (!s)
			break;
		f->asked[s - f->up->servers]++;
		f->last = s;
		f->tries++;
		rc = try_udp(f, s, true);
		if (!rc) {
			arm(f, TRY_FIRST_MS + (f->tries - 1) * TRY_STEP_MS);
			return;
		}
		if (!is_own_fault(rc))
			server_missed(s);
	}
	f->last = NULL;
	if (!TAILQ_EMPTY(&f->open) && now_ms() < f->deadline_ms)
		arm(f, f->deadline_ms - now_ms());
	else
		flight_end(f,
			f->any_useless ? UPSTREAM_REFUSED : UPSTREAM_SILENT,
			NULL, 0, NULL);
}

/* The first try, or silence. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct flight *f = arg;

	(void)fd;
	(void)what;
	if (f->last) {
		f->last->stats.timeouts++;
		server_missed(f->last);
	}
	flight_next(f);
}

/* A try has failed or was useless: the next one is made at once. */
static void
go_on(struct flight *f)
{
	f->last = NULL;
	flight_next(f);
}

void
flight_try_failed(struct try *t)
{
	struct flight *f = t->flight;

	server_missed(t->server);
	try_free(t);
	go_on(f);
}

/* NOERROR without anything but where to ask: not for a client that wants
 * recursion. */
static bool
is_referral(const struct screened *s, const uint8_t *msg, size_t len)
{
	struct dns_rr rr;
	struct rbuf r;
	bool ns = false;
	size_t i;

	if (DNS_RCODE_OF(s->header.flags) || s->header.counts[DNS_ANSWER] ||
		s->header.flags & (DNS_AA | DNS_RA))
		return false;
	rbuf_init(&r, msg, len);
	rbuf_skip(&r, s->at[DNS_AUTHORITY]);
	for (i = 0; i < s->header.counts[DNS_AUTHORITY]; i++) {
		rr = dns_rr_get(&r);
		if (rr.type == DNS_TYPE_SOA)
			return false;
		ns |= rr.type == DNS_TYPE_NS;
	}
	return ns;
}

/* A server that does not know EDNS says so by an error without OPT (RFC 6891,
 * 7): it is asked again without. */
static bool
knows_no_edns(const struct try *t, const struct screened *s)
{
	uint16_t rcode = DNS_RCODE_OF(s->header.flags);

	return t->edns && !s->opt &&
	       (rcode == DNS_FORMERR || rcode == DNS_NOTIMP);
}

static void
useless(struct try *t, const struct screened *s)
{
	struct flight *f = t->flight;
	struct server *server = t->server;
	bool plain = knows_no_edns(t, s);

	server->stats.refusals++;
	server->fails = 0;
	try_free(t);
	if (plain && f->tries < TRIES_MAX) {
		f->tries++;
		f->last = server;
		if (!try_udp(f, server, false)) {
			arm(f, TRY_FIRST_MS);
			return;
		}
	}
	f->useless[server - f->up->servers] = true;
	f->any_useless = true;
	go_on(f);
}

static void
again_by_tcp(struct try *t)
{
	struct flight *f = t->flight;
	struct server *server = t->server;
	bool edns = t->edns;

	try_free(t);
	if (try_tcp(f, server, edns)) {
		go_on(f);
		return;
	}
	f->last = server;
	arm(f, TCP_MS);
}

void
flight_answer(struct try *t, const uint8_t *msg, size_t len)
{
	enum screen_result res;
	struct screened s;
	uint16_t rcode;

	res = screen_message(&s, msg, len);
	if (t->sock && s.header.flags & DNS_TC) {
		again_by_tcp(t);
		return;
	}
	if (res != SCREEN_OK || s.header.flags & DNS_TC) {
		t->server->stats.broken++;
		log_debug("upstream: broken answer: %s", screen_text(res));
		flight_try_failed(t);
		return;
	}
	rcode = screen_rcode(&s);
	if ((rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN &&
		    rcode != YXDOMAIN) ||
		is_referral(&s, msg, len)) {
		useless(t, &s);
		return;
	}
	server_answered(t->server, t->sent_ms);
	flight_end(t->flight, UPSTREAM_OK, msg, len, &s);
}

static struct flight *
flight_new(struct upstream *up, const struct flight_key *key)
{
	struct flight *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		goto nomem;
	f->key = *key;
	f->up = up;
	f->deadline_ms = now_ms() + up->total_ms;
	TAILQ_INIT(&f->open);
	TAILQ_INIT(&f->waiters);
	f->timer = evtimer_new(up->base, on_timer, f);
	if (!f->timer)
		goto nomem;
	rc = table_put(&up->flights, f);
	if (rc) {
		up->stats.refused++;
		flight_free(f);
		errno = rc == -ENOSPC ? EAGAIN : ENOMEM;
		return NULL;
	}
	arm(f, 0);
	up->stats.flights++;
	up->stats.in_flight++;
	return f;
nomem:
	free(f);
	errno = ENOMEM;
	return NULL;
}

struct upstream_req *
upstream_ask(struct upstream *up, const struct upstream_question *q,
	upstream_done done, void *arg)
{
	struct flight_key key = {.type = q->type};
	struct upstream_req *r;
	struct flight *f;

	up->stats.requests++;
	if (!up->n_servers) {
		errno = EDESTADDRREQ;
		return NULL;
	}
	key.name = q->name;
	name_lower(&key.name);
	key.flags = (uint16_t)((q->checking_disabled ? DNS_CD : 0) |
			       (q->dnssec_ok ? DNS_EDNS_DO : 0));
	r = calloc(1, sizeof(*r));
	if (!r) {
		errno = ENOMEM;
		return NULL;
	}
	f = table_get(&up->flights, &key);
	if (f)
		up->stats.joined++;
	else
		f = flight_new(up, &key);
	if (!f) {
		free(r);
		return NULL;
	}
	*r = (struct upstream_req){.flight = f, .done = done, .arg = arg};
	TAILQ_INSERT_TAIL(&f->waiters, r, link);
	return r;
}

void
upstream_cancel(struct upstream_req *r)
{
	struct flight *f = r->flight;

	TAILQ_REMOVE(&f->waiters, r, link);
	free(r);
	if (!TAILQ_EMPTY(&f->waiters) || f->ending)
		return;
	table_del(&f->up->flights, &f->key);
	f->up->stats.in_flight--;
	flight_free(f);
}

const struct upstream_stats *
upstream_stats(const struct upstream *up)
{
	return &up->stats;
}

size_t
upstream_servers(const struct upstream *up)
{
	return up->n_servers;
}

struct upstream_server_stats
upstream_server(const struct upstream *up, size_t i)
{
	struct upstream_server_stats st = up->servers[i].stats;

	st.down = is_down(&up->servers[i], now_ms());
	return st;
}
