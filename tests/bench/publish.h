/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A DNS agent that publishes one set of hosts as fast as it is taken. */
#ifndef TESTS_BENCH_PUBLISH_H
#define TESTS_BENCH_PUBLISH_H

#include "libipref/base.h"

/* Seconds from the first batch sent until the mapper says that it holds the
 * set; negative: -errno. */
double publish_set(int fd, size_t hosts, uint64_t seed) MUSTCHECK;

#endif
