/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A job is one packet on its way; each ends in exactly one of: passed on,
 * waiting for the mapper, or one drop counted. An ICMP error of ours that goes
 * with a drop is counted by itself.
 */
#include "gwd/worker_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "gwd/decap.h"
#include "gwd/encap.h"
#include "gwd/maps.h"
#include "gwd/probe.h"
#include "gwd/tracer.h"
#include "gwd/udp.h"
#include "libipref/log.h"

static const char *const way_names[] = {[WAY_OUT] = "out", [WAY_IN] = "in"};

static void
trace(const struct worker *w, const struct job *j, const char *what)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];
	struct addr a = j->in.from, b = {0};

	if (!*w->cfg.trace && !log_wants(LOG_LEVEL_DEBUG))
		return;
	if (j->way == WAY_OUT)
		counters_addrs(j->in.p, j->in.len, &a, &b);
	log_at(*w->cfg.trace ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
		"packet %s: %s > %s, %zu bytes: %s", way_names[j->way],
		addr_format(&a, src), addr_format(&b, dst), j->in.len, what);
}

/* For those who trace packets; out NULL: nothing was written. */
static void
show(const struct worker *w, const struct job *j, const struct packet_out *out,
	enum trace_result result, enum drop drop)
{
	struct trace_input t = {
		.way = j->way,
		.result = result,
		.drop = drop,
		.in = j->in.p,
		.in_len = j->in.len,
		.peer = {j->in.from, j->port},
		.pub = &w->cfg.set->pub,
	};
	const struct peer *peer;

	if (out) {
		t.out = out->p;
		t.out_len = out->len;
	}
	if (out && j->way == WAY_OUT) {
		peer = peers_get(w->cfg.peers, &out->peer);
		t.peer.addr = out->peer;
		t.peer.port = peer ? peer->port : 0;
	}
	tracer_packet(w->cfg.tracer, &t);
}

void
job_drop(struct worker *w, const struct job *j, enum drop drop)
{
	counters_drop(&w->counters, drop, j->way, &j->in, w->now_ms);
	recent_note(&w->recent, drop, j->way, &j->in, w->now_ms);
	trace(w, j, drop_label(drop));
	if (tracer_on(w->cfg.tracer))
		show(w, j, NULL, TRACE_DROPPED, drop);
}

void
job_used(struct worker *w, const struct job *j, const struct packet_out *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(out->used); i++)
		if (out->used[i])
			maps_used(w->cfg.maps, out->used[i], j->way);
}

void
job_pass(struct worker *w, const struct job *j, const struct packet_out *out)
{
	w->counters.packets[j->way]++;
	w->counters.bytes[j->way] += j->in.len;
	trace(w, j, "passed");
	if (tracer_on(w->cfg.tracer))
		show(w, j, out, TRACE_PASSED, DROP_NONE);
}

void
way_changed(struct worker *w, const struct addr *peer)
{
	if (w->cfg.changed)
		w->cfg.changed(peer, w->cfg.arg);
}

void
job_waits(struct worker *w, const struct job *j)
{
	w->counters.waited++;
	trace(w, j, "waits");
	if (tracer_on(w->cfg.tracer))
		show(w, j, NULL, TRACE_WAITS, DROP_NONE);
}

/* --- translating -------------------------------------------------------- */

static void
refuse(struct worker *w, struct job *j, const struct packet_out *out)
{
	enum drop drop = out->drop;

	if (out->ask == ASK_WHOLE) {
		hold_first(w, j, out);
		return;
	}
	if (out->ask && !(j->asked & 1U << out->ask)) {
		drop = w->cfg.wait(
			&j->in, out, j->asked, w->now_ms, w->cfg.arg);
		if (!drop) {
			job_waits(w, j);
			return;
		}
	}
	job_drop(w, j, drop);
	/* Nothing is said while it is only us who don't know. */
	if (out->reply && drop == out->drop)
		send_reply(w, j, out);
}

static void
run_out(struct worker *w, struct job *j)
{
	struct packet_out out = {.p = w->out, .size = sizeof(w->out)};

	j->in.number = w->number++;
	encap(w->cfg.set, w->cfg.maps, &j->in, &out);
	if (out.mtu_of.ver == 6)
		(void)paths_learn(
			w->cfg.hosts, &out.mtu_of, out.mtu, w->now_ms);
	if (out.drop)
		refuse(w, j, &out);
	else if (!peer_confs_allow(w->cfg.confs, &out.peer))
		send_denied(w, j);
	else
		send_tunnel(w, j, &out);
	if (!out.drop && out.whole)
		hold_last(w, j, &out);
}

/* The kernel would not know what to do with it, and the mapper would be asked
 * for an address of the peer. */
static bool
ends_here(const struct worker *w, const struct job *j)
{
	return w->cfg.probe &&
	       probe_is_answer(w->cfg.set, w->cfg.probe, j->in.p, j->in.len);
}

