/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records from one thread to another: in order, whole, bounded; nobody sleeps
 * while there is one. */
#include "gwd/ring.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gwd/handover.h"
#include "tests/unit/run.h"

#define LARGEST	   (sizeof(struct handed) + 10 + 65535) /* of a TUN device */
#define PATIENCE   10000 /* ms without a wake-up after which one is lost */
#define MANY	   20000
#define SLEEPS	   100000
#define SEED	   UINT64_C(0x9e3779b97f4a7c15)
#define BYTE(n, i) ((uint8_t)((n)*31 + (i)*7))

static struct ring *
make(size_t bytes)
{
	struct ring *r = ring_new(bytes);

	ck_assert_ptr_nonnull(r);
	return r;
}

/* Record n of len bytes, in three parts, the last one empty. */
static bool
put(struct ring *r, unsigned n, size_t len)
{
	static uint8_t b[LARGEST];
	const struct iovec parts[] = {
		{b, len / 3}, {b + len / 3, len - len / 3}, {NULL, 0}};
	size_t i;

	for (i = 0; i < len; i++)
		b[i] = BYTE(n, i);
	return ring_put(r, parts, 3);
}

static bool
is_record(const uint8_t *p, size_t got, unsigned n, size_t len)
{
	size_t i;

	if (got != len || (uintptr_t)p % RING_ALIGN)
		return false;
	for (i = 0; i < len; i++)
		if (p[i] != BYTE(n, i))
			return false;
	return true;
}

static void
takes(struct ring *r, unsigned n, size_t len)
{
	size_t got;
	const void *p = ring_peek(r, &got);

	ck_assert_ptr_nonnull(p);
	ck_assert_msg(is_record(p, got, n, len), "record %u", n);
	ring_next(r);
}

static bool
is_empty(struct ring *r)
{
	size_t len;

	return !ring_peek(r, &len);
}

