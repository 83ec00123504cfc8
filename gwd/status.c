/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON that jansson has no memory for is NULL, which json_object_set_new()
 * takes and leaves out.
 */
#include "gwd/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gwd/gwd.h"
#include "gwd/maps.h"
#include "gwd/report.h"
#include "libipref/ctl.h"
#include "libipref/log.h"

static const char *const way_names[WAY_N] = {
	[WAY_OUT] = "out", [WAY_IN] = "in"};

static void
put(json_t *o, const char *key, json_t *value)
{
	(void)json_object_set_new(o, key, value);
}

static void
put_number(json_t *o, const char *key, uint64_t v)
{
	put(o, key, json_integer((json_int_t)v));
}

static void
put_addr(json_t *o, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	put(o, key, a->ver ? json_string(addr_format(a, text)) : json_null());
}

/* A time as milliseconds ago; null: never. */
static void
put_ago(json_t *o, const char *key, uint64_t at_ms, uint64_t now)
{
	put(o, key,
		at_ms ? json_integer((json_int_t)(now - at_ms)) : json_null());
}

/* --- /status ------------------------------------------------------------ */

static json_t *
show_feed(void *arg)
{
	const struct gwd *g = arg;
	const struct feed_stats *s = feed_stats(g->feed);
	const struct mclient_stats *mc = feed_mclient_stats(g->feed);
	char store[17];
	json_t *o = json_object();

	snprintf(store, sizeof(store), "%016" PRIx64, s->store);
	put(o, "state", json_string(feed_state_name(s->state)));
	put(o, "connected", json_boolean(mc->connected));
	put(o, "store", json_string(store));
	put_number(o, "revision", s->revision);
	put_number(o, "remote_mappings", maps_count(g->maps, true));
	put_number(o, "local_mappings", maps_count(g->maps, false));
	put_number(o, "copies", s->copies);
	put_number(o, "catch_ups", s->catch_ups);
	put_number(o, "gaps", s->gaps);
	put_number(o, "not_held", s->not_held);
	put_number(o, "questions", s->asked);
	put_number(
		o, "packets_waiting", pending_packets(wait_pending(g->wait)));
	if (s->refused_why[0])
		put(o, "refused", json_string(s->refused_why));
	return o;
}

static json_t *
show_tentative(void *arg)
{
	const struct gwd *g = arg;
	const struct report_stats *s = feed_report_stats(g->feed);
	json_t *o = json_object();

	put_number(o, "mappings", maps_count_tentative(g->maps));
	put_number(o, "proved", s->proved);
	put_number(o, "promoted", s->promoted);
	put_number(o, "refused", s->refused);
	put_number(o, "held", s->held);
	put_number(o, "not_held", s->not_held);
	put_number(o, "holds_unanswered", s->unheld);
	return o;
}

static json_t *
show_counters(void *arg)
{
	const struct gwd *g = arg;
	const struct counters *c = worker_counters(g->worker);
	json_t *o = json_object();
	json_t *drops = json_object();
	int i;

	for (i = 0; i < WAY_N; i++) {
		json_t *way = json_object();

		put_number(way, "packets", c->packets[i]);
		put_number(way, "bytes", c->bytes[i]);
		put(o, way_names[i], way);
	}
	for (i = DROP_NONE + 1; i < DROP_N; i++)
		if (c->drops[i])
			put_number(
				drops, drop_label((enum drop)i), c->drops[i]);
	put(o, "drops", drops);
	put_number(o, "fragmented", c->fragmented);
	put_number(o, "waited", c->waited);
	return o;
}

static json_t *
show_peers(void *arg)
{
	const struct gwd *g = arg;
	const struct peers_stats *s = peers_stats(g->peers);
	json_t *o = json_object();

	put_number(o, "known", peers_count(g->peers));
	put_number(o, "proved", peers_proved(g->peers));
	put_number(o, "evicted", s->evicted);
	put_number(o, "port_changes", s->port_changes);
	put_number(o, "port_refusals", s->port_refusals);
	return o;
}

static json_t *
show_device(void *arg)
{
	const struct gwd *g = arg;
	json_t *o = json_object();

	put(o, "name", json_string(g->conf.ifname));
	put_addr(o, "address", &g->set.own_local);
	put_addr(o, "public", &g->set.pub);
	put_number(o, "mtu", g->local_mtu);
	put_number(o, "uplink_mtu", g->uplink_mtu);
	return o;
}

/* --- pages -------------------------------------------------------------- */

