/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All lanes: started and stopped together, their rules, and what they counted.
 * The control thread's.
 */
#ifndef GWD_LANES_H
#define GWD_LANES_H

#include "gwd/counters.h"
#include "gwd/lane.h"

struct lanes;

struct lanes_config {
	unsigned n; /* at most LANES_MAX; as many as the device has queues */
	const int *tun_fds;
	const int *udp_fds; /* each lane has its own, or all share the first */
	unsigned n_udp;	    /* n or 1 */
	struct maps *maps;
	const struct routes *routes;
	struct lane_rules rules;
	bool tun_tso, tun_uso;	/* superpackets are written to the device */
	unsigned most_segments; /* sent at once; 1: each alone */
};

/* What one of them counted, see struct lane_counters. */
struct lanes_work {
	uint64_t packets[WAY_N], bytes[WAY_N];
	uint64_t drops[WAY_N][DROP_N];
	uint64_t mss_clamped, handed;
	uint64_t tun_reads, tun_writes, udp_sends, udp_recvs;
	uint64_t gso_refused;
};

/* Descriptors, maps and routes are borrowed. NULL: no memory. */
struct lanes *lanes_new(const struct lanes_config *cfg) MUSTCHECK;
/* They begin. wants_all: whether everything is to be handed over, because
 * somebody looks at every packet; called by any lane. 0 or -errno, logged;
 * nothing runs then. */
int lanes_start(struct lanes *l, bool (*wants_all)(const void *arg),
	const void *arg) MUSTCHECK;
/* They stop in order: what they have taken is passed on or handed over. NULL is
 * fine. */
void lanes_stop(struct lanes *l);
/* Stopped before, or never started. Their rings go. NULL is fine. */
void lanes_free(struct lanes *l);

unsigned lanes_count(const struct lanes *l);
/* What lane i hands over. */
struct ring *lanes_ring(const struct lanes *l, unsigned i);

/* New rules from now on. -ENOMEM: the old ones stay. */
int lanes_set_rules(struct lanes *l, const struct lane_rules *rules) MUSTCHECK;

/* Adds what was counted since the last call to c; says in the log which
 * offload was given up meanwhile. */
void lanes_collect(struct lanes *l, struct counters *c, uint64_t now_ms);
/* Of lane i, as of the last collect. */
const struct lanes_work *lanes_work(const struct lanes *l, unsigned i);
/* Which superpackets for the device are still made. */
bool lanes_tun_tso(const struct lanes *l);
bool lanes_tun_uso(const struct lanes *l);

#endif
