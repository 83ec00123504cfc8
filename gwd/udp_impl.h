/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the tunnel's sockets share: what the kernel is told and
 * tells beside a datagram's bytes (ancillary data, cmsg(3)). */
#ifndef GWD_UDP_IMPL_H
#define GWD_UDP_IMPL_H

#include "gwd/udp.h"

/* Appends to what the message has; there has to be room. */
void udp_control_add(
	struct msghdr *mh, int level, int type, const void *data, size_t len);
/* Nothing when tos is 0: that is the default. */
void udp_control_add_tos(struct msghdr *mh, uint8_t ver, uint8_t tos);
/* Nothing when it has no version. */
void udp_control_add_source(struct msghdr *mh, const struct addr *src);

/* Whether it came with less than there was: bytes or ancillary data, such as
 * where one datagram ends and the next begins. */
bool udp_is_cut(const struct msghdr *mh);
/* What came with a datagram, of a message that is not cut: all of *from but the
 * sender. Returns the size of the datagrams that the kernel put together; 0: it
 * is one. */
uint16_t udp_control_read(struct msghdr *mh, struct udp_from *from);

/* Whether it is the kernels' word for a source that is not (any more) ours. */
bool udp_is_no_source(int err);

#endif
