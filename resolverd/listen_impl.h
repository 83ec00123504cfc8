/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What listen.c (sockets, UDP) and listen_tcp.c (TCP clients) share; for nobody
 * else.
 */
#ifndef RESOLVERD_LISTEN_IMPL_H
#define RESOLVERD_LISTEN_IMPL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "resolverd/listen.h"

struct bufferevent;
struct evconnlistener;

/* One address: a UDP and a TCP socket. */
struct listen_sock {
	struct listen *l;
	struct endpoint at;
	int udp;		    /* owned; -1: none */
	struct event *udp_ev;	    /* owned */
	struct evconnlistener *tcp; /* owned, with its socket */
	struct event *retry;	    /* owned: accepts again */
};

/* Counted by the queries under way; closed is final: be is NULL then and the
 * client is in no list. */
struct tcp_client {
	struct listen *l;
	struct listen_sock *sock;
	struct bufferevent *be; /* owned */
	struct endpoint peer;
	unsigned under_way; /* askers not yet ended */
	bool eof;	    /* sends no more; closed after the last answer */
	bool reading;	    /* its input is being walked: no recursion */
	void (*drained)(bool gone, void *arg);
	void *drained_arg;
	TAILQ_ENTRY(tcp_client) link;
};

struct listen {
	struct event_base *base;
	struct listen_sock *socks; /* owned */
	size_t n_socks;
	size_t tcp_max;
	uint64_t idle_ms;
	listen_handler handler;
	void *arg;
	/* The one that asked longest ago is first. */
	TAILQ_HEAD(, tcp_client) clients;
	struct listen_stats stats;
};

/* A bound stream socket becomes a listening one; takes fd, also on failure. */
int listen_tcp_start_take(struct listen_sock *s, int fd) MUSTCHECK;
void listen_tcp_stop(struct listen_sock *s);
void tcp_client_close(struct tcp_client *c);
void tcp_client_ended(struct tcp_client *c);

#endif
