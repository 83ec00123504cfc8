/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of a lane share: lane.c turns, lane_out.c and lane_in.c carry
 * the packets of each way. */
#ifndef GWD_LANE_IMPL_H
#define GWD_LANE_IMPL_H

#include <pthread.h>

#include "gwd/batch.h"
#include "gwd/handover.h"
#include "gwd/lane.h"
#include "gwd/maps.h"
#include "gwd/merge.h"
#include "gwd/routes.h"
#include "gwd/super.h"
#include "gwd/udp_many.h"

#define OUT_READS   64 /* most reads of the device in a turn */
#define OUT_BATCHES 8  /* most batches that wait for the one call */
#define OUT_BYTES                                                              \
	(320 * 1024)  /* packets read in a turn; they stay in cache            \
		       */
#define OUT_AHEAD   8 /* most reads whose lookups are begun together */
#define IN_MESSAGES 8
#define IN_RECVS    8  /* most calls in a turn, of so many messages */
#define AHEAD_MAX   64 /* most lookups that are begun together */

/* A batch on its way out. */
struct lane_batch {
	struct batch b;
	const struct route *route;
	struct udp_dest dest;
	uint64_t local_bytes; /* of the packets as they came */
};

struct lane {
	struct lane_config cfg;
	struct lane_counters counters;
	pthread_t thread;
	int epoll, stop; /* owned; an eventfd */
	bool started;
	atomic_bool stopped;
	/* the thread's own from here on */
	uint64_t look_until; /* us: it looks out instead of waiting */
	bool ready[WAY_N];   /* not known to have nothing */
	/* of this turn */
	const struct lane_rules *rules;
	uint64_t now_ms;
	bool hand_all;
	uint32_t number; /* for packet_in.number */

	struct maps_ahead ahead[AHEAD_MAX]; /* begun, not ended */
	size_t n_ahead;

	/* out */
	struct lane_batch batches[OUT_BATCHES];
	size_t n_batches; /* begun */
	size_t used;	  /* of out_bytes */
	uint8_t out_bytes[OUT_BYTES];

	/* in */
	struct merge merge;
	struct packet_in in[MERGE_MAX]; /* that merge borrows */
	size_t n_in;
	struct udp_in messages[IN_MESSAGES];
	uint8_t one[SUPER_VNET + SUPER_MAX + GW_GROWTH];
	uint8_t in_bytes[IN_MESSAGES][SUPER_VNET + SUPER_MAX];
};

static inline void
lane_count(_Atomic uint64_t *counter, uint64_t n)
{
	/* one writer: no locked instruction */
	atomic_store_explicit(counter,
		atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

/* One turn: what is there is carried, up to a bound. How much of it there was;
 * when nothing is left, it is not ready any more. */
size_t lane_out(struct lane *l);
size_t lane_in(struct lane *l);

/* Gives a record to the control thread. False: it does not keep up; n packets
 * are counted as dropped. */
bool lane_hand(struct lane *l, const struct handed *h, const void *bytes,
	enum way way, size_t packets);
/* The device can't be read any more; the control thread is told. */
void lane_gone(struct lane *l, int err);
/* The route to a peer; *way is good until the turn ends. NULL: there is none.
 */
const struct route *lane_route(const struct lane *l, const struct addr *peer,
	const struct route_way **way);
/* A packet from the device, or a datagram of this peer, will be translated: its
 * lookups are begun. After some of them, all of those are ended. */
void ahead_out(struct lane *l, const uint8_t *pkt, size_t len);
void ahead_in(struct lane *l, const struct addr *peer, const uint8_t *pkt,
	size_t len);
void ahead_end(struct lane *l);
/* Packets were translated by these entries. */
void lane_used(
	const struct lane *l, const struct map *const used[2], enum way way);

#endif