static void
note_sender(struct worker *w, const struct udp_from *from, size_t len)
{
	if (w->cfg.before_heard)
		w->cfg.before_heard(&from->from.addr, w->cfg.arg);
	peers_heard(w->cfg.peers, &from->from, &from->to, len, w->now_ms);
	/* Before the packet goes on: the answer may be quicker than we are. */
	way_changed(w, &from->from.addr);
}

/* from NULL: a packet that waited; its sender was noted when it came. */
static void
run_in(struct worker *w, struct job *j, const struct udp_from *from)
{
	struct packet_out out = {.p = w->out, .size = sizeof(w->out)};

	j->in.number = w->number++;
	decap(w->cfg.set, w->cfg.maps, &j->in, &out);
	if (out.peer_ok && from)
		note_sender(w, from, j->in.len);
	if (out.peer_ok && ends_here(w, j)) {
		peers_alive(w->cfg.peers, &j->in.from, w->now_ms);
		job_used(w, j, &out);
		job_pass(w, j, &out);
	} else if (out.drop) {
		refuse(w, j, &out);
	} else {
		send_host(w, j, &out);
	}
	if (!out.drop && out.whole)
		hold_last(w, j, &out);
}

void
job_again(struct worker *w, struct job *j)
{
	if (j->way == WAY_IN)
		run_in(w, j, NULL);
	else
		run_out(w, j);
}

struct job
job_of(const struct waiting *p)
{
	return (struct job){
		.way = p->in.from.ver ? WAY_IN : WAY_OUT,
		.in = p->in,
		.asked = p->asked,
	};
}

void
job_out(struct worker *w, const uint8_t *pkt, size_t len)
{
	struct job j = {.way = WAY_OUT, .in = {.p = pkt, .len = len}};

	run_out(w, &j);
}

void
job_datagram(struct worker *w, const uint8_t *pkt, size_t len,
	const struct udp_from *from)
{
	const struct addr *peer = &from->from.addr;
	struct job j = {
		.way = WAY_IN,
		.in = {.p = pkt, .len = len, .from = *peer},
		.port = from->from.port,
	};

	/* The gateway itself it would be, or a host of ours; the kernel lets
	 * such IPv6 datagrams in. */
	if (addr_eq(peer, &w->cfg.set->pub)) {
		job_drop(w, &j, DROP_OWN_SOURCE);
		return;
	}
	if (!peer_confs_allow(w->cfg.confs, peer)) {
		job_drop(w, &j, DROP_PEER_DENIED);
		return;
	}
	if (peer_confs_get(w->cfg.confs, peer)->tos)
		j.in.tos = from->tos;
	run_in(w, &j, from);
}

void
worker_again(struct worker *w, const struct waiting *p)
{
	struct job j = job_of(p);

	worker_begin(w);
	job_again(w, &j);
}

void
worker_drop(struct worker *w, const struct waiting *p, enum drop drop)
{
	const struct job j = job_of(p);

	worker_begin(w);
	job_drop(w, &j, drop);
}

/* --- life --------------------------------------------------------------- */

void
worker_begin(struct worker *w)
{
	w->now_ms = now_ms();
	errors_tick(w);
}

bool
worker_wants_all(const struct worker *w)
{
	return atomic_load_explicit(&w->verbose, memory_order_relaxed) ||
	       tracer_on(w->cfg.tracer);
}

void
worker_reloaded(struct worker *w)
{
	atomic_store_explicit(&w->verbose,
		*w->cfg.trace || log_wants(LOG_LEVEL_DEBUG),
		memory_order_relaxed);
}

/* The log's level may change, too. */
static void
on_second(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	worker_begin(w);
	worker_reloaded(w);
}

static int
start_second(struct worker *w)
{
	static const struct timeval second = {.tv_sec = 1};

	w->second = event_new(w->cfg.base, -1, EV_PERSIST, on_second, w);
	return w->second ? event_add(w->second, &second) : -ENOMEM;
}

struct worker *
worker_new(const struct worker_config *cfg)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->cfg = *cfg;
	w->errors_fd = -1;
	w->number = send_ident(w);
	recent_init(&w->recent, (uint64_t)send_ident(w) << 32 | send_ident(w));
	worker_reloaded(w);
	if (errors_init(w) || hold_init(w) || start_second(w) ||
		handed_init(w)) {
		worker_free(w);
		return NULL;
	}
	return w;
}

void
worker_free(struct worker *w)
{
	if (!w)
		return;
	handed_fini(w);
	if (w->second)
		event_free(w->second);
	hold_fini(w);
	errors_fini(w);
	free(w);
}

uint32_t
worker_path_mtu(struct worker *w, const struct addr *peer)
{
	worker_begin(w);
	return send_path_mtu(w, peer);
}

const struct counters *
worker_counters(const struct worker *w)
{
	return &w->counters;
}

struct counters *
worker_tally(struct worker *w)
{
	return &w->counters;
}

const struct recent *
worker_recent(const struct worker *w)
{
	return &w->recent;
}
