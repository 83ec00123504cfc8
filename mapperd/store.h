/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where mappings are durable: an interface of a few calls, with SQLite behind
 * it on a thread of its own.
 *
 * At start everything stored is given to the caller as operations. Then changes
 * are submitted as jobs, which are stored in order; each ends in one call of
 * `done` from the loop, when it is on the disk or known not to be. A job is
 * stored whole or not at all. What arrives while one transaction is written
 * forms the next one (group commit). The store gives out the revisions: each
 * numbered change that is stored gets the next one. The loop never waits here.
 *
 * Other stores (in memory for tests, a shared database later) fill in
 * struct store_class and keep the same promises.
 */
#ifndef MAPPERD_STORE_H
#define MAPPERD_STORE_H

#include <errno.h>

#include "mapperd/change.h"

struct event_base;
struct store;

#define STORE_JOBS_MAX 65536 /* waiting at once */

struct store_job {
	struct change change; /* the store's until done */
	int err; /* when done: 0; -EEXIST: an ea or a gw + ref would lead to
		  * two places; -ENOSPC; -EIO; -ENOTRECOVERABLE: the disk did
		  * not keep what it was given, the process has to end */
	uint64_t revision;	      /* when done: of a numbered change */
	TAILQ_ENTRY(store_job) queue; /* private to the store */
};

struct store_hooks {
	/* At start, for each thing stored: OP_SOURCE, OP_ADD, OP_GONE,
	 * OP_WAIT, OP_BATCH, OP_BLOCK; and OP_DEL (data.born: the revision) for
	 * each removal that is remembered, in the order of revisions, behind
	 * all OP_ADD. 0, or -errno to give up. When a file turns out to be
	 * damaged in the middle, `reset` is called, and loading begins anew
	 * from another one. */
	int (*load)(const struct op *op, void *arg);
	int (*reset)(void *arg); /* forget all that was loaded; 0 or -ENOMEM */
	void (*done)(struct store_job *job, void *arg);
	void *arg;
};

struct store_stats {
	uint64_t commits, jobs, failures, queued;
	uint64_t last_commit_us; /* how long the last one took */
	bool degraded;		 /* the last write failed, or it is damaged */
	char reason[128];	 /* why */
	bool ended;    /* the disk did not keep what it was given: for good */
	bool checking; /* its file is being looked through */
};

/* A backup is there: fd is its open file at offset 0, which is the caller's and
 * has no name any more; or fd is -1 and err a negative errno. From the loop. */
typedef void (*store_backup_fn)(int fd, int err, void *arg);

struct store_class {
	int (*submit)(struct store *s, struct store_job *job);
	void (*stats)(struct store *s, struct store_stats *out);
	/* NULL: this store can't. */
	int (*backup)(struct store *s, store_backup_fn done, void *arg);
	void (*close)(struct store *s);
};

struct store {
	const struct store_class *class;
	uint64_t identity; /* of the database: never 0, for good */
	uint64_t revision; /* at start: of the last change */
	/* At start: what was removed by changes above this one was loaded as
	 * OP_DEL; of older ones it is not known any more. */
	uint64_t oldest;
	/* Mapper's clock: since then it is not known which eas are in use,
	 * because a damaged file was set aside or a backup restored; 0: all are
	 * known. */
	uint64_t suspect_at;
	/* The mapper's clock is now_ms() plus this. It stands still while the
	 * machine is off, and after a crash by at most what had passed since
	 * the last write. */
	int64_t clock_offset;
};

/* Opens (and makes) DIR/mapperd.db, loads it, starts the thread. 0 or -errno,
 * logged: -EBUSY: another process has it; -EBADMSG: damaged; -EPROTO: of a
 * newer version. */
int store_open(struct store **out, const char *dir, struct event_base *base,
	const struct store_hooks *hooks) MUSTCHECK;

/* 0: the job and its change are the store's until done; -EAGAIN: too many
 * wait; the job is the caller's still. */
static inline int MUSTCHECK
store_submit(struct store *s, struct store_job *job)
{
	return s->class->submit(s, job);
}

static inline void
store_stats(struct store *s, struct store_stats *out)
{
	s->class->stats(s, out);
}

/* Makes a copy of the store as it is now, beside the work on it; done is called
 * once, later. 0; -EBUSY: one is being made; -ENOSYS. Closing the store first
 * ends it with -ECANCELED. */
static inline int MUSTCHECK
store_backup(struct store *s, store_backup_fn done, void *arg)
{
	return s->class->backup ? s->class->backup(s, done, arg) : -ENOSYS;
}

/* Stores what waits, calls done for it, ends the thread. NULL is fine. */
static inline void
store_close(struct store *s)
{
	if (s)
		s->class->close(s);
}

#endif
