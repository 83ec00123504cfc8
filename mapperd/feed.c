/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: a follower with `copying` set has a cursor on the entries; one
 * with `behind` set gets what it lacks out of the ring, as fast as it reads,
 * and no later change before; it is never both.
 */
#include "mapperd/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/log.h"
#include "mapperd/ring.h"

#define PORTION	      256	/* entries in a packet: 26 kB at most */
#define QUEUED_MAX    (1 << 18) /* bytes: what is not new waits above it */
#define LARGE	      4096 /* entries: a change above it goes by the ring */
#define FOLLOWERS_MAX 64
/* What is sent to a follower in one step, however fast it reads: entries, and a
 * packet costs as much as some of them. */
#define STEP	    8192
#define PACKET_COST 16

struct follower {
	uint64_t client;
	bool copying, behind;
	struct entry_cursor cursor;
	uint64_t next;	   /* behind: the ring's item that comes next */
	uint64_t revision; /* behind: of the last packet sent */
	TAILQ_ENTRY(follower) link;
};

struct feed {
	struct feed_config cfg;
	uint64_t revision; /* of the last change sent to all */
	struct ring ring;
	size_t n_followers;
	TAILQ_HEAD(, follower) followers;
	struct log_limit limit;
};

struct feed *
feed_new(const struct feed_config *cfg, uint64_t revision, uint64_t oldest,
	const struct change *removed)
{
	struct feed *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->cfg = *cfg;
	f->revision = revision;
	TAILQ_INIT(&f->followers);
	if (!ring_init(&f->ring, cfg->ring_max, revision, &cfg->profile) &&
		!ring_rebuild(
			&f->ring, revision, oldest, cfg->entries, removed))
		return f;
	feed_free(f);
	return NULL;
}

/* It gets nothing of what it was to get. */
static void
let_go(struct feed *f, struct follower *w)
{
	if (w->copying)
		entry_cursor_stop(f->cfg.entries, &w->cursor);
	w->copying = w->behind = false;
}

static void
follower_free(struct feed *f, struct follower *w)
{
	let_go(f, w);
	TAILQ_REMOVE(&f->followers, w, link);
	f->n_followers--;
	free(w);
}

void
feed_free(struct feed *f)
{
	struct follower *w;

	if (!f)
		return;
	while ((w = TAILQ_FIRST(&f->followers)))
		follower_free(f, w);
	ring_fini(&f->ring);
	free(f);
}

static struct follower *
follower_find(const struct feed *f, uint64_t client)
{
	struct follower *w;

	TAILQ_FOREACH(w, &f->followers, link)
	if (w->client == client)
		return w;
	return NULL;
}

void
feed_leave(struct feed *f, uint64_t client)
{
	struct follower *w = follower_find(f, client);

	if (w)
		follower_free(f, w);
}

/* A client that can't be sent to is at its end: its connection tells so later,
 * and feed_leave() comes. */
static bool
send_to(struct feed *f, const struct follower *w, const struct msg *m)
{
	return f->cfg.send(w->client, m, f->cfg.arg) == 0;
}

/* That this is all; or (lost) that we can't go on from where it is. */
static bool
send_at(struct feed *f, const struct follower *w, bool lost)
{
	const struct msg m = {
		.mode = MSG_DATA,
		.cmd = MSG_FEED_AT,
		.store = lost ? 0 : f->cfg.store,
		.revision = f->revision,
	};

	return send_to(f, w, &m);
}

static bool
send_entries(struct feed *f, const struct follower *w, bool removed,
	uint64_t revision, const struct msg_entry *entries, size_t n)
{
	const struct msg m = {
		.mode = MSG_DATA,
		.cmd = removed ? MSG_FEED_DEL : MSG_FEED_SET,
		.revision = revision,
		.n = n,
		.entries = entries,
	};

	return send_to(f, w, &m);
}

/* The next portion of a copy; closes it at its end. */
static void
copy_portion(struct feed *f, struct follower *w)
{
	struct msg_entry out[PORTION];
	const struct entry *e;
	size_t n = 0;

	while (n < PORTION && (e = entry_cursor_next(&w->cursor)))
		out[n++] = ring_entry_of(
			&(struct entry_data){
				.kind = (enum entry_kind)e->kind,
				.owner = e->owner,
				.addr = e->addr,
				.key = e->key,
			},
			e->born);
	if (n && !send_entries(f, w, false, f->revision, out, n)) {
		let_go(f, w);
		return;
	}
	if (n == PORTION)
		return;
	let_go(f, w);
	(void)send_at(f, w, false);
}

