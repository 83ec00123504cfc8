/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is read in portions: /mappings and /sources, an array with one object a
 * line each.
 *
 * A portion looks at a bounded number of mappings, shown or not, so that a
 * million of them never hold up the loop. What changes while a page is read may
 * be in it or not; what is there all the time is in it once.
 */
#include "mapperd/pages.h"

#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "libipref/ctl.h"

#define PORTION_SHOWN	64
#define PORTION_LOOKED	1024
#define CONFLICTS_SHOWN 100
#define WAITS_LOOKED	65536
#define STALL_S		600 /* people read these page by page */

struct show
pages_show(const struct mapperd *d)
{
	const struct mapperd_conf *conf = d->daemon->settings;
	struct mapper *m = server_mapper(d->server);

	return (struct show){
		mapper_sources(m), conf->common.gateway_pub, mapper_now(m)};
}

static uint64_t
left_of(const struct mapperd *d, uint64_t wait_ms)
{
	uint64_t now = mapper_now(server_mapper(d->server)), end;

	if (!d->store || !d->store->suspect_at)
		return 0;
	end = d->store->suspect_at + wait_ms;
	return end > now ? (end - now + 999) / 1000 : 0;
}

uint64_t
pages_suspect_s(const struct mapperd *d)
{
	const struct mapperd_conf *conf = d->daemon->settings;

	return left_of(d, settings_mapper(conf).allot.quarantine_ms);
}

uint64_t
pages_closed_s(const struct mapperd *d)
{
	const struct mapperd_conf *conf = d->daemon->settings;
	const struct allot_config cfg = settings_mapper(conf).allot;

	if (prefix_host_bits(&cfg.encode) > POOL_BITS_MAX)
		return 0;
	return left_of(d, cfg.quarantine_ms < cfg.reuse_ms ? cfg.quarantine_ms
							   : cfg.reuse_ms);
}

int
pages_filter(const struct mapperd *d, const char *query, struct filter *f,
	struct evbuffer *error)
{
	char text[FILTER_ERROR_MAX];

	if (filter_parse(
		    f, query, mapper_sources(server_mapper(d->server)), text))
		return 200;
	evbuffer_add_printf(error, "%s\n", text);
	return 400;
}

/* --- /mappings ------------------------------------------------------------ */

struct mappings_page {
	const struct mapperd *d;
	struct filter filter;
	struct entry_cursor cursor;
	bool begun, any;
};

static void
put_mapping(struct mappings_page *p, struct evbuffer *out,
	const struct entry_data *data, const struct show *how)
{
	char buf[SHOW_MAX];
	size_t len = show_mapping(buf, data, how, true);

	evbuffer_add_printf(out, "%s{", p->any ? ",\n" : "");
	evbuffer_add(out, buf, len);
	evbuffer_add(out, "}", 1);
	p->any = true;
}

static enum ctl_next
mappings_next(struct evbuffer *out, void *arg)
{
	struct mappings_page *p = arg;
	const struct show how = pages_show(p->d);
	size_t shown = 0, looked = 0;
	struct entry_data data;
	struct entry *e;

	if (!p->begun)
		evbuffer_add(out, "[\n", 2);
	p->begun = true;
	while (shown < PORTION_SHOWN && looked++ < PORTION_LOOKED) {
		e = entry_cursor_next(&p->cursor);
		if (!e) {
			evbuffer_add_printf(out, "%s]\n", p->any ? "\n" : "");
			return CTL_END;
		}
		data = show_entry(e);
		if (!filter_match(&p->filter, &data, &how))
			continue;
		put_mapping(p, out, &data, &how);
		shown++;
	}
	return CTL_MORE;
}

static void
mappings_closed(void *arg)
{
	struct mappings_page *p = arg;

	entry_cursor_stop(
		mapper_entries(server_mapper(p->d->server)), &p->cursor);
	free(p);
}

static int
mappings_open(struct ctl_stream *s, const char *query, struct evbuffer *error,
	void *page_arg, void **arg)
{
	const struct mapperd *d = page_arg;
	struct mappings_page *p;
	struct filter filter;
	int status = pages_filter(d, query, &filter, error);

	(void)s;
	if (status != 200)
		return status;
	p = calloc(1, sizeof(*p));
	if (!p) {
		evbuffer_add_printf(error, "out of memory\n");
		return 500;
	}
	p->d = d;
	p->filter = filter;
	entry_cursor_start(
		mapper_entries(server_mapper(d->server)), &p->cursor);
	*arg = p;
	return 200;
}

/* --- /sources ------------------------------------------------------------- */

struct sources_page {
	const struct mapperd *d;
	uint32_t last; /* id shown last */
	bool begun;
};

static json_t *
text_addr(const struct addr *a)
{
	char buf[ADDR_TEXT_MAX];

	return json_string(addr_format(a, buf));
}

/* Who has what w waits for; a hosts file may want a remote one. */
static const struct entry *
holder_of(const struct entries *es, const struct host_wait *w)
{
	const struct entry *e = entries_local(es, &w->key);

	return e ? e : entries_remote(es, &w->key);
}

