/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What mapper.c, asks.c and sets.c share; for nobody else. */
#ifndef MAPPERD_MAPPER_IMPL_H
#define MAPPERD_MAPPER_IMPL_H

#include "libipref/log.h"
#include "mapperd/mapper.h"

#define ASK_TRIES_MAX 5 /* then the store or we are out of our minds */
#define ASKS_MAX      65536
/* In memory. What is made is bounded by the settings; what is stored is served
 * also when it is more. */
#define ENTRIES_MAX (UINT32_C(1) << 28)

TAILQ_HEAD(ask_list, ask);

enum job_kind {
	JOB_PLAIN,   /* nobody waits, or only for it to be stored */
	JOB_MAKE,    /* makes an entry: its key is pending, `taken` reserved */
	JOB_PROMOTE, /* makes tentative entries dynamic: keys pending */
	JOB_EXPIRE,  /* removes entries, which are busy meanwhile */
	JOB_ORDER,   /* an operator's; removes entries, perhaps busy ones */
	JOB_BLOCKS,  /* opens or closes blocks of tentative eas */
	JOB_BATCH,   /* a batch of `source` */
	JOB_SET,     /* puts a set of `source` in force (NULL: hosts file) */
};

struct job;

/* What is being made: (gw, ref) of a remote entry, or ip and a zero ref. */
struct pending_key {
	struct addr addr;
	struct ref ref;
	uint8_t kind; /* enum entry_kind */
};
struct pending {
	struct pending_key key;
	struct job *job; /* who makes it */
	SLIST_ENTRY(pending) link;
};

/* A change on its way to the disk. */
struct job {
	struct store_job store; /* first */
	enum job_kind kind;
	bool report;		       /* the last part of what is in use */
	SLIST_HEAD(, pending) pending; /* owned */
	struct allot_ea taken;	       /* version 0: none */
	struct host_source *source;
	size_t n_recs;	      /* JOB_BATCH */
	struct ask_list asks; /* looked at again, or acknowledged, when done */
	mapper_done done;     /* JOB_ORDER, a removing JOB_SET, or NULL */
	void *done_arg;
	TAILQ_ENTRY(job) removal; /* list mapper.removals: EXPIRE, ORDER */
};

struct mapper {
	struct mapper_config cfg;
	struct mapper_hooks hooks;
	struct store *store;
	struct entries entries;
	struct allot *allot;
	struct hostset sets;
	struct table pending; /* struct pending by key, of jobs */
	TAILQ_HEAD(removals, job)
	removals;		       /* under way, in the order of storing */
	struct job *expire;	       /* the one of them that ends leases */
	struct job *opening, *closing; /* blocks: the last one, or NULL */
	size_t n_opening;	       /* blocks */
	unsigned drawn;	      /* tentative eas asked for since the last tick, */
	uint64_t demand;      /* and in some ticks before, fading */
	uint64_t demand_at;   /* ms; when that was looked at */
	struct job *applying; /* the one set under way, or NULL */
	struct ask_list set_asks; /* wait for a source's batches or set */
	struct hosts_rec *hosts;  /* owned: to be put in force, */
	size_t n_hosts;
	bool hosts_wanted;
	uint64_t retry_at;	  /* sets are not tried again before */
	uint64_t blocks_retry_at; /* the same: blocks ahead of need */
	uint64_t revision;
	uint64_t started, saved_at; /* ms; when anything was stored last */
	bool reported;		    /* gwd has told what is in use */
	bool stopping, ended;	    /* that the store ended was told */
	struct change misfits;	    /* loaded: entries that don't fit */
	struct change removed;	    /* loaded: OP_DEL, for the feed */
	struct change blocks;	    /* loaded: OP_BLOCK */
	struct mapper_stats stats;
	struct log_limit limit;
};

/* mapper.c */
void mapper_answer(struct mapper *m, const struct ask *a, enum ask_result res,
	const struct arec *rec, const struct entry *e);

/* One more of this kind has room; those that peers cause have a part of it, as
 * of the pool. */
bool mapper_room(
	const struct mapper *m, enum entry_kind kind, enum entry_cause cause);

/* The store will write no more: the process has to end. Told once. */
void mapper_store_ended(struct mapper *m);

/* loading.c */
/* What the store fills: empty, and freed. 0 or -ENOMEM. */
int loading_init(struct mapper *m) MUSTCHECK;
void loading_fini(struct mapper *m);

