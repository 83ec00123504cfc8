/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapperd's metrics: /metrics at its control socket. */
#include <stdio.h>

#include "libipref/ctl.h"
#include "mapperd/pages.h"

static void
metrics_requests(struct ctl_metrics *m, const struct mapper_stats *st)
{
	char label[64];
	size_t i;

	ctl_metric(m, "ipref_mapperd_requests_total", CTL_COUNTER,
		"Questions and sets that clients sent, by message.");
	for (i = 0; i < MSG_N_CMDS; i++) {
		if (!st->asked[i])
			continue;
		snprintf(label, sizeof(label), "message=\"%s\"",
			msg_cmd_name((uint8_t)i));
		ctl_sample(m, label, st->asked[i]);
	}
	ctl_metric(m, "ipref_mapperd_answers_total", CTL_COUNTER,
		"Answers, by result.");
	for (i = 0; i < ASK_N_RESULTS; i++) {
		snprintf(label, sizeof(label), "result=\"%s\"",
			ask_result_text((enum ask_result)i));
		ctl_sample(m, label, st->results[i]);
	}
}

static void
metrics_packets(struct ctl_metrics *m, const struct mapperd *d)
{
	const struct conn_stats *c = listen_stats(d->listen);
	char label[96];
	size_t i;

	ctl_metric(m, "ipref_mapperd_packets_refused_total", CTL_COUNTER,
		"Packets that are no messages, by reason.");
	for (i = 1; i < MSG_N_ERRORS; i++) {
		snprintf(label, sizeof(label), "reason=\"%s\"",
			msg_error_text((enum msg_error)i));
		ctl_sample(m, label, c->refused[i]);
	}
	ctl_sample(m, "reason=\"truncated\"", c->truncated);
}

struct metric {
	const char *name; /* without "ipref_mapperd_" */
	enum ctl_kind kind;
	const char *help;
	uint64_t value;
};

static void
put_metrics(struct ctl_metrics *m, const struct metric *rows, size_t n)
{
	char name[96];
	size_t i;

	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "ipref_mapperd_%s", rows[i].name);
		ctl_metric(m, name, rows[i].kind, rows[i].help);
		ctl_sample(m, NULL, rows[i].value);
	}
}

static void
metrics_mappings(struct ctl_metrics *m, const struct mapperd *d)
{
	struct mapper *mapper = server_mapper(d->server);
	const struct entries *es = mapper_entries(mapper);
	const struct mapper_stats *st = mapper_stats(mapper);
	struct allot_stats a;

	mapper_allot_stats(mapper, &a);
	const struct metric rows[] = {
		{"remote_mappings", CTL_GAUGE, "Remote hosts with an address.",
			es->n[ENTRY_REMOTE]},
		{"local_mappings", CTL_GAUGE, "References of local hosts.",
			es->n[ENTRY_LOCAL]},
		{"pool_taken", CTL_GAUGE, "Allotted addresses in use.",
			a.taken},
		{"pool_gone", CTL_GAUGE,
			"Addresses that have ended and are remembered.",
			a.gone},
		{"mappings_made_total", CTL_COUNTER, "Dynamic mappings made.",
			st->made},
		{"mappings_expired_total", CTL_COUNTER,
			"Dynamic mappings whose lease has ended.", st->expired},
		{"sets_applied_total", CTL_COUNTER,
			"Sets of hosts put in force.", st->sets},
		{"records_refused_total", CTL_COUNTER,
			"Records of sets that were not taken.",
			st->refused_records},
		{"conflicts_total", CTL_COUNTER,
			"Records whose reference another source leads "
			"elsewhere.",
			st->conflicts},
		{"revision", CTL_GAUGE, "Number of the last change.",
			mapper_revision(mapper)},
	};

	put_metrics(m, rows, ARRAY_LEN(rows));
	metrics_requests(m, st);
}

static void
metrics_store(struct ctl_metrics *m, const struct mapperd *d)
{
	struct store_stats st;

	store_stats(d->store, &st);
	const struct metric rows[] = {
		{"store_commits_total", CTL_COUNTER, "Transactions written.",
			st.commits},
		{"store_failures_total", CTL_COUNTER,
			"Transactions that could not be written.", st.failures},
		{"store_queued", CTL_GAUGE, "Changes that wait for the disk.",
			st.queued},
		{"store_degraded", CTL_GAUGE,
			"1 while the store can't be written.", st.degraded},
		{"store_checking", CTL_GAUGE,
			"1 while the store's file is looked through.",
			st.checking},
		{"store_suspect_seconds", CTL_GAUGE,
			"Seconds until it is known again which addresses are "
			"in use.",
			pages_suspect_s(d)},
	};

	put_metrics(m, rows, ARRAY_LEN(rows));
}

