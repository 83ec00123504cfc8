/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An IPREF MTU has to fit 16 bits in its ICMP message, and so has an IPv4 one;
 * results are cut to that.
 */
#include "gwd/pmtu.h"

#include "gwd/header.h"
#include "gwd/packet.h"

#define UDP_HEADER 8
#define V4_HEADER  20
#define V6_HEADER  40

/* What deployed gateways take off an MTU that leaves, and so do we: both ends
 * then tell hosts the same. It is on the safe side: an IPREF header is never
 * shorter than the IPv4 header it stands for. */
#define LEAVING 28

uint32_t
pmtu_room(uint8_t tunnel_ver, uint32_t path_mtu)
{
	uint32_t outer = UDP_HEADER + (tunnel_ver == 6 ? V6_HEADER : V4_HEADER);

	return path_mtu > outer ? path_mtu - outer : 0;
}

uint32_t
pmtu_to_local(uint8_t local_ver, size_t header, bool frag, uint32_t ipref_mtu)
{
	uint64_t mtu = ipref_mtu + packet_header_len(local_ver, frag);

	if (ipref_mtu <= header)
		return 0;
	mtu -= header;
	if (local_ver == 6 && mtu < PMTU_V6_LEAST)
		mtu = PMTU_V6_LEAST;
	return mtu < UINT16_MAX ? (uint32_t)mtu : UINT16_MAX;
}

uint32_t
pmtu_to_tunnel(uint32_t local_mtu)
{
	if (local_mtu <= LEAVING)
		return 0;
	if (local_mtu > UINT16_MAX)
		local_mtu = UINT16_MAX;
	return local_mtu - LEAVING;
}

uint32_t
pmtu_interface(uint8_t local_ver, uint8_t tunnel_ver, uint32_t uplink_mtu)
{
	size_t header = HEADER_PLAIN + 2 * (addr_len(tunnel_ver) + REF_LEN);

	return pmtu_to_local(
		local_ver, header, false, pmtu_room(tunnel_ver, uplink_mtu));
}
