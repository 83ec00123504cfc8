/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: nothing is written into a database before all of it was loaded
 * and its sums are right, but by a migration, after a copy was made. Only what
 * SQLite or a sum says is damage; when reading or writing fails, the file is
 * left alone and the start is refused.
 */
#include "mapperd/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "libipref/log.h"
#include "mapperd/dbwal.h"
#include "mapperd/sqlbind.h"

/* Why it is damaged; -EBADMSG. */
static int
damaged(struct database *db, const char *why)
{
	snprintf(db->why, sizeof(db->why), "%s", why);
	return -EBADMSG;
}

/* An SQLite code from a statement of ours. A statement that can't be compiled
 * means another schema than ours: a damaged one. */
static int
failed(struct database *db, int rc)
{
	int err = dbconn_errno(rc);

	if (rc == SQLITE_OK)
		return 0;
	if ((rc & 0xff) == SQLITE_ERROR || err == -EEXIST)
		err = -EBADMSG;
	if (rc == SQLITE_READONLY && dbdir_forbids_writing(&db->dir))
		return damaged(db, "its header says that it is never written");
	snprintf(db->why, sizeof(db->why), "%s (%d)", sqlite3_errstr(rc), rc);
	return err;
}

static int
open_conn(struct database *db, const char *path)
{
	int rc = dbconn_open(&db->conn, path, DBCONN_WRITER);

	if (rc != SQLITE_NOLFS)
		return failed(db, rc);
	log_err("store: %s: the file system can't do what SQLite's WAL mode "
		"needs (shared memory, locks)",
		path);
	return -EOPNOTSUPP;
}

/* The same for what is not SQLite's. */
static int
failed_to(struct database *db, const char *what, int err)
{
	if (err)
		snprintf(db->why, sizeof(db->why), "%s: %s", what,
			strerror(-err));
	return err;
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

static int
new_identity(uint64_t *identity)
{
	*identity = 0;
	while (!*identity)
		if (getrandom(identity, sizeof(*identity), 0) !=
			(ssize_t)sizeof(*identity))
			return -EIO;
	return 0;
}

/* The sum of the sums of all rows. */
static int
sum_up(struct database *db, uint64_t *sum)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(&db->conn, sql_text[SQL_SUMS], &st);

	*sum = 0;
	if (rc != SQLITE_OK)
		return rc;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		*sum += (uint64_t)sqlite3_column_int64(st, 0);
	rc = rc == SQLITE_DONE ? SQLITE_OK
			       : sqlite3_extended_errcode(db->conn.db);
	sqlite3_finalize(st);
	return rc;
}

/* One transaction that makes today's schema and meta. */
static int
make_schema(struct database *db, enum sql_id how)
{
	struct dbconn *c = &db->conn;
	int rc = dbconn_exec(c, SQL_BEGIN);

	if (rc == SQLITE_OK)
		rc = dbconn_exec(c, how);
	if (rc == SQLITE_OK)
		rc = sum_up(db, &db->meta.rows);
	if (rc == SQLITE_OK)
		rc = dbmeta_write(c, &db->meta);
	if (rc == SQLITE_OK)
		rc = dbconn_exec(c, SQL_COMMIT);
	if (rc != SQLITE_OK && !sqlite3_get_autocommit(c->db))
		sqlite3_exec(c->db, sql_text[SQL_ROLLBACK], NULL, NULL, NULL);
	return failed(db, rc);
}

/* A new database gets its name when it is complete: one that is empty or half
 * made is damaged. */
static int
create(struct database *db)
{
	char temp[DBDIR_PATH_MAX];
	int err = failed_to(db, "can't be made", dbdir_temp(&db->dir, temp));

	if (err)
		return err;
	db->meta = (struct dbmeta){.clean = 1};
	err = new_identity(&db->meta.identity);
	if (!err)
		err = open_conn(db, temp);
	if (!err)
		err = make_schema(db, SQL_SCHEMA);
	dbconn_close(&db->conn);
	if (!err)
		err = failed_to(db, "can't be made",
			dbdir_keep(&db->dir, temp, db->dir.db));
	if (err)
		unlink(temp);
	return err;
}

