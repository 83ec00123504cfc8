/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of a public zone, as far as they matter to us: its AA strings,
 * and what is needed to answer the context names in them.
 *
 * Records are added as a transfer brings them; zone_close() puts them into an
 * order that depends on the zone's content alone. Then AA strings can be walked
 * and names be looked up. Names at or below a delegation and below a DNAME are
 * not the zone's. Pure: no sockets, no clock, no logging; what is passed over
 * goes to a callback.
 */
#ifndef DNSAGENTD_ZONE_H
#define DNSAGENTD_ZONE_H

#include "libipref/addr.h"
#include "libipref/dns/message.h"
#include "libipref/ref.h"

/* Why something of the zone is passed over. */
enum zone_skip {
	ZONE_BROKEN,	    /* "AA ...", but does not parse */
	ZONE_REF_ZERO,	    /* reference 0 */
	ZONE_BAD_CONTEXT,   /* context address not global unicast */
	ZONE_OTHER_VERSION, /* context address of the other IP version */
	ZONE_NO_CONTEXT,    /* context name in the zone, without an address */
	ZONE_WILDCARD,	    /* owner is a wildcard */
	ZONE_DELEGATED,	    /* owner at or below a delegation, below a DNAME */
	ZONE_MANY_CONTEXTS, /* more context names than HOSTS_CONTEXTS_MAX */
	ZONE_N_SKIPS,
};

/* owner: of the record that is passed over; dies with the call. */
typedef void (*zone_note)(
	enum zone_skip why, const struct name *owner, void *arg);

struct zone_record; /* private */

struct zone {
	struct name apex;
	uint8_t tunnel_ver;
	zone_note note;
	void *arg;
	uint8_t *bytes; /* names of the records, as keys; owned */
	size_t n_bytes, cap_bytes;
	struct zone_record *records; /* owned */
	size_t n, cap;
	uint64_t skipped[ZONE_N_SKIPS];
};

/* note may be NULL. */
void zone_init(struct zone *z, const struct name *apex, uint8_t tunnel_ver,
	zone_note note, void *arg);
void zone_fini(struct zone *z);
/* A record of the zone (its owner is under the apex) in a screened message.
 * False: no memory. */
bool zone_add(struct zone *z, const struct dns_rr *rr, const uint8_t *msg,
	size_t len) MUSTCHECK;
/* Sorts; nothing is added any more. Needed before what follows. */
void zone_close(struct zone *z);

/* An AA string of the zone. */
struct zone_aa {
	struct name owner; /* lower case */
	struct addr gw;	   /* version 0: by name; all-zeros: the mapper's */
	struct name context;
	struct ref ref;
};
/* Walks the AA strings that count, in canonical order of their owners: start
 * with *pos = 0; false at the end. */
bool zone_next_aa(struct zone *z, size_t *pos, struct zone_aa *aa);

enum zone_answer {
	ZONE_ADDRESS, /* *gw, the lowest of the name's */
	ZONE_NOTHING, /* the zone says that there is none */
	ZONE_ASK,     /* not in this zone: *n is to be asked elsewhere */
};
/* The tunnel-version address of a name: as the zone's own server would answer,
 * CNAMEs and wildcards (RFC 4592) included. *n moves along CNAMEs. */
enum zone_answer zone_context(
	const struct zone *z, struct name *n, struct addr *gw);

/* Counts and reports something that is passed over. */
void zone_pass_over(
	struct zone *z, enum zone_skip why, const struct name *owner);
/* "a context address that is not global unicast" (static text). */
const char *zone_skip_text(enum zone_skip why);

#endif
