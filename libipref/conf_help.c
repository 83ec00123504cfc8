/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What conf says about names: the text of --help and the options of the manual
 * page, made from the rows, and the nearest known name for one that is unknown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libipref/conf_impl.h"

#define INDENT	     8
#define WIDTH	     78
#define NAME_MAX_LEN 40 /* longer names are near to nothing */

static const struct builtin {
	const char *name, *arg, *help;
} builtins[] = {
	{"config", "FILE", "read this settings file"},
	{"check-config", NULL,
		"check settings and options, say what is wrong, do nothing "
		"else"},
	{"help", NULL, "print this text"},
	{"version", NULL, "print the version"},
};

/* How a description is printed: for a terminal, or in mdoc(7). */
struct printer {
	void (*name)(const char *name, const char *arg);
	void (*text)(const char *text);
	void (*facts)(const char *text);
};

/* Prints text in lines of WIDTH, each indented. */
static void
print_wrapped(const char *text)
{
	size_t column = 0, len;

	while (*text) {
		len = strcspn(text, " ");
		if (column && column + 1 + len > WIDTH) {
			putchar('\n');
			column = 0;
		}
		if (column == 0)
			column = (size_t)printf(
				"%*s%.*s", INDENT, "", (int)len, text);
		else
			column += (size_t)printf(" %.*s", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static void
print_name(const char *name, const char *arg)
{
	printf("\n  -%s%s%s\n", name, arg ? " " : "", arg ? arg : "");
}

static const struct printer plain = {print_name, print_wrapped, print_wrapped};

/* One line of mdoc; nothing in it may look like a macro or an escape. */
static void
mdoc_text(const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", stdout);
	for (; *text; text++)
		if (*text == '\\')
			fputs("\\e", stdout);
		else
			putchar(*text);
	putchar('\n');
}

static void
mdoc_name(const char *name, const char *arg)
{
	printf(".It Fl %s%s%s\n", name, arg ? " Ar " : "", arg ? arg : "");
}

static void
mdoc_facts(const char *text)
{
	putchar('(');
	fputs(text, stdout);
	puts(")");
}

static const struct printer mdoc = {mdoc_name, mdoc_text, mdoc_facts};

/* What --help calls the value of a row that does not say it. */
static const char *
arg_of(const struct conf_row *row)
{
	static const char *const names[] = {
		[CONF_UINT] = "NUMBER",
		[CONF_STRING] = "TEXT",
		[CONF_ADDR] = "ADDRESS",
		[CONF_ENDPOINT] = "ADDRESS[:PORT]",
		[CONF_PREFIX] = "NETWORK",
		[CONF_REF] = "REFERENCE",
		[CONF_LIST] = "LIST",
		[CONF_NOTHING] = NULL,
	};

	return row->arg ? row->arg : names[row->type];
}

/* Range, default, place in the file, when it changes: a line of its own. */
static void
print_facts(const struct printer *p, const struct conf_table *table,
	const struct conf_row *row)
{
	char facts[512];
	size_t n = 0;

	facts[0] = '\0';
	if (row->type == CONF_UINT && (row->min || row->max)) {
		n = (size_t)snprintf(
			facts, sizeof(facts), "%" PRIu64 " ", row->min);
		if (row->max)
			n += (size_t)snprintf(facts + n, sizeof(facts) - n,
				"to %" PRIu64 "; ", row->max);
		else
			n += (size_t)snprintf(
				facts + n, sizeof(facts) - n, "or more; ");
	}
	if (row->def)
		n += (size_t)snprintf(facts + n, sizeof(facts) - n,
			"default: %.200s; ", row->def);
	else if (row->type == CONF_BOOL)
		n += (size_t)snprintf(
			facts + n, sizeof(facts) - n, "default: false; ");
	if (row->flags & CONF_OPTION_ONLY)
		snprintf(facts + n, sizeof(facts) - n, "not in the file");
	else
		snprintf(facts + n, sizeof(facts) - n,
			"in the file: %.40s.%.60s%s", table->section, row->name,
			row->flags & CONF_RELOAD ? "; SIGHUP changes it" : "");
	p->facts(facts);
}

static void
print_rows(const struct printer *p, const struct conf_spec *spec)
{
	const struct conf_row *row;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(builtins); i++) {
		p->name(builtins[i].name, builtins[i].arg);
		p->text(builtins[i].help);
	}
	for (i = 0; i < spec->n_tables; i++)
		for (j = 0; j < spec->tables[i].n; j++) {
			row = &spec->tables[i].rows[j];
			p->name(row->name, arg_of(row));
			p->text(row->help);
			if (row->type != CONF_NOTHING)
				print_facts(p, &spec->tables[i], row);
		}
}

void
conf_help_print(const struct conf_spec *spec)
{
	printf("%s %s: %s\n\nusage: %s [OPTION]...%s%s\n\n", spec->program,
		IPREF_VERSION, spec->summary, spec->program,
		spec->operands ? " " : "",
		spec->operands ? spec->operands : "");
	if (spec->more_help) {
		spec->more_help(stdout);
		putchar('\n');
	}
	printf("Options: -name VALUE or -name=VALUE, with one dash or two; a "
	       "switch is -name,\n-name=true or -name=false. Options win over "
	       "the settings file");
	if (spec->default_file)
		printf("\n(%s)", spec->default_file);
	puts(".");
	print_rows(&plain, spec);
}

void
conf_help_mdoc(const struct conf_spec *spec)
{
	puts(".Bl -tag -width Ds");
	print_rows(&mdoc, spec);
	puts(".El");
}

/* Insertions, deletions and substitutions from a to b (Levenshtein). */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[NAME_MAX_LEN + 1];
	size_t i, j, diagonal, best;

	if (a_len > NAME_MAX_LEN || b_len > NAME_MAX_LEN)
		return SIZE_MAX;
	for (j = 0; j <= b_len; j++)
		row[j] = j;
	for (i = 1; i <= a_len; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= b_len; j++) {
			best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

struct nearest {
	const char *name; /* NULL: none is near enough */
	size_t distance;
};

static void
consider(struct nearest *best, const char *name, size_t len, const char *known)
{
	size_t d = distance(name, len, known, strlen(known));

	/* A third of the letters wrong, or two of a short name, is too far
	 * for a misspelling. */
	if (d > len / 3 + 1 || d >= len || d >= best->distance)
		return;
	best->name = known;
	best->distance = d;
}

const char *
conf_hint(const struct conf_origin *origins, const char *section,
	const char *name, size_t len, char buf[CONF_HINT_MAX])
{
	struct nearest best = {NULL, SIZE_MAX};
	const struct conf_origin *o;
	size_t i;

	for (i = 0; !section && i < ARRAY_LEN(builtins); i++)
		consider(&best, name, len, builtins[i].name);
	for (o = origins; o->row; o++)
		if (!section ||
			(!(o->row->flags & CONF_OPTION_ONLY) &&
				(!strcmp(o->table->section, section) ||
					!strcmp(o->table->section, "common"))))
			consider(&best, name, len, o->row->name);
	buf[0] = '\0';
	if (best.name)
		snprintf(buf, CONF_HINT_MAX, "; did you mean %s%s?",
			section ? "" : "-", best.name);
	return buf;
}
