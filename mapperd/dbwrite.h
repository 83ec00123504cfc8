/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions: jobs become rows, all of them at once or none. On the writer
 * thread alone.
 */
#ifndef MAPPERD_DBWRITE_H
#define MAPPERD_DBWRITE_H

#include "mapperd/database.h"

struct dbwrite {
	struct database *base; /* the caller's; meta is as committed */
	struct {
		sqlite3_stmt *take, *put;
	} ops[OP_N][2];
	sqlite3_stmt *meta, *begin, *commit, *rollback;
	sqlite3_stmt *removed_add, *removed_drop;
	int wal_pages;	    /* in the log, as of the last commit */
	int wal_pages_then; /* when it was played into the file last */
};

/* An extended code of SQLite. Borrows base; to be ended in any case. */
int dbwrite_init(struct dbwrite *w, struct database *base) MUSTCHECK;
void dbwrite_fini(struct dbwrite *w);

/* Stores the jobs from first on, or that one alone, or for NULL the clock
 * alone: an extended code; nothing is stored unless it is SQLITE_OK. */
int dbwrite_jobs(
	struct dbwrite *w, struct store_job *first, bool one) MUSTCHECK;
/* Says in the file that it is closed orderly: the last transaction. */
int dbwrite_clean(struct dbwrite *w) MUSTCHECK;
/* Plays the log into the file when it has grown enough: an extended code. Takes
 * its time; what was committed is safe whether it succeeds or not. */
int dbwrite_checkpoint(struct dbwrite *w) MUSTCHECK;

#endif