/* The file as it is, under another name, before a migration. */
static int
copy_before(struct database *db, const char *to)
{
	char temp[DBDIR_PATH_MAX];
	sqlite3_stmt *st = NULL;
	int err = dbdir_temp(&db->dir, temp), rc;

	if (err)
		return err;
	rc = dbconn_prepare(&db->conn, sql_text[SQL_VACUUM], &st);
	if (rc == SQLITE_OK) {
		sqlite3_bind_text(st, 1, temp, -1, SQLITE_STATIC);
		rc = dbconn_run(&db->conn, st);
	}
	sqlite3_finalize(st);
	err = dbconn_errno(rc);
	if (err == -EBADMSG)
		err = failed(db, rc);
	if (!err)
		err = dbdir_keep(&db->dir, temp, to);
	if (err)
		unlink(temp);
	return err;
}

static int
migrate(struct database *db, uint64_t version)
{
	char to[DBDIR_PATH_MAX];
	int err = failed(db, dbmeta_read_1(&db->conn, &db->meta));

	if (err)
		return err;
	snprintf(to, sizeof(to), "%.*s.v%d-backup", DBDIR_PATH_MAX - 64,
		db->dir.db, (int)version);
	err = copy_before(db, to);
	if (err == -EBADMSG)
		return err;
	if (err) {
		log_err_errno(-err,
			"store: %s: version %d is to become %d, but the copy "
			"%s can't be written, so it is left as it is",
			db->dir.db, (int)version, SCHEMA_VERSION, to);
		return err;
	}
	db->meta.oldest = db->meta.revision;
	db->logged = true; /* version 1 did not say whether it was closed */
	err = make_schema(db, SQL_MIGRATE_1);
	if (!err)
		log_notice("store: %s: version %d is version %d now; the copy "
			   "from before is %s",
			db->dir.db, (int)version, SCHEMA_VERSION, to);
	return err;
}

/* A version that is not ours: of another mapperd, unless what is in the file is
 * ours, or nobody's. */
static int
look_at_version(struct database *db, uint64_t version)
{
	uint64_t tables;
	int err = failed(db, dbconn_number(&db->conn, SQL_TABLES, &tables));

	if (err)
		return err;
	if (version == 0)
		return damaged(db, "has no version");
	if (dbmeta_read(&db->conn, &db->meta) == SQLITE_OK)
		return damaged(db, "its header says another version");
	if (version < SCHEMA_VERSION)
		return 0;
	log_err("store: %s: is of version %llu, from a newer mapperd; "
		"this one knows up to %d: start the newer one, or put "
		"the %s.v%d-backup in its place",
		db->dir.db, (unsigned long long)version, SCHEMA_VERSION,
		db->dir.db, SCHEMA_VERSION);
	return -EPROTO;
}

/* Opens the file and brings its schema up to today's. */
static int
open_file(struct database *db)
{
	uint64_t version;
	int err = open_conn(db, db->dir.db);

	if (!err)
		err = failed(
			db, dbconn_number(&db->conn, SQL_VERSION, &version));
	if (!err && version != SCHEMA_VERSION)
		err = look_at_version(db, version);
	if (!err && version < SCHEMA_VERSION)
		err = migrate(db, version);
	return err ? err : failed(db, dbmeta_read(&db->conn, &db->meta));
}

/* One row becomes an operation for the owner; one that makes no sense is
 * damage. */
static int
load_row(struct database *db, sqlite3_stmt *st, const struct sql_load *row)
{
	struct op op = {.kind = row->op, .data.kind = row->kind};
	struct source source = {0};
	int col, err;

	for (col = 0; row->columns[col]; col++)
		if (!sqlbind_read(st, col, row->columns[col], &op, &source))
			return damaged(db, "a row that makes no sense");
	if (sqlite3_column_int64(st, col) != sqlite3_column_int64(st, col + 1))
		return damaged(db, "a row whose sum is wrong");
	db->meta.rows -= (uint64_t)sqlite3_column_int64(st, col);
	if (row->op == OP_N ||
		(row->op == OP_DEL && op.data.born <= db->meta.oldest))
		return 0;
	op.source = row->op == OP_SOURCE ? &source : NULL;
	db->loaded++;
	err = db->hooks->load(&op, db->hooks->arg);
	if (err == -EEXIST)
		return damaged(db, "two rows that contradict each other");
	if (err)
		log_err_errno(-err, "store: %s: can't be loaded", db->dir.db);
	return err;
}

static int
load_table(struct database *db, const struct sql_load *row)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(&db->conn, row->sql, &st), err;

	err = failed(db, rc);
	while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW)
		err = load_row(db, st, row);
	if (!err && rc != SQLITE_DONE)
		err = failed(db, sqlite3_extended_errcode(db->conn.db));
	sqlite3_finalize(st);
	return err;
}

