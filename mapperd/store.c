/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLite store: groups of jobs, what becomes of them, and how the file is
 * (the transactions themselves: dbwrite.h).
 *
 * Invariants: after opening, `base` and `write` belong to the writer thread
 * (writer.h), and the loop reads only what `lock` guards. When the file is
 * damaged, or the disk has not kept what it was given, nothing is written into
 * it any more: what SQLite believes to be in it is not to be relied on.
 */
#include "mapperd/store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libipref/log.h"
#include "mapperd/dbwrite.h"
#include "mapperd/sidework.h"
#include "mapperd/writer.h"

#define PROBE_MS 1000	   /* how often a disk that was full is tried */
#define ROOM_MIN (1 << 20) /* bytes that are to be free on it then */

struct sqlite_store {
	struct store store; /* first */
	struct store_hooks hooks;
	struct writer *writer;
	struct sidework *side;
	/* The writer thread's, once it runs: */
	struct database base;
	struct dbwrite write;
	bool full; /* the last write has found no room */
	/* Guarded by lock: */
	pthread_mutex_t lock;
	struct store_stats stats;
	int broken;	/* 0, -EBADMSG or -ENOTRECOVERABLE: for good */
	bool unchecked; /* it is still to be looked through, */
	bool check_due; /* which was put off */
};

static int
get_broken(struct sqlite_store *s)
{
	int broken;

	pthread_mutex_lock(&s->lock);
	broken = s->broken;
	pthread_mutex_unlock(&s->lock);
	return broken;
}

/* From now on nothing is written. */
static void
give_up(struct sqlite_store *s, int err, const char *why)
{
	bool first;

	pthread_mutex_lock(&s->lock);
	first = !s->broken;
	if (first)
		s->broken = err;
	s->stats.ended = s->broken == -ENOTRECOVERABLE;
	s->stats.degraded = true;
	if (first)
		snprintf(s->stats.reason, sizeof(s->stats.reason), "%s", why);
	pthread_mutex_unlock(&s->lock);
	if (!first)
		return;
	if (err == -ENOTRECOVERABLE) {
		log_err("store: %s: the disk did not keep what it was given",
			why);
		return;
	}
	log_err("store: %s: damaged: %s; what is known is served on, nothing "
		"new is stored, and the next start sets the file aside",
		s->base.dir.db, why);
	err = dbdir_mark(&s->base.dir, why);
	if (err)
		log_err_errno(-err, "store: %s: can't be marked as damaged",
			s->base.dir.db);
}

/* Counts a transaction, and says when writing has become impossible or possible
 * again. */
static void
note_result(struct sqlite_store *s, size_t jobs, int rc, uint64_t took_us)
{
	bool ok = rc == SQLITE_OK, changed;
	int err = dbconn_errno(rc);
	const char *why =
		ok ? "" : sqlite3_errstr(err == -ENOSPC ? SQLITE_FULL : rc);

	s->full = err == -ENOSPC;
	pthread_mutex_lock(&s->lock);
	s->stats.commits += ok;
	s->stats.jobs += jobs;
	s->stats.failures += !ok && jobs;
	s->stats.last_commit_us = took_us;
	changed = !s->broken && s->stats.degraded == ok;
	if (!s->broken) {
		s->stats.degraded = !ok;
		snprintf(s->stats.reason, sizeof(s->stats.reason), "%s", why);
	}
	pthread_mutex_unlock(&s->lock);
	if (err == -EBADMSG || err == -ENOTRECOVERABLE)
		give_up(s, err, why);
	else if (changed && ok)
		log_notice("store: can be written again");
	else if (changed)
		log_err("store: can't be written: %s; nothing new is allotted "
			"or acknowledged",
			why);
}

static uint64_t
monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Each job in a transaction of its own: so that one that can't be stored takes
 * no others with it. */
static void
run_singly(struct sqlite_store *s, struct job_queue *jobs)
{
	struct store_job *job;
	uint64_t start;
	int rc;

	TAILQ_FOREACH(job, jobs, queue)
	{
		start = monotonic_us();
		job->err = get_broken(s);
		if (job->err)
			continue;
		rc = dbwrite_jobs(&s->write, job, true);
		job->err = dbconn_errno(rc);
		if (job->err == -EEXIST)
			rc = SQLITE_OK; /* the store is well */
		note_result(s, 1, rc, monotonic_us() - start);
	}
}

