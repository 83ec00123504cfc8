/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is retired is destroyed once, after each reader has let go of it; who is
 * away, or gone, holds nothing up. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "gwd/qs.h"
#include "tests/unit/run.h"

static _Atomic unsigned destroyed[3 * QS_WAITING_MAX];

static void
destroy(void *p)
{
	atomic_fetch_add((_Atomic unsigned *)p, 1);
}

/* More than wait at once. */
START_TEST(test_no_readers)
{
	size_t i;

	ck_assert_int_eq(qs_writer_start(), 0);
	for (i = 0; i < ARRAY_LEN(destroyed); i++)
		qs_retire(destroy, &destroyed[i]);
	qs_writer_end();
	for (i = 0; i < ARRAY_LEN(destroyed); i++)
		ck_assert_uint_eq(destroyed[i], 1);
}
END_TEST

/* It can be used again. */
START_TEST(test_nothing_retired)
{
	ck_assert_int_eq(qs_writer_start(), 0);
	qs_writer_end();
	ck_assert_int_eq(qs_writer_start(), 0);
	qs_retire(destroy, &destroyed[0]);
	qs_writer_end();
	ck_assert_uint_eq(destroyed[0], 1);
}
END_TEST

struct reader {
	pthread_t thread;
	sem_t reads, go; /* the reader's word, the test's */
	_Atomic bool holds;
};

static _Atomic bool too_early;

/* The object is the reader that may have it. */
static void
destroy_held(void *p)
{
	struct reader *r = p;

	atomic_store(&too_early, atomic_load(&r->holds));
	destroy(&destroyed[0]);
}

/* Longer than what is retired waits for others to share its grace period. */
#define HELD_YIELDS 100000

static void *
hold(void *arg)
{
	struct reader *r = arg;
	unsigned i;

	qs_reader_start();
	atomic_store(&r->holds, true);
	sem_post(&r->reads);
	sem_wait(&r->go);
	for (i = 0; i < HELD_YIELDS && !atomic_load(&destroyed[0]); i++)
		sched_yield();
	atomic_store(&r->holds, false);
	qs_quiet();
	qs_reader_end();
	return NULL;
}

static void *
be_away(void *arg)
{
	struct reader *r = arg;

	qs_reader_start();
	qs_away();
	sem_post(&r->reads);
	sem_wait(&r->go);
	qs_back();
	qs_reader_end();
	return NULL;
}

static void
start(struct reader *r, void *(*read)(void *))
{
	sem_init(&r->reads, 0, 0);
	sem_init(&r->go, 0, 0);
	ck_assert_int_eq(qs_writer_start(), 0);
	ck_assert_int_eq(pthread_create(&r->thread, NULL, read, r), 0);
	sem_wait(&r->reads);
}

static void
end(struct reader *r)
{
	pthread_join(r->thread, NULL);
	sem_destroy(&r->reads);
	sem_destroy(&r->go);
}

START_TEST(test_reader_holds)
{
	struct reader r = {.holds = false};

	start(&r, hold);
	qs_retire(destroy_held, &r);
	sem_post(&r.go);
	qs_writer_end();
	ck_assert_uint_eq(destroyed[0], 1);
	ck_assert(!too_early);
	end(&r);
}
END_TEST

START_TEST(test_reader_away)
{
	struct reader r = {.holds = false};

	start(&r, be_away);
	qs_retire(destroy_held, &r);
	qs_writer_end();
	ck_assert_uint_eq(destroyed[0], 1);
	sem_post(&r.go);
	end(&r);
}
END_TEST

RUN_TESTS("qs", test_no_readers, test_nothing_retired, test_reader_holds,
	test_reader_away)
