/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/ends.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gwd/gwd.h"
#include "gwd/link.h"
#include "gwd/pmtu.h"
#include "gwd/tun.h"
#include "gwd/udp_many.h"
#include "libipref/daemon.h"
#include "libipref/log.h"

#define UPLINK_MTU 1500 /* when it can't be known */

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

/* What the settings want and the kernel grants; without any, packets come one
 * by one. */
static void
ask_for_offloads(struct gwd *g)
{
	struct tun_offload *o = &g->offload;
	int err;

	*o = (struct tun_offload){g->conf.tun_tso, g->conf.tun_uso};
	err = tun_offload(g->tun_fds[0], o);
	if (err)
		log_warn_errno(-err, "tun %s: no offloads", g->conf.ifname);
	else if (o->tso != g->conf.tun_tso || o->uso != g->conf.tun_uso)
		log_info("tun %s: the kernel grants %s superpackets",
			g->conf.ifname, o->tso ? "no UDP" : "no");
}

static void
close_all(const int *fds, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		close(fds[i]);
}

int
ends_start_device(struct daemon *d)
{
	struct gwd *g = d->state;
	struct link *l;
	int err = link_open(&l);

	if (err)
		return err;
	err = tun_open_queues(l, g->conf.ifname, settings_workers(&g->conf),
		g->tun_fds, &g->n_tun);
	if (!err) {
		ask_for_offloads(g);
		err = prepare_device(g, l);
		if (err)
			close_all(g->tun_fds, g->n_tun);
	}
	link_close(l);
	return err;
}

void
ends_stop_device(struct daemon *d)
{
	struct gwd *g = d->state;

	if (g->raw_fd >= 0)
		close(g->raw_fd);
	close_all(g->tun_fds, g->n_tun);
}

static int
open_first(const struct udp_config *cfg, int *fd)
{
	int err;

	*fd = daemon_listen_fd("tunnel");
	if (*fd < 0)
		return udp_open(cfg, fd);
	err = udp_adopt(cfg, *fd);
	if (err)
		close(*fd);
	return err;
}

/* One for each queue, or a single one when it can't be shared. */
static void
open_others(struct gwd *g, const struct udp_config *cfg)
{
	int err = 0;

	while (!err && g->n_udp < g->n_tun) {
		err = udp_open_beside(
			cfg, g->udp_fds[0], &g->udp_fds[g->n_udp]);
		if (!err)
			g->n_udp++;
	}
	if (!err)
		return;
	log_notice("tunnel socket: the one handed over can't be shared "
		   "(ReusePort=), a single worker receives");
	close_all(g->udp_fds + 1, g->n_udp - 1);
	g->n_udp = 1;
}

static void
let_merge(struct gwd *g)
{
	unsigned i;
	int err = 0;

	for (i = 0; !err && i < g->n_udp && g->conf.udp_gro; i++)
		err = udp_set_gro(g->udp_fds[i], true);
	g->udp_gro = g->conf.udp_gro && !err;
	if (err)
		log_info("tunnel socket: the kernel puts no datagrams "
			 "together: %s",
			strerror(-err));
}

int
ends_start_sockets(struct daemon *d)
{
	struct gwd *g = d->state;
	const struct udp_config cfg = {
		.bind = g->conf.common.gateway_bind,
		.port = settings_port(g->conf.port),
		.mark = (uint32_t)g->conf.mark,
		.device = g->conf.device,
	};
	int err;

	err = open_first(&cfg, &g->udp_fds[0]);
	if (err)
		return err;
	g->n_udp = 1;
	open_others(g, &cfg);
	let_merge(g);
	return 0;
}

void
ends_stop_sockets(struct daemon *d)
{
	struct gwd *g = d->state;

	close_all(g->udp_fds, g->n_udp);
}
