/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings, indexed: what mapperd knows and has made durable.
 *
 * A remote entry (ea, gw, ref) is found by ea and by (gw, ref), a local one
 * (ip, gw, ref) by (gw, ref) and by ip. A gw of zeros in a local entry is our
 * own context, whatever our public address is. Every entry has an owner; those
 * of the mapper itself ("dynamic") have a lease and stand in the order in which
 * their leases end. Only what the store has committed is in here, so whatever
 * is found may be told to anyone; but for tentative entries (OWNER_TENTATIVE),
 * whose eas are out of blocks that are reserved durably: those only gwd is
 * told.
 */
#ifndef MAPPERD_ENTRY_H
#define MAPPERD_ENTRY_H

#include <sys/queue.h>

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"
#include "libipref/table.h"

enum entry_kind {
	ENTRY_REMOTE, /* addr is an ea */
	ENTRY_LOCAL,  /* addr is the ip of a host of ours */
};

/* Who caused a dynamic remote entry; stored, so the numbers are for good. */
enum entry_cause {
	CAUSE_NONE = 0, /* listed, or a local entry */
	CAUSE_RESOLVER = 1,
	CAUSE_PEER = 2,	     /* a packet that arrived */
	CAUSE_TENTATIVE = 3, /* the same, not promoted yet: never stored */
};

static inline bool
cause_is_peer(enum entry_cause cause)
{
	return cause == CAUSE_PEER || cause == CAUSE_TENTATIVE;
}

/* Owner ids of proto/mapper.md; from OWNER_SOURCE on, DNS sources. */
enum {
	OWNER_MAPPER = 1,
	OWNER_HOSTS = 2,
	OWNER_TENTATIVE = 3, /* the mapper's, in memory only (design.md) */
	OWNER_SOURCE = 16,
};

#define ENTRY_NAME_MAX 255 /* bytes of a name, without NUL */
/* Below this second byte people list, from it on the mapper allots
 * (spec/concepts.md, "The second-byte rule"). */
#define SECOND_BYTE_OURS 16

struct entry_key {
	struct addr gw; /* tunnel version; zeros in a local one: own context */
	struct ref ref;
};

/* What an entry is made of. */
struct entry_data {
	enum entry_kind kind;
	enum entry_cause cause;
	uint32_t owner;
	struct addr addr; /* ea or ip, local version */
	struct entry_key key;
	uint64_t born;	  /* revision that made it */
	uint64_t made;	  /* ms of the mapper's clock */
	uint64_t expires; /* the same; 0: no end */
	const char *name; /* DNS name asked for, or NULL; copied */
};

/* There may be a million of these: what only one kind has stands behind them,
 * the next one with its ip or the name that a remote one was made with. */
struct entry {
	struct addr addr;
	struct entry_key key;
	uint8_t kind;	   /* enum entry_kind */
	uint8_t cause;	   /* enum entry_cause */
	bool busy;	   /* its removal is being stored */
	uint8_t promoting; /* enum entry_cause: its promotion is being stored */
	bool renewing;	   /* a longer lease is being stored */
	bool unsaved;	   /* its lease is longer than the stored one */
	uint32_t owner;
	uint32_t made_s; /* s of the mapper's clock: to be shown */
	uint64_t born, expires;
	char *name;		     /* owned, or stands behind, or NULL */
	TAILQ_ENTRY(entry) all;	     /* list entries.all */
	TAILQ_ENTRY(entry) by_owner; /* list entry_owner.list */
	struct entry *next_ip[];     /* local: one; entry_next_ip() */
};
TAILQ_HEAD(entry_list, entry);
_Static_assert(sizeof(struct entry) <= 120,
	"with what malloc adds, an entry takes 128 bytes");

struct entry_owner {
	uint32_t id;
	size_t n;
	struct entry_list list; /* dynamic: the first lease to end first */
};

/* A walk over all entries while they change: entries there from its start to
 * its end are given once, others at most once. */
struct entry_cursor {
	struct entry *next;
	TAILQ_ENTRY(entry_cursor) link; /* list entries.cursors */
};

struct entries {
	struct table by_ea, by_remote; /* remote: by addr; by key */
	struct table by_local, by_ip;  /* local: by key; chains by addr */
	struct table owners;	       /* struct entry_owner by id, owned */
	struct entry_list all;	       /* owned; in the order of adding */
	TAILQ_HEAD(, entry_cursor) cursors;
	size_t n[2];   /* by kind */
	size_t n_peer; /* that peers caused */
	bool loading;
};

/* At most max entries of each kind. */
void entries_init(struct entries *es, size_t max);
void entries_fini(struct entries *es);

/* Between these two leases may be added in any order; those that would end
 * later than `latest` end then (adding one looks for its place among those that
 * end after it). 0 or -ENOMEM. */
void entries_load(struct entries *es);
int entries_loaded(struct entries *es, uint64_t latest) MUSTCHECK;

struct entry *entries_by_ea(const struct entries *es, const struct addr *ea);
struct entry *entries_remote(
	const struct entries *es, const struct entry_key *key);
struct entry *entries_local(
	const struct entries *es, const struct entry_key *key);
/* The first of the local entries with this ip, and the one after a local entry
 * of that ip; NULL: none. */
struct entry *entries_by_ip(const struct entries *es, const struct addr *ip);
static inline struct entry *
entry_next_ip(const struct entry *e)
{
	return e->next_ip[0];
}

/* The one that packets from ip leave with: a listed one before a dynamic one,
 * our own context before others (which count only with any_context), the
 * longest in force, the lowest reference of equals. NULL: none. */
struct entry *entries_source(
	const struct entries *es, const struct addr *ip, bool any_context);
/* The owner's entries, or NULL when it has none. */
const struct entry_owner *entries_owner(
	const struct entries *es, uint32_t owner);

/* entries_add() of this data is to come, after some other work. */
void entries_prefetch(const struct entries *es, const struct entry_data *d);
/* 0, -EEXIST (the ea or the key leads elsewhere or is there), -ENOSPC,
 * -ENOMEM; unchanged then. *out receives the entry and may be NULL. */
int entries_add(struct entries *es, const struct entry_data *d,
	struct entry **out) MUSTCHECK;
void entries_del(struct entries *es, struct entry *e);
/* Gives a dynamic entry another end. */
void entries_lease(struct entries *es, struct entry *e, uint64_t expires);
/* A tentative entry becomes an ordinary dynamic one, as d says (owner, cause,
 * born, made, expires; addr and key are the same); the name is taken over when
 * it has none. 0 or -ENOMEM, unchanged then. */
int entries_promote(struct entries *es, struct entry *e,
	const struct entry_data *d) MUSTCHECK;
/* Sets the name when there is none yet; -ENOMEM leaves it so. */
int entries_name(struct entry *e, const char *name) MUSTCHECK;

void entry_cursor_start(struct entries *es, struct entry_cursor *c);
/* The next entry, or NULL at the end. */
struct entry *entry_cursor_next(struct entry_cursor *c);
void entry_cursor_stop(struct entries *es, struct entry_cursor *c);

/* With a lease, so not listed by anybody. */
static inline bool
owner_is_dynamic(uint32_t owner)
{
	return owner == OWNER_MAPPER || owner == OWNER_TENTATIVE;
}

/* Our own context: a gw of zeros. */
static inline bool
entry_key_own(const struct entry_key *key)
{
	return addr_is_zero(&key->gw);
}

/* By gw (numeric, IPv4 first), then reference: <0, 0, >0. */
int entry_key_cmp(const struct entry_key *a, const struct entry_key *b);

#endif
