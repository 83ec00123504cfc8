/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu_watch.h"

#include <errno.h>
#include <stdio.h>

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
read_clock(clockid_t clock, uint64_t *out)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		return -errno;
	*out = (uint64_t)ts.tv_sec * UINT64_C(1000000000) +
	       (uint64_t)ts.tv_nsec;
	return 0;
}

int
cpu_watch_start(struct cpu_watch *w, const int *pids)
{
	int i, err = 0;

	for (i = 0; !err && i < CPU_WATCH_PROCESSES; i++) {
		w->of[i].pid = pids[i];
		err = -clock_getcpuclockid(pids[i], &w->of[i].clock);
		if (!err)
			err = read_ticks(pids[i], &w->of[i].user_ticks,
				&w->of[i].all_ticks);
		if (!err)
			err = read_clock(w->of[i].clock, &w->of[i].since_ns);
	}
	if (!err)
		w->by_tick = cpu_sampler_start(&w->sampler) != 0;
	return err;
}

/* Of all its time, the part in user mode by the ticks. */
static int
part_by_tick(const struct cpu_watch *w, int i, double *out)
{
	uint64_t user, all;
	int err = read_ticks(w->of[i].pid, &user, &all);

	if (err)
		return err;
	user -= w->of[i].user_ticks;
	all -= w->of[i].all_ticks;
	*out = all ? (double)user / (double)all : 0;
	return 0;
}

static int
part_by_sample(const struct cpu_watch *w, int i, double *out)
{
	struct cpu_samples n;
	int err = cpu_sampler_of(&w->sampler, w->of[i].pid, &n);

	if (err)
		return err;
	*out = n.user ? (double)n.user / (double)(n.user + n.kernel) : 0;
	return 0;
}

static int
stop_one(const struct cpu_watch *w, int i, uint64_t now, struct cpu_time *out)
{
	double ns = (double)(now - w->of[i].since_ns), part = 0;
	int err = w->by_tick ? part_by_tick(w, i, &part)
			     : part_by_sample(w, i, &part);

	out->user_ns = ns * part;
	out->system_ns = ns - out->user_ns;
	return err;
}

int
cpu_watch_stop(struct cpu_watch *w, struct cpu_time *out)
{
	uint64_t now[CPU_WATCH_PROCESSES];
	int i, err = 0;

	if (!w->by_tick)
		cpu_sampler_pause(&w->sampler);
	for (i = 0; !err && i < CPU_WATCH_PROCESSES; i++)
		err = read_clock(w->of[i].clock, &now[i]);
	for (i = 0; !err && i < CPU_WATCH_PROCESSES; i++)
		err = stop_one(w, i, now[i], &out[i]);
	if (!w->by_tick)
		cpu_sampler_free(&w->sampler);
	return err;
}
