/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The allotment of eas and references (spec/concepts.md): which one is handed
 * out next, and which must not be yet.
 *
 * An ea of the pool is virgin, taken or gone. Virgin ones are drawn at random;
 * when there are none, the one gone longest is taken again, if its quarantine
 * is over or, as nothing else is left, `reuse_ms` have passed. Small encoding
 * networks (up to POOL_BITS_MAX host bits) keep a bitmap, so that a draw costs
 * the same however full they are, and remember what is gone until it is taken
 * again. In larger ones and for references a random value never meets another
 * but by a wonder, so those are forgotten when their quarantine is over.
 *
 * Mappings caused by peers have a part of the pool and quotas per context
 * address and per /24 (/64); those of resolvers a quota per context address.
 * Nothing here allots durably: the caller stores what it was given, and gives
 * it back with allot_ea_undo() when that failed.
 */
#ifndef MAPPERD_ALLOT_H
#define MAPPERD_ALLOT_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"
#include "mapperd/entry.h"

#define POOL_BITS_MAX 24

struct allot_config {
	struct prefix encode;	/* encoding network, at least 13 host bits */
	struct addr own_local;	/* the gateway's own: never handed out */
	uint64_t quarantine_ms; /* at least this long gone */
	uint64_t reuse_ms;	/* when nothing else is left */
	uint32_t peer_percent;	/* of the pool, for mappings of peers */
	uint32_t peer_gw, peer_net; /* quotas: mappings of peers */
	uint32_t resolver_gw;	    /* quota: mappings of resolvers */
	uint32_t refs_per_s, refs_burst;
	size_t max; /* bound on what is remembered as taken or gone */
	/* Fills buf with unpredictable bytes; can't fail. */
	void (*random)(void *buf, size_t len, void *arg);
	void *arg;
};

enum allot_result {
	ALLOT_OK,
	ALLOT_SPENT, /* no ea (or reference) is left */
	ALLOT_SHARE, /* the part of the pool for peers is spent */
	ALLOT_QUOTA, /* of the context address or its network */
	ALLOT_RATE,  /* too many new references at once */
	ALLOT_NOMEM,
};

/* An ea handed out: what allot_ea_undo() needs. */
struct allot_ea {
	struct addr ea;
	struct addr gw;
	enum entry_cause cause;
	bool again; /* it was gone before, since gone_at */
	enum entry_cause gone_cause;
	uint64_t gone_at;
};

/* A value in (or past) quarantine. */
struct gone;

struct allot;

/* NULL: no memory. */
struct allot *allot_new(const struct allot_config *cfg) MUSTCHECK;
void allot_free(struct allot *a);

/* Takes an ea for a remote host behind gw. now in ms, never backwards. */
enum allot_result allot_ea(struct allot *a, const struct addr *gw,
	enum entry_cause cause, uint64_t now, struct allot_ea *out) MUSTCHECK;
/* As if it had not been taken. */
void allot_ea_undo(struct allot *a, const struct allot_ea *taken);
/* At start: this dynamic ea is taken. False when it does not fit the pool. */
bool allot_ea_load(struct allot *a, const struct addr *ea,
	const struct addr *gw, enum entry_cause cause) MUSTCHECK;
/* A taken ea's mapping has ended at this time: the quarantine begins, unless it
 * has. -ENOMEM: it stays taken, so it is never handed out. */
int allot_ea_gone(struct allot *a, const struct addr *ea, const struct addr *gw,
	enum entry_cause cause, uint64_t at) MUSTCHECK;
/* At start: gone since then; also for one outside the pool (ignored). */
int allot_ea_load_gone(struct allot *a, const struct addr *ea,
	enum entry_cause cause, uint64_t at) MUSTCHECK;

/* Draws a reference that keeps the rules and is not gone; whether it is taken
 * the caller knows. Counts against the rate when limited. */
enum allot_result allot_ref(
	struct allot *a, uint64_t now, bool limited, struct ref *out) MUSTCHECK;
int allot_ref_gone(
	struct allot *a, const struct ref *ref, uint64_t at) MUSTCHECK;

/* What need not be remembered any more, the oldest: takes one off and gives its
 * value (a reference, or an ea of a large network), or returns false. */
bool allot_forget(struct allot *a, uint64_t now, bool *is_ref, struct addr *ea,
	struct ref *ref) MUSTCHECK;

struct allot_stats {
	uint64_t pool;	     /* eas that can be handed out; UINT64_MAX: many */
	uint64_t taken;	     /* of them, in use */
	uint64_t gone;	     /* eas gone and remembered */
	uint64_t gone_refs;  /* references gone and remembered */
	uint64_t taken_peer; /* taken or gone that peers caused */
};
void allot_stats(const struct allot *a, struct allot_stats *out);

#endif
