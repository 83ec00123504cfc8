/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Invariant: a follower with `copying` set has a cursor on the entries. */
#include "mapperd/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/log.h"
#include "mapperd/ring.h"

#define PORTION	      256	/* entries in a packet: 26 kB at most */
#define QUEUED_MAX    (1 << 18) /* bytes: a copy waits above it */
#define FOLLOWERS_MAX 64

struct follower {
	uint64_t client;
	bool copying;
	struct entry_cursor cursor;
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
	if (!ring_init(&f->ring, cfg->ring_max, revision) &&
		!ring_rebuild(
			&f->ring, revision, oldest, cfg->entries, removed))
		return f;
	feed_free(f);
	return NULL;
}

static void
copy_stop(struct feed *f, struct follower *w)
{
	if (w->copying)
		entry_cursor_stop(f->cfg.entries, &w->cursor);
	w->copying = false;
}

static void
follower_free(struct feed *f, struct follower *w)
{
	copy_stop(f, w);
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

static bool
send_at(struct feed *f, const struct follower *w)
{
	const struct msg m = {
		.mode = MSG_DATA,
		.cmd = MSG_FEED_AT,
		.store = f->cfg.store,
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
		out[n++] = ring_entry(
			&(struct entry_data){
				.kind = (enum entry_kind)e->kind,
				.owner = e->owner,
				.addr = e->addr,
				.key = e->key,
			},
			e->born);
	if (n && !send_entries(f, w, false, f->revision, out, n)) {
		copy_stop(f, w);
		return;
	}
	if (n == PORTION)
		return;
	copy_stop(f, w);
	(void)send_at(f, w);
}

/* Sends the ring's changes above `since`; each revision's in packets of its
 * own, as they were sent at first. */
static bool
send_ring(struct feed *f, const struct follower *w, uint64_t since)
{
	struct msg_entry out[PORTION];
	const struct ring_item *c, *prev = NULL;
	size_t i, n = 0;

	for (i = 0; i < f->ring.n; i++) {
		c = ring_at(&f->ring, i);
		if (c->revision <= since)
			continue;
		if (n && (n == PORTION || c->revision != prev->revision ||
				 c->removed != prev->removed)) {
			if (!send_entries(f, w, prev->removed, prev->revision,
				    out, n))
				return false;
			n = 0;
		}
		out[n++] = ring_item_entry(c);
		prev = c;
	}
	return !n || send_entries(f, w, prev->removed, prev->revision, out, n);
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
	if (send_ring(f, w, req->revision))
		(void)send_at(f, w);
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
	copy_stop(f, w); /* it starts anew */
	follow(f, w, req);
}

/* Followers see it; what is left of other settings they never had. */
static bool
visible(const struct feed *f, const struct op *op)
{
	return (op->kind == OP_ADD || op->kind == OP_DEL) &&
	       op->data.addr.ver == f->cfg.profile.encode_net.addr.ver &&
	       op->data.key.gw.ver == f->cfg.profile.pub.ver;
}

/* For those who are away. */
static void
keep(struct feed *f, uint64_t revision, const struct change *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		n += visible(f, &c->ops[i]);
	ring_begin(&f->ring, revision, n);
	for (i = 0; i < c->n; i++)
		if (visible(f, &c->ops[i]))
			ring_add(&f->ring, revision, &c->ops[i]);
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
		out[n++] = ring_entry(&c->ops[i].data, revision);
	}
	return !n || send_entries(f, w, removed, revision, out, n);
}

void
feed_publish(struct feed *f, uint64_t revision, const struct change *c)
{
	struct follower *w;

	if (revision != f->revision)
		keep(f, revision, c);
	f->revision = revision;
	TAILQ_FOREACH(w, &f->followers, link)
	if (!send_change(f, w, revision, c))
		copy_stop(f, w);
}

bool
feed_pump(struct feed *f)
{
	struct follower *w;
	bool more = false;

	TAILQ_FOREACH(w, &f->followers, link)
	{
		while (w->copying &&
			f->cfg.queued(w->client, f->cfg.arg) < QUEUED_MAX)
			copy_portion(f, w);
		more |= w->copying;
	}
	return more;
}

void
feed_beat(struct feed *f)
{
	struct follower *w;

	TAILQ_FOREACH(w, &f->followers, link)
	if (!w->copying)
		(void)send_at(f, w);
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
