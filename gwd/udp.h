/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets below IP's users: the tunnel's UDP socket, and the raw socket through
 * which IPv4 packets of our own address reach local hosts when the TUN device
 * does not take them.
 */
#ifndef GWD_UDP_H
#define GWD_UDP_H

#include <assert.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "libipref/addr.h"
#include "libipref/base.h"

struct udp_config {
	struct addr bind;   /* zeros: all addresses of its version */
	uint16_t port;	    /* 0: any */
	uint32_t mark;	    /* firewall mark; 0: none */
	const char *device; /* the only interface; NULL: any */
};

/* A datagram as it came, but for its bytes. */
struct udp_from {
	struct endpoint from;
	struct addr to; /* which of our addresses it was sent to */
	uint8_t tos;	/* DSCP and ECN of its IP header */
};

/* How one goes out. */
struct udp_to {
	struct addr addr;
	uint16_t port;
	struct addr src; /* which of our addresses; version 0, and one that we
			  * don't have any more: the kernel's choice */
	uint8_t tos;
};

/* Room for all that goes with a datagram beside its bytes: addresses, DSCP and
 * ECN, the size to which it is cut. */
union udp_control {
	char buf[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		 2 * CMSG_SPACE(sizeof(int))];
	size_t align; /* struct cmsghdr itself is of no fixed length */
};
static_assert(
	alignof(union udp_control) >= alignof(struct cmsghdr), "made of those");

/* The tunnel socket, bound, non-blocking, never fragmenting by itself (path-MTU
 * discovery in probe mode). *fd is the caller's. 0 or -errno, logged. */
int udp_open(const struct udp_config *cfg, int *fd) MUSTCHECK;
/* The same for a socket that was bound by somebody else (socket activation):
 * checks that it is a UDP socket of bind's version and prepares it, whoever had
 * it before. 0 or -errno, logged. fd stays the caller's. */
int udp_adopt(const struct udp_config *cfg, int fd) MUSTCHECK;
/* Another one at the address of `first`, which udp_open() or udp_adopt() gave,
 * with the same settings: from then on each gets the datagrams of a part of the
 * senders. 0; -EADDRINUSE, not logged: first is of another user and can't be
 * shared, but goes on as it is; -errno, logged. */
int udp_open_beside(const struct udp_config *cfg, int first, int *fd) MUSTCHECK;

/* The next datagram: its length, and what else there is to it in *from; one
 * that is longer than size, or has more to it than is known here, is -EMSGSIZE,
 * and lost. -EAGAIN: none waits; -errno. */
ssize_t udp_recv(
	int fd, uint8_t *buf, size_t size, struct udp_from *from) MUSTCHECK;
/* 0, or -errno: the datagram is lost then. */
int udp_send(int fd, const uint8_t *pkt, size_t len,
	const struct udp_to *to) MUSTCHECK;

/* A raw IPv4 socket that sends whole packets; *fd is the caller's. 0 or
 * -errno. */
int raw_open(int *fd) MUSTCHECK;
/* Sends an IPv4 packet to its destination. 0 or -errno. */
int raw_send(int fd, const uint8_t *pkt, size_t len) MUSTCHECK;

#endif
