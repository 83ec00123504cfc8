/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that arrive: from the tunnel to the local network
 * (spec/tunnel.md, "Arriving"). Pure. */
#ifndef GWD_DECAP_H
#define GWD_DECAP_H

#include "gwd/core.h"

/* Translates in->p, a UDP payload that came from in->from, into an IP packet
 * for the local network. The destination is looked up before the source, so
 * that nothing is asked about for a packet that nobody waits for. All of *out
 * but p and size is written. */
void decap(const struct gw_settings *set, const struct maps *maps,
	const struct packet_in *in, struct packet_out *out);

#endif