/* Once played into the file, the log of a full disk takes some more changes.
 * The disk is full all the same: else it would be so again and again. */
static bool
is_full(const struct sqlite_store *s)
{
	return s->full && dbdir_free(&s->base.dir) < ROOM_MIN;
}

/* Whether jobs can be stored: 0, or how they end. After a start from a full
 * disk nothing is, before what the start would have written. */
static int
get_ready(struct sqlite_store *s)
{
	int err = get_broken(s), rc;

	if (!err && is_full(s))
		err = -ENOSPC;
	if (err || !s->base.waiting)
		return err;
	rc = database_settle(&s->base);
	if (rc == SQLITE_OK) {
		rc = dbwrite_init(&s->write, &s->base);
		if (rc != SQLITE_OK)
			dbwrite_fini(&s->write);
	}
	s->base.waiting = rc != SQLITE_OK;
	if (rc == SQLITE_OK) {
		pthread_mutex_lock(&s->lock);
		s->check_due = s->unchecked;
		pthread_mutex_unlock(&s->lock);
	}
	/* While somebody reads it, the reason is still the full disk. */
	if ((rc & 0xff) != SQLITE_BUSY)
		note_result(s, 0, rc, 0);
	return dbconn_errno(rc);
}

static void
run_group(struct job_queue *jobs, void *arg)
{
	struct sqlite_store *s = arg;
	struct store_job *job;
	uint64_t start = monotonic_us();
	int err = get_ready(s), rc = SQLITE_OK;
	size_t n = 0;

	if (!err) {
		rc = dbwrite_jobs(&s->write, TAILQ_FIRST(jobs), false);
		err = dbconn_errno(rc);
	}
	if (err == -EEXIST) {
		run_singly(s, jobs);
		return;
	}
	TAILQ_FOREACH(job, jobs, queue)
	{
		job->err = err;
		n++;
	}
	if (rc != SQLITE_OK || !err)
		note_result(s, n, rc, monotonic_us() - start);
}

/* Whether writing is worth another attempt. */
static bool
is_degraded(struct sqlite_store *s)
{
	bool degraded;

	pthread_mutex_lock(&s->lock);
	degraded = s->stats.degraded && !s->broken;
	pthread_mutex_unlock(&s->lock);
	return degraded;
}

static void
play_log(struct sqlite_store *s)
{
	int rc = dbwrite_checkpoint(&s->write), err = dbconn_errno(rc);

	if (err == -ENOTRECOVERABLE || err == -EBADMSG)
		give_up(s, err, sqlite3_errstr(rc));
	else if (err)
		log_debug("store: the log can't be played into the file: %s",
			sqlite3_errstr(rc));
}

/* Between groups: the log is played into the file; and while it can't be
 * written, whether it can be again is tried, so that this is known without new
 * work. */
static unsigned
rest(bool idle, void *arg)
{
	struct sqlite_store *s = arg;

	if (get_broken(s))
		return 0;
	if (idle && is_degraded(s) && !get_ready(s))
		note_result(s, 0, dbwrite_jobs(&s->write, NULL, false), 0);
	if (!s->base.waiting)
		play_log(s);
	return is_degraded(s) ? PROBE_MS : 0;
}

/* After a stop that was none the file is looked through, beside serving. */
static int
start_check(struct sqlite_store *s)
{
	log_info("store: %s: was not closed orderly: it is looked through",
		s->base.dir.db);
	return sidework_check(s->side);
}

static void
sqlite_done(struct store_job *job, void *arg)
{
	struct sqlite_store *s = arg;
	bool due;
	int err;

	pthread_mutex_lock(&s->lock);
	due = s->check_due;
	s->check_due = false;
	pthread_mutex_unlock(&s->lock);
	err = due && s->side ? start_check(s) : 0;
	if (err)
		log_err_errno(-err, "store: %s: can't be looked through",
			s->base.dir.db);
	s->hooks.done(job, s->hooks.arg);
}

