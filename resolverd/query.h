/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One query's life: from a client's message to its one answer. query.c draws
 * the states. What gets the answer from elsewhere (translate.h, lookup.h) holds
 * the query and ends in exactly one of the functions here; the query is gone
 * afterwards.
 */
#ifndef RESOLVERD_QUERY_H
#define RESOLVERD_QUERY_H

#include "resolverd/chain.h"
#include "resolverd/resolver.h"

struct event;
struct translate;
struct lookup;

struct query {
	struct resolver *r;
	struct asker asker;
	struct answer_head head;
	struct name name; /* lower case; the last alias's target */
	uint16_t type;
	bool passthrough;    /* a validator that wants things as they are */
	bool untranslated;   /* it has no AA records: forward */
	bool aa;	     /* the first name is of a local zone */
	struct chain chain;  /* aliases up to name */
	struct event *timer; /* owned */
	/* At most one of these is under way. */
	struct upstream_req *forward;
	struct translate *translate; /* owned */
	struct lookup *lookup;	     /* owned */
	TAILQ_ENTRY(query) link;
};

/* Goes on with q->name: zone, reverse name, translation or upstream. */
void query_resolve(struct query *q);

/* An error without records. */
void query_fail(struct query *q, uint16_t rcode, unsigned ede);
/* An upstream's answer to q's name, filtered, with the chain in front. */
void query_relay(struct query *q, const uint8_t *msg, size_t len,
	const struct screened *s);
/* A built answer: begun by query_begin() with the chain written. buf has
 * DNS_MESSAGE_MAX bytes. */
void query_begin(struct query *q, struct answer *a, uint8_t *buf);
void query_send(struct query *q, struct answer *a, uint16_t rcode);

#endif
