/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to a database file, used by one thread at a time, and the
 * record about the whole database (meta).
 *
 * Results are SQLite's extended codes; dbconn_errno() makes ours of them.
 */
#ifndef MAPPERD_DBCONN_H
#define MAPPERD_DBCONN_H

#include "mapperd/sql.h"

struct dbconn {
	sqlite3 *db;
	uint64_t last_sum; /* of the latest row_sum() */
};

enum dbconn_use {
	DBCONN_WRITER, /* the store itself, in WAL mode */
	DBCONN_READER, /* beside the writer */
	DBCONN_ALONE,  /* reads without others; makes no file that needs room */
	DBCONN_COPY,   /* a copy that nobody else knows of */
};

/* One row about the database. */
struct dbmeta {
	uint64_t identity, revision;
	uint64_t clock, boot; /* mapper's clock; now_ms() then */
	char boot_id[64];     /* which start of the machine that was */
	uint64_t clean;	      /* 1: it was closed, and not opened since */
	uint64_t suspect_at;
	uint64_t backup; /* 1: this is a copy that was made as a backup */
	uint64_t oldest;
	uint64_t rows; /* the sum of the sums of all rows */
};

/* The file must be there, it may be empty. SQLITE_NOLFS: the file system can't
 * do WAL mode. c is to be closed in any case. */
int dbconn_open(struct dbconn *c, const char *path, enum dbconn_use use);
void dbconn_close(struct dbconn *c);

int dbconn_prepare(struct dbconn *c, const char *sql, sqlite3_stmt **out);
/* Statements without parameters whose rows nobody wants. */
int dbconn_exec(struct dbconn *c, enum sql_id id);
/* The first number that a statement says. */
int dbconn_number(struct dbconn *c, enum sql_id id, uint64_t *out);
/* Runs a statement to its end; it can be bound and run again. */
int dbconn_run(struct dbconn *c, sqlite3_stmt *st);

/* SQLITE_CORRUPT: it is missing, or its sum is wrong. */
int dbmeta_read(struct dbconn *c, struct dbmeta *m);
/* What a version 1 had of it; the rest is zero. */
int dbmeta_read_1(struct dbconn *c, struct dbmeta *m);
/* st: of SQL_META_SET. Does not run it. */
void dbmeta_bind(sqlite3_stmt *st, const struct dbmeta *m);
int dbmeta_write(struct dbconn *c, const struct dbmeta *m);

/* -EEXIST, -ENOSPC, -EBUSY, -EBADMSG (damaged), -ENOMEM, -ENOTRECOVERABLE (a
 * failed fsync), -EINTR, -EIO. */
int dbconn_errno(int code);

#endif
