/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of the deployed gateway (spec/options.md, "gateway"), which
 * mapperd and gwd both take: the table, and a walk over it for the tests of
 * either.
 */
#ifndef TESTS_UNIT_OPTIONS_H
#define TESTS_UNIT_OPTIONS_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libipref/conf.h"
#include "tests/unit/run.h"

enum {
	FOR_GWD = 1,
	FOR_MAPPERD = 2,
	FOR_BOTH = 3,
	FOR_NEITHER = 0,
};

struct option_row {
	const char *name;
	const char *value; /* NULL: a switch */
	int users;	   /* FOR_*: the others take it and say so */
};

static const struct option_row option_rows[] = {
	{"gateway", "192.0.2.1", FOR_BOTH},
	{"gateway-bind", "192.0.2.1", FOR_BOTH},
	{"gateway-pub", "192.0.2.1", FOR_BOTH},
	{"gateway-port", "2045", FOR_GWD},
	{"remote-gateway-port", "2046", FOR_GWD},
	{"gateway-ref", "77", FOR_BOTH},
	{"gateway-ifc-mtu", "1400", FOR_GWD},
	{"encode-net", "10.128.0.0/12", FOR_BOTH},
	{"dec-ttl", NULL, FOR_GWD},
	{"data", "/tmp/ipref-data", FOR_MAPPERD},
	{"mapper-socket", "/tmp/ipref.sock", FOR_BOTH},
	{"hosts", "/tmp/ipref-hosts", FOR_MAPPERD},
	{"max-buffers", "64", FOR_NEITHER},
	{"max-remote-gateways", "2048", FOR_GWD},
	{"max-local-ips", "2048", FOR_GWD},
	{"devmode", NULL, FOR_BOTH},
	{"debug", "tun,mapper_db.go,no-such-part", FOR_BOTH},
	{"trace", NULL, FOR_BOTH},
	{"ticks", NULL, FOR_NEITHER},
	{"time-stamps", NULL, FOR_BOTH},
};

/* One program: its settings, empty or as they were loaded last. */
struct option_rig {
	struct conf_spec spec; /* as the program makes it */
	int user;	       /* FOR_GWD, FOR_MAPPERD */
	struct conf conf;
	void *settings; /* owned */
	char words[2][160];
	char *argv[5];
};

/* What standard output gets meanwhile is in text, standard error nowhere. */
static enum conf_action
options_load(struct option_rig *r, int argc, char *text, size_t size)
{
	char name[] = "/tmp/ipref-options.XXXXXX";
	int file = mkstemp(name), out = dup(STDOUT_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int err = dup(STDERR_FILENO);
	enum conf_action action;
	ssize_t n;

	ck_assert(file >= 0 && out >= 0 && null >= 0 && err >= 0);
	ck_assert_int_eq(unlink(name), 0);
	free(r->settings);
	r->settings = calloc(1, r->spec.size);
	r->spec.default_file = "/nonexistent/ipref.conf";
	fflush(NULL);
	ck_assert(dup2(file, STDOUT_FILENO) >= 0 &&
		  dup2(null, STDERR_FILENO) >= 0);
	action = conf_load(&r->conf, &r->spec, r->settings, argc, r->argv);
	fflush(NULL);
	ck_assert(
		dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0);
	if (text) {
		n = pread(file, text, size - 1, 0);
		ck_assert_int_ge(n, 0);
		text[n] = '\0';
	}
	close(file);
	close(null);
	close(out);
	close(err);
	return action;
}

static size_t
options_notes_about(const struct option_rig *r, const char *name)
{
	size_t i, n = 0;

	for (i = 0; i < r->conf.notes.n; i++)
		n += strstr(r->conf.notes.v[i], name) != NULL;
	return n;
}

/* dashes, then NAME or NAME=VALUE in one word, or NAME and VALUE in two. */
static void
options_check_form(struct option_rig *r, const struct option_row *row,
	const char *dashes, const char *value, bool one_word)
{
	bool used = row->users & r->user;
	int argc = 3;

	snprintf(r->words[0], sizeof(r->words[0]), "%s%s%s%s", dashes,
		row->name, one_word && value ? "=" : "",
		one_word && value ? value : "");
	snprintf(r->words[1], sizeof(r->words[1]), "%s", value ? value : "");
	r->argv[0] = (char[]){"program"};
	r->argv[1] = (char[]){"-gateway=192.0.2.1"};
	r->argv[2] = r->words[0];
	if (!one_word && value)
		r->argv[argc++] = r->words[1];
	ck_assert_msg(options_load(r, argc, NULL, 0) == CONF_RUN, "%s %s",
		r->words[0], argc > 3 ? r->words[1] : "");
	ck_assert_msg(
		conf_given(&r->conf, row->name), "%s: not taken", r->words[0]);
	ck_assert_msg(options_notes_about(r, row->name) == (used ? 0 : 1),
		"%s: said %zu times that it means nothing", r->words[0],
		options_notes_about(r, row->name));
	conf_fini(&r->conf);
}

/* Every option in every form that deployed start lines have. */
static void
options_check_forms(struct option_rig *r)
{
	static const char *const dashes[] = {"-", "--"};
	const struct option_row *row;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(option_rows); i++)
		for (j = 0; j < ARRAY_LEN(dashes); j++) {
			row = &option_rows[i];
			options_check_form(r, row, dashes[j], row->value, true);
			if (row->value) {
				options_check_form(
					r, row, dashes[j], row->value, false);
				continue;
			}
			options_check_form(r, row, dashes[j], "true", true);
			options_check_form(r, row, dashes[j], "false", true);
		}
	free(r->settings);
	r->settings = NULL;
}

/* And --help tells of it. */
static void
options_check_help(struct option_rig *r)
{
	static char text[65536];
	char line[80];
	size_t i;

	r->argv[0] = (char[]){"program"};
	r->argv[1] = (char[]){"--help"};
	ck_assert_int_eq(options_load(r, 2, text, sizeof(text)), CONF_EXIT_OK);
	for (i = 0; i < ARRAY_LEN(option_rows); i++) {
		snprintf(line, sizeof(line), "\n  -%s%s", option_rows[i].name,
			option_rows[i].value ? " " : "\n");
		ck_assert_msg(strstr(text, line) != NULL, "--help: no -%s",
			option_rows[i].name);
	}
	free(r->settings);
	r->settings = NULL;
}

#endif