static json_t *
conflict_object(const struct host_wait *w, const struct entry *e,
	const struct show *how)
{
	const struct entry_data data = show_entry(e);
	char ref[REF_TEXT_MAX], owner[SOURCE_TEXT_MAX];

	return json_pack("{s:o, s:s, s:o, s:o, s:s?}", "gw",
		text_addr(show_gw(&data, how)), "ref",
		ref_format(&w->key.ref, ref), "wanted", text_addr(&w->addr),
		"held", text_addr(&e->addr), "holder",
		show_owner(e->owner, how->sets, owner));
}

/* The first conflicts of a source; how many there are it counts itself. */
static json_t *
conflict_list(const struct mapperd *d, const struct host_source *s,
	const struct show *how)
{
	const struct entries *es = mapper_entries(server_mapper(d->server));
	size_t i, n = s->n_slots > WAITS_LOOKED ? WAITS_LOOKED : s->n_slots;
	json_t *list = json_array();
	const struct entry *e;

	for (i = 0; i < n && json_array_size(list) < CONFLICTS_SHOWN; i++) {
		const struct host_wait *w = &s->waits[i];

		e = w->over ? NULL : holder_of(es, w);
		if (e && !addr_eq(&e->addr, &w->addr))
			json_array_append_new(list, conflict_object(w, e, how));
	}
	return list;
}

static void
put_count(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static void
put_seconds(json_t *o, const char *key, bool known, uint64_t ms)
{
	if (known)
		put_count(o, key, ms / 1000);
	else
		json_object_set_new(o, key, json_null());
}

/* What only those have that send their sets. */
static void
put_agent(json_t *o, const struct host_source *s, uint64_t now)
{
	bool hosts = s->id == OWNER_HOSTS;
	char hash[17];

	snprintf(hash, sizeof(hash), "%016" PRIx64, s->hash);
	json_object_set_new(
		o, "hash", s->held && !hosts ? json_string(hash) : json_null());
	put_seconds(o, "heard_seconds", s->heard && !hosts, now - s->heard);
	put_seconds(o, "interval_seconds", s->interval, s->interval);
	json_object_set_new(
		o, "silent", json_boolean(!hosts && hostset_silent(s, now)));
	json_object_set_new(o, "unfinished",
		s->stage_open
			? json_pack("{s:I}", "records", (json_int_t)s->stage.n)
			: json_null());
}

static json_t *
source_object(const struct mapperd *d, const struct host_source *s)
{
	const struct show how = pages_show(d);
	const struct entry_owner *owner =
		entries_owner(mapper_entries(server_mapper(d->server)), s->id);
	size_t in_force = owner ? owner->n : 0;
	char text[SOURCE_TEXT_MAX];
	json_t *o = json_object();

	json_object_set_new(
		o, "source", json_string(show_owner(s->id, how.sets, text)));
	put_count(o, "records",
		s->id == OWNER_HOSTS ? in_force + s->n_waits : s->count);
	put_count(o, "in_force", in_force);
	put_count(o, "refused", s->refused);
	put_count(o, "waiting", s->n_waits);
	put_count(o, "conflicts", s->conflicts);
	json_object_set_new(o, "conflict_details", conflict_list(d, s, &how));
	put_agent(o, s, how.now);
	return o;
}

/* The source with the lowest id above `last`. */
static const struct host_source *
next_source(const struct hostset *sets, uint32_t last)
{
	const struct host_source *s, *next = NULL;
	size_t i;

	for (i = 0; i < sets->n; i++) {
		s = sets->sources[i];
		if (s->id > last && (!next || s->id < next->id))
			next = s;
	}
	return next;
}

static enum ctl_next
sources_next(struct evbuffer *out, void *arg)
{
	struct sources_page *p = arg;
	const struct host_source *s = next_source(
		mapper_sources(server_mapper(p->d->server)), p->last);

	if (!s) {
		evbuffer_add_printf(out, "%s]\n", p->begun ? "" : "[\n");
		return CTL_END;
	}
	evbuffer_add_printf(out, "%s\n", p->begun ? "," : "[");
	p->begun = true;
	ctl_put_json(out, source_object(p->d, s));
	p->last = s->id;
	return CTL_MORE;
}

static int
sources_open(struct ctl_stream *s, const char *query, struct evbuffer *error,
	void *page_arg, void **arg)
{
	struct sources_page *p = calloc(1, sizeof(*p));

	(void)s;
	(void)query;
	if (!p) {
		evbuffer_add_printf(error, "out of memory\n");
		return 500;
	}
	p->d = page_arg;
	*arg = p;
	return 200;
}

void
pages_add(struct mapperd *d)
{
	static const struct ctl_source mappings = {
		mappings_next, mappings_closed, STALL_S};
	static const struct ctl_source sources = {sources_next, free, STALL_S};
	struct ctl *ctl = d->daemon->ctl;

	ctl_add_stream(ctl, "/mappings", "application/json", mappings_open,
		&mappings, d);
	ctl_add_stream(
		ctl, "/sources", "application/json", sources_open, &sources, d);
}
