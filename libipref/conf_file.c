/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings file: libconfig's types stay in here.
 *
 * A daemon looks at two groups of the file, `common` and its own; keys there
 * have to be known. Groups of the suite's other programs are skipped, any other
 * name at the top is taken for a misspelling. The common group is read first,
 * wherever it stands, so that the daemon's own wins.
 *
 * BUGS: libconfig 1.5 loses the memory of a string at which it finds a syntax
 * error; so each reload of such a file costs that string.
 */
#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/conf_impl.h"

#define COMMON "common"

static const char *const sections[] = {
	COMMON, "mapperd", "gwd", "dnsagentd", "resolverd", "iprefctl"};

/* Room for "FILE:LINE: SECTION.KEY"; a longer path is cut. */
#define PLACE_MAX 512

static const char *
place_of(const struct conf_reading *r, const config_setting_t *s,
	char buf[PLACE_MAX])
{
	snprintf(buf, PLACE_MAX, "%.400s:%u", r->file,
		config_setting_source_line(s));
	return buf;
}

/* "FILE:LINE: SECTION.KEY", for errors. */
static const char *
place_with_key(const struct conf_reading *r, const config_setting_t *s,
	const char *section, char buf[PLACE_MAX])
{
	size_t len = strlen(place_of(r, s, buf));

	snprintf(buf + len, PLACE_MAX - len, ": %.20s.%.60s", section,
		config_setting_name(s));
	return buf;
}

static const char *
type_name(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a fraction";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	case CONFIG_TYPE_GROUP:
		return "a group";
	default:
		return "a list";
	}
}

/* What a row wants in the file. */
static const char *
wanted_name(const struct conf_row *row)
{
	switch (row->type) {
	case CONF_BOOL:
		return "true or false is needed";
	case CONF_UINT:
		return "a number is needed";
	case CONF_LIST:
		return "a string or a list of strings is needed";
	case CONF_REF:
		return "a string or a number is needed";
	case CONF_NOTHING:
		return "one value is needed";
	default:
		return "a string in quotes is needed";
	}
}

static bool
type_fits(const struct conf_row *row, int type)
{
	bool number = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;

	switch (row->type) {
	case CONF_BOOL:
		return type == CONFIG_TYPE_BOOL;
	case CONF_UINT:
		return number;
	case CONF_REF:
		return number || type == CONFIG_TYPE_STRING;
	case CONF_NOTHING:
		return number || type == CONFIG_TYPE_STRING ||
		       type == CONFIG_TYPE_BOOL;
	default:
		return type == CONFIG_TYPE_STRING;
	}
}

/* The text of a number: what was written in hex is unsigned. */
static const char *
number_text(const config_setting_t *s, char buf[32])
{
	bool hex = config_setting_get_format(s) == CONFIG_FORMAT_HEX;
	long long n = config_setting_get_int64(s);

	if (config_setting_type(s) == CONFIG_TYPE_INT)
		n = hex ? (long long)(unsigned)config_setting_get_int(s)
			: config_setting_get_int(s);
	if (hex)
		snprintf(buf, 32, "%llu", (unsigned long long)n);
	else
		snprintf(buf, 32, "%lld", n);
	return buf;
}

/* One value that is no list, as text; NULL for an array or a group. */
static const char *
scalar_text(const config_setting_t *s, char buf[32])
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return number_text(s, buf);
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(s) ? "true" : "false";
	default:
		return config_setting_get_string(s);
	}
}

/* An array or a list of strings for a LIST. */
static void
set_list(struct conf_reading *r, struct conf_origin *o,
	const config_setting_t *s, const char *key, const char *place)
{
	size_t i, n = (size_t)config_setting_length(s);
	const char **items;

	if (n > CONF_LIST_MAX) {
		conf_error(r, "%s: more than %d items", key, CONF_LIST_MAX);
		return;
	}
	items = calloc(n + 1, sizeof(*items));
	if (!items) {
		conf_error(r, "%s: out of memory", key);
		return;
	}
	for (i = 0; i < n; i++) {
		items[i] = config_setting_get_string_elem(s, (int)i);
		if (!items[i]) {
			conf_error(r, "%s: item %zu is no string", key, i + 1);
			goto out;
		}
	}
	conf_value_set(r, o, &(struct conf_words){items, n, false, key},
		CONF_FROM_FILE, place);
out:
	free(items);
}

