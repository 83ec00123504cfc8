/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One server of a public zone: polled each interval by zone transfer, and what
 * its last good answer publishes.
 *
 * A poll that fails changes nothing but the time of the next one: soon at
 * first, then later and later, an interval at most.
 */
#ifndef DNSAGENTD_SERVER_H
#define DNSAGENTD_SERVER_H

#include "dnsagentd/settings.h"
#include "dnsagentd/zone.h"
#include "libipref/dns/transfer.h"
#include "libipref/log.h"

struct event;
struct event_base;
struct hosts_ref;

struct server_stats {
	uint64_t polls, failures;
	uint64_t start_ms;   /* of the server here */
	uint64_t success_ms; /* now_ms() of the last good transfer; 0: none */
	uint64_t records, bytes; /* of it */
	uint32_t serial;	 /* of it */
	char why[256];		 /* the last failure; empty after a success */
};

struct server {
	struct event_base *base;
	const struct server_conf *conf; /* borrowed */
	const struct name *domain;	/* likewise */
	const char *label;		/* of the source; likewise */
	struct lookups *lookups;	/* for the server's name; likewise */
	uint8_t tunnel_ver;
	uint64_t interval_ms;
	/* A transfer was good: s->set is what the zone publishes now. */
	void (*changed)(struct server *s, void *arg);
	void *arg;

	struct hosts_ref *set; /* of the last good one; NULL: none yet */
	struct server_stats stats;

	/* The poll under way, if any. */
	struct lookup *lookup;
	struct transfer *transfer;
	struct zone zone;
	uint8_t asked_ver; /* of the address that lookup asks for */
	struct event *timer;
	uint64_t backoff_ms;
	struct log_limit limit;
};

/* s has its first block of fields filled by the caller; the first poll comes
 * after delay_ms. 0 or -ENOMEM. */
int server_init(struct server *s, uint64_t delay_ms) MUSTCHECK;
/* Also for one that is all zero. */
void server_fini(struct server *s);
void server_set_interval(struct server *s, uint64_t interval_ms);
/* No good transfer for three intervals: it has no vote. */
bool server_is_silent(const struct server *s, uint64_t now);

#endif
