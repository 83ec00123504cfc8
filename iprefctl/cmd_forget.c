/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl forget: ends the dynamic mappings of one address, now. */
#include <stdio.h>

#include "iprefctl/iprefctl.h"

int
cmd_forget(const struct iprefctl *ctl, const struct args *args)
{
	char target[ARGS_TARGET_MAX] = "/forget";
	json_t *json;
	int rc;

	if (!args_query(target, "address", args->operands[0])) {
		iprefctl_error("forget: that is too long");
		return EXIT_USAGE;
	}
	rc = iprefctl_order(ctl, target, ctl->timeout_ms, &json);
	if (rc)
		return rc;
	if (ctl->json) {
		iprefctl_put_json(json);
		return EXIT_DONE;
	}
	printf("%s: forgotten; %" JSON_INTEGER_FORMAT " mappings\n",
		json_string_value(json_object_get(json, "address")),
		json_integer_value(json_object_get(json, "forgotten")));
	json_decref(json);
	return EXIT_DONE;
}
