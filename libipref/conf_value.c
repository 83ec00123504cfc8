/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values of settings: from text into the fields of a settings struct.
 *
 * Whatever a value's spelling was (a number in the file, a word of an option, a
 * default), it comes here as text, so each type has one parser. A value is
 * parsed into a union first; the field changes only when everything about the
 * value is right.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libipref/conf_impl.h"
#include "libipref/log.h"

union value {
	bool flag;
	uint64_t uint;
	char *string; /* owned */
	struct addr addr;
	struct endpoint endpoint;
	struct prefix prefix;
	struct ref ref;
	struct conf_list list; /* owned */
};

/* What became of a value; note and reason share the text. */
struct outcome {
	bool refused;
	char text[CONF_REASON_MAX]; /* why, or what to say; empty: nothing */
};

static void refuse(struct outcome *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
refuse(struct outcome *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->text, sizeof(out->text), fmt, ap);
	va_end(ap);
	out->refused = true;
}

void
conf_list_fini(struct conf_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct conf_list){0};
}

bool
conf_list_add(struct conf_list *list, const char *text, size_t len)
{
	char **v, *copy;

	if (list->n >= CONF_LIST_MAX)
		return false;
	v = reallocarray(list->v, list->n + 1, sizeof(*v));
	if (!v)
		return false;
	list->v = v;
	copy = strndup(text, len);
	if (!copy)
		return false;
	v[list->n++] = copy;
	return true;
}

static void
parse_bool(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	/* Go's flag package, with which deployed programs parse, has these. */
	static const char *const spellings[][3] = {
		{"false", "f", "0"}, {"true", "t", "1"}};
	size_t i, j;

	(void)row;
	for (i = 0; i < ARRAY_LEN(spellings); i++)
		for (j = 0; j < ARRAY_LEN(spellings[i]); j++)
			if (!strcasecmp(text, spellings[i][j])) {
				v->flag = i == 1;
				return;
			}
	refuse(out, "\"%.60s\" is neither true nor false", text);
}

/* Decimal or 0x; -1 for less than zero, 1 for beyond uint64_t, 0 for *v;
 * -EINVAL for no number. */
static int
read_number(const char *text, uint64_t *v)
{
	bool minus = *text == '-';
	const char *digits = text + minus;
	bool hex = digits[0] == '0' && (digits[1] | 0x20) == 'x';
	char *end;

	digits += hex ? 2 : 0;
	if (!*digits || strspn(digits, hex ? "0123456789abcdefABCDEF"
					   : "0123456789") != strlen(digits))
		return -EINVAL;
	errno = 0;
	*v = strtoull(digits, &end, hex ? 16 : 10);
	if (minus && *v)
		return -1;
	return errno == ERANGE ? 1 : 0;
}

static void
parse_uint(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	uint64_t max = row->max ? row->max : UINT64_MAX;
	int off = read_number(text, &v->uint);

	if (off == -EINVAL) {
		refuse(out, "\"%.60s\" is no number", text);
		return;
	}
	if (off == 0 && v->uint < row->min)
		off = -1;
	if (off == 0 && v->uint > max)
		off = 1;
	if (off == 0)
		return;
	if (row->flags & CONF_CLAMP) {
		v->uint = off < 0 ? row->min : max;
		snprintf(out->text, sizeof(out->text),
			"%.60s is out of range (%" PRIu64 " to %" PRIu64
			"), taken as %" PRIu64,
			text, row->min, max, v->uint);
		return;
	}
	refuse(out, "%.60s is out of range, %" PRIu64 " to %" PRIu64, text,
		row->min, max);
}

static void
parse_string(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	(void)row;
	v->string = strdup(text);
	if (!v->string)
		refuse(out, "out of memory");
}

static void
parse_addr(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	(void)row;
	if (!addr_parse(&v->addr, text, strlen(text)))
		refuse(out, "\"%.60s\" is no IPv4 or IPv6 address", text);
}

static void
parse_endpoint(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	(void)row;
	if (!endpoint_parse(&v->endpoint, text, strlen(text)))
		refuse(out,
			"\"%.60s\" is no ADDRESS, ADDRESS:PORT or "
			"[ADDRESS]:PORT",
			text);
}

static void
parse_prefix(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	(void)row;
	if (!prefix_parse(&v->prefix, text, strlen(text)))
		refuse(out,
			"\"%.60s\" is no network, ADDRESS/LENGTH with host "
			"bits of zero",
			text);
}

static void
parse_ref(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	(void)row;
	if (!ref_parse(&v->ref, text, strlen(text)))
		refuse(out, "\"%.60s\" is no reference", text);
}

static void
parse_nothing(union value *v, const struct conf_row *row, const char *text,
	struct outcome *out)
{
	(void)v;
	(void)row;
	(void)text;
	snprintf(out->text, sizeof(out->text), "taken, but means nothing here");
}

static const struct type {
	size_t size;
	/* NULL: a list */
	void (*parse)(union value *v, const struct conf_row *row,
		const char *text, struct outcome *out);
} types[] = {
	[CONF_BOOL] = {sizeof(bool), parse_bool},
	[CONF_UINT] = {sizeof(uint64_t), parse_uint},
	[CONF_STRING] = {sizeof(char *), parse_string},
	[CONF_ADDR] = {sizeof(struct addr), parse_addr},
	[CONF_ENDPOINT] = {sizeof(struct endpoint), parse_endpoint},
	[CONF_PREFIX] = {sizeof(struct prefix), parse_prefix},
	[CONF_REF] = {sizeof(struct ref), parse_ref},
	[CONF_LIST] = {sizeof(struct conf_list), NULL},
	[CONF_NOTHING] = {0, parse_nothing},
};

