/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl peers: the other gateways, a line each, printed as they come. */
#include <stdio.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/rows.h"

static const struct column columns[] = {
	{"ADDRESS", {"address"}},
	{"PORT", {"port"}},
	{"STATE", {"state"}},
	{"HEARD", {"heard"}},
	{"MTU", {"path_mtu"}},
	{"PACKETS IN", {"in_packets"}},
	{"BYTES IN", {"in_bytes"}},
	{"PACKETS OUT", {"out_packets"}},
	{"BYTES OUT", {"out_bytes"}},
};

static int
on_row(json_t *row, void *arg)
{
	char text[64];

	json_object_set_new(row, "heard",
		json_string(render_ago(json_object_get(row, "heard_seconds"),
			"never", text, sizeof(text))));
	rows_put(arg, row);
	return EXIT_DONE;
}

int
cmd_peers(const struct iprefctl *ctl, const struct args *args)
{
	struct rows rows;
	int rc;

	(void)args;
	rows_init(&rows, stdout, columns, ARRAY_LEN(columns));
	rc = iprefctl_rows(
		ctl, "gwd", "/peers", ctl->timeout_ms, on_row, &rows);
	rows_end(&rows, !rc && !ctl->json);
	return rc;
}
