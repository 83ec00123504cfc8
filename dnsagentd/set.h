/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The set of records that a source announces to the mapper: hosts of a zone
 * with their real addresses.
 *
 * A host without an address, or with a context name without one, is left out.
 * Two hosts under one context and reference: the first one (in the order of
 * struct hosts) serves. Pure.
 */
#ifndef DNSAGENTD_SET_H
#define DNSAGENTD_SET_H

#include "dnsagentd/hosts.h"
#include "libipref/msg.h"

struct set {
	struct arec *v; /* distinct, in the order of arec_cmp(); owned */
	size_t n;
	uint64_t hash;	     /* msg_set_hash() */
	uint64_t left_out;   /* hosts without an address */
	uint64_t duplicates; /* hosts whose context and reference were taken */
};

/* Two hosts want the same context and reference; serves is the one that gets
 * it. Both die with the call. */
typedef void (*set_clash)(const struct host *serves, const struct host *other,
	const struct arec *taken, void *arg);

/* ips: an address per host part (host.name), contexts: one per context name;
 * version 0: none. A clash of hosts with the same address is none. 0 or
 * -ENOMEM; set is the caller's, to be freed by set_fini(). */
int set_make(struct set *set, const struct hosts *h, const struct addr *ips,
	const struct addr *contexts, set_clash clash, void *arg) MUSTCHECK;
void set_fini(struct set *set);

/* Whether a host has all its addresses; *rec is then its record. */
bool set_record(struct arec *rec, const struct host *host,
	const struct addr *ips, const struct addr *contexts) MUSTCHECK;

#endif
