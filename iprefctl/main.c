/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl: asks the daemons and prints what they say. One row per command. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iprefctl/iprefctl.h"
#include "libipref/conf.h"
#include "libipref/log.h"

static const struct command commands[] = {
	{
		.name = "status",
		.arguments = "[DAEMON...]",
		.help = "what works and what does not, of each daemon or of "
			"those named",
		.max = SIZE_MAX,
		.run = cmd_status,
	},
	{
		.name = "mappings",
		.arguments = "[-owner O] [-name N] [-address A] [-tentative]",
		.help = "the mappings that mapperd holds, all or those that "
			"the options describe",
		.options = mappings_options,
		.n_options = N_MAPPINGS_OPTIONS,
		.run = cmd_mappings,
	},
	{
		.name = "lookup",
		.arguments = "ADDRESS | GW+REF | NAME",
		.help = "what an address, an IPREF address or a name is",
		.min = 1,
		.max = 8,
		.run = cmd_lookup,
	},
	{
		.name = "why",
		.arguments = "ADDRESS | GW+REF | NAME",
		.help = "whether its packets pass, and if not, why",
		.min = 1,
		.max = 8,
		.run = cmd_why,
	},
	{
		.name = "sources",
		.help = "who lists hosts, what is in force, and conflicts",
		.run = cmd_sources,
	},
	{
		.name = "source remove",
		.arguments = "LOCAL:PUBLIC",
		.help = "withdraws the hosts of a source and forgets it",
		.min = 1,
		.max = 1,
		.run = cmd_source_remove,
	},
	{
		.name = "watch",
		.arguments = "[-owner O] [-name N] [-address A] [-tentative]",
		.help = "changes of mappings as they happen, until interrupted",
		.options = mappings_options,
		.n_options = N_MAPPINGS_OPTIONS,
		.run = cmd_watch,
	},
	{
		.name = "drops",
		.arguments = "[-all]",
		.help = "why gwd did not pass packets on, and whose the last "
			"one was",
		.options = drops_options,
		.n_options = N_DROPS_OPTIONS,
		.run = cmd_drops,
	},
	{
		.name = "peers",
		.help = "the other gateways that gwd has to do with",
		.run = cmd_peers,
	},
	{
		.name = "trace",
		.arguments = "[ADDRESS[/LEN] | GW+REF] [-protocol P] "
			     "[-direction in|out] [-drops] [-count N]",
		.help = "packets as gwd passes or drops them, until "
			"interrupted",
		.options = trace_options,
		.n_options = N_TRACE_OPTIONS,
		.max = 8,
		.run = cmd_trace,
	},
	{
		.name = "backup",
		.arguments = "FILE",
		.help = "a copy of mapperd's database; \"-\": to standard "
			"output",
		.min = 1,
		.max = 1,
		.run = cmd_backup,
	},
	{
		.name = "forget",
		.arguments = "ADDRESS",
		.help = "ends the dynamic mappings of an address now",
		.min = 1,
		.max = 1,
		.run = cmd_forget,
	},
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

static void
print_command(FILE *out, const struct command *c)
{
	fprintf(out, "  %s%s%s\n      %s\n", c->name, c->arguments ? " " : "",
		c->arguments ? c->arguments : "", c->help);
}

static void
print_commands(FILE *out)
{
	size_t i;

	fprintf(out, "Commands:\n");
	for (i = 0; i < ARRAY_LEN(commands); i++)
		print_command(out, &commands[i]);
}

static int
usage(void)
{
	fprintf(stderr, "usage: iprefctl [OPTION]... COMMAND [ARGUMENT...]\n");
	print_commands(stderr);
	return EXIT_USAGE;
}

static int
usage_of(const struct command *c)
{
	fprintf(stderr, "usage: iprefctl [OPTION]...\n");
	print_command(stderr, c);
	return EXIT_USAGE;
}

static bool
is_option(const char *word, const char *name)
{
	size_t dashes = strspn(word, "-");

	return (dashes == 1 || dashes == 2) && !strcmp(word + dashes, name);
}

/* Takes what every command knows out of its arguments: -json, -help. */
static size_t
take_common(struct iprefctl *ctl, size_t n, char **args, bool *help)
{
	size_t kept = 0, i;

	for (i = 0; i < n && strcmp(args[i], "--"); i++)
		if (is_option(args[i], "json"))
			ctl->json = true;
		else if (is_option(args[i], "help"))
			*help = true;
		else
			args[kept++] = args[i];
	for (; i < n; i++)
		args[kept++] = args[i];
	return kept;
}

static int
run_command(
	struct iprefctl *ctl, const struct command *c, size_t n, char **words)
{
	char error[ARGS_ERROR_MAX];
	bool help = false;
	struct args args;

	n = take_common(ctl, n, words, &help);
	if (help) {
		print_command(stdout, c);
		return EXIT_DONE;
	}
	if (!args_parse(&args, c->options, c->n_options, n, words, error)) {
		iprefctl_error("%s: %s", c->name, error);
		return usage_of(c);
	}
	if (args.n < c->min || args.n > c->max) {
		if (args.n < c->min)
			iprefctl_error(
				"%s: %s is missing", c->name, c->arguments);
		else
			iprefctl_error("%s: \"%.60s\" is too much", c->name,
				args.operands[c->max]);
		return usage_of(c);
	}
	return c->run(ctl, &args);
}

/* How many words of the call are this command's name; 0: it is another. */
static size_t
name_words(const struct command *c, size_t n, char **args)
{
	size_t len = strcspn(c->name, " ");

	if (strlen(args[0]) != len || memcmp(args[0], c->name, len))
		return 0;
	if (!c->name[len])
		return 1;
	return n > 1 && !strcmp(args[1], c->name + len + 1) ? 2 : 0;
}

static int
run(struct iprefctl *ctl, size_t n, char **args)
{
	size_t i, words;

	if (!n)
		return usage();
	for (i = 0; i < ARRAY_LEN(commands); i++) {
		words = name_words(&commands[i], n, args);
		if (words)
			return run_command(
				ctl, &commands[i], n - words, args + words);
	}
	iprefctl_error("unknown command \"%.60s\"", args[0]);
	return usage();
}

/* What could not be written is an error, however well the rest went. */
static int
end(int rc)
{
	if (!fflush(stdout) && !ferror(stdout))
		return rc;
	iprefctl_error("can't write: %s", strerror(errno));
	return rc ? rc : EXIT_ABSENT;
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
		.summary = "asks the IPREF daemons",
		.operands = "COMMAND [ARGUMENT...]",
		.more_help = print_commands,
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
	return end(rc);
}
