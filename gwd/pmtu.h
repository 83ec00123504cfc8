/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MTU arithmetic (spec/tunnel.md, "MTU"): what a packet may measure on one
 * side, told from what it may measure on another. Pure.
 *
 * path MTU:   an outer IP packet, on the way to a peer
 * IPREF MTU:  an IPREF packet (a UDP payload); what ICMP inside the tunnel says
 * local MTU:  an IP packet of a local network
 */
#ifndef GWD_PMTU_H
#define GWD_PMTU_H

#include "libipref/base.h"

/* What every IPv6 path takes, and hosts ignore less (RFC 8200, 5; RFC 7915,
 * 4.2). */
#define PMTU_V6_LEAST 1280

/* The IPREF MTU of a path; 0: nothing fits. */
uint32_t pmtu_room(uint8_t tunnel_ver, uint32_t path_mtu);

/* The local MTU for a host whose packets have IPREF headers of `header` bytes,
 * I among them when frag. Never below IPv6's 1280 there. 0: the IPREF MTU
 * makes no sense. */
uint32_t pmtu_to_local(
	uint8_t local_ver, size_t header, bool frag, uint32_t ipref_mtu);

/* The IPREF MTU that is told to a peer whose packets meet a local MTU behind
 * this gateway; 0: makes no sense. */
uint32_t pmtu_to_tunnel(uint32_t local_mtu);

/* The MTU for the gateway's interface: a local packet of that size, not
 * fragmented and with 16-byte references, just fits the uplink's MTU. Never
 * below IPv6's 1280 there. 0: none does. */
uint32_t pmtu_interface(
	uint8_t local_ver, uint8_t tunnel_ver, uint32_t uplink_mtu);

#endif
