/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapper socket and its clients' connections; and the timers of mapper and
 * feed.
 */
#ifndef MAPPERD_LISTEN_H
#define MAPPERD_LISTEN_H

#include "mapperd/roles.h"
#include "mapperd/server.h"

struct event_base;
struct listen;

struct listen_config {
	struct msg_format fmt; /* dialect unknown */
	struct roles roles;    /* who may do what; taken over */
	struct server *server;
};

/* Takes fd, a listening socket (closed, and the roles freed, when this fails,
 * too). NULL: no memory. */
struct listen *listen_new(struct event_base *base, int fd,
	const struct listen_config *cfg) MUSTCHECK;
/* Others may do things from now on; taken over. Clients who may do less than
 * before are disconnected. */
void listen_set_roles(struct listen *l, struct roles *roles);
/* Takes no more clients, stops the timers. server_stop() closes the clients:
 * call it before listen_free(). */
void listen_stop(struct listen *l);
void listen_free(struct listen *l);
/* A follower has come: feeds it from the loop. */
void listen_feeding(struct listen *l);
const struct conn_stats *listen_stats(const struct listen *l);

#endif
