/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What mapper.c, asks.c and sets.c share; for nobody else. */
#ifndef MAPPERD_MAPPER_IMPL_H
#define MAPPERD_MAPPER_IMPL_H

#include "libipref/log.h"
#include "mapperd/mapper.h"

#define ASK_TRIES_MAX 5 /* then the store or we are out of our minds */
#define ASKS_MAX      65536

TAILQ_HEAD(ask_list, ask);

enum job_kind {
	JOB_PLAIN,  /* nobody waits, or only for it to be stored */
	JOB_MAKE,   /* makes an entry: `key` is pending, `taken` reserved */
	JOB_EXPIRE, /* removes entries, which are busy meanwhile */
	JOB_BATCH,  /* a batch of `source` */
	JOB_SET,    /* puts a set of `source` in force (NULL: hosts file) */
};

/* What is being made: (gw, ref) of a remote entry, or ip and a zero ref. */
struct pending_key {
	struct addr addr;
	struct ref ref;
	uint8_t kind; /* enum entry_kind */
};

/* A change on its way to the disk. */
struct job {
	struct store_job store; /* first */
	enum job_kind kind;
	bool report; /* the last part of what is in use */
	struct pending_key key;
	struct allot_ea taken; /* version 0: none */
	struct host_source *source;
	size_t n_recs;	      /* JOB_BATCH */
	struct ask_list asks; /* looked at again, or acknowledged, when done */
};

struct mapper {
	struct mapper_config cfg;
	struct mapper_hooks hooks;
	struct store *store;
	struct entries entries;
	struct allot *allot;
	struct hostset sets;
	struct table pending;	  /* struct job of JOB_MAKE, by key */
	struct job *expire;	  /* under way, or NULL */
	struct job *applying;	  /* the one set under way, or NULL */
	struct ask_list set_asks; /* wait for a source's batches or set */
	struct hosts_rec *hosts;  /* owned: to be put in force, */
	size_t n_hosts;
	bool hosts_wanted;
	uint64_t retry_at; /* sets are not tried again before */
	uint64_t revision;
	uint64_t started, saved_at; /* ms; when anything was stored last */
	bool reported;		    /* gwd has told what is in use */
	bool stopping;
	struct change misfits; /* at start: entries that don't fit */
	struct mapper_stats stats;
	struct log_limit limit;
};

/* mapper.c */
/* A job, or NULL (memory). */
struct job *job_new(enum job_kind kind) MUSTCHECK;
void job_free(struct job *j);
/* Adds a copy of the question; false: no memory. */
bool job_add_ask(
	struct mapper *m, struct job *j, const struct ask *a) MUSTCHECK;
/* Submits; on failure everything is undone and its questions are refused. */
void job_submit(struct mapper *m, struct job *j);
void mapper_answer(struct mapper *m, const struct ask *a, enum ask_result res,
	const struct arec *rec, const struct entry *e);
struct ask *ask_copy(struct mapper *m, const struct ask *a);
void ask_free(struct mapper *m, struct ask *a);

/* asks.c */
/* The questions of a job that is stored (or, with another result, is not). */
void asks_end(struct mapper *m, struct ask_list *asks, enum ask_result res);
/* The slice of leases that have ended; starts a job when there are any. */
void asks_expire(struct mapper *m);
enum ask_result ask_result_of(int err);
/* A change that can't be stored: its leases go on in memory, as their ends
 * could not be stored either. */
void asks_keep_leases(struct mapper *m, const struct change *c);

/* sets.c */
void sets_hash(struct mapper *m, const struct ask *a);
/* A batch or set job is done: what waited for it goes on. */
void sets_done(struct mapper *m, struct job *j);
void sets_tick(struct mapper *m);
/* Some of the owner's entries go with this change: it is to send its set again
 * (nothing happens for other owners than DNS sources). */
void sets_unhold(struct mapper *m, struct change *c, uint32_t owner);

#endif
