/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl lookup: what one address, IPREF address or name is. */
#include <stdio.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/mapping.h"

#define FOUND_MAX 1000 /* mappings of one name */

static int
on_row(json_t *row, void *arg)
{
	json_t *found = arg;

	if (json_array_size(found) < FOUND_MAX &&
		!json_array_append(found, row))
		return EXIT_DONE;
	iprefctl_error(
		"lookup: more than %d mappings: see mappings", FOUND_MAX);
	return EXIT_ABSENT;
}

/* The operands as one text. */
static json_t *
asked_for(const struct args *args)
{
	json_t *all = json_string("");
	size_t i;

	for (i = 0; i < args->n; i++) {
		json_t *more = json_sprintf("%s%s%s", json_string_value(all),
			i ? " " : "", args->operands[i]);

		json_decref(all);
		all = more;
	}
	return all;
}

int
cmd_lookup(const struct iprefctl *ctl, const struct args *args)
{
	char target[ARGS_TARGET_MAX], error[ARGS_ERROR_MAX];
	struct iprefctl as_text = *ctl;
	json_t *found = json_array(), *what = asked_for(args), *row;
	int rc = EXIT_USAGE;
	size_t i;

	as_text.json = false; /* read here in either case */
	if (args_lookup(target, args->n, args->operands, error))
		rc = iprefctl_rows(&as_text, "mapperd", target, ctl->timeout_ms,
			on_row, found);
	else
		iprefctl_error("lookup: %s", error);
	if (!rc && ctl->json)
		iprefctl_put_json(
			json_pack("{s:O, s:b, s:O}", "lookup", what, "found",
				json_array_size(found) > 0, "mappings", found));
	else if (!rc)
		json_array_foreach (found, i, row)
			mapping_print(stdout, row);
	if (!rc && !json_array_size(found)) {
		if (!ctl->json)
			printf("%s: there is no such mapping\n",
				json_string_value(what));
		rc = EXIT_ABSENT;
	}
	json_decref(found);
	json_decref(what);
	return rc;
}
