/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What allot.c, allot_tentative.c and allot_ref.c share; for nobody else. */
#ifndef MAPPERD_ALLOT_IMPL_H
#define MAPPERD_ALLOT_IMPL_H

#include "mapperd/allot.h"
#include "mapperd/block.h"
#include "mapperd/gone.h"
#include "mapperd/pool.h"
#include "mapperd/quota.h"

/* Draws until one is free, where collisions are a wonder. */
#define DRAWS_MAX 64

struct allot {
	struct allot_config cfg;
	unsigned host_bits;
	bool small;	   /* there is a bitmap */
	struct pool pool;  /* small: virgin eas by host part */
	struct table live; /* large: struct taken, owned */
	bool suspect;	   /* virgin ones are as if gone since suspect_at */
	uint64_t suspect_at;
	uint64_t size, n_taken;
	uint64_t n_peer; /* of peers: taken, gone, all eas of blocks */
	struct quotas quotas;
	struct gone_set eas, refs;
	struct blocks blocks;
	uint64_t tokens, tokens_at; /* thousandths of a reference; ms */
};

/* Where an ea that is handed out comes from. */
enum allot_source {
	FROM_POOL,
	FROM_GONE, /* the one gone longest */
	FROM_NOTHING,
};

/* With a bitmap. */
enum allot_source allot_source(const struct allot *a, uint64_t now);
/* How many eas more may count for peers. */
uint64_t allot_share_left(const struct allot *a);
/* The low 64 bits of the host part. */
uint64_t allot_host_part(const struct allot *a, const struct addr *ea);
/* Whether we may hand it out at all. */
bool allot_in_pool(const struct allot *a, const struct addr *ea);
/* Notes an ea as taken: 0 or -ENOMEM. */
int allot_mark(struct allot *a, const struct addr *ea) MUSTCHECK;
/* In a large network: it is taken. */
bool allot_live(const struct allot *a, const struct addr *ea);
/* A random host part (large networks). */
uint64_t allot_random_host(const struct allot *a);
/* A number below n, each as likely as the others. */
uint64_t allot_random_below(const struct allot *a, uint64_t n);

/* It is over since `at` by `wait`. */
static inline bool
allot_waited(uint64_t now, uint64_t at, uint64_t wait)
{
	return now >= at && now - at >= wait;
}

/* How long what is gone waits when nothing else is left. */
static inline uint64_t
allot_least_wait(const struct allot *a)
{
	return a->cfg.quarantine_ms < a->cfg.reuse_ms ? a->cfg.quarantine_ms
						      : a->cfg.reuse_ms;
}

#endif
