/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: base->meta and the ends of the removals change when a commit has
 * succeeded, never before; so a revision is given out inside the transaction
 * that stores it, and never repeats for another change, whatever was killed
 * when.
 */
#include "mapperd/dbwrite.h"

#include <string.h>

#include "libipref/log.h"
#include "mapperd/sqlbind.h"

/* Pages of the log that are played into the file at once: many, so that pages
 * that change often are written once; few enough for some milliseconds. */
#define CHECKPOINT_PAGES 2048
#define REMOVED_MAX	 65536 /* removals that are remembered */
#define REMOVED_SLACK	 1024  /* forgotten at once */

/* What a transaction is about to make true. */
struct txn {
	struct dbmeta meta;
	uint64_t first_seq, next_seq;
};

/* Which of the two statements an operation is. */
static int
variant(const struct op *op)
{
	const struct sql_op *local = &sql_ops[op->kind][1];

	return (local->take.sql || local->put.sql) &&
	       op->data.kind == ENTRY_LOCAL;
}

static int
code(struct dbwrite *w)
{
	return sqlite3_extended_errcode(w->base->conn.db);
}

static int
bind_op(sqlite3_stmt *st, const char *letters, const struct op *op,
	uint64_t revision)
{
	int i, rc = SQLITE_OK;

	for (i = 0; letters[i] && rc == SQLITE_OK; i++)
		rc = sqlbind_write(st, i + 1, letters[i], op, revision);
	return rc;
}

/* Removes rows and their sums; *n receives how many. */
static int
run_take(struct dbwrite *w, struct txn *t, const struct op *op, size_t *n)
{
	sqlite3_stmt *st = w->ops[op->kind][variant(op)].take;
	int rc;

	*n = 0;
	if (!st)
		return SQLITE_OK;
	rc = bind_op(st, sql_ops[op->kind][variant(op)].take.bind, op,
		t->meta.revision);
	if (rc != SQLITE_OK)
		return rc;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		t->meta.rows -= (uint64_t)sqlite3_column_int64(st, 0);
		(*n)++;
	}
	rc = rc == SQLITE_DONE ? SQLITE_OK : code(w);
	sqlite3_reset(st);
	return rc;
}

/* Makes or changes a row; one that is made adds its sum. */
static int
run_put(struct dbwrite *w, struct txn *t, const struct op *op)
{
	sqlite3_stmt *st = w->ops[op->kind][variant(op)].put;
	int rc;

	if (!st)
		return SQLITE_OK;
	rc = bind_op(st, sql_ops[op->kind][variant(op)].put.bind, op,
		t->meta.revision);
	if (rc != SQLITE_OK)
		return rc;
	w->base->conn.last_sum = 0;
	rc = dbconn_run(&w->base->conn, st);
	t->meta.rows += w->base->conn.last_sum;
	return rc;
}

/* Remembers the removal of an entry, for followers who come back. */
static int
remember(struct dbwrite *w, struct txn *t, const struct entry_data *d)
{
	sqlite3_stmt *st = w->removed_add;
	int rc;

	sqlite3_bind_int64(st, 1, (sqlite3_int64)t->next_seq++);
	sqlite3_bind_int64(st, 2, (sqlite3_int64)t->meta.revision);
	sqlite3_bind_int(st, 3, d->kind == ENTRY_LOCAL);
	sqlite3_bind_blob(st, 4, d->key.gw.b, (int)addr_len(d->key.gw.ver),
		SQLITE_STATIC);
	sqlite3_bind_blob(st, 5, d->key.ref.b, REF_LEN, SQLITE_STATIC);
	sqlite3_bind_blob(
		st, 6, d->addr.b, (int)addr_len(d->addr.ver), SQLITE_STATIC);
	rc = dbconn_run(&w->base->conn, st);
	t->meta.rows += w->base->conn.last_sum;
	return rc;
}

/* Forgets the oldest removals when there are too many. */
static int
prune(struct dbwrite *w, struct txn *t)
{
	sqlite3_stmt *st = w->removed_drop;
	uint64_t revision;
	int rc;

	if (t->next_seq - t->first_seq <= REMOVED_MAX + REMOVED_SLACK)
		return SQLITE_OK;
	t->first_seq = t->next_seq - REMOVED_MAX;
	sqlite3_bind_int64(st, 1, (sqlite3_int64)t->first_seq);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		revision = (uint64_t)sqlite3_column_int64(st, 0);
		if (revision > t->meta.oldest)
			t->meta.oldest = revision;
		t->meta.rows -= (uint64_t)sqlite3_column_int64(st, 1);
	}
	rc = rc == SQLITE_DONE ? SQLITE_OK : code(w);
	sqlite3_reset(st);
	return rc;
}

static int
run_op(struct dbwrite *w, struct txn *t, const struct op *op)
{
	size_t taken;
	int rc = run_take(w, t, op, &taken);

	if (rc == SQLITE_OK && op->kind == OP_DEL && taken)
		rc = remember(w, t, &op->data);
	return rc == SQLITE_OK ? run_put(w, t, op) : rc;
}

