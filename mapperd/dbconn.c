/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thin calls over SQLite's; see dbconn.h. */
#include "mapperd/dbconn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BUSY_MS 1000 /* somebody looks into the file with another program */

static int
code(struct dbconn *c)
{
	return sqlite3_extended_errcode(c->db);
}

int
dbconn_prepare(struct dbconn *c, const char *sql, sqlite3_stmt **out)
{
	int rc = sqlite3_prepare_v3(
		c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);

	return rc == SQLITE_OK ? rc : code(c);
}

int
dbconn_exec(struct dbconn *c, enum sql_id id)
{
	int rc = sqlite3_exec(c->db, sql_text[id], NULL, NULL, NULL);

	return rc == SQLITE_OK ? rc : code(c);
}

int
dbconn_number(struct dbconn *c, enum sql_id id, uint64_t *out)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(c, sql_text[id], &st);

	*out = 0;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		*out = (uint64_t)sqlite3_column_int64(st, 0);
		rc = SQLITE_OK;
	} else if (rc == SQLITE_DONE) {
		rc = SQLITE_CORRUPT;
	} else {
		rc = code(c);
	}
	sqlite3_finalize(st);
	return rc;
}

int
dbconn_run(struct dbconn *c, sqlite3_stmt *st)
{
	int rc;

	do
		rc = sqlite3_step(st);
	while (rc == SQLITE_ROW);
	rc = rc == SQLITE_DONE ? SQLITE_OK : code(c);
	sqlite3_reset(st);
	return rc;
}

/* Asking for WAL mode never fails: one looks at which mode it has become. */
static int
use_wal(struct dbconn *c)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(c, sql_text[SQL_WAL], &st);
	const unsigned char *mode;

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		mode = sqlite3_column_text(st, 0);
		rc = mode && !strcmp((const char *)mode, "wal") ? SQLITE_OK
								: SQLITE_NOLFS;
	} else {
		rc = code(c);
	}
	sqlite3_finalize(st);
	return rc;
}

int
dbconn_open(struct dbconn *c, const char *path, enum dbconn_use use)
{
	int flags = use == DBCONN_READER ? SQLITE_OPEN_READONLY
					 : SQLITE_OPEN_READWRITE;
	int rc = sqlite3_open_v2(
		path, &c->db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc != SQLITE_OK)
		return c->db ? code(c) : SQLITE_NOMEM;
	sqlite3_extended_result_codes(c->db, 1);
	sqlite3_busy_timeout(c->db, BUSY_MS);
	rc = sql_register(c->db, &c->last_sum);
	if (rc == SQLITE_OK && use == DBCONN_COPY)
		return dbconn_exec(c, SQL_COPY);
	if (rc == SQLITE_OK && use == DBCONN_ALONE)
		return dbconn_exec(c, SQL_ALONE);
	if (rc == SQLITE_OK && use == DBCONN_WRITER)
		rc = use_wal(c);
	if (rc == SQLITE_OK && use == DBCONN_WRITER)
		rc = dbconn_exec(c, SQL_SETTINGS);
	return rc;
}

void
dbconn_close(struct dbconn *c)
{
	sqlite3_close(c->db);
	c->db = NULL;
}

/* The fields that both versions have. */
static void
read_common(sqlite3_stmt *st, struct dbmeta *m)
{
	const unsigned char *id = sqlite3_column_text(st, 4);

	*m = (struct dbmeta){
		.identity = (uint64_t)sqlite3_column_int64(st, 0),
		.revision = (uint64_t)sqlite3_column_int64(st, 1),
		.clock = (uint64_t)sqlite3_column_int64(st, 2),
		.boot = (uint64_t)sqlite3_column_int64(st, 3),
	};
	snprintf(m->boot_id, sizeof(m->boot_id), "%s",
		id ? (const char *)id : "");
}

int
dbmeta_read(struct dbconn *c, struct dbmeta *m)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(c, sql_text[SQL_META], &st);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		read_common(st, m);
		m->clean = (uint64_t)sqlite3_column_int64(st, 5);
		m->suspect_at = (uint64_t)sqlite3_column_int64(st, 6);
		m->backup = (uint64_t)sqlite3_column_int64(st, 7);
		m->oldest = (uint64_t)sqlite3_column_int64(st, 8);
		m->rows = (uint64_t)sqlite3_column_int64(st, 9);
		rc = m->identity && sqlite3_column_int64(st, 10) ==
					     sqlite3_column_int64(st, 11)
			     ? SQLITE_OK
			     : SQLITE_CORRUPT;
	} else {
		rc = rc == SQLITE_DONE ? SQLITE_CORRUPT : code(c);
	}
	sqlite3_finalize(st);
	return rc;
}

int
dbmeta_read_1(struct dbconn *c, struct dbmeta *m)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(c, sql_text[SQL_META_1], &st);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		read_common(st, m);
		rc = m->identity ? SQLITE_OK : SQLITE_CORRUPT;
	} else {
		rc = rc == SQLITE_DONE ? SQLITE_CORRUPT : code(c);
	}
	sqlite3_finalize(st);
	return rc;
}

void
dbmeta_bind(sqlite3_stmt *st, const struct dbmeta *m)
{
	const uint64_t numbers[] = {m->identity, m->revision, m->clock, m->boot,
		0, m->clean, m->suspect_at, m->backup, m->oldest, m->rows};
	int i;

	for (i = 0; i < (int)ARRAY_LEN(numbers); i++)
		sqlite3_bind_int64(st, i + 1, (sqlite3_int64)numbers[i]);
	sqlite3_bind_text(st, 5, m->boot_id, -1, SQLITE_STATIC);
}

int
dbmeta_write(struct dbconn *c, const struct dbmeta *m)
{
	sqlite3_stmt *st = NULL;
	int rc = dbconn_prepare(c, sql_text[SQL_META_SET], &st);

	if (rc == SQLITE_OK) {
		dbmeta_bind(st, m);
		rc = dbconn_run(c, st);
	}
	sqlite3_finalize(st);
	return rc;
}

int
dbconn_errno(int code)
{
	if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
		return -ENOTRECOVERABLE;
	if (code == SQLITE_IOERR_SHMSIZE)
		return -ENOSPC;
	switch (code & 0xff) {
	case SQLITE_OK:
		return 0;
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
	case SQLITE_INTERRUPT:
		return -EINTR;
	default:
		return -EIO;
	}
}
