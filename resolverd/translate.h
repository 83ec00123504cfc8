/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation: TXT -> AA strings -> context addresses -> MC_GET_EA -> answer
 * (spec/resolver.md, "Translation").
 */
#ifndef RESOLVERD_TRANSLATE_H
#define RESOLVERD_TRANSLATE_H

#include "resolverd/query.h"

#define TRANSLATE_STRINGS   16 /* AA strings of a name that are looked at */
#define TRANSLATE_ADDRESSES 8  /* context addresses of one string */
#define TRANSLATE_ASKS	    32 /* requests to the mapper for one query */

/* Starts for q->name; it ends in an answer, or with q->untranslated set in
 * query_resolve(). Never calls back from within. */
void translate_start(struct query *q);
/* Ends it without an answer. NULL is fine. */
void translate_free(struct translate *t);

#endif
