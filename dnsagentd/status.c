/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the agent shows: JSON for people's tools, metrics by one row each. */
#include <inttypes.h>
#include <stdio.h>

#include "dnsagentd/agent.h"
#include "libipref/ctl.h"
#include "libipref/log.h"

/* --- JSON ------------------------------------------------------------------
 */

static void
put(json_t *obj, const char *key, uint64_t value)
{
	(void)json_object_set_new(obj, key, json_integer((json_int_t)value));
}

static void
put_text(json_t *obj, const char *key, const char *text)
{
	(void)json_object_set_new(obj, key, json_string(text));
}

/* Seconds since then; null for never. */
static void
put_age(json_t *obj, const char *key, uint64_t then_ms)
{
	if (then_ms)
		put(obj, key, (now_ms() - then_ms) / 1000);
	else
		(void)json_object_set_new(obj, key, json_null());
}

static json_t *
server_json(const struct server *s)
{
	json_t *obj = json_object();

	put_text(obj, "server", s->conf->text);
	put(obj, "serial", s->stats.serial);
	put(obj, "records", s->stats.records);
	put(obj, "hosts", s->set ? s->set->hosts.n : 0);
	put(obj, "polls", s->stats.polls);
	put(obj, "failures", s->stats.failures);
	put_age(obj, "last_success_seconds", s->stats.success_ms);
	(void)json_object_set_new(
		obj, "votes", json_boolean(!server_is_silent(s, now_ms())));
	if (s->stats.why[0])
		put_text(obj, "error", s->stats.why);
	return obj;
}

static json_t *
set_json(const struct push_stats *p)
{
	json_t *obj = json_object();
	char hash[20];

	snprintf(hash, sizeof(hash), "%016" PRIx64, p->hash);
	put_text(obj, "state", push_state_text(p->state));
	put(obj, "records", p->records);
	put_text(obj, "hash", hash);
	put(obj, "batches", p->n_batches);
	put(obj, "batches_acknowledged", p->batches_acked);
	put(obj, "batches_refused", p->refused);
	put(obj, "batches_resent", p->resent);
	put_age(obj, "last_acknowledged_seconds", p->held_ms);
	return obj;
}

static json_t *
refused_json(const struct source_stats *s)
{
	json_t *obj = json_object();
	size_t i;

	for (i = 0; i < ZONE_N_SKIPS; i++)
		if (s->skipped[i])
			put(obj, zone_skip_text((enum zone_skip)i),
				s->skipped[i]);
	if (s->left_out)
		put(obj, "a name without an address", s->left_out);
	if (s->duplicates)
		put(obj, "a context and reference that are taken",
			s->duplicates);
	return obj;
}

static json_t *
source_json(const struct source_state *s)
{
	json_t *obj = json_object(), *servers = json_array();
	size_t i;

	put_text(obj, "source", s->label);
	(void)json_object_set_new(obj, "quorum", json_boolean(s->stats.quorum));
	put(obj, "hosts", s->stats.hosts);
	put(obj, "unanswered", s->stats.unanswered);
	if (s->stats.waiting_ms)
		put_age(obj, "waiting_seconds", s->stats.waiting_ms);
	(void)json_object_set_new(obj, "refused", refused_json(&s->stats));
	for (i = 0; i < s->n_servers; i++)
		(void)json_array_append_new(
			servers, server_json(&s->servers[i]));
	(void)json_object_set_new(obj, "servers", servers);
	if (s->push)
		(void)json_object_set_new(
			obj, "set", set_json(push_stats(s->push)));
	return obj;
}

static json_t *
sources_json(void *arg)
{
	const struct agent *a = arg;
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < a->n_started; i++)
		(void)json_array_append_new(list, source_json(&a->sources[i]));
	return list;
}

static json_t *
mapper_json(void *arg)
{
	const struct agent *a = arg;
	const struct mclient_stats *m = mclient_stats(a->mapper);
	json_t *obj = json_object();

	put_text(obj, "socket", agent_mapper_path(a->conf));
	(void)json_object_set_new(obj, "connected", json_boolean(m->connected));
	put_age(obj, "since_seconds", m->since_ms);
	put(obj, "connects", m->connects);
	put(obj, "requests", m->requests);
	put(obj, "acks", m->acks);
	put(obj, "nacks", m->nacks);
	put(obj, "timeouts", m->timeouts);
	return obj;
}

static int
sources_page(const char *query, struct evbuffer *body, void *arg)
{
	(void)query;
	ctl_put_json(body, sources_json(arg));
	return 200;
}

/* --- metrics ---------------------------------------------------------------
 */

static uint64_t
of_hosts(const struct source_state *s)
{
	return s->stats.hosts;
}

static uint64_t
of_unanswered(const struct source_state *s)
{
	return s->stats.unanswered;
}

static uint64_t
of_quorum(const struct source_state *s)
{
	return s->stats.quorum;
}

static uint64_t
of_left_out(const struct source_state *s)
{
	uint64_t n = s->stats.left_out + s->stats.duplicates;
	size_t i;

	for (i = 0; i < ZONE_N_SKIPS; i++)
		n += s->stats.skipped[i];
	return n;
}

static uint64_t
of_records(const struct source_state *s)
{
	return s->push ? push_stats(s->push)->records : 0;
}

static uint64_t
of_held(const struct source_state *s)
{
	return s->push && push_stats(s->push)->state == PUSH_HELD;
}

static uint64_t
of_batches(const struct source_state *s)
{
	return s->push ? push_stats(s->push)->batches : 0;
}

static uint64_t
of_resent(const struct source_state *s)
{
	return s->push ? push_stats(s->push)->resent : 0;
}

