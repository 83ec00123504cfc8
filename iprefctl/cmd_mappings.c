/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl mappings: the mappings that mapperd holds, a line each, printed as
 * they come. */
#include <stdio.h>

#include <assert.h>
#include "iprefctl/iprefctl.h"
#include "iprefctl/rows.h"

const struct args_option mappings_options[] = {
	{"owner", "OWNER", "owner"},
	{"name", "NAME", "name"},
	{"address", "ADDRESS", "address"},
	{"tentative", NULL, "tentative"},
};
static_assert(ARRAY_LEN(mappings_options) == N_MAPPINGS_OPTIONS, "all of them");

static const struct column columns[] = {
	{"KIND", {"kind"}},
	{"ADDRESS", {"ea", "ip"}},
	{"CONTEXT", {"gw"}},
	{"REFERENCE", {"ref"}},
	{"OWNER", {"owner"}},
	{"EXPIRES", {"expires"}},
	{"NAME", {"name"}},
};

/* Adds "expires" for people to a row: "3 h 59 min", or nothing. */
static void
add_expires(json_t *row)
{
	const json_t *seconds = json_object_get(row, "expires_seconds");
	char text[64];

	if (!json_is_integer(seconds))
		return;
	render_duration(
		(uint64_t)json_integer_value(seconds), text, sizeof(text));
	json_object_set_new(row, "expires", json_string(text));
}

static int
on_row(json_t *row, void *arg)
{
	add_expires(row);
	rows_put(arg, row);
	return EXIT_DONE;
}

int
cmd_mappings(const struct iprefctl *ctl, const struct args *args)
{
	char target[ARGS_TARGET_MAX];
	struct rows rows;
	int rc;

	if (!args_target(target, "/mappings", args, mappings_options,
		    N_MAPPINGS_OPTIONS)) {
		iprefctl_error("mappings: that is too long");
		return EXIT_USAGE;
	}
	rows_init(&rows, stdout, columns, ARRAY_LEN(columns));
	rc = iprefctl_rows(
		ctl, "mapperd", target, ctl->timeout_ms, on_row, &rows);
	rows_end(&rows, !rc && !ctl->json);
	return rc;
}