static void
set_row(struct conf_reading *r, struct conf_origin *o,
	const config_setting_t *s, const char *section)
{
	int type = config_setting_type(s);
	char key[PLACE_MAX], place[PLACE_MAX], buf[32];
	const char *text;

	place_of(r, s, place);
	place_with_key(r, s, section, key);
	if (o->row->flags & CONF_OPTION_ONLY) {
		conf_error(r, "%s: can be given as an option only", key);
	} else if (o->row->type == CONF_LIST &&
		   (type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST)) {
		set_list(r, o, s, key, place);
	} else if (!type_fits(o->row, type)) {
		conf_error(r, "%s: %s, this is %s", key, wanted_name(o->row),
			type_name(s));
	} else {
		text = scalar_text(s, buf);
		conf_value_set(r, o, &(struct conf_words){&text, 1, true, key},
			CONF_FROM_FILE, place);
	}
}

static void
unknown_key(
	struct conf_reading *r, const config_setting_t *s, const char *section)
{
	const char *name = config_setting_name(s);
	const struct conf_origin *o =
		conf_find(r->origins, NULL, name, strlen(name));
	char key[PLACE_MAX], hint[CONF_HINT_MAX];

	place_with_key(r, s, section, key);
	if (o)
		conf_error(r, "%s: unknown here; it belongs in section %s", key,
			o->table->section);
	else
		conf_error(r, "%s: unknown%s", key,
			conf_hint(
				r->origins, section, name, strlen(name), hint));
}

/* A group at the top that is ours. */
static void
read_section(
	struct conf_reading *r, const config_setting_t *group, const char *name)
{
	struct conf_origin *o;
	const config_setting_t *s;
	const char *key;
	int i, n;

	n = config_setting_length(group);
	for (i = 0; i < n; i++) {
		s = config_setting_get_elem(group, (unsigned)i);
		key = config_setting_name(s);
		o = conf_find(r->origins, name, key, strlen(key));
		if (!o && strcmp(name, COMMON))
			o = conf_find(r->origins, COMMON, key, strlen(key));
		if (o)
			set_row(r, o, s, name);
		else
			unknown_key(r, s, name);
	}
}

/* Whether the daemon has rows in this section. */
static bool
is_own(const struct conf_spec *spec, const char *name)
{
	size_t i;

	for (i = 0; i < spec->n_tables; i++)
		if (!strcmp(spec->tables[i].section, name))
			return true;
	return false;
}

static bool
is_section(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(sections); i++)
		if (!strcmp(sections[i], name))
			return true;
	return false;
}

/* One pass over the top of the file: its common group, or the others. */
static void
read_top(struct conf_reading *r, const config_setting_t *top, bool common)
{
	char place[PLACE_MAX];
	const config_setting_t *s;
	const char *name;
	int i;

	for (i = 0; i < config_setting_length(top); i++) {
		s = config_setting_get_elem(top, (unsigned)i);
		name = config_setting_name(s);
		if (!strcmp(name, COMMON) != common)
			continue;
		place_of(r, s, place);
		if (!is_own(r->spec, name) && !is_section(name))
			conf_error(r, "%s: unknown section \"%.60s\"", place,
				name);
		else if (!config_setting_is_group(s))
			conf_error(r, "%s: %.20s: a group is needed: { ... }",
				place, name);
		else if (is_own(r->spec, name))
			read_section(r, s, name);
	}
}

void
conf_file_text(struct conf_reading *r, const char *text, size_t len)
{
	config_t config;
	char *ready;

	if (memchr(text, 0, len)) {
		conf_error(r, "%s: has a NUL byte", r->file);
		return;
	}
	ready = conf_lex(r, text, len);
	if (!ready)
		return;
	config_init(&config);
	if (config_read_string(&config, ready)) {
		read_top(r, config_root_setting(&config), true);
		read_top(r, config_root_setting(&config), false);
	} else {
		conf_error(r, "%s:%d: %s", r->file, config_error_line(&config),
			config_error_text(&config));
	}
	config_destroy(&config);
	free(ready);
}

void
conf_file_read(struct conf_reading *r)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (!r->file)
		return;
	f = fopen(r->file, "re");
	if (!f && errno == ENOENT && !r->file_named)
		return;
	r->file_read = true;
	if (!f) {
		conf_error(
			r, "%s: can't be opened: %s", r->file, strerror(errno));
		return;
	}
	text = malloc(CONF_FILE_MAX + 2);
	if (text)
		len = fread(text, 1, CONF_FILE_MAX + 1, f);
	if (!text || ferror(f)) {
		conf_error(
			r, "%s: can't be read: %s", r->file, strerror(errno));
	} else if (len > CONF_FILE_MAX) {
		conf_error(
			r, "%s: longer than %d bytes", r->file, CONF_FILE_MAX);
	} else {
		text[len] = '\0';
		conf_file_text(r, text, len);
	}
	free(text);
	fclose(f);
}
