/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rounds of lookups: the local address of each host part of a source, and the
 * address of each context name that the zone itself can't answer.
 *
 * A name that does not exist, or has no address that can be used, has none
 * then. One that nobody answers for keeps what an earlier round said; one that
 * was never answered is unknown, and whether that can be borne is the caller's
 * to decide (spec: dns-agent.md). An address found earlier is kept as long as
 * it is among those answered, so that rotating answers change nothing.
 */
#ifndef DNSAGENTD_NAMES_H
#define DNSAGENTD_NAMES_H

#include "dnsagentd/hosts.h"
#include "libipref/dns/lookup.h"

struct event_base;
struct names;

struct names_config {
	struct name local;	       /* domain of the real addresses */
	uint8_t local_ver, tunnel_ver; /* IP versions */
	uint64_t try_ms;	       /* patience with a DNS server */
	size_t in_flight;	       /* lookups of a kind at once */
	const char *label;	       /* of the source, for logs; borrowed */
	/* A round is over; may start another. */
	void (*done)(void *arg);
	void *arg;
};

struct names_result {
	const struct addr *ips;	     /* per host part (host.name) */
	const struct addr *contexts; /* per context name */
	size_t asked, found, none;   /* names */
	size_t kept;		     /* unanswered now, but known of before */
	size_t unknown;		     /* never answered */
};

/* NULL: no memory. */
struct names *names_new(
	struct event_base *base, const struct names_config *cfg) MUSTCHECK;
/* Ends a round without calling back. NULL is fine. */
void names_free(struct names *n);
/* Whom to ask from now on. */
void names_set_servers(struct names *n, const struct endpoint *local,
	size_t n_local, const struct endpoint *context, size_t n_context);
/* The client for names elsewhere; for the names of servers too. */
struct lookups *names_context_client(struct names *n);

/* Starts a round for these hosts, in place of one under way; takes a reference.
 * 0 or -ENOMEM. `done` comes from the loop. */
int names_start(struct names *n, struct hosts_ref *hosts) MUSTCHECK;
bool names_busy(const struct names *n);
/* Of the last round; in `done` and until the next round starts. */
const struct names_result *names_result(const struct names *n);
/* The hosts of that round. */
const struct hosts *names_hosts(const struct names *n);

#endif
