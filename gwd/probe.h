/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Echo requests between the gateways' own addresses, which keep the port open
 * that a NAT in front of us gave us: when one is due, how it looks, and what
 * its answer looks like. Pure.
 *
 * They are ordinary IPREF packets: a peer delivers them to its own local
 * address, whose kernel answers. Our own answers to others' go that way too.
 */
#ifndef GWD_PROBE_H
#define GWD_PROBE_H

#include "gwd/core.h"
#include "gwd/peers.h"

#define PROBE_MAX	128		  /* bytes; enough for any */
#define PROBE_TICK_MS	1000		  /* how often is looked */
#define PROBE_IN_USE_MS (4 * 3600 * 1000) /* a mapping's usual life */

/* Which answers are ours; random. */
struct probe_id {
	uint16_t ident;
	uint64_t cookie;
};

/* Whether a request is to go out. p: the peer, NULL when not in the table; c:
 * what is set about it. No peer gets one for longer than PROBE_IN_USE_MS after
 * the last packet of a host to it, but those with a setting of their own. So
 * that not all are due at once, it may be a quarter earlier than set, but never
 * later, when looked at every PROBE_TICK_MS. */
bool probe_is_due(
	const struct peer *p, const struct peer_conf *c, uint64_t now_ms);

/* Writes the request to the gateway `peer` with the reference `ref`: its
 * length, 0 without room. */
size_t probe_put(const struct gw_settings *set, const struct probe_id *id,
	const struct addr *peer, const struct ref *ref, uint16_t number,
	uint8_t *out, size_t size) MUSTCHECK;
/* Whether an IPREF packet is the answer to one of ours. */
bool probe_is_answer(const struct gw_settings *set, const struct probe_id *id,
	const uint8_t *pkt, size_t len);
/* Whether an IPREF packet that leaves is an echo from gateway to gateway. ref:
 * the peer's own. */
bool probe_is_echo(const struct gw_settings *set, const struct ref *ref,
	const uint8_t *pkt, size_t len);

#endif
