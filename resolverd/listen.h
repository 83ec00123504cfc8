/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets that clients ask at: UDP and TCP on any number of addresses.
 *
 * Each message that arrives is given to the handler with its asker, which is
 * ended by exactly one asker_reply() or asker_drop(), at once or later. Answers
 * leave from the address and socket that were asked. A TCP client may send
 * many queries without waiting and gets the answers in the order in which they
 * are ready (RFC 7766); who does not read, has too much under way or is idle
 * for too long is not read from, or closed. Messages are not looked into here.
 */
#ifndef RESOLVERD_LISTEN_H
#define RESOLVERD_LISTEN_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "resolverd/policy.h"

struct event_base;
struct listen;
struct listen_sock;
struct tcp_client;

/* Who asked; copied freely until it is ended. */
struct asker {
	struct endpoint peer;
	struct listen_sock *sock; /* where it came in */
	struct addr local;	  /* UDP to a socket bound to all: the address
				   * that was asked; else version 0 */
	unsigned ifindex;	  /* UDP: where it came in, for link-local */
	struct tcp_client *tcp;	  /* NULL: UDP */
};

typedef void (*listen_handler)(
	const struct asker *from, const uint8_t *msg, size_t len, void *arg);

struct listen_config {
	const struct endpoint_list *at;
	size_t tcp_max;	  /* clients at once: the longest idle one goes first */
	uint64_t idle_ms; /* a TCP client without a query under way */
	listen_handler handler;
	void *arg;
};

struct listen_stats {
	uint64_t udp_queries, tcp_queries;
	uint64_t udp_unsent; /* answers that the kernel did not take */
	uint64_t tcp_accepted, tcp_idle, tcp_evicted, tcp_refused;
	size_t tcp_clients;
};

/* 0 and *out; or -errno, and the reason with its address is in the log. */
int listen_new(struct listen **out, struct event_base *base,
	const struct listen_config *cfg) MUSTCHECK;
/* Closes all. Askers not yet ended must be ended before. NULL is fine. */
void listen_free(struct listen *l);
const struct listen_stats *listen_stats(const struct listen *l);

/* Sends the answer and ends the asker. */
void asker_reply(struct asker *a, const uint8_t *msg, size_t len);
/* Ends it without an answer. */
void asker_drop(struct asker *a);
/* TCP only, for answers of many messages: sends one and goes on. */
void asker_send(struct asker *a, const uint8_t *msg, size_t len);
/* TCP only: bytes not yet taken by the client. */
size_t asker_backlog(const struct asker *a);
/* TCP only: one call of fn when the backlog is gone (gone false) or the client
 * is (gone true); fn may end the asker. NULL takes it back. */
void asker_on_drain(
	struct asker *a, void (*fn)(bool gone, void *arg), void *arg);
/* TCP only: asker_on_drain() of some asker of this client waits for its call:
 * there is one place for it. */
bool asker_waits(const struct asker *a);

#endif
