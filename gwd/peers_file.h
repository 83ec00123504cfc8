/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ports, proofs and path MTUs of peers over a restart: read from a file at the
 * start, written to it now and then and at the end.
 *
 * Only peers that have proved themselves are kept; what is older than a day is
 * not believed. A file that can't be read or is no such file is said and
 * ignored, so is each broken line: nothing depends on it but the first seconds
 * after a restart.
 */
#ifndef GWD_PEERS_FILE_H
#define GWD_PEERS_FILE_H

#include "gwd/paths.h"
#include "gwd/peers.h"

#define PEERS_FILE_LOOK_S  2	 /* how soon a change is written */
#define PEERS_FILE_FRESH_S 600	 /* written after so long in any case */
#define PEERS_FILE_AGE_S   86400 /* older ones are not believed */

struct event_base;
struct peers_file;

/* What belongs together in one file; borrowed. */
struct peers_kept {
	struct peers *peers;
	struct paths *paths;
	uint8_t ver; /* of the tunnel */
};

/* The two clocks at one moment. */
struct peers_clock {
	uint64_t now_ms, wall_s;
};

/* Loads, then saves by itself when something has changed, without taking more
 * than a hundredth of the time. path is copied. NULL:
 * no memory. */
struct peers_file *peers_file_new(struct event_base *base, const char *path,
	const struct peers_kept *kept) MUSTCHECK;
/* Saves. NULL is fine. */
void peers_file_free(struct peers_file *f);

/* Once: 0 or -errno (-ENOENT: there is none), said. What is in the tables
 * already stays. */
int peers_file_load(const char *path, const struct peers_kept *kept,
	const struct peers_clock *at);
/* Once, as one change of the file: 0 or -errno, not said. */
int peers_file_save(const char *path, const struct peers_kept *kept,
	const struct peers_clock *at) MUSTCHECK;

#endif
