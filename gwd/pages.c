/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of peers may be large, and changes while it is read: so the
 * addresses are taken down when the page is opened, and each is looked up when
 * its turn has come. One that has been forgotten meanwhile is left out, one
 * that is new is not there.
 */
#include "gwd/pages.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "gwd/carry.h"
#include "gwd/gwd.h"
#include "gwd/show.h"
#include "libipref/ctl.h"
#include "libipref/log.h"

#define PORTION 64  /* peers, some 500 bytes each */
#define STALL_S 600 /* people read this page by page */

/* One object of an array, on a line of its own. */
static void
put_row(struct evbuffer *body, bool *any, json_t *row)
{
	evbuffer_add_printf(body, "%s", *any ? "," : "[\n");
	*any = true;
	ctl_put_json(body, row);
}

static void
put_end(struct evbuffer *body, bool any)
{
	evbuffer_add_printf(body, "%s]\n", any ? "" : "[\n");
}

/* --- /drops --------------------------------------------------------------- */

static json_t *
offender_object(const struct offender *l, uint64_t now)
{
	json_t *o = json_object();

	show_ago(o, "seconds", l->at_ms, now);
	show_put(o, "direction", json_string(show_way(l->way)));
	show_addr(o, "from", &l->src);
	show_addr(o, "to", &l->dst);
	show_number(o, "bytes", l->len);
	return o;
}

static json_t *
drop_object(const struct counters *c, enum drop drop, uint64_t now)
{
	json_t *o = json_object();

	show_put(o, "reason", json_string(drop_label(drop)));
	show_number(o, "count", c->drops[drop]);
	show_number(o, "last_minute", counters_last_minute(c, drop, now));
	show_put(o, "last",
		c->drops[drop] ? offender_object(&c->last[drop], now)
			       : json_null());
	show_put(o, "help", json_string(drop_help(drop)));
	return o;
}

static int
page_drops(const char *query, struct evbuffer *body, void *arg)
{
	struct gwd *g = arg;
	const struct counters *c = worker_counters(g->worker);
	uint64_t now = now_ms();
	bool all, any = false;
	char text[2];
	int i;

	carry_collect(g);
	all = ctl_query(query, "all", text, sizeof(text)) && text[0] == '1';
	for (i = DROP_NONE + 1; i < DROP_N; i++)
		if (all || c->drops[i])
			put_row(body, &any, drop_object(c, (enum drop)i, now));
	put_end(body, any);
	return 200;
}

/* --- /peers --------------------------------------------------------------- */

/* What the network said last of datagrams to the peer. */
static json_t *
error_object(const struct peer *p, uint64_t now)
{
	json_t *o;

	if (!p->error_ms)
		return json_null();
	o = json_object();
	show_put(o, "error", json_string(strerror(p->error)));
	show_ago(o, "seconds", p->error_ms, now);
	show_number(o, "count", p->errors);
	return o;
}

/* What the operator has set about just this peer; 0 and null: nothing. */
static json_t *
settings_object(const struct peer_conf *c)
{
	json_t *o = json_object();

	show_number(o, "port", c->port);
	show_number(o, "mtu", c->mtu);
	show_ref(o, "ref", &c->ref);
	show_put(o, "tos", json_boolean(c->tos));
	show_number(o, "keep_alive_seconds", c->keep_alive_s);
	return o;
}

json_t *
pages_peer(const struct gwd *g, const struct peer *p, uint64_t now)
{
	static const char *const proofs[] = {
		[PEER_SENT_TO] = "not heard from",
		[PEER_HEARD] = "heard",
		[PEER_ANSWERED] = "answered",
		[PEER_PROVED] = "proved",
	};
	uint32_t mtu = paths_mtu(g->paths, paths_peek(g->paths, &p->addr), now);
	json_t *o = json_object();

	show_addr(o, "address", &p->addr);
	show_put(o, "port", p->port ? json_integer(p->port) : json_null());
	show_addr(o, "writes_to", &p->to);
	show_put(o, "state", json_string(proofs[p->proof]));
	show_ago(o, "heard_seconds", p->heard_ms, now);
	show_ago(o, "sent_seconds", p->sent_ms, now);
	show_ago(o, "used_seconds", p->used_ms, now);
	show_ago(o, "keep_alive_answered_seconds", p->alive_ms, now);
	show_ago(o, "known_seconds", p->since_ms, now);
	show_number(o, "in_packets", p->in_packets);
	show_number(o, "in_bytes", p->in_bytes);
	show_number(o, "out_packets", p->out_packets);
	show_number(o, "out_bytes", p->out_bytes);
	show_number(o, "other_port", p->other_port);
	show_put(o, "path_mtu", mtu ? json_integer(mtu) : json_null());
	show_put(o, "path_error", error_object(p, now));
	show_put(o, "settings",
		settings_object(peer_confs_get(&g->confs, &p->addr)));
	return o;
}

struct peers_page {
	const struct gwd *g;
	bool any;
	size_t n, next;
	struct addr addrs[]; /* of the peers when it was opened */
};

static enum ctl_next
peers_next_portion(struct evbuffer *out, void *arg)
{
	struct peers_page *page = arg;
	uint64_t now = now_ms();
	const struct peer *p;
	size_t i;

	for (i = 0; i < PORTION && page->next < page->n; i++) {
		p = peers_get(page->g->peers, &page->addrs[page->next++]);
		if (p)
			put_row(out, &page->any, pages_peer(page->g, p, now));
	}
	if (page->next < page->n)
		return CTL_MORE;
	put_end(out, page->any);
	return CTL_END;
}

static int
peers_open(struct ctl_stream *s, const char *query, struct evbuffer *error,
	void *page_arg, void **arg)
{
	struct gwd *g = page_arg;
	size_t pos = 0, max = peers_count(g->peers);
	struct peers_page *page;
	const struct peer *p;

	(void)s;
	(void)query;
	carry_collect(g);
	page = calloc(1, sizeof(*page) + max * sizeof(page->addrs[0]));
	if (!page) {
		evbuffer_add_printf(error, "out of memory\n");
		return 500;
	}
	page->g = g;
	while (page->n < max && (p = peers_next(g->peers, &pos)))
		page->addrs[page->n++] = p->addr;
	*arg = page;
	return 200;
}

void
pages_start(struct ctl *c, struct gwd *g)
{
	static const struct ctl_source peers = {
		peers_next_portion, free, STALL_S};

	ctl_add_page(c, "/drops", NULL, page_drops, g);
	ctl_add_stream(c, "/peers", "application/json", peers_open, &peers, g);
}
