/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/why.h"

#include <event2/buffer.h>
#include <string.h>

#include "gwd/carry.h"
#include "gwd/gwd.h"
#include "gwd/maps.h"
#include "gwd/pages.h"
#include "gwd/show.h"
#include "libipref/ctl.h"
#include "libipref/log.h"

#define VALUE_MAX 128

/* What was asked for, and what it turned out to be. */
struct subject {
	bool by_ipref;	  /* by gw and ref, else by addr */
	struct addr addr; /* of a host here, or of a gateway */
	struct addr gw;
	struct ref ref;
	const struct map *map; /* NULL: none */
	bool self;	       /* this gateway */
	struct addr peer;      /* behind which it is; version 0: none */
};

/* --- finding -------------------------------------------------------------- */

/* As our hosts are known here and in the mapper: zeros stand for us only when
 * there is no public address. */
static bool
is_own_context(const struct gwd *g, const struct addr *gw)
{
	if (addr_is_zero(&g->set.pub))
		return addr_is_zero(gw);
	return addr_eq(gw, &g->set.pub);
}

static void
find_ipref(const struct gwd *g, struct subject *s)
{
	bool own = is_own_context(g, &s->gw);

	s->self = own && ref_eq(&s->ref, &g->set.own_ref);
	s->map = maps_remote(g->maps, &s->gw, &s->ref);
	if (!s->map && own)
		s->map = maps_local(g->maps, &s->ref);
	if (!s->map && !own && !addr_is_zero(&s->gw))
		s->peer = s->gw;
}

static void
find_address(const struct gwd *g, struct subject *s)
{
	s->self = addr_eq(&s->addr, &g->set.own_local) ||
		  (addr_eq(&s->addr, &g->set.pub) && !addr_is_zero(&s->addr));
	s->map = maps_by_ea(g->maps, &s->addr);
	if (!s->map)
		s->map = maps_by_ip(g->maps, &s->addr);
	if (!s->map && peers_get(g->peers, &s->addr))
		s->peer = s->addr;
}

static void
find(const struct gwd *g, struct subject *s)
{
	if (s->by_ipref)
		find_ipref(g, s);
	else
		find_address(g, s);
	if (!s->map)
		return;
	s->addr = s->map->local;
	s->gw = s->map->gw;
	s->ref = s->map->ref;
	if (s->map->remote)
		s->peer = s->gw;
}

/* --- showing -------------------------------------------------------------- */

static json_t *
map_object(const struct map *m)
{
	json_t *o;

	if (!m)
		return json_null();
	o = json_object();
	show_put(o, "kind", json_string(m->remote ? "remote" : "local"));
	show_addr(o, m->remote ? "ea" : "ip", &m->local);
	show_addr(o, "gw", &m->gw);
	show_ref(o, "ref", &m->ref);
	show_put(o, "listed", json_boolean(m->flags & MSG_ENTRY_LISTED));
	show_put(o, "tentative", json_boolean(m->flags & MSG_ENTRY_TENTATIVE));
	show_number(o, "revision", m->born);
	return o;
}

static json_t *
feed_object(const struct gwd *g)
{
	const struct feed_stats *s = feed_stats(g->feed);
	json_t *o = json_object();

	show_put(o, "state", json_string(feed_state_name(s->state)));
	show_put(o, "connected",
		json_boolean(feed_mclient_stats(g->feed)->connected));
	show_number(o, "revision", s->revision);
	return o;
}

static void
put_drop(json_t *list, const char *about, const struct recent_drop *d,
	uint64_t now)
{
	json_t *o;

	if (!d)
		return;
	o = json_object();
	show_put(o, "about", json_string(about));
	show_put(o, "reason", json_string(drop_label(d->drop)));
	show_put(o, "help", json_string(drop_help(d->drop)));
	show_put(o, "direction", json_string(show_way(d->way)));
	show_ago(o, "seconds", d->at_ms, now);
	show_ago(o, "since_seconds", d->since_ms, now);
	show_number(o, "count", d->count);
	show_addr(o, "from", &d->src);
	if (d->refs)
		show_ref(o, "from_ref", &d->src_ref);
	show_addr(o, "to", &d->dst);
	if (d->refs)
		show_ref(o, "to_ref", &d->dst_ref);
	show_number(o, "bytes", d->len);
	(void)json_array_append_new(list, o);
}

/* The last drops, each way, about the host; and about its gateway, whomever of
 * its hosts they were about. */
static json_t *
drops_array(const struct gwd *g, const struct subject *s, uint64_t now)
{
	const struct recent *r = worker_recent(g->worker);
	json_t *list = json_array();

	if (s->addr.ver)
		put_drop(list, "host",
			recent_get(r, RECENT_LOCAL, &s->addr, NULL), now);
	if ((s->map && !s->map->remote) || (s->by_ipref && !s->peer.ver))
		put_drop(list, "host", recent_get(r, RECENT_OWN, NULL, &s->ref),
			now);
	else if (s->map || s->by_ipref)
		put_drop(list, "host",
			recent_get(r, RECENT_IPREF, &s->gw, &s->ref), now);
	if (s->peer.ver)
		put_drop(list, "gateway",
			recent_get(r, RECENT_PEER, &s->peer, NULL), now);
	return list;
}

static json_t *
peer_object(const struct gwd *g, const struct addr *addr, uint64_t now)
{
	const struct peer *p = addr->ver ? peers_get(g->peers, addr) : NULL;

	return p ? pages_peer(g, p, now) : json_null();
}

static json_t *
why_object(const struct gwd *g, const struct subject *s)
{
	uint64_t now = now_ms();
	json_t *o = json_object();

	show_put(o, "self", json_boolean(s->self));
	show_put(o, "by_ipref", json_boolean(s->by_ipref));
	show_put(o, "own_context",
		json_boolean(s->by_ipref && is_own_context(g, &s->gw)));
	show_put(o, "in_encode_net",
		json_boolean(s->addr.ver &&
			     prefix_has(&g->set.encode_net, &s->addr)));
	show_put(o, "feed", feed_object(g));
	show_put(o, "mapping", map_object(s->map));
	show_addr(o, "gateway", &s->peer);
	show_put(o, "denied",
		json_boolean(
			s->peer.ver && !peer_confs_allow(&g->confs, &s->peer)));
	show_put(o, "peer", peer_object(g, &s->peer, now));
	show_put(o, "drops", drops_array(g, s, now));
	return o;
}

/* --- the page ------------------------------------------------------------- */

static bool
read_subject(struct subject *s, const char *query)
{
	char value[VALUE_MAX];

	*s = (struct subject){0};
	if (ctl_query(query, "address", value, sizeof(value)))
		return addr_parse(&s->addr, value, strlen(value));
	s->by_ipref = true;
	return ctl_query(query, "gw", value, sizeof(value)) &&
	       addr_parse(&s->gw, value, strlen(value)) &&
	       ctl_query(query, "ref", value, sizeof(value)) &&
	       ref_parse(&s->ref, value, strlen(value));
}

static int
page_why(const char *query, struct evbuffer *body, void *arg)
{
	struct gwd *g = arg;
	struct subject s;

	if (!read_subject(&s, query)) {
		evbuffer_add_printf(body, "it has to be address=ADDRESS, or "
					  "gw=ADDRESS&ref=REFERENCE\n");
		return 400;
	}
	carry_collect(g);
	find(g, &s);
	ctl_put_json(body, why_object(g, &s));
	return 200;
}

void
why_start(struct ctl *c, struct gwd *g)
{
	ctl_add_page(c, "/why", NULL, page_why, g);
}
