/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that leave: from the local network into the tunnel
 * (spec/tunnel.md, "Leaving"). Pure. */
#ifndef GWD_ENCAP_H
#define GWD_ENCAP_H

#include "gwd/core.h"

/* Translates in->p, an IP packet as read from the TUN device, into an IPREF
 * packet (the UDP payload) for out->peer; larger than the local packet by
 * GW_GROWTH at most. The path MTU is not looked at here: see frag.h. All of
 * *out but p and size is written. */
void encap(const struct gw_settings *set, const struct maps *maps,
	const struct packet_in *in, struct packet_out *out);

#endif
