/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maps_lookup: what gwd's lookups cost, with 1,000, 100,000 and 1,000,000
 * mappings, half of them of remote hosts, in random order: each kind by itself,
 * and what a leaving and an arriving packet ask for, with its use noted. Reads
 * of each entry what the packet needs. Prints the least of many short passes,
 * in ns, and the memory that a mapping takes.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "gwd/maps.h"

#define LOOKUPS 20000
#define PASSES	60

static uint64_t found;

static struct addr
number(uint8_t net, uint32_t i)
{
	const uint8_t b[4] = {
		net, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

	return addr_from_bytes(4, b);
}

/* References as the mapper allots them: without order. */
static struct ref
reference(uint32_t i)
{
	return ref_from_u64((i + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

static void
note(const struct map *e)
{
	found += e ? e->gw.b[3] + e->ref.b[REF_LEN - 1] + e->local.b[3] : 0;
}

static void
by_ea(struct maps *m, uint32_t i)
{
	struct addr a = number(10, i);

	note(maps_by_ea(m, &a));
}

static void
by_ip(struct maps *m, uint32_t i)
{
	struct addr a = number(11, i);

	note(maps_by_ip(m, &a));
}

static void
by_peer(struct maps *m, uint32_t i)
{
	struct addr a = number(192, i % 16);
	struct ref r = reference(i);

	note(maps_remote(m, &a, &r));
}

static void
by_ref(struct maps *m, uint32_t i)
{
	struct ref r = reference(i);

	note(maps_local(m, &r));
}

static void
leaving(struct maps *m, uint32_t i)
{
	struct addr ea = number(10, i), ip = number(11, i);
	const struct map *a = maps_by_ip(m, &ip), *b = maps_by_ea(m, &ea);

	note(a);
	note(b);
	maps_used(m, a, WAY_OUT);
	maps_used(m, b, WAY_OUT);
}

static void
arriving(struct maps *m, uint32_t i)
{
	struct addr gw = number(192, i % 16);
	struct ref r = reference(i);
	const struct map *a = maps_local(m, &r), *b = maps_remote(m, &gw, &r);

	note(a);
	note(b);
	maps_used(m, a, WAY_IN);
	maps_used(m, b, WAY_IN);
}

static const struct {
	const char *name;
	void (*look)(struct maps *m, uint32_t i);
} figures[] = {
	{"by ea", by_ea},
	{"by ip", by_ip},
	{"by gw, ref", by_peer},
	{"by ref", by_ref},
	{"leaving", leaving},
	{"arriving", arriving},
};

static double
measure(struct maps *m, uint32_t n, void (*look)(struct maps *m, uint32_t i))
{
	uint64_t start, least = UINT64_MAX, took;
	uint32_t i, x, pass;

	for (pass = 0; pass < PASSES; pass++) {
		x = pass;
		start = clock_ns();
		for (i = 0; i < LOOKUPS; i++) {
			x = x * 1664525 + 1013904223;
			look(m, (uint32_t)((uint64_t)x * n >> 32));
		}
		took = clock_ns() - start;
		least = took < least ? took : least;
	}
	return (double)least / LOOKUPS;
}

static int
fill(struct maps *m, uint32_t n)
{
	struct msg_entry e;
	uint32_t i, k;
	int rc = 0;

	/* Not in the order in which the bench walks. */
	for (i = 0; i < n && !rc; i++) {
		k = (uint32_t)(((uint64_t)i * 7919 + 13) % n);
		e = (struct msg_entry){.arec = {.ea = number(10, k),
					       .gw = number(192, k % 16),
					       .ref = reference(k)}};
		rc = maps_set(m, &e);
		if (rc)
			break;
		e.arec =
			(struct arec){.ip = number(11, k), .ref = reference(k)};
		rc = maps_set(m, &e);
	}
	return rc;
}

/* Bytes of the heap in use, with what the allocator adds. */
static size_t
heap(void)
{
	struct mallinfo2 i = mallinfo2();

	return i.arena - i.keepcost + i.hblkhd;
}

int
main(void)
{
	static const uint32_t sizes[] = {1000, 100000, 1000000};
	struct addr pub = number(198, 1);
	struct maps *m;
	uint64_t start;
	size_t i, k, before;

	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		malloc_trim(0);
		before = heap();
		m = maps_new(&pub, sizes[i]);
		start = clock_ns();
		if (!m || fill(m, sizes[i] / 2)) {
			fprintf(stderr, "maps_lookup: can't fill\n");
			return 1;
		}
		printf("%u mappings: %.0f bytes, set %.0f", sizes[i],
			(double)(heap() - before) / sizes[i],
			(double)(clock_ns() - start) / sizes[i]);
		for (k = 0; k < ARRAY_LEN(figures); k++)
			printf(", %s %.1f", figures[k].name,
				measure(m, sizes[i] / 2, figures[k].look));
		printf(" ns\n");
		fflush(stdout);
		maps_free(m);
	}
	return found == 0;
}
