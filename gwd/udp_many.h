/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many datagrams at a time through the tunnel's sockets: several messages in
 * one call (sendmmsg(2), recvmmsg(2)), and many datagrams in one message, which
 * the kernel cuts (UDP_SEGMENT) or has put together (UDP_GRO).
 *
 * Nothing is kept between calls, so that any thread may have its own sockets.
 */
#ifndef GWD_UDP_MANY_H
#define GWD_UDP_MANY_H

#include <sys/uio.h>

#include "gwd/udp.h"

#define UDP_MANY     64	   /* messages in one call of the kernel */
#define UDP_GRO_ROOM 65535 /* bytes that one message may have */

/* A destination and all that goes with it, made once for many messages. */
struct udp_dest {
	struct sockaddr_storage name;
	socklen_t name_len;
	/* Ancillary data without, then with the address to leave from. */
	size_t plain_len, control_len;
	union udp_control control;
};

void udp_dest_init(struct udp_dest *d, const struct udp_to *to);

struct udp_out {
	const struct udp_dest *dest; /* borrowed */
	struct iovec *iov;	     /* borrowed, only read */
	size_t n_iov;
	/* Cut into datagrams of so many bytes, the last one perhaps shorter;
	 * 0: it is one datagram. */
	uint16_t segment;
};

/* How many datagrams the kernel cuts a message into at most: 127, 63 before
 * Linux 6.9, 0 when it does not cut at all. Asked of a socket of its own on the
 * loopback interface; without that, by what is certain. */
unsigned udp_most_segments(void);

/* Sends the messages in their order and stops at the first that does not go:
 * returns how many went; *err is 0 when all did, else why the one behind them
 * did not. It is the caller's to go on behind it, or with it in another way.
 *
 * -EAGAIN, -ENOBUFS: no room now. Other errors were met twice in succession, so
 * they are not what the network said of an earlier datagram (unless that says
 * much: udp_errors_any()). -EMSGSIZE: longer than the path takes, by `segment`
 * too; kernels before 6.14 or so say -EINVAL for that. -EIO: the way out has no
 * checksum offload, without which nothing is cut. A source that is not ours any
 * more is left to the kernel's choice, as with udp_send(). */
size_t udp_send_many(
	int fd, const struct udp_out *v, size_t n, int *err) MUSTCHECK;

/* Lets the kernel put datagrams of one sender together, or not any more. 0 or
 * -errno (-ENOPROTOOPT: a kernel that can't). */
int udp_set_gro(int fd, bool on) MUSTCHECK;

struct udp_in {
	uint8_t *buf; /* the caller's; with UDP_GRO of UDP_GRO_ROOM bytes */
	size_t size;
	size_t len; /* of what came */
	/* It is datagrams of so many bytes each, the last one perhaps shorter;
	 * 0: it is one. */
	uint16_t segment;
	/* Longer than size, with more to it than is known here, or from no
	 * address: of no use. */
	bool lost;
	struct udp_from from;
};

/* What waits, n messages at most (UDP_MANY at once): how many came, 1 or more;
 * -EAGAIN: none waits; another -errno is what the network said of a datagram
 * that we sent (udp_errors.h), and says nothing of what waits. */
int udp_recv_many(int fd, struct udp_in *v, size_t n) MUSTCHECK;

/* What the kernel has not given to this socket since it was opened, because
 * there was no room or the checksum was wrong; it begins again at 2^32. 0 or
 * -errno. */
int udp_drops(int fd, uint32_t *drops) MUSTCHECK;

#endif
