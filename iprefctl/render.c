/* SPDX-License-Identifier: GPL-2.0-or-later */
/* JSON as text for people. Widths are counted in bytes: all that daemons say
 * is ASCII, but for names, which are shown as they are. */
#include "iprefctl/render.h"

#include <inttypes.h>
#include <string.h>

/* C0 and C1, the latter in UTF-8, which JSON is. */
static void
mask_controls(char *s)
{
	unsigned char c, next;

	for (; *s; s++) {
		c = (unsigned char)s[0];
		next = (unsigned char)s[1];
		if (c == 0xc2 && next >= 0x80 && next < 0xa0)
			s[0] = s[1] = '?';
		else if (c < 0x20 || c == 0x7f)
			s[0] = '?';
	}
}

const char *
render_value(const json_t *value, char *buf, size_t size)
{
	if (json_is_string(value))
		snprintf(buf, size, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(buf, size, "%" JSON_INTEGER_FORMAT,
			json_integer_value(value));
	else if (json_is_real(value))
		snprintf(buf, size, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, size, "%s", json_is_true(value) ? "yes" : "no");
	else
		snprintf(buf, size, "-");
	mask_controls(buf);
	if (!*buf)
		snprintf(buf, size, "-");
	return buf;
}

const char *
render_duration(uint64_t seconds, char *buf, size_t size)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	size_t i;

	for (i = 0; i < ARRAY_LEN(units) - 1; i++)
		if (seconds >= units[i].seconds)
			break;
	if (i == ARRAY_LEN(units) - 1)
		snprintf(buf, size, "%" PRIu64 " s", seconds);
	else
		snprintf(buf, size, "%" PRIu64 " %s %" PRIu64 " %s",
			seconds / units[i].seconds, units[i].name,
			seconds % units[i].seconds / units[i + 1].seconds,
			units[i + 1].name);
	return buf;
}

const char *
render_ago(const json_t *seconds, const char *never, char *buf, size_t size)
{
	char text[64];

	if (!json_is_integer(seconds)) {
		snprintf(buf, size, "%s", never);
		return buf;
	}
	render_duration(
		(uint64_t)json_integer_value(seconds), text, sizeof(text));
	snprintf(buf, size, "%s ago", text);
	return buf;
}

static const json_t *
cell(const json_t *row, const struct column *column)
{
	const json_t *value;
	size_t k;

	for (k = 0; k < ARRAY_LEN(column->keys) && column->keys[k]; k++) {
		value = json_object_get(row, column->keys[k]);
		if (value && !json_is_null(value))
			return value;
	}
	return NULL;
}

void
render_widths(const json_t *row, const struct column *columns, size_t n,
	size_t width[COLUMNS_MAX])
{
	char buf[RENDER_MAX];
	size_t c, len;

	for (c = 0; c < n; c++) {
		len = row ? strlen(render_value(
				    cell(row, &columns[c]), buf, sizeof(buf)))
			  : strlen(columns[c].heading);
		if (!row || len > width[c])
			width[c] = len;
	}
}

void
render_heading(FILE *out, const struct column *columns, size_t n,
	const size_t width[COLUMNS_MAX], int indent)
{
	size_t c;

	fprintf(out, "%*s", indent, "");
	for (c = 0; c < n; c++)
		fprintf(out, "%-*s%s", c + 1 < n ? (int)width[c] : 0,
			columns[c].heading, c + 1 < n ? "  " : "\n");
}

void
render_row(FILE *out, const json_t *row, const struct column *columns, size_t n,
	const size_t width[COLUMNS_MAX], int indent)
{
	char buf[RENDER_MAX];
	size_t c;

	if (!json_is_object(row))
		return;
	fprintf(out, "%*s", indent, "");
	for (c = 0; c < n; c++)
		fprintf(out, "%-*s%s", c + 1 < n ? (int)width[c] : 0,
			render_value(cell(row, &columns[c]), buf, sizeof(buf)),
			c + 1 < n ? "  " : "\n");
}

void
render_table(FILE *out, const json_t *rows, const struct column *columns,
	size_t n_columns, int indent)
{
	size_t width[COLUMNS_MAX], r;
	const json_t *row;

	if (n_columns > COLUMNS_MAX)
		n_columns = COLUMNS_MAX;
	render_widths(NULL, columns, n_columns, width);
	json_array_foreach (rows, r, row)
		render_widths(row, columns, n_columns, width);
	render_heading(out, columns, n_columns, width, indent);
	json_array_foreach (rows, r, row)
		render_row(out, row, columns, n_columns, width, indent);
}

static bool
is_scalar(const json_t *value)
{
	return !json_is_array(value) && !json_is_object(value);
}

static bool
has_column(const struct column *columns, size_t n, const char *heading)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(columns[i].heading, heading))
			return true;
	return false;
}

/* A table whose columns are the members that any of the rows has. */
static void
render_rows(FILE *out, const json_t *rows, int indent)
{
	struct column columns[COLUMNS_MAX] = {0};
	json_t *row, *value;
	const char *key;
	size_t i, n = 0;

	json_array_foreach (rows, i, row)
		json_object_foreach (row, key, value)
			if (n < COLUMNS_MAX && is_scalar(value) &&
				!has_column(columns, n, key))
				columns[n++] = (struct column){key, {key}};
	render_table(out, rows, columns, n, indent);
}

/* Whether rows hold nothing but scalars, so that a table shows all of them. */
static bool
is_flat(const json_t *rows)
{
	const char *key;
	json_t *row, *value;
	size_t i;

	json_array_foreach (rows, i, row)
		json_object_foreach (row, key, value)
			if (!is_scalar(value) && json_array_size(value) > 0)
				return false;
	return true;
}

/* An array of objects: a table, or one paragraph each. */
static void
render_array(FILE *out, const char *name, const json_t *rows, int indent)
{
	json_t *row;
	size_t i;

	if (is_flat(rows)) {
		fprintf(out, "%*s%s:\n", indent, "", name);
		render_rows(out, rows, indent + 2);
		return;
	}
	json_array_foreach (rows, i, row) {
		fprintf(out, "%*s%s %zu:\n", indent, "", name, i + 1);
		render_object(out, row, indent + 2);
	}
}

void
render_object(FILE *out, const json_t *object, int indent)
{
	char buf[RENDER_MAX];
	const char *key;
	json_t *value;
	int width = 0;

	/* jansson's loop wants a pointer that is not const, but only reads. */
	json_object_foreach ((json_t *)object, key, value)
		if (is_scalar(value) && (int)strlen(key) > width)
			width = (int)strlen(key);
	json_object_foreach ((json_t *)object, key, value) {
		if (json_is_object(value)) {
			fprintf(out, "%*s%s:\n", indent, "", key);
			render_object(out, value, indent + 2);
		} else if (json_is_array(value) &&
			   json_is_object(json_array_get(value, 0))) {
			render_array(out, key, value, indent);
		} else if (!json_is_array(value)) {
			fprintf(out, "%*s%-*s  %s\n", indent, "", width, key,
				render_value(value, buf, sizeof(buf)));
		}
	}
}
