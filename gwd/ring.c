/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Positions only grow; where they are in the ring is their remainder. Between
 * head and tail are records: their length in RING_ALIGN bytes, then their own
 * bytes, rounded up. One that does not fit in front of the ring's end goes to
 * its beginning; the place of its length then has SKIP.
 *
 * No wake-up is lost: the putter writes the tail and then looks whether the
 * taker sleeps; the taker writes that it sleeps and then looks at the tail.
 * These four are sequentially consistent, so at least one sees the other's.
 * Whoever changes `asleep` back to false writes to the descriptor.
 */
#include "gwd/ring.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define CACHE_LINE 64
#define SKIP	   UINT64_MAX

struct ring {
	uint8_t *bytes; /* owned */
	size_t size;	/* a power of two */
	int fd;		/* owned */
	struct {
		_Atomic size_t tail;
		size_t head_seen; /* the taker's, or an older one */
	} putter __attribute__((aligned(CACHE_LINE)));
	struct {
		_Atomic size_t head;
		size_t tail_seen; /* the putter's, or an older one */
	} taker __attribute__((aligned(CACHE_LINE)));
	atomic_bool asleep __attribute__((aligned(CACHE_LINE)));
};

static uint8_t *
place(const struct ring *r, size_t at)
{
	return r->bytes + (at & (r->size - 1));
}

static size_t
to_end(const struct ring *r, size_t at)
{
	return r->size - (at & (r->size - 1));
}

static size_t
rounded(size_t len)
{
	return (len + RING_ALIGN - 1) / RING_ALIGN * RING_ALIGN;
}

static void
wake(const struct ring *r)
{
	const uint64_t one = 1;

	/* The number in there never comes near its bound. */
	if (write(r->fd, &one, sizeof(one)) < 0)
		return;
}

/* --- putting -------------------------------------------------------------- */

static bool
has_room(struct ring *r, size_t tail, size_t need)
{
	if (need <= r->size - (tail - r->putter.head_seen))
		return true;
	r->putter.head_seen =
		atomic_load_explicit(&r->taker.head, memory_order_acquire);
	return need <= r->size - (tail - r->putter.head_seen);
}

static void
put_record(uint8_t *to, uint64_t len, const struct iovec *parts, int n)
{
	int i;

	memcpy(to, &len, sizeof(len));
	to += RING_ALIGN;
	for (i = 0; i < n; i++) {
		if (parts[i].iov_len)
			memcpy(to, parts[i].iov_base, parts[i].iov_len);
		to += parts[i].iov_len;
	}
}

bool
ring_put(struct ring *r, const struct iovec *parts, int n)
{
	size_t tail =
		atomic_load_explicit(&r->putter.tail, memory_order_relaxed);
	const uint64_t mark = SKIP;
	size_t len = 0, need, skip;
	int i;

	for (i = 0; i < n; i++)
		len += parts[i].iov_len;
	if (len > r->size)
		return false;
	need = RING_ALIGN + rounded(len);
	skip = need > to_end(r, tail) ? to_end(r, tail) : 0;
	if (!has_room(r, tail, skip + need))
		return false;
	if (skip)
		memcpy(place(r, tail), &mark, sizeof(mark));
	put_record(place(r, tail + skip), len, parts, n);
	atomic_store(&r->putter.tail, tail + skip + need);
	if (atomic_load(&r->asleep) && atomic_exchange(&r->asleep, false))
		wake(r);
	return true;
}

/* --- taking --------------------------------------------------------------- */

static size_t
own_head(const struct ring *r)
{
	return atomic_load_explicit(&r->taker.head, memory_order_relaxed);
}

static void
move_head(struct ring *r, size_t by)
{
	atomic_store_explicit(
		&r->taker.head, own_head(r) + by, memory_order_release);
}

static uint64_t
length_at(const struct ring *r, size_t at)
{
	uint64_t len;

	memcpy(&len, place(r, at), sizeof(len));
	return len;
}

void *
ring_peek(struct ring *r, size_t *len)
{
	if (own_head(r) == r->taker.tail_seen)
		r->taker.tail_seen = atomic_load_explicit(
			&r->putter.tail, memory_order_acquire);
	if (own_head(r) == r->taker.tail_seen)
		return NULL;
	if (length_at(r, own_head(r)) == SKIP)
		move_head(r, to_end(r, own_head(r)));
	*len = length_at(r, own_head(r));
	return place(r, own_head(r)) + RING_ALIGN;
}

void
ring_next(struct ring *r)
{
	move_head(r, RING_ALIGN + rounded(length_at(r, own_head(r))));
}

bool
ring_sleep(struct ring *r)
{
	uint64_t n;

	/* What woke us. A putter may be slow to do so; it does again then, for
	 * nothing. */
	if (read(r->fd, &n, sizeof(n)) < 0)
		n = 0;
	atomic_store(&r->asleep, true);
	if (atomic_load(&r->putter.tail) == own_head(r))
		return true;
	if (atomic_exchange(&r->asleep, false))
		wake(r);
	return false;
}

int
ring_fd(const struct ring *r)
{
	return r->fd;
}

/* --- life ----------------------------------------------------------------- */

struct ring *
ring_new(size_t bytes)
{
	struct ring *r = aligned_alloc(CACHE_LINE, sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	for (r->size = CACHE_LINE; r->size && r->size < bytes;)
		r->size *= 2;
	atomic_init(&r->asleep, true);
	r->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->bytes = r->size ? aligned_alloc(CACHE_LINE, r->size) : NULL;
	if (r->fd >= 0 && r->bytes)
		return r;
	ring_free(r);
	return NULL;
}

void
ring_free(struct ring *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	free(r->bytes);
	free(r);
}
