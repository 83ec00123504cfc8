/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON as text for people: indented members, aligned tables. Pure. */
#ifndef IPREFCTL_RENDER_H
#define IPREFCTL_RENDER_H

#include <jansson.h>
#include <stdio.h>

#include "libipref/base.h"

#define COLUMNS_MAX 16	 /* of a table */
#define RENDER_MAX  1100 /* of a value: a DNS name with every byte escaped */

/* The members of an object, one a line, values aligned, those of objects
 * inside indented below their name; an array of objects as a table, or as
 * paragraphs when they hold arrays or objects themselves. */
void render_object(FILE *out, const json_t *object, int indent);

/* One column of a table: the heading, and the keys whose first present value
 * in a row is shown ("-" when none is). */
struct column {
	const char *heading;
	const char *keys[4];
};
/* rows: an array of objects; what is no object is left out. Columns are as wide
 * as their widest value. */
void render_table(FILE *out, const json_t *rows, const struct column *columns,
	size_t n_columns, int indent);

/* Its parts, for tables that are printed as they come. Widths: of the headings
 * when row is NULL, else grown to what the row needs. At most COLUMNS_MAX
 * columns. */
void render_widths(const json_t *row, const struct column *columns, size_t n,
	size_t width[COLUMNS_MAX]);
void render_heading(FILE *out, const struct column *columns, size_t n,
	const size_t width[COLUMNS_MAX], int indent);
void render_row(FILE *out, const json_t *row, const struct column *columns,
	size_t n, const size_t width[COLUMNS_MAX], int indent);

/* A scalar as text into buf, cut when it does not fit; "-" for null. Control
 * characters, which a terminal might obey, become '?'. */
const char *render_value(const json_t *value, char *buf, size_t size);
/* "3 d 4 h", "2 h 5 min", "1 min 3 s", "12 s". */
const char *render_duration(uint64_t seconds, char *buf, size_t size);
/* "12 s ago"; `never` when seconds is no number. */
const char *render_ago(
	const json_t *seconds, const char *never, char *buf, size_t size);

#endif
