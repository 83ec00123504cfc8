/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two hosts that answer each other: round trips, and connections made. */
#ifndef TESTS_BENCH_PATH_TALK_H
#define TESTS_BENCH_PATH_TALK_H

#include "path_net.h"

struct round_trips {
	double median_us, p99_us;
	unsigned lost;
};

/* n datagrams of 64 bytes one after the other, a pause of 2 ms between them,
 * each sent back at once: 0 or -errno; -ETIMEDOUT when more than one in ten is
 * lost. */
int round_trips(
	const struct path *path, unsigned n, struct round_trips *out) MUSTCHECK;

/* TCP connections a second, each closed (by a reset, which leaves no port
 * behind) as soon as it is there, some of them being made at a time. */
int connections(
	const struct path *path, double seconds, double *rate) MUSTCHECK;

#endif