static json_t *
peer_object(const struct peer *p, uint64_t now)
{
	static const char *const proofs[] = {
		[PEER_SENT_TO] = "not heard from",
		[PEER_HEARD] = "heard",
		[PEER_ANSWERED] = "answered",
		[PEER_PROVED] = "proved",
	};
	json_t *o = json_object();

	put_addr(o, "address", &p->addr);
	put(o, "port", p->port ? json_integer(p->port) : json_null());
	put(o, "state", json_string(proofs[p->proof]));
	put_ago(o, "heard_ms_ago", p->heard_ms, now);
	put_ago(o, "known_ms", p->since_ms, now);
	put_number(o, "in_packets", p->in_packets);
	put_number(o, "in_bytes", p->in_bytes);
	put_number(o, "out_packets", p->out_packets);
	put_number(o, "out_bytes", p->out_bytes);
	put_number(o, "other_port", p->other_port);
	return o;
}

static int
page_peers(const char *query, struct evbuffer *body, void *arg)
{
	const struct gwd *g = arg;
	const struct peer *p;
	uint64_t now = now_ms();
	json_t *list = json_array();
	size_t pos = 0;

	(void)query;
	while ((p = peers_next(g->peers, &pos)))
		(void)json_array_append_new(list, peer_object(p, now));
	ctl_put_json(body, list);
	return 200;
}

static json_t *
offender_object(const struct offender *l, uint64_t now)
{
	json_t *o = json_object();

	put_ago(o, "ms_ago", l->at_ms, now);
	put(o, "way", json_string(way_names[l->way]));
	put_addr(o, "from", &l->src);
	put_addr(o, "to", &l->dst);
	put_number(o, "bytes", l->len);
	return o;
}

/* Every reason, also those that did not happen: it is the manual as well. */
static int
page_drops(const char *query, struct evbuffer *body, void *arg)
{
	const struct gwd *g = arg;
	const struct counters *c = worker_counters(g->worker);
	uint64_t now = now_ms();
	json_t *list = json_array();
	int i;

	(void)query;
	for (i = DROP_NONE + 1; i < DROP_N; i++) {
		json_t *o = json_object();

		put(o, "reason", json_string(drop_label((enum drop)i)));
		put(o, "help", json_string(drop_help((enum drop)i)));
		put_number(o, "count", c->drops[i]);
		put(o, "last",
			c->drops[i] ? offender_object(&c->last[i], now)
				    : json_null());
		(void)json_array_append_new(list, o);
	}
	ctl_put_json(body, list);
	return 200;
}

/* --- /metrics ----------------------------------------------------------- */

#define P "ipref_gwd_"

static void
by_way(struct ctl_metrics *m, const char *name, const char *help,
	const uint64_t v[WAY_N])
{
	ctl_metric(m, name, CTL_COUNTER, help);
	ctl_sample(m, "direction=\"out\"", v[WAY_OUT]);
	ctl_sample(m, "direction=\"in\"", v[WAY_IN]);
}

static void
one(struct ctl_metrics *m, const char *name, enum ctl_kind kind,
	const char *help, uint64_t v)
{
	ctl_metric(m, name, kind, help);
	ctl_sample(m, NULL, v);
}

static void
packet_metrics(struct ctl_metrics *m, const struct gwd *g)
{
	const struct counters *c = worker_counters(g->worker);
	char label[64];
	int i;

	by_way(m, P "packets_total", "Packets translated and passed on.",
		c->packets);
	by_way(m, P "bytes_total",
		"Bytes of packets passed on, before translation.", c->bytes);
	by_way(m, P "icmp_sent_total",
		"ICMP messages of the gateway's own, out: to peers.",
		c->replies);
	ctl_metric(m, P "dropped_packets_total", CTL_COUNTER,
		"Packets not passed on, by reason.");
	for (i = DROP_NONE + 1; i < DROP_N; i++) {
		snprintf(label, sizeof(label), "reason=\"%s\"",
			drop_label((enum drop)i));
		ctl_sample(m, label, c->drops[i]);
	}
	one(m, P "fragmented_packets_total", CTL_COUNTER,
		"Packets cut because they are larger than their path.",
		c->fragmented);
	one(m, P "fragments_total", CTL_COUNTER,
		"Pieces that packets were cut into.", c->pieces);
	one(m, P "waited_packets_total", CTL_COUNTER,
		"Packets that had to wait for the mapper.", c->waited);
	one(m, P "waiting_packets", CTL_GAUGE,
		"Packets that wait for the mapper.",
		pending_packets(wait_pending(g->wait)));
	one(m, P "waiting_bytes", CTL_GAUGE,
		"Bytes of packets that wait for the mapper.",
		pending_bytes(wait_pending(g->wait)));
}

