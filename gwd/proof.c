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
	if (p->step == PROOF_NOTED)
		TAILQ_REMOVE(&ps->noted, p, noted);
	p->step = step;
	if (step == PROOF_NOTED)
		TAILQ_INSERT_TAIL(&ps->noted, p, noted);
}

void
proofs_add(struct proofs *ps, struct proof *p)
{
	*p = (struct proof){.walk = ps->walk};
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
void
proofs_step(struct proofs *ps, struct proof *p, enum way way)
{
	switch (p->step) {
	case PROOF_NONE:
	case PROOF_OUT:
		if (way == WAY_IN)
			set_step(ps, p, p->step + 1);
		break;
	case PROOF_IN:
		if (way == WAY_OUT)
			set_step(ps, p, PROOF_OUT);
		break;
	case PROOF_NOTED:
	case PROOF_TAKEN:
		break;
	}
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
	if (p->step == PROOF_TAKEN)
		p->step = PROOF_NONE;
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
