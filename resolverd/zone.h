/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One zone that the resolver serves by itself: its records in order, and what
 * they say about a name.
 *
 * A zone is made once, from records in any order (zonefile.h reads them from a
 * file), and never changes; a reload makes another. It is counted: whoever
 * holds one over a return to the loop (a transfer under way) takes a reference.
 * Sets of records hold rdata in wire form, uncompressed.
 */
#ifndef RESOLVERD_ZONE_H
#define RESOLVERD_ZONE_H

#include "libipref/base.h"
#include "libipref/dns/message.h"

#define ZONE_RECORDS_MAX 1000000
#define ZONE_TTL_MAX	 0x7fffffff /* RFC 2181, 8 */

/* A record on its way into a zone. */
struct zone_rec {
	struct name owner;
	uint16_t type;
	uint32_t ttl;
	uint16_t rdlen;
	uint8_t *rdata;	  /* owned */
	const char *file; /* where it was read, for errors; borrowed */
	unsigned line;
};

struct zone_rdata {
	uint16_t len;
	uint8_t *p; /* owned */
};

struct zone_set {
	uint16_t type;
	uint32_t ttl;		  /* one for the whole set (RFC 2181, 5.2) */
	size_t n;		  /* at least 1 */
	struct zone_rdata *rdata; /* owned */
};

struct zone_node {
	struct name name;
	size_t n;
	struct zone_set *sets; /* owned; by type */
};

struct zone {
	unsigned refs;
	struct name apex;	    /* lower case */
	size_t n;		    /* nodes */
	struct zone_node *nodes;    /* owned; in canonical order, apex first */
	const struct zone_set *soa; /* of the apex */
	uint32_t serial;
	uint32_t negative_ttl; /* RFC 2308: the least of TTL and MINIMUM */
	size_t records;
};

enum zone_kind {
	ZONE_ANSWER,	 /* set: of the type asked for */
	ZONE_CNAME,	 /* set: a CNAME; target */
	ZONE_DNAME,	 /* set, node: a DNAME above the name; target */
	ZONE_TOO_LONG,	 /* a DNAME whose target would be too long */
	ZONE_NODATA,	 /* the name exists, the type does not */
	ZONE_NXDOMAIN,	 /* nothing at the name or below it */
	ZONE_DELEGATION, /* set, node: NS of a zone cut at or above it */
};

/* Everything points into the zone. */
struct zone_found {
	enum zone_kind kind;
	const struct zone_set *set;
	const struct zone_node *node;
	struct name target; /* of a CNAME or DNAME: the name to go on with */
};

/* Takes the records, in any order (their rdata too, also on failure). 0 and
 * *out with one reference; -EINVAL and what is wrong with which record in err;
 * -ENOMEM. */
int zone_new_take(struct zone **out, const struct name *apex,
	struct zone_rec *recs, size_t n, char *err, size_t size) MUSTCHECK;
struct zone *zone_ref(struct zone *z);
/* NULL is fine. */
void zone_unref(struct zone *z);

/* name must be at or below the apex. Wildcards are followed (RFC 4592). */
void zone_lookup(const struct zone *z, const struct name *name, uint16_t type,
	struct zone_found *f);
/* The set at exactly this name, or NULL; for glue. */
const struct zone_set *zone_set_at(
	const struct zone *z, const struct name *name, uint16_t type);

/* Frees the records' rdata, not the array. */
void zone_recs_fini(struct zone_rec *recs, size_t n);

#endif
