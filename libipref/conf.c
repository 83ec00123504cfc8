/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings: loading, reloading and asking where a value came from.
 *
 * Each load or reload is a reading into a struct of its own: defaults, then the
 * file, then the options, then the checks of all values together. Only a
 * reading without errors is used. A reload then takes back the values that
 * can't change while the daemon runs (and the unchanged ones, so that borrowed
 * strings stay where they are), checks the mixture and puts it in place as a
 * whole.
 */
#include "libipref/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/conf_impl.h"
#include "libipref/log.h"

static void add_line(struct conf_list *list, const char *fmt, va_list ap)
	PRINTF_LIKE(2, 0);

static void
add_line(struct conf_list *list, const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	/* A line that memory is too short for is lost; failed is not. */
	if (!conf_list_add(list, line, strlen(line)))
		return;
}

void
conf_error(struct conf_reading *r, const char *fmt, ...)
{
	va_list ap;

	r->failed = true;
	if (r->errors.n >= CONF_ERRORS_MAX)
		return;
	va_start(ap, fmt);
	add_line(&r->errors, fmt, ap);
	va_end(ap);
}

void
conf_note(struct conf_reading *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_line(&r->notes, fmt, ap);
	va_end(ap);
}

struct conf_origin *
conf_find(struct conf_origin *origins, const char *section, const char *name,
	size_t len)
{
	struct conf_origin *o;

	for (o = origins; o->row; o++)
		if (strlen(o->row->name) == len &&
			!memcmp(o->row->name, name, len) &&
			(!section || !strcmp(o->table->section, section)))
			return o;
	return NULL;
}

/* One origin per row, all of them defaults. */
static struct conf_origin *
origins_new(const struct conf_spec *spec)
{
	struct conf_origin *origins;
	size_t i, j, n = 1;

	for (i = 0; i < spec->n_tables; i++)
		n += spec->tables[i].n;
	origins = calloc(n, sizeof(*origins));
	if (!origins)
		return NULL;
	n = 0;
	for (i = 0; i < spec->n_tables; i++)
		for (j = 0; j < spec->tables[i].n; j++) {
			const struct conf_row *row = &spec->tables[i].rows[j];

			if (conf_find(origins, NULL, row->name,
				    strlen(row->name)))
				bug("setting %s has two rows", row->name);
			origins[n].table = &spec->tables[i];
			origins[n++].row = row;
		}
	return origins;
}

static void
origins_free(struct conf_origin *origins)
{
	struct conf_origin *o;

	if (!origins)
		return;
	for (o = origins; o->row; o++)
		free(o->text);
	free(origins);
}

/* False when memory is short. */
static bool
reading_init(
	struct conf_reading *r, const struct conf_spec *spec, void *settings)
{
	*r = (struct conf_reading){.spec = spec, .settings = settings};
	r->file = spec->default_file;
	memset(settings, 0, spec->size);
	r->origins = origins_new(spec);
	return r->origins != NULL;
}

static void
settings_fini(const struct conf_origin *origins, void *settings)
{
	const struct conf_origin *o;

	for (o = origins; o && o->row; o++)
		conf_value_fini(o->row, settings);
}

static void
reading_fini(struct conf_reading *r)
{
	settings_fini(r->origins, r->settings);
	origins_free(r->origins);
	conf_list_fini(&r->errors);
	conf_list_fini(&r->notes);
}

/* Asks the daemon about all values together. A reason that begins with the
 * name of a setting is said with the place of that setting. */
static bool
reading_check(struct conf_reading *r)
{
	const struct conf_origin *o;
	const char *reason;

	reason = r->spec->check ? r->spec->check(r->settings) : NULL;
	if (!reason)
		return true;
	o = conf_find(r->origins, NULL, reason, strcspn(reason, " :,"));
	if (o && o->text)
		conf_error(r, "%s: %s", o->text, reason);
	else
		conf_error(r, "%s", reason);
	return false;
}

