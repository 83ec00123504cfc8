/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/carry.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "gwd/gwd.h"
#include "gwd/maps.h"
#include "gwd/qs.h"
#include "gwd/tracer.h"
#include "gwd/udp_many.h"
#include "libipref/daemon.h"
#include "libipref/log.h"

static enum drop
on_wait(const struct packet_in *in, const struct packet_out *out,
	unsigned asked, uint64_t now, void *arg)
{
	struct daemon *d = arg;
	struct gwd *g = d->state;

	return wait_packet(g->wait, in, out, asked, now);
}

static void
on_failed(void *arg)
{
	log_err("tun: the device is gone");
	daemon_stop(arg, 1);
}

static void
on_before_heard(const struct addr *peer, void *arg)
{
	struct daemon *d = arg;
	struct gwd *g = d->state;

	steer_take(&g->steer, peer, now_ms());
}

static void
on_changed(const struct addr *peer, void *arg)
{
	struct daemon *d = arg;
	struct gwd *g = d->state;

	steer_peer(&g->steer, peer, now_ms());
}

static bool
wants_all(const void *worker)
{
	return worker_wants_all(worker);
}

static uint32_t
on_path_mtu(const struct addr *peer, uint64_t now, void *arg)
{
	struct gwd *g = arg;

	(void)now;
	return worker_path_mtu(g->worker, peer);
}

/* --- lanes -------------------------------------------------------------- */

static struct lane_rules
rules(const struct gwd *g)
{
	return (struct lane_rules){
		.set = g->set,
		.probe = g->probe,
		.clamp_mss = g->conf.clamp_mss,
		.local_mtu = g->local_mtu,
		.busy_poll_us = (uint32_t)g->conf.busy_poll_us,
	};
}

static int
make_lanes(struct gwd *g)
{
	unsigned most = g->conf.udp_gso ? udp_most_segments() : 0;
	const struct lanes_config cfg = {
		.n = g->n_tun,
		.tun_fds = g->tun_fds,
		.udp_fds = g->udp_fds,
		.n_udp = g->n_udp,
		.maps = g->maps,
		.routes = g->routes,
		.rules = rules(g),
		.tun_tso = g->conf.tun_tso,
		.tun_uso = g->offload.uso,
		.most_segments = most ? most : 1,
	};

	g->most_segments = cfg.most_segments;
	g->lanes = lanes_new(&cfg);
	return g->lanes ? 0 : -ENOMEM;
}

static int
start_routes(struct gwd *g)
{
	g->routes = routes_new(g->conf.max_peers, g->n_tun, qs_retire);
	if (!g->routes)
		return -ENOMEM;
	g->steer = (struct steer){
		.set = &g->set,
		.confs = &g->confs,
		.paths = g->paths,
		.peers = g->peers,
		.routes = g->routes,
		.path_mtu = on_path_mtu,
		.arg = g,
	};
	steer_start(&g->steer);
	return 0;
}

/* --- the worker --------------------------------------------------------- */

static int
start_worker(struct daemon *d)
{
	struct gwd *g = d->state;
	struct ring *rings[LANES_MAX];
	struct worker_config cfg = {
		.base = d->base,
		.tun_fd = g->tun_fds[0],
		.udp_fd = g->udp_fds[0],
		.udp_fds = g->udp_fds,
		.n_udp_fds = g->n_udp,
		.rings = rings,
		.n_rings = lanes_count(g->lanes),
		.raw_fd = g->raw_fd,
		.set = &g->set,
		.maps = g->maps,
		.peers = g->peers,
		.confs = &g->confs,
		.probe = &g->probe,
		.limit = g->limit,
		.paths = g->paths,
		.hosts = g->hosts,
		.local_mtu = g->local_mtu,
		.clamp_mss = &g->conf.clamp_mss,
		.trace = &g->conf.common.trace,
		.tracer = g->tracer,
		.wait = on_wait,
		.before_heard = on_before_heard,
		.changed = on_changed,
		.failed = on_failed,
		.arg = d,
	};
	unsigned i;

	for (i = 0; i < lanes_count(g->lanes); i++)
		rings[i] = lanes_ring(g->lanes, i);
	g->worker = worker_new(&cfg);
	return g->worker ? 0 : -ENOMEM;
}

/* --- each second -------------------------------------------------------- */

void
carry_collect(struct gwd *g)
{
	if (!g->lanes)
		return; /* nothing is carried yet */
	lanes_collect(g->lanes, worker_tally(g->worker), now_ms());
	steer_some(&g->steer, now_ms());
}

static void
on_collect(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	carry_collect(arg);
}

static int
start_collecting(struct daemon *d)
{
	static const struct timeval second = {.tv_sec = 1};
	struct gwd *g = d->state;

	g->collect = event_new(d->base, -1, EV_PERSIST, on_collect, g);
	return g->collect && !event_add(g->collect, &second) ? 0 : -ENOMEM;
}

/* --- life --------------------------------------------------------------- */

static int
start_all(struct daemon *d)
{
	struct gwd *g = d->state;
	int err;

	g->wait = wait_new(d->base);
	g->tracer = tracer_new(d->base, g->maps);
	err = g->wait && g->tracer ? start_routes(g) : -ENOMEM;
	if (!err)
		err = make_lanes(g);
	if (!err)
		err = start_worker(d);
	if (!err)
		err = lanes_start(g->lanes, wants_all, g->worker);
	if (!err)
		err = start_collecting(d);
	return err;
}

/* What lanes have handed over when they stop is lost: so are packets that come
 * later. */
static void
stop_all(struct gwd *g)
{
	if (g->collect)
		event_free(g->collect);
	lanes_stop(g->lanes);
	worker_free(g->worker);
	lanes_free(g->lanes);
	if (g->steer.peers)
		steer_stop(&g->steer);
	routes_free(g->routes);
	tracer_free(g->tracer);
	wait_free(g->wait);
	qs_writer_end();
}

int
carry_start(struct daemon *d)
{
	struct gwd *g = d->state;
	int err = qs_writer_start();

	if (!err) {
		maps_share(g->maps, qs_retire);
		err = start_all(d);
		if (err)
			stop_all(g);
	}
	if (err)
		log_err_errno(-err, "workers: can't be started");
	return err;
}

void
carry_stop(struct daemon *d)
{
	stop_all(d->state);
}

void
carry_reload(struct gwd *g)
{
	const struct lane_rules r = rules(g);

	if (lanes_set_rules(g->lanes, &r))
		log_err("settings: no memory, packets go by the old ones");
	worker_reloaded(g->worker);
	steer_all(&g->steer, now_ms());
}
