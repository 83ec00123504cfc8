/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl forget: ends the dynamic mappings of one address, now. */
#include "iprefctl/iprefctl.h"

int
cmd_forget(const struct iprefctl *ctl, const struct args *args)
{
	static const struct iprefctl_order order = {
		.command = "forget",
		.page = "/forget",
		.key = "address",
		.count_key = "forgotten",
		.done = "forgotten",
		.noun = "mappings",
	};

	return iprefctl_order(ctl, &order, args->operands[0]);
}
