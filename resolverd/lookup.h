/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reverse names of the encoding network: answered from the mappings (the name
 * that was asked for when the mapping was made), never forwarded.
 */
#ifndef RESOLVERD_LOOKUP_H
#define RESOLVERD_LOOKUP_H

#include "resolverd/query.h"

/* The name is a reverse name inside of the encoding network. */
bool lookup_covers(const struct resolver *r, const struct name *name);
/* Answers, now or when the mapper has. */
void lookup_start(struct query *q);
/* NULL is fine. */
void lookup_free(struct lookup *l);

#endif
