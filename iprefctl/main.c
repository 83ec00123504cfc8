/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl: asks the daemons and prints what they say. One row per command. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iprefctl/iprefctl.h"
#include "libipref/conf.h"
#include "libipref/log.h"

static const struct command commands[] = {
	{"status", "[DAEMON...]",
		"what works and what does not, of each daemon or of those "
		"named",
		cmd_status},
	{"mappings", "", "all mappings that mapperd holds", cmd_mappings},
};

static const struct conf_row rows[] = {
	{.name = "timeout",
		.type = CONF_UINT,
		.off = offsetof(struct iprefctl, timeout_ms),
		.min = 1,
		.max = 3600000,
		.def = "5000",
		.arg = "MS",
		.help = "milliseconds to wait for an answer"},
	{.name = "json",
		.type = CONF_BOOL,
		.off = offsetof(struct iprefctl, json),
		.flags = CONF_OPTION_ONLY,
		.help = "print JSON, also when given behind the command"},
};

static int
usage(void)
{
	size_t i;

	fprintf(stderr, "usage: iprefctl [--json] COMMAND [ARGUMENT...]\n");
	for (i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(stderr, "  %-8s %-12s %s\n", commands[i].name,
			commands[i].arguments, commands[i].help);
	return EXIT_USAGE;
}

/* Takes --json out of the arguments behind the command. */
static size_t
take_json(struct iprefctl *ctl, size_t n, char **args)
{
	size_t kept = 0, i;

	for (i = 0; i < n; i++) {
		if (!strcmp(args[i], "--json") || !strcmp(args[i], "-json"))
			ctl->json = true;
		else
			args[kept++] = args[i];
	}
	return kept;
}

static int
run(struct iprefctl *ctl, size_t n, char **args)
{
	size_t i;

	if (!n)
		return usage();
	n = take_json(ctl, n - 1, args + 1);
	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, args[0]))
			return commands[i].run(ctl, n, args + 1);
	fprintf(stderr, "iprefctl: unknown command \"%s\"\n", args[0]);
	return usage();
}

int
main(int argc, char **argv)
{
	const struct conf_table tables[] = {
		{"iprefctl", rows, ARRAY_LEN(rows)},
		common_table,
	};
	const struct conf_spec spec = {
		.program = "iprefctl",
		.summary = "asks the IPREF daemons; commands: status, mappings",
		.operands = "COMMAND [ARGUMENT...]",
		.tables = tables,
		.n_tables = ARRAY_LEN(tables),
		.size = sizeof(struct iprefctl),
		.default_file = IPREF_SYSCONFDIR "/ipref/ipref.conf",
	};
	struct iprefctl ctl;
	struct conf conf;
	enum conf_action action;
	int rc = EXIT_DONE;

	log_init("iprefctl", LOG_LEVEL_INFO, false);
	action = conf_load(&conf, &spec, &ctl, argc, argv);
	if (action == CONF_EXIT_BAD)
		rc = EXIT_USAGE;
	else if (action == CONF_RUN)
		rc = run(&ctl, conf.n_operands, conf.operands);
	conf_fini(&conf);
	return rc;
}
