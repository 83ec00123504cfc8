/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a lane hands over to the control thread, which does all that is not
 * plain: a record of a ring is this struct and `len` bytes behind it.
 */
#ifndef GWD_HANDOVER_H
#define GWD_HANDOVER_H

#include "gwd/udp.h"

enum handed_kind {
	HANDED_TUN,	  /* a read of the TUN device, its header zeros if the
			   * lane has completed the checksum */
	HANDED_DATAGRAMS, /* from one sender, `segment` bytes each but the last
			   * (0: one) */
	HANDED_TOO_BIG,	  /* an IPREF packet for from.from that the kernel did
			   * not take; from.tos: of the outer header */
	HANDED_FAILED,	  /* the lane's device is gone: nothing comes any more;
			   * `error` says why */
};

struct handed {
	enum handed_kind kind;
	int error; /* errno */
	uint32_t len;
	uint16_t segment;
	struct udp_from from;
};

#endif
