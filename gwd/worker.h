/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves packets between a TUN device and a tunnel socket, through the pure core
 * in between, one packet at a time, from the event loop.
 *
 * It knows nothing of mapperd: a packet for which the mappings don't suffice is
 * offered to `wait`, and comes back by worker_again(). Everything it works on
 * is given to it; so another way of moving packets (batches, several threads)
 * only has to offer these functions.
 */
#ifndef GWD_WORKER_H
#define GWD_WORKER_H

#include "gwd/counters.h"
#include "gwd/limit.h"
#include "gwd/paths.h"
#include "gwd/peers.h"
#include "gwd/pending.h"
#include "gwd/recent.h"

struct event_base;
struct probe_id;
struct tracer;
struct worker;

/* All pointers are borrowed. */
struct worker_config {
	struct event_base *base;
	int tun_fd, udp_fd;
	int raw_fd; /* for IPv4 packets from our own local address; -1: the TUN
		     * device takes them */
	const struct gw_settings *set;
	struct maps *maps;
	struct peers *peers;
	const struct peer_confs *confs;
	const struct probe_id *probe; /* which answers end here; NULL: none */
	struct limit *limit;
	struct paths *paths; /* to peers, outside the tunnel */
	struct paths *hosts; /* to local hosts; used for IPv6 */
	uint32_t local_mtu;  /* of the TUN device */
	const bool *clamp_mss;
	const bool *trace;     /* log every packet */
	struct tracer *tracer; /* shown every packet; NULL: none */
	/* out->ask is to be asked before this packet (borrowed) can go on;
	 * asked: what was asked for it before. DROP_NONE: it waits and comes
	 * back; else why it is dropped (out->drop: the answer is known to be
	 * no). */
	enum drop (*wait)(const struct packet_in *in,
		const struct packet_out *out, unsigned asked, uint64_t now_ms,
		void *arg);
	/* The device or the socket is gone for good. */
	void (*failed)(void *arg);
	void *arg;
};

/* Starts at once. NULL: no memory. */
struct worker *worker_new(const struct worker_config *cfg) MUSTCHECK;
/* Closes no descriptor. NULL is fine. */
void worker_free(struct worker *w);

/* A packet that waited: it is translated again. It may wait once more, but not
 * for the same thing: without an answer then, it is dropped. */
void worker_again(struct worker *w, const struct waiting *p);
/* A packet that waited is given up for this reason. */
void worker_drop(struct worker *w, const struct waiting *p, enum drop drop);

/* Sends a keep-alive, an IPREF packet to this peer. What can't be sent is
 * lost. */
void worker_keep_alive(struct worker *w, const struct addr *peer,
	const uint8_t *pkt, size_t len);

const struct counters *worker_counters(const struct worker *w);
const struct recent *worker_recent(const struct worker *w);
/* First fragments that wait for the last one. */
size_t worker_held(const struct worker *w);

#endif
