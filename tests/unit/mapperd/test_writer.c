/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Jobs between the loop and the thread: none is lost, whenever it comes. */
#include "mapperd/writer.h"

#include <stdlib.h>
#include <time.h>

#include "tests/unit/loop.h"
#include "tests/unit/run.h"

#define JOBS	 4000
#define PAUSE_NS 250000 /* at most; the thread goes to sleep within that */

struct work {
	struct event_base *base;
	struct writer *writer;
	struct store_job jobs[JOBS];
	size_t n_done;
};

static void
run(struct job_queue *jobs, void *arg)
{
	struct store_job *job;

	(void)arg;
	TAILQ_FOREACH(job, jobs, queue)
	{
		job->err = -EIO;
	}
}

static unsigned
rest(bool idle, void *arg)
{
	(void)idle;
	(void)arg;
	return 0;
}

static void
done(struct store_job *job, void *arg)
{
	struct work *w = arg;

	ck_assert_ptr_eq(job, &w->jobs[w->n_done]); /* in their order */
	ck_assert_int_eq(job->err, -EIO);
	w->n_done++;
}

static struct work *
work_new(void)
{
	struct work *w = calloc(1, sizeof(*w));
	const struct writer_config cfg = {
		.run = run, .rest = rest, .done = done, .arg = w};

	ck_assert_ptr_nonnull(w);
	w->base = event_base_new();
	ck_assert_int_eq(writer_start(&w->writer, w->base, &cfg), 0);
	return w;
}

static void
work_free(struct work *w)
{
	writer_stop(w->writer);
	event_base_free(w->base);
	free(w);
}

/* Each comes while the thread looks out, goes to sleep or sleeps. */
START_TEST(test_one_by_one)
{
	struct work *w = work_new();
	struct timespec pause = {0};
	size_t i;

	srandom(1);
	for (i = 0; i < JOBS; i++) {
		pause.tv_nsec = random() % PAUSE_NS;
		nanosleep(&pause, NULL); /* no waiting: any will do */
		ck_assert_int_eq(writer_submit(w->writer, &w->jobs[i]), 0);
		LOOP_UNTIL(w->base, w->n_done == i + 1);
	}
	work_free(w);
}
END_TEST

/* What waits when it is stopped is done still. */
START_TEST(test_stop)
{
	struct work *w = work_new();
	size_t i;

	for (i = 0; i < JOBS; i++)
		ck_assert_int_eq(writer_submit(w->writer, &w->jobs[i]), 0);
	writer_stop(w->writer);
	w->writer = NULL;
	ck_assert_uint_eq(w->n_done, JOBS);
	work_free(w);
}
END_TEST

RUN_TESTS("writer", test_one_by_one, test_stop)
