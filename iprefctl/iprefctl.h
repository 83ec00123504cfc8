/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What iprefctl's commands share: its settings, asking a daemon, exit codes.
 *
 * A command asks daemons over their control sockets (libipref/ctl.h), prints
 * what they say, for people or with --json as it came, and returns an exit code
 * that scripts can use. Nothing is kept between calls.
 */
#ifndef IPREFCTL_H
#define IPREFCTL_H

#include <jansson.h>

#include "libipref/base.h"
#include "libipref/common.h"

enum {
	EXIT_DONE = 0,	 /* asked and answered */
	EXIT_ABSENT = 1, /* a daemon does not answer, or answers an error */
	EXIT_USAGE = 2,
};

struct iprefctl {
	struct common_conf common; /* for the directory of the sockets */
	uint64_t timeout_ms;	   /* for one answer */
	bool json;
};

/* One command: `iprefctl NAME ARGUMENTS`. */
struct command {
	const char *name;
	const char *arguments; /* for --help: "[DAEMON...]" */
	const char *help;
	/* args: those behind the name, without --json. Returns EXIT_*. */
	int (*run)(const struct iprefctl *ctl, size_t n, char **args);
};

/* Asks a daemon for a page ("/status"): its JSON, the caller's reference, or
 * NULL; *error then says why, static or from strerror(). */
json_t *iprefctl_get(const struct iprefctl *ctl, const char *daemon,
	const char *page, const char **error) MUSTCHECK;
/* Prints JSON as it came, indented, and drops the reference. */
void iprefctl_put_json(json_t *json);

int cmd_status(const struct iprefctl *ctl, size_t n, char **args);
int cmd_mappings(const struct iprefctl *ctl, size_t n, char **args);

#endif
