/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program's settings with a row of each kind, and loading them from the text
 * of a file and a list of words, for the tests of conf.
 */
#ifndef TESTS_UNIT_LIBIPREF_CONF_ROWS_H
#define TESTS_UNIT_LIBIPREF_CONF_ROWS_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libipref/conf.h"
#include "tests/unit/capture.h"
#include "tests/unit/run.h"

struct settings {
	bool flag;
	uint64_t port, clamped, lenient, wide;
	char *text, *checked, *fixed, *only;
	struct addr addr;
	struct endpoint endpoint;
	struct prefix prefix;
	struct ref ref;
	struct conf_list list, whole;
};

static const char *
check_absolute(const void *field)
{
	char *const *text = field;

	return **text == '/' ? NULL : "does not begin with /";
}

static const char *
check_settings(const void *settings)
{
	const struct settings *s = settings;

	if (s->port == s->wide)
		return "port is the same as wide";
	return s->clamped == 77 ? "all is wrong" : NULL;
}

#define OFF(field) offsetof(struct settings, field)

static const struct conf_row own_rows[] = {
	{"port", CONF_UINT, OFF(port), 1, 65535, "1045", CONF_RELOAD, "PORT",
		"port of it", NULL},
	{"clamped", CONF_UINT, OFF(clamped), 1, 10080, "60",
		CONF_CLAMP | CONF_RELOAD, "MINUTES", "clamped number", NULL},
	{"lenient", CONF_UINT, OFF(lenient), 1, 100, "45",
		CONF_LENIENT | CONF_RELOAD, NULL, "lenient number", NULL},
	{"wide", CONF_UINT, OFF(wide), 0, 0, NULL, CONF_RELOAD, NULL,
		"any number", NULL},
	{"text", CONF_STRING, OFF(text), 0, 0, NULL, CONF_RELOAD, NULL,
		"some text", NULL},
	{"checked", CONF_STRING, OFF(checked), 0, 0, "/run/x", CONF_RELOAD,
		"PATH", "text that has to begin with a slash", check_absolute},
	{"only", CONF_STRING, OFF(only), 0, 0, NULL, CONF_OPTION_ONLY, NULL,
		"not in the file", NULL},
	{"endpoint", CONF_ENDPOINT, OFF(endpoint), 0, 0, NULL, CONF_RELOAD,
		NULL, "address with port", NULL},
	{"list", CONF_LIST, OFF(list), 0, 0, NULL, CONF_RELOAD, NULL,
		"several words", NULL},
	{"whole", CONF_LIST, OFF(whole), 0, 0, NULL, CONF_NO_COMMA, NULL,
		"several sentences", NULL},
	{"old", CONF_NOTHING, 0, 0, 0, NULL, 0, "N", "means nothing", NULL},
	{"old-switch", CONF_NOTHING, 0, 0, 0, NULL, 0, NULL,
		"means nothing either", NULL},
};

static const struct conf_row shared_rows[] = {
	{"flag", CONF_BOOL, OFF(flag), 0, 0, NULL, CONF_RELOAD, NULL,
		"a switch", NULL},
	{"fixed", CONF_STRING, OFF(fixed), 0, 0, "here", 0, NULL,
		"can't be reloaded", NULL},
	{"addr", CONF_ADDR, OFF(addr), 0, 0, NULL, CONF_RELOAD, NULL,
		"an address", NULL},
	{"prefix", CONF_PREFIX, OFF(prefix), 0, 0, "10.240.0.0/12", CONF_RELOAD,
		NULL, "a network", NULL},
	{"ref", CONF_REF, OFF(ref), 0, 0, "1", CONF_RELOAD, NULL, "a reference",
		NULL},
};

static const struct conf_table tables[] = {
	{"gwd", own_rows, ARRAY_LEN(own_rows)},
	{"common", shared_rows, ARRAY_LEN(shared_rows)},
};

static const struct conf_spec spec = {
	.program = "gwd",
	.summary = "does things",
	.tables = tables,
	.n_tables = ARRAY_LEN(tables),
	.size = sizeof(struct settings),
	.check = check_settings,
};

static const struct conf_spec spec_with_operands = {
	.program = "gwd",
	.summary = "does things",
	.operands = "SOURCE...",
	.tables = tables,
	.n_tables = ARRAY_LEN(tables),
	.size = sizeof(struct settings),
};

#define MAX_WORDS 16

/* One program run: words, file, what came of it. */
struct run {
	struct settings settings;
	struct conf conf;
	enum conf_action action;
	char path[64]; /* of the file, if there is one */
	char words[MAX_WORDS][128];
	char *argv[MAX_WORDS + 1];
	int argc;
	char *out, *err; /* printed; owned */
};

