/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sqlite_rows DATABASE COUNT PER_COMMIT: what SQLite alone does with the rows
 * that mapperd stores: rows like the first one of `remote`, with other keys,
 * into the database that mapperd made (its tables, its indexes) with the
 * pragmas that mapperd sets, so many to a commit; when the log is played into
 * the file is left to SQLite. Prints rows a second.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

#define COLUMNS_MAX 32

struct table_row {
	int n;
	sqlite3_value *values[COLUMNS_MAX]; /* owned */
	char names[COLUMNS_MAX][32];
};

static int
fail(sqlite3 *db, const char *what)
{
	fprintf(stderr, "sqlite_rows: %s: %s\n", what, sqlite3_errmsg(db));
	return 1;
}

/* The row that the others are made after; it goes. */
static int
read_row(sqlite3 *db, struct table_row *row)
{
	sqlite3_stmt *st;
	int i;

	if (sqlite3_prepare_v2(
		    db, "SELECT * FROM remote LIMIT 1", -1, &st, NULL) ||
		sqlite3_step(st) != SQLITE_ROW)
		return fail(db, "no row in remote");
	row->n = sqlite3_column_count(st);
	for (i = 0; i < row->n && i < COLUMNS_MAX; i++) {
		row->values[i] = sqlite3_value_dup(sqlite3_column_value(st, i));
		snprintf(row->names[i], sizeof(row->names[i]), "%s",
			sqlite3_column_name(st, i));
	}
	sqlite3_finalize(st);
	if (sqlite3_exec(db, "DELETE FROM remote", NULL, NULL, NULL))
		return fail(db, "delete");
	return 0;
}

static int
prepare(sqlite3 *db, const struct table_row *row, sqlite3_stmt **st)
{
	char sql[512] = "INSERT INTO remote VALUES(?";
	int i;

	for (i = 1; i < row->n; i++)
		strcat(sql, ",?");
	strcat(sql, ")");
	if (sqlite3_prepare_v2(db, sql, -1, st, NULL))
		return fail(db, sql);
	return 0;
}

/* Row i: the keys and the name are its own, the rest is the model's. */
static int
bind_row(sqlite3_stmt *st, const struct table_row *row, uint64_t i)
{
	/* Distinct and in no order, as mapperd draws them. */
	uint32_t low = (uint32_t)i * UINT32_C(0x9e3779b1) & 0xffffff;
	const uint8_t ea[4] = {
		10, (uint8_t)(low >> 16), (uint8_t)(low >> 8), (uint8_t)low};
	struct arec rec = key_arec(i);
	char name[KEY_NAME_MAX];
	int k, rc = 0;

	for (k = 0; k < row->n && !rc; k++) {
		if (!strcmp(row->names[k], "ea"))
			rc = sqlite3_bind_blob(
				st, k + 1, ea, sizeof(ea), SQLITE_TRANSIENT);
		else if (!strcmp(row->names[k], "gw"))
			rc = sqlite3_bind_blob(
				st, k + 1, rec.gw.b, 4, SQLITE_TRANSIENT);
		else if (!strcmp(row->names[k], "ref"))
			rc = sqlite3_bind_blob(st, k + 1, rec.ref.b, REF_LEN,
				SQLITE_TRANSIENT);
		else if (!strcmp(row->names[k], "name"))
			rc = sqlite3_bind_text(st, k + 1, key_name(i, name), -1,
				SQLITE_TRANSIENT);
		else
			rc = sqlite3_bind_value(st, k + 1, row->values[k]);
	}
	return rc;
}

static int
insert(sqlite3 *db, const struct table_row *row, uint64_t n,
	uint64_t per_commit)
{
	sqlite3_stmt *st, *begin, *commit;
	uint64_t i, start;

	if (prepare(db, row, &st) ||
		sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &begin, NULL) ||
		sqlite3_prepare_v2(db, "COMMIT", -1, &commit, NULL))
		return fail(db, "prepare");
	start = clock_ns();
	for (i = 1; i <= n; i++) {
		if (i % per_commit == 1 % per_commit)
			(void)(sqlite3_step(begin) + sqlite3_reset(begin));
		if (bind_row(st, row, i) || sqlite3_step(st) != SQLITE_DONE)
			return fail(db, "insert");
		sqlite3_reset(st);
		if (i % per_commit && i < n)
			continue;
		if (sqlite3_step(commit) != SQLITE_DONE)
			return fail(db, "commit");
		sqlite3_reset(commit);
	}
	printf("rate %.0f\n", (double)n * 1e9 / (double)(clock_ns() - start));
	sqlite3_finalize(st);
	sqlite3_finalize(begin);
	sqlite3_finalize(commit);
	return 0;
}

int
main(int argc, char **argv)
{
	struct table_row row = {0};
	sqlite3 *db = NULL;
	int i, rc;

	if (argc != 4 || sqlite3_open(argv[1], &db) ||
		sqlite3_exec(db,
			"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
			"PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY",
			NULL, NULL, NULL))
		return fail(db, "DATABASE COUNT PER_COMMIT");
	rc = read_row(db, &row);
	if (!rc)
		rc = insert(db, &row, strtoull(argv[2], NULL, 10),
			strtoull(argv[3], NULL, 10));
	for (i = 0; i < row.n; i++)
		sqlite3_value_free(row.values[i]);
	sqlite3_close(db);
	return rc;
}
