/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane: a thread that carries plain packets between its queue of the TUN
 * device and its tunnel socket, many at a time, through the pure core.
 *
 * It takes a packet only when all that it needs is known: its mappings, a route
 * to its peer that has room for it. Everything else - packets for which the
 * mapper has to be asked, which are answered, cut, held, not allowed - it hands
 * over to the control thread as it came (handover.h), for the worker. When that
 * is not keeping up, the lane drops what it would hand over, before anything
 * else is done with it.
 *
 * What lanes read is never changed under them: mappings and routes are
 * reclaimed by qs.h, the rules are replaced as a whole. What they write is
 * their own.
 */
#ifndef GWD_LANE_H
#define GWD_LANE_H

#include <stdatomic.h>

#include "gwd/core.h"
#include "gwd/probe.h"

#define LANES_MAX 64

struct lane;
struct maps;
struct ring;
struct routes;

/* What the settings say; replaced as a whole. */
struct lane_rules {
	struct gw_settings set;
	struct probe_id probe;
	bool clamp_mss;
	uint32_t local_mtu;
	uint32_t busy_poll_us; /* how long to look out before waiting */
};

/* What all lanes share with the control thread. An offload that the kernel
 * refuses is switched off here, by whoever finds out, for good. */
struct lane_shared {
	_Atomic(const struct lane_rules *) rules;
	/* Whether everything is to be handed over, because somebody looks at
	 * every packet; asked each turn. */
	bool (*wants_all)(const void *arg);
	const void *arg;
	atomic_bool tun_tso, tun_uso; /* superpackets to the TUN device */
};

struct lane_config {
	unsigned id; /* from 0 */
	int tun_fd, udp_fd;
	bool receives;		/* else another lane reads this socket */
	unsigned most_segments; /* in a batch for the socket; 1: no batches */
	struct ring *ring;	/* to the control thread */
	struct maps *maps;
	const struct routes *routes;
	struct lane_shared *shared;
};

/* What it counts; only it writes. */
struct lane_counters {
	_Atomic uint64_t packets[WAY_N], bytes[WAY_N]; /* carried */
	_Atomic uint64_t drops[WAY_N][DROP_N];
	_Atomic uint64_t mss_clamped;
	_Atomic uint64_t handed; /* records given to the control thread */
	_Atomic uint64_t tun_reads, tun_writes; /* calls, or packets with
						 * several segments in one */
	_Atomic uint64_t udp_sends, udp_recvs;
	_Atomic uint64_t gso_refused; /* routes that take no batches */
};

/* Borrows everything; the thread runs until lane_free(). 0 or -errno, logged.
 */
int lane_new(const struct lane_config *cfg, struct lane **lane) MUSTCHECK;
/* What it has taken is passed on, then the thread ends. NULL is fine. */
void lane_free(struct lane *l);

const struct lane_counters *lane_counters(const struct lane *l);

#endif
