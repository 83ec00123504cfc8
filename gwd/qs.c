/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer appends to one of two arrays, a thread of ours takes it, gives the
 * writer the other, waits for the readers and destroys what it took. It waits a
 * little before it takes, so that many share a grace period.
 */
#include "gwd/qs.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <urcu/urcu-qsbr.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN
#endif
#elif defined(__SANITIZE_THREAD__)
#define WITH_TSAN
#endif

#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_acquire(p) ((void)(p))
#define __tsan_release(p) ((void)(p))
#endif

#define GATHER_NS 5000000

struct retired {
	void (*destroy)(void *p);
	void *p;
};

struct pile {
	struct retired of[QS_WAITING_MAX];
	size_t n;
};

static struct {
	pthread_t thread;
	pthread_mutex_t lock; /* of the rest */
	pthread_cond_t some;  /* for the thread: filling is not empty, or end */
	pthread_cond_t taken; /* for the writer: filling is an empty one */
	struct pile piles[2];
	struct pile *filling;
	bool ending;
} qs = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.some = PTHREAD_COND_INITIALIZER,
	.taken = PTHREAD_COND_INITIALIZER,
};

/* For ThreadSanitizer: each reader's looks come before what destroys. */
static char quiet;

void
qs_reader_start(void)
{
	urcu_qsbr_register_thread();
}

void
qs_reader_end(void)
{
	__tsan_release(&quiet);
	urcu_qsbr_unregister_thread();
}

void
qs_quiet(void)
{
	__tsan_release(&quiet);
	urcu_qsbr_quiescent_state();
}

void
qs_away(void)
{
	__tsan_release(&quiet);
	urcu_qsbr_thread_offline();
}

void
qs_back(void)
{
	urcu_qsbr_thread_online();
}

static void
destroy_all(struct pile *pile)
{
	size_t i;

	urcu_qsbr_synchronize_rcu();
	__tsan_acquire(&quiet);
	for (i = 0; i < pile->n; i++)
		pile->of[i].destroy(pile->of[i].p);
	pile->n = 0;
}

/* False: nothing has been retired, and nothing will be. */
static bool
wait_for_some(void)
{
	const struct timespec gather = {.tv_nsec = GATHER_NS};
	bool some;

	pthread_mutex_lock(&qs.lock);
	while (qs.filling->n == 0 && !qs.ending)
		pthread_cond_wait(&qs.some, &qs.lock);
	some = qs.filling->n > 0;
	pthread_mutex_unlock(&qs.lock);
	if (some)
		nanosleep(&gather, NULL);
	return some;
}

/* The writer goes on with the other one, which is empty. */
static struct pile *
take(void)
{
	struct pile *full;

	pthread_mutex_lock(&qs.lock);
	full = qs.filling;
	qs.filling = &qs.piles[full == &qs.piles[0]];
	pthread_cond_signal(&qs.taken);
	pthread_mutex_unlock(&qs.lock);
	return full;
}

static void *
reclaim(void *unused)
{
	while (wait_for_some())
		destroy_all(take());
	return unused;
}

/* The thread takes no signals: they are the loop's. */
int
qs_writer_start(void)
{
	sigset_t all, before;
	int err;

	qs.filling = &qs.piles[0];
	qs.ending = false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&qs.thread, NULL, reclaim, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

void
qs_writer_end(void)
{
	pthread_mutex_lock(&qs.lock);
	qs.ending = true;
	pthread_cond_signal(&qs.some);
	pthread_mutex_unlock(&qs.lock);
	pthread_join(qs.thread, NULL);
}

void
qs_retire(void (*destroy)(void *p), void *p)
{
	struct pile *pile;

	pthread_mutex_lock(&qs.lock);
	while (qs.filling->n == QS_WAITING_MAX)
		pthread_cond_wait(&qs.taken, &qs.lock);
	pile = qs.filling;
	pile->of[pile->n++] = (struct retired){destroy, p};
	if (pile->n == 1)
		pthread_cond_signal(&qs.some);
	pthread_mutex_unlock(&qs.lock);
}
