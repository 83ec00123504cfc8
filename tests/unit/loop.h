/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running an event loop in a test until something has come true.
 *
 * LOOP_UNTIL(base, condition) runs it one round after another; a condition that
 * is not true within LOOP_SECONDS fails the test. loop_rounds() lets everything
 * that is due happen, for "and nothing else came".
 */
#ifndef TESTS_UNIT_LOOP_H
#define TESTS_UNIT_LOOP_H

#include <check.h>
#include <event2/event.h>

#include "libipref/log.h"

#define LOOP_SECONDS 20
#define LOOP_POLL_MS 5

static inline void
loop_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* One round: until an event came or a few milliseconds are over. */
static inline void
loop_round(struct event_base *base)
{
	struct timeval tv = {.tv_usec = LOOP_POLL_MS * 1000};

	/* poll: conditions may also come true without an event of this loop */
	ck_assert_int_eq(
		event_base_once(base, -1, EV_TIMEOUT, loop_tick, NULL, &tv), 0);
	ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
}

static inline void
loop_rounds(struct event_base *base, int n)
{
	while (n-- > 0)
		ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

#define LOOP_UNTIL(base, condition)                                            \
	do {                                                                   \
		uint64_t loop_end_ = now_ms() + LOOP_SECONDS * 1000;           \
                                                                               \
		while (!(condition)) {                                         \
			ck_assert_msg(now_ms() < loop_end_,                    \
				"not within %d s: %s", LOOP_SECONDS,           \
				#condition);                                   \
			loop_round(base);                                      \
		}                                                              \
	} while (0)

#endif
