/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What upstream.c (questions, servers, retries) and upstream_io.c (sockets)
 * share; for nobody else.
 *
 * A flight is one question under way. It has waiters, those who asked, and
 * tries, each one query sent to one server. A UDP try hangs at its socket and
 * in the table by (socket, id); a TCP try has a connection of its own.
 */
#ifndef RESOLVERD_UPSTREAM_IMPL_H
#define RESOLVERD_UPSTREAM_IMPL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "libipref/table.h"
#include "resolverd/upstream.h"

#define UPSTREAM_POOL	  16  /* UDP sockets of a server in use at random */
#define UPSTREAM_USES	  100 /* queries after which a socket is given up */
#define UPSTREAM_TCP_MAX  256 /* TCP connections to all servers at once */
#define UPSTREAM_UDP_RECV 4096

struct bufferevent;
struct flight;
struct server;

struct flight_key {	  /* no padding: a hash key as a whole */
	struct name name; /* lower case */
	uint16_t type;
	uint16_t flags; /* DNS_CD, EDNS's DO */
};

/* A UDP socket, connected to its server. */
struct usock {
	struct server *server;
	struct event *ev; /* owned */
	int fd;		  /* owned */
	uint32_t serial;
	unsigned uses;
	bool retired; /* out of the pool; goes with its last try */
	TAILQ_HEAD(, try) tries;
};

struct try_key {       /* no padding */
	uint32_t sock; /* serial */
	uint16_t id;
	uint16_t zero;
};

struct
try {
	struct try_key key;
	struct flight *flight;
	struct server *server;
	uint64_t sent_ms;
	bool edns;
	struct usock *sock;	/* UDP, else NULL */
	struct bufferevent *be; /* TCP, owned, else NULL */
	TAILQ_ENTRY(try) of_sock;
	TAILQ_ENTRY(try) of_flight;
};

struct server {
	struct upstream *up;
	struct endpoint at;
	struct usock *pool[UPSTREAM_POOL]; /* owned; NULL: not open */
	unsigned fails;			   /* in a row without an answer */
	uint64_t down_until_ms;		   /* asked last until then */
	struct upstream_server_stats stats;
};

struct upstream_req {
	struct flight *flight;
	upstream_done done;
	void *arg;
	TAILQ_ENTRY(upstream_req) link;
};

struct flight {
	struct flight_key key;
	struct upstream *up;
	struct event *timer; /* owned */
	uint64_t deadline_ms;
	unsigned tries;			     /* made so far */
	uint8_t asked[UPSTREAM_SERVERS_MAX]; /* tries made by server */
	bool useless[UPSTREAM_SERVERS_MAX];  /* answered, but not usefully */
	bool any_useless;
	bool ending; /* its callbacks are being called */
	struct server *last;
	TAILQ_HEAD(, try) open;
	TAILQ_HEAD(, upstream_req) waiters;
};

struct upstream {
	struct event_base *base;
	struct table flights, tries;
	struct server servers[UPSTREAM_SERVERS_MAX];
	size_t n_servers;
	uint64_t total_ms;
	uint32_t next_serial;
	size_t n_tcp;
	struct upstream_stats stats;
};

/* upstream_io.c: sends a query; 0 and the try is open, or -errno. */
int try_udp(struct flight *f, struct server *s, bool edns) MUSTCHECK;
int try_tcp(struct flight *f, struct server *s, bool edns) MUSTCHECK;
/* Ends one try: the flight hears nothing of it. */
void try_free(struct try *t);
void server_close(struct server *s);

/* upstream.c: what came of a try; the flight, and so the try, may be gone
 * afterwards. msg answers the try's question. */
void flight_answer(struct try *t, const uint8_t *msg, size_t len);
/* The try can't succeed any more (network error, broken or no answer). */
void flight_try_failed(struct try *t);

#endif
