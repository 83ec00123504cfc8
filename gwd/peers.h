/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What gwd remembers of each peer gateway: the port its datagrams come from,
 * when it was last heard, what went to and fro. Pure: the time is passed in.
 *
 * A peer is a context address. The table has a bound; when it is full, peers
 * that have not proved themselves go first, those heard from least recently
 * before others, so that datagrams from made-up addresses push out only each
 * other. A peer has proved itself when, after a packet from it, one went to it
 * and another came (a host behind us wants to talk with it).
 *
 * A peer's port is learned from its datagrams (it may be behind NAT). While
 * something was heard from the known port within the last second, another one
 * is not adopted: who forges a datagram from a peer's address gets nothing.
 */
#ifndef GWD_PEERS_H
#define GWD_PEERS_H

#include "libipref/addr.h"
#include "libipref/base.h"

#define PEERS_PORT_SILENT_MS 1000

enum peer_proof {
	PEER_SENT_TO,  /* never heard from */
	PEER_HEARD,    /* a packet in */
	PEER_ANSWERED, /* one out to it */
	PEER_PROVED,   /* one in again */
};

struct peer {
	struct addr addr;
	uint16_t port; /* learned; 0: not heard from yet */
	enum peer_proof proof;
	uint64_t since_ms;	/* it came into the table */
	uint64_t heard_ms;	/* last datagram; 0: never */
	uint64_t port_heard_ms; /* last datagram from port */
	uint64_t in_packets, in_bytes, out_packets, out_bytes;
	uint64_t other_port;	 /* datagrams from a port not adopted */
	uint64_t answered_bytes; /* ICMP of ours to it while unproved */
	uint64_t errors;	 /* told by ICMP that it is unreachable */
	uint64_t error_ms;	 /* last told; 0: never */
	int error;		 /* then: ECONNREFUSED, EHOSTUNREACH ... */
};

struct peers;

struct peers_stats {
	uint64_t evicted, evicted_proved;
	uint64_t port_changes, port_refusals;
};

/* At most max peers; default_port is that of peers not heard from. NULL: no
 * memory. */
struct peers *peers_new(size_t max, uint16_t default_port) MUSTCHECK;
void peers_free(struct peers *p);
void peers_set_default_port(struct peers *p, uint16_t port);

/* A datagram of len bytes that passed the checks came from this address and
 * port. Without memory for a new peer nothing is remembered. */
void peers_heard(struct peers *p, const struct addr *addr, uint16_t port,
	size_t len, uint64_t now_ms);
/* A packet of len bytes goes to addr: the port to send it to. A peer new to us
 * is remembered unless only proved ones could make room. */
uint16_t peers_sent(
	struct peers *p, const struct addr *addr, size_t len, uint64_t now_ms);
/* An ICMP message of len bytes, caused by a packet from addr, may go to it:
 * the port to send it to, and it is counted; 0: it may not. Peers that have
 * not proved themselves never get more bytes than they sent, so that nothing
 * is gained by forging their address. */
uint16_t peers_answer(
	struct peers *p, const struct addr *addr, size_t len) MUSTCHECK;

/* The network says that packets to addr don't arrive (error: an errno). Anybody
 * can say so: it is for showing, and makes no entry. */
void peers_error(
	struct peers *p, const struct addr *addr, int error, uint64_t now_ms);

/* NULL: not known. Valid until the next call that is not const. */
const struct peer *peers_get(const struct peers *p, const struct addr *addr);
/* Walks all, in no order: start with *pos = 0; NULL at the end. */
const struct peer *peers_next(const struct peers *p, size_t *pos);
size_t peers_count(const struct peers *p);
size_t peers_proved(const struct peers *p);
const struct peers_stats *peers_stats(const struct peers *p);

#endif