static int
sqlite_submit(struct store *store, struct store_job *job)
{
	struct sqlite_store *s =
		CONTAINER_OF(store, struct sqlite_store, store);

	return writer_submit(s->writer, job);
}

static void
sqlite_stats(struct store *store, struct store_stats *out)
{
	struct sqlite_store *s =
		CONTAINER_OF(store, struct sqlite_store, store);

	pthread_mutex_lock(&s->lock);
	*out = s->stats;
	pthread_mutex_unlock(&s->lock);
	out->queued = writer_queued(s->writer);
	out->checking = s->side && sidework_checking(s->side);
}

static int
sqlite_backup(struct store *store, store_backup_fn done, void *arg)
{
	struct sqlite_store *s =
		CONTAINER_OF(store, struct sqlite_store, store);

	return sidework_backup(s->side, done, arg);
}

static void
sqlite_close(struct store *store)
{
	struct sqlite_store *s =
		CONTAINER_OF(store, struct sqlite_store, store);
	bool began = s->writer != NULL, clean = false;
	int rc;

	sidework_free(s->side);
	s->side = NULL; /* owners of jobs may look at us still */
	writer_stop(s->writer);
	/* Else it is looked through after the next start. */
	if (began && !s->broken && !s->unchecked && !s->base.waiting) {
		rc = dbwrite_clean(&s->write);
		clean = rc == SQLITE_OK;
		if (!clean)
			log_warn("store: %s: can't be closed orderly: %s",
				s->base.dir.db, sqlite3_errstr(rc));
	}
	dbwrite_fini(&s->write);
	database_close(&s->base, !clean && s->base.logged);
	dbdir_close(&s->base.dir);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct store_class sqlite_class = {
	.submit = sqlite_submit,
	.stats = sqlite_stats,
	.backup = sqlite_backup,
	.close = sqlite_close,
};

/* In the thread that looks through the file. */
static void
on_checked(const char *damage, void *arg)
{
	struct sqlite_store *s = arg;

	if (damage) {
		give_up(s, -EBADMSG, damage);
		return;
	}
	pthread_mutex_lock(&s->lock);
	s->unchecked = false;
	pthread_mutex_unlock(&s->lock);
	log_info("store: %s: looked through, it is in order", s->base.dir.db);
}

static int
start_sidework(struct sqlite_store *s, struct event_base *base)
{
	const struct sidework_config cfg = {
		.dir = &s->base.dir, .checked = on_checked, .arg = s};
	int err = sidework_new(&s->side, base, &cfg);

	s->unchecked = s->base.unclean;
	/* A reader would stand in the way of what is to be written first. */
	if (err || !s->unchecked || s->base.waiting)
		return err;
	return start_check(s);
}

static int
start(struct sqlite_store *s, const char *dir, struct event_base *base)
{
	const struct writer_config cfg = {
		.run = run_group, .rest = rest, .done = sqlite_done, .arg = s};
	int err = database_open(&s->base, dir, &s->hooks), rc = SQLITE_OK;

	if (err)
		return err;
	s->store.identity = s->base.meta.identity;
	s->store.revision = s->base.meta.revision;
	s->store.oldest = s->base.meta.oldest;
	s->store.suspect_at = s->base.meta.suspect_at;
	s->store.clock_offset = s->base.clock_offset;
	if (s->base.waiting)
		note_result(s, 0, SQLITE_FULL, 0);
	else
		rc = dbwrite_init(&s->write, &s->base);
	if (rc != SQLITE_OK) {
		log_err("store: %s: %s", s->base.dir.db, sqlite3_errstr(rc));
		return dbconn_errno(rc);
	}
	err = start_sidework(s, base);
	return err ? err : writer_start(&s->writer, base, &cfg);
}

int
store_open(struct store **out, const char *dir, struct event_base *base,
	const struct store_hooks *hooks)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->store.class = &sqlite_class;
	s->hooks = *hooks;
	s->base.dir.lock = -1;
	pthread_mutex_init(&s->lock, NULL);
	err = start(s, dir, base);
	if (err) {
		sqlite_close(&s->store);
		return err;
	}
	*out = &s->store;
	return 0;
}