/* jobs.c */
/* A job, or NULL (memory). */
struct job *job_new(enum job_kind kind) MUSTCHECK;
void job_free(struct job *j);
/* Adds a copy of the question; false: no memory. */
bool job_add_ask(
	struct mapper *m, struct job *j, const struct ask *a) MUSTCHECK;
/* What the job makes: others' questions for it join the job from now on.
 * False: no memory. */
bool job_pend(struct mapper *m, struct job *j,
	const struct pending_key *key) MUSTCHECK;
/* Submits; on failure everything is undone and its questions are refused. */
void job_submit(struct mapper *m, struct job *j);
/* For store_hooks.done; arg is the mapper. */
void job_stored(struct store_job *sj, void *arg);
struct ask *ask_copy(struct mapper *m, const struct ask *a);
void ask_free(struct mapper *m, struct ask *a);
/* The entry with this kind and key. */
struct entry *find_entry(struct mapper *m, const struct entry_data *d);
/* A source's row, of a change or of the store. */
int apply_source(struct mapper *m, const struct op *op) MUSTCHECK;
/* A record of an unfinished set, of a change or of the store. */
int apply_batch(struct mapper *m, const struct op *op) MUSTCHECK;

/* asks.c */
/* The questions of a job that is stored (or, with another result, is not). */
void asks_end(struct mapper *m, struct ask_list *asks, enum ask_result res);
enum ask_result ask_result_of(int err);
enum ask_result ask_result_of_allot(enum allot_result r);
/* Answers with an entry, or with a refusal that the operator may want to know
 * of. */
void ask_answer(struct mapper *m, const struct ask *a, const struct entry *e);
void ask_refuse(struct mapper *m, const struct ask *a, enum ask_result res);
/* A second question for what is being made joins the first; true then. */
bool ask_join(struct mapper *m, const struct ask *a,
	const struct pending_key *key) MUSTCHECK;

/* lease.c */
/* The lease is renewed when less than three quarters of it remain, or of what
 * is stored of it perhaps. */
bool lease_wants_renewal(const struct mapper *m, const struct entry *e);
void lease_plan(
	const struct mapper *m, struct change *c, const struct entry *e);
/* Renews a lease that wants it. True: half of it is stored still, so what is
 * known may be told at once; false: nothing has been done, the renewal has to
 * be waited for. */
bool lease_renew(struct mapper *m, struct entry *e) MUSTCHECK;
/* In memory only: the store can't write. */
void lease_keep(struct mapper *m, struct entry *e, uint64_t expires);
/* A change that can't be stored: its leases go on in memory, as their ends
 * could not be stored either. */
void lease_keep_all(struct mapper *m, const struct change *c);
/* The slice of leases that have ended; starts a job when there are any. */
void lease_expire(struct mapper *m);

/* tentative.c */
/* GET_EA for what is not known: made and answered, or it waits for a block. */
void tentative_make(struct mapper *m, const struct ask *a);
/* GET_EA, MC_GET_EA for a tentative entry. */
void tentative_known(struct mapper *m, const struct ask *a, struct entry *e);
/* It is in use. */
void tentative_extend(struct mapper *m, struct entry *e);
/* It ends now. */
void tentative_end(struct mapper *m, struct entry *e);
/* Its promotion is stored: 0 or -ENOMEM. */
int tentative_promoted(struct mapper *m, struct entry *e,
	const struct entry_data *d) MUSTCHECK;
/* The promotions of this change are not stored. */
void tentative_not_promoted(struct mapper *m, const struct change *c);
/* Ends a slice of those whose time is over; true: there may be more. */
bool tentative_expire(struct mapper *m);

/* reserve.c */
/* The question waits until a block is open, or is refused. */
void reserve_wait(struct mapper *m, const struct ask *a);
/* Opens more blocks when few eas are left. */
void reserve_ahead(struct mapper *m);
/* A JOB_BLOCKS has ended. */
void reserve_done(struct mapper *m, struct job *j, bool stored);
/* Closes what is not needed. */
void reserve_tick(struct mapper *m);

/* sets.c, sources.c */
/* What is loaded of sources is looked at; mapper.started is set. */
void sets_start(struct mapper *m);
void sets_hash(struct mapper *m, const struct ask *a);
/* A batch or set job is done: what waited for it goes on. */
void sets_done(struct mapper *m, struct job *j);
void sets_tick(struct mapper *m);
/* Some of the owner's entries go with this change: it is to send its set again
 * (nothing happens for other owners than DNS sources). */
void sets_unhold(struct mapper *m, struct change *c, uint32_t owner);

#endif
