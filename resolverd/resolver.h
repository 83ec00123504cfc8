/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of resolverd: what all queries share. One per process, made by
 * main.c (or a test) and passed to everything.
 */
#ifndef RESOLVERD_RESOLVER_H
#define RESOLVERD_RESOLVER_H

#include <sys/queue.h>
#include <sys/time.h>

#include "libipref/log.h"
#include "libipref/mclient.h"
#include "resolverd/listen.h"
#include "resolverd/settings.h"
#include "resolverd/upstream.h"
#include "resolverd/zones.h"

#define QUERY_MS 5000 /* a query that is not answered then gets SERVFAIL */

struct event_base;
struct query;
struct transfer;

struct resolver_stats {
	uint64_t dropped; /* nothing to answer */
	uint64_t errors;  /* refused by form: FORMERR, NOTIMP, BADVERS ... */
	uint64_t refused_acl;	  /* not allowed to ask */
	uint64_t refused_busy;	  /* too many under way */
	uint64_t queries;	  /* the others, by what answered: */
	uint64_t local;		  /* a local zone */
	uint64_t reverse;	  /* the encoding network's reverse names */
	uint64_t translated;	  /* addresses from the mapper */
	uint64_t translated_none; /* NODATA for the other type */
	uint64_t forwarded;
	uint64_t servfail_upstream; /* no useful answer */
	uint64_t servfail_mapper;   /* no address */
	uint64_t servfail_unusable; /* AA records, none usable */
	uint64_t servfail_late;	    /* QUERY_MS over */
	uint64_t servfail_other;    /* alias loops, no memory */
	uint64_t truncated;
	uint64_t ea_refused; /* ACKs that answer something else */
	uint64_t transfers, transfers_refused;
};

struct resolver {
	struct event_base *base;
	const struct resolver_conf *conf;
	struct msg_format fmt;
	struct policy policy;
	struct zones zones;
	struct upstream *up;
	struct mclient *mapper;
	struct listen *listen;
	uint64_t no_lookup_until_ms; /* the mapper does not know LOOKUP_EA */
	/* For the many equal timers of queries. */
	const struct timeval *query_timeout;
	TAILQ_HEAD(, query) queries;
	size_t n_queries;
	TAILQ_HEAD(, transfer) transfers;
	size_t n_transfers;
	bool stopping; /* what still comes in is dropped */
	struct log_limit aa_limit, mapper_limit, transfer_limit;
	struct resolver_stats stats;
};

/* A message of a client: listen_handler, with the resolver as arg. */
void resolver_handle(
	const struct asker *from, const uint8_t *msg, size_t len, void *arg);
/* Drops all queries and transfers, and what comes from now on; before listen,
 * upstream and mapper go. */
void resolver_drop_all(struct resolver *r);

#endif
