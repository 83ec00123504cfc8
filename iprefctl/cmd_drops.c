/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl drops: why gwd did not pass packets on. */
#include <assert.h>
#include <stdio.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/rows.h"

const struct args_option drops_options[] = {
	{"all", NULL, "all"},
};
static_assert(ARRAY_LEN(drops_options) == N_DROPS_OPTIONS, "all of them");

static const struct column columns[] = {
	{"REASON", {"reason"}},
	{"COUNT", {"count"}},
	{"LAST MINUTE", {"last_minute"}},
	{"LAST", {"ago"}},
	{"WAY", {"direction"}},
	{"FROM", {"from"}},
	{"TO", {"to"}},
	{"MEANING", {"help"}},
};

/* What is said of the last packet, as members of the row. */
static void
add_last(json_t *row)
{
	static const char *const keys[] = {"direction", "from", "to"};
	const json_t *last = json_object_get(row, "last");
	char text[64];
	size_t i;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(last, keys[i]))
			json_object_set(
				row, keys[i], json_object_get(last, keys[i]));
	json_object_set_new(row, "ago",
		json_string(render_ago(json_object_get(last, "seconds"), "-",
			text, sizeof(text))));
}

static int
on_row(json_t *row, void *arg)
{
	add_last(row);
	rows_put(arg, row);
	return EXIT_DONE;
}

int
cmd_drops(const struct iprefctl *ctl, const struct args *args)
{
	char target[ARGS_TARGET_MAX];
	struct rows rows;
	int rc;

	if (!args_target(
		    target, "/drops", args, drops_options, N_DROPS_OPTIONS))
		return EXIT_USAGE;
	rows_init(&rows, stdout, columns, ARRAY_LEN(columns));
	rc = iprefctl_rows(ctl, "gwd", target, ctl->timeout_ms, on_row, &rows);
	rows_end(&rows, !rc && !ctl->json);
	return rc;
}
