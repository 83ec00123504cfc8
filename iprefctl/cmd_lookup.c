/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl lookup: what one address, IPREF address or name is. */
#include <stdio.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/render.h"

#define FOUND_MAX 1000 /* mappings of one name */

static const char *
text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "-";
}

static void
duration(const json_t *row, const char *key, char *buf, size_t size)
{
	const json_t *seconds = json_object_get(row, key);

	if (json_is_integer(seconds))
		render_duration(
			(uint64_t)json_integer_value(seconds), buf, size);
	else
		snprintf(buf, size, "never");
}

/* Who made it, and why. */
static const char *
maker(const json_t *row)
{
	const char *cause = json_string_value(json_object_get(row, "cause"));

	if (json_is_true(json_object_get(row, "tentative")))
		return "mapper: tentative, for packets that have arrived";
	if (json_is_true(json_object_get(row, "listed")))
		return text(row, "owner");
	if (!cause)
		return "mapper: for packets that left";
	return *cause == 'r' ? "mapper: asked for by a resolver"
			     : "mapper: for packets that have arrived";
}

static void
print_mapping(const json_t *row)
{
	const char *ea = json_string_value(json_object_get(row, "ea"));
	char age[64], ends[64], ipref[256], made[160];
	json_t *shown;

	duration(row, "age_seconds", age, sizeof(age));
	duration(row, "expires_seconds", ends, sizeof(ends));
	snprintf(ipref, sizeof(ipref), "%s + %s", text(row, "gw"),
		text(row, "ref"));
	snprintf(made, sizeof(made), "%s ago, change %" JSON_INTEGER_FORMAT,
		age, json_integer_value(json_object_get(row, "revision")));
	printf("%s: a %s\n", ea ? ea : text(row, "ip"),
		ea ? "remote host's address here" : "host of this network");
	shown = json_pack("{s:s, s:s, s:s, s:s, s:s}",
		ea ? "stands for" : "known as", ipref, "name",
		text(row, "name"), "owner", maker(row), "made", made,
		json_is_null(json_object_get(row, "expires_seconds"))
			? "ends"
			: "ends in",
		ends);
	render_object(stdout, shown, 2);
	json_decref(shown);
}

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
			print_mapping(row);
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