/* Defaults, file, options, checks. What went wrong is in r->errors. */
static void
reading_fill(struct conf_reading *r, int argc, char **argv, bool options_good)
{
	struct conf_origin *o;

	for (o = r->origins; o->row; o++)
		conf_value_default(r, o);
	conf_file_read(r);
	if (options_good)
		conf_option_apply(r, argc, argv);
	if (!r->failed)
		(void)reading_check(r);
}

static enum conf_action
said_bad(const struct conf_reading *r)
{
	size_t i;

	for (i = 0; i < r->errors.n; i++)
		fprintf(stderr, "%s: %s\n", r->spec->program, r->errors.v[i]);
	if (!r->errors.n)
		fprintf(stderr, "%s: out of memory\n", r->spec->program);
	return CONF_EXIT_BAD;
}

static enum conf_action
said_good(const struct conf_reading *r)
{
	if (r->file_read)
		printf("%s: ok\n", r->file);
	else
		printf("%s: ok (without a file)\n", r->spec->program);
	return CONF_EXIT_OK;
}

static enum conf_action
load(struct conf *c, struct conf_reading *r)
{
	switch (conf_option_scan(r, c->argc, c->argv)) {
	case CONF_OPTIONS_HELP:
		conf_help_print(r->spec);
		return CONF_EXIT_OK;
	case CONF_OPTIONS_MDOC:
		conf_help_mdoc(r->spec);
		return CONF_EXIT_OK;
	case CONF_OPTIONS_VERSION:
		printf("%s %s\n", r->spec->program, IPREF_VERSION);
		return CONF_EXIT_OK;
	case CONF_OPTIONS_READ:
		break;
	}
	reading_fill(r, c->argc, c->argv, !r->failed);
	if (!r->failed && r->file_read) {
		c->file = strdup(r->file);
		if (!c->file)
			r->failed = true;
	}
	if (r->failed)
		return said_bad(r);
	return r->check_only ? said_good(r) : CONF_RUN;
}

enum conf_action
conf_load(struct conf *c, const struct conf_spec *spec, void *settings,
	int argc, char **argv)
{
	struct conf_reading r;
	enum conf_action action;

	*c = (struct conf){.spec = spec, .settings = settings};
	c->argc = argc;
	c->argv = argv;
	if (!reading_init(&r, spec, settings)) {
		fprintf(stderr, "%s: out of memory\n", spec->program);
		return CONF_EXIT_BAD;
	}
	action = load(c, &r);
	if (action != CONF_RUN) {
		reading_fini(&r);
		conf_fini(c);
		return action;
	}
	c->operands = r.operands;
	c->n_operands = r.n_operands;
	c->origins = r.origins;
	c->notes = r.notes;
	conf_list_fini(&r.errors);
	return CONF_RUN;
}

void
conf_say_notes(const struct conf *c)
{
	size_t i;

	for (i = 0; i < c->notes.n; i++)
		log_notice("%s", c->notes.v[i]);
}

static bool
list_has(const struct conf_list *list, const char *text)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (!strcmp(list->v[i], text))
			return true;
	return false;
}

/* Says the notes that were not said before. */
static void
say_new_notes(const struct conf *c, const struct conf_reading *r)
{
	size_t i;

	for (i = 0; i < r->notes.n; i++)
		if (!list_has(&c->notes, r->notes.v[i]))
			log_notice("%s", r->notes.v[i]);
}

static bool
may_change(const struct conf_row *row)
{
	return row->flags & CONF_RELOAD;
}

static bool
is_kept(const struct conf_row *row, bool changed)
{
	return !changed || !may_change(row);
}

/* Lends the running values that are to stay to the new settings. */
static void
lend_kept(struct conf *c, struct conf_reading *r, const bool *changed)
{
	const struct conf_row *row;
	size_t i;

	for (i = 0; (row = r->origins[i].row) != NULL; i++)
		if (is_kept(row, changed[i])) {
			conf_value_fini(row, r->settings);
			conf_value_lend(row, c->settings, r->settings);
		}
}

