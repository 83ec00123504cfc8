/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring is read when all is over: it holds every record, and nothing is ever
 * taken out of it, so that its records begin where it does. */
#include "cpu_sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PERIOD_NS  97000 /* in step with nobody's timer */
#define RING_PAGES 1024	 /* a power of two */

struct sample {
	struct perf_event_header header;
	uint64_t ip;
	uint32_t pid, tid;
};

static size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int
start_one(struct cpu_sampler *s, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD_NS,
		.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID,
		.exclude_hv = 1,
		.exclude_idle = 1,
	};
	int fd = (int)syscall(
		SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	void *ring;

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno; /* not online */
	ring = mmap(NULL, (RING_PAGES + 1) * page_size(),
		PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED) {
		close(fd);
		return -ENOMEM;
	}
	s->cpus[s->n].fd = fd;
	s->cpus[s->n++].ring = ring;
	return 0;
}

int
cpu_sampler_start(struct cpu_sampler *s)
{
	long cpu, cpus = sysconf(_SC_NPROCESSORS_CONF);
	int err = cpus > CPU_SAMPLER_CPUS ? -E2BIG : 0;

	s->n = 0;
	for (cpu = 0; !err && cpu < cpus; cpu++)
		err = start_one(s, (int)cpu);
	if (err)
		cpu_sampler_free(s);
	return err;
}

void
cpu_sampler_pause(const struct cpu_sampler *s)
{
	int i;

	for (i = 0; i < s->n; i++)
		ioctl(s->cpus[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

/* Whether the instruction before ip is a system call's (x86-64, arm64). */
static bool
after_call(int mem, uint64_t ip)
{
	static const uint8_t amd64[] = {0x0f, 0x05};
	static const uint8_t arm64[] = {0x01, 0x00, 0x00, 0xd4};
	uint8_t b[4];

	return pread(mem, b, sizeof(b), (off_t)(ip - sizeof(b))) == sizeof(b) &&
	       (!memcmp(b + 2, amd64, sizeof(amd64)) ||
		       !memcmp(b, arm64, sizeof(arm64)));
}

static void
count(const struct sample *m, int mem, struct cpu_samples *out)
{
	bool user = (m->header.misc & PERF_RECORD_MISC_CPUMODE_MASK) ==
		    PERF_RECORD_MISC_USER;

	if (user && !after_call(mem, m->ip))
		out->user++;
	else
		out->kernel++;
}

/* Records are whole multiples of 8 bytes; those of other kinds are short. */
static int
count_ring(const struct perf_event_mmap_page *page, int pid, int mem,
	struct cpu_samples *out)
{
	const uint8_t *bytes = (const uint8_t *)page + page_size();
	uint64_t end = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), i;
	struct sample m;

	if (end + sizeof(m) > RING_PAGES * page_size())
		return -ENOBUFS;
	for (i = 0; i < end; i += m.header.size) {
		memcpy(&m, bytes + i, sizeof(m));
		if (m.header.type == PERF_RECORD_SAMPLE && (int)m.pid == pid)
			count(&m, mem, out);
	}
	return 0;
}

int
cpu_sampler_of(const struct cpu_sampler *s, int pid, struct cpu_samples *out)
{
	char path[64];
	int i, mem, err = 0;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (mem < 0)
		return -errno;
	*out = (struct cpu_samples){0};
	for (i = 0; !err && i < s->n; i++)
		err = count_ring(s->cpus[i].ring, pid, mem, out);
	close(mem);
	return err;
}

void
cpu_sampler_free(struct cpu_sampler *s)
{
	while (s->n--) {
		munmap(s->cpus[s->n].ring, (RING_PAGES + 1) * page_size());
		close(s->cpus[s->n].fd);
	}
	s->n = 0;
}
