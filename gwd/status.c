/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/status.h"

#include <inttypes.h>
#include <stdio.h>

#include "gwd/carry.h"
#include "gwd/gwd.h"
#include "gwd/kernel_drops.h"
#include "gwd/maps.h"
#include "gwd/report.h"
#include "gwd/show.h"
#include "libipref/ctl.h"

static json_t *
show_feed(void *arg)
{
	const struct gwd *g = arg;
	const struct feed_stats *s = feed_stats(g->feed);
	const struct mclient_stats *mc = feed_mclient_stats(g->feed);
	char store[17];
	json_t *o = json_object();

	snprintf(store, sizeof(store), "%016" PRIx64, s->store);
	show_put(o, "state", json_string(feed_state_name(s->state)));
	show_put(o, "connected", json_boolean(mc->connected));
	show_put(o, "store", json_string(store));
	show_number(o, "revision", s->revision);
	show_number(o, "remote_mappings", maps_count(g->maps, true));
	show_number(o, "local_mappings", maps_count(g->maps, false));
	show_number(o, "copies", s->copies);
	show_number(o, "catch_ups", s->catch_ups);
	show_number(o, "gaps", s->gaps);
	show_number(o, "not_held", s->not_held);
	show_number(o, "questions", s->asked);
	show_number(
		o, "packets_waiting", pending_packets(wait_pending(g->wait)));
	if (s->refused_why[0])
		show_put(o, "refused", json_string(s->refused_why));
	return o;
}

static json_t *
show_tentative(void *arg)
{
	const struct gwd *g = arg;
	const struct report_stats *s = feed_report_stats(g->feed);
	json_t *o = json_object();

	show_number(o, "mappings", maps_count_tentative(g->maps));
	show_number(o, "proved", s->proved);
	show_number(o, "promoted", s->promoted);
	show_number(o, "refused", s->refused);
	show_number(o, "held", s->held);
	show_number(o, "not_held", s->not_held);
	show_number(o, "holds_unanswered", s->unheld);
	return o;
}

static json_t *
kernel_drops_object(struct kernel_drops *k)
{
	struct kernel_dropped n = kernel_drops_get(k);
	json_t *o = json_object();

	show_number(o, "device", n.device);
	show_number(o, "sockets", n.sockets);
	return o;
}

static json_t *
show_counters(void *arg)
{
	struct gwd *g = arg;
	const struct counters *c = worker_counters(g->worker);
	json_t *o = json_object();
	json_t *drops = json_object();
	int i;

	carry_collect(g);
	for (i = 0; i < WAY_N; i++) {
		json_t *way = json_object();

		show_number(way, "packets", c->packets[i]);
		show_number(way, "bytes", c->bytes[i]);
		show_put(o, show_way(i), way);
	}
	for (i = DROP_NONE + 1; i < DROP_N; i++)
		if (c->drops[i])
			show_number(
				drops, drop_label((enum drop)i), c->drops[i]);
	show_put(o, "drops", drops);
	show_put(o, "kernel_drops", kernel_drops_object(g->kernel_drops));
	show_number(o, "fragmented", c->fragmented);
	show_number(o, "waited", c->waited);
	return o;
}

/* What is used of the offloads, whether left out by a setting or refused. */
static json_t *
show_workers(void *arg)
{
	const struct gwd *g = arg;
	json_t *o = json_object();

	show_number(o, "number", lanes_count(g->lanes));
	show_number(o, "sockets", g->n_udp);
	show_put(o, "tun_tso",
		json_boolean(g->offload.tso && lanes_tun_tso(g->lanes)));
	show_put(o, "tun_uso",
		json_boolean(g->offload.uso && lanes_tun_uso(g->lanes)));
	show_put(o, "udp_gso", json_boolean(g->most_segments > 1));
	show_put(o, "udp_gro", json_boolean(g->udp_gro));
	return o;
}

static json_t *
show_peers(void *arg)
{
	const struct gwd *g = arg;
	const struct peers_stats *s = peers_stats(g->peers);
	json_t *o = json_object();

	show_number(o, "known", peers_count(g->peers));
	show_number(o, "proved", peers_proved(g->peers));
	show_number(o, "evicted", s->evicted);
	show_number(o, "port_changes", s->port_changes);
	show_number(o, "port_refusals", s->port_refusals);
	return o;
}

static json_t *
show_device(void *arg)
{
	const struct gwd *g = arg;
	json_t *o = json_object();

	show_put(o, "name", json_string(g->conf.ifname));
	show_addr(o, "address", &g->set.own_local);
	show_addr(o, "public", &g->set.pub);
	show_number(o, "mtu", g->local_mtu);
	show_number(o, "uplink_mtu", g->uplink_mtu);
	return o;
}

void
status_start(struct ctl *c, struct gwd *g)
{
	ctl_add_status(c, "device", show_device, g);
	ctl_add_status(c, "feed", show_feed, g);
	ctl_add_status(c, "tentative", show_tentative, g);
	ctl_add_status(c, "packets", show_counters, g);
	ctl_add_status(c, "workers", show_workers, g);
	ctl_add_status(c, "peers", show_peers, g);
}
