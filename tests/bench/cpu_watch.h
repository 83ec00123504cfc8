/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CPU time of other processes while something runs, of all their threads: the
 * whole to the nanosecond, and what of it was spent in user mode.
 *
 * Where the kernel counts user mode by its clock tick (/proc/PID/stat), some 50
 * ns of each packet drown in the noise of 250 ticks a second. So the CPUs are
 * sampled (cpu_sampler.h), and the ticks are taken where that is refused.
 */
#ifndef TESTS_BENCH_CPU_WATCH_H
#define TESTS_BENCH_CPU_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "cpu_sampler.h"

#define CPU_WATCH_PROCESSES 2

struct cpu_watch {
	struct {
		int pid;
		clockid_t clock;
		uint64_t since_ns;
		uint64_t user_ticks, all_ticks; /* at the beginning */
	} of[CPU_WATCH_PROCESSES];
	struct cpu_sampler sampler;
	bool by_tick; /* no sampler */
};

struct cpu_time {
	double user_ns, system_ns;
};

/* 0 or -errno. */
int cpu_watch_start(struct cpu_watch *w, const int *pids) MUSTCHECK;
/* Ends it, in any case; out has room for all. */
int cpu_watch_stop(struct cpu_watch *w, struct cpu_time *out) MUSTCHECK;

#endif