static void
metrics_clients(struct ctl_metrics *m, const struct mapperd *d)
{
	const struct server_stats *st = server_stats(d->server);
	const struct metric rows[] = {
		{"clients", CTL_GAUGE, "Connections.",
			server_clients(d->server)},
		{"followers", CTL_GAUGE, "Connections that follow the feed.",
			feed_followers(server_feed(d->server))},
		{"connects_total", CTL_COUNTER, "Connections taken.",
			st->connects},
		{"clients_turned_away_total", CTL_COUNTER,
			"Connections above the bound.", st->turned_away},
		{"clients_dropped_total", CTL_COUNTER,
			"Connections ended because they did not read.",
			listen_stats(d->listen)->overflows},
		{"requests_forbidden_total", CTL_COUNTER,
			"Requests that their user may not make.",
			st->forbidden},
		{"messages_unexpected_total", CTL_COUNTER,
			"Messages that nobody sends to a mapper.",
			st->refused_cmd},
	};

	put_metrics(m, rows, ARRAY_LEN(rows));
	metrics_packets(m, d);
}

static void
metrics_sources(struct ctl_metrics *m, const struct mapperd *d)
{
	struct mapper *mapper = server_mapper(d->server);
	const struct hostset *sets = mapper_sources(mapper);
	uint64_t silent = 0, conflicts = 0;
	size_t i;

	for (i = 0; i < sets->n; i++) {
		silent += hostset_silent(sets->sources[i], mapper_now(mapper));
		conflicts += sets->sources[i]->conflicts;
	}
	const struct metric rows[] = {
		{"sources", CTL_GAUGE, "Sources of hosts that are known.",
			sets->n},
		{"sources_silent", CTL_GAUGE,
			"Sources that have not been heard from for long.",
			silent},
		{"source_conflicts", CTL_GAUGE,
			"Records that wait because another source leads their "
			"reference elsewhere.",
			conflicts},
		{"records_waiting", CTL_GAUGE,
			"Records that another source's keep out.",
			sets->n_waits},
	};

	put_metrics(m, rows, ARRAY_LEN(rows));
}

static void
metrics_tentative(struct ctl_metrics *m, const struct mapperd *d)
{
	struct mapper *mapper = server_mapper(d->server);
	const struct mapper_stats *st = mapper_stats(mapper);
	struct allot_stats a;

	mapper_allot_stats(mapper, &a);
	const struct metric rows[] = {
		{"tentative_mappings", CTL_GAUGE,
			"Mappings that packets caused and none has proved.",
			a.tentative},
		{"tentative_gone", CTL_GAUGE,
			"Their addresses in short quarantine.",
			a.tentative_gone},
		{"blocks", CTL_GAUGE,
			"Blocks of addresses reserved for tentative mappings.",
			a.blocks},
		{"blocks_held", CTL_GAUGE,
			"Blocks in quarantine since the start.", a.blocks_held},
		{"tentative_made_total", CTL_COUNTER,
			"Tentative mappings made.", st->tentative_made},
		{"tentative_ended_total", CTL_COUNTER,
			"Tentative mappings that ended unproved.",
			st->tentative_ended},
		{"promotions_total", CTL_COUNTER,
			"Tentative mappings that have become dynamic ones.",
			st->promoted},
		{"promotions_refused_total", CTL_COUNTER,
			"Promotions that a quota did not allow.",
			st->promotions_refused},
		{"holds_total", CTL_COUNTER,
			"Tentative mappings taken back from the gateway.",
			st->held},
		{"holds_refused_total", CTL_COUNTER,
			"Tentative mappings that the gateway had to forget.",
			st->not_held},
	};

	put_metrics(m, rows, ARRAY_LEN(rows));
}

void
metrics_show(struct ctl_metrics *m, void *arg)
{
	metrics_mappings(m, arg);
	metrics_tentative(m, arg);
	metrics_sources(m, arg);
	metrics_store(m, arg);
	metrics_clients(m, arg);
}
