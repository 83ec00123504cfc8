/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One source.
 *
 * Order of events: server's transfer -> take_vote() -> start_round() ->
 * round_done() -> publish(). A winner that comes while a round is under way
 * waits in `next`; only the last one matters.
 */
#include "dnsagentd/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "dnsagentd/quorum.h"

#define LOOKUP_MS  2000
#define RETRY_MIN  5000
#define RETRY_MAX  60000
#define WAIT_MAX   600000 /* for unknown names */
#define SERVER_GAP 250	  /* between the first polls of two servers */

static void
arm_retry(struct source_state *s)
{
	const struct timeval tv = {
		.tv_sec = (time_t)(s->retry_ms / 1000),
	};

	if (evtimer_add(s->retry, &tv))
		bug("no timer for a source");
	s->retry_ms *= 2;
	if (s->retry_ms > RETRY_MAX)
		s->retry_ms = RETRY_MAX;
}

/* --- rounds ----------------------------------------------------------------
 */

static void
start_round(struct source_state *s, struct hosts_ref *hosts)
{
	struct endpoint local[LOOKUP_SERVERS_MAX], context[LOOKUP_SERVERS_MAX];
	const struct agent_conf *c = s->cfg.settings;
	size_t n_local = agent_resolvers(&c->resolver, local);
	size_t n_context = agent_resolvers(&c->context_resolver, context);

	evtimer_del(s->retry);
	names_set_servers(s->names, local, n_local, context, n_context);
	s->stats.rounds++;
	if (names_start(s->names, hosts)) {
		log_err("source %s: no memory for lookups", s->label);
		arm_retry(s);
	}
}

static void
on_clash(const struct host *serves, const struct host *other,
	const struct arec *taken, void *arg)
{
	struct source_state *s = arg;
	char gw[ADDR_TEXT_MAX], ref[REF_TEXT_MAX];
	char a[NAME_TEXT_MAX], b[NAME_TEXT_MAX];

	log_limited(&s->limit, LOG_LEVEL_WARN,
		"source %s: hosts %s and %s are both published as %s + %s: the "
		"first one serves",
		s->label, host_format(serves, a), host_format(other, b),
		addr_format(&taken->gw, gw), ref_format(&taken->ref, ref));
}

static void
print_set(struct source_state *s, const struct set *set)
{
	char line[SOURCE_TEXT_MAX + 128], ip[ADDR_TEXT_MAX], gw[ADDR_TEXT_MAX];
	char ref[REF_TEXT_MAX];
	size_t i;

	if (s->printed && s->printed_hash == set->hash)
		return;
	s->printed = true;
	s->printed_hash = set->hash;
	snprintf(line, sizeof(line), "%s: %zu records, hash %016" PRIx64,
		s->label, set->n, set->hash);
	s->cfg.print(line, s->cfg.arg);
	for (i = 0; i < set->n; i++) {
		snprintf(line, sizeof(line), "%s: %s = %s + %s", s->label,
			addr_format(&set->v[i].ip, ip),
			addr_format(&set->v[i].gw, gw),
			ref_format(&set->v[i].ref, ref));
		s->cfg.print(line, s->cfg.arg);
	}
}

static void
publish(struct source_state *s)
{
	const struct names_result *r = names_result(s->names);
	struct set set;
	int err;

	err = set_make(
		&set, names_hosts(s->names), r->ips, r->contexts, on_clash, s);
	if (!err) {
		s->stats.left_out = set.left_out;
		s->stats.duplicates = set.duplicates;
		if (s->push)
			err = push_take(s->push, &set);
		else
			print_set(s, &set);
	}
	if (err) {
		log_err("source %s: no memory for the set: the last one stays",
			s->label);
		arm_retry(s);
	}
	set_fini(&set);
}

/* Whether a set with unknown names has to wait still. */
static bool
must_wait(struct source_state *s)
{
	const struct names_result *r = names_result(s->names);
	uint64_t now = now_ms();

	if (!r->unknown) {
		s->stats.waiting_ms = 0;
		return false;
	}
	if (!s->stats.waiting_ms)
		s->stats.waiting_ms = now;
	if (now - s->stats.waiting_ms >= WAIT_MAX && r->found)
		return false;
	log_limited(&s->limit, LOG_LEVEL_WARN,
		"source %s: the set waits: %zu of %zu names are not answered "
		"and were never known",
		s->label, r->unknown, r->asked);
	return true;
}

static void
round_done(void *arg)
{
	struct source_state *s = arg;
	const struct names_result *r = names_result(s->names);
	struct hosts_ref *next = s->next;
	bool wait = must_wait(s);

	s->stats.unanswered = r->kept + r->unknown;
	if (!s->stats.unanswered)
		s->retry_ms = RETRY_MIN;
	if (!wait)
		publish(s);
	if (s->stats.unanswered)
		arm_retry(s);
	if (next) {
		s->next = NULL;
		start_round(s, next);
		hosts_ref_put(next);
	}
}