static void
take_back_kept(struct conf_reading *r, const bool *changed)
{
	const struct conf_row *row;
	size_t i;

	for (i = 0; (row = r->origins[i].row) != NULL; i++)
		if (is_kept(row, changed[i]))
			conf_value_lend(row, NULL, r->settings);
}

/* Says that a changed value is not taken, and keeps where it came from. */
static void
refuse_change(struct conf *c, struct conf_reading *r, size_t i)
{
	struct conf_origin origin = r->origins[i];

	log_warn("%s: %s changed; takes effect at the next start",
		origin.text ? origin.text : "settings", origin.row->name);
	r->origins[i] = c->origins[i];
	c->origins[i] = origin;
}

/* Puts the new settings, to which the kept values were lent, in place. */
static void
put_in_place(struct conf *c, struct conf_reading *r, const bool *changed)
{
	struct conf_origin *origins = c->origins;
	struct conf_list notes = c->notes;
	size_t i;

	for (i = 0; origins[i].row; i++)
		if (!is_kept(origins[i].row, changed[i]))
			conf_value_fini(origins[i].row, c->settings);
		else if (changed[i])
			refuse_change(c, r, i);
	memcpy(c->settings, r->settings, c->spec->size);
	memset(r->settings, 0, c->spec->size);
	c->origins = r->origins;
	r->origins = origins;
	c->notes = r->notes;
	r->notes = notes;
}

static int
reload(struct conf *c, struct conf_reading *r)
{
	bool *changed;
	size_t i, n = 0;

	if (conf_option_scan(r, c->argc, c->argv) != CONF_OPTIONS_READ)
		bug("options changed while running");
	/* A file that was there and is gone is a mistake, or about to be put in
	 * place: no reason to go back to the defaults. */
	if (c->file)
		r->file_named = true;
	reading_fill(r, c->argc, c->argv, true);
	if (r->failed)
		return -EINVAL;
	while (r->origins[n].row)
		n++;
	changed = calloc(n + 1, sizeof(*changed));
	if (!changed)
		return -EINVAL;
	for (i = 0; i < n; i++)
		changed[i] = !conf_value_eq(
			r->origins[i].row, c->settings, r->settings);
	lend_kept(c, r, changed);
	if (reading_check(r)) {
		say_new_notes(c, r);
		put_in_place(c, r, changed);
	} else {
		take_back_kept(r, changed);
	}
	free(changed);
	return r->failed ? -EINVAL : 0;
}

int
conf_reload(struct conf *c)
{
	void *settings = malloc(c->spec->size);
	struct conf_reading r;
	size_t i;
	int rc;

	if (!settings || !reading_init(&r, c->spec, settings)) {
		log_err("settings: out of memory");
		free(settings);
		return -EINVAL;
	}
	rc = reload(c, &r);
	if (rc && !r.errors.n)
		log_err("settings: out of memory");
	for (i = 0; i < r.errors.n; i++)
		log_err("%s", r.errors.v[i]);
	reading_fini(&r);
	free(settings);
	return rc;
}

void
conf_fini(struct conf *c)
{
	if (c->origins)
		settings_fini(c->origins, c->settings);
	origins_free(c->origins);
	conf_list_fini(&c->notes);
	free(c->file);
	*c = (struct conf){0};
}

static const struct conf_origin *
origin_of(const struct conf *c, const char *name)
{
	const struct conf_origin *o =
		conf_find(c->origins, NULL, name, strlen(name));

	if (!o)
		bug("no setting is called %s", name);
	return o;
}

bool
conf_given(const struct conf *c, const char *name)
{
	return origin_of(c, name)->place != CONF_FROM_DEFAULT;
}

const char *
conf_origin(const struct conf *c, const char *name)
{
	const struct conf_origin *o = origin_of(c, name);

	return o->text ? o->text : "default";
}
