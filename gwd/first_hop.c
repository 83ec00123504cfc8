/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connected socket would tell an MTU as well, but one that includes what the
 * kernel believes of the path; and anybody can send it an ICMP message.
 */
#include "gwd/first_hop.h"

#include <errno.h>
#include <sys/socket.h>

#include "gwd/link.h"

static int
socket_option(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? 0 : value;
}

int
first_hop_mtu(int udp_fd, const struct addr *peer, uint32_t *mtu)
{
	struct link *l;
	int err = link_open(&l);

	if (err)
		return err;
	err = link_route_mtu(l, peer, (uint32_t)socket_option(udp_fd, SO_MARK),
		socket_option(udp_fd, SO_BINDTOIFINDEX), mtu);
	link_close(l);
	if (!err && *mtu > UINT16_MAX)
		*mtu = UINT16_MAX;
	return err;
}
