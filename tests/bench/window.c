/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: an id is in `ids` from n_flying on, or its question is in flight
 * and asked_at[id] says since when, else that is 0. What does not fit the
 * kernel's queue is tried again after the next answer: there is one, as the
 * queue was full.
 */
#include "window.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH	    64 /* packets in one system call */
#define SILENCE_MS  10000
#define ANSWERS_MIN 65536

struct window {
	int fd;
	const struct window_plan *plan;
	struct window_result *out;
	uint64_t started, end; /* ns; end: nothing is asked from then on */
	uint64_t asked;
	uint16_t ids[WINDOW_MAX];
	unsigned n_flying;
	uint64_t asked_at[WINDOW_MAX + 1]; /* ns, by id */
	bool full;			   /* the kernel's queue */
	size_t room_us;			   /* of out->waited_us */
	struct mmsghdr out_msgs[BATCH], in_msgs[BATCH];
	struct iovec out_vecs[BATCH], in_vecs[BATCH];
	uint8_t out_bytes[BATCH][QUESTION_MAX], in_bytes[BATCH][QUESTION_MAX];
};

static uint64_t
due_at(const struct window *w, uint64_t i)
{
	return w->started + (uint64_t)((double)i * 1e9 / w->plan->rate);
}

/* How many may be asked now. */
static unsigned
wanted(const struct window *w, uint64_t now)
{
	uint64_t n = w->plan->room - w->n_flying, due;

	if (now >= w->end)
		return 0;
	if (w->plan->count && n > w->plan->count - w->asked)
		n = w->plan->count - w->asked;
	if (w->plan->rate > 0) {
		due = (uint64_t)((double)(now - w->started) * w->plan->rate /
				 1e9) +
		      1 - w->asked;
		n = n < due ? n : due;
	}
	return n < BATCH ? (unsigned)n : BATCH;
}

/* Question i of the run, under this id, as packet k of the batch. */
static void
prepare(struct window *w, unsigned k, uint64_t i, uint16_t id)
{
	const struct questions *q = w->plan->questions;
	struct wbuf b;

	memcpy(w->out_bytes[k], q->bytes + i % q->n * q->len, q->len);
	wbuf_init(&b, w->out_bytes[k], QUESTION_MAX);
	wbuf_room(&b, q->len);
	wbuf_patch16(&b, 2, id);
	w->out_vecs[k].iov_len = q->len;
}

static int
ask(struct window *w)
{
	uint64_t now = clock_ns();
	unsigned k, n = wanted(w, now);
	int sent;

	for (k = 0; k < n; k++)
		prepare(w, k, w->asked + k, w->ids[w->n_flying + k]);
	w->full = false;
	if (!n)
		return 0;
	sent = sendmmsg(w->fd, w->out_msgs, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN)
		return -errno;
	for (k = 0; sent > 0 && k < (unsigned)sent; k++)
		w->asked_at[w->ids[w->n_flying++]] =
			w->plan->rate > 0 ? due_at(w, w->asked++)
					  : (w->asked++, now);
	w->full = sent < (int)n;
	return 0;
}

static int
note(struct window *w, uint64_t asked_at, uint64_t now)
{
	struct window_result *r = w->out;
	uint32_t *more;

	if (r->n == w->room_us) {
		w->room_us = w->room_us ? w->room_us * 2 : ANSWERS_MIN;
		more = reallocarray(r->waited_us, w->room_us, sizeof(*more));
		if (!more)
			return -ENOMEM;
		r->waited_us = more;
	}
	r->waited_us[r->n++] =
		now > asked_at ? (uint32_t)((now - asked_at) / 1000) : 0;
	return 0;
}