/* The next packet out of the ring: as many items of one change and one kind as
 * it holds. */
static bool
ring_portion(struct feed *f, struct follower *w)
{
	struct msg_entry out[PORTION];
	size_t i = (size_t)(w->next - f->ring.seq), n = 0;
	struct ring_item first = ring_at(&f->ring, i), item;

	for (; n < PORTION && i < f->ring.n; i++) {
		item = ring_at(&f->ring, i);
		if (item.revision != first.revision ||
			item.removed != first.removed)
			break;
		out[n++] = ring_entry(&item);
	}
	w->next += n;
	w->revision = first.revision;
	return send_entries(f, w, first.removed, first.revision, out, n);
}

/* As much as a follower has room for. One that the ring holds no more what it
 * lacks for has to start anew. */
static void
catch_up(struct feed *f, struct follower *w)
{
	uint64_t end = w->next + STEP;

	while (w->behind && w->next >= f->ring.seq &&
		w->next < f->ring.seq + f->ring.n) {
		if (w->next >= end ||
			f->cfg.queued(w->client, f->cfg.arg) >= QUEUED_MAX)
			return;
		end -= PACKET_COST;
		if (!ring_portion(f, w))
			let_go(f, w);
	}
	if (w->behind)
		(void)send_at(f, w, w->next < f->ring.seq);
	w->behind = false;
}

/* What both sides must agree on: NULL, or what differs, written to buf. */
static const char *
profile_differs(const struct msg_profile *ours,
	const struct msg_profile *theirs, char buf[256])
{
	char a[PREFIX_TEXT_MAX], b[PREFIX_TEXT_MAX], c[ADDR_TEXT_MAX],
		d[ADDR_TEXT_MAX], e[REF_TEXT_MAX], g[REF_TEXT_MAX];

	if (!prefix_eq(&ours->encode_net, &theirs->encode_net))
		snprintf(buf, 256, "encode-net: mapper has %s, gateway %s",
			prefix_format(&ours->encode_net, a),
			prefix_format(&theirs->encode_net, b));
	else if (!addr_eq(&ours->pub, &theirs->pub))
		snprintf(buf, 256, "gateway-pub: mapper has %s, gateway %s",
			addr_format(&ours->pub, c),
			addr_format(&theirs->pub, d));
	else if (!ref_eq(&ours->own_ref, &theirs->own_ref))
		snprintf(buf, 256, "gateway-ref: mapper has %s, gateway %s",
			ref_format(&ours->own_ref, e),
			ref_format(&theirs->own_ref, g));
	else
		return NULL;
	return buf;
}

static void
refuse(struct feed *f, uint64_t client, const struct msg *req, const char *why)
{
	const struct msg nack = {
		.mode = MSG_NACK,
		.cmd = MSG_FEED_START,
		.id = req->id,
		.str = {why, strlen(why)},
	};

	log_limited(&f->limit, LOG_LEVEL_WARN, "feed: a gateway is refused: %s",
		why);
	if (f->cfg.send(client, &nack, f->cfg.arg))
		log_limited(&f->limit, LOG_LEVEL_WARN,
			"feed: and could not be told");
}

static bool
in_ring(const struct feed *f, const struct msg *req)
{
	return req->store == f->cfg.store && req->revision >= f->ring.oldest &&
	       req->revision <= f->revision;
}

static void
follow(struct feed *f, struct follower *w, const struct msg *req)
{
	bool resume = in_ring(f, req);
	const struct msg ack = {
		.mode = MSG_ACK,
		.cmd = MSG_FEED_START,
		.id = req->id,
		.store = f->cfg.store,
		.revision = f->revision,
		.count = resume,
	};

	if (!send_to(f, w, &ack))
		return;
	if (!resume) {
		w->copying = true;
		entry_cursor_start(f->cfg.entries, &w->cursor);
		copy_portion(f, w);
		return;
	}
	w->behind = true;
	w->revision = req->revision;
	w->next = f->ring.seq + ring_above(&f->ring, req->revision);
	catch_up(f, w);
}

