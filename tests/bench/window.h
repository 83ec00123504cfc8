/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions in flight on one SEQPACKET connection, and how long each waited.
 *
 * All questions are encoded before the clock starts; packets go and come many
 * to a system call, so that the server is what is measured. With a rate the
 * loop is open: a question counts as asked when it was due, also when it could
 * only be sent later; without one it is closed: each answer makes room for the
 * next question.
 */
#ifndef TESTS_BENCH_WINDOW_H
#define TESTS_BENCH_WINDOW_H

#include "clock.h"
#include "libipref/msg.h"

#define WINDOW_MAX   4096 /* in flight */
#define QUESTION_MAX 128  /* bytes of one */

/* Questions of one length, ready but for their packet ids. */
struct questions {
	uint8_t *bytes; /* owned; n of them */
	size_t len;	/* of one, at most QUESTION_MAX */
	size_t n;
};

struct window_plan {
	const struct questions *questions; /* asked in turn, from the first */
	unsigned room;			   /* in flight at most */
	uint64_t count;			   /* to be asked; 0: no end */
	double seconds;			   /* asked so long; 0: no end */
	double rate;			   /* a second; 0: as answers come */
	enum msg_mode expect;		   /* mode of a good answer */
};

struct window_result {
	uint64_t answered, unexpected; /* unexpected: another mode */
	double seconds;
	uint32_t *waited_us; /* owned; in order of size; n of them */
	size_t n;
};

/* Runs to the end, when all are answered: 0 or -errno (-ETIMEDOUT: no answer
 * for ten seconds). fd is blocking or not. */
int window_run(int fd, const struct window_plan *plan,
	struct window_result *out) MUSTCHECK;
void window_result_free(struct window_result *r);
/* The waiting time that the share p (0 to 1) of answers did not exceed. */
double window_quantile(const struct window_result *r, double p);

#endif
