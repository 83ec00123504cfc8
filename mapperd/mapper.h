/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapper: what is asked, what is decided, what becomes of it.
 *
 * A question (struct ask) is answered at once from what is known, or what it
 * needs is written down as a change, submitted to the store, and the question
 * is looked at again when the change is durable: applied to memory, then told
 * to the followers, then answered, in this order. Nothing in memory is ever
 * ahead of the disk but what is reserved for a change under way. No sockets
 * here; the clock, the answers and the store are the caller's, so that tests
 * run it with a simulated clock and a store in memory.
 */
#ifndef MAPPERD_MAPPER_H
#define MAPPERD_MAPPER_H

#include "libipref/msg.h"
#include "mapperd/allot.h"
#include "mapperd/hostset.h"
#include "mapperd/store.h"

enum ask_result {
	ASK_OK,
	ASK_BAD,       /* makes no sense: no host's address, reference 0 */
	ASK_UNKNOWN,   /* nobody has it */
	ASK_SPENT,     /* the pool is */
	ASK_SHARE,     /* the part of the pool for peers is spent */
	ASK_QUOTA,     /* of the context address */
	ASK_RATE,      /* too many new references at once */
	ASK_STORE,     /* the store can't write */
	ASK_FULL,      /* a bound of ours, or memory */
	ASK_FORBIDDEN, /* not for this client */
	ASK_N_RESULTS
};

/* One question. */
struct ask {
	uint8_t cmd; /* enum msg_cmd */
	uint16_t id; /* of the request, for the answer */
	uint64_t client;
	struct arec arec;	     /* gw and ref, or ip, or ea */
	const char *name;	     /* DNS name asked for, or NULL */
	const struct source *source; /* host data: whose, or NULL */
	const struct source *echo;   /* the same as it came, for the answer */
	uint32_t batch;		     /* batch id, or count of records */
	uint64_t hash;
	/* Private: */
	unsigned tries;
	TAILQ_ENTRY(ask) link;
};

struct mapper_hooks {
	uint64_t (*now)(void *arg); /* the mapper's clock, ms */
	/* rec is what the ACK names, e its entry; both may be NULL. */
	void (*answer)(const struct ask *a, enum ask_result res,
		const struct arec *rec, const struct entry *e, void *arg);
	/* A change with a number has become durable; or tentative entries have
	 * come or gone, at the revision before. */
	void (*publish)(uint64_t revision, const struct change *c, void *arg);
	/* We can't go on: the process has to end. */
	void (*fatal)(const char *why, void *arg);
	void *arg;
};

struct mapper_config {
	struct host_rules rules; /* encoding network, public address ... */
	struct ref own_ref;
	struct addr own_local;
	uint64_t lease_ms;
	uint64_t hold_ms;      /* nothing expires so long after the start */
	uint64_t stage_ms;     /* an unfinished set's life without its client */
	uint64_t tentative_ms; /* life of a tentative mapping since its use */
	struct allot_config allot;
	size_t max_entries; /* of each kind */
};

struct mapper_stats {
	uint64_t asked[MSG_N_CMDS];
	uint64_t results[ASK_N_RESULTS];
	uint64_t made, expired, sets, refused_records, conflicts;
	uint64_t waiting; /* questions that wait for the store now */
	bool expiring;	  /* the time after the start is over */
	uint64_t tentative_made, tentative_ended, promoted, held, not_held;
	uint64_t promotions_refused; /* by the quota of promoted ones */
};

struct mapper;

/* NULL: no memory. */
struct mapper *mapper_new(const struct mapper_config *cfg,
	const struct mapper_hooks *hooks) MUSTCHECK;
/* The store must be closed before. NULL is fine. */
void mapper_free(struct mapper *m);
/* What the store is opened with. */
struct store_hooks mapper_store_hooks(struct mapper *m);
/* The store is loaded: the removals that it remembers (OP_DEL), until work
 * begins. */
const struct change *mapper_removed(const struct mapper *m);
/* The store is loaded: work begins. Puts right what does not fit the settings
 * (another encoding network). */
int mapper_start(struct mapper *m, struct store *store) MUSTCHECK;
/* No changes are submitted any more; before the store is closed. */
void mapper_stop(struct mapper *m);
/* Every quarter of a second or so: ends leases, checks sets. A slice of what is
 * to be done; true: there is more, call again as soon as others had their turn.
 */
bool mapper_tick(struct mapper *m);

/* GET_EA, MC_GET_EA, GET_REF, LOOKUP_EA, MC_HOST_DATA_HASH: ends in one call of
 * hooks.answer, perhaps from within. a is copied if need be. */
void mapper_ask(struct mapper *m, const struct ask *a);
/* FEED_USED, with these records. */
void mapper_used(struct mapper *m, const struct ask *a, const struct arec *recs,
	size_t n);
/* FEED_PROVED and FEED_HOLD, with these records; the answer to FEED_HOLD names
 * those not held: its rec is an array of a->batch records. */
void mapper_proved(struct mapper *m, const struct ask *a,
	const struct arec *recs, size_t n);
void mapper_hold(struct mapper *m, const struct ask *a, const struct arec *recs,
	size_t n);
/* MC_HOST_DATA, with these records. */
void mapper_host_data(struct mapper *m, const struct ask *a,
	const struct arec *recs, size_t n);
/* A client has gone: its unfinished sets have `stage_ms` left. */
void mapper_client_gone(struct mapper *m, uint64_t client);

/* An operator's order has been carried out and stored (err 0; n mappings have
 * ended), or not: a negative errno. */
typedef void (*mapper_done)(int err, size_t n, void *arg);
/* Ends the dynamic mapping of this ea, or the dynamic ones of this ip, now:
 * they go into quarantine. done is called once, perhaps from within: -ENOENT:
 * there is none; -EPERM: it is listed, whoever lists it has to withdraw it;
 * -EBUSY: it is being changed; -EIO, -ENOSPC: the store can't write. */
void mapper_forget(
	struct mapper *m, const struct addr *addr, mapper_done done, void *arg);
/* Withdraws a source's hosts and forgets the source: -ENOENT: no such source
 * (the hosts file is none); -EBUSY: a set of it is under way. sets.c. */
void mapper_source_remove(struct mapper *m, const struct source *source,
	mapper_done done, void *arg);

/* A line of the hosts file, checked but for its reference when one is to be
 * allotted. */
struct hosts_rec {
	struct host_entry entry;
	bool allot;  /* entry.key.ref is to be given by us */
	bool hidden; /* the hosts file keeps it to itself */
};
/* The hosts file's set. recs is copied. -E2BIG: more than RECORDS_MAX. */
int mapper_hosts(
	struct mapper *m, const struct hosts_rec *recs, size_t n) MUSTCHECK;

struct entries *mapper_entries(struct mapper *m);
const struct hostset *mapper_sources(const struct mapper *m);
const struct mapper_stats *mapper_stats(struct mapper *m);
void mapper_allot_stats(const struct mapper *m, struct allot_stats *out);
uint64_t mapper_now(const struct mapper *m);
/* Of the last change that is in memory. */
uint64_t mapper_revision(const struct mapper *m);
const char *ask_result_text(enum ask_result r);

#endif
