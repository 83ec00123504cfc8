/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SQLite store; the only file with SQL in it (sqlbind.h moves the values).
 *
 * Invariants: after opening, `db` and the statements belong to the writer
 * thread (writer.h), and the loop reads only what `lock` guards. A revision is
 * given out inside the transaction that stores it, so it never repeats for
 * another change, whatever was killed when.
 */
#include "mapperd/store.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "libipref/log.h"
#include "mapperd/sqlbind.h"
#include "mapperd/writer.h"

#define SCHEMA_VERSION 1

static const char schema[] =
	"CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1),"
	" identity INTEGER NOT NULL, revision INTEGER NOT NULL,"
	" clock INTEGER NOT NULL, boot INTEGER NOT NULL,"
	" boot_id TEXT NOT NULL) STRICT;"
	"CREATE TABLE remote(ea BLOB NOT NULL PRIMARY KEY, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, owner INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" made INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" born INTEGER NOT NULL, name TEXT, UNIQUE(gw, ref))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE local(gw BLOB NOT NULL, ref BLOB NOT NULL,"
	" ip BLOB NOT NULL, owner INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" made INTEGER NOT NULL, expires INTEGER NOT NULL,"
	" born INTEGER NOT NULL, name TEXT, PRIMARY KEY(gw, ref))"
	" STRICT, WITHOUT ROWID;"
	"CREATE TABLE gone(kind INTEGER NOT NULL, value BLOB NOT NULL,"
	" since INTEGER NOT NULL, cause INTEGER NOT NULL,"
	" PRIMARY KEY(kind, value)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE source(id INTEGER PRIMARY KEY, local TEXT NOT NULL,"
	" domain TEXT NOT NULL, held INTEGER NOT NULL, hash INTEGER NOT NULL,"
	" count INTEGER NOT NULL, UNIQUE(local, domain)) STRICT;"
	"CREATE TABLE batch(source INTEGER NOT NULL, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, ip BLOB NOT NULL, hash INTEGER NOT NULL,"
	" PRIMARY KEY(source, hash, gw, ref, ip)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE waiting(source INTEGER NOT NULL, gw BLOB NOT NULL,"
	" ref BLOB NOT NULL, ip BLOB NOT NULL,"
	" PRIMARY KEY(source, gw, ref)) STRICT, WITHOUT ROWID;"
	"PRAGMA user_version=1;";

/* One row per statement: its text, and what is bound to ?1, ?2 ..., as letters
 * of sqlbind.h. */
static const struct sql_row {
	const char *sql, *bind;
} rows[OP_N][2] = {
	[OP_ADD] = {{"INSERT INTO remote VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
			    "agrocmebn"},
		{"INSERT INTO local VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
			"graocmebn"}},
	[OP_DEL] = {{"DELETE FROM remote WHERE gw=?1 AND ref=?2 AND owner=?3",
			    "gro"},
		{"DELETE FROM local WHERE gw=?1 AND ref=?2 AND owner=?3",
			"gro"}},
	[OP_LEASE] = {{"UPDATE remote SET expires=?1 WHERE gw=?2 AND ref=?3",
			      "egr"},
		{"UPDATE local SET expires=?1 WHERE gw=?2 AND ref=?3", "egr"}},
	[OP_NAME] = {{"UPDATE remote SET name=?1 WHERE gw=?2 AND ref=?3",
			     "ngr"},
		{"UPDATE local SET name=?1 WHERE gw=?2 AND ref=?3", "ngr"}},
	[OP_GONE] = {{"INSERT OR REPLACE INTO gone VALUES(?1,?2,?3,?4)",
			     "Kvmc"},
		{"INSERT OR REPLACE INTO gone VALUES(?1,?2,?3,?4)", "Kvmc"}},
	[OP_FORGET] = {{"DELETE FROM gone WHERE kind=?1 AND value=?2", "Kv"},
		{"DELETE FROM gone WHERE kind=?1 AND value=?2", "Kv"}},
	[OP_SOURCE] = {{"INSERT OR REPLACE INTO source"
			" VALUES(?1,?2,?3,?4,?5,?6)",
		"oLDyhk"}},
	[OP_SOURCE_DEL] = {{"DELETE FROM source WHERE id=?1", "o"}},
	[OP_BATCH] = {{"INSERT OR REPLACE INTO batch VALUES(?1,?2,?3,?4,?5)",
		"ograh"}},
	[OP_BATCH_ONLY] = {{"DELETE FROM batch WHERE source=?1 AND hash<?2",
				   "oh"},
		{"DELETE FROM batch WHERE source=?1 AND hash>?2", "oh"}},
	[OP_BATCH_CLEAR] = {{"DELETE FROM batch WHERE source=?1", "o"}},
	[OP_WAIT] = {{NULL, NULL},
		{"INSERT OR REPLACE INTO waiting VALUES(?1,?2,?3,?4)", "ogra"}},
	[OP_WAIT_DEL] = {{NULL, NULL},
		{"DELETE FROM waiting WHERE source=?1 AND gw=?2 AND ref=?3",
			"ogr"}},
	[OP_WAIT_CLEAR] = {{"DELETE FROM waiting WHERE source=?1", "o"}},
};

