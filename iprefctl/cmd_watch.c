/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl watch: changes of the mappings as they happen, until it is
 * interrupted or mapperd stops. */
#include <stdio.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/render.h"

static const char *
text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "-";
}

static void
print_change(const json_t *row)
{
	const char *ea = json_string_value(json_object_get(row, "ea"));
	const json_t *name = json_object_get(row, "name");
	char owner[RENDER_MAX], shown[RENDER_MAX];

	printf("%" JSON_INTEGER_FORMAT " %s %s %s %s + %s %s%s%s\n",
		json_integer_value(json_object_get(row, "revision")),
		text(row, "change"), text(row, "kind"),
		ea ? ea : text(row, "ip"), text(row, "gw"), text(row, "ref"),
		render_value(
			json_object_get(row, "owner"), owner, sizeof(owner)),
		json_is_string(name) ? " " : "",
		json_is_string(name) ? render_value(name, shown, sizeof(shown))
				     : "");
}

static int
on_row(json_t *row, void *arg)
{
	json_int_t revision =
		json_integer_value(json_object_get(row, "revision"));

	(void)arg;
	if (json_is_true(json_object_get(row, "lost")))
		printf("%" JSON_INTEGER_FORMAT
		       " lost: changes up to this one are missing here\n",
			revision);
	else if (*text(row, "change") == 's' && !json_object_get(row, "kind"))
		printf("%" JSON_INTEGER_FORMAT " start\n", revision);
	else
		print_change(row);
	if (!fflush(stdout))
		return EXIT_DONE;
	iprefctl_error("can't write");
	return EXIT_ABSENT;
}

int
cmd_watch(const struct iprefctl *ctl, const struct args *args)
{
	char target[ARGS_TARGET_MAX];

	if (!args_target(target, "/watch", args, mappings_options,
		    N_MAPPINGS_OPTIONS)) {
		iprefctl_error("watch: that is too long");
		return EXIT_USAGE;
	}
	return iprefctl_rows(ctl, "mapperd", target, 0, on_row, NULL);
}
