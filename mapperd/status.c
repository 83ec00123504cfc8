/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What mapperd shows at its control socket. */
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libipref/ctl.h"
#include "mapperd/mapperd.h"

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
text_addr(const struct addr *a)
{
	char buf[ADDR_TEXT_MAX];

	return json_string(addr_format(a, buf));
}

static json_t *
text_ref(const struct ref *r)
{
	char buf[REF_TEXT_MAX];

	return json_string(ref_format(r, buf));
}

static json_t *
status_store(void *arg)
{
	const struct mapperd *d = arg;
	struct store_stats st;
	char identity[17];
	json_t *o = json_object();

	if (!d->store)
		return o;
	store_stats(d->store, &st);
	snprintf(identity, sizeof(identity), "%016" PRIx64, d->store->identity);
	json_object_set_new(o, "identity", json_string(identity));
	json_object_set_new(o, "revision",
		number(mapper_revision(server_mapper(d->server))));
	json_object_set_new(
		o, "oldest", number(feed_oldest(server_feed(d->server))));
	json_object_set_new(o, "commits", number(st.commits));
	json_object_set_new(o, "changes", number(st.jobs));
	json_object_set_new(o, "failures", number(st.failures));
	json_object_set_new(o, "queued", number(st.queued));
	json_object_set_new(
		o, "last_commit_microseconds", number(st.last_commit_us));
	json_object_set_new(o, "degraded", json_boolean(st.degraded));
	json_object_set_new(o, "reason",
		st.degraded ? json_string(st.reason) : json_null());
	return o;
}

static json_t *
status_mappings(void *arg)
{
	const struct mapperd *d = arg;
	struct mapper *m = server_mapper(d->server);
	const struct entries *es = mapper_entries(m);
	const struct entry_owner *dynamic = entries_owner(es, OWNER_MAPPER);
	struct allot_stats a;
	json_t *o = json_object();

	mapper_allot_stats(m, &a);
	json_object_set_new(o, "remote", number(es->n[ENTRY_REMOTE]));
	json_object_set_new(o, "local", number(es->n[ENTRY_LOCAL]));
	json_object_set_new(o, "dynamic", number(dynamic ? dynamic->n : 0));
	json_object_set_new(
		o, "pool", a.pool == UINT64_MAX ? json_null() : number(a.pool));
	json_object_set_new(o, "taken", number(a.taken));
	json_object_set_new(o, "caused_by_peers", number(a.taken_peer));
	json_object_set_new(o, "gone", number(a.gone));
	json_object_set_new(o, "gone_references", number(a.gone_refs));
	json_object_set_new(
		o, "expiring", json_boolean(mapper_stats(m)->expiring));
	return o;
}

static json_t *
source_object(const struct mapperd *d, const struct host_source *s)
{
	struct mapper *m = server_mapper(d->server);
	const struct entry_owner *o = entries_owner(mapper_entries(m), s->id);
	char text[SOURCE_TEXT_MAX], hash[17];
	json_t *j = json_object();

	snprintf(hash, sizeof(hash), "%016" PRIx64, s->hash);
	json_object_set_new(j, "id", number(s->id));
	json_object_set_new(j, "source",
		json_string(s->id == OWNER_HOSTS
				    ? "hosts file"
				    : source_format(&s->name, text)));
	json_object_set_new(j, "hosts", number(o ? o->n : 0));
	json_object_set_new(j, "waiting", number(s->n_waits));
	json_object_set_new(j, "conflicts", number(s->conflicts));
	if (s->id == OWNER_HOSTS)
		return j;
	json_object_set_new(j, "held", json_boolean(s->held));
	json_object_set_new(j, "hash", json_string(hash));
	json_object_set_new(j, "records", number(s->count));
	json_object_set_new(j, "refused", number(s->refused));
	json_object_set_new(j, "unfinished", number(s->stage.n));
	json_object_set_new(j, "heard_seconds_ago",
		s->heard ? number((mapper_now(m) - s->heard) / 1000)
			 : json_null());
	return j;
}

static json_t *
status_sources(void *arg)
{
	const struct mapperd *d = arg;
	const struct hostset *sets = mapper_sources(server_mapper(d->server));
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < sets->n; i++)
		json_array_append_new(list, source_object(d, sets->sources[i]));
	return list;
}