/* What is loaded at start, with what the columns are. */
static const struct load_row {
	enum op_kind op;
	enum entry_kind kind;
	const char *sql, *columns;
} loads[] = {
	{OP_SOURCE, ENTRY_REMOTE,
		"SELECT id,local,domain,held,hash,count FROM source", "oLDyhk"},
	{OP_ADD, ENTRY_LOCAL, "SELECT * FROM local", "graocmebn"},
	{OP_ADD, ENTRY_REMOTE, "SELECT * FROM remote", "agrocmebn"},
	{OP_GONE, ENTRY_REMOTE, "SELECT * FROM gone ORDER BY since", "Kvmc"},
	{OP_WAIT, ENTRY_LOCAL, "SELECT * FROM waiting", "ogra"},
	{OP_BATCH, ENTRY_LOCAL, "SELECT * FROM batch", "ograh"},
};

static const char sql_meta[] = "UPDATE meta SET revision=?1, clock=?2, boot=?3";

struct sqlite_store {
	struct store store; /* first */
	struct store_hooks hooks;
	struct writer *writer;
	/* The writer thread's, once it runs: */
	sqlite3 *db;
	sqlite3_stmt *stmts[OP_N][2];
	sqlite3_stmt *meta, *begin, *commit, *rollback;
	uint64_t revision;
	/* Guarded by lock: */
	pthread_mutex_t lock;
	struct store_stats stats;
};

/* SQLite's last error as a negative errno. */
static int
sql_errno(int code)
{
	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
		return -ENOTRECOVERABLE;
	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int
load_table(struct sqlite_store *s, const struct load_row *row)
{
	struct source source;
	sqlite3_stmt *st;
	struct op op;
	int rc, err = 0, col;

	if (sqlite3_prepare_v2(s->db, row->sql, -1, &st, NULL) != SQLITE_OK)
		return sql_errno(sqlite3_extended_errcode(s->db));
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && !err) {
		op = (struct op){.kind = row->op, .data.kind = row->kind};
		memset(&source, 0, sizeof(source));
		for (col = 0; row->columns[col]; col++)
			sqlbind_read(st, col, row->columns[col], &op, &source);
		op.source = row->op == OP_SOURCE ? &source : NULL;
		err = s->hooks.load(&op, s->hooks.arg);
	}
	if (!err && rc != SQLITE_DONE)
		err = sql_errno(sqlite3_extended_errcode(s->db));
	sqlite3_finalize(st);
	return err;
}

/* Which of the two statements an operation is. */
static int
variant(const struct op *op)
{
	return rows[op->kind][1].sql && op->data.kind == ENTRY_LOCAL;
}

static int
run_op(struct sqlite_store *s, const struct op *op, uint64_t revision)
{
	const struct sql_row *row = &rows[op->kind][variant(op)];
	sqlite3_stmt *st = s->stmts[op->kind][variant(op)];
	int i, rc = SQLITE_OK;

	for (i = 0; row->bind[i] && rc == SQLITE_OK; i++)
		rc = sqlbind_write(st, i + 1, row->bind[i], op, revision);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	sqlite3_reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : sqlite3_extended_errcode(s->db);
}

/* Runs a statement without parameters; SQLITE_OK or an extended code. */
static int
run_plain(struct sqlite_store *s, sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	return rc == SQLITE_DONE ? SQLITE_OK : sqlite3_extended_errcode(s->db);
}

/* Revision and clock, in the transaction of what they belong to. */
static int
run_meta(struct sqlite_store *s, uint64_t revision)
{
	uint64_t boot = now_ms();

	sqlite3_bind_int64(s->meta, 1, (sqlite3_int64)revision);
	sqlite3_bind_int64(
		s->meta, 2, (sqlite3_int64)boot + s->store.clock_offset);
	sqlite3_bind_int64(s->meta, 3, (sqlite3_int64)boot);
	return run_plain(s, s->meta);
}

static int
run_job(struct sqlite_store *s, struct store_job *job, uint64_t *revision)
{
	size_t i;
	int rc = SQLITE_OK;

	if (job->change.numbered)
		job->revision = ++*revision;
	for (i = 0; i < job->change.n && rc == SQLITE_OK; i++)
		rc = run_op(s, &job->change.ops[i], job->revision);
	return rc;
}

/* One transaction of these jobs, or of the first one: an extended code; nothing
 * is stored unless it is SQLITE_OK. */
