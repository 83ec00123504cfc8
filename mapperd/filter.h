/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which mappings an operator wants to see: a query such as
 * "owner=mapper&address=192.0.2.0/24". All conditions have to hold. Pure.
 *
 *	owner		mapper, tentative, hosts, or LOCAL:PUBLIC
 *	name		a DNS name, or *.NAME for those below it
 *	address		an ea, ip or gw, or a prefix
 *	host		an ea or ip
 *	gw		a context address
 *	ref		a reference
 *	tentative	1 or 0
 */
#ifndef MAPPERD_FILTER_H
#define MAPPERD_FILTER_H

#include "mapperd/show.h"

struct filter {
	bool has_owner, has_name, has_address, has_host, has_gw, has_ref,
		has_tentative;
	uint32_t owner;
	char name[ENTRY_NAME_MAX + 1]; /* lower case, no last dot */
	bool below;		       /* name: those below it */
	struct prefix address;
	struct addr host, gw;
	struct ref ref;
	bool tentative;
};

#define FILTER_ERROR_MAX 512

/* query: as ctl_query() has it, NULL for none. False: error says which value
 * makes no sense, and why. */
bool filter_parse(struct filter *f, const char *query,
	const struct hostset *sets, char error[FILTER_ERROR_MAX]) MUSTCHECK;

bool filter_match(const struct filter *f, const struct entry_data *d,
	const struct show *how);

#endif