static inline void
run_write_file(const struct run *r, const char *text, size_t len)
{
	FILE *f = fopen(r->path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static inline void
run_word(struct run *r, const char *word)
{
	ck_assert_int_lt(r->argc, MAX_WORDS);
	ck_assert_uint_lt(strlen(word), sizeof(r->words[0]));
	strcpy(r->words[r->argc], word);
	r->argv[r->argc] = r->words[r->argc];
	r->argc++;
}

static inline void
run_begin(struct run *r)
{
	memset(r, 0, sizeof(*r));
	run_word(r, "gwd");
}

/* --config with a file of this text, of len bytes. */
static inline void
run_file_bytes(struct run *r, const char *text, size_t len)
{
	int fd;

	snprintf(r->path, sizeof(r->path), "/tmp/ipref-conf-XXXXXX");
	fd = mkstemp(r->path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	run_write_file(r, text, len);
	run_word(r, "--config");
	run_word(r, r->path);
}

static inline void
run_file(struct run *r, const char *text)
{
	run_file_bytes(r, text, strlen(text));
}

/* Words between spaces. */
static inline void
run_words(struct run *r, const char *words)
{
	char copy[512], *word, *save = NULL;

	snprintf(copy, sizeof(copy), "%s", words);
	for (word = strtok_r(copy, " ", &save); word;
		word = strtok_r(NULL, " ", &save))
		run_word(r, word);
}

static inline enum conf_action
run_load(struct run *r, const struct conf_spec *of)
{
	struct capture out, err;

	r->argv[r->argc] = NULL;
	capture_start(&out, STDOUT_FILENO);
	capture_start(&err, STDERR_FILENO);
	r->action = conf_load(&r->conf, of, &r->settings, r->argc, r->argv);
	r->err = capture_end(&err);
	r->out = capture_end(&out);
	return r->action;
}

static inline void
run_end(struct run *r)
{
	conf_fini(&r->conf);
	if (r->path[0])
		unlink(r->path);
	free(r->out);
	free(r->err);
}

#define SHOWN_MAX 512

static inline const char *
show_list(const struct conf_list *list, char buf[SHOWN_MAX])
{
	size_t i, n = 0;

	buf[0] = '\0';
	for (i = 0; i < list->n; i++)
		n += (size_t)snprintf(
			buf + n, SHOWN_MAX - n, "[%s]", list->v[i]);
	return buf;
}

/* A field as text, by its row's name. */
static inline const char *
show(const struct settings *s, const char *name, char buf[SHOWN_MAX])
{
	const struct {
		const char *name;
		const uint64_t *uint;
		const char *text;
	} plain[] = {
		{"port", &s->port, NULL},
		{"clamped", &s->clamped, NULL},
		{"lenient", &s->lenient, NULL},
		{"wide", &s->wide, NULL},
		{"text", NULL, s->text},
		{"checked", NULL, s->checked},
		{"only", NULL, s->only},
		{"fixed", NULL, s->fixed},
		{"flag", NULL, s->flag ? "true" : "false"},
		{"old", NULL, "-"},
		{"old-switch", NULL, "-"},
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(plain); i++) {
		if (strcmp(plain[i].name, name))
			continue;
		if (plain[i].uint)
			snprintf(buf, SHOWN_MAX, "%" PRIu64, *plain[i].uint);
		else
			snprintf(buf, SHOWN_MAX, "%s",
				plain[i].text ? plain[i].text : "(null)");
		return buf;
	}
	if (!strcmp(name, "addr"))
		return addr_format(&s->addr, buf);
	if (!strcmp(name, "endpoint"))
		return endpoint_format(&s->endpoint, buf);
	if (!strcmp(name, "prefix"))
		return prefix_format(&s->prefix, buf);
	if (!strcmp(name, "ref"))
		return ref_format(&s->ref, buf);
	if (!strcmp(name, "list"))
		return show_list(&s->list, buf);
	if (!strcmp(name, "whole"))
		return show_list(&s->whole, buf);
	ck_abort_msg("no field %s", name);
	return NULL;
}

/* want with each @ replaced by the file's path. */
static inline const char *
with_path(const struct run *r, const char *want, char buf[SHOWN_MAX * 4])
{
	size_t n = 0;

	for (; *want; want++)
		n += *want == '@' ? (size_t)snprintf(buf + n, SHOWN_MAX * 4 - n,
					    "%s", r->path)
				  : (size_t)snprintf(buf + n, SHOWN_MAX * 4 - n,
					    "%c", *want);
	buf[n] = '\0';
	return buf;
}

#endif
