/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPREF packets of ours that the network between the gateways dropped because
 * they were too large, by what a router's message quotes of them. Pure.
 */
#ifndef GWD_LOST_H
#define GWD_LOST_H

#include "gwd/core.h"

/* Whether quote[0..len), a UDP payload cut anywhere, is the beginning of what
 * we may have sent to this peer: it names a host of ours and one of the peer's
 * that the mappings know as a pair of addresses. Who is not on the path has to
 * guess both, unless both are in DNS; those of the gateways themselves
 * (peer_ref is the peer's own) together prove nothing, they are no secret. */
bool lost_is_ours(const struct gw_settings *set, const struct maps *maps,
	const struct addr *peer, const struct ref *peer_ref,
	const uint8_t *quote, size_t len) MUSTCHECK;

/* Fills out with "fragmentation needed" towards the host whose packet that was:
 * REPLY_LOCAL; or REPLY_NONE when it is not to be told (the packet may be
 * split, is an error itself, a later fragment, or the gateway's own; or an
 * IPv6 host's that may be no larger than what it would be told).
 * path_mtu: what the path takes. number: as in packet_in. */
void lost_reply(const struct gw_settings *set, const struct maps *maps,
	const uint8_t *quote, size_t len, uint32_t path_mtu, uint32_t number,
	struct packet_out *out);

#endif
