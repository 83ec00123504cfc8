/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl mappings: every mapping that mapperd holds, a line each. */
#include <stdio.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/render.h"

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

int
cmd_mappings(const struct iprefctl *ctl, size_t n, char **args)
{
	const char *error;
	json_t *rows, *row;
	size_t i;

	if (n) {
		fprintf(stderr, "iprefctl: mappings takes no argument \"%s\"\n",
			args[0]);
		return EXIT_USAGE;
	}
	rows = iprefctl_get(ctl, "mapperd", "/mappings", &error);
	if (!rows) {
		fprintf(stderr, "iprefctl: mapperd: %s\n", error);
		return EXIT_ABSENT;
	}
	if (ctl->json) {
		iprefctl_put_json(rows);
		return EXIT_DONE;
	}
	json_array_foreach (rows, i, row)
		add_expires(row);
	render_table(stdout, rows, columns, ARRAY_LEN(columns), 0);
	json_decref(rows);
	return EXIT_DONE;
}
