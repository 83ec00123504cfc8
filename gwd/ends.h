/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ends between which packets are carried: the queues of the TUN device, the
 * tunnel's sockets. Parts of the daemon (struct daemon_part). */
#ifndef GWD_ENDS_H
#define GWD_ENDS_H

#include "libipref/base.h"

struct daemon;

int ends_start_device(struct daemon *d) MUSTCHECK;
void ends_stop_device(struct daemon *d);
int ends_start_sockets(struct daemon *d) MUSTCHECK;
void ends_stop_sockets(struct daemon *d);

#endif
