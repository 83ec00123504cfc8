/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time of another process while something runs: all of it to the
 * nanosecond, and what of it was spent in user mode.
 *
 * Where the kernel counts user mode by its clock tick (/proc/PID/stat), some 50
 * ns of each packet drown in the noise of 250 ticks a second. So user mode is
 * sampled every 100 us (perf_event_open), and the ticks are taken where that is
 * refused.
 */
#ifndef TESTS_BENCH_CPU_WATCH_H
#define TESTS_BENCH_CPU_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "libipref/base.h"

#define CPU_WATCH_THREADS 64

struct cpu_sampler {
	int fd;	    /* owned */
	void *ring; /* owned; mapped */
};

struct cpu_watch {
	int pid;
	clockid_t clock;
	uint64_t since_ns;
	uint64_t user_ticks, all_ticks; /* at the beginning */
	struct cpu_sampler samplers[CPU_WATCH_THREADS];
	unsigned n;   /* of them: a thread each */
	bool by_tick; /* no samplers */
};

struct cpu_time {
	double user_ns, system_ns;
};

/* Watches the threads that the process has now: 0 or -errno. */
int cpu_watch_start(struct cpu_watch *w, int pid) MUSTCHECK;
/* Ends it, in any case. */
int cpu_watch_stop(struct cpu_watch *w, struct cpu_time *out) MUSTCHECK;

#endif
