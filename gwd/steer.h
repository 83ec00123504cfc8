/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which way packets of each peer go, for the lanes: made of what peers, paths
 * and settings say, published as routes; and what the lanes moved, told to
 * peers. Of the control thread; pure: the time is passed in.
 *
 * There is a route to a peer in the table of peers with which packets are
 * exchanged, that is not our own address, was heard or sent to by the slow way
 * at least twice (so that datagrams from made-up addresses make none) and moved
 * anything within STEER_IDLE_MS, and whose path MTU is known. Anything else
 * goes the slow way. A route never says what is not so any more, but for the
 * packets that a lane has in hand; only what is believed of a path for some
 * time may end up to a turn of steer_some() later.
 *
 * What peers know of the lanes' packets is as old as the last turn: a second
 * with up to STEER_SOME routes. What could an attacker, who forges datagrams
 * and ICMP messages, gain by that?
 *
 * - A peer's port: a datagram from another port is adopted after a second's
 *   silence. Such datagrams go the slow way, and steer_take() comes before
 *   peers_heard(): so what lanes heard until then counts, at the time when they
 *   did. Missing is only what a lane has in hand at this moment, and that may
 *   as well have come behind the forged datagram.
 * - The address of ours that a peer writes to: it is learned from datagrams of
 *   the peer's port alone, and lanes take none to another address.
 * - Being proved: it may come late, never early (peers_carried()). Until then
 *   ICMP errors of ours to that address are bounded by the bytes that we know
 *   came from it, which are fewer than did.
 * - A peer's place in the table: before one is pushed out, the lanes are
 *   asked. Its route goes with it.
 * - Use of paths is noted by turns, and entries are in use for a minute.
 * - Keep-alives come early, if at all: as if a packet less had been sent.
 * - Work: each datagram that is not plain costs the slow way one look at the
 *   lanes' counters. It is as before bounded by what the slow way takes.
 */
#ifndef GWD_STEER_H
#define GWD_STEER_H

#include "gwd/paths.h"
#include "gwd/peers.h"
#include "gwd/routes.h"

#define STEER_TICK_MS 1000
#define STEER_SOME    4096 /* in a tick */
#define STEER_IDLE_MS (60 * 1000)
/* By the slow way, before there is a route: so many that a conversation is
 * proved by them (in, out, in again), which lanes would tell later. */
#define STEER_PACKETS 4

/* All borrowed. There are never more routes than peers. */
struct steer {
	const struct gw_settings *set;
	const struct peer_confs *confs;
	const struct paths *paths;
	struct peers *peers;
	struct routes *routes;
	/* The path MTU of a peer that is in use; it is found out if it is not
	 * known. 0: can't be. */
	uint32_t (*path_mtu)(
		const struct addr *peer, uint64_t now_ms, void *arg);
	void *arg;
};

/* From now on, and until stopped, peers asks and tells us about those that have
 * to go (peers_set_lanes()). */
void steer_start(struct steer *s);
void steer_stop(struct steer *s);

/* What lanes moved of this peer is told to peers. To be called before
 * peers_heard(). */
void steer_take(
	const struct steer *s, const struct addr *peer, uint64_t now_ms);
/* The route of this peer as it has to be now, taken first. To be called when
 * the slow way has heard from it or sent to it, and when something was learned
 * of its path. Changes nothing, and costs a few lookups, if nothing changed. */
void steer_peer(
	const struct steer *s, const struct addr *peer, uint64_t now_ms);
/* The same for those that have a route, every STEER_TICK_MS: for all of them,
 * or for STEER_SOME by turns. */
void steer_some(const struct steer *s, uint64_t now_ms);
/* The same for all at once: when settings were changed (after peers_configure()
 * and paths_fix()). */
void steer_all(const struct steer *s, uint64_t now_ms);

#endif
