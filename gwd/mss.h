/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MSS option in TCP's SYNs, lowered to what gets through the tunnel in one
 * piece: path-MTU discovery fails where routers drop large packets silently,
 * and costs a round trip elsewhere. Pure.
 */
#ifndef GWD_MSS_H
#define GWD_MSS_H

#include "gwd/core.h"
#include "gwd/l4.h"

/* Where TCP begins in an IPREF packet that is a whole SYN: also the length of
 * its header. 0: it is none. Cheap: to be asked about every packet. */
size_t mss_syn(const uint8_t *tunnel, size_t len);

/* The largest segment, either way, between hosts whose packets have IPREF
 * headers of `header` bytes, over this path and through the gateway's interface
 * of local_mtu. 0: none. */
uint16_t mss_of(const struct gw_settings *set, size_t header, uint32_t path_mtu,
	uint32_t local_mtu);

/* Lowers the option of tcp[0..len), which is on its way `to`, to at most mss,
 * and adjusts the checksum. False: nothing was changed: there is no such
 * option, it is not larger, or the options make no sense. */
bool mss_clamp(enum l4_end to, uint8_t *tcp, size_t len, uint16_t mss);

/* All of it for a packet on its way `to`: tunnel[0..len) is the IPREF packet,
 * out its other form or itself, the same TCP segment at their ends. path_mtu:
 * of the path to the peer. False: nothing was changed, also when it is no SYN.
 */
bool mss_fit(const struct gw_settings *set, uint32_t path_mtu,
	uint32_t local_mtu, const uint8_t *tunnel, size_t len, enum l4_end to,
	const struct packet_out *out);

#endif