static json_t *
status_hosts_file(void *arg)
{
	const struct mapperd *d = arg;
	const struct hostsfile_stats *st = hostsfile_stats(d->hosts);
	const struct mapperd_conf *conf = d->daemon->settings;
	json_t *o = json_object();

	json_object_set_new(o, "path", json_string(conf->hosts));
	json_object_set_new(o, "there", json_boolean(st->there));
	json_object_set_new(o, "lines", number(st->lines));
	json_object_set_new(o, "mappings", number(st->mappings));
	json_object_set_new(o, "refused", number(st->broken));
	json_object_set_new(o, "reads", number(st->reads));
	return o;
}

static json_t *
status_clients(void *arg)
{
	const struct mapperd *d = arg;
	const struct server_stats *st = server_stats(d->server);
	const struct mapper_stats *m = mapper_stats(server_mapper(d->server));
	json_t *o = json_object();

	json_object_set_new(o, "connected", number(server_clients(d->server)));
	json_object_set_new(
		o, "followers", number(feed_followers(server_feed(d->server))));
	json_object_set_new(o, "connects", number(st->connects));
	json_object_set_new(o, "turned_away", number(st->turned_away));
	json_object_set_new(o, "forbidden", number(st->forbidden));
	json_object_set_new(o, "waiting", number(m->waiting));
	return o;
}

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
metrics(struct ctl_metrics *m, void *arg)
{
	metrics_mappings(m, arg);
	metrics_store(m, arg);
	metrics_clients(m, arg);
}

static json_t *
owner_name(const struct mapperd *d, uint32_t owner)
{
	const struct host_source *s =
		hostset_by_id(mapper_sources(server_mapper(d->server)), owner);
	char text[SOURCE_TEXT_MAX];

	if (owner == OWNER_MAPPER)
		return json_string("mapper");
	if (owner == OWNER_HOSTS)
		return json_string("hosts file");
	return s ? json_string(source_format(&s->name, text)) : json_null();
}

static json_t *
mapping_object(const struct mapperd *d, const struct entry *e, uint64_t now)
{
	bool remote = e->kind == ENTRY_REMOTE;
	uint64_t left = e->expires > now ? e->expires - now : 0;
	const struct mapperd_conf *conf = d->daemon->settings;
	const struct addr *gw = !remote && entry_key_own(&e->key)
					? &conf->common.gateway_pub
					: &e->key.gw;
	json_t *j = json_object();

	json_object_set_new(
		j, "kind", json_string(remote ? "remote" : "local"));
	json_object_set_new(j, remote ? "ea" : "ip", text_addr(&e->addr));
	json_object_set_new(j, "gw", text_addr(gw));
	json_object_set_new(j, "ref", text_ref(&e->key.ref));
	json_object_set_new(j, "owner", owner_name(d, e->owner));
	json_object_set_new(
		j, "name", e->name ? json_string(e->name) : json_null());
	json_object_set_new(
		j, "listed", json_boolean(e->owner != OWNER_MAPPER));
	json_object_set_new(j, "expires_seconds",
		e->expires ? number(left / 1000) : json_null());
	json_object_set_new(j, "age_seconds",
		number(now > e->made ? (now - e->made) / 1000 : 0));
	json_object_set_new(j, "revision", number(e->born));
	return j;
}

/* One object per line, written as we go: a million of them need no tree. */
static int
page_mappings(const char *query, struct evbuffer *body, void *arg)
{
	const struct mapperd *d = arg;
	struct mapper *m = server_mapper(d->server);
	uint64_t now = mapper_now(m);
	const char *before = "[\n";
	const struct entry *e;

	(void)query;
	TAILQ_FOREACH(e, &mapper_entries(m)->all, all)
	{
		evbuffer_add(body, before, strlen(before));
		ctl_put_json(body, mapping_object(d, e, now));
		before = ",\n";
	}
	if (*before == '[')
		evbuffer_add(body, before, 1);
	evbuffer_add(body, "]\n", 2);
	return 200;
}

void
status_add(struct mapperd *d)
{
	struct ctl *ctl = d->daemon->ctl;

	ctl_add_status(ctl, "store", status_store, d);
	ctl_add_status(ctl, "mappings", status_mappings, d);
	ctl_add_status(ctl, "sources", status_sources, d);
	ctl_add_status(ctl, "hosts_file", status_hosts_file, d);
	ctl_add_status(ctl, "clients", status_clients, d);
	ctl_add_metrics(ctl, metrics, d);
	ctl_add_page(ctl, "/mappings", "application/json", page_mappings, d);
}