static void *
field_of(const struct conf_row *row, void *settings)
{
	return (uint8_t *)settings + row->off;
}

/* Frees what a value of this type owns. */
static void
value_free(enum conf_type type, void *value)
{
	char *string;

	if (type == CONF_STRING) {
		memcpy(&string, value, sizeof(string));
		free(string);
	} else if (type == CONF_LIST) {
		conf_list_fini(value);
	}
}

/* Adds the items between commas, without the space around them. */
static bool
add_split(struct conf_list *list, const char *text)
{
	size_t len, next;

	while (*text) {
		text += strspn(text, " \t,");
		len = strcspn(text, ",");
		next = len;
		while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
			len--;
		if (len && !conf_list_add(list, text, len))
			return false;
		text += next;
	}
	return true;
}

static void
parse_list(union value *v, const struct conf_row *row,
	const struct conf_words *words, const struct conf_list *before,
	struct outcome *out)
{
	bool split = words->split && !(row->flags & CONF_NO_COMMA);
	bool ok = true;
	size_t i;

	for (i = 0; ok && before && i < before->n; i++)
		ok = conf_list_add(
			&v->list, before->v[i], strlen(before->v[i]));
	for (i = 0; ok && i < words->n; i++)
		ok = split ? add_split(&v->list, words->v[i])
			   : conf_list_add(&v->list, words->v[i],
				     strlen(words->v[i]));
	if (!ok)
		refuse(out, "more than %d items, or out of memory",
			CONF_LIST_MAX);
}

/* Parses, checks and stores. before: the list to add to, or NULL. */
static void
take(const struct conf_row *row, void *settings, const struct conf_words *words,
	const struct conf_list *before, struct outcome *out)
{
	const struct type *type = &types[row->type];
	const char *reason;
	union value v;

	memset(&v, 0, sizeof(v));
	if (type->parse)
		type->parse(&v, row, words->v[0], out);
	else
		parse_list(&v, row, words, before, out);
	if (!out->refused && row->check && type->size) {
		reason = row->check(&v);
		if (reason)
			refuse(out, "\"%.60s\" %s", words->n ? words->v[0] : "",
				reason);
	}
	if (out->refused) {
		value_free(row->type, &v);
		return;
	}
	conf_value_fini(row, settings);
	memcpy(field_of(row, settings), &v, type->size);
}

static void
remember(struct conf_reading *r, struct conf_origin *o, enum conf_place place,
	const char *place_text)
{
	free(o->text);
	o->place = place;
	o->text = strdup(place_text);
	if (!o->text)
		conf_error(r, "%s: out of memory", place_text);
}

void
conf_value_set(struct conf_reading *r, struct conf_origin *o,
	const struct conf_words *words, enum conf_place place,
	const char *place_text)
{
	const struct conf_row *row = o->row;
	const struct conf_list *before = NULL;
	struct outcome out = {0};

	if (row->type == CONF_LIST && place == CONF_FROM_OPTION &&
		o->place == CONF_FROM_OPTION)
		before = field_of(row, r->settings);
	take(row, r->settings, words, before, &out);
	if (out.refused && row->flags & CONF_LENIENT &&
		place == CONF_FROM_OPTION) {
		conf_value_fini(row, r->settings);
		conf_value_default(r, o);
		out.refused = false;
		snprintf(out.text, sizeof(out.text),
			"\"%.60s\" can't be used, taken as %s", words->v[0],
			row->def ? row->def : "not given");
	}
	if (out.refused) {
		conf_error(r, "%s: %s", words->subject, out.text);
		return;
	}
	remember(r, o, place, place_text);
	if (out.text[0])
		conf_note(r, "%s: %s", words->subject, out.text);
}

void
conf_value_default(struct conf_reading *r, const struct conf_origin *o)
{
	const struct conf_row *row = o->row;
	const struct conf_words words = {&row->def, 1, true, NULL};
	struct outcome out = {0};

	if (!types[row->type].size)
		return;
	if (!row->def) {
		memset(field_of(row, r->settings), 0, types[row->type].size);
		return;
	}
	take(row, r->settings, &words, NULL, &out);
	if (out.refused || out.text[0])
		bug("default of setting %s: %s", row->name, out.text);
}

void
conf_value_fini(const struct conf_row *row, void *settings)
{
	void *field = field_of(row, settings);

	value_free(row->type, field);
	memset(field, 0, types[row->type].size);
}

static bool
list_eq(const struct conf_list *a, const struct conf_list *b)
{
	size_t i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]))
			return false;
	return true;
}

bool
conf_value_eq(const struct conf_row *row, const void *a, const void *b)
{
	size_t size = types[row->type].size;
	union value x, y;

	memset(&x, 0, sizeof(x));
	memset(&y, 0, sizeof(y));
	memcpy(&x, (const uint8_t *)a + row->off, size);
	memcpy(&y, (const uint8_t *)b + row->off, size);
	switch (row->type) {
	case CONF_STRING:
		if (!x.string || !y.string)
			return x.string == y.string;
		return !strcmp(x.string, y.string);
	case CONF_LIST:
		return list_eq(&x.list, &y.list);
	case CONF_ENDPOINT:
		return addr_eq(&x.endpoint.addr, &y.endpoint.addr) &&
		       x.endpoint.port == y.endpoint.port;
	case CONF_PREFIX:
		return prefix_eq(&x.prefix, &y.prefix);
	default:
		return !memcmp(&x, &y, size);
	}
}

void
conf_value_lend(const struct conf_row *row, const void *from, void *to)
{
	size_t size = types[row->type].size;

	if (from)
		memcpy(field_of(row, to), (const uint8_t *)from + row->off,
			size);
	else
		memset(field_of(row, to), 0, size);
}
