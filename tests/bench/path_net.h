/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets in named network namespaces (those of `ip netns`), so that one
 * process is both hosts of a measurement: it has one clock, and knows what
 * arrived.
 */
#ifndef TESTS_BENCH_PATH_NET_H
#define TESTS_BENCH_PATH_NET_H

#include "libipref/addr.h"
#include "libipref/base.h"

/* Between which namespaces, and the address that reaches the second one. */
struct path {
	const char *from, *to;
	struct addr addr;
};

/* For a thread that makes many sockets: it stays there. */
int path_enter(const char *ns) MUSTCHECK;
/* The calling thread stays on one CPU: the senders' or the receivers', so that
 * each run has them at the same places. Nothing when there is but one. */
enum path_end {
	PATH_SENDER,
	PATH_RECEIVER
};
void path_pin(enum path_end end);
/* A blocking socket whose calls give up after timeout_ms; the caller's. */
int path_socket(const char *ns, uint8_t ver, int type, unsigned timeout_ms,
	int *out) MUSTCHECK;
/* The same at any address and a port. */
int path_listen(const char *ns, uint8_t ver, int type, uint16_t port,
	unsigned timeout_ms, int *out) MUSTCHECK;
int path_connect(int fd, const struct addr *addr, uint16_t port) MUSTCHECK;
/* How many packets left by a device of the namespace so far. */
int path_sent_by(const char *ns, const char *device, uint64_t *out) MUSTCHECK;

#endif
