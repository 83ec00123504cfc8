/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapperd's part of /status. */
#include <inttypes.h>
#include <stdio.h>

#include "libipref/ctl.h"
#include "mapperd/pages.h"

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)n);
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
	json_object_set_new(o, "checking", json_boolean(st.checking));
	json_object_set_new(o, "suspect_seconds", number(pages_suspect_s(d)));
	json_object_set_new(
		o, "no_allotment_seconds", number(pages_closed_s(d)));
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
	json_object_set_new(o, "tentative", number(a.tentative));
	json_object_set_new(o, "tentative_gone", number(a.tentative_gone));
	json_object_set_new(o, "blocks", number(a.blocks));
	json_object_set_new(o, "blocks_held", number(a.blocks_held));
	json_object_set_new(
		o, "expiring", json_boolean(mapper_stats(m)->expiring));
	return o;
}

/* What has been done since the start. */
static json_t *
status_done(void *arg)
{
	const struct mapperd *d = arg;
	const struct mapper_stats *st = mapper_stats(server_mapper(d->server));
	const struct {
		const char *name;
		uint64_t n;
	} rows[] = {
		{"made", st->made},
		{"expired", st->expired},
		{"sets", st->sets},
		{"refused_records", st->refused_records},
		{"conflicts", st->conflicts},
		{"tentative_made", st->tentative_made},
		{"tentative_ended", st->tentative_ended},
		{"promoted", st->promoted},
		{"promotions_refused", st->promotions_refused},
		{"held", st->held},
		{"not_held", st->not_held},
	};
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		json_object_set_new(o, rows[i].name, number(rows[i].n));
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
		json_string(show_owner(s->id, mapper_sources(m), text)));
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
	json_object_set_new(
		j, "silent", json_boolean(hostset_silent(s, mapper_now(m))));
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

void
status_add(struct mapperd *d)
{
	struct ctl *ctl = d->daemon->ctl;

	ctl_add_status(ctl, "store", status_store, d);
	ctl_add_status(ctl, "mappings", status_mappings, d);
	ctl_add_status(ctl, "since_start", status_done, d);
	ctl_add_status(ctl, "sources", status_sources, d);
	ctl_add_status(ctl, "hosts_file", status_hosts_file, d);
	ctl_add_status(ctl, "clients", status_clients, d);
	ctl_add_metrics(ctl, metrics_show, d);
	pages_add(d);
	commands_add(d);
	if (d->watch)
		watch_add(d->watch);
}
