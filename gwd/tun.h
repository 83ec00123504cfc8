/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TUN device: packets of the local network. It is persistent: device,
 * addresses and routes outlive the process, and a new one attaches to it.
 *
 * Opened with queues, each has a reader of its own, among which the kernel
 * spreads the packets, those of a flow to the same one; and before each packet
 * that is read or written comes a struct virtio_net_hdr of OFFLOAD_HEADER bytes
 * (gwd/offload.h), also when all offloads are off.
 */
#ifndef GWD_TUN_H
#define GWD_TUN_H

#include <net/if.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "libipref/base.h"

struct link;

/* Makes the device of this name or attaches to it, for one reader and without a
 * header before the packets; *fd, non-blocking, is the caller's. 0 or -errno,
 * logged: -EBUSY when another process is attached, -EPERM without the right. */
int tun_open(const char *name, int *fd) MUSTCHECK;

/* The same with `wanted` queues, 1 or more, and with headers; offloads are off.
 * fds[0..*n) are the caller's, who has to read them all; *n is less than wanted
 * when that is all there is, above all 1 at a device that was made for a single
 * reader; the log says so, and what to do. 0 or -errno, logged, as above. */
int tun_open_queues(struct link *l, const char *name, unsigned wanted, int *fds,
	unsigned *n) MUSTCHECK;

/* What the device may hand over and leave to us: TCP and UDP superpackets. */
struct tun_offload {
	bool tso; /* with ECN, too, over IPv4 and IPv6 */
	bool uso; /* since Linux 6.2 */
};

/* Asks for these, of the whole device by any of its queues, and leaves what the
 * kernel granted: uso may have gone, or both. With either, checksums may be
 * left to us, too; with none, packets come whole and complete. Superpackets may
 * be written whatever is granted, those of UDP to a kernel that knows uso. 0 or
 * -errno. */
int tun_offload(int fd, struct tun_offload *o) MUSTCHECK;

/* The next packet: its length; -EAGAIN: none waits; -errno: the device is gone.
 * What is longer than size is cut without a word: OFFLOAD_HEADER + 65535 is
 * enough. */
ssize_t tun_read(int fd, uint8_t *buf, size_t size) MUSTCHECK;
/* A packet in pieces, 1024 (IOV_MAX) at most. 0, or -errno: the packet is lost
 * then. -EINVAL: the kernel does not take such a superpacket, or the header
 * lies; -EIO: the device is down. */
int tun_writev(int fd, const struct iovec *iov, int n) MUSTCHECK;

#endif
