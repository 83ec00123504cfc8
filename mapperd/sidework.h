/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work on the database beside its writer, each on a thread and a connection of
 * its own: the file is looked through, a copy is made. Begun and ended from the
 * loop.
 */
#ifndef MAPPERD_SIDEWORK_H
#define MAPPERD_SIDEWORK_H

#include "mapperd/dbdir.h"
#include "mapperd/store.h"

struct sidework;

struct sidework_config {
	const struct dbdir *dir; /* borrowed */
	/* In a thread: it was looked through. damage: what is wrong, or NULL.
	 * Not called when it could not be. */
	void (*checked)(const char *damage, void *arg);
	void *arg;
};

int sidework_new(struct sidework **out, struct event_base *base,
	const struct sidework_config *cfg) MUSTCHECK;
/* Interrupts what is under way: a backup ends with -ECANCELED. NULL is fine. */
void sidework_free(struct sidework *w);

/* Looks through the file. 0 or -errno. */
int sidework_check(struct sidework *w) MUSTCHECK;
bool sidework_checking(struct sidework *w);

/* As store_backup(). */
int sidework_backup(
	struct sidework *w, store_backup_fn done, void *arg) MUSTCHECK;

#endif
