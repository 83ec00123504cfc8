/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the mapper's clients may ask, one handler row per message.
 *
 * A client is a number and a link: how to send to it, wherever it is (listen.h
 * has sockets, tests have none). It has a bounded number of questions under
 * way; above it we stop reading from it until some are answered. Answers find
 * their client by its number, so one that has left costs nothing.
 */
#ifndef MAPPERD_SERVER_H
#define MAPPERD_SERVER_H

#include "libipref/conn.h"
#include "mapperd/feed.h"
#include "mapperd/mapper.h"

#define CLIENTS_MAX   4096
#define IN_FLIGHT_MAX 1024 /* questions of a client */

/* What a client may do. */
enum {
	ROLE_RESOLVE = 1, /* MC_GET_EA, LOOKUP_EA */
	ROLE_PUBLISH = 2, /* MC_HOST_DATA, MC_HOST_DATA_HASH */
	ROLE_FEED = 4,	  /* follow, GET_EA, GET_REF, report use */
	ROLE_ALL = ROLE_RESOLVE | ROLE_PUBLISH | ROLE_FEED,
};

/* How a client is reached; peer is what server_join() was given. */
struct client_link {
	/* 0 or -errno; it must not call back into the server. */
	int (*send)(void *peer, const struct msg *m);
	size_t (*queued)(void *peer); /* bytes that wait for it */
	void (*pause)(void *peer, bool pause);
	void (*close)(void *peer); /* the server has let go of it */
};

struct server_config {
	struct mapper_config mapper;
	size_t ring_max;	    /* changed entries kept for followers */
	uint64_t (*now)(void *arg); /* the mapper's clock, ms */
	/* Mappings have changed (as mapper_hooks.publish); may be NULL. */
	void (*published)(uint64_t revision, const struct change *c, void *arg);
	/* A follower has come: feed_pump() is to be called until it has all. */
	void (*feeding)(void *arg);
	/* The process has to end. */
	void (*fatal)(const char *why, void *arg);
	void *arg;
};

struct server_stats {
	uint64_t connects, disconnects, turned_away;
	uint64_t refused_cmd; /* nothing that is sent to a mapper */
	uint64_t forbidden;   /* not for this client's role */
};

struct server;

/* Makes the mapper and the server over it. NULL: no memory. */
struct server *server_new(const struct server_config *cfg) MUSTCHECK;
struct mapper *server_mapper(struct server *s);
/* The store is open, mapper_start() comes next: clients may be fed. 0 or
 * -errno. */
int server_start(struct server *s, const struct store *store) MUSTCHECK;
/* Closes all clients, submits no more changes; the store may then be closed. */
void server_stop(struct server *s);
void server_free(struct server *s);

/* A client without roles yet: its number, or 0: too many. */
uint64_t server_join(
	struct server *s, const struct client_link *link, void *peer) MUSTCHECK;
void server_allow(struct server *s, uint64_t client, unsigned roles);
/* It is gone; its link is closed. */
void server_leave(struct server *s, uint64_t client);
/* A message of a client. */
void server_message(struct server *s, uint64_t client, const struct msg *m);

const struct server_stats *server_stats(const struct server *s);
struct feed *server_feed(const struct server *s);
size_t server_clients(const struct server *s);

#endif
