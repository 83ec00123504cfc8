/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local zones: which there are, loading and reloading them, answering from
 * one.
 */
#ifndef RESOLVERD_ZONES_H
#define RESOLVERD_ZONES_H

#include "libipref/conf.h"
#include "resolverd/chain.h"
#include "resolverd/zone.h"

struct zones_entry {
	struct zone *zone; /* owned reference; NULL: failed at a reload */
	struct name apex;  /* lower case */
	char *path;	   /* owned */
	char *error;	   /* owned; of the last load, or NULL */
	uint64_t loaded_ms;
};

struct zones {
	struct zones_entry *v; /* owned */
	size_t n;
};

/* Loads all of "APEX=FILE". 0, or -errno and the reason is in the log; z is
 * then empty. */
int zones_load(struct zones *z, const struct conf_list *texts) MUSTCHECK;
/* Loads them again. What fails stays as it was, the reason in the log; zones no
 * longer listed go. Returns how many failed. */
size_t zones_reload(struct zones *z, const struct conf_list *texts);
void zones_fini(struct zones *z);

/* The zone that answers for this name and type, the longest match; NULL: none.
 * Borrowed. */
struct zone *zones_find(
	const struct zones *z, const struct name *name, uint16_t type);
/* The zone with exactly this apex, or NULL. Borrowed. */
struct zone *zones_at(const struct zones *z, const struct name *apex);

enum zones_result {
	ZONES_DONE,  /* the answer holds all; *rcode says the rest */
	ZONES_ALIAS, /* chain and *name have grown: go on with *name */
	ZONES_FAIL,  /* too many aliases */
};
/* Answers for *name (at or below the zone's apex) from the zone. With DONE the
 * chain has been written too and a->aa says whether the end is our own. */
enum zones_result zones_answer(const struct zone *z, struct chain *chain,
	struct name *name, uint16_t type, struct answer *a, uint16_t *rcode);
/* Adds the SOA of a negative answer (RFC 2308, 3). */
void zones_negative(const struct zone *z, struct answer *a);

#endif
