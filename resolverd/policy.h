/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings of the resolver in the form in which they are used: lists of
 * names, prefixes, endpoints and zone files out of lists of texts.
 *
 * Made once from struct resolver_conf and again on reload; lookups are pure.
 */
#ifndef RESOLVERD_POLICY_H
#define RESOLVERD_POLICY_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/conf.h"
#include "libipref/dns/name.h"

#define POLICY_LIST_MAX 4096 /* items of one list */

struct name_list {
	struct name *v; /* owned; lower case */
	size_t n;
};

struct prefix_list {
	struct prefix *v; /* owned */
	size_t n;
};

struct endpoint_list {
	struct endpoint *v; /* owned; the port is never 0 */
	size_t n;
};

/* Which names are translated: those under one of `domains` and under none of
 * `except`. */
struct domains {
	struct name_list domains, except;
};

/* "internal=/etc/ipref/db.internal" */
struct zone_conf {
	struct name apex; /* lower case */
	const char *path; /* inside the text; borrowed */
};

/* Each: NULL, and the list is filled and the caller's; or the reason in err
 * (which is returned), and the list is empty. */
const char *name_list_parse(struct name_list *l, const struct conf_list *texts,
	char *err, size_t size) MUSTCHECK;
/* "10.0.0.0/8", "192.0.2.1" (that address alone), "any" (all of both
 * versions). */
const char *prefix_list_parse(struct prefix_list *l,
	const struct conf_list *texts, char *err, size_t size) MUSTCHECK;
const char *endpoint_list_parse(struct endpoint_list *l,
	const struct conf_list *texts, uint16_t default_port, char *err,
	size_t size) MUSTCHECK;
/* The texts have to outlive z. */
const char *zone_conf_parse(struct zone_conf *z, const char *text, char *err,
	size_t size) MUSTCHECK;

void name_list_fini(struct name_list *l);
void prefix_list_fini(struct prefix_list *l);
void endpoint_list_fini(struct endpoint_list *l);

bool prefix_list_has(const struct prefix_list *l, const struct addr *a);
/* The name is one that is to be translated. */
bool domains_have(const struct domains *d, const struct name *n);
/* The name is one that must not be. */
bool domains_except(const struct domains *d, const struct name *n);

#endif
