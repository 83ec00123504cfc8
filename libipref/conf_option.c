/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command-line options, spelled as the deployed programs' are (Go's flag
 * package): one dash or two, -name VALUE or -name=VALUE, switches -name or
 * -name=true|false. They end at the first word that is none, or behind "--".
 *
 * argv is walked twice with the same scanner: before the file is read, for its
 * name and for errors of form, and after it, for the values, which win.
 */
#include <stdio.h>
#include <string.h>

#include "libipref/conf_impl.h"

struct scan {
	int argc;
	char **argv;
	int next; /* index of the next word */
};

struct word {
	const char *name; /* inside argv */
	size_t len;
	const char *value; /* NULL: none was given */
	char place[80];	   /* "option -t" */
};

/* The next option; false at the end of the options, with next at the first
 * operand. */
static bool
scan_next(struct scan *s, struct word *w)
{
	const char *text;

	if (s->next >= s->argc)
		return false;
	text = s->argv[s->next];
	if (text[0] != '-' || !text[1])
		return false;
	s->next++;
	if (!strcmp(text, "--"))
		return false;
	w->name = text + (text[1] == '-' ? 2 : 1);
	w->len = strcspn(w->name, "=");
	w->value = w->name[w->len] ? w->name + w->len + 1 : NULL;
	snprintf(w->place, sizeof(w->place), "option -%.*s",
		(int)(w->len < 60 ? w->len : 60), w->name);
	return true;
}

/* The value behind '=', or else the next word; false when there is none. */
static bool
scan_value(struct scan *s, struct word *w)
{
	if (!w->value && s->next < s->argc)
		w->value = s->argv[s->next++];
	return w->value != NULL;
}

static bool
word_is(const struct word *w, const char *name)
{
	return strlen(name) == w->len && !memcmp(w->name, name, w->len);
}

static bool
is_switch(const struct conf_row *row)
{
	return row->type == CONF_BOOL ||
	       (row->type == CONF_NOTHING && !row->arg);
}

/* The option's row, its value in w; NULL when there is none or the value is
 * missing: that is then an error. */
static struct conf_origin *
scan_row(struct conf_reading *r, struct scan *s, struct word *w)
{
	struct conf_origin *o = conf_find(r->origins, NULL, w->name, w->len);
	char hint[CONF_HINT_MAX];

	if (!o) {
		conf_error(r, "%s: unknown%s", w->place,
			conf_hint(r->origins, NULL, w->name, w->len, hint));
		return NULL;
	}
	if (is_switch(o->row)) {
		if (!w->value)
			w->value = "true";
		return o;
	}
	if (scan_value(s, w))
		return o;
	conf_error(r, "%s: a value is missing (%s)", w->place,
		o->row->arg ? o->row->arg : "VALUE");
	return NULL;
}

/* The options that every program has. False: none of them. */
static bool
scan_builtin(struct conf_reading *r, struct scan *s, struct word *w)
{
	if (word_is(w, "config")) {
		if (!scan_value(s, w)) {
			conf_error(
				r, "%s: a value is missing (FILE)", w->place);
			return true;
		}
		r->file = w->value;
		r->file_named = true;
		return true;
	}
	if (!word_is(w, "check-config"))
		return false;
	r->check_only = true;
	return true;
}

static void
take_operands(struct conf_reading *r, const struct scan *s)
{
	const char *why;
	size_t i;

	r->operands = s->argv + s->next;
	r->n_operands = (size_t)(s->argc - s->next);
	/* Behind an unknown option it may as well be that one's value. */
	if (r->n_operands && !r->spec->operands && !r->failed)
		conf_error(r, "\"%.60s\": %s takes nothing but options",
			r->operands[0], r->spec->program);
	for (i = 0; r->spec->check_operand && i < r->n_operands; i++) {
		why = r->spec->check_operand(r->operands[i]);
		if (why)
			conf_error(r, "\"%.200s\": %s", r->operands[i], why);
	}
}

enum conf_option_action
conf_option_scan(struct conf_reading *r, int argc, char **argv)
{
	struct scan s = {argc, argv, 1};
	struct word w;

	while (scan_next(&s, &w)) {
		if (word_is(&w, "help") || word_is(&w, "h"))
			return CONF_OPTIONS_HELP;
		if (word_is(&w, "help-mdoc"))
			return CONF_OPTIONS_MDOC;
		if (word_is(&w, "version"))
			return CONF_OPTIONS_VERSION;
		if (!scan_builtin(r, &s, &w))
			(void)scan_row(r, &s, &w);
	}
	take_operands(r, &s);
	return CONF_OPTIONS_READ;
}

void
conf_option_apply(struct conf_reading *r, int argc, char **argv)
{
	struct scan s = {argc, argv, 1};
	struct conf_origin *o;
	struct word w;

	while (scan_next(&s, &w)) {
		if (scan_builtin(r, &s, &w))
			continue;
		o = scan_row(r, &s, &w);
		if (!o)
			return;
		conf_value_set(r, o,
			&(struct conf_words){&w.value, 1, true, w.place},
			CONF_FROM_OPTION, w.place);
	}
}
