/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks of eas for tentative mappings (allot.h): opened durably before
 * anything is drawn from them, and closed when they are needed no more.
 *
 * They are opened ahead of need: what is left is to last for LEAD_TICKS at the
 * rate at which eas are asked for now, so that a flood waits for no disk.
 * Questions that do have to wait join the last job that opens some: all before
 * it are done by then.
 */
#include "mapperd/mapper_impl.h"

#define TICK_MS	   200	/* ticks that follow each other faster are one */
#define LEAD_TICKS 8	/* 2 s */
#define LOW_MIN	   512	/* eas left: more are opened below it */
#define LOW_MAX	   4096 /* however many are asked for */
#define OPEN_MAX   4	/* blocks in a change: bounds the loop's time */
#define CLOSE_MAX  16
#define QUIET_MAX  4096 /* short quarantines that end in one step */
#define RETRY_MS   1000

/* Eas that are to be left, or more blocks are opened. */
static uint64_t
low_water(const struct mapper *m)
{
	uint64_t low = (uint64_t)m->drawn * LEAD_TICKS;

	if (low < m->demand)
		low = m->demand;
	if (low < LOW_MIN)
		return LOW_MIN;
	return low < LOW_MAX ? low : LOW_MAX;
}

/* Eas that can be drawn now or soon. */
static uint64_t
in_sight(const struct mapper *m)
{
	return allot_tentative_left(m->allot) + m->n_opening * BLOCK_SIZE;
}

/* Puts the opening of a block into the job. */
static enum allot_result
plan_block(struct mapper *m, struct job *j)
{
	struct addr first, forget[BLOCK_SIZE];
	size_t n, i;
	enum allot_result res =
		allot_block_begin(m->allot, mapper_now(m), &first, forget, &n);
	struct op *op;

	if (res != ALLOT_OK)
		return res;
	op = change_op(&j->store.change, OP_BLOCK);
	if (!op) {
		allot_block_opened(m->allot, &first, false);
		return ALLOT_NOMEM;
	}
	op->data.addr = first;
	for (i = 0; i < n; i++) {
		op = change_op(&j->store.change, OP_FORGET);
		if (op)
			op->data = (struct entry_data){
				.kind = ENTRY_REMOTE, .addr = forget[i]};
	}
	return ALLOT_OK;
}

/* A job that opens as many blocks as are wanted, or NULL and why not even one.
 */
static struct job *
plan_opening(struct mapper *m, enum allot_result *res)
{
	uint64_t want = 2 * low_water(m);
	struct job *j = job_new(JOB_BLOCKS);
	unsigned n = 0;

	*res = j ? ALLOT_OK : ALLOT_NOMEM;
	while (*res == ALLOT_OK && n < OPEN_MAX && (!n || in_sight(m) < want)) {
		*res = plan_block(m, j);
		if (*res == ALLOT_OK) {
			n++;
			m->n_opening++;
		}
	}
	if (n) {
		m->opening = j;
		return j;
	}
	if (j)
		job_free(j);
	return NULL;
}

void
reserve_wait(struct mapper *m, const struct ask *a)
{
	enum allot_result res = ALLOT_OK;
	struct job *j = NULL;

	if (!m->opening || in_sight(m) < low_water(m))
		j = plan_opening(m, &res);
	if (!m->opening)
		ask_refuse(m, a, ask_result_of_allot(res));
	else if (!job_add_ask(m, m->opening, a))
		ask_refuse(m, a, ASK_FULL);
	if (j)
		job_submit(m, j);
}

void
reserve_ahead(struct mapper *m)
{
	enum allot_result res;
	struct job *j;

	if (in_sight(m) >= low_water(m) || mapper_now(m) < m->blocks_retry_at)
		return;
	j = plan_opening(m, &res);
	if (j)
		job_submit(m, j);
	else
		m->blocks_retry_at = mapper_now(m) + RETRY_MS;
}

void
reserve_done(struct mapper *m, struct job *j, bool stored)
{
	const struct change *c = &j->store.change;
	size_t i;

	for (i = 0; i < c->n; i++) {
		if (c->ops[i].kind == OP_BLOCK) {
			allot_block_opened(
				m->allot, &c->ops[i].data.addr, stored);
			m->n_opening--;
		} else if (c->ops[i].kind == OP_BLOCK_DEL)
			allot_block_closed(
				m->allot, &c->ops[i].data.addr, stored);
	}
	if (j == m->closing)
		m->closing = NULL;
	if (j == m->opening)
		m->opening = NULL;
	if (!stored)
		m->blocks_retry_at = mapper_now(m) + RETRY_MS;
}

static void
close_blocks(struct mapper *m)
{
	struct job *j = m->closing ? NULL : job_new(JOB_BLOCKS);
	struct addr first;
	struct op *op;
	int i;

	if (!j)
		return;
	for (i = 0; i < CLOSE_MAX && allot_block_to_close(m->allot,
					     mapper_now(m), QUIET_MAX, &first);
		i++) {
		op = change_op(&j->store.change, OP_BLOCK_DEL);
		if (op)
			op->data.addr = first;
		else
			allot_block_closed(m->allot, &first, false);
	}
	if (!j->store.change.n) {
		job_free(j);
		return;
	}
	m->closing = j;
	job_submit(m, j);
}

static void
fade_demand(struct mapper *m)
{
	m->demand_at = mapper_now(m);
	m->demand -= m->demand / LEAD_TICKS;
	if (m->demand < (uint64_t)m->drawn * LEAD_TICKS)
		m->demand = (uint64_t)m->drawn * LEAD_TICKS;
	m->drawn = 0;
	allot_tentative_keep(m->allot, 2 * low_water(m) + BLOCK_SIZE);
}

void
reserve_tick(struct mapper *m)
{
	if (mapper_now(m) - m->demand_at >= TICK_MS)
		fade_demand(m);
	close_blocks(m);
}
