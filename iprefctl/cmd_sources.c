/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl sources, source remove: who lists hosts, what of it is in force, and
 * what is kept out by whom. */
#include <stdio.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/rows.h"

static const struct column columns[] = {
	{"RECORDS", {"records"}},
	{"IN FORCE", {"in_force"}},
	{"REFUSED", {"refused"}},
	{"WAITING", {"waiting"}},
	{"CONFLICTS", {"conflicts"}},
	{"HEARD", {"heard"}},
	{"SILENT", {"silent"}},
	{"UNFINISHED", {"unfinished_records"}},
	{"SOURCE", {"source"}},
};

struct sources {
	struct rows rows;
	json_t *with_conflicts; /* sources; owned */
};

static void
add_shown(json_t *row)
{
	json_t *unfinished = json_object_get(row, "unfinished");
	char since[64];

	json_object_set_new(row, "heard",
		json_string(render_ago(json_object_get(row, "heard_seconds"),
			"-", since, sizeof(since))));
	if (json_is_object(unfinished))
		json_object_set(row, "unfinished_records",
			json_object_get(unfinished, "records"));
}

static int
on_row(json_t *row, void *arg)
{
	struct sources *s = arg;

	add_shown(row);
	rows_put(&s->rows, row);
	if (json_integer_value(json_object_get(row, "conflicts")) > 0)
		json_array_append(s->with_conflicts, row);
	return EXIT_DONE;
}

static void
print_conflicts(const json_t *source)
{
	static const struct column conflict_columns[] = {
		{"CONTEXT", {"gw"}},
		{"REFERENCE", {"ref"}},
		{"WANTED FOR", {"wanted"}},
		{"HELD FOR", {"held"}},
		{"BY", {"holder"}},
	};
	const json_t *list = json_object_get(source, "conflict_details");
	json_int_t n = json_integer_value(json_object_get(source, "conflicts"));
	json_int_t shown = (json_int_t)json_array_size(list);
	char name[RENDER_MAX];

	printf("\n%s: %" JSON_INTEGER_FORMAT " conflicts",
		render_value(
			json_object_get(source, "source"), name, sizeof(name)),
		n);
	printf(shown < n ? ", the first %" JSON_INTEGER_FORMAT ":\n" : ":\n",
		shown);
	render_table(
		stdout, list, conflict_columns, ARRAY_LEN(conflict_columns), 2);
}

int
cmd_sources(const struct iprefctl *ctl, const struct args *args)
{
	struct sources s = {.with_conflicts = json_array()};
	json_t *source;
	size_t i;
	int rc;

	(void)args;
	rows_init(&s.rows, stdout, columns, ARRAY_LEN(columns));
	rc = iprefctl_rows(
		ctl, "mapperd", "/sources", ctl->timeout_ms, on_row, &s);
	rows_end(&s.rows, !rc && !ctl->json);
	json_array_foreach (s.with_conflicts, i, source)
		print_conflicts(source);
	json_decref(s.with_conflicts);
	return rc;
}

int
cmd_source_remove(const struct iprefctl *ctl, const struct args *args)
{
	static const struct iprefctl_order order = {
		.command = "source remove",
		.page = "/source/remove",
		.key = "source",
		.count_key = "withdrawn",
		.done = "removed",
		.noun = "hosts withdrawn",
	};

	return iprefctl_order(ctl, &order, args->operands[0]);
}
