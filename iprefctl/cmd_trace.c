/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl trace: packets as gwd passes or drops them, a line each in both of
 * their forms, until it is interrupted or gwd stops. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/packet_line.h"

const struct args_option trace_options[] = {
	{"protocol", "PROTOCOL", "protocol"},
	{"direction", "in|out", "direction"},
	{"drops", NULL, "drops"},
	{"count", "N", NULL},
};
static_assert(ARRAY_LEN(trace_options) == N_TRACE_OPTIONS, "all of them");
#define COUNT_OPTION 3

struct tracing {
	bool json;
	uint64_t left; /* packets to be shown; 0: any number */
	bool enough;
};

static int
on_row(json_t *row, void *arg)
{
	struct tracing *t = arg;
	char line[PACKET_LINE_MAX];
	bool packet = json_object_get(row, "direction");

	if (t->json) {
		json_dumpf(row, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
		putchar('\n');
	} else if (packet_line(row, line, sizeof(line))) {
		puts(line);
	} else {
		iprefctl_error("tracing");
	}
	if (fflush(stdout)) {
		iprefctl_error("can't write: %s", strerror(errno));
		return EXIT_ABSENT;
	}
	t->enough = packet && t->left && !--t->left;
	return t->enough ? EXIT_ABSENT : EXIT_DONE;
}

static bool
read_count(const char *text, uint64_t *n)
{
	char *end;

	if (!text)
		return true;
	errno = 0;
	*n = strtoull(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *n;
}

/* The operand's part of the query. */
static bool
add_who(char target[ARGS_TARGET_MAX], const struct args *args,
	char error[ARGS_ERROR_MAX])
{
	struct who who;

	if (!args->n)
		return true;
	if (!args_who(&who, args->n, args->operands, error))
		return false;
	snprintf(error, ARGS_ERROR_MAX, "that is too long");
	switch (who.kind) {
	case WHO_ADDRESS:
	case WHO_NET:
		return args_query(target, "address", who.what);
	case WHO_IPREF:
		return args_query(target, "gw", who.what) &&
		       args_query(target, "ref", who.ref);
	case WHO_NAME:
		break;
	}
	snprintf(error, ARGS_ERROR_MAX, "\"%.60s\": packets have no names",
		who.what);
	return false;
}

int
cmd_trace(const struct iprefctl *ctl, const struct args *args)
{
	char target[ARGS_TARGET_MAX], error[ARGS_ERROR_MAX];
	struct tracing t = {.json = ctl->json};
	struct iprefctl as_text = *ctl;
	const struct iprefctl_ask ask = {
		.daemon = "gwd",
		.method = "POST",
		.target = target,
		.timeout_ms = ctl->timeout_ms,
	};
	int rc;

	as_text.json = false; /* read here in either case */
	if (!read_count(args->values[COUNT_OPTION], &t.left)) {
		iprefctl_error("trace: -count: \"%.60s\" is no number of "
			       "packets",
			args->values[COUNT_OPTION]);
		return EXIT_USAGE;
	}
	if (!args_target(
		    target, "/trace", args, trace_options, N_TRACE_OPTIONS))
		snprintf(error, sizeof(error), "that is too long");
	else if (add_who(target, args, error)) {
		rc = iprefctl_lines(&as_text, &ask, on_row, &t);
		return t.enough ? EXIT_DONE : rc;
	}
	iprefctl_error("trace: %s", error);
	return EXIT_USAGE;
}