static size_t
winner(const struct source_state *s)
{
	struct vote votes[SOURCE_SERVERS_MAX];
	uint64_t now = now_ms();
	size_t i;

	for (i = 0; i < s->n_servers; i++) {
		const struct server *server = &s->servers[i];

		votes[i].counts = !server_is_silent(server, now);
		votes[i].set = server->set ? &server->set->hosts : NULL;
	}
	return quorum_winner(votes, s->n_servers);
}

static void
take_vote(struct source_state *s)
{
	size_t won = winner(s), i;
	struct hosts_ref *hosts;

	s->stats.quorum = won != QUORUM_NONE;
	if (won == QUORUM_NONE) {
		log_limited(&s->limit, LOG_LEVEL_NOTICE,
			"source %s: its servers do not agree (yet): nothing "
			"changes",
			s->label);
		return;
	}
	hosts = s->servers[won].set;
	s->stats.hosts = hosts->hosts.n;
	for (i = 0; i < ZONE_N_SKIPS; i++)
		s->stats.skipped[i] = hosts->hosts.skipped[i];
	if (!names_busy(s->names)) {
		start_round(s, hosts);
		return;
	}
	hosts_ref_put(s->next);
	s->next = NULL;
	if (!hosts_eq(names_hosts(s->names), &hosts->hosts))
		s->next = hosts_ref_get(hosts);
}

static void
on_transfer(struct server *server, void *arg)
{
	(void)server;
	take_vote(arg);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct source_state *s = arg;

	(void)fd;
	(void)what;
	if (!names_busy(s->names))
		take_vote(s);
}

/* --- life ------------------------------------------------------------------
 */

static int
init_servers(struct source_state *s)
{
	int err = 0;
	size_t i;

	for (i = 0; i < s->conf.n_servers && !err; i++) {
		s->servers[i] = (struct server){
			.base = s->cfg.base,
			.conf = &s->conf.servers[i],
			.domain = &s->conf.domain,
			.label = s->label,
			.lookups = names_context_client(s->names),
			.tunnel_ver = s->cfg.fmt.tunnel_ver,
			.interval_ms = agent_interval_ms(s->cfg.settings),
			.changed = on_transfer,
			.arg = s,
		};
		s->n_servers++;
		err = server_init(
			&s->servers[i], s->cfg.first_poll_ms + i * SERVER_GAP);
	}
	return err;
}

static int
init_push(struct source_state *s)
{
	const struct push_config cfg = {
		.mapper = s->cfg.mapper,
		.fmt = s->cfg.fmt,
		.source = &s->conf.source,
		.interval_ms = agent_interval_ms(s->cfg.settings),
	};

	if (!s->cfg.mapper)
		return 0;
	s->push = push_new(s->cfg.base, &cfg);
	return s->push ? 0 : -ENOMEM;
}

int
source_init(struct source_state *s, const struct source_config *cfg,
	const struct source_conf *conf)
{
	struct names_config names = {
		.local = conf->local,
		.local_ver = cfg->fmt.local_ver,
		.tunnel_ver = cfg->fmt.tunnel_ver,
		.try_ms = LOOKUP_MS,
		.in_flight = cfg->lookups,
		.done = round_done,
		.arg = s,
	};
	struct endpoint servers[LOOKUP_SERVERS_MAX];
	size_t n = agent_resolvers(&cfg->settings->context_resolver, servers);
	int err;

	*s = (struct source_state){.cfg = *cfg, .conf = *conf};
	source_format(&conf->source, s->label);
	s->retry_ms = RETRY_MIN;
	names.label = s->label;
	s->retry = evtimer_new(cfg->base, on_retry, s);
	s->names = names_new(cfg->base, &names);
	if (!s->retry || !s->names)
		return -ENOMEM;
	names_set_servers(s->names, NULL, 0, servers, n);
	err = init_push(s);
	return err ? err : init_servers(s);
}

void
source_fini(struct source_state *s)
{
	size_t i;

	for (i = 0; i < s->n_servers; i++)
		server_fini(&s->servers[i]);
	s->n_servers = 0;
	names_free(s->names);
	push_free(s->push);
	hosts_ref_put(s->next);
	if (s->retry)
		event_free(s->retry);
	s->names = NULL;
	s->push = NULL;
	s->next = NULL;
	s->retry = NULL;
}

void
source_mapper_up(struct source_state *s)
{
	if (s->push)
		push_up(s->push);
}

void
source_reload(struct source_state *s)
{
	uint64_t interval_ms = agent_interval_ms(s->cfg.settings);
	size_t i;

	if (s->push)
		push_set_interval(s->push, interval_ms);
	for (i = 0; i < s->n_servers; i++)
		server_set_interval(&s->servers[i], interval_ms);
}
