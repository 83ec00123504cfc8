/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What gwd remembers of each peer gateway: the port its datagrams come from,
 * to which of our addresses, when it was last heard, what went to and fro.
 * Pure: the time is passed in.
 *
 * A peer is a context address. The table has a bound. A peer has proved itself
 * when, after a packet from it, one went to it and another came (a host behind
 * us wants to talk with it). Those that have, and those that a setting names,
 * are kept: they leave only when there are too many of them, who was silent for
 * longest first, and none that was heard within the last minute. Part of the
 * table is free of them for all others, which push out only each other:
 * datagrams from made-up addresses do no harm.
 *
 * A peer's port is learned from its datagrams (it may be behind NAT), unless a
 * setting pins it. While something was heard from the known port within the
 * last second, another one is not adopted: who forges a datagram from a peer's
 * address gets nothing. Which of our addresses it writes to is learned from
 * datagrams of that port.
 */
#ifndef GWD_PEERS_H
#define GWD_PEERS_H

#include "gwd/peer_conf.h"
#include "libipref/addr.h"
#include "libipref/base.h"

#define PEERS_PORT_SILENT_MS 1000
#define PEERS_IN_USE_MS	     (60 * 1000)
#define PEERS_OTHERS_PART    8 /* one in so many places is for the others */

enum peer_proof {
	PEER_SENT_TO,  /* never heard from */
	PEER_HEARD,    /* a packet in */
	PEER_ANSWERED, /* one out to it */
	PEER_PROVED,   /* one in again */
};

struct peer {
	struct addr addr;
	uint16_t port;	/* learned; 0: not heard from yet */
	struct addr to; /* of ours, that it writes to; version 0: not known */
	enum peer_proof proof;
	uint64_t since_ms;	/* it came into the table */
	uint64_t step_ms;	/* the last step of its proof, or since_ms */
	uint64_t heard_ms;	/* last datagram; 0: never */
	uint64_t port_heard_ms; /* last datagram from port; 0: never, also when
				 * the port is known from before a restart */
	uint64_t sent_ms;	/* last datagram to it; 0: never */
	uint64_t used_ms;	/* last packet of a host to it; 0: never. From
				 * before a restart: last heard */
	uint64_t alive_ms;	/* last answer to a keep-alive; 0: never */
	uint64_t in_packets, in_bytes, out_packets, out_bytes;
	uint64_t other_port;	 /* datagrams from a port not adopted */
	uint64_t answered_bytes; /* ICMP of ours to it while unproved */
	uint64_t errors;	 /* told by ICMP that it is unreachable */
	uint64_t error_ms;	 /* last told; 0: never */
	int error;		 /* then: ECONNREFUSED, EHOSTUNREACH ... */
};

/* Where a datagram to a peer goes. */
struct peer_way {
	uint16_t port;
	struct addr src; /* which of our addresses; version 0: not known */
};

struct peers;
struct route_use;

struct peers_stats {
	uint64_t evicted, evicted_proved;
	uint64_t port_changes, port_refusals;
	uint64_t version; /* changes whenever what peers_file keeps does */
};

/* At most max peers; default_port is that of peers not heard from. NULL: no
 * memory. */
struct peers *peers_new(size_t max, uint16_t default_port) MUSTCHECK;
void peers_free(struct peers *p);
void peers_set_default_port(struct peers *p, uint16_t port);
/* Our public address (zeros or never called: not known). Where a peer writes to
 * it, packets to the peer leave from it; else from the address written to last.
 */
void peers_set_public(struct peers *p, const struct addr *pub);
/* What is set about peers from now on, borrowed. Those not allowed go. To be
 * called again when it was changed. */
void peers_configure(
	struct peers *p, const struct peer_confs *confs, uint64_t now_ms);

/* A datagram of len bytes that passed the checks came from there, to our
 * address `to` (NULL: not known). Without memory for a new peer nothing is
 * remembered. */
