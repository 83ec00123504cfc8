/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dnsagentd: tells the mapper which of our hosts are published in DNS under
 * which references.
 *
 * Parts in order: the mapper's client first, so that sources find it; the pages
 * last, when there is something to show.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dnsagentd/agent.h"
#include "libipref/daemon.h"
#include "libipref/log.h"

/* A window of batches and a HASH for each source (push.c), and to spare. */
#define REQUESTS_PER_SOURCE 80
/* Each lookup has a socket: few enough for 1,024 descriptors. */
#define LOOKUPS_ALL	   512
#define LOOKUPS_PER_SOURCE 32

static int
early(struct daemon *d)
{
	struct agent *a = d->state;

	a->conf = d->settings;
	switch (agent_sources(
		d->conf, a->conf, &a->source_confs, &a->n_sources)) {
	case 0:
		return -1;
	case -ENOMEM:
		log_err("sources: no memory");
		return 1;
	default:
		return 2;
	}
}

static void
on_mapper_up(void *arg)
{
	struct agent *a = arg;
	size_t i;

	for (i = 0; i < a->n_started; i++)
		source_mapper_up(&a->sources[i]);
}

static int
start_mapper(struct daemon *d)
{
	struct agent *a = d->state;
	const struct mclient_config cfg = {
		.path = agent_mapper_path(a->conf),
		.fmt = agent_format(a->conf),
		.max_requests = a->n_sources * REQUESTS_PER_SOURCE,
		.up = on_mapper_up,
		.arg = a,
	};

	if (a->conf->devmode)
		return 0;
	a->mapper = mclient_new(d->base, &cfg);
	if (a->mapper)
		return 0;
	log_err("mapper: no memory for its client");
	return -ENOMEM;
}

static void
stop_mapper(struct daemon *d)
{
	struct agent *a = d->state;

	mclient_free(a->mapper);
	a->mapper = NULL;
}

/* Sets of -devmode are the program's output, not log lines. */
static void
print_line(const char *line, void *arg)
{
	(void)arg;
	puts(line);
	fflush(stdout);
}

static void
stop_sources(struct daemon *d)
{
	struct agent *a = d->state;

	while (a->n_started)
		source_fini(&a->sources[--a->n_started]);
	free(a->sources);
	a->sources = NULL;
}

static size_t
lookups_each(size_t n_sources)
{
	size_t each = LOOKUPS_ALL / n_sources;

	return each < LOOKUPS_PER_SOURCE ? each : LOOKUPS_PER_SOURCE;
}

static int
start_sources(struct daemon *d)
{
	struct agent *a = d->state;
	struct source_config cfg = {
		.base = d->base,
		.settings = a->conf,
		.fmt = agent_format(a->conf),
		.mapper = a->mapper,
		.print = print_line,
		.lookups = lookups_each(a->n_sources),
	};
	uint64_t interval = agent_interval_ms(a->conf);
	size_t i;
	int err = 0;

	a->sources = calloc(a->n_sources, sizeof(*a->sources));
	if (!a->sources)
		err = -ENOMEM;
	for (i = 0; i < a->n_sources && !err; i++) {
		/* Spread, but over a second per source at most. */
		cfg.first_poll_ms =
			a->conf->first_poll_ms +
			i * (interval / a->n_sources < 1000
					    ? interval / a->n_sources
					    : 1000);
		a->n_started++;
		err = source_init(&a->sources[i], &cfg, &a->source_confs[i]);
	}
	if (err) {
		log_err_errno(-err, "sources: not started");
		stop_sources(d);
	}
	return err;
}

static int
start_status(struct daemon *d)
{
	status_register(d->state, d->ctl);
	return 0;
}

static void
reload(struct daemon *d)
{
	struct agent *a = d->state;
	size_t i;

	for (i = 0; i < a->n_started; i++)
		source_reload(&a->sources[i]);
}

int
main(int argc, char **argv)
{
	static const struct daemon_part parts[] = {
		{"mapper", start_mapper, stop_mapper},
		{"sources", start_sources, stop_sources},
		{"status", start_status, NULL},
	};
	struct agent_conf settings;
	struct agent state = {0};
	struct conf_table tables[2];
	struct conf_spec conf;
	const struct daemon_spec spec = {
		.conf = &conf,
		.settings = &settings,
		.state = &state,
		.parts = parts,
		.n_parts = ARRAY_LEN(parts),
		.reload = reload,
		.early = early,
	};
	char **args;
	int n_args, code;

	if (agent_argv(argc, argv, &n_args, &args))
		fatal("no memory");
	agent_conf_spec(&conf, tables);
	code = daemon_main(&spec, n_args, args);
	free(state.source_confs);
	free(args);
	return code;
}
