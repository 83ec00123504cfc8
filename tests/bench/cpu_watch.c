/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sampler's records are not read: each is a bare header, and the ring is long
 * enough for all, so that its head says how many there are. The samples are of
 * a clock that runs with the thread, and only those in user mode are recorded.
 */
#include "cpu_watch.h"

#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERIOD_NS  100000
#define RING_PAGES 256 /* a power of two: 13 s of one thread in user mode */

static size_t
ring_size(void)
{
	return (RING_PAGES + 1) * (size_t)sysconf(_SC_PAGESIZE);
}

static int
sampler_start(struct cpu_sampler *s, int thread)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = PERIOD_NS,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	s->fd = (int)syscall(SYS_perf_event_open, &attr, thread, -1, -1,
		PERF_FLAG_FD_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	s->ring = mmap(NULL, ring_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
		s->fd, 0);
	if (s->ring == MAP_FAILED) {
		close(s->fd);
		return -ENOMEM;
	}
	return 0;
}

static uint64_t
sampler_stop(struct cpu_sampler *s)
{
	struct perf_event_mmap_page *page = s->ring;
	uint64_t n = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE) /
		     sizeof(struct perf_event_header);

	munmap(s->ring, ring_size());
	close(s->fd);
	return n * PERIOD_NS;
}

static uint64_t
stop_samplers(struct cpu_watch *w)
{
	uint64_t ns = 0;

	while (w->n)
		ns += sampler_stop(&w->samplers[--w->n]);
	return ns;
}

static int
start_samplers(struct cpu_watch *w)
{
	const struct dirent *e;
	char path[64];
	int err = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", w->pid);
	d = opendir(path);
	if (!d)
		return -errno;
	while (!err && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		err = w->n == CPU_WATCH_THREADS
			      ? -E2BIG
			      : sampler_start(
					&w->samplers[w->n], atoi(e->d_name));
		if (!err)
			w->n++;
	}
	closedir(d);
	if (err)
		stop_samplers(w);
	return err;
}

static int
read_ticks(int pid, uint64_t *user, uint64_t *all)
{
	unsigned long long u, s;
	char path[64];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	/* After the name in parentheses. */
	ok = f && fscanf(f,
			  "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u "
			  "%*u %*u %llu %llu",
			  &u, &s) == 2;
	if (f)
		fclose(f);
	if (!ok)
		return -ESRCH;
	*user = u;
	*all = u + s;
	return 0;
}

static int
read_clock(const struct cpu_watch *w, uint64_t *out)
{
	struct timespec ts;

	if (clock_gettime(w->clock, &ts))
		return -errno;
	*out = (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)ts.tv_nsec;
	return 0;
}

int
cpu_watch_start(struct cpu_watch *w, int pid)
{
	int err = clock_getcpuclockid(pid, &w->clock);

	if (err)
		return -err;
	w->pid = pid;
	w->n = 0;
	err = read_ticks(pid, &w->user_ticks, &w->all_ticks);
	if (!err)
		err = read_clock(w, &w->since_ns);
	if (!err)
		w->by_tick = start_samplers(w) != 0;
	return err;
}

int
cpu_watch_stop(struct cpu_watch *w, struct cpu_time *out)
{
	uint64_t now = 0, user = 0, all = 0;
	double sampled = (double)stop_samplers(w), ns;
	int err = read_clock(w, &now);

	if (!err)
		err = read_ticks(w->pid, &user, &all);
	if (err)
		return err;
	ns = (double)(now - w->since_ns);
	if (w->by_tick)
		sampled = all == w->all_ticks
				  ? 0
				  : ns * (double)(user - w->user_ticks) /
					    (double)(all - w->all_ticks);
	out->user_ns = sampled < ns ? sampled : ns;
	out->system_ns = ns - out->user_ns;
	return 0;
}
