/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hosts that a public zone publishes: what servers vote on, and what local
 * addresses are then looked up for (spec: dns-agent.md).
 *
 * Depends on the zone's content alone, not on the order in which it came, so
 * that what several servers say can be compared byte by byte. Context names
 * inside the zone are answered from it; others stay names. Pure.
 */
#ifndef DNSAGENTD_HOSTS_H
#define DNSAGENTD_HOSTS_H

#include "dnsagentd/zone.h"

#define HOSTS_CONTEXTS_MAX 16384 /* different context names in a zone */

/* One published mapping. No padding counts: all of it is zeroed first, so that
 * hosts compare by memcmp. */
struct host {
	uint8_t label_len;
	uint8_t label[NAME_LABEL_MAX]; /* host part, lower case; zeros behind */
	uint32_t name;	  /* number of this host part, from 0, ascending */
	uint32_t context; /* when gw has version 0: index into contexts */
	struct addr gw;	  /* all-zeros: the mapper's own */
	struct ref ref;
};

/* What a zone publishes; sorted, without repetitions. */
struct hosts {
	struct host *v;
	size_t n;
	size_t n_names;	       /* distinct host parts */
	struct name *contexts; /* lower case, sorted, distinct */
	size_t n_contexts;
	uint64_t skipped[ZONE_N_SKIPS];
};

/* What the (closed) zone publishes: 0 or -ENOMEM. h is the caller's, to be
 * freed by hosts_fini(), also after a failure. */
int hosts_make(struct hosts *h, struct zone *z) MUSTCHECK;
void hosts_fini(struct hosts *h);
/* Both publish the same. */
bool hosts_eq(const struct hosts *a, const struct hosts *b);
/* The name to look up for a host: its host part under the local domain; false
 * when that is too long. */
bool host_local_name(struct name *n, const struct host *host,
	const struct name *local) MUSTCHECK;

/* The host part as text, escaped (name_format()); returns buf. */
const char *host_format(const struct host *host, char buf[NAME_TEXT_MAX]);

/* Hosts that several hold: a server's last word, and a round of lookups. */
struct hosts_ref {
	unsigned refs;
	struct hosts hosts;
};
/* One reference; what h owned moves there. NULL: no memory, h is as it was. */
struct hosts_ref *hosts_ref_new(struct hosts *h) MUSTCHECK;
/* One more; returns r. */
struct hosts_ref *hosts_ref_get(struct hosts_ref *r);
/* One less; the last frees. NULL is fine. */
void hosts_ref_put(struct hosts_ref *r);

#endif
