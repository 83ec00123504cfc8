/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The feed (proto/mapper.md): followers get a copy of the mappings, or the
 * changes since the one they know, then every change as it happens.
 *
 * Recent changes are kept in memory, within a bound. A copy is sent in
 * portions, as fast as the follower reads, while changes go on: these are sent
 * at once, in between, so no answer runs ahead of a follower; what the copy
 * names later is as new as the change. The packets' revision is that of the
 * last change sent before, so it never goes back. A change goes to a follower
 * at once, unless it is large or much waits for that one already: then it comes
 * out of what is kept, as fast as that one reads.
 */
#ifndef MAPPERD_FEED_H
#define MAPPERD_FEED_H

#include "libipref/msg.h"
#include "mapperd/change.h"

struct feed;

struct feed_config {
	struct msg_profile profile; /* ours; pub has the tunnel's version */
	uint64_t store;		    /* its identity */
	struct entries *entries;
	size_t ring_max; /* changed entries kept in memory */
	/* To a follower: 0 or -errno (it is gone then, feed_leave() follows);
	 * and how many bytes still wait for it. */
	int (*send)(uint64_t client, const struct msg *m, void *arg);
	size_t (*queued)(uint64_t client, void *arg);
	void *arg;
};

/* revision: of the last change in `entries`; what was removed by changes above
 * `oldest` is in removed (OP_DEL, data.born: the revision), so that followers
 * can go on from there after a restart. NULL: no memory. */
struct feed *feed_new(const struct feed_config *cfg, uint64_t revision,
	uint64_t oldest, const struct change *removed) MUSTCHECK;
void feed_free(struct feed *f);

/* FEED_START: answers it, and sends the first portion. */
void feed_start(struct feed *f, uint64_t client, const struct msg *req);
/* The client has gone; nothing happens when it did not follow. */
void feed_leave(struct feed *f, uint64_t client);
/* A change has been applied to the entries. One with the revision of the last
 * is of tentative entries: it is sent, but not kept for others. A follower that
 * does not keep up gets it later: true then, feed_pump() is to be called. */
bool feed_publish(struct feed *f, uint64_t revision, const struct change *c);
/* Sends what followers have room for, a step for each; true: there is more to
 * come, call again in some milliseconds. */
bool feed_pump(struct feed *f);
/* FEED_AT to all who have everything; every 5 s. */
void feed_beat(struct feed *f);

/* The oldest revision from which the changes are in memory. */
uint64_t feed_oldest(const struct feed *f);
size_t feed_followers(const struct feed *f);
bool feed_follows(const struct feed *f, uint64_t client);

#endif