/* The ends of the removals that are remembered. */
static int
load_ends(struct database *db)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(&db->conn, sql_text[SQL_REMOVED_ENDS], &st);

	db->first_seq = db->next_seq = 1;
	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		rc = SQLITE_OK;
		if (sqlite3_column_type(st, 0) == SQLITE_INTEGER) {
			db->first_seq = (uint64_t)sqlite3_column_int64(st, 0);
			db->next_seq =
				(uint64_t)sqlite3_column_int64(st, 1) + 1;
		}
	}
	sqlite3_finalize(st);
	return failed(db, rc);
}

static int
load_all(struct database *db)
{
	uint64_t rows = db->meta.rows;
	int err = failed(db, dbconn_exec(&db->conn, SQL_LOADING));
	size_t i;

	for (i = 0; i < SQL_LOADS && !err; i++)
		err = load_table(db, &sql_loads[i]);
	if (!err)
		err = failed(db, dbconn_exec(&db->conn, SQL_WRITING));
	if (!err && db->meta.rows)
		err = damaged(db, "rows are missing, or of another time");
	db->meta.rows = rows;
	return err ? err : load_ends(db);
}

int
dbmeta_renew(struct dbmeta *m, uint64_t now)
{
	m->suspect_at = now;
	return new_identity(&m->identity);
}

/* It may be of an earlier time than what was told last. */
static int
renew(struct database *db, const char *why)
{
	log_notice("store: %s: %s; addresses handed out since count as in use "
		   "until their quarantine is over",
		db->dir.db, why);
	return dbmeta_renew(&db->meta, db->meta.clock);
}

/* Goes on with the clock, and with what the file is to say from now on. In the
 * same run of the machine its clock tells how long we were away; after another
 * start, time has stood still for leases. */
static int
begin(struct database *db, bool restored, bool lost)
{
	struct dbmeta *m = &db->meta;
	uint64_t now = now_ms(), clock = m->clock;
	char id[sizeof(m->boot_id)];
	int err = 0;

	boot_id(id, sizeof(id));
	if (id[0] && m->boot && now >= m->boot && !strcmp(id, m->boot_id))
		clock += now - m->boot;
	if (!clock)
		clock = now; /* a new one */
	db->clock_offset = (int64_t)(clock - now);
	db->unclean = !m->clean;
	m->clock = clock;
	m->boot = now;
	memcpy(m->boot_id, id, sizeof(m->boot_id));
	m->clean = 0;
	if (restored || m->backup)
		err = renew(db, "a restored backup");
	else if (lost)
		err = dbmeta_renew(m, clock);
	else if (db->unclean && !db->logged)
		err = renew(db, "was not closed orderly, and its log is gone");
	m->backup = 0;
	return err;
}

/* What was loaded is forgotten again. */
static int
forget(struct database *db)
{
	size_t loaded = db->loaded;

	db->loaded = 0;
	if (!loaded)
		return 0;
	return db->hooks->reset ? db->hooks->reset(db->hooks->arg) : -EBADMSG;
}

/* Whether SQLite would take an older state for today's. */
static int
look_at_log(struct database *db)
{
	char path[DBDIR_PATH_MAX];
	const char *damage;

	snprintf(
		path, sizeof(path), "%.*s-wal", DBDIR_PATH_MAX - 8, db->dir.db);
	damage = dbwal_damage(path);
	return damage ? damaged(db, damage) : 0;
}

/* The log is empty before anything is written, so that what a crash has left
 * behind its end is not taken for a part of it later; and when the start is
 * done, so that the file itself says that it is in use. */
