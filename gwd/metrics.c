/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/metrics.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "gwd/carry.h"
#include "gwd/gwd.h"
#include "gwd/kernel_drops.h"
#include "gwd/maps.h"
#include "gwd/report.h"
#include "libipref/ctl.h"

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
	ctl_metric(m, P "path_messages_total", CTL_COUNTER,
		"Messages about datagrams to peers, by what they say.");
	ctl_sample(m, "says=\"too_big\"", c->told_too_big);
	ctl_sample(m, "says=\"unreachable\"", c->told_unreachable);
	one(m, P "mss_clamped_total", CTL_COUNTER,
		"TCP SYNs whose largest segment was made smaller.",
		c->mss_clamped);
	one(m, P "held_fragments", CTL_GAUGE,
		"First fragments of ICMPv6 echoes that wait for the last.",
		worker_held(g->worker));
	one(m, P "waited_packets_total", CTL_COUNTER,
		"Packets that had to wait for the mapper.", c->waited);
	one(m, P "waiting_packets", CTL_GAUGE,
		"Packets that wait for the mapper.",
		pending_packets(wait_pending(g->wait)));
	one(m, P "waiting_bytes", CTL_GAUGE,
		"Bytes of packets that wait for the mapper.",
		pending_bytes(wait_pending(g->wait)));
}

/* What each worker did. */
static void
lane_metrics(struct ctl_metrics *m, const struct gwd *g)
{
	static const struct lane_metric {
		const char *name, *help;
		size_t off;
	} rows[] = {
		{P "worker_packets_out_total",
			"Packets carried into the tunnel.",
			offsetof(struct lanes_work, packets[WAY_OUT])},
		{P "worker_packets_in_total",
			"Packets carried out of the tunnel.",
			offsetof(struct lanes_work, packets[WAY_IN])},
		{P "worker_handed_over_total",
			"Packets and superpackets that were not plain, for the "
			"control thread.",
			offsetof(struct lanes_work, handed)},
		{P "worker_tun_reads_total",
			"Packets and superpackets read from the TUN device.",
			offsetof(struct lanes_work, tun_reads)},
		{P "worker_tun_writes_total",
			"Packets and superpackets written to the TUN device.",
			offsetof(struct lanes_work, tun_writes)},
		{P "worker_socket_sends_total",
			"Messages, of one or several datagrams, sent to peers.",
			offsetof(struct lanes_work, udp_sends)},
		{P "worker_socket_receives_total",
			"Times that messages were received from peers.",
			offsetof(struct lanes_work, udp_recvs)},
	};
	const char *work;
	char label[32];
	uint64_t v;
	unsigned i;
	size_t r;

	for (r = 0; r < ARRAY_LEN(rows); r++) {
		ctl_metric(m, rows[r].name, CTL_COUNTER, rows[r].help);
		for (i = 0; i < lanes_count(g->lanes); i++) {
			work = (const char *)lanes_work(g->lanes, i);
			memcpy(&v, work + rows[r].off, sizeof(v));
			snprintf(label, sizeof(label), "worker=\"%u\"", i);
			ctl_sample(m, label, v);
		}
	}
}

static void
kernel_metrics(struct ctl_metrics *m, const struct gwd *g)
{
	struct kernel_dropped n = kernel_drops_get(g->kernel_drops);

	ctl_metric(m, P "kernel_dropped_packets_total", CTL_COUNTER,
		"Packets that the kernel dropped before the gateway saw them, "
		"above all for want of room.");
	ctl_sample(m, "at=\"device\"", n.device);
	ctl_sample(m, "at=\"sockets\"", n.sockets);
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
	one(m, P "peers_evicted_proved_total", CTL_COUNTER,
		"Of them, those with which packets went to and fro.",
		s->evicted_proved);
	one(m, P "peer_port_changes_total", CTL_COUNTER,
		"Times that another port of a peer was learned.",
		s->port_changes);
	one(m, P "peer_port_refusals_total", CTL_COUNTER,
		"Packets from a port of a peer while another one was in use.",
		s->port_refusals);
}

/* of="peers": outside the tunnel; of="hosts": to local hosts. */
static void
path_metrics(struct ctl_metrics *m, const struct gwd *g)
{
	const struct paths_stats *p = paths_stats(g->paths);
	const struct paths_stats *h = paths_stats(g->hosts);

	ctl_metric(m, P "paths", CTL_GAUGE, "Addresses whose path is known.");
	ctl_sample(m, "of=\"peers\"", paths_count(g->paths));
	ctl_sample(m, "of=\"hosts\"", paths_count(g->hosts));
	ctl_metric(m, P "paths_narrower_total", CTL_COUNTER,
		"Times that a path turned out to be narrower.");
	ctl_sample(m, "of=\"peers\"", p->learned);
	ctl_sample(m, "of=\"hosts\"", h->learned);
	ctl_metric(m, P "paths_full_total", CTL_COUNTER,
		"Path MTUs not learned, as all known paths were in use.");
	ctl_sample(m, "of=\"peers\"", p->full);
	ctl_sample(m, "of=\"hosts\"", h->full);
}

static void
metrics(struct ctl_metrics *m, void *arg)
{
	struct gwd *g = arg;

	carry_collect(g);
	packet_metrics(m, g);
	kernel_metrics(m, g);
	lane_metrics(m, g);
	feed_metrics(m, g);
	peer_metrics(m, g);
	path_metrics(m, g);
}

void
metrics_start(struct ctl *c, struct gwd *g)
{
	ctl_add_metrics(c, metrics, g);
}
