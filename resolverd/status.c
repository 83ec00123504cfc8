/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status and metrics. Every counter is one row: the member of /status and the
 * metric ipref_resolverd_<name> come from it.
 */
#include "resolverd/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libipref/ctl.h"

#define STAT(f) offsetof(struct resolver_stats, f)

static const struct {
	const char *result; /* label */
	size_t off;
} results[] = {
	{"local", STAT(local)},
	{"reverse", STAT(reverse)},
	{"translated", STAT(translated)},
	{"translated-none", STAT(translated_none)},
	{"forwarded", STAT(forwarded)},
	{"servfail-upstream", STAT(servfail_upstream)},
	{"servfail-mapper", STAT(servfail_mapper)},
	{"servfail-unusable", STAT(servfail_unusable)},
	{"servfail-late", STAT(servfail_late)},
	{"servfail-other", STAT(servfail_other)},
	{"refused-not-allowed", STAT(refused_acl)},
	{"refused-busy", STAT(refused_busy)},
	{"error", STAT(errors)},
	{"dropped", STAT(dropped)},
	{"transfer", STAT(transfers)},
	{"transfer-refused", STAT(transfers_refused)},
};

static uint64_t
stat_at(const struct resolver *r, size_t off)
{
	uint64_t v;

	memcpy(&v, (const char *)&r->stats + off, sizeof(v));
	return v;
}

static json_t *
status_queries(void *arg)
{
	struct resolver *r = arg;
	const struct listen_stats *l = listen_stats(r->listen);
	json_t *o = json_pack("{s:I s:I s:I s:I s:I}", "udp",
		(json_int_t)l->udp_queries, "tcp", (json_int_t)l->tcp_queries,
		"tcp_clients", (json_int_t)l->tcp_clients, "under_way",
		(json_int_t)r->n_queries, "truncated",
		(json_int_t)r->stats.truncated);
	json_t *by = json_object();
	size_t i;

	for (i = 0; i < ARRAY_LEN(results); i++)
		json_object_set_new(by, results[i].result,
			json_integer((json_int_t)stat_at(r, results[i].off)));
	json_object_set_new(o, "by_result", by);
	return o;
}

static json_t *
status_upstreams(void *arg)
{
	struct resolver *r = arg;
	json_t *list = json_array();
	struct upstream_server_stats s;
	char text[ENDPOINT_TEXT_MAX];
	size_t i;

	for (i = 0; i < upstream_servers(r->up); i++) {
		s = upstream_server(r->up, i);
		json_array_append_new(list,
			json_pack("{s:s s:s s:I s:I s:I s:I s:I s:I s:I}",
				"server", endpoint_format(&s.server, text),
				"state", s.down ? "down" : "up", "queries",
				(json_int_t)s.queries, "answers",
				(json_int_t)s.answers, "timeouts",
				(json_int_t)s.timeouts, "errors",
				(json_int_t)s.errors, "refusals",
				(json_int_t)s.refusals, "tcp",
				(json_int_t)s.tcp, "rtt_ms",
				(json_int_t)s.rtt_ms));
	}
	return list;
}

static json_t *
status_mapper(void *arg)
{
	struct resolver *r = arg;
	const struct mclient_stats *m = mclient_stats(r->mapper);

	return json_pack("{s:b s:s s:I s:I s:I s:I s:I s:I s:I}", "connected",
		m->connected, "socket", r->conf->common.mapper_socket,
		"connects", (json_int_t)m->connects, "requests",
		(json_int_t)m->requests, "acks", (json_int_t)m->acks, "nacks",
		(json_int_t)m->nacks, "timeouts", (json_int_t)m->timeouts,
		"gone", (json_int_t)m->gone, "refused",
		(json_int_t)r->stats.ea_refused);
}

static json_t *
status_zones(void *arg)
{
	struct resolver *r = arg;
	json_t *list = json_array(), *o;
	const struct zones_entry *e;
	char name[NAME_TEXT_MAX];
	size_t i;

	for (i = 0; i < r->zones.n; i++) {
		e = &r->zones.v[i];
		o = json_pack("{s:s s:s s:b}", "zone",
			name_format(&e->apex, name), "file", e->path, "served",
			e->zone ? 1 : 0);
		if (e->zone) {
			json_object_set_new(
				o, "serial", json_integer(e->zone->serial));
			json_object_set_new(o, "records",
				json_integer((json_int_t)e->zone->records));
		}
		if (e->error)
			json_object_set_new(o, "error", json_string(e->error));
		json_array_append_new(list, o);
	}
	return list;
}

static void
one(struct ctl_metrics *m, const char *name, enum ctl_kind kind,
	const char *help, uint64_t value)
{
	ctl_metric(m, name, kind, help);
	ctl_sample(m, NULL, value);
}

