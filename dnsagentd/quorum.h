/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vote of a source's servers about what its zone publishes.
 *
 * Each server that may vote counts, also one that has said nothing yet; what
 * more than half of them said is the result. Pure.
 */
#ifndef DNSAGENTD_QUORUM_H
#define DNSAGENTD_QUORUM_H

#include "dnsagentd/hosts.h"

struct vote {
	bool counts;		 /* false: silent for too long */
	const struct hosts *set; /* borrowed; NULL: nothing said yet */
};

#define QUORUM_NONE SIZE_MAX
/* The first vote that carries the quorum's set, or QUORUM_NONE. */
size_t quorum_winner(const struct vote *votes, size_t n);

#endif
