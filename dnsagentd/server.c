/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One server's polls: timer -> (lookup of its name) -> transfer -> timer.
 *
 * Invariant: exactly one of timer pending, lookup, transfer.
 */
#include "dnsagentd/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include "dnsagentd/hosts.h"

#define RETRY_MS	 5000 /* after the first failure */
#define SILENT_INTERVALS 3

static void poll_server(struct server *s);

static void
arm(struct server *s, uint64_t ms)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000 * 1000),
	};

	if (evtimer_add(s->timer, &tv))
		bug("no timer for a server");
}

/* An interval, less up to 5 %: polls of many servers drift apart. */
static uint64_t
next_interval(const struct server *s)
{
	uint16_t r = 0;

	if (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return s->interval_ms;
	return s->interval_ms - s->interval_ms / 20 * r / UINT16_MAX;
}

static uint64_t
shorter(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void
fail(struct server *s, const char *why)
{
	s->stats.failures++;
	snprintf(s->stats.why, sizeof(s->stats.why), "%s", why);
	log_warn("source %s: server %s: %s; nothing changes, tried again in "
		 "%llu s",
		s->label, s->conf->text, why,
		(unsigned long long)(s->backoff_ms / 1000));
	arm(s, s->backoff_ms);
	s->backoff_ms = shorter(2 * s->backoff_ms, s->interval_ms);
}

static void
succeed(struct server *s, const struct transfer_outcome *o,
	struct hosts_ref *set)
{
	log_debug("source %s: server %s: serial %u, %llu records, %zu hosts",
		s->label, s->conf->text, (unsigned)o->soa->serial,
		(unsigned long long)o->records, set->hosts.n);
	hosts_ref_put(s->set);
	s->set = set;
	s->stats.success_ms = now_ms();
	s->stats.records = o->records;
	s->stats.bytes = o->bytes;
	s->stats.serial = o->soa->serial;
	s->stats.why[0] = '\0';
	s->backoff_ms = shorter(RETRY_MS, s->interval_ms);
	arm(s, next_interval(s));
}

/* What the zone publishes; NULL: no memory. */
static struct hosts_ref *
make_set(struct server *s)
{
	struct hosts_ref *set = NULL;
	struct hosts h;

	zone_close(&s->zone);
	if (!hosts_make(&h, &s->zone))
		set = hosts_ref_new(&h);
	hosts_fini(&h);
	return set;
}

static void
on_transferred(const struct transfer_outcome *o, void *arg)
{
	struct server *s = arg;
	struct hosts_ref *set = o->complete ? make_set(s) : NULL;
	char why[sizeof(s->stats.why)];

	snprintf(why, sizeof(why), "transfer: %s", o->why);
	zone_fini(&s->zone);
	if (set)
		succeed(s, o, set);
	else
		fail(s, o->complete ? "no memory for its hosts" : why);
	transfer_free(s->transfer);
	s->transfer = NULL;
	if (set)
		s->changed(s, s->arg);
}

static bool
on_record(const struct dns_rr *rr, const uint8_t *msg, size_t len, void *arg)
{
	struct server *s = arg;

	return zone_add(&s->zone, rr, msg, len);
}

static void
on_passed_over(enum zone_skip why, const struct name *owner, void *arg)
{
	enum log_level level =
		why == ZONE_BROKEN ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN;
	struct server *s = arg;
	char text[NAME_TEXT_MAX];

	if (log_wants(level))
		log_limited(&s->limit, level,
			"source %s: record of %s passed over: %s", s->label,
			name_format(owner, text), zone_skip_text(why));
}

static void
start_transfer(struct server *s, const struct endpoint *at)
{
	const struct transfer_config cfg = {
		.server = *at,
		.zone = *s->domain,
		.limits = TRANSFER_LIMITS,
		.record = on_record,
		.done = on_transferred,
		.arg = s,
	};

	zone_init(&s->zone, s->domain, s->tunnel_ver, on_passed_over, s);
	s->transfer = transfer_new(s->base, &cfg);
	if (!s->transfer)
		fail(s, strerror(errno));
}

/* --- a server given by name ------------------------------------------------
 */

static void ask_address(struct server *s, uint8_t ver);

static void
on_address(const struct lookup_answer *a, void *arg)
{
	struct server *s = arg;
	struct endpoint at = {.port = s->conf->at.port};
	uint8_t ver = s->asked_ver;

	s->lookup = NULL;
	if (lookup_addrs(a, ver, &at.addr, 1))
		start_transfer(s, &at);
	else if (a->result == LOOKUP_NODATA && ver == 4)
		ask_address(s, 6);
	else
		fail(s, a->why ? a->why : "its name has no address");
}

static void
ask_address(struct server *s, uint8_t ver)
{
	const struct dns_question q = {
		.name = s->conf->host,
		.type = ver == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA,
		.class = DNS_CLASS_IN,
	};

	s->asked_ver = ver;
	s->lookup = lookup_start(s->lookups, &q, on_address, s);
	if (!s->lookup)
		fail(s, "its name can't be looked up now");
}

/* --- life ------------------------------------------------------------------
 */

static void
poll_server(struct server *s)
{
	s->stats.polls++;
	if (s->conf->at.addr.ver)
		start_transfer(s, &s->conf->at);
	else
		ask_address(s, 4);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	poll_server(arg);
}

int
server_init(struct server *s, uint64_t delay_ms)
{
	s->timer = evtimer_new(s->base, on_timer, s);
	if (!s->timer)
		return -ENOMEM;
	s->stats.start_ms = now_ms();
	s->backoff_ms = shorter(RETRY_MS, s->interval_ms);
	arm(s, delay_ms);
	return 0;
}

void
server_fini(struct server *s)
{
	if (s->lookup)
		lookup_cancel(s->lookup);
	transfer_free(s->transfer);
	zone_fini(&s->zone);
	hosts_ref_put(s->set);
	if (s->timer)
		event_free(s->timer);
	s->lookup = NULL;
	s->transfer = NULL;
	s->set = NULL;
	s->timer = NULL;
}

void
server_set_interval(struct server *s, uint64_t interval_ms)
{
	s->interval_ms = interval_ms;
	s->backoff_ms = shorter(RETRY_MS, interval_ms);
	if (evtimer_pending(s->timer, NULL))
		arm(s, shorter(next_interval(s), RETRY_MS));
}

bool
server_is_silent(const struct server *s, uint64_t now)
{
	uint64_t heard =
		s->stats.success_ms ? s->stats.success_ms : s->stats.start_ms;

	return now - heard > SILENT_INTERVALS * s->interval_ms;
}
