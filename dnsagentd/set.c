/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets. Records are sorted together with the number of their host, so that of
 * several for one context and reference the first host's comes first.
 */
#include "dnsagentd/set.h"

#include <errno.h>
#include <stdlib.h>

struct candidate {
	struct arec rec;
	size_t host; /* index into hosts */
};

bool
set_record(struct arec *rec, const struct host *host, const struct addr *ips,
	const struct addr *contexts)
{
	*rec = (struct arec){
		.ip = ips[host->name],
		.gw = host->gw,
		.ref = host->ref,
	};
	if (!host->gw.ver)
		rec->gw = contexts[host->context];
	rec->ea = addr_zero(rec->ip.ver);
	return rec->ip.ver && rec->gw.ver;
}

static int
key_order(const struct arec *a, const struct arec *b)
{
	int order = addr_cmp(&a->gw, &b->gw);

	return order ? order : ref_cmp(&a->ref, &b->ref);
}

static int
candidate_order(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = key_order(&x->rec, &y->rec);

	return order ? order : (x->host > y->host) - (x->host < y->host);
}

/* Into set->v, of each context and reference the first. */
static void
take_first(struct set *set, const struct hosts *h, const struct candidate *c,
	size_t n, set_clash clash, void *arg)
{
	size_t i, first = 0;

	for (i = 0; i < n; i++) {
		if (!i || key_order(&c[i].rec, &c[first].rec)) {
			first = i;
			set->v[set->n++] = c[i].rec;
			continue;
		}
		if (addr_eq(&c[i].rec.ip, &c[first].rec.ip))
			continue;
		set->duplicates++;
		if (clash)
			clash(&h->v[c[first].host], &h->v[c[i].host],
				&c[first].rec, arg);
	}
}

int
set_make(struct set *set, const struct hosts *h, const struct addr *ips,
	const struct addr *contexts, set_clash clash, void *arg)
{
	struct candidate *c;
	size_t i, n = 0;

	*set = (struct set){.hash = MSG_EMPTY_SET_HASH};
	if (!h->n)
		return 0;
	c = calloc(h->n, sizeof(*c));
	set->v = calloc(h->n, sizeof(*set->v));
	if (!c || !set->v) {
		free(c);
		set_fini(set);
		return -ENOMEM;
	}
	for (i = 0; i < h->n; i++) {
		c[n].host = i;
		if (set_record(&c[n].rec, &h->v[i], ips, contexts))
			n++;
		else
			set->left_out++;
	}
	qsort(c, n, sizeof(*c), candidate_order);
	take_first(set, h, c, n, clash, arg);
	set->hash = msg_set_hash(set->v, set->n);
	free(c);
	return 0;
}

void
set_fini(struct set *set)
{
	free(set->v);
	*set = (struct set){.hash = MSG_EMPTY_SET_HASH};
}
