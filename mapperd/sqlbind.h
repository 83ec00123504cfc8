/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of operations as parameters and columns of SQL statements, each named
 * by a letter:
 *
 *	a addr  g gw  r ref  v value (addr or ref, by kind)  K kind  o owner
 *	c cause  m made  e expires  b born: the revision  n name  h hash
 *	k count  L D domains of the source  y held
 */
#ifndef MAPPERD_SQLBIND_H
#define MAPPERD_SQLBIND_H

#include <sqlite3.h>

#include "mapperd/change.h"

/* Binds a value to parameter i (from 1); borrowed until the statement is
 * reset. SQLITE_OK or SQLite's error. */
int sqlbind_write(sqlite3_stmt *st, int i, char letter, const struct op *op,
	uint64_t revision);
/* Reads a column (from 0); the name is borrowed until the next step. False: it
 * is none of ours. */
bool sqlbind_read(sqlite3_stmt *st, int col, char letter, struct op *op,
	struct source *source) MUSTCHECK;

#endif
