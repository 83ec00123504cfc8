/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small stub client of DNS: one question, one answer, without blocking.
 *
 * Each try is a UDP query with a random id on a connected socket of its own, so
 * that the port is random too and the kernel drops what comes from elsewhere;
 * an answer must repeat id and question, anything else is counted and ignored.
 * A truncated one is asked for again by TCP. A server that is silent, broken or
 * says anything but NOERROR or NXDOMAIN is followed by the next; all of them
 * are gone through as often as `rounds` says, starting with the one that
 * answered last. There is no cache, and the number of lookups under way is
 * bounded: who has more to ask waits for an end.
 *
 * It is for programs that ask recursive servers; iterating is not its business.
 */
#ifndef LIBIPREF_DNS_LOOKUP_H
#define LIBIPREF_DNS_LOOKUP_H

#include "libipref/addr.h"
#include "libipref/dns/screen.h"

struct event_base;
struct lookups; /* the client */
struct lookup;	/* one question under way */

#define LOOKUP_SERVERS_MAX 8

struct lookup_config {
	struct endpoint servers[LOOKUP_SERVERS_MAX]; /* port 0: 53 */
	size_t n_servers;
	uint64_t try_ms;      /* patience with one server; UDP or TCP each */
	size_t rounds;	      /* through all servers; >= 1 */
	size_t max_in_flight; /* lookups at once */
};

enum lookup_result {
	LOOKUP_YES,	 /* records of that type (behind CNAMEs maybe) */
	LOOKUP_NODATA,	 /* the name has none of that type */
	LOOKUP_NXDOMAIN, /* no such name */
	LOOKUP_FAILED,	 /* no server gave an answer: see why */
};

struct lookup_answer {
	enum lookup_result result;
	const uint8_t *msg; /* not with FAILED; all dies with the call */
	size_t len;
	const struct screened *screened;
	const char *why; /* FAILED: what the last server did */
};

/* Called once, from the loop. */
typedef void (*lookup_done)(const struct lookup_answer *a, void *arg);

struct lookup_stats {
	uint64_t lookups, queries, tcp, timeouts, strays, failed;
	size_t in_flight;
};

/* NULL: no memory. */
struct lookups *lookups_new(
	struct event_base *base, const struct lookup_config *cfg) MUSTCHECK;
/* Ends all lookups without calling back. NULL is fine. */
void lookups_free(struct lookups *c);
/* Other servers, for tries from now on. */
void lookups_set_servers(
	struct lookups *c, const struct endpoint *servers, size_t n);
const struct lookup_stats *lookups_stats(const struct lookups *c);

/* NULL with errno: EAGAIN (as many as may be are under way), ENOMEM. */
struct lookup *lookup_start(struct lookups *c, const struct dns_question *q,
	lookup_done done, void *arg) MUSTCHECK;
/* Its callback will not come. */
void lookup_cancel(struct lookup *l);

/* The addresses of this version in an answer, CNAMEs followed from the name
 * asked for, in the answer's order; returns how many were stored. */
size_t lookup_addrs(const struct lookup_answer *a, uint8_t ver,
	struct addr *out, size_t max);

/* The servers of a resolv.conf's text (resolv.conf(5)), at most max; lines that
 * don't parse, or with a zone id, are passed over. Returns their number. */
size_t resolv_conf_parse(
	const char *text, size_t len, struct endpoint *out, size_t max);
/* The same from a file: 0 and *n, or -errno. */
int resolv_conf_read(const char *path, struct endpoint *out, size_t max,
	size_t *n) MUSTCHECK;

#endif
