/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What iprefctl's commands share: their arguments, asking a daemon, exit codes.
 *
 * A command asks daemons over their control sockets (libipref/ctl.h), prints
 * what they say, for people or as JSON, and returns an exit code that scripts
 * can use. Long answers are printed as they come. Nothing is kept between
 * calls.
 */
#ifndef IPREFCTL_H
#define IPREFCTL_H

#include <jansson.h>
#include <stdio.h>

#include "iprefctl/args.h"
#include "libipref/base.h"
#include "libipref/common.h"
#include "libipref/ctl.h"

enum {
	EXIT_DONE = 0,	 /* asked and answered */
	EXIT_ABSENT = 1, /* no answer, refused, failed, or there is no such */
	EXIT_USAGE = 2,
};

struct iprefctl {
	struct common_conf common; /* for the directory of the sockets */
	uint64_t timeout_ms;	   /* for one answer */
	bool json;
};

/* One command: `iprefctl NAME ARGUMENTS`. */
struct command {
	const char *name;      /* perhaps of two words: "source remove" */
	const char *arguments; /* for --help: "[DAEMON...]" */
	const char *help;
	const struct args_option *options; /* NULL: none */
	size_t n_options;
	size_t min, max; /* operands */
	/* Returns EXIT_*. */
	int (*run)(const struct iprefctl *ctl, const struct args *args);
};

/* Asks a daemon for a page ("/status"): its JSON, the caller's reference, or
 * NULL; *error then says why, static or from strerror(). */
json_t *iprefctl_get(const struct iprefctl *ctl, const char *daemon,
	const char *page, const char **error) MUSTCHECK;

/* One request to a daemon. Pieces of a good answer go to fn; what fails is said
 * on stderr. Returns EXIT_*. */
struct iprefctl_ask {
	const char *daemon, *method, *target;
	uint64_t timeout_ms; /* until the answer begins */
	uint64_t idle_ms;    /* between pieces; 0: for ever */
	ctl_piece_fn fn;
	void *arg;
};
int iprefctl_ask(
	const struct iprefctl *ctl, const struct iprefctl_ask *ask) MUSTCHECK;
/* Has mapperd do something with one thing, and says what came of it:
 * "THING: DONE; COUNT NOUN", or the JSON. Returns EXIT_*. */
struct iprefctl_order {
	const char *command;   /* its name, for errors */
	const char *page;      /* of mapperd's, which does it */
	const char *key;       /* the thing's, in the query and the answer */
	const char *count_key; /* in the answer */
	const char *done, *noun;
};
int iprefctl_order(const struct iprefctl *ctl,
	const struct iprefctl_order *order, const char *thing) MUSTCHECK;

/* A request (fn and arg of it are not looked at) whose answer has a JSON object
 * a line, also within an array: each goes to fn; 0 to go on, else EXIT_*. With
 * --json the answer goes to stdout as it comes instead, and fn is not called.
 */
typedef int (*iprefctl_row_fn)(json_t *row, void *arg);
int iprefctl_lines(const struct iprefctl *ctl, const struct iprefctl_ask *ask,
	iprefctl_row_fn fn, void *arg) MUSTCHECK;
/* The same of a page. */
int iprefctl_rows(const struct iprefctl *ctl, const char *daemon,
	const char *target, uint64_t idle_ms, iprefctl_row_fn fn,
	void *arg) MUSTCHECK;

/* Prints JSON as it came, indented, and drops the reference. */
void iprefctl_put_json(json_t *json);
/* "iprefctl: " and the text, on stderr. */
void iprefctl_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Of mappings and watch. */
#define N_MAPPINGS_OPTIONS 4
extern const struct args_option mappings_options[N_MAPPINGS_OPTIONS];
#define N_TRACE_OPTIONS 4
extern const struct args_option trace_options[N_TRACE_OPTIONS];
#define N_DROPS_OPTIONS 1
extern const struct args_option drops_options[N_DROPS_OPTIONS];

int cmd_status(const struct iprefctl *ctl, const struct args *args);
int cmd_mappings(const struct iprefctl *ctl, const struct args *args);
int cmd_lookup(const struct iprefctl *ctl, const struct args *args);
int cmd_sources(const struct iprefctl *ctl, const struct args *args);
int cmd_source_remove(const struct iprefctl *ctl, const struct args *args);
int cmd_watch(const struct iprefctl *ctl, const struct args *args);
int cmd_backup(const struct iprefctl *ctl, const struct args *args);
int cmd_drops(const struct iprefctl *ctl, const struct args *args);
int cmd_why(const struct iprefctl *ctl, const struct args *args);
int cmd_trace(const struct iprefctl *ctl, const struct args *args);
int cmd_peers(const struct iprefctl *ctl, const struct args *args);
int cmd_forget(const struct iprefctl *ctl, const struct args *args);

#endif
