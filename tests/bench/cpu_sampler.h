/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the CPUs were doing, looked at every 97 us: for a process, how often it
 * was in user mode, how often in the kernel.
 *
 * The samples are of each CPU's clock (perf_event_open), not of the clocks of
 * threads: those start anew each time a thread is woken, and sample one that
 * is woken for each packet too often. An interrupt that comes while the kernel
 * returns from a system call is held back until the first instruction of user
 * mode, so a sample right after a system call's instruction is the kernel's:
 * counted as user mode it would add some 60 ns to each call.
 */
#ifndef TESTS_BENCH_CPU_SAMPLER_H
#define TESTS_BENCH_CPU_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "libipref/base.h"

#define CPU_SAMPLER_CPUS 64

struct cpu_sampler {
	struct {
		int fd;	    /* owned */
		void *ring; /* owned; mapped */
	} cpus[CPU_SAMPLER_CPUS];
	int n;
};

struct cpu_samples {
	uint64_t user, kernel;
};

/* Of all CPUs and processes; for 15 s at most. 0 or -errno. */
int cpu_sampler_start(struct cpu_sampler *s) MUSTCHECK;
/* Ends sampling. */
void cpu_sampler_pause(const struct cpu_sampler *s);
/* Those of a process, which still runs; -ENOBUFS when it took too long. */
int cpu_sampler_of(const struct cpu_sampler *s, int pid,
	struct cpu_samples *out) MUSTCHECK;
void cpu_sampler_free(struct cpu_sampler *s);

#endif
