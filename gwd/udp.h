/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets below IP's users: the tunnel's UDP socket, and the raw socket through
 * which IPv4 packets of our own address reach local hosts when the TUN device
 * does not take them.
 */
#ifndef GWD_UDP_H
#define GWD_UDP_H

#include <sys/types.h>

#include "libipref/addr.h"
#include "libipref/base.h"

/* The tunnel socket, bound to this address (zeros: all) and port, non-blocking,
 * never fragmenting by itself (path-MTU discovery in probe mode). *fd is the
 * caller's. 0 or -errno, logged. */
int udp_open(const struct addr *bind, uint16_t port, int *fd) MUSTCHECK;
/* The same for a socket that was bound by somebody else (socket activation):
 * checks that it is a UDP socket of this IP version and prepares it. 0 or
 * -errno, logged. fd stays the caller's. */
int udp_adopt(int fd, uint8_t ver) MUSTCHECK;

/* The next datagram: its length, from whom in *from; a longer one than size is
 * -EMSGSIZE, and lost. -EAGAIN: none waits; -errno. */
ssize_t udp_recv(
	int fd, uint8_t *buf, size_t size, struct endpoint *from) MUSTCHECK;
/* 0, or -errno: the datagram is lost then. */
int udp_send(int fd, const uint8_t *pkt, size_t len, const struct addr *to,
	uint16_t port) MUSTCHECK;

/* A raw IPv4 socket that sends whole packets; *fd is the caller's. 0 or
 * -errno. */
int raw_open(int *fd) MUSTCHECK;
/* Sends an IPv4 packet to its destination. 0 or -errno. */
int raw_send(int fd, const uint8_t *pkt, size_t len) MUSTCHECK;

#endif