static uint64_t
of_refused(const struct source_state *s)
{
	return s->push ? push_stats(s->push)->refused : 0;
}

static uint64_t
of_hash_nacks(const struct source_state *s)
{
	return s->push ? push_stats(s->push)->hash_nacks : 0;
}

static const struct {
	const char *name;
	enum ctl_kind kind;
	const char *help;
	uint64_t (*value)(const struct source_state *s);
} source_metrics[] = {
	{"ipref_dnsagentd_source_hosts", CTL_GAUGE,
		"Hosts that the source's zone publishes.", of_hosts},
	{"ipref_dnsagentd_source_quorum", CTL_GAUGE,
		"Whether more than half of the source's servers agree.",
		of_quorum},
	{"ipref_dnsagentd_source_passed_over", CTL_GAUGE,
		"AA strings that are not in the set.", of_left_out},
	{"ipref_dnsagentd_source_unanswered_names", CTL_GAUGE,
		"Names that no server answered for in the last round.",
		of_unanswered},
	{"ipref_dnsagentd_set_records", CTL_GAUGE,
		"Records of the set announced to the mapper.", of_records},
	{"ipref_dnsagentd_set_held", CTL_GAUGE,
		"Whether the mapper said that it holds the set.", of_held},
	{"ipref_dnsagentd_batches_total", CTL_COUNTER,
		"Batches of records sent to the mapper.", of_batches},
	{"ipref_dnsagentd_batches_resent_total", CTL_COUNTER,
		"Batches sent again.", of_resent},
	{"ipref_dnsagentd_batches_refused_total", CTL_COUNTER,
		"Batches that the mapper refused.", of_refused},
	{"ipref_dnsagentd_set_lost_total", CTL_COUNTER,
		"Times that the mapper did not hold the set when asked.",
		of_hash_nacks},
};

static uint64_t
of_polls(const struct server *s)
{
	return s->stats.polls;
}

static uint64_t
of_failures(const struct server *s)
{
	return s->stats.failures;
}

static uint64_t
of_serial(const struct server *s)
{
	return s->stats.serial;
}

static uint64_t
of_age(const struct server *s)
{
	uint64_t heard =
		s->stats.success_ms ? s->stats.success_ms : s->stats.start_ms;

	return (now_ms() - heard) / 1000;
}

static const struct {
	const char *name;
	enum ctl_kind kind;
	const char *help;
	uint64_t (*value)(const struct server *s);
} server_metrics[] = {
	{"ipref_dnsagentd_polls_total", CTL_COUNTER, "Zone transfers begun.",
		of_polls},
	{"ipref_dnsagentd_poll_failures_total", CTL_COUNTER,
		"Zone transfers that failed.", of_failures},
	{"ipref_dnsagentd_serial", CTL_GAUGE,
		"Serial of the last zone transferred.", of_serial},
	{"ipref_dnsagentd_last_success_seconds", CTL_GAUGE,
		"Time since the last good transfer, or the start.", of_age},
};

#define LABELS_MAX (2 * SOURCE_TEXT_MAX + 640)

/* `key="text"` with what the format escapes; returns the end. */
static char *
put_label(char *p, char *end, const char *key, const char *text)
{
	int n = snprintf(p, (size_t)(end - p), "%s=\"", key);

	p += n;
	for (; *text && end - p > 4; text++) {
		if (*text == '"' || *text == '\\')
			*p++ = '\\';
		*p++ = *text == '\n' ? ' ' : *text;
	}
	*p++ = '"';
	*p = '\0';
	return p;
}

static void
write_sources(struct ctl_metrics *m, const struct agent *a)
{
	char labels[LABELS_MAX];
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(source_metrics); i++) {
		ctl_metric(m, source_metrics[i].name, source_metrics[i].kind,
			source_metrics[i].help);
		for (k = 0; k < a->n_started; k++) {
			put_label(labels, labels + sizeof(labels), "source",
				a->sources[k].label);
			ctl_sample(m, labels,
				source_metrics[i].value(&a->sources[k]));
		}
	}
}

static void
write_servers(struct ctl_metrics *m, const struct agent *a)
{
	char labels[LABELS_MAX], *p;
	size_t i, k, n;

	for (i = 0; i < ARRAY_LEN(server_metrics); i++) {
		ctl_metric(m, server_metrics[i].name, server_metrics[i].kind,
			server_metrics[i].help);
		for (k = 0; k < a->n_started; k++)
			for (n = 0; n < a->sources[k].n_servers; n++) {
				const struct server *s =
					&a->sources[k].servers[n];

				p = put_label(labels, labels + sizeof(labels),
					"source", a->sources[k].label);
				*p++ = ',';
				put_label(p, labels + sizeof(labels), "server",
					s->conf->text);
				ctl_sample(
					m, labels, server_metrics[i].value(s));
			}
	}
}

static void
write_metrics(struct ctl_metrics *m, void *arg)
{
	const struct agent *a = arg;

	if (a->mapper) {
		ctl_metric(m, "ipref_dnsagentd_mapper_connected", CTL_GAUGE,
			"Whether there is a connection to the mapper.");
		ctl_sample(m, NULL, mclient_stats(a->mapper)->connected);
	}
	write_sources(m, a);
	write_servers(m, a);
}

void
status_register(struct agent *a, struct ctl *ctl)
{
	ctl_add_status(ctl, "sources", sources_json, a);
	if (a->mapper)
		ctl_add_status(ctl, "mapper", mapper_json, a);
	ctl_add_metrics(ctl, write_metrics, a);
	ctl_add_page(ctl, "/sources", NULL, sources_page, a);
}
