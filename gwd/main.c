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

#include "gwd/gwd.h"
#include "gwd/kernel_drops.h"
#include "gwd/link.h"
#include "gwd/maps.h"
#include "gwd/metrics.h"
#include "gwd/pages.h"
#include "gwd/peers_file.h"
#include "gwd/pmtu.h"
#include "gwd/status.h"
#include "gwd/tracer.h"
#include "gwd/tun.h"
#include "gwd/udp.h"
#include "gwd/why.h"
#include "libipref/daemon.h"
#include "libipref/log.h"

#define STATE_FILE     "gwd.state"
#define UPLINK_MTU     1500 /* when it can't be known */
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

/* The MTU of the uplink. When it is not one for all peers, each one's path is
 * asked for when it is used. */
static uint32_t
find_uplink_mtu(const struct gwd *g, struct link *l)
{
	const struct addr *bind = &g->conf.common.gateway_bind;
	char text[ADDR_TEXT_MAX];
	uint32_t mtu;
	int err;

	if (g->conf.uplink_mtu)
		return (uint32_t)g->conf.uplink_mtu;
	if (addr_is_zero(bind))
		return UPLINK_MTU;
	err = link_mtu_of(l, bind, &mtu);
	if (!err)
		return mtu;
	log_warn_errno(-err, "uplink: no MTU found for %s, %u is assumed",
		addr_format(bind, text), UPLINK_MTU);
	return UPLINK_MTU;
}

/* IPv4 packets of our own address: the device takes them, or they go through a
 * raw socket. Without either ICMP errors of ours don't reach local hosts, and
 * nothing else is lost. */
static void
open_own_address(struct gwd *g, struct link *l)
{
	int err;

	g->raw_fd = -1;
	if (g->set.local_ver != 4)
		return;
	err = link_accept_local(l, g->conf.ifname);
	if (!err)
		return;
	log_info("tun %s: accept_local can't be set, a raw socket serves",
		g->conf.ifname);
	err = raw_open(&g->raw_fd);
	if (err)
		log_warn_errno(-err, "raw socket: can't be opened: packets of "
				     "the gateway itself don't reach hosts");
}

static int
prepare_device(struct gwd *g, struct link *l)
{
	int err;

	g->uplink_mtu = find_uplink_mtu(g, l);
	if (g->conf.uplink_mtu || !addr_is_zero(&g->conf.common.gateway_bind))
		paths_set_initial(g->paths, g->uplink_mtu);
	g->local_mtu = pmtu_interface(
		g->set.local_ver, g->set.tunnel_ver, g->uplink_mtu);
	err = link_setup(l, g->conf.ifname, &g->set.own_local,
		&g->set.encode_net, g->local_mtu);
	if (err)
		return err;
	open_own_address(g, l);
	if (!link_forwarding(g->set.local_ver))
		log_warn("forwarding between interfaces is off: set %s",
			g->set.local_ver == 4
				? "net.ipv4.ip_forward=1"
				: "net.ipv6.conf.all.forwarding=1");
	return 0;
}

static int
start_device(struct daemon *d)
{
	struct gwd *g = d->state;
	struct link *l;
	int err = link_open(&l);

	if (err)
		return err;
	err = tun_open(g->conf.ifname, &g->tun_fd);
	if (!err) {
		err = prepare_device(g, l);
		if (err)
			close(g->tun_fd);
	}
	link_close(l);
	return err;
}

static void
stop_device(struct daemon *d)
{
	struct gwd *g = d->state;

	if (g->raw_fd >= 0)
		close(g->raw_fd);
	close(g->tun_fd);
}

static int
start_socket(struct daemon *d)
{
	struct gwd *g = d->state;
	const struct udp_config cfg = {
		.bind = g->conf.common.gateway_bind,
		.port = settings_port(g->conf.port),
		.mark = (uint32_t)g->conf.mark,
		.device = g->conf.device,
	};
	int err;

	g->udp_fd = daemon_listen_fd("tunnel");
	if (g->udp_fd < 0)
		return udp_open(&cfg, &g->udp_fd);
	err = udp_adopt(&cfg, g->udp_fd);
	if (err)
		close(g->udp_fd);
	return err;
}

static void
stop_socket(struct daemon *d)
{
	struct gwd *g = d->state;

	close(g->udp_fd);
}

static int
start_kernel_drops(struct daemon *d)
{
	struct gwd *g = d->state;
	const struct kernel_drops_config cfg = {
		.base = d->base,
		.device = g->conf.ifname,
		.fds = &g->udp_fd,
		.n = 1,
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

static enum drop
on_wait(const struct packet_in *in, const struct packet_out *out,
	unsigned asked, uint64_t now, void *arg)
{
	struct daemon *d = arg;
	struct gwd *g = d->state;

	return wait_packet(g->wait, in, out, asked, now);
}

static void
on_worker_failed(void *arg)
{
	log_err("tun: the device is gone");
	daemon_stop(arg, 1);
}

static int
start_worker(struct daemon *d)
{
	struct gwd *g = d->state;
	struct worker_config cfg = {
		.base = d->base,
		.tun_fd = g->tun_fd,
		.udp_fd = g->udp_fd,
		.read_them = true,
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
		.wait = on_wait,
		.failed = on_worker_failed,
		.arg = d,
	};

	g->wait = wait_new(d->base);
	g->tracer = cfg.tracer = tracer_new(d->base, g->maps);
	g->worker = worker_new(&cfg);
	if (g->wait && g->tracer && g->worker)
		return 0;
	log_err("worker: no memory");
	worker_free(g->worker);
	tracer_free(g->tracer);
	wait_free(g->wait);
	return -ENOMEM;
}

static void
stop_worker(struct daemon *d)
{
	struct gwd *g = d->state;

	worker_free(g->worker);
	tracer_free(g->tracer);
	wait_free(g->wait);
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
	worker_reloaded(g->worker);
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
		{"tun", start_device, stop_device},
		{"tunnel socket", start_socket, stop_socket},
		{"kernel's drops", start_kernel_drops, stop_kernel_drops},
		{"worker", start_worker, stop_worker},
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