void
feed_start(struct feed *f, uint64_t client, const struct msg *req)
{
	struct follower *w = follower_find(f, client);
	char buf[256];
	const char *why = profile_differs(&f->cfg.profile, &req->profile, buf);

	if (!why && !w && f->n_followers >= FOLLOWERS_MAX)
		why = "too many gateways follow";
	if (!why && !w) {
		w = calloc(1, sizeof(*w));
		why = w ? NULL : "the mapper is out of memory";
		if (w) {
			w->client = client;
			TAILQ_INSERT_TAIL(&f->followers, w, link);
			f->n_followers++;
		}
	}
	if (why) {
		refuse(f, client, req, why);
		return;
	}
	let_go(f, w); /* it starts anew */
	follow(f, w, req);
}

/* Followers see it; what is left of other settings they never had. */
static bool
visible(const struct feed *f, const struct op *op)
{
	return (op->kind == OP_ADD || op->kind == OP_DEL) &&
	       ring_takes(&f->ring, &op->data);
}

/* For those who are away, or slow; how many entries that is. */
static size_t
keep(struct feed *f, uint64_t revision, const struct change *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		n += visible(f, &c->ops[i]);
	ring_begin(&f->ring, revision, n);
	for (i = 0; i < c->n; i++)
		if (visible(f, &c->ops[i]))
			ring_add(&f->ring, revision, &c->ops[i]);
	return n;
}

/* One change to one follower, in the order of its operations. */
static bool
send_change(struct feed *f, const struct follower *w, uint64_t revision,
	const struct change *c)
{
	struct msg_entry out[PORTION];
	bool removed = false, is_del;
	size_t i, n = 0;

	for (i = 0; i < c->n; i++) {
		if (!visible(f, &c->ops[i]))
			continue;
		is_del = c->ops[i].kind == OP_DEL;
		if (n && (n == PORTION || is_del != removed)) {
			if (!send_entries(f, w, removed, revision, out, n))
				return false;
			n = 0;
		}
		removed = is_del;
		out[n++] = ring_entry_of(&c->ops[i].data, revision);
	}
	return !n || send_entries(f, w, removed, revision, out, n);
}

/* One change to one follower: at once, or behind what it has not read yet. A
 * copy and the changes beside it wait for nothing. */
static void
publish_to(struct feed *f, struct follower *w, uint64_t before, size_t n,
	const struct change *c)
{
	bool numbered = f->revision != before;
	uint64_t revision = w->behind ? w->revision : f->revision;

	if (numbered && !w->behind && !w->copying && n <= f->ring.n &&
		(n > LARGE ||
			f->cfg.queued(w->client, f->cfg.arg) >= QUEUED_MAX)) {
		w->behind = true;
		w->revision = before;
		w->next = f->ring.seq + f->ring.n - n;
	}
	if (numbered && w->behind)
		catch_up(f, w);
	else if (!send_change(f, w, revision, c))
		let_go(f, w);
}

bool
feed_publish(struct feed *f, uint64_t revision, const struct change *c)
{
	uint64_t before = f->revision;
	struct follower *w;
	bool more = false;
	size_t n = 0;

	if (revision != before)
		n = keep(f, revision, c);
	f->revision = revision;
	TAILQ_FOREACH(w, &f->followers, link)
	{
		publish_to(f, w, before, n, c);
		more |= w->behind;
	}
	return more;
}

bool
feed_pump(struct feed *f)
{
	struct follower *w;
	bool more = false;
	size_t n;

	TAILQ_FOREACH(w, &f->followers, link)
	{
		if (w->behind)
			catch_up(f, w);
		for (n = 0; n < STEP && w->copying &&
			    f->cfg.queued(w->client, f->cfg.arg) < QUEUED_MAX;
			n += PORTION + PACKET_COST)
			copy_portion(f, w);
		more |= w->copying || w->behind;
	}
	return more;
}

void
feed_beat(struct feed *f)
{
	struct follower *w;

	TAILQ_FOREACH(w, &f->followers, link)
	if (!w->copying && !w->behind)
		(void)send_at(f, w, false);
}

uint64_t
feed_oldest(const struct feed *f)
{
	return f->ring.oldest;
}

size_t
feed_followers(const struct feed *f)
{
	return f->n_followers;
}

bool
feed_follows(const struct feed *f, uint64_t client)
{
	return follower_find(f, client) != NULL;
}
