/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sets.c, inforce.c and sources.c share; for nobody else. */
#ifndef MAPPERD_SETS_IMPL_H
#define MAPPERD_SETS_IMPL_H

#include "mapperd/mapper_impl.h"

/* sources.c */
const char *source_text(
	const struct host_source *s, char buf[SOURCE_TEXT_MAX]) MUSTCHECK;
/* Its batches, its set or its removal are under way. */
bool source_busy(const struct mapper *m, const struct host_source *s);
/* The source of this name; made when it is new. NULL: no room. */
struct host_source *source_for(struct mapper *m, const struct source *name);
/* Its agent has announced something. */
void source_heard(struct mapper *m, struct host_source *s);
/* Says so when it has fallen silent. */
void source_check_silent(struct mapper *m, struct host_source *s);
/* Writes down the source's row; that its unfinished set goes. */
void source_plan(struct change *c, const struct host_source *s, bool held,
	uint64_t hash, uint32_t count);
void source_plan_clear(struct change *c, const struct host_source *s);
/* Questions that wait for this source: refused; looked at again. */
void source_refuse_asks(struct mapper *m, const struct host_source *s, int err);
void source_wake_asks(struct mapper *m, const struct source *name);
/* Its removal (a set job with an order) is stored, or is not. */
void source_removed(struct mapper *m, struct job *j);

/* inforce.c */
/* Writes down how the owner's hosts become these. */
void inforce_plan(struct mapper *m, struct job *j, uint32_t owner,
	struct host_entry *recs, size_t n);
/* j is what changes s now: no other set comes in force meanwhile. */
void inforce_submit(struct mapper *m, struct job *j, struct host_source *s);
/* A set is in force, or could not be stored. */
void inforce_done(struct mapper *m, struct host_source *s, int err);
/* The next set that is wanted, unless one is under way. */
void inforce_next(struct mapper *m);
/* Counts the conflicts of all sources again. */
void inforce_count_conflicts(struct mapper *m);

#endif
