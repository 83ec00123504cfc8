/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that does the store's waiting: jobs are queued from the loop, taken
 * in groups by the thread, and handed back to the loop in their order.
 */
#ifndef MAPPERD_WRITER_H
#define MAPPERD_WRITER_H

#include "mapperd/store.h"

TAILQ_HEAD(job_queue, store_job);

struct writer;

struct writer_config {
	/* In the thread: does a group of jobs and sets the err of each. */
	void (*run)(struct job_queue *jobs, void *arg);
	/* In the thread, behind each group: what its jobs need not wait for.
	 * Returns the ms after which it is to be called again, idle, when
	 * nothing else comes; 0: not before the next group. The first time at
	 * once. */
	unsigned (*rest)(bool idle, void *arg);
	/* In the loop: one job is done. */
	void (*done)(struct store_job *job, void *arg);
	void *arg;
};

int writer_start(struct writer **out, struct event_base *base,
	const struct writer_config *cfg) MUSTCHECK;
/* 0 or -EAGAIN. */
int writer_submit(struct writer *w, struct store_job *job) MUSTCHECK;
size_t writer_queued(struct writer *w);
/* Does what waits, hands it back, ends the thread. NULL is fine. */
void writer_stop(struct writer *w);

#endif
