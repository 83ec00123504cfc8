/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tentative entries and what has been seen of them (design.md, "Unsolicited
 * mappings"): one is proved when packets that it carried went in, then out,
 * then in again. Pure.
 *
 * For maps.c, whose nodes hold a struct proof each. Entries that are not
 * tentative have nothing to do with any of this.
 */
#ifndef GWD_PROOF_H
#define GWD_PROOF_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "gwd/core.h"

enum proof_step {
	PROOF_NONE,
	PROOF_IN,    /* a packet came in, */
	PROOF_OUT,   /* then one went out, */
	PROOF_NOTED, /* then one came in again */
	PROOF_TAKEN, /* mapperd is told so */
};

struct proof {
	_Atomic int step;	  /* enum proof_step; anyone */
	bool is_noted;		  /* it is in `noted` */
	uint32_t walk;		  /* the last that has passed it */
	TAILQ_ENTRY(proof) all;	  /* those that the walk has passed come last */
	TAILQ_ENTRY(proof) noted; /* the writer has seen it PROOF_NOTED */
};

TAILQ_HEAD(proof_list, proof);

struct proofs {
	struct proof_list all, noted;
	size_t n;
	uint32_t walk;
};

void proofs_init(struct proofs *ps);
/* An entry becomes tentative, or ends being so; the storage is the caller's. */
void proofs_add(struct proofs *ps, struct proof *p);
void proofs_del(struct proofs *ps, struct proof *p);

/* The entry carried a packet this way; any thread. Most change nothing. True:
 * it is PROOF_NOTED now, and proofs_look() has to be called for it. */
bool proof_step(struct proof *p, enum way way);
void proofs_look(struct proofs *ps, struct proof *p);
/* The next that is noted: it is PROOF_TAKEN then. NULL: none. */
struct proof *proofs_take(struct proofs *ps);
/* One that was taken is noted again. */
void proofs_note(struct proofs *ps, struct proof *p);
/* One that was taken has to take all steps again. */
void proofs_anew(struct proof *p);

/* All, once each: begin, then next until NULL. Others may be added (the walk
 * leaves them out) and removed in between. */
void proofs_walk(struct proofs *ps);
struct proof *proofs_walk_next(struct proofs *ps);

#endif