static int
run_transaction(struct sqlite_store *s, struct store_job *first, bool one)
{
	uint64_t revision = s->revision;
	struct store_job *job = first;
	int rc = run_plain(s, s->begin);

	while (job && rc == SQLITE_OK) {
		rc = run_job(s, job, &revision);
		job = one ? NULL : TAILQ_NEXT(job, queue);
	}
	if (rc == SQLITE_OK)
		rc = run_meta(s, revision);
	if (rc == SQLITE_OK)
		rc = run_plain(s, s->commit);
	if (rc == SQLITE_OK)
		s->revision = revision;
	else if (!sqlite3_get_autocommit(s->db))
		run_plain(s, s->rollback);
	return rc;
}

static void
note_result(struct sqlite_store *s, size_t jobs, int rc, uint64_t took_us)
{
	const char *why = rc == SQLITE_OK ? "" : sqlite3_errstr(rc);
	bool ok = rc == SQLITE_OK, changed;

	pthread_mutex_lock(&s->lock);
	changed = s->stats.degraded == ok;
	s->stats.degraded = !ok;
	s->stats.commits += ok;
	s->stats.jobs += jobs;
	s->stats.failures += !ok;
	s->stats.last_commit_us = took_us;
	snprintf(s->stats.reason, sizeof(s->stats.reason), "%s", why);
	pthread_mutex_unlock(&s->lock);
	if (!changed)
		return;
	if (ok)
		log_notice("store: can be written again");
	else
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
		rc = run_transaction(s, job, true);
		job->err = rc == SQLITE_OK ? 0 : sql_errno(rc);
		if (job->err == -EEXIST)
			rc = SQLITE_OK; /* the store is well */
		note_result(s, 1, rc, monotonic_us() - start);
	}
}

static void
run_group(struct job_queue *jobs, void *arg)
{
	struct sqlite_store *s = arg;
	struct store_job *job;
	uint64_t start = monotonic_us();
	size_t n = 0;
	int rc = run_transaction(s, TAILQ_FIRST(jobs), false);

	if (rc != SQLITE_OK && sql_errno(rc) == -EEXIST) {
		run_singly(s, jobs);
		return;
	}
	TAILQ_FOREACH(job, jobs, queue)
	{
		job->err = rc == SQLITE_OK ? 0 : sql_errno(rc);
		n++;
	}
	note_result(s, n, rc, monotonic_us() - start);
}

static void
sqlite_done(struct store_job *job, void *arg)
{
	struct sqlite_store *s = arg;

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
}