static bool
is_readable(const struct ring *r)
{
	struct pollfd p = {.fd = ring_fd(r), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

START_TEST(test_in_order)
{
	static const size_t sizes[] = {0, 1, 7, 8, 9, 0, 100, 333};
	struct ring *r = make(1024);
	unsigned n;

	ck_assert(is_empty(r));
	for (n = 0; n < ARRAY_LEN(sizes); n++)
		ck_assert(put(r, n, sizes[n]));
	for (n = 0; n < ARRAY_LEN(sizes); n++)
		takes(r, n, sizes[n]);
	ck_assert(is_empty(r));
	ring_free(r);
	ring_free(NULL);
}
END_TEST

/* Every size from every place: those up to half of it fit when it is empty. */
START_TEST(test_wraps)
{
	struct ring *r = make(256);
	unsigned n = 0;
	size_t size, place;

	for (size = 0; size + RING_ALIGN <= 128; size++)
		for (place = 0; place < 256 / RING_ALIGN; place++, n += 3) {
			ck_assert(put(r, n, 0)); /* one place on */
			takes(r, n, 0);
			ck_assert(put(r, n + 1, size));
			if (put(r, n + 2, 20)) {
				takes(r, n + 1, size);
				takes(r, n + 2, 20);
			} else {
				takes(r, n + 1, size);
			}
			ck_assert(is_empty(r));
		}
	ring_free(r);
}
END_TEST

/* To the last byte; a record that has no room leaves no trace. */
START_TEST(test_full)
{
	const size_t fits = 64 - RING_ALIGN;
	struct ring *r = make(256);
	unsigned n, round;

	for (round = 0; round < 4; round++) {
		for (n = 0; n < 4; n++)
			ck_assert(put(r, n, fits));
		ck_assert(!put(r, 9, 0));
		ck_assert(!put(r, 9, fits));
		takes(r, 0, fits);
		ck_assert(!put(r, 9, fits + 1));
		ck_assert(put(r, 4, fits - 1)); /* rounded up */
		ck_assert(!put(r, 9, 0));
		for (n = 1; n < 4; n++)
			takes(r, n, fits);
		takes(r, 4, fits - 1);
		ck_assert(is_empty(r));
	}
	ck_assert(put(r, 1, 256 - RING_ALIGN)); /* all of it, from 0 */
	ck_assert(!put(r, 2, 0));
	takes(r, 1, 256 - RING_ALIGN);
	ck_assert(!put(r, 1, 256));
	ck_assert(!put(r, 1, LARGEST));
	ck_assert(is_empty(r));
	ring_free(r);
}
END_TEST

/* The largest that there are, with one waiting. */
START_TEST(test_largest)
{
	struct ring *r = make(4 * (LARGEST + RING_EXTRA));
	unsigned n;

	for (n = 0; n < 50; n++) {
		ck_assert(put(r, n, LARGEST - n % 9));
		if (n)
			takes(r, n - 1, LARGEST - (n - 1) % 9);
	}
	ring_free(r);
}
END_TEST

START_TEST(test_takers_own)
{
	struct ring *r = make(256);
	size_t len;
	uint8_t *p;

	ck_assert(put(r, 1, 10));
	ck_assert(put(r, 2, 10));
	p = ring_peek(r, &len);
	memset(p, 0xff, len);
	ck_assert_ptr_eq(ring_peek(r, &len), p);
	ck_assert_uint_eq(p[9], 0xff);
	ring_next(r);
	takes(r, 2, 10);
	ring_free(r);
}
END_TEST

/* Who is awake is not woken; the descriptor is readable until it sleeps. */
START_TEST(test_wake_ups)
{
	struct ring *r = make(256);
	uint64_t woken = 0;
	unsigned n;

	ck_assert(!is_readable(r));
	for (n = 0; n < 3; n++)
		ck_assert(put(r, n, 1));
	ck_assert(is_readable(r));
	/* The number of writes to it. */
	ck_assert_int_eq(read(ring_fd(r), &woken, sizeof(woken)), 8);
	ck_assert_uint_eq(woken, 1);
	ck_assert(!ring_sleep(r)); /* there are three */
	ck_assert(is_readable(r));
	for (n = 0; n < 3; n++)
		takes(r, n, 1);
	ck_assert(is_readable(r));
	ck_assert(ring_sleep(r));
	ck_assert(!is_readable(r));
	ck_assert(ring_sleep(r));
	ck_assert(put(r, 0, 1));
	ck_assert(is_readable(r));
	ring_free(r);
}
END_TEST

/* --- two threads ---------------------------------------------------------- */

static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* Of each kind many, the largest now and then. */
static size_t
random_size(uint64_t *x)
{
	switch (next_random(x) % 64) {
	case 0:
		return LARGEST - next_random(x) % 1000;
	case 1:
	case 2:
		return 0;
	default:
		return next_random(x) % 1600;
	}
}

struct pair {
	struct ring *ring;
	atomic_uint taken;
	atomic_bool stop; /* the taker has given up */
};

static void *
put_many(void *arg)
{
	struct pair *p = arg;
	uint64_t x = SEED;
	unsigned n;
	size_t size;

	for (n = 0; n < MANY; n++) {
		size = random_size(&x);
		while (!put(p->ring, n, size)) {
			if (atomic_load(&p->stop))
				return NULL;
			sched_yield();
		}
	}
	return NULL;
}

/* Until there is one. False: nobody woke us. */
static bool
waits(struct ring *r)
{
	struct pollfd p = {.fd = ring_fd(r), .events = POLLIN};

	return !ring_sleep(r) || poll(&p, 1, PATIENCE) == 1;
}

static bool
take_next(struct ring *r, unsigned n, size_t size)
{
	const void *p;
	size_t len;
	bool ok;

	while (!(p = ring_peek(r, &len)))
		if (!waits(r))
			return false;
	ok = is_record(p, len, n, size);
	ring_next(r);
	return ok;
}

/* Both at once, the ring now full, now empty. */
START_TEST(test_threads)
{
	struct pair p = {.ring = make(2 * (LARGEST + RING_EXTRA))};
	uint64_t x = SEED;
	unsigned n;
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, put_many, &p), 0);
	for (n = 0; n < MANY && take_next(p.ring, n, random_size(&x)); n++)
		;
	atomic_store(&p.stop, true);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_msg(n == MANY, "at record %u", n);
	ck_assert(is_empty(p.ring));
	ring_free(p.ring);
}
END_TEST

/* One at a time, each at about the moment when the taker goes to sleep. */
static void *
put_late(void *arg)
{
	struct pair *p = arg;
	uint64_t x = SEED;
	unsigned n, wait;

	for (n = 0; n < SLEEPS; n++) {
		while (atomic_load(&p->taken) != n)
			if (atomic_load(&p->stop))
				return NULL;
		for (wait = next_random(&x) % 1024; wait; wait--)
			atomic_signal_fence(memory_order_seq_cst);
		if (!put(p->ring, n, 1))
			return NULL;
	}
	return NULL;
}

START_TEST(test_no_wake_up_lost)
{
	struct pair p = {.ring = make(256)};
	unsigned n;
	pthread_t t;

	ck_assert_int_eq(pthread_create(&t, NULL, put_late, &p), 0);
	for (n = 0; n < SLEEPS && take_next(p.ring, n, 1); n++)
		atomic_store(&p.taken, n + 1);
	atomic_store(&p.stop, true);
	ck_assert_int_eq(pthread_join(t, NULL), 0);
	ck_assert_msg(n == SLEEPS, "record %u woke nobody", n);
	ring_free(p.ring);
}
END_TEST

RUN_TESTS("gwd ring", test_in_order, test_wraps, test_full, test_largest,
	test_takers_own, test_wake_ups, test_threads, test_no_wake_up_lost)
