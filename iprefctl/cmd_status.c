/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iprefctl status: one paragraph per daemon. */
#include <stdio.h>
#include <string.h>

#include "iprefctl/iprefctl.h"
#include "iprefctl/render.h"

static const char *const daemons[] = {
	"mapperd", "gwd", "dnsagentd", "resolverd"};

/* Members of /status that stand in the first line. */
static const char *const headline[] = {
	"program", "version", "pid", "uptime_seconds", "ready"};

static void
print_status(const char *daemon, json_t *status)
{
	const json_t *uptime = json_object_get(status, "uptime_seconds");
	char since[64], pid[32], version[64];
	size_t i;

	render_value(json_object_get(status, "pid"), pid, sizeof(pid));
	render_value(
		json_object_get(status, "version"), version, sizeof(version));
	render_duration(
		(uint64_t)json_integer_value(uptime), since, sizeof(since));
	printf("%-10s %s, up %s, version %s, pid %s\n", daemon,
		json_is_true(json_object_get(status, "ready")) ? "ready"
							       : "starting",
		since, version, pid);
	for (i = 0; i < ARRAY_LEN(headline); i++)
		json_object_del(status, headline[i]);
	render_object(stdout, status, 2);
}

static bool
is_daemon(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(daemons); i++)
		if (!strcmp(daemons[i], name))
			return true;
	return false;
}

static bool
wanted(const char *daemon, const struct args *args)
{
	size_t i;

	for (i = 0; i < args->n; i++)
		if (!strcmp(daemon, args->operands[i]))
			return true;
	return !args->n;
}

int
cmd_status(const struct iprefctl *ctl, const struct args *args)
{
	json_t *all = json_object(), *status;
	const char *error;
	int rc = EXIT_DONE;
	size_t i;

	for (i = 0; i < args->n; i++)
		if (!is_daemon(args->operands[i])) {
			iprefctl_error("no daemon \"%s\"", args->operands[i]);
			json_decref(all);
			return EXIT_USAGE;
		}
	for (i = 0; i < ARRAY_LEN(daemons); i++) {
		if (!wanted(daemons[i], args))
			continue;
		status = iprefctl_get(ctl, daemons[i], "/status", &error);
		if (!status)
			rc = EXIT_ABSENT;
		if (ctl->json) {
			if (!status)
				status = json_pack("{s:s}", "error", error);
			json_object_set_new(all, daemons[i], status);
			continue;
		}
		if (status)
			print_status(daemons[i], status);
		else
			printf("%-10s %s\n", daemons[i], error);
		json_decref(status);
	}
	if (ctl->json)
		iprefctl_put_json(all);
	else
		json_decref(all);
	return rc;
}
