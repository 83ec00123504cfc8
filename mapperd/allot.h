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
 *
 * Tentative mappings (design.md, "Unsolicited mappings") are not stored, so
 * their eas come out of blocks: BLOCK_SIZE eas in a row, reserved durably as a
 * whole and counted against the peers' part as a whole. Opening one takes its
 * virgin eas (and, when the pool has none, its gone ones that may be handed out
 * again) out of the pool; a tentative ea that ends is not drawn again for
 * `tentative_quarantine_ms` and is then as good as virgin in its block; a block
 * with none in use and none in quarantine can be closed, and its eas are virgin
 * again. After a restart the blocks that were open are in quarantine, but for
 * the eas that gwd says it holds.
 *
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
#define BLOCK_SIZE    256 /* eas; a block's first is a multiple of it */

struct allot_config {
	struct prefix encode;	/* encoding network, at least 13 host bits */
	struct addr own_local;	/* the gateway's own: never handed out */
	uint64_t quarantine_ms; /* at least this long gone */
	uint64_t reuse_ms;	/* when nothing else is left */
	uint32_t peer_percent;	/* of the pool, for mappings of peers */
	uint64_t tentative_quarantine_ms;
	uint32_t peer_gw, peer_net;	      /* quotas: mappings of peers */
	uint32_t tentative_gw, tentative_net; /* the same, tentative ones */
	uint32_t resolver_gw;		      /* quota: mappings of resolvers */
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
	ALLOT_BLOCK, /* no open block has an ea left: open one, ask again */
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

/* At start, after loading: since then it is not known which eas are in use, for
 * what was loaded may be of long ago. So all are as if gone since then: with a
 * bitmap, none that is virgin, or was gone before, is handed out (nor a block
 * opened) before the quarantine is over, or, as nothing else is left, reuse_ms.
 */
void allot_suspect(struct allot *a, uint64_t at);

/* A tentative ea for a packet from gw, out of an open block. ALLOT_OK,
 * ALLOT_QUOTA, ALLOT_NOMEM, ALLOT_BLOCK. */
enum allot_result allot_tentative(struct allot *a, const struct addr *gw,
	uint64_t now, struct addr *ea) MUSTCHECK;
/* gwd holds it still after a restart: it is taken out of its block, which is in
 * quarantine (or open). False: it is in no such block, or not free, or memory.
 */
bool allot_tentative_hold(struct allot *a, const struct addr *ea,
	const struct addr *gw) MUSTCHECK;
/* It has ended: its short quarantine begins. */
void allot_tentative_end(struct allot *a, const struct addr *ea,
	const struct addr *gw, uint64_t now);
/* Promotion, in two steps: begin counts it against the quota of its new cause
 * too: ALLOT_OK, ALLOT_QUOTA or ALLOT_NOMEM (nothing changed). Then it is
 * stored, and not ended meanwhile; end says whether it was: stored, it is no
 * tentative one any more, its ea belongs to its block no more and ends by
 * allot_ea_gone(); else it is tentative as before. */
enum allot_result allot_promote_begin(struct allot *a, const struct addr *gw,
	enum entry_cause cause) MUSTCHECK;
void allot_promote_end(struct allot *a, const struct addr *ea,
	const struct addr *gw, enum entry_cause cause, bool stored);

/* Chooses a block to open and takes it out of the pool; it is used when
 * allot_block_opened() says that it is stored, or given back when not. first is
 * its first ea. forget receives the gone eas that it takes in, whose OP_FORGET
 * is to be stored with it. ALLOT_OK, ALLOT_SHARE, ALLOT_SPENT, ALLOT_NOMEM. */
enum allot_result allot_block_begin(struct allot *a, uint64_t now,
	struct addr *first, struct addr forget[BLOCK_SIZE],
	size_t *n_forget) MUSTCHECK;
void allot_block_opened(struct allot *a, const struct addr *first, bool stored);
/* How many tentative eas can be drawn without opening a block. */
uint64_t allot_tentative_left(const struct allot *a);
/* So many are to be left when a block is closed. */
void allot_tentative_keep(struct allot *a, uint64_t left);
/* A block that is to be closed, when there is one: one without eas in use or in
 * quarantine, while others have room, or one whose quarantine after a restart
 * is over. Its eas are the pool's again when allot_block_closed() says that
 * this is stored; when not, it is as before. Ends short quarantines that are
 * over, at most `slice` of them in one call. */
bool allot_block_to_close(struct allot *a, uint64_t now, size_t slice,
	struct addr *first) MUSTCHECK;
void allot_block_closed(struct allot *a, const struct addr *first, bool stored);
/* At start, after all entries and what is gone: it was open. It is in
 * quarantine until then, and can be closed when those that are held have ended
 * too. 0 or -ENOMEM; one outside the pool is no block (it can be closed at
 * once). */
int allot_block_load(
	struct allot *a, const struct addr *first, uint64_t until) MUSTCHECK;

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
	uint64_t taken_peer; /* taken or gone that peers caused, and blocks */
	uint64_t tentative;  /* in use */
	uint64_t tentative_gone; /* in their short quarantine */
	uint64_t blocks;	 /* open */
	uint64_t blocks_held;	 /* in quarantine since the start */
};
void allot_stats(const struct allot *a, struct allot_stats *out);

#endif
