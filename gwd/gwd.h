/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the daemon: what main.c starts and status.c shows. */
#ifndef GWD_GWD_H
#define GWD_GWD_H

#include "gwd/feed.h"
#include "gwd/limit.h"
#include "gwd/peers.h"
#include "gwd/settings.h"
#include "gwd/wait.h"
#include "gwd/worker.h"

struct maps;

struct gwd {
	struct gwd_conf conf;
	struct gw_settings set;	 /* of conf; the core reads it */
	struct peer_confs confs; /* of conf */
	uint32_t uplink_mtu, local_mtu;
	/* All owned, in the order of their start. */
	struct maps *maps;
	struct peers *peers;
	struct limit *limit;
	int tun_fd, udp_fd;
	int raw_fd; /* -1: not needed */
	struct wait *wait;
	struct worker *worker;
	struct feed *feed;
};

#endif
