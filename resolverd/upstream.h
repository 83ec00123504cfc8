/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks other DNS servers: a forwarding client with retries and failover.
 *
 * A question is asked of the configured servers until one gives an answer that
 * means something (NOERROR, NXDOMAIN, YXDOMAIN) or the time is over. Equal
 * questions under way are asked once. Each try has a random id and one of a
 * changing set of connected sockets with random ports; an answer counts only
 * when it comes from there with that id and that question. A cut answer is
 * asked for again by TCP. A server that keeps silent is asked last for a while;
 * one that says SERVFAIL or REFUSED is not asked again for that question. There
 * is no cache here.
 */
#ifndef RESOLVERD_UPSTREAM_H
#define RESOLVERD_UPSTREAM_H

#include "libipref/dns/screen.h"
#include "resolverd/policy.h"

#define UPSTREAM_SERVERS_MAX 64

struct event_base;
struct upstream;
struct upstream_req; /* one request; valid until its callback or cancel */

/* What is asked, always of class IN. */
struct upstream_question {
	struct name name; /* any case */
	uint16_t type;
	bool checking_disabled, dnssec_ok; /* CD and DO of the query sent */
};

enum upstream_result {
	UPSTREAM_OK,	  /* an answer that means something */
	UPSTREAM_REFUSED, /* all servers answered, none usefully */
	UPSTREAM_SILENT,  /* no answer in time, or none could be asked */
};

/* With OK: a screened message and what the screen found; both die with the
 * call. Else NULL. */
typedef void (*upstream_done)(enum upstream_result res, const uint8_t *msg,
	size_t len, const struct screened *s, void *arg);

struct upstream_config {
	const struct endpoint_list *servers; /* copied; at most SERVERS_MAX */
	size_t max_flights; /* different questions under way at once */
	uint64_t total_ms;  /* for all tries of a question: 4,000 by default */
};

struct upstream_stats {
	uint64_t requests;   /* asked of us */
	uint64_t flights;    /* different questions */
	uint64_t joined;     /* shared another's flight */
	uint64_t refused;    /* too many under way */
	uint64_t strays;     /* answers with an id that nobody waits for */
	uint64_t mismatched; /* answers to another question */
	size_t in_flight;
};

struct upstream_server_stats {
	struct endpoint server;
	uint64_t queries, answers, timeouts, errors, broken, tcp;
	uint64_t refusals; /* SERVFAIL, REFUSED and the like */
	uint32_t rtt_ms;   /* smoothed; 0: not known */
	bool down;	   /* asked last */
};

/* NULL: no memory. */
struct upstream *upstream_new(
	struct event_base *base, const struct upstream_config *cfg) MUSTCHECK;
/* Ends all requests without calling back. NULL is fine. */
void upstream_free(struct upstream *up);

/* The callback comes from the loop, never from within this call. NULL with
 * errno: EAGAIN (too many under way), ENOMEM, EDESTADDRREQ (no server). */
struct upstream_req *upstream_ask(struct upstream *up,
	const struct upstream_question *q, upstream_done done,
	void *arg) MUSTCHECK;
/* Its callback will not come. */
void upstream_cancel(struct upstream_req *r);

const struct upstream_stats *upstream_stats(const struct upstream *up);
size_t upstream_servers(const struct upstream *up);
struct upstream_server_stats upstream_server(
	const struct upstream *up, size_t i);

#endif
