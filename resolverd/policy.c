/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of texts parsed into what the resolver asks at run time. Every error
 * quotes the item that is wrong.
 */
#include "resolverd/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for n items of this size, at least one so that NULL means no memory. */
static void *
list_room(const struct conf_list *texts, size_t item, char *err, size_t size)
{
	void *v = NULL;

	if (texts->n > POLICY_LIST_MAX) {
		snprintf(err, size, "more than %d items", POLICY_LIST_MAX);
		return NULL;
	}
	v = calloc(texts->n + 1, item);
	if (!v)
		snprintf(err, size, "out of memory");
	return v;
}

const char *
name_list_parse(struct name_list *l, const struct conf_list *texts, char *err,
	size_t size)
{
	size_t i;

	l->n = 0;
	l->v = list_room(texts, sizeof(*l->v), err, size);
	if (!l->v)
		return err;
	for (i = 0; i < texts->n; i++) {
		if (!name_parse(&l->v[i], texts->v[i], strlen(texts->v[i]))) {
			snprintf(err, size, "'%s' is not a domain name",
				texts->v[i]);
			name_list_fini(l);
			return err;
		}
		name_lower(&l->v[i]);
		l->n++;
	}
	return NULL;
}

static bool
prefix_or_addr_parse(struct prefix *p, const char *text)
{
	size_t len = strlen(text);

	if (prefix_parse(p, text, len))
		return true;
	*p = (struct prefix){0};
	if (!addr_parse(&p->addr, text, len))
		return false;
	p->len = (uint8_t)(8 * addr_len(p->addr.ver));
	return true;
}

const char *
prefix_list_parse(struct prefix_list *l, const struct conf_list *texts,
	char *err, size_t size)
{
	size_t i;

	l->n = 0;
	/* "any" takes two places: one for each version. */
	l->v = list_room(texts, 2 * sizeof(*l->v), err, size);
	if (!l->v)
		return err;
	for (i = 0; i < texts->n; i++) {
		if (!strcmp(texts->v[i], "any")) {
			l->v[l->n++] = (struct prefix){.addr = addr_zero(4)};
			l->v[l->n++] = (struct prefix){.addr = addr_zero(6)};
			continue;
		}
		if (!prefix_or_addr_parse(&l->v[l->n], texts->v[i])) {
			snprintf(err, size,
				"'%s' is not an address, a prefix or 'any'",
				texts->v[i]);
			prefix_list_fini(l);
			return err;
		}
		l->n++;
	}
	return NULL;
}

const char *
endpoint_list_parse(struct endpoint_list *l, const struct conf_list *texts,
	uint16_t default_port, char *err, size_t size)
{
	size_t i;

	l->n = 0;
	l->v = list_room(texts, sizeof(*l->v), err, size);
	if (!l->v)
		return err;
	for (i = 0; i < texts->n; i++) {
		if (!endpoint_parse(
			    &l->v[i], texts->v[i], strlen(texts->v[i]))) {
			snprintf(err, size,
				"'%s' is not an address with or without a port",
				texts->v[i]);
			endpoint_list_fini(l);
			return err;
		}
		if (!l->v[i].port)
			l->v[i].port = default_port;
		l->n++;
	}
	return NULL;
}

const char *
zone_conf_parse(struct zone_conf *z, const char *text, char *err, size_t size)
{
	const char *sep = strchr(text, '=');

	if (!sep || !sep[1] ||
		!name_parse(&z->apex, text, (size_t)(sep - text))) {
		snprintf(err, size, "'%s' is not ZONE=FILE", text);
		return err;
	}
	name_lower(&z->apex);
	z->path = sep + 1;
	return NULL;
}

void
name_list_fini(struct name_list *l)
{
	free(l->v);
	*l = (struct name_list){0};
}

void
prefix_list_fini(struct prefix_list *l)
{
	free(l->v);
	*l = (struct prefix_list){0};
}

void
endpoint_list_fini(struct endpoint_list *l)
{
	free(l->v);
	*l = (struct endpoint_list){0};
}

bool
prefix_list_has(const struct prefix_list *l, const struct addr *a)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (prefix_has(&l->v[i], a))
			return true;
	return false;
}

static bool
name_list_covers(const struct name_list *l, const struct name *n)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (name_under(n, &l->v[i]))
			return true;
	return false;
}

bool
domains_have(const struct domains *d, const struct name *n)
{
	return name_list_covers(&d->domains, n) && !domains_except(d, n);
}

bool
domains_except(const struct domains *d, const struct name *n)
{
	return name_list_covers(&d->except, n);
}
