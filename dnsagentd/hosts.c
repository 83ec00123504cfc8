/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hosts of a zone.
 *
 * Each context name is looked up in the zone once and remembered in a table
 * while the hosts are made. Those that the zone can't answer get numbers in the
 * order of their names, so that equal zones give equal numbers.
 */
#include "dnsagentd/hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/table.h"

struct context {
	struct name asked; /* lower case; key of the table */
	struct name end;   /* behind the zone's CNAMEs */
	enum zone_answer answer;
	struct addr gw;
};

struct making {
	struct zone *zone;
	struct hosts *hosts;
	size_t cap;
	struct table contexts;	  /* of struct context, owned */
	struct context **by_host; /* of each host without a gw; owned */
};

static struct context *
find_context(struct making *m, const struct name *asked, int *err)
{
	struct context *c = table_get(&m->contexts, asked);

	if (c)
		return c;
	c = calloc(1, sizeof(*c));
	if (!c) {
		*err = -ENOMEM;
		return NULL;
	}
	c->asked = c->end = *asked;
	c->answer = zone_context(m->zone, &c->end, &c->gw);
	name_lower(&c->end);
	*err = table_put(&m->contexts, c);
	if (*err) {
		free(c);
		return NULL;
	}
	return c;
}

static int
grow(struct making *m)
{
	struct hosts *h = m->hosts;
	size_t cap = m->cap ? 2 * m->cap : 64;
	struct context **by_host;
	struct host *v;

	if (h->n < m->cap)
		return 0;
	v = realloc(h->v, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	h->v = v;
	by_host = realloc(m->by_host, cap * sizeof(*by_host));
	if (!by_host)
		return -ENOMEM;
	m->by_host = by_host;
	m->cap = cap;
	return 0;
}

/* The context's address into gw; *c when it stays a name. False: the AA string
 * can't be used, or *err. */
static bool
settle_context(struct making *m, const struct zone_aa *aa, struct addr *gw,
	struct context **c, int *err)
{
	enum zone_skip why = ZONE_NO_CONTEXT;

	*c = find_context(m, &aa->context, err);
	if (!*c) {
		if (*err != -ENOSPC)
			return false;
		*err = 0;
		why = ZONE_MANY_CONTEXTS;
	} else if ((*c)->answer == ZONE_ASK) {
		return true;
	} else if ((*c)->answer == ZONE_ADDRESS) {
		*gw = (*c)->gw;
		*c = NULL;
		if (addr_is_global_unicast(gw))
			return true;
		why = ZONE_BAD_CONTEXT;
	}
	zone_pass_over(m->zone, why, &aa->owner);
	return false;
}

static int
add_host(struct making *m, const struct zone_aa *aa)
{
	struct hosts *h = m->hosts;
	struct addr gw = aa->gw;
	struct context *c = NULL;
	const uint8_t *label;
	struct host *host;
	size_t len;
	int err = 0;

	if (!gw.ver && !settle_context(m, aa, &gw, &c, &err))
		return err;
	err = grow(m);
	if (err)
		return err;
	host = &h->v[h->n];
	memset(host, 0, sizeof(*host));
	label = name_first(&aa->owner, &len);
	host->label_len = (uint8_t)len;
	memcpy(host->label, label, len);
	host->gw = gw;
	host->ref = aa->ref;
	m->by_host[h->n++] = c;
	return 0;
}

static int
name_order(const void *a, const void *b)
{
	return name_cmp(a, b);
}

/* The distinct names that have to be asked elsewhere, sorted. */
static int
list_contexts(struct making *m)
{
	struct hosts *h = m->hosts;
	const struct context *c;
	size_t i, kept = 0;

	if (!m->contexts.n)
		return 0;
	h->contexts = calloc(m->contexts.n, sizeof(*h->contexts));
	if (!h->contexts)
		return -ENOMEM;
	TABLE_FOREACH (&m->contexts, pos, c)
		if (c->answer == ZONE_ASK)
			h->contexts[h->n_contexts++] = c->end;
	qsort(h->contexts, h->n_contexts, sizeof(*h->contexts), name_order);
	for (i = 0; i < h->n_contexts; i++)
		if (!kept || !name_eq(&h->contexts[i], &h->contexts[kept - 1]))
			h->contexts[kept++] = h->contexts[i];
	h->n_contexts = kept;
	for (i = 0; i < h->n; i++) {
		const struct name *found;

		if (!m->by_host[i])
			continue;
		found = bsearch(&m->by_host[i]->end, h->contexts, kept,
			sizeof(*found), name_order);
		h->v[i].context = (uint32_t)(found - h->contexts);
	}
	return 0;
}

static int
label_order(const struct host *a, const struct host *b)
{
	int order = memcmp(a->label, b->label, sizeof(a->label));

	return order ? order : a->label_len - b->label_len;
}

static int
host_order(const void *a, const void *b)
{
	const struct host *x = a, *y = b;
	int order = label_order(x, y);

	if (!order)
		order = addr_cmp(&x->gw, &y->gw);
	if (!order)
		order = (x->context > y->context) - (x->context < y->context);
	return order ? order : ref_cmp(&x->ref, &y->ref);
}

/* Sorts, drops repetitions, numbers the host parts. */
static void
settle(struct hosts *h)
{
	size_t i, kept = 0;

	if (!h->n)
		return;
	qsort(h->v, h->n, sizeof(*h->v), host_order);
	for (i = 0; i < h->n; i++)
		if (!kept || host_order(&h->v[i], &h->v[kept - 1]))
			h->v[kept++] = h->v[i];
	h->n = kept;
	for (i = 1; i < h->n; i++) {
		h->v[i].name = h->v[i - 1].name;
		if (label_order(&h->v[i], &h->v[i - 1]))
			h->v[i].name++;
	}
	h->n_names = h->v[h->n - 1].name + 1;
}

static void
free_contexts(struct table *t)
{
	struct context *c;

	TABLE_FOREACH (t, pos, c)
		free(c);
	table_fini(t);
}

int
hosts_make(struct hosts *h, struct zone *z)
{
	struct making m = {.zone = z, .hosts = h};
	struct zone_aa aa;
	size_t pos = 0;
	int err = 0;

	*h = (struct hosts){0};
	table_init(&m.contexts, offsetof(struct context, asked),
		sizeof(struct name), HOSTS_CONTEXTS_MAX);
	while (!err && zone_next_aa(z, &pos, &aa))
		err = add_host(&m, &aa);
	if (!err)
		err = list_contexts(&m);
	if (!err)
		settle(h);
	memcpy(h->skipped, z->skipped, sizeof(h->skipped));
	free_contexts(&m.contexts);
	free(m.by_host);
	return err;
}

void
hosts_fini(struct hosts *h)
{
	free(h->v);
	free(h->contexts);
	*h = (struct hosts){0};
}

bool
hosts_eq(const struct hosts *a, const struct hosts *b)
{
	if (a->n != b->n || a->n_contexts != b->n_contexts)
		return false;
	if (a->n && memcmp(a->v, b->v, a->n * sizeof(*a->v)))
		return false;
	return !a->n_contexts || !memcmp(a->contexts, b->contexts,
					 a->n_contexts * sizeof(*a->contexts));
}

bool
host_local_name(
	struct name *n, const struct host *host, const struct name *local)
{
	return name_join(n, host->label, host->label_len, local);
}

const char *
host_format(const struct host *host, char buf[NAME_TEXT_MAX])
{
	struct name n, root = name_root();
	char *end;

	if (!host_local_name(&n, host, &root))
		n = root;
	name_format(&n, buf);
	end = buf + strlen(buf) - 1;
	if (end > buf)
		*end = '\0';
	return buf;
}

struct hosts_ref *
hosts_ref_new(struct hosts *h)
{
	struct hosts_ref *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->refs = 1;
	r->hosts = *h;
	*h = (struct hosts){0};
	return r;
}

struct hosts_ref *
hosts_ref_get(struct hosts_ref *r)
{
	r->refs++;
	return r;
}

void
hosts_ref_put(struct hosts_ref *r)
{
	if (!r || --r->refs)
		return;
	hosts_fini(&r->hosts);
	free(r);
}
