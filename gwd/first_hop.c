/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second socket like the first, connected: it then has a route, and tells
 * its MTU. The tunnel socket can't be connected, it has many peers.
 */
#include "gwd/first_hop.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int
copy_option(int to, int from, int option)
{
	char value[IFNAMSIZ];
	socklen_t len = sizeof(value);

	if (getsockopt(from, SOL_SOCKET, option, value, &len))
		return -errno;
	return setsockopt(to, SOL_SOCKET, option, value, len) ? -errno : 0;
}

/* Without the right to set a mark the unmarked route is all there is to ask. */
static void
follow_socket(int fd, int udp_fd)
{
	uint32_t mark = 0;
	socklen_t len = sizeof(mark);

	(void)copy_option(fd, udp_fd, SO_BINDTODEVICE);
	if (!getsockopt(udp_fd, SOL_SOCKET, SO_MARK, &mark, &len) && mark)
		(void)copy_option(fd, udp_fd, SO_MARK);
}

static int
ask(int fd, const struct addr *peer, uint32_t *mtu)
{
	struct sockaddr_storage ss;
	socklen_t len;
	int value, err;

	addr_to_sockaddr(peer, 1, &ss, &len);
	if (connect(fd, (const struct sockaddr *)&ss, len))
		return -errno;
	len = sizeof(value);
	err = peer->ver == 4
		      ? getsockopt(fd, IPPROTO_IP, IP_MTU, &value, &len)
		      : getsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &value, &len);
	if (err)
		return -errno;
	if (value < FIRST_HOP_LEAST)
		value = FIRST_HOP_LEAST;
	*mtu = value < UINT16_MAX ? (uint32_t)value : UINT16_MAX;
	return 0;
}

int
first_hop_mtu(int udp_fd, const struct addr *peer, uint32_t *mtu)
{
	int fd = socket(peer->ver == 4 ? AF_INET : AF_INET6,
		SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	follow_socket(fd, udp_fd);
	err = ask(fd, peer, mtu);
	close(fd);
	return err;
}
