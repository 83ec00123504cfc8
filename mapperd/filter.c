/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mapperd/filter.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "libipref/ctl.h"

/* NULL, or why the value makes no sense. */
typedef const char *(*filter_fn)(
	struct filter *f, char *value, const struct hostset *sets);

static const char *
read_owner(struct filter *f, char *value, const struct hostset *sets)
{
	static const struct {
		const char *name;
		uint32_t owner;
	} names[] = {
		{"mapper", OWNER_MAPPER},
		{"tentative", OWNER_TENTATIVE},
		{"hosts", OWNER_HOSTS},
	};
	const struct host_source *s;
	struct source source;
	size_t i;

	f->has_owner = true;
	for (i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(value, names[i].name)) {
			f->owner = names[i].owner;
			return NULL;
		}
	if (!source_parse(&source, value, strlen(value)))
		return "it has to be mapper, tentative, hosts, or a source as "
		       "LOCAL:PUBLIC";
	s = hostset_by_name(sets, &source);
	if (!s)
		return "there is no such source";
	f->owner = s->id;
	return NULL;
}

static void
lower(char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s | 0x20);
}

static const char *
read_name(struct filter *f, char *value, const struct hostset *sets)
{
	size_t len;

	(void)sets;
	f->has_name = true;
	if (!strncmp(value, "*.", 2)) {
		f->below = true;
		value += 2;
	}
	len = strlen(value);
	if (len && value[len - 1] == '.')
		value[--len] = '\0';
	if (!len || strchr(value, '*'))
		return "it has to be a name, or *.NAME for those below it";
	if (len >= sizeof(f->name))
		return "it is longer than any name";
	lower(value);
	memcpy(f->name, value, len + 1);
	return NULL;
}

static const char *
read_address(struct filter *f, char *value, const struct hostset *sets)
{
	struct prefix *p = &f->address;

	(void)sets;
	f->has_address = true;
	if (addr_parse(&p->addr, value, strlen(value))) {
		p->len = (uint8_t)(8 * addr_len(p->addr.ver));
		return NULL;
	}
	return prefix_parse(p, value, strlen(value))
		       ? NULL
		       : "it is no IP address, and no prefix whose host bits "
			 "are zero";
}

static const char *
read_host(struct filter *f, char *value, const struct hostset *sets)
{
	(void)sets;
	f->has_host = true;
	return addr_parse(&f->host, value, strlen(value))
		       ? NULL
		       : "it is no IP address";
}

static const char *
read_gw(struct filter *f, char *value, const struct hostset *sets)
{
	(void)sets;
	f->has_gw = true;
	return addr_parse(&f->gw, value, strlen(value)) ? NULL
							: "it is no IP address";
}

static const char *
read_ref(struct filter *f, char *value, const struct hostset *sets)
{
	(void)sets;
	f->has_ref = true;
	return ref_parse(&f->ref, value, strlen(value)) ? NULL
							: "it is no reference";
}

static const char *
read_tentative(struct filter *f, char *value, const struct hostset *sets)
{
	(void)sets;
	f->has_tentative = true;
	f->tentative = !strcmp(value, "1");
	return f->tentative || !strcmp(value, "0") ? NULL
						   : "it has to be 1 or 0";
}

static const struct filter_row {
	const char *key;
	filter_fn fn;
} rows[] = {
	{"owner", read_owner},
	{"name", read_name},
	{"address", read_address},
	{"host", read_host},
	{"gw", read_gw},
	{"ref", read_ref},
	{"tentative", read_tentative},
};

static const struct filter_row *
find_row(const char *key, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(rows); i++)
		if (strlen(rows[i].key) == len &&
			!memcmp(rows[i].key, key, len))
			return &rows[i];
	return NULL;
}

bool
filter_parse(struct filter *f, const char *query, const struct hostset *sets,
	char error[FILTER_ERROR_MAX])
{
	const struct filter_row *row;
	char value[600], again[600];
	const char *why;
	size_t len, key_len;

	*f = (struct filter){0};
	for (; query && *query; query += len + (query[len] == '&')) {
		len = strcspn(query, "&");
		key_len = strcspn(query, "=&");
		row = find_row(query, key_len);
		if (!row) {
			snprintf(error, FILTER_ERROR_MAX,
				"there is no filter \"%.*s\"",
				key_len > 60 ? 60 : (int)key_len, query);
			return false;
		}
		if (!ctl_query(query, row->key, value, sizeof(value)) ||
			!*value) {
			snprintf(error, FILTER_ERROR_MAX,
				"%s: empty, too long or broken", row->key);
			return false;
		}
		memcpy(again, value, sizeof(again));
		why = row->fn(f, value, sets);
		if (why) {
			snprintf(error, FILTER_ERROR_MAX, "%s \"%.200s\": %s",
				row->key, again, why);
			return false;
		}
	}
	return true;
}

/* name is as it was asked for: perhaps with a last dot. */
static bool
name_matches(const struct filter *f, const char *name)
{
	size_t want = strlen(f->name), len = name ? strlen(name) : 0;

	if (len && name[len - 1] == '.')
		len--;
	if (f->below)
		return len > want && name[len - want - 1] == '.' &&
		       !strncasecmp(name + len - want, f->name, want);
	return len == want && !strncasecmp(name, f->name, want);
}

bool
filter_match(const struct filter *f, const struct entry_data *d,
	const struct show *how)
{
	const struct addr *gw = show_gw(d, how);

	if (f->has_owner && d->owner != f->owner)
		return false;
	if (f->has_tentative && (d->owner == OWNER_TENTATIVE) != f->tentative)
		return false;
	if (f->has_ref && !ref_eq(&d->key.ref, &f->ref))
		return false;
	if (f->has_host && !addr_eq(&d->addr, &f->host))
		return false;
	if (f->has_gw && !addr_eq(gw, &f->gw))
		return false;
	if (f->has_address && !prefix_has(&f->address, &d->addr) &&
		!prefix_has(&f->address, gw))
		return false;
	return !f->has_name || name_matches(f, d->name);
}
