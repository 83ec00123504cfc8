/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "iprefctl/rows.h"

void
rows_init(struct rows *r, FILE *out, const struct column *columns,
	size_t n_columns)
{
	*r = (struct rows){
		.out = out, .columns = columns, .n_columns = n_columns};
	render_widths(NULL, columns, n_columns, r->width);
}

static void
flush(struct rows *r)
{
	size_t i;

	if (!r->begun)
		render_heading(r->out, r->columns, r->n_columns, r->width, 0);
	r->begun = true;
	for (i = 0; i < r->n_kept; i++) {
		render_row(r->out, r->kept[i], r->columns, r->n_columns,
			r->width, 0);
		json_decref(r->kept[i]);
	}
	r->n_kept = 0;
}

void
rows_put(struct rows *r, json_t *row)
{
	if (r->begun) {
		render_row(r->out, row, r->columns, r->n_columns, r->width, 0);
		return;
	}
	render_widths(row, r->columns, r->n_columns, r->width);
	r->kept[r->n_kept++] = json_incref(row);
	if (r->n_kept == ROWS_KEPT)
		flush(r);
}

void
rows_end(struct rows *r, bool heading)
{
	if (r->n_kept || (heading && !r->begun))
		flush(r);
}