/* An answer: its header is looked at only. */
static int
answered(struct window *w, const uint8_t *bytes, size_t len, uint64_t now)
{
	struct rbuf b;
	uint64_t asked_at;
	uint8_t mode;
	uint16_t id;

	rbuf_init(&b, bytes, len);
	rbuf_skip(&b, 1);
	mode = rbuf_u8(&b) >> 6;
	id = rbuf_be16(&b);
	if (!rbuf_ok(&b) || id == 0 || id > WINDOW_MAX || !w->asked_at[id])
		return -EPROTO;
	w->out->answered++;
	w->out->unexpected += mode != (uint8_t)w->plan->expect;
	w->ids[--w->n_flying] = id;
	asked_at = w->asked_at[id];
	w->asked_at[id] = 0;
	return note(w, asked_at, now);
}

/* Waits for answers or the time of the next question: 0 or -errno. */
static int
await(struct window *w)
{
	struct pollfd p = {w->fd, POLLIN, 0};
	struct timespec t = {SILENCE_MS / 1000, 0};
	uint64_t now = clock_ns(), due;
	bool timed = w->plan->rate > 0 && !w->full && now < w->end;
	int n;

	if (w->full)
		p.events |= POLLOUT;
	if (timed) {
		due = due_at(w, w->asked);
		due = due > now ? due - now : 0;
		t = (struct timespec){
			(time_t)(due / 1000000000), (long)(due % 1000000000)};
	}
	n = ppoll(&p, 1, &t, NULL);
	if (n == 0 && !timed)
		return -ETIMEDOUT;
	return n < 0 && errno != EINTR ? -errno : 0;
}

static int
hear(struct window *w)
{
	uint64_t now;
	int i, n, err = 0;

	n = recvmmsg(w->fd, w->in_msgs, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno == EAGAIN) {
		err = await(w);
		if (err < 0)
			return err;
		n = recvmmsg(w->fd, w->in_msgs, BATCH, MSG_DONTWAIT, NULL);
	}
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	now = clock_ns();
	for (i = 0; i < n && !err; i++) {
		if (w->in_msgs[i].msg_len == 0)
			return -EPIPE;
		err = answered(w, w->in_bytes[i], w->in_msgs[i].msg_len, now);
	}
	return err;
}

static void
window_init(struct window *w, int fd, const struct window_plan *plan,
	struct window_result *out)
{
	unsigned i;

	w->fd = fd;
	w->plan = plan;
	w->out = out;
	for (i = 0; i < WINDOW_MAX; i++)
		w->ids[i] = (uint16_t)(i + 1);
	for (i = 0; i < BATCH; i++) {
		w->out_vecs[i].iov_base = w->out_bytes[i];
		w->out_msgs[i].msg_hdr.msg_iov = &w->out_vecs[i];
		w->out_msgs[i].msg_hdr.msg_iovlen = 1;
		w->in_vecs[i].iov_base = w->in_bytes[i];
		w->in_vecs[i].iov_len = QUESTION_MAX;
		w->in_msgs[i].msg_hdr.msg_iov = &w->in_vecs[i];
		w->in_msgs[i].msg_hdr.msg_iovlen = 1;
	}
	w->started = clock_ns();
	w->end = plan->seconds > 0
			 ? w->started + (uint64_t)(plan->seconds * 1e9)
			 : UINT64_MAX;
}

static bool
is_over(const struct window *w)
{
	return !w->n_flying &&
	       (clock_ns() >= w->end ||
		       (w->plan->count && w->asked >= w->plan->count));
}

static int
by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int
window_run(int fd, const struct window_plan *plan, struct window_result *out)
{
	struct window *w = calloc(1, sizeof(*w));
	int err = 0;

	*out = (struct window_result){0};
	if (!w)
		return -ENOMEM;
	window_init(w, fd, plan, out);
	while (!err && !is_over(w)) {
		err = ask(w);
		if (!err)
			err = hear(w);
	}
	out->seconds = (double)(clock_ns() - w->started) / 1e9;
	if (out->n)
		qsort(out->waited_us, out->n, sizeof(*out->waited_us), by_size);
	free(w);
	return err;
}

void
window_result_free(struct window_result *r)
{
	free(r->waited_us);
	*r = (struct window_result){0};
}

double
window_quantile(const struct window_result *r, double p)
{
	if (!r->n)
		return 0;
	return r->waited_us[(size_t)(p * (double)(r->n - 1) + 0.5)];
}
