/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: `todo`, `finished`, `n` and `stop` are guarded by `lock`; a job
 * is in one queue at a time, or in the thread's hands. A group is all that
 * waits, up to a bound: a lone job is not made to wait for others.
 */
#include "mapperd/writer.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "libipref/log.h"

#define GROUP_JOBS_MAX 4096
#define GROUP_OPS_MAX  65536 /* unless the first job alone has more */

/* How long the thread looks out for another job behind a group, before it
 * sleeps: a client that hears the answer and asks again takes 20 to 70 us, and
 * waking a core that went idle 40 us, where a commit takes 140. The loop does
 * not do the same while a group is under way: measured, it keeps the thread
 * from its core when others are busy. */
#define LOOKOUT_US 100

struct writer {
	struct writer_config cfg;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job_queue todo, finished;
	_Atomic size_t n; /* jobs in todo; read without the lock, too */
	bool stop;
	/* The loop's: */
	pthread_t thread;
	int notify; /* eventfd: something is finished */
	struct event *notified;
};

/* With the lock held: moves the next group out of the queue. */
static void
take_group(struct writer *w, struct job_queue *group)
{
	struct store_job *job;
	size_t jobs = 0, ops = 0;

	while ((job = TAILQ_FIRST(&w->todo)) && jobs < GROUP_JOBS_MAX) {
		if (jobs && ops + job->change.n > GROUP_OPS_MAX)
			break;
		TAILQ_REMOVE(&w->todo, job, queue);
		TAILQ_INSERT_TAIL(group, job, queue);
		w->n--;
		jobs++;
		ops += job->change.n;
	}
}

static void
notify(struct writer *w)
{
	uint64_t one = 1;

	/* Can only fail when the counter is full: then the loop is told. */
	if (write(w->notify, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_err_errno(errno, "store: can't wake the loop");
}

static uint64_t
monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Whoever has use for the core meanwhile is let in: so where there is just one,
 * and where all are busy, this costs nobody anything. */
static void
look_out(struct writer *w)
{
	uint64_t end = monotonic_us() + LOOKOUT_US;

	while (!atomic_load(&w->n) && monotonic_us() < end)
		sched_yield();
}

/* With the lock held, and held again: waits for work. False: the time is over,
 * and there is none. */
static bool
wait_for_work(struct writer *w, unsigned ms)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	while (TAILQ_EMPTY(&w->todo) && !w->stop && !err)
		err = ms ? pthread_cond_timedwait(&w->wake, &w->lock, &until)
			 : pthread_cond_wait(&w->wake, &w->lock);
	return !TAILQ_EMPTY(&w->todo) || w->stop;
}

/* Does a group and hands it back. */
static void
run_group(struct writer *w, struct job_queue *group)
{
	w->cfg.run(group, w->cfg.arg);
	pthread_mutex_lock(&w->lock);
	TAILQ_CONCAT(&w->finished, group, queue);
	pthread_mutex_unlock(&w->lock);
	notify(w);
}

static void *
writer_main(void *arg)
{
	struct writer *w = arg;
	struct job_queue group = TAILQ_HEAD_INITIALIZER(group);
	unsigned again = 1;
	bool work;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		work = wait_for_work(w, again);
		if (work && TAILQ_EMPTY(&w->todo))
			break;
		take_group(w, &group);
		pthread_mutex_unlock(&w->lock);
		if (work)
			run_group(w, &group);
		again = w->cfg.rest(!work, w->cfg.arg);
		if (work)
			look_out(w);
		pthread_mutex_lock(&w->lock);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Hands finished jobs to their owner. */
static void
deliver(struct writer *w)
{
	struct job_queue done = TAILQ_HEAD_INITIALIZER(done);
	struct store_job *job;

	pthread_mutex_lock(&w->lock);
	TAILQ_CONCAT(&done, &w->finished, queue);
	pthread_mutex_unlock(&w->lock);
	while ((job = TAILQ_FIRST(&done))) {
		TAILQ_REMOVE(&done, job, queue);
		w->cfg.done(job, w->cfg.arg);
	}
}

static void
on_notified(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_err_errno(errno, "store: can't read its notification");
	deliver(arg);
}

/* The thread takes no signals: they are the loop's. */
static int
start_thread(struct writer *w)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&w->thread, NULL, writer_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void
writer_free(struct writer *w)
{
	if (w->notified)
		event_free(w->notified);
	if (w->notify >= 0)
		close(w->notify);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->wake);
	free(w);
}

/* The lock is held for moments only, so it is tried again before one sleeps:
 * who looks out sees a job while the lock is held still. */
static void
init_lock(struct writer *w)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t cond;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(&w->lock, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&cond);
	pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &cond);
	pthread_condattr_destroy(&cond);
}

int
writer_start(struct writer **out, struct event_base *base,
	const struct writer_config *cfg)
{
	struct writer *w = calloc(1, sizeof(*w));
	int err = -ENOMEM;

	if (!w)
		return -ENOMEM;
	w->cfg = *cfg;
	TAILQ_INIT(&w->todo);
	TAILQ_INIT(&w->finished);
	init_lock(w);
	w->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->notify >= 0)
		w->notified = event_new(
			base, w->notify, EV_READ | EV_PERSIST, on_notified, w);
	if (w->notified && !event_add(w->notified, NULL))
		err = start_thread(w);
	if (err) {
		writer_free(w);
		return err;
	}
	*out = w;
	return 0;
}

int
writer_submit(struct writer *w, struct store_job *job)
{
	int err = -EAGAIN;

	pthread_mutex_lock(&w->lock);
	if (w->n < STORE_JOBS_MAX) {
		TAILQ_INSERT_TAIL(&w->todo, job, queue);
		w->n++;
		pthread_cond_signal(&w->wake);
		err = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return err;
}

size_t
writer_queued(struct writer *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->n;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void
writer_stop(struct writer *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	deliver(w);
	writer_free(w);
}