static void
metrics_queries(struct ctl_metrics *m, const struct resolver *r)
{
	const struct listen_stats *l = listen_stats(r->listen);
	char label[64];
	size_t i;

	ctl_metric(m, "ipref_resolverd_queries_total", CTL_COUNTER,
		"Messages of clients.");
	ctl_sample(m, "proto=\"udp\"", l->udp_queries);
	ctl_sample(m, "proto=\"tcp\"", l->tcp_queries);
	ctl_metric(m, "ipref_resolverd_results_total", CTL_COUNTER,
		"What became of the messages of clients.");
	for (i = 0; i < ARRAY_LEN(results); i++) {
		snprintf(label, sizeof(label), "result=\"%s\"",
			results[i].result);
		ctl_sample(m, label, stat_at(r, results[i].off));
	}
	one(m, "ipref_resolverd_truncated_total", CTL_COUNTER,
		"UDP answers cut.", r->stats.truncated);
	one(m, "ipref_resolverd_queries_under_way", CTL_GAUGE,
		"Queries not yet answered.", r->n_queries);
	one(m, "ipref_resolverd_tcp_clients", CTL_GAUGE,
		"TCP clients connected.", l->tcp_clients);
	one(m, "ipref_resolverd_udp_unsent_total", CTL_COUNTER,
		"UDP answers that the kernel did not take.", l->udp_unsent);
}

static void
metrics_upstreams(struct ctl_metrics *m, const struct resolver *r)
{
	static const struct {
		const char *name, *help;
		size_t off;
	} rows[] = {
		{"ipref_resolverd_upstream_queries_total",
			"Queries sent, repetitions included.",
			offsetof(struct upstream_server_stats, queries)},
		{"ipref_resolverd_upstream_answers_total", "Useful answers.",
			offsetof(struct upstream_server_stats, answers)},
		{"ipref_resolverd_upstream_timeouts_total",
			"Queries without an answer in time.",
			offsetof(struct upstream_server_stats, timeouts)},
		{"ipref_resolverd_upstream_refusals_total",
			"Answers like SERVFAIL and REFUSED.",
			offsetof(struct upstream_server_stats, refusals)},
	};
	char text[ENDPOINT_TEXT_MAX], label[ENDPOINT_TEXT_MAX + 16];
	struct upstream_server_stats s;
	uint64_t value;
	size_t i, k;

	for (k = 0; k < ARRAY_LEN(rows); k++) {
		ctl_metric(m, rows[k].name, CTL_COUNTER, rows[k].help);
		for (i = 0; i < upstream_servers(r->up); i++) {
			s = upstream_server(r->up, i);
			memcpy(&value, (const char *)&s + rows[k].off,
				sizeof(value));
			snprintf(label, sizeof(label), "server=\"%s\"",
				endpoint_format(&s.server, text));
			ctl_sample(m, label, value);
		}
	}
	one(m, "ipref_resolverd_upstream_strays_total", CTL_COUNTER,
		"Answers with an id that nobody waited for.",
		upstream_stats(r->up)->strays);
	one(m, "ipref_resolverd_upstream_mismatched_total", CTL_COUNTER,
		"Answers to another question than the one asked.",
		upstream_stats(r->up)->mismatched);
}

static void
metrics_mapper(struct ctl_metrics *m, const struct resolver *r)
{
	const struct mclient_stats *s = mclient_stats(r->mapper);

	one(m, "ipref_resolverd_mapper_connected", CTL_GAUGE,
		"1 while connected to the mapper.", s->connected);
	one(m, "ipref_resolverd_mapper_requests_total", CTL_COUNTER,
		"Requests to the mapper.", s->requests);
	one(m, "ipref_resolverd_mapper_nacks_total", CTL_COUNTER,
		"Requests that the mapper refused.", s->nacks);
	one(m, "ipref_resolverd_mapper_timeouts_total", CTL_COUNTER,
		"Requests that the mapper did not answer in time.",
		s->timeouts);
	one(m, "ipref_resolverd_mapper_wrong_answers_total", CTL_COUNTER,
		"Answers of the mapper that were refused.",
		r->stats.ea_refused);
}

static void
metrics_zones(struct ctl_metrics *m, const struct resolver *r)
{
	char name[NAME_TEXT_MAX], label[NAME_TEXT_MAX + 16];
	size_t i;

	ctl_metric(m, "ipref_resolverd_zone_serial", CTL_GAUGE,
		"Serial number of a local zone.");
	for (i = 0; i < r->zones.n; i++) {
		if (!r->zones.v[i].zone)
			continue;
		/* Labels have no escapes here: such a zone has no sample. */
		name_format(&r->zones.v[i].apex, name);
		if (strpbrk(name, "\\\""))
			continue;
		snprintf(label, sizeof(label), "zone=\"%s\"", name);
		ctl_sample(m, label, r->zones.v[i].zone->serial);
	}
}

static void
metrics(struct ctl_metrics *m, void *arg)
{
	const struct resolver *r = arg;

	metrics_queries(m, r);
	metrics_upstreams(m, r);
	metrics_mapper(m, r);
	metrics_zones(m, r);
}

void
status_add(struct ctl *ctl, struct resolver *r)
{
	ctl_add_status(ctl, "queries", status_queries, r);
	ctl_add_status(ctl, "upstreams", status_upstreams, r);
	ctl_add_status(ctl, "mapper", status_mapper, r);
	ctl_add_status(ctl, "zones", status_zones, r);
	ctl_add_metrics(ctl, metrics, r);
}