static void
tentative_metrics(struct ctl_metrics *m, const struct gwd *g)
{
	const struct report_stats *s = feed_report_stats(g->feed);

	one(m, P "tentative_mappings", CTL_GAUGE,
		"Mappings of remote hosts that are not proved yet.",
		maps_count_tentative(g->maps));
	one(m, P "proofs_total", CTL_COUNTER,
		"Reports of mappings proved, each time they were sent.",
		s->proved);
	one(m, P "proofs_accepted_total", CTL_COUNTER,
		"Of them, acknowledged: no longer tentative.", s->promoted);
	one(m, P "proofs_refused_total", CTL_COUNTER,
		"Of them, acknowledged, and tentative still.", s->refused);
	one(m, P "holds_total", CTL_COUNTER,
		"Tentative mappings that a mapper was told of when it came.",
		s->held);
	one(m, P "holds_refused_total", CTL_COUNTER,
		"Of them, removed because the mapper does not hold them.",
		s->not_held);
	one(m, P "holds_unanswered_total", CTL_COUNTER,
		"Times that a mapper did not say which of them it holds.",
		s->unheld);
}

static void
feed_metrics(struct ctl_metrics *m, const struct gwd *g)
{
	const struct feed_stats *s = feed_stats(g->feed);
	const struct mclient_stats *mc = feed_mclient_stats(g->feed);

	one(m, P "mapper_connected", CTL_GAUGE,
		"1 while there is a connection to the mapper.", mc->connected);
	one(m, P "mapper_connects_total", CTL_COUNTER,
		"Connections made to the mapper.", mc->connects);
	one(m, P "feed_following", CTL_GAUGE,
		"1 while the copy of the mappings is up to date.",
		s->state == FEED_FOLLOWING);
	one(m, P "feed_refused", CTL_GAUGE,
		"1 while the mapper refuses this gateway's settings.",
		s->state == FEED_REFUSED);
	one(m, P "feed_revision", CTL_GAUGE,
		"Revision of the copy; 0 while it is incomplete.", s->revision);
	one(m, P "feed_copies_total", CTL_COUNTER,
		"Full copies of the mappings begun.", s->copies);
	one(m, P "feed_gaps_total", CTL_COUNTER,
		"Times that a change was missing.", s->gaps);
	one(m, P "feed_not_held_total", CTL_COUNTER,
		"Mappings that the copy had no room for.", s->not_held);
	ctl_metric(m, P "mappings", CTL_GAUGE, "Mappings in the copy.");
	ctl_sample(m, "kind=\"remote\"", maps_count(g->maps, true));
	ctl_sample(m, "kind=\"local\"", maps_count(g->maps, false));
	tentative_metrics(m, g);
	ctl_metric(m, P "questions_total", CTL_COUNTER,
		"Questions to the mapper that ended, by answer.");
	ctl_sample(m, "answer=\"yes\"", s->yes);
	ctl_sample(m, "answer=\"no\"", s->no);
	ctl_sample(m, "answer=\"none\"", s->unanswered);
}

static void
peer_metrics(struct ctl_metrics *m, const struct gwd *g)
{
	const struct peers_stats *s = peers_stats(g->peers);

	one(m, P "peers", CTL_GAUGE, "Other gateways that are remembered.",
		peers_count(g->peers));
	one(m, P "peers_proved", CTL_GAUGE,
		"Of them, those with which packets go to and fro.",
		peers_proved(g->peers));
	one(m, P "peers_evicted_total", CTL_COUNTER,
		"Other gateways forgotten for others.", s->evicted);
	one(m, P "peer_port_changes_total", CTL_COUNTER,
		"Times that another port of a peer was learned.",
		s->port_changes);
	one(m, P "peer_port_refusals_total", CTL_COUNTER,
		"Packets from a port of a peer while another one was in use.",
		s->port_refusals);
}

static void
metrics(struct ctl_metrics *m, void *arg)
{
	const struct gwd *g = arg;

	packet_metrics(m, g);
	feed_metrics(m, g);
	peer_metrics(m, g);
}

void
status_start(struct ctl *c, struct gwd *g)
{
	ctl_add_status(c, "device", show_device, g);
	ctl_add_status(c, "feed", show_feed, g);
	ctl_add_status(c, "tentative", show_tentative, g);
	ctl_add_status(c, "packets", show_counters, g);
	ctl_add_status(c, "peers", show_peers, g);
	ctl_add_metrics(c, metrics, g);
	ctl_add_page(c, "/peers", NULL, page_peers, g);
	ctl_add_page(c, "/drops", NULL, page_drops, g);
}
