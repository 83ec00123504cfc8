/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All SQL of mapperd: the schema, and a text for each thing that is done.
 *
 * Each row has a sum over what must never change in it (row_sum(), an SQL
 * function of ours), and meta has the sum over all rows and its own: so a
 * flipped bit, a lost row or a page of yesterday is damage that is seen when
 * the rows are loaded, and never a mapping to somewhere else.
 */
#ifndef MAPPERD_SQL_H
#define MAPPERD_SQL_H

#include <sqlite3.h>

#include "mapperd/change.h"

/* The header of the file says it (user_version), and meta's sum confirms it:
 * the meta of another version is never right as this one's. A newer version
 * must have other columns there, or another tag in row_sum(); so a header with
 * a flipped bit is told from a newer file. */
#define SCHEMA_VERSION 2

enum sql_id {
	SQL_SETTINGS,  /* of the writer's connection */
	SQL_LOADING,   /* the same, while all rows are read once, */
	SQL_WRITING,   /* and afterwards */
	SQL_WAL,       /* asks for WAL mode; says which mode it is */
	SQL_COPY,      /* settings for work on a copy */
	SQL_ALONE,     /* the same, to read without others */
	SQL_VERSION,   /* says the version of the schema */
	SQL_TABLES,    /* says how many there are, of whatever version */
	SQL_SCHEMA,    /* makes the schema */
	SQL_MIGRATE_1, /* makes version 2 of version 1 */
	SQL_META_1,    /* says what version 1 had in meta */
	SQL_META,      /* says meta */
	SQL_META_SET,  /* its parameters in the same order */
	SQL_SUMS,      /* says the sums of all rows */
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_REMOVED_ADD,  /* seq, revision, kind, gw, ref, addr */
	SQL_REMOVED_ENDS, /* says the first and the last seq */
	SQL_REMOVED_DROP, /* below a seq; says revision and sum of each */
	SQL_CHECK,	  /* says "ok", or what is wrong */
	SQL_VACUUM,	  /* into a file */
	SQL_N
};
extern const char *const sql_text[SQL_N];

/* A statement and what is bound to ?1, ?2 ..., as letters of sqlbind.h. */
struct sql_row {
	const char *sql, *bind;
};

/* What an operation does: `take` removes rows and says the sum of each, `put`
 * makes or changes one; each may be missing. */
struct sql_op {
	struct sql_row take, put;
};
/* The second one is that of ENTRY_LOCAL, where it differs. */
extern const struct sql_op sql_ops[OP_N][2];

/* What is loaded at start, with what the columns are; behind these the row's
 * sum as stored, and as it is. */
struct sql_load {
	enum op_kind op;
	enum entry_kind kind;
	const char *sql, *columns;
};
#define SQL_LOADS 9
extern const struct sql_load sql_loads[SQL_LOADS];

/* Gives a connection the function row_sum(); *last receives each result. An
 * SQLite code. */
int sql_register(sqlite3 *db, uint64_t *last);

#endif