void peers_heard(struct peers *p, const struct endpoint *from,
	const struct addr *to, size_t len, uint64_t now_ms);
/* A packet of len bytes goes to addr. A peer new to us is remembered. */
struct peer_way peers_sent(
	struct peers *p, const struct addr *addr, size_t len, uint64_t now_ms);
/* What lanes have moved since they were last asked: in, from the peer's port to
 * peer->to; out, to where peers_way() said. It stands for as many calls of
 * peers_heard() and peers_sent(), but comes later, as a sum. Nothing of a peer
 * not in the table, nor of a way in which the last packet went before the peer
 * came there. For a way with any:
 *
 * - in: heard_ms and port_heard_ms become the time of the last one, in_packets
 *   and in_bytes grow, the peer becomes the last of its list: of those heard
 *   between two such calls, lists don't tell who was heard first. Port and
 *   address stay: such datagrams teach none.
 * - out: sent_ms and used_ms become the time of the last one, out_packets and
 *   out_bytes grow.
 * - Times don't go back, and none is later than now_ms.
 * - The proof takes one step at most, the next one, if the last packet of the
 *   way that it asks for was not before the one that made the last step: of
 *   those before it is not known which came first. So it takes a call for each
 *   step that is left, and is never ahead of what happened. */
void peers_carried(struct peers *p, const struct addr *addr,
	const struct route_use *use, uint64_t now_ms);
/* Where others move packets. */
struct peers_lanes {
	/* A peer is about to be pushed out: what peers_carried() is then told
	 * of it counts. */
	void (*ask)(const struct addr *addr, uint64_t now_ms, void *arg);
	/* It is not in the table any more. */
	void (*gone)(const struct addr *addr, void *arg);
	void *arg;
};
/* NULL: nobody does, as at first. */
void peers_set_lanes(struct peers *p, const struct peers_lanes *lanes);
/* How many bytes an ICMP message may have that was caused by a packet from
 * addr. Peers that have not proved themselves never get more than they sent, so
 * that nothing is gained by forging their address. */
size_t peers_allowance(const struct peers *p, const struct addr *addr);
/* Such a message of len bytes goes to addr, and is counted. Port 0: it may not,
 * being longer than that. */
struct peer_way peers_answer(struct peers *p, const struct addr *addr,
	size_t len, uint64_t now_ms) MUSTCHECK;
/* A keep-alive of len bytes goes to addr: as peers_sent(), but the peer is not
 * in use by that. */
struct peer_way peers_kept_alive(
	struct peers *p, const struct addr *addr, size_t len, uint64_t now_ms);
/* It was answered. */
void peers_alive(struct peers *p, const struct addr *addr, uint64_t now_ms);
/* The network says that packets to addr don't arrive (error: an errno). Anybody
 * can say so: it is for showing, and makes no entry. */
void peers_error(
	struct peers *p, const struct addr *addr, int error, uint64_t now_ms);
/* What was known before a restart: a proved peer, last heard at heard_ms. Its
 * port and address of ours are used, and give way to others that are heard. */
void peers_restore(struct peers *p, const struct endpoint *from,
	const struct addr *to, uint64_t heard_ms, uint64_t now_ms);

/* Where a packet to addr would go. */
struct peer_way peers_way(const struct peers *p, const struct addr *addr);
/* NULL: not known. Valid until the next call that is not const. */
const struct peer *peers_get(const struct peers *p, const struct addr *addr);
/* Walks all, in no order: start with *pos = 0; NULL at the end. */
const struct peer *peers_next(const struct peers *p, size_t *pos);
/* Walks those that are kept, the one silent for longest first: after NULL
 * begins; NULL at the end. */
const struct peer *peers_next_kept(
	const struct peers *p, const struct peer *after);
size_t peers_count(const struct peers *p);
size_t peers_proved(const struct peers *p);
const struct peers_stats *peers_stats(const struct peers *p);

#endif
