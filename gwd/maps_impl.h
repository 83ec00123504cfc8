/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How maps.c and maps_seen.c hold the mappings. */
#ifndef GWD_MAPS_IMPL_H
#define GWD_MAPS_IMPL_H

#include <assert.h>
#include <sys/queue.h>

#include "gwd/maps.h"
#include "gwd/proof.h"
#include "libipref/table.h"

/* How an IPREF address is looked up: the adjacent fields gw, ref of a map. */
struct ipref_key {
	struct addr gw;
	struct ref ref;
};

static_assert(offsetof(struct map, ref) - offsetof(struct map, gw) ==
		      offsetof(struct ipref_key, ref),
	"gw and ref of a map are one key");
static_assert(
	sizeof(struct ipref_key) == sizeof(struct addr) + sizeof(struct ref),
	"a key has no padding");

/* A local entry is one of a ring of those with the same address, and of one of
 * those with the same reference; each ring has one that serves. */
enum {
	BY_IP,
	BY_REF,
	N_RINGS
};

struct link {
	struct node *next, *prev; /* NULL: in no ring; itself: alone in it */
};

/* What those who carry packets tell of an entry, and what they have to know. */
enum {
	NEWS_USED = 1,	    /* it carried a packet; until it may be told anew */
	NEWS_LISTED = 2,    /* it is in maps.news, or about to be */
	NEWS_GONE = 4,	    /* it was removed */
	NEWS_TENTATIVE = 8, /* its steps count, see proof.h */
};

/* What the writer knows of it. */
enum use {
	USE_NONE,  /* nothing; in no list */
	USE_WAITS, /* it carried a packet, to be taken */
	USE_TAKEN, /* that was taken */
	USE_N,
};

#define CACHE_LINE 64

/* At the begin of a line of the cache; what a packet needs is all in it. */
struct node {
	_Atomic unsigned news; /* anyone; changes once for many packets */
	struct map map;	       /* readers: local, gw, ref; else the writer */
	_Atomic(struct node *) told; /* the next in maps.news; who listed it */
	uint8_t use;		     /* enum use: the list it is in */
	union {
		struct link ring[N_RINGS]; /* a local entry */
		struct proof proof;	   /* a tentative entry */
	};
	TAILQ_ENTRY(node) all, using;
};

static_assert(offsetof(struct node, map.remote) < CACHE_LINE,
	"readers touch one line of a node");

TAILQ_HEAD(node_list, node);

struct maps {
	struct addr pub;
	size_t max, n_remote, n_local;
	uint32_t epoch;
	uint64_t seed[2];
	maps_retire *retire;
	/* For readers; those of local entries hold what serves. */
	struct maps_table by_ea;   /* remote: map.local -> node */
	struct maps_table by_peer; /* remote: map.gw, map.ref -> node */
	struct maps_table serving[N_RINGS]; /* map.local, or map.ref -> node */
	/* The writer's. */
	struct table by_own;		  /* local: map.gw, map.ref -> node */
	struct node_list all, use[USE_N]; /* by `all`, by `using` */
	size_t n_use[USE_N];
	struct proofs proofs;
	_Atomic(struct node *) news; /* anyone adds, the writer takes all */
};

static inline bool
node_is_tentative(const struct node *n)
{
	return n->map.flags & MSG_ENTRY_TENTATIVE;
}

/* The remote entry with this ea. */
struct node *maps_find_ea(const struct maps *m, const struct addr *ea);
/* Takes a node out of everything; one that is only half in, too. */
void maps_remove(struct maps *m, struct node *n);
/* Takes what has been told of entries. */
void maps_hear(struct maps *m);
/* The node is not to be found any more: nor is it told of. */
void maps_unhear(struct maps *m, struct node *n);

#endif