static int
run_job(struct dbwrite *w, struct txn *t, struct store_job *job)
{
	size_t i;
	int rc = SQLITE_OK;

	if (job->change.numbered)
		job->revision = ++t->meta.revision;
	for (i = 0; i < job->change.n && rc == SQLITE_OK; i++)
		rc = run_op(w, t, &job->change.ops[i]);
	return rc;
}

/* The rest of a transaction: revision, clock and sums in the transaction of
 * what they belong to. */
static int
finish(struct dbwrite *w, struct txn *t)
{
	int rc = prune(w, t);

	t->meta.boot = now_ms();
	t->meta.clock = t->meta.boot + (uint64_t)w->base->clock_offset;
	if (rc == SQLITE_OK) {
		dbmeta_bind(w->meta, &t->meta);
		rc = dbconn_run(&w->base->conn, w->meta);
	}
	if (rc == SQLITE_OK)
		rc = dbconn_run(&w->base->conn, w->commit);
	return rc;
}

/* rc: of the transaction up to here. Ends it and takes over what is true. */
static int
end(struct dbwrite *w, const struct txn *t, int rc)
{
	if (rc == SQLITE_OK) {
		w->base->meta = t->meta;
		w->base->first_seq = t->first_seq;
		w->base->next_seq = t->next_seq;
	} else if (!sqlite3_get_autocommit(w->base->conn.db)) {
		sqlite3_step(w->rollback);
		sqlite3_reset(w->rollback);
	}
	return rc;
}

int
dbwrite_jobs(struct dbwrite *w, struct store_job *first, bool one)
{
	struct txn t = {w->base->meta, w->base->first_seq, w->base->next_seq};
	struct store_job *job = first;
	int rc = dbconn_run(&w->base->conn, w->begin);

	while (job && rc == SQLITE_OK) {
		rc = run_job(w, &t, job);
		job = one ? NULL : TAILQ_NEXT(job, queue);
	}
	if (rc == SQLITE_OK)
		rc = finish(w, &t);
	return end(w, &t, rc);
}

int
dbwrite_clean(struct dbwrite *w)
{
	struct txn t = {w->base->meta, w->base->first_seq, w->base->next_seq};
	int rc = dbconn_run(&w->base->conn, w->begin);

	t.meta.clean = 1;
	if (rc == SQLITE_OK)
		rc = finish(w, &t);
	return end(w, &t, rc);
}

int
dbwrite_checkpoint(struct dbwrite *w)
{
	/* The log began anew: all of it had been played. */
	if (w->wal_pages < w->wal_pages_then)
		w->wal_pages_then = 0;
	if (w->wal_pages - w->wal_pages_then < CHECKPOINT_PAGES)
		return SQLITE_OK;
	/* When it fails it is tried again soon: a full disk would be kept full
	 * by the log itself. */
	if (sqlite3_wal_checkpoint_v2(w->base->conn.db, NULL,
		    SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) != SQLITE_OK)
		return code(w);
	w->wal_pages_then = w->wal_pages;
	return SQLITE_OK;
}

static int
on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct dbwrite *w = arg;

	(void)db;
	(void)name;
	w->wal_pages = pages;
	return SQLITE_OK;
}

static int
prepare(struct dbwrite *w, const char *sql, sqlite3_stmt **out)
{
	return sql ? dbconn_prepare(&w->base->conn, sql, out) : SQLITE_OK;
}

static int
prepare_ops(struct dbwrite *w)
{
	int i, k, rc = SQLITE_OK;

	for (i = 0; i < OP_N; i++)
		for (k = 0; k < 2 && rc == SQLITE_OK; k++) {
			rc = prepare(
				w, sql_ops[i][k].take.sql, &w->ops[i][k].take);
			if (rc == SQLITE_OK)
				rc = prepare(w, sql_ops[i][k].put.sql,
					&w->ops[i][k].put);
		}
	return rc;
}

int
dbwrite_init(struct dbwrite *w, struct database *base)
{
	struct {
		enum sql_id id;
		sqlite3_stmt **st;
	} const others[] = {
		{SQL_META_SET, &w->meta},
		{SQL_BEGIN, &w->begin},
		{SQL_COMMIT, &w->commit},
		{SQL_ROLLBACK, &w->rollback},
		{SQL_REMOVED_ADD, &w->removed_add},
		{SQL_REMOVED_DROP, &w->removed_drop},
	};
	size_t i;
	int rc;

	*w = (struct dbwrite){.base = base};
	rc = prepare_ops(w);
	for (i = 0; i < ARRAY_LEN(others) && rc == SQLITE_OK; i++)
		rc = prepare(w, sql_text[others[i].id], others[i].st);
	sqlite3_wal_hook(base->conn.db, on_wal, w);
	return rc;
}

void
dbwrite_fini(struct dbwrite *w)
{
	int i, k;

	for (i = 0; i < OP_N; i++)
		for (k = 0; k < 2; k++) {
			sqlite3_finalize(w->ops[i][k].take);
			sqlite3_finalize(w->ops[i][k].put);
		}
	sqlite3_finalize(w->meta);
	sqlite3_finalize(w->begin);
	sqlite3_finalize(w->commit);
	sqlite3_finalize(w->rollback);
	sqlite3_finalize(w->removed_add);
	sqlite3_finalize(w->removed_drop);
	*w = (struct dbwrite){.base = w->base};
}