static int
empty_log(struct database *db)
{
	int rc = sqlite3_wal_checkpoint_v2(
		db->conn.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	/* Busy: somebody reads it with another program. Whoever waits anyway
	 * waits for him, too. */
	if ((rc & 0xff) == SQLITE_BUSY && !db->waiting)
		return SQLITE_OK;
	return rc == SQLITE_OK ? rc : sqlite3_extended_errcode(db->conn.db);
}

/* A log that came only now, and is empty, must not stay: the next start would
 * not see that there was none. SQLite removes it when it is alone. */
static void
drop_log(const struct database *db)
{
	struct dbconn c = {0};
	uint64_t version;

	if (dbconn_open(&c, db->dir.db, DBCONN_ALONE) != SQLITE_OK ||
		dbconn_number(&c, SQL_VERSION, &version) != SQLITE_OK)
		log_debug("store: %s: its log stays", db->dir.db);
	dbconn_close(&c);
}

int
database_settle(struct database *db)
{
	int rc = SQLITE_OK;

	if (!db->conn.db)
		rc = dbconn_open(&db->conn, db->dir.db, DBCONN_WRITER);
	if (rc == SQLITE_OK)
		rc = empty_log(db);
	if (rc == SQLITE_OK)
		rc = dbmeta_write(&db->conn, &db->meta);
	if (rc == SQLITE_OK) {
		db->logged = true;
		rc = empty_log(db);
	}
	if (rc != SQLITE_OK)
		database_close(db, db->logged);
	if (rc != SQLITE_OK && !db->logged && dbdir_has_log(&db->dir))
		drop_log(db);
	return rc;
}

/* A full disk keeps nobody from reading, where nothing else was to be done. */
static int
load_from_full(struct database *db)
{
	uint64_t version;
	int err;

	database_close(db, db->logged);
	err = failed(db, dbconn_open(&db->conn, db->dir.db, DBCONN_ALONE));
	if (!err)
		err = failed(
			db, dbconn_number(&db->conn, SQL_VERSION, &version));
	if (!err && version != SCHEMA_VERSION)
		return failed(db, SQLITE_FULL); /* to be made ours: no room */
	if (!err)
		err = failed(db, dbmeta_read(&db->conn, &db->meta));
	if (!err)
		err = load_all(db);
	database_close(db, db->logged);
	return err;
}

/* can_wait: it is as we left it, and can be served as it is. */
static int
open_and_load(struct database *db, bool can_wait)
{
	int err = open_file(db);

	if (err == -ENOSPC && can_wait)
		return load_from_full(db);
	return err ? err : load_all(db);
}

static int
settle_or_wait(struct database *db, bool can_wait)
{
	int err = failed(db, database_settle(db));

	db->waiting = err == -ENOSPC && can_wait;
	return db->waiting ? 0 : err;
}

/* One attempt. lost: the mappings of an earlier database are not known. */
static int
attempt(struct database *db, bool lost)
{
	enum dbdir_found found;
	int err = dbdir_look(&db->dir, &found);
	bool can_wait = found == DBDIR_OURS && !lost;

	db->why[0] = '\0';
	if (!err && found == DBDIR_NONE)
		err = create(db);
	db->logged = dbdir_has_log(&db->dir);
	if (!err)
		err = look_at_log(db);
	if (!err)
		err = open_and_load(db, can_wait);
	if (!err)
		err = begin(db, found == DBDIR_COPY, lost);
	if (!err)
		err = settle_or_wait(db, can_wait);
	if (!err)
		err = failed_to(
			db, "its mark can't be removed", dbdir_adopt(&db->dir));
	if (!err && lost)
		err = failed_to(db, "its mark can't be removed",
			dbdir_unmark(&db->dir));
	return err;
}

/* A database that is set aside leaves no time of its clock behind: all leases
 * went with it. So the new one's clock begins anew, and its pool is suspect
 * since then. */
int
database_open(
	struct database *db, const char *dir, const struct store_hooks *hooks)
{
	char why[sizeof(db->why)];
	enum dbdir_found found;
	bool lost;
	int err = dbdir_open(&db->dir, dir);

	db->hooks = hooks;
	if (!err)
		err = dbdir_look(&db->dir, &found);
	if (err)
		return err;
	lost = dbdir_marked(&db->dir, why, sizeof(why));
	if (!lost && found == DBDIR_LOST) {
		snprintf(why, sizeof(why), "is gone, only its log is here");
		lost = true;
	}
	if (lost)
		err = dbdir_set_aside(&db->dir, why);
	if (!err)
		err = attempt(db, lost);
	if (err == -EBADMSG && db->why[0]) {
		database_close(db, true);
		err = dbdir_set_aside(&db->dir, db->why);
		if (!err)
			err = forget(db);
		if (!err)
			err = attempt(db, true);
	}
	if (err && db->why[0])
		log_err("store: %s: %s", db->dir.db,
			err == -EBUSY ? "another program writes to it"
				      : db->why);
	return err;
}

void
database_close(struct database *db, bool keep)
{
	if (!db->conn.db)
		return;
	sqlite3_db_config(
		db->conn.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, (int)keep, NULL);
	dbconn_close(&db->conn);
}
