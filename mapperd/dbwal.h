/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second look at SQLite's write-ahead log (sqlite.org/fileformat2.html).
 *
 * SQLite reads a log up to the first frame that is not in order and takes the
 * rest for what a power cut left of a transaction that was never acknowledged.
 * It may be what is left of acknowledged ones, too, behind a flipped bit; then
 * an older state would be taken for today's.
 */
#ifndef MAPPERD_DBWAL_H
#define MAPPERD_DBWAL_H

#include "libipref/base.h"

/* What was lost for certain from this log, or NULL. One that is missing, or
 * can't be read, is in order here. A transaction is on the disk before the next
 * one is written: so at most the last one may be broken. */
const char *dbwal_damage(const char *path);

#endif
