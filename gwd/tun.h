/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TUN device: packets of the local network, without any header of the
 * device. It is persistent: device, addresses and routes outlive the process,
 * and a new one attaches to it.
 */
#ifndef GWD_TUN_H
#define GWD_TUN_H

#include <net/if.h>
#include <sys/types.h>

#include "libipref/base.h"

/* Makes the device of this name or attaches to it; *fd, non-blocking, is the
 * caller's. 0 or -errno, logged: -EBUSY when another process is attached,
 * -EPERM without the right. */
int tun_open(const char *name, int *fd) MUSTCHECK;
/* The next packet: its length; -EAGAIN: none waits; -errno. */
ssize_t tun_read(int fd, uint8_t *buf, size_t size) MUSTCHECK;
/* 0, or -errno: the packet is lost then. */
int tun_write(int fd, const uint8_t *pkt, size_t len) MUSTCHECK;

#endif
