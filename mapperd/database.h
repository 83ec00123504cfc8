/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The database as it is found at start: made, migrated or set aside, and
 * loaded.
 */
#ifndef MAPPERD_DATABASE_H
#define MAPPERD_DATABASE_H

#include "mapperd/dbconn.h"
#include "mapperd/dbdir.h"
#include "mapperd/store.h"

struct database {
	struct dbdir dir;
	struct dbconn conn; /* the writer's */
	struct dbmeta meta; /* as stored */
	int64_t clock_offset;
	uint64_t first_seq, next_seq; /* of the removals that are remembered */
	bool unclean;		      /* it was not closed the last time */
	/* Loaded from a full disk: database_settle() is still to succeed. */
	bool waiting;
	/* While it is opened: */
	const struct store_hooks *hooks;
	bool logged;   /* it has a log that counts: not to be lost */
	size_t loaded; /* operations given to hooks->load */
	char why[128]; /* what is wrong with it */
};

/* 0 or -errno as store_open(), logged. db is to be closed in any case. */
int database_open(struct database *db, const char *dir,
	const struct store_hooks *hooks) MUSTCHECK;
/* What is to be written before anything else is: the log becomes empty, and the
 * file says that it is in use. An SQLite code; may be tried again. */
int database_settle(struct database *db);
/* Without anything that waits to be written. keep: file and log stay as the
 * last commit left them, for the next start to recover. */
void database_close(struct database *db, bool keep);

/* An open database becomes one of its own: another identity, and what it knows
 * to be in use counts as incomplete since now. */
int dbmeta_renew(struct dbmeta *m, uint64_t now);

#endif
