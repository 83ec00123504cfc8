/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the daemon: what main.c starts and status.c shows. */
#ifndef GWD_GWD_H
#define GWD_GWD_H

#include "gwd/feed.h"
#include "gwd/keepalive.h"
#include "gwd/lanes.h"
#include "gwd/limit.h"
#include "gwd/paths.h"
#include "gwd/peers.h"
#include "gwd/settings.h"
#include "gwd/steer.h"
#include "gwd/tun.h"
#include "gwd/wait.h"
#include "gwd/worker.h"

struct kernel_drops;
struct maps;
struct peers_file;
struct tracer;

struct gwd {
	struct gwd_conf conf;
	struct gw_settings set;	 /* of conf; the core reads it */
	struct peer_confs confs; /* of conf */
	uint32_t uplink_mtu;	 /* what the device's MTU goes by */
	uint32_t local_mtu;	 /* of the TUN device */
	/* All owned, in the order of their start. */
	struct maps *maps;
	struct peers *peers;
	struct limit *limit;
	struct peers_file *peers_file; /* NULL: none */
	struct paths *paths;	       /* to peers */
	struct paths *hosts;	       /* to local hosts */
	int tun_fds[LANES_MAX];	       /* a queue for each lane */
	unsigned n_tun;
	struct tun_offload offload; /* granted */
	int udp_fds[LANES_MAX];	    /* for each lane, or one */
	unsigned n_udp;
	bool udp_gro;		/* datagrams come merged */
	unsigned most_segments; /* that leave in one message */
	int raw_fd;		/* -1: not needed */
	struct kernel_drops *kernel_drops;
	struct wait *wait;
	struct tracer *tracer;
	struct routes *routes;
	struct steer steer;
	struct lanes *lanes;
	struct worker *worker;
	struct event *collect; /* each second */
	struct feed *feed;
	struct probe_id probe;
	struct keepalive *keepalive;
};

#endif
