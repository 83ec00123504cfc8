/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream of UDP datagrams from one namespace to another, at a rate, and what
 * of it arrives. The sender sleeps while nothing is due, so as to leave the CPU
 * to what is measured; a call sends one datagram, or one superpacket of
 * several.
 */
#ifndef TESTS_BENCH_UDP_STREAM_H
#define TESTS_BENCH_UDP_STREAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "path_net.h"

#define UDP_STREAM_SUPERPACKET 65000 /* bytes */

struct udp_stream {
	struct path path;
	size_t size;	   /* of a datagram's payload, at least 4 */
	unsigned segments; /* a call; more than 1: by UDP_SEGMENT */
	uint32_t spread;   /* as many addresses from path.addr on, in turn */

	int out, in; /* owned */
	pthread_t receiver;
	atomic_bool end;
	atomic_uint run;	   /* datagrams of others are not counted */
	atomic_ullong got, got_ns; /* of this run; when the last one came */
};

struct udp_run {
	uint64_t sent, got;
	double seconds; /* until the last was sent, or arrived */
};

/* The fields before the sockets are set; 0 or -errno. */
int udp_stream_start(struct udp_stream *s) MUSTCHECK;
void udp_stream_stop(struct udp_stream *s);
/* At a rate of datagrams a second (0: as fast as it can): 0 or -errno. */
int udp_stream_run(struct udp_stream *s, double rate, double seconds,
	struct udp_run *out) MUSTCHECK;

#endif
