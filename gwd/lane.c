/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A turn takes what is there of both ways, up to a bound each; after it the
 * lane holds nothing that could be reclaimed. When nothing is left it waits.
 *
 * Both descriptors are edge-triggered: once ready, they are tried until they
 * say that they have nothing more, and then left alone until they are ready
 * again. The socket's error queue, which is the control thread's to read, does
 * not keep lanes awake.
 */
#include "gwd/lane.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "gwd/lane_impl.h"
#include "gwd/maps.h"
#include "gwd/qs.h"
#include "gwd/ring.h"
#include "libipref/log.h"

bool
lane_hand(struct lane *l, const struct handed *h, const void *bytes,
	enum way way, size_t packets)
{
	/* iovec has no const; nobody writes there */
	const struct iovec iov[] = {{(void *)(uintptr_t)h, sizeof(*h)},
		{(void *)(uintptr_t)bytes, h->len}};

	if (ring_put(l->cfg.ring, iov, ARRAY_LEN(iov))) {
		lane_count(&l->counters.handed, 1);
		return true;
	}
	lane_count(&l->counters.drops[way][DROP_OVERLOAD], packets);
	return false;
}

void
lane_gone(struct lane *l, int err)
{
	const struct handed h = {.kind = HANDED_FAILED, .error = err};

	/* It is tried again in the next turn when there is no room. */
	l->ready[WAY_OUT] = !lane_hand(l, &h, NULL, WAY_OUT, 0);
}

const struct route *
lane_route(const struct lane *l, const struct addr *peer,
	const struct route_way **way)
{
	const struct route *route = routes_get(l->cfg.routes, peer);

	if (route)
		*way = route_way(route);
	return route;
}

void
lane_used(const struct lane *l, const struct map *const used[2], enum way way)
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (used[i])
			maps_used(l->cfg.maps, used[i], way);
}

/* --- turning ------------------------------------------------------------ */

/* The bounded look-out: no waiting until then. */
static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static bool
looks_out(struct lane *l, bool busy)
{
	uint32_t us = l->rules->busy_poll_us;

	if (!us)
		return false;
	if (busy)
		l->look_until = now_us() + us;
	return now_us() < l->look_until;
}

/* Which way became ready; waits for that when there is nothing to do. */
static void
look_out(struct lane *l)
{
	bool busy = l->ready[WAY_OUT] || l->ready[WAY_IN];
	struct epoll_event e[WAY_N + 1];
	int i, n;

	qs_away();
	n = epoll_wait(l->epoll, e, ARRAY_LEN(e), busy ? 0 : -1);
	if (n < 0 && errno != EINTR)
		bug("epoll: %s", strerror(errno));
	qs_back();
	for (i = 0; i < n; i++)
		if (e[i].data.u32 < WAY_N)
			l->ready[e[i].data.u32] = true;
}

static bool
is_stopped(const struct lane *l)
{
	return atomic_load_explicit(&l->stopped, memory_order_relaxed);
}

static void *
run(void *arg)
{
	struct lane *l = arg;
	size_t n;

	qs_reader_start();
	while (!is_stopped(l)) {
		l->rules = atomic_load_explicit(
			&l->cfg.shared->rules, memory_order_acquire);
		l->hand_all = l->cfg.shared->wants_all(l->cfg.shared->arg);
		l->now_ms = now_ms();
		n = 0;
		if (l->ready[WAY_OUT])
			n += lane_out(l);
		if (l->ready[WAY_IN])
			n += lane_in(l);
		if (looks_out(l, n > 0)) {
			l->ready[WAY_OUT] = l->ready[WAY_IN] = true;
			/* Who would send something may wait for this core. */
			if (!n)
				sched_yield();
		}
		if (l->ready[WAY_OUT] && l->ready[WAY_IN])
			qs_quiet();
		else
			look_out(l);
	}
	qs_reader_end();
	return NULL;
}

/* --- life --------------------------------------------------------------- */

/* way: which becomes ready; WAY_N: none, it only wakes. */
static int
watch(const struct lane *l, int fd, uint32_t events, enum way way)
{
	struct epoll_event e = {.events = events, .data.u32 = way};

	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int
prepare(struct lane *l)
{
	size_t i;
	int err;

	for (i = 0; i < IN_MESSAGES; i++) {
		l->messages[i].buf = l->in_bytes[i];
		l->messages[i].size = sizeof(l->in_bytes[i]);
	}
	/* A few bytes come whole (getrandom(2)). */
	if (getrandom(&l->number, sizeof(l->number), 0) < 0)
		return -errno;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll < 0 || l->stop < 0)
		return -errno;
	err = watch(l, l->stop, EPOLLIN, WAY_N);
	if (!err)
		err = watch(l, l->cfg.tun_fd, EPOLLIN | EPOLLET, WAY_OUT);
	if (!err && l->cfg.receives)
		err = watch(l, l->cfg.udp_fd, EPOLLIN | EPOLLET, WAY_IN);
	return err;
}

/* Signals are the control thread's. */
static int
start(struct lane *l)
{
	sigset_t all, before;
	char name[16];
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return -err;
	l->started = true;
	snprintf(name, sizeof(name), "gwd-worker-%u", l->cfg.id);
	pthread_setname_np(l->thread, name);
	return 0;
}

int
lane_new(const struct lane_config *cfg, struct lane **lane)
{
	struct lane *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (l) {
		l->cfg = *cfg;
		l->epoll = l->stop = -1;
		l->ready[WAY_OUT] = l->ready[WAY_IN] = true;
		err = prepare(l);
	}
	if (!err)
		err = start(l);
	if (err) {
		log_err_errno(-err, "worker %u: can't be started", cfg->id);
		lane_free(l);
		l = NULL;
	}
	*lane = l;
	return err;
}

static void
wake(const struct lane *l)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(l->stop, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(one))
		bug("eventfd: %zd", n);
}

void
lane_free(struct lane *l)
{
	if (!l)
		return;
	if (l->started) {
		atomic_store(&l->stopped, true);
		wake(l);
		pthread_join(l->thread, NULL);
	}
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->stop >= 0)
		close(l->stop);
	free(l);
}

const struct lane_counters *
lane_counters(const struct lane *l)
{
	return &l->counters;
}
