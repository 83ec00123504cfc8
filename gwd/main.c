/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gwd: the parts in the order in which they start, undone in reverse.
 *
 * The tables first, for nothing works without them, with what was in them
 * before a restart; then the device (its MTU comes from the uplink's); the
 * tunnel socket; what moves packets; last the feed, which needs somebody to
 * tell about changes. Whether mapperd is there is nobody's condition.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "gwd/carry.h"
#include "gwd/ends.h"
#include "gwd/gwd.h"
#include "gwd/kernel_drops.h"
#include "gwd/maps.h"
#include "gwd/metrics.h"
#include "gwd/pages.h"
#include "gwd/peers_file.h"
#include "gwd/status.h"
#include "gwd/tracer.h"
#include "gwd/why.h"
#include "libipref/daemon.h"
#include "libipref/log.h"

#define STATE_FILE     "gwd.state"
#define LOCAL_PATH_MTU 1500 /* to local hosts, until less is learned */

static void
free_tables(struct gwd *g)
{
	paths_free(g->hosts);
	paths_free(g->paths);
	free(g->limit);
	peers_free(g->peers);
	maps_free(g->maps);
	peer_confs_fini(&g->confs);
}

/* A few bytes come whole (getrandom(2)). */
static bool
fill_random(void *p, size_t len)
{
	return getrandom(p, len, 0) == (ssize_t)len;
}

/* The tables, by what is set about peers. */
static void
configure_peers(struct gwd *g)
{
	const struct peer_confs *c = &g->confs;
	size_t i;

	peers_configure(g->peers, c, now_ms());
	paths_unfix(g->paths);
	for (i = 0; i < c->n; i++)
		if (c->v[i].mtu)
			paths_fix(g->paths, &c->v[i].addr, c->v[i].mtu);
}

static int
start_tables(struct daemon *d)
{
	struct gwd *g = d->state;
	struct limit_rate all = settings_icmp_all(&g->conf);
	struct limit_rate host = settings_icmp_host(&g->conf);
	char why[128];
	uint64_t seed;

	g->set = settings_core(&g->conf);
	if (settings_peers(&g->conf, &g->confs, why, sizeof(why))) {
		log_err("settings: %s", why);
		return -ENOMEM;
	}
	g->maps = maps_new(&g->set.pub, g->conf.max_mappings);
	g->peers = peers_new(
		g->conf.max_peers, settings_port(g->conf.remote_port));
	g->limit = malloc(sizeof(*g->limit));
	g->paths = paths_new(g->conf.max_peers,
		g->set.tunnel_ver == 4 ? PATHS_LOWEST_V4 : PATHS_LOWEST_V6, 0);
	g->hosts = paths_new(
		g->conf.max_local_ips, PATHS_LOWEST_V6, LOCAL_PATH_MTU);
	if (!g->maps || !g->peers || !g->limit || !g->paths || !g->hosts ||
		!fill_random(&seed, sizeof(seed)) ||
		!fill_random(&g->probe.ident, sizeof(g->probe.ident)) ||
		!fill_random(&g->probe.cookie, sizeof(g->probe.cookie))) {
		log_err("tables: no memory");
		free_tables(g);
		return -ENOMEM;
	}
	limit_init(g->limit, &all, &host, seed);
	peers_set_public(g->peers, &g->set.pub);
	configure_peers(g);
	return 0;
}

static void
stop_tables(struct daemon *d)
{
	free_tables(d->state);
}

/* By default beside the control socket: both are of this process. */
static int
state_path(const struct gwd_conf *c, char *path, size_t size)
{
	int n = c->state_file ? snprintf(path, size, "%s", c->state_file)
			      : snprintf(path, size, "%s/%s",
					c->common.control_dir, STATE_FILE);

	return n < (int)size ? 0 : -ENAMETOOLONG;
}

static int
start_state(struct daemon *d)
{
	struct gwd *g = d->state;
	const struct peers_kept kept = {
		.peers = g->peers,
		.paths = g->paths,
		.ver = g->set.tunnel_ver,
	};
	char path[PATH_MAX];

	if (state_path(&g->conf, path, sizeof(path))) {
		log_err("state-file: the path is too long");
		return -ENAMETOOLONG;
	}
	if (!path[0])
		return 0;
	g->peers_file = peers_file_new(d->base, path, &kept);
	if (g->peers_file)
		return 0;
	log_err("state-file: no memory");
	return -ENOMEM;
}

static void
stop_state(struct daemon *d)
{
	struct gwd *g = d->state;

	peers_file_free(g->peers_file);
}

static int
start_feed(struct daemon *d)
{
	struct gwd *g = d->state;
	struct feed_config cfg = {
		.path = g->conf.common.mapper_socket,
		.fmt = common_format(&g->conf.common),
		.profile = {g->set.encode_net, g->set.pub, g->set.own_ref},
		.times = feed_times_default,
		.maps = g->maps,
		.changed = wait_changed,
		.answered = wait_answered,
		.ready = wait_ready,
		.arg = g->wait,
	};

	cfg.times.keep = g->conf.keep_s * 1000;
	g->feed = feed_new(d->base, &cfg);
	if (!g->feed) {
		log_err("feed: no memory");
		return -ENOMEM;
	}
	wait_connect(g->wait, g->feed, g->worker);
	status_start(d->ctl, g);
	metrics_start(d->ctl, g);
	pages_start(d->ctl, g);
	why_start(d->ctl, g);
	tracer_start(g->tracer, d->ctl);
	return 0;
}

static void
stop_feed(struct daemon *d)
{
	struct gwd *g = d->state;

	feed_free(g->feed);
}

static void
on_keep_alive(
	const struct addr *peer, const uint8_t *pkt, size_t len, void *arg)
{
	worker_keep_alive(arg, peer, pkt, len);
}

static int
start_kernel_drops(struct daemon *d)
{
	struct gwd *g = d->state;
	const struct kernel_drops_config cfg = {
		.base = d->base,
		.device = g->conf.ifname,
		.fds = g->udp_fds,
		.n = g->n_udp,
	};

	g->kernel_drops = kernel_drops_new(&cfg);
	return g->kernel_drops ? 0 : -EIO;
}

static void
stop_kernel_drops(struct daemon *d)
{
	struct gwd *g = d->state;

	kernel_drops_free(g->kernel_drops);
}

static int
start_keepalive(struct daemon *d)
{
	struct gwd *g = d->state;
	const struct keepalive_config cfg = {
		.base = d->base,
		.set = &g->set,
		.peers = g->peers,
		.confs = &g->confs,
		.id = &g->probe,
		.send = on_keep_alive,
		.arg = g->worker,
	};

	g->keepalive = keepalive_new(&cfg);
	if (g->keepalive)
		return 0;
	log_err("keep-alive: no memory");
	return -ENOMEM;
}

static void
stop_keepalive(struct daemon *d)
{
	struct gwd *g = d->state;

	keepalive_free(g->keepalive);
}

/* The old ones stay when memory is short. */
static void
reload_peers(struct gwd *g)
{
	struct peer_confs confs;
	char why[128];

	if (settings_peers(&g->conf, &confs, why, sizeof(why))) {
		log_err("settings: %s", why);
		return;
	}
	peer_confs_fini(&g->confs);
	g->confs = confs;
	configure_peers(g);
}

static void
reload(struct daemon *d)
{
	struct gwd *g = d->state;
	struct limit_rate all = settings_icmp_all(&g->conf);
	struct limit_rate host = settings_icmp_host(&g->conf);

	g->set.dec_ttl = g->conf.dec_ttl;
	peers_set_default_port(g->peers, settings_port(g->conf.remote_port));
	limit_set(g->limit, &all, &host);
	reload_peers(g);
	carry_reload(g);
	feed_set_keep(g->feed, g->conf.keep_s * 1000);
}

static int
early(struct daemon *d)
{
	const struct gwd *g = d->state;

	if (!g->conf.devmode)
		return -1;
	log_notice("devmode: the mapper works alone, gwd has nothing to do");
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct daemon_part parts[] = {
		{"tables", start_tables, stop_tables},
		{"state file", start_state, stop_state},
		{"tun", ends_start_device, ends_stop_device},
		{"tunnel socket", ends_start_sockets, ends_stop_sockets},
		{"kernel's drops", start_kernel_drops, stop_kernel_drops},
		{"workers", carry_start, carry_stop},
		{"keep-alive", start_keepalive, stop_keepalive},
		{"feed", start_feed, stop_feed},
	};
	struct conf_table tables[SETTINGS_TABLES];
	struct conf_spec conf;
	struct gwd g = {0};
	const struct daemon_spec spec = {
		.conf = &conf,
		.settings = &g.conf,
		.state = &g,
		.parts = parts,
		.n_parts = ARRAY_LEN(parts),
		.reload = reload,
		.early = early,
	};

	settings_spec(&conf, tables);
	return daemon_main(&spec, argc, argv);
}