static void
sqlite_close(struct store *store)
{
	struct sqlite_store *s =
		CONTAINER_OF(store, struct sqlite_store, store);
	int i;

	writer_stop(s->writer);
	for (i = 0; i < OP_N; i++) {
		sqlite3_finalize(s->stmts[i][0]);
		sqlite3_finalize(s->stmts[i][1]);
	}
	sqlite3_finalize(s->meta);
	sqlite3_finalize(s->begin);
	sqlite3_finalize(s->commit);
	sqlite3_finalize(s->rollback);
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct store_class sqlite_class = {
	.submit = sqlite_submit,
	.stats = sqlite_stats,
	.close = sqlite_close,
};

/* Prepares one statement; SQLITE_OK or an extended code. */
static int
prepare(struct sqlite_store *s, const char *sql, sqlite3_stmt **out)
{
	int rc = sqlite3_prepare_v3(
		s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	return rc == SQLITE_OK ? rc : sqlite3_extended_errcode(s->db);
}

static int
prepare_all(struct sqlite_store *s)
{
	int i, k, rc = SQLITE_OK;

	for (i = 0; i < OP_N; i++)
		for (k = 0; k < 2; k++)
			if (rc == SQLITE_OK && rows[i][k].sql)
				rc = prepare(
					s, rows[i][k].sql, &s->stmts[i][k]);
	if (rc == SQLITE_OK)
		rc = prepare(s, sql_meta, &s->meta);
	if (rc == SQLITE_OK)
		rc = prepare(s, "BEGIN IMMEDIATE", &s->begin);
	if (rc == SQLITE_OK)
		rc = prepare(s, "COMMIT", &s->commit);
	if (rc == SQLITE_OK)
		rc = prepare(s, "ROLLBACK", &s->rollback);
	return rc;
}

/* Which start of the machine this is; empty when it can't be known. */
static void
boot_id(char *out, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	out[0] = '\0';
	if (!f)
		return;
	if (!fgets(out, (int)size, f))
		out[0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	fclose(f);
}

/* A database without tables becomes ours. */
static int
create(struct sqlite_store *s)
{
	uint64_t identity = 0;
	sqlite3_stmt *st;
	int rc;

	while (!identity)
		if (getrandom(&identity, sizeof(identity), 0) !=
			(ssize_t)sizeof(identity))
			return SQLITE_ERROR;
	rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, schema, NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = prepare(s, "INSERT INTO meta VALUES(1,?1,0,0,0,'')", &st);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, (sqlite3_int64)identity);
		rc = run_plain(s, st);
		sqlite3_finalize(st);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	return rc;
}

/* One number that a statement gives; SQLITE_OK or an extended code. */
static int
ask_number(struct sqlite_store *s, const char *sql, sqlite3_int64 *out)
{
	sqlite3_stmt *st = NULL;
	int rc = prepare(s, sql, &st);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st) == SQLITE_ROW ? SQLITE_OK
					    : sqlite3_extended_errcode(s->db);
	*out = rc == SQLITE_OK ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc;
}

/* Identity, revision and clock; remembers which start of the machine it is. */
static int
load_meta(struct sqlite_store *s)
{
	sqlite3_int64 saved, boot, now = (sqlite3_int64)now_ms();
	char id[64], *sql;
	sqlite3_stmt *st = NULL;
	int rc;

	boot_id(id, sizeof(id));
	rc = prepare(s, "SELECT identity,revision,clock,boot,boot_id FROM meta",
		&st);
	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_step(st) != SQLITE_ROW) {
		sqlite3_finalize(st);
		return SQLITE_CORRUPT;
	}
	s->store.identity = (uint64_t)sqlite3_column_int64(st, 0);
	s->store.revision = (uint64_t)sqlite3_column_int64(st, 1);
	saved = sqlite3_column_int64(st, 2);
	boot = sqlite3_column_int64(st, 3);
	/* In the same run of the machine its clock tells how long we were away;
	 * after another start, time has stood still for leases. */
	if (id[0] && boot && now >= boot &&
		!strcmp(id, (const char *)sqlite3_column_text(st, 4)))
		saved += now - boot;
	if (saved <= 0)
		saved = now; /* a new one */
	sqlite3_finalize(st);
	s->store.clock_offset = saved - now;
	s->revision = s->store.oldest = s->store.revision;
	sql = sqlite3_mprintf(
		"UPDATE meta SET clock=%lld, boot=%lld, boot_id=%Q", saved, now,
		id);
	rc = sql ? sqlite3_exec(s->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
	sqlite3_free(sql);
	return rc;
}

/* Settings of the connection, schema, contents. 0 or -errno, logged. */
static int
prepare_database(struct sqlite_store *s, const char *path)
{
	sqlite3_int64 version = 0;
	size_t i;
	int err = 0, rc;

	sqlite3_extended_result_codes(s->db, 1);
	rc = sqlite3_exec(s->db,
		"PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
		"PRAGMA synchronous=FULL",
		NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = ask_number(s, "PRAGMA user_version", &version);
	if (rc == SQLITE_OK && version > SCHEMA_VERSION) {
		log_err("store: %s: version %lld of a newer mapperd, this one "
			"knows %d",
			path, version, SCHEMA_VERSION);
		return -EPROTO;
	}
	if (rc == SQLITE_OK && version == 0)
		rc = create(s);
	if (rc == SQLITE_OK)
		rc = load_meta(s);
	if (rc == SQLITE_OK)
		rc = prepare_all(s);
	if (rc != SQLITE_OK) {
		err = sql_errno(rc);
		log_err("store: %s: %s", path,
			err == -EBUSY ? "another process has it open"
				      : sqlite3_errstr(rc));
		return err;
	}
	for (i = 0; i < ARRAY_LEN(loads) && !err; i++)
		err = load_table(s, &loads[i]);
	if (err)
		log_err_errno(-err, "store: %s: can't be loaded", path);
	return err;
}

int
store_open(struct store **out, const char *dir, struct event_base *base,
	const struct store_hooks *hooks)
{
	struct writer_config cfg = {.run = run_group, .done = sqlite_done};
	struct sqlite_store *s = calloc(1, sizeof(*s));
	char path[4096];
	mode_t before;
	int err;

	if (!s)
		return -ENOMEM;
	s->store.class = &sqlite_class;
	s->hooks = *hooks;
	pthread_mutex_init(&s->lock, NULL);
	snprintf(path, sizeof(path), "%s/mapperd.db", dir);
	if (mkdir(dir, 0700) && errno != EEXIST) {
		err = -errno;
		log_err_errno(-err, "store: %s can't be made", dir);
	} else if (sqlite3_open_v2(path, &s->db,
			   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
			   NULL) != SQLITE_OK) {
		log_err("store: %s: %s", path, sqlite3_errmsg(s->db));
		err = -EIO;
	} else {
		before = umask(077); /* the files are for nobody else */
		err = prepare_database(s, path);
		umask(before);
	}
	cfg.arg = s;
	if (!err)
		err = writer_start(&s->writer, base, &cfg);
	if (err) {
		sqlite_close(&s->store);
		return err;
	}
	*out = &s->store;
	return 0;
}
