/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/proof.h"

void
proofs_init(struct proofs *ps)
{
	*ps = (struct proofs){0};
	TAILQ_INIT(&ps->all);
	TAILQ_INIT(&ps->noted);
}

static void
set_step(struct proofs *ps, struct proof *p, enum proof_step step)
{
	if (p->is_noted)
		TAILQ_REMOVE(&ps->noted, p, noted);
	p->is_noted = step == PROOF_NOTED;
	atomic_store(&p->step, step);
	if (p->is_noted)
		TAILQ_INSERT_TAIL(&ps->noted, p, noted);
}

void
proofs_add(struct proofs *ps, struct proof *p)
{
	p->is_noted = false;
	p->walk = ps->walk;
	atomic_store(&p->step, PROOF_NONE);
	TAILQ_INSERT_TAIL(&ps->all, p, all);
	ps->n++;
}

void
proofs_del(struct proofs *ps, struct proof *p)
{
	set_step(ps, p, PROOF_NONE);
	TAILQ_REMOVE(&ps->all, p, all);
	ps->n--;
}

/* A host's own RST, or SYN-ACK, to a made-up packet is the second step; an
 * answer to that proves that somebody is there. */
bool
proof_step(struct proof *p, enum way way)
{
	int step = atomic_load_explicit(&p->step, memory_order_relaxed);
	enum way next = step == PROOF_IN ? WAY_OUT : WAY_IN;

	/* Of several at once one takes the step. */
	return step <= PROOF_OUT && way == next &&
	       atomic_compare_exchange_strong(&p->step, &step, step + 1) &&
	       step + 1 == PROOF_NOTED;
}

void
proofs_look(struct proofs *ps, struct proof *p)
{
	if (!p->is_noted && atomic_load(&p->step) == PROOF_NOTED)
		set_step(ps, p, PROOF_NOTED);
}

struct proof *
proofs_take(struct proofs *ps)
{
	struct proof *p = TAILQ_FIRST(&ps->noted);

	if (p)
		set_step(ps, p, PROOF_TAKEN);
	return p;
}

void
proofs_note(struct proofs *ps, struct proof *p)
{
	set_step(ps, p, PROOF_NOTED);
}

void
proofs_anew(struct proof *p)
{
	if (atomic_load(&p->step) == PROOF_TAKEN)
		atomic_store(&p->step, PROOF_NONE);
}

void
proofs_walk(struct proofs *ps)
{
	ps->walk++;
}

struct proof *
proofs_walk_next(struct proofs *ps)
{
	struct proof *p = TAILQ_FIRST(&ps->all);

	if (!p || p->walk == ps->walk)
		return NULL;
	p->walk = ps->walk;
	TAILQ_REMOVE(&ps->all, p, all);
	TAILQ_INSERT_TAIL(&ps->all, p, all);
	return p;
}
