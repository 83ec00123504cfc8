/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of any length, printed as its rows come: the first ones are kept to
 * find the columns' widths, which then stay. Pure. */
#ifndef IPREFCTL_ROWS_H
#define IPREFCTL_ROWS_H

#include "iprefctl/render.h"

#define ROWS_KEPT 256

struct rows {
	FILE *out;
	const struct column *columns;
	size_t n_columns;
	size_t width[COLUMNS_MAX];
	json_t *kept[ROWS_KEPT]; /* references */
	size_t n_kept;
	bool begun; /* the heading is printed */
};

void rows_init(struct rows *r, FILE *out, const struct column *columns,
	size_t n_columns);
/* Takes a reference of its own if need be. */
void rows_put(struct rows *r, json_t *row);
/* Prints what is kept, and the heading of a table without rows if it is to be
 * there. */
void rows_end(struct rows *r, bool heading);

#endif
