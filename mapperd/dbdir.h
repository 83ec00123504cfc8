/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data directory and its files, without looking into them:
 *
 *	mapperd.lock			held by the process that works here
 *	mapperd.db, -wal, -shm		the database
 *	mapperd.db.damaged		a mark: the database is to be set aside
 *	mapperd.db.damaged-TIME, -wal	one that was
 *	mapperd.db.restored		a mark: the database is a copy
 *	mapperd.db.v1-backup		a copy made before a migration
 *	mapperd.db.tmp-*		a copy being made
 *
 * Setting aside is one step for those who come later: the mark is there before
 * the first file moves, and goes when a new database is there.
 */
#ifndef MAPPERD_DBDIR_H
#define MAPPERD_DBDIR_H

#include "libipref/base.h"

#define DBDIR_PATH_MAX 4096

struct dbdir {
	char path[DBDIR_PATH_MAX - 64];
	char db[DBDIR_PATH_MAX];
	int lock; /* or -1 */
};

/* Makes the directory if need be, locks it, removes copies that were never
 * ended. 0; -EBUSY: another process works there; -errno; logged. */
int dbdir_open(struct dbdir *d, const char *path) MUSTCHECK;
void dbdir_close(struct dbdir *d);

enum dbdir_found {
	DBDIR_NONE, /* there is no database */
	DBDIR_LOST, /* nor here, but the log of one that was in use is */
	DBDIR_OURS,
	DBDIR_COPY, /* one that was put there: a restored backup */
};

/* Looks at what is there. What was left by another database is removed: a log,
 * which SQLite would play into the file, and a mark. A copy is one until
 * dbdir_adopt(), also when SQLite has made one in WAL mode of it meanwhile. 0
 * or -errno, logged. */
int dbdir_look(struct dbdir *d, enum dbdir_found *found) MUSTCHECK;
/* What is there has become ours. */
int dbdir_adopt(const struct dbdir *d) MUSTCHECK;
/* Its header says that it is never to be written; SQLite believes that. */
bool dbdir_forbids_writing(const struct dbdir *d);
/* Whether the database has a log, perhaps an empty one. */
bool dbdir_has_log(const struct dbdir *d);

/* The database is to be set aside at the next start. */
int dbdir_mark(const struct dbdir *d, const char *why) MUSTCHECK;
/* Whether it is to be; why receives the reason. */
bool dbdir_marked(const struct dbdir *d, char *why, size_t size);
int dbdir_unmark(const struct dbdir *d) MUSTCHECK;
/* Moves the database and its log away and says so; never over another file. 0
 * or -errno, logged. The mark stays. */
int dbdir_set_aside(const struct dbdir *d, const char *why) MUSTCHECK;

/* Makes an empty file for a copy; its path goes to out. 0 or -errno. */
int dbdir_temp(const struct dbdir *d, char out[DBDIR_PATH_MAX]) MUSTCHECK;
/* Bytes free for us on its disk; UINT64_MAX when that can't be known. */
uint64_t dbdir_free(const struct dbdir *d);
/* Room for a copy of the database, and some more: 0 or -ENOSPC. */
int dbdir_room(const struct dbdir *d) MUSTCHECK;
/* The copy is on the disk under this name, in place of another. */
int dbdir_keep(
	const struct dbdir *d, const char *temp, const char *path) MUSTCHECK;

#endif
