/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue of records from one thread, who puts, to another, who takes: bounded,
 * in order, without locks.
 *
 * A record is any number of bytes and stays in one piece. The taker may wait:
 * ring_fd() is readable as long as there may be something for it, which is
 * until ring_sleep() has returned true. So who is called by an event loop takes
 * as many as it likes, and is called again for the rest. The putter makes a
 * system call only when the taker sleeps.
 */
#ifndef GWD_RING_H
#define GWD_RING_H

#include "libipref/base.h"

struct iovec;
struct ring;

/* For so many bytes, rounded up to a power of two; each record takes up to
 * RING_EXTRA more. One of more than half of the whole may never fit. NULL: no
 * memory, or no descriptor left. */
#define RING_EXTRA 15
struct ring *ring_new(size_t bytes) MUSTCHECK;
/* NULL is fine. */
void ring_free(struct ring *r);

/* The putter: one record of these n parts. False: no room, nothing was put. */
bool ring_put(struct ring *r, const struct iovec *parts, int n) MUSTCHECK;

/* The taker: the next record, at a multiple of RING_ALIGN, its own to change
 * until ring_next(); NULL: there is none. */
#define RING_ALIGN 8
void *ring_peek(struct ring *r, size_t *len);
/* It is done with the record that ring_peek() gave. */
void ring_next(struct ring *r);
/* It is about to wait. False: there is something. */
bool ring_sleep(struct ring *r) MUSTCHECK;
/* For poll(2); the ring's. */
int ring_fd(const struct ring *r);

#endif
