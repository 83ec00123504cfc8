/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves packets between a TUN device and a tunnel socket, through the pure core
 * in between, one packet at a time, from the event loop: all kinds of packets,
 * with everything that may come of one.
 *
 * Packets come by worker_tun() and its like, or out of the rings into which
 * other threads, the lanes, put those that are not plain. Of a ring a bounded
 * number is taken before the loop looks at its other descriptors.
 *
 * It knows nothing of mapperd: a packet for which the mappings don't suffice is
 * offered to `wait`, and comes back by worker_again().
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
struct ring;
struct tracer;
struct udp_from;
struct worker;

/* All pointers are borrowed. */
struct worker_config {
	struct event_base *base;
	int tun_fd, udp_fd; /* what it writes to; the device's packets have a
			     * virtio-net header before them */
	/* The sockets whose messages from the network it takes: those of the
	 * lanes, udp_fd among them. None: of udp_fd. */
	const int *udp_fds;
	size_t n_udp_fds;
	struct ring *const *rings; /* what it takes from, see handover.h */
	size_t n_rings;
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
	/* A datagram of this peer is about to be noted in `peers`; may be
	 * NULL. */
	void (*before_heard)(const struct addr *peer, void *arg);
	/* The way to this peer, or its path's MTU, may be another now; may be
	 * NULL. */
	void (*changed)(const struct addr *peer, void *arg);
	/* The device or the socket is gone for good. */
	void (*failed)(void *arg);
	void *arg;
};

/* Starts at once. NULL: no memory. */
struct worker *worker_new(const struct worker_config *cfg) MUSTCHECK;
/* Closes no descriptor. NULL is fine. */
void worker_free(struct worker *w);

/* What was read from the TUN device: a packet, or a superpacket, behind the
 * device's header if it has one. Its checksum may be completed in place. */
void worker_tun(struct worker *w, uint8_t *read, size_t len);
/* Datagrams from one sender, of `segment` bytes each but the last (0: it is
 * one). */
void worker_datagrams(struct worker *w, const struct udp_from *from,
	const uint8_t *bytes, size_t len, uint16_t segment);
/* An IPREF packet to this peer that was translated elsewhere, and that the
 * kernel did not take for its size: it goes in pieces, or its host is told. tos
 * is that of the host's packet. It was not counted yet. */
void worker_too_big(struct worker *w, const struct addr *peer, uint8_t tos,
	uint8_t *pkt, size_t len);

/* Whether every packet is to come here, also what is plain, because somebody
 * looks at them all. For any thread. */
bool worker_wants_all(const struct worker *w);
/* What cfg points to was changed by somebody, such as the settings. */
void worker_reloaded(struct worker *w);

/* A packet that waited: it is translated again. It may wait once more, but not
 * for the same thing: without an answer then, it is dropped. */
void worker_again(struct worker *w, const struct waiting *p);
/* A packet that waited is given up for this reason. */
void worker_drop(struct worker *w, const struct waiting *p, enum drop drop);

/* Sends a keep-alive, an IPREF packet to this peer. What can't be sent is
 * lost. */
void worker_keep_alive(struct worker *w, const struct addr *peer,
	const uint8_t *pkt, size_t len);

/* The path MTU to this peer, in bytes; never 0. */
uint32_t worker_path_mtu(struct worker *w, const struct addr *peer);

const struct counters *worker_counters(const struct worker *w);
/* The same, for adding what was counted elsewhere. */
struct counters *worker_tally(struct worker *w);
const struct recent *worker_recent(const struct worker *w);
/* First fragments that wait for the last one. */
size_t worker_held(const struct worker *w);

#endif
