/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of hosts that others list: from DNS agents in batches, from the hosts
 * file in one go; and what putting one in force means.
 *
 * A source has the set it holds (its hash and count; the entries are in the
 * table of entries, with the source as owner) and perhaps an unfinished one,
 * whose distinct records are collected here until the hash over them is the one
 * announced. hostset_plan() compares a complete set with the entries and writes
 * down the changes; it changes nothing itself.
 *
 * Two owners may list one gw + ref: the first keeps it, the other's record
 * waits, and comes in force when the first one's is withdrawn.
 */
#ifndef MAPPERD_HOSTSET_H
#define MAPPERD_HOSTSET_H

#include "libipref/msg.h"
#include "mapperd/change.h"

/* Bounds: what agents can make us remember. */
#define SOURCES_MAX 1024
#define RECORDS_MAX 262144 /* of one set */

/* A record as it came. */
struct host_rec {
	struct entry_key key; /* first: the table's key begins here */
	struct addr ip;
};

/* A record that waits for its key, or the key's holder. */
struct host_wait {
	struct entry_key key;
	struct addr addr;
	bool over; /* it waits no longer; its place is kept for a while */
};

struct host_source {
	uint32_t id;
	struct source name;
	bool stored; /* the store knows it */
	bool held;   /* a set is in force */
	uint64_t hash;
	uint32_t count;	  /* distinct records as sent */
	uint32_t refused; /* of them, not taken */
	size_t conflicts; /* waiting with another address than the holder's */
	struct host_wait *waits; /* owned; sorted by key */
	size_t n_slots, room;	 /* of waits: in use, in all */
	size_t n_waits;		 /* in use and not over */
	uint64_t heard; /* ms of the mapper's clock; 0: not since the start */
	uint64_t since; /* then, or the start: its silence is counted from it */
	uint64_t interval; /* ms between its announcements; 0: not known */
	bool silent;	   /* that it is silent was said */
	bool leaving;	   /* its removal is being stored */

	bool stage_open;      /* an unfinished set is being collected */
	uint64_t stage_hash;  /* what it was announced as */
	struct table stage;   /* struct host_rec, owned */
	struct arec *sorted;  /* owned, or NULL: what it held when compared */
	size_t stage_checked; /* records when the hash was last compared */
	uint64_t stage_grown; /* when the last record came */

	unsigned in_flight;    /* batches on their way to the disk */
	size_t in_flight_recs; /* records in them */
	uint64_t client;       /* who sent the last batch */
	uint64_t drop_at;      /* the unfinished set goes then; 0: not */
	bool wanted;	       /* the unfinished set is to be put in force */
	unsigned clashes;      /* other changes were in the way of its set */
};

struct hostset {
	struct host_source **sources; /* owned */
	size_t n;
	uint32_t next_id;
	size_t n_waits; /* of all */
};

void hostset_init(struct hostset *hs);
void hostset_fini(struct hostset *hs);
struct host_source *hostset_by_id(const struct hostset *hs, uint32_t id);
struct host_source *hostset_by_name(
	const struct hostset *hs, const struct source *name);
/* Makes a source; with id 0 the next free one. NULL: no memory or room. */
struct host_source *hostset_make(
	struct hostset *hs, const struct source *name, uint32_t id);

/* Forgets a source whose entries are gone; nothing when there is none. */
void hostset_remove(struct hostset *hs, uint32_t id);

/* Collects a record (of the set announced as hash; another set's are dropped
 * first). 0, -ENOSPC, -ENOMEM. A record that is there already counts once. */
int hostset_stage(struct host_source *s, uint64_t hash,
	const struct host_rec *rec, uint64_t now) MUSTCHECK;
void hostset_stage_open(struct host_source *s, uint64_t hash);
void hostset_stage_drop(struct host_source *s);
/* The hash over what has come is the one announced. Comparing costs a sort:
 * large sets are compared again only when they have grown by an eighth, or with
 * force. */
bool hostset_complete(struct host_source *s, bool force);
/* The collected records, sorted by key: an array of stage.n, the caller's;
 * NULL: no memory. */
struct arec *hostset_staged(struct host_source *s) MUSTCHECK;

/* What the network is: which records may come in force. */
struct host_rules {
	struct prefix encode;
	uint8_t tunnel_ver;
	struct addr pub; /* zeros: not known */
};

/* One record of a set to be put in force. */
struct host_entry {
	enum entry_kind kind;
	struct addr addr;
	struct entry_key key;
	unsigned line; /* of the hosts file */
};

/* NULL: the record can come in force; else why not (static text). Our own
 * public address as context becomes zeros. */
const char *hostset_check(struct host_entry *e, const struct host_rules *rules);

struct host_plan {
	struct change *change; /* receives the operations */
	const struct entries *entries;
	const struct hostset *sets;
	uint64_t now;
	/* Of records that lead a key of another owner elsewhere; may be NULL.
	 */
	void (*conflict)(
		const struct host_entry *rec, const struct entry *e, void *arg);
	void *arg;
};

/* Writes down how owner's set becomes recs (checked; sorted and made distinct
 * here: of records with one key the first serves). The owner's own state
 * (OP_SOURCE) is the caller's. Returns how many were kept out. */
size_t hostset_plan(
	struct host_plan *p, uint32_t owner, struct host_entry *recs, size_t n);

/* The source's agent has announced something. */
void hostset_hear(struct host_source *s, uint64_t now);
/* Nothing was heard of it for three of its intervals; for three hours when
 * they are not known. What it has listed stays in force. */
bool hostset_silent(const struct host_source *s, uint64_t now);

/* The source's record that waits for this key, or NULL. waits.c, like what
 * follows. */
const struct host_wait *hostset_waiting(
	const struct host_source *s, const struct entry_key *key);
/* Applies OP_WAIT, OP_WAIT_DEL and OP_WAIT_CLEAR of a stored change. */
int hostset_apply_wait(struct hostset *hs, const struct op *op) MUSTCHECK;
/* A record that waits, and who has its key. */
struct host_conflict {
	const struct entry_key *key;
	const struct addr *wanted;
	const struct entry *holder;
};
/* What waits at place i of the source's n_slots; false: nothing (any more). It
 * is a conflict only when the holder's address is another one. */
bool hostset_conflict(const struct host_source *s, const struct entries *es,
	size_t i, struct host_conflict *out);
/* How many conflicts there are; takes a look at each record that waits. */
size_t hostset_conflicts(const struct host_source *s, const struct entries *es);

#endif
