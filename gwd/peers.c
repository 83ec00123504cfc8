/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: every peer is in the table and on exactly one list, `kept` (at
 * most max_kept of them, less than the table holds) or `others`. Both are in
 * the order in which their peers were last heard from, as far as we were told
 * (or were made, when never heard; a change of settings puts whom it moves to
 * the end). So whenever the table is full there is one of the others that can
 * go.
 */
#include "gwd/peers.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "gwd/routes.h"
#include "libipref/table.h"

#define ASK_MAX 16 /* about so many, before one is pushed out */

struct node {
	struct peer peer;
	bool kept; /* the list that it is on */
	TAILQ_ENTRY(node) link;
};

TAILQ_HEAD(node_list, node);

struct peers {
	struct table table;	       /* struct node, by peer.addr */
	struct node_list kept, others; /* owned; the oldest first */
	size_t n_kept, max_kept;
	size_t n_proved;
	uint16_t default_port;
	const struct peer_confs *confs;
	struct addr pub;
	struct peers_lanes lanes; /* functions NULL: there are none */
	struct peers_stats stats;
};

static const struct peer_confs nothing_set;

struct peers *
peers_new(size_t max, uint16_t default_port)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	table_init(&p->table, offsetof(struct node, peer.addr),
		sizeof(struct addr), max);
	TAILQ_INIT(&p->kept);
	TAILQ_INIT(&p->others);
	p->max_kept = max - max / PEERS_OTHERS_PART - 1;
	p->default_port = default_port;
	p->confs = &nothing_set;
	return p;
}

static void
unlink_node(struct peers *p, struct node *n)
{
	TAILQ_REMOVE(n->kept ? &p->kept : &p->others, n, link);
	p->n_kept -= n->kept;
}

static void
drop_node(struct peers *p, struct node *n)
{
	unlink_node(p, n);
	if (n->peer.proof == PEER_PROVED) {
		p->n_proved--;
		p->stats.version++;
	}
	(void)table_del(&p->table, &n->peer.addr);
	if (p->lanes.gone)
		p->lanes.gone(&n->peer.addr, p->lanes.arg);
	free(n);
}

void
peers_set_lanes(struct peers *p, const struct peers_lanes *lanes)
{
	p->lanes = lanes ? *lanes : (struct peers_lanes){0};
}

void
peers_free(struct peers *p)
{
	struct node *n;

	if (!p)
		return;
	peers_set_lanes(p, NULL);
	while ((n = TAILQ_FIRST(&p->kept)) || (n = TAILQ_FIRST(&p->others)))
		drop_node(p, n);
	table_fini(&p->table);
	free(p);
}

void
peers_set_default_port(struct peers *p, uint16_t port)
{
	p->default_port = port;
}

static void
evict(struct peers *p, struct node *n)
{
	p->stats.evicted++;
	if (n->peer.proof == PEER_PROVED)
		p->stats.evicted_proved++;
	drop_node(p, n);
}

static bool
is_to_be_kept(const struct peers *p, const struct peer *peer)
{
	return peer->proof == PEER_PROVED ||
	       peer_confs_get(p->confs, &peer->addr) != &p->confs->others;
}

/* The one silent for longest, lanes having been asked: who was heard meanwhile
 * is now the last. NULL: the list is empty. */
static struct node *
oldest_of(struct peers *p, struct node_list *list, uint64_t now_ms)
{
	struct node *n = TAILQ_FIRST(list);
	int i;

	for (i = 0; n && p->lanes.ask && i < ASK_MAX; i++) {
		p->lanes.ask(&n->peer.addr, now_ms, p->lanes.arg);
		if (n == TAILQ_FIRST(list))
			break;
		n = TAILQ_FIRST(list);
	}
	return n;
}

/* False: all are in use. */
static bool
has_room_to_keep(struct peers *p, uint64_t now_ms)
{
	struct node *oldest;

	if (p->n_kept < p->max_kept)
		return true;
	oldest = oldest_of(p, &p->kept, now_ms);
	if (!oldest ||
		(oldest->peer.heard_ms &&
			now_ms - oldest->peer.heard_ms < PEERS_IN_USE_MS))
		return false;
	evict(p, oldest);
	return true;
}

/* At the end of the list where it belongs; n is on none. */
static void
link_node(struct peers *p, struct node *n, uint64_t now_ms)
{
	n->kept = is_to_be_kept(p, &n->peer) && has_room_to_keep(p, now_ms);
	TAILQ_INSERT_TAIL(n->kept ? &p->kept : &p->others, n, link);
	p->n_kept += n->kept;
}

static void
move_node(struct peers *p, struct node *n, uint64_t now_ms)
{
	unlink_node(p, n);
	link_node(p, n, now_ms);
}

void
peers_configure(
	struct peers *p, const struct peer_confs *confs, uint64_t now_ms)
{
	struct node *n, *next;

	p->confs = confs;
	for (n = TAILQ_FIRST(&p->kept); n; n = next) {
		next = TAILQ_NEXT(n, link);
		if (!peer_confs_allow(confs, &n->peer.addr))
			drop_node(p, n);
		else if (!is_to_be_kept(p, &n->peer))
			move_node(p, n, now_ms);
	}
	for (n = TAILQ_FIRST(&p->others); n; n = next) {
		next = TAILQ_NEXT(n, link);
		if (!peer_confs_allow(confs, &n->peer.addr))
			drop_node(p, n);
		else if (is_to_be_kept(p, &n->peer) &&
			 has_room_to_keep(p, now_ms))
			move_node(p, n, now_ms);
	}
}

static struct node *
add(struct peers *p, const struct addr *addr, uint64_t now_ms)
{
	struct node *n = calloc(1, sizeof(*n)), *oldest = NULL;

	if (!n)
		return NULL;
	if (p->table.n >= p->table.max)
		oldest = oldest_of(p, &p->others, now_ms);
	if (oldest)
		evict(p, oldest);
	n->peer.addr = *addr;
	n->peer.since_ms = n->peer.step_ms = now_ms;
	if (table_put(&p->table, n)) {
		free(n);
		return NULL;
	}
	link_node(p, n, now_ms);
	return n;
}

/* --- learning ----------------------------------------------------------- */

static bool
is_fresh(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms && now_ms - at_ms < PEERS_PORT_SILENT_MS;
}

/* False: it is not from the port that is in use. */
static bool
learn_port(struct peers *p, struct peer *peer, uint16_t port, uint64_t now_ms)
{
	uint16_t pinned = peer_confs_get(p->confs, &peer->addr)->port;
	bool known = peer->port == port;

	if (pinned ? port != pinned
		   : !known && peer->port &&
				is_fresh(peer->port_heard_ms, now_ms)) {
		peer->other_port++;
		p->stats.port_refusals++;
		return false;
	}
	if (!known) {
		p->stats.port_changes += peer->port != 0;
		p->stats.version++;
	}
	peer->port = port;
	peer->port_heard_ms = now_ms;
	return true;
}

/* Only the public address is protected, as peers take our packets from there
 * alone. Of several others each may be asked at any time, and answers have to
 * leave from that one. */
static void
learn_to(struct peers *p, struct peer *peer, const struct addr *to)
{
	if (addr_eq(&peer->to, to) ||
		(peer->to.ver && addr_eq(&peer->to, &p->pub)))
		return;
	peer->to = *to;
	p->stats.version++;
}

static void
prove(struct peers *p, struct peer *peer)
{
	peer->proof = PEER_PROVED;
	p->n_proved++;
	p->stats.version++;
}

/* Which way a packet has to go for the next step. */
static const enum way step_ways[] = {
	[PEER_SENT_TO] = WAY_IN,
	[PEER_HEARD] = WAY_OUT,
	[PEER_ANSWERED] = WAY_IN,
};

/* A packet went this way, and not before the one that made the last step. */
static void
step(struct peers *p, struct peer *peer, enum way way, uint64_t at_ms)
{
	if (peer->proof == PEER_PROVED || step_ways[peer->proof] != way ||
		at_ms < peer->step_ms)
		return;
	peer->step_ms = at_ms;
	if (peer->proof == PEER_ANSWERED)
		prove(p, peer);
	else
		peer->proof++;
}

void
peers_set_public(struct peers *p, const struct addr *pub)
{
	p->pub = *pub;
}

void
peers_heard(struct peers *p, const struct endpoint *from, const struct addr *to,
	size_t len, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, &from->addr);

	if (!n)
		n = add(p, &from->addr, now_ms);
	if (!n)
		return;
	unlink_node(p, n);
	step(p, &n->peer, WAY_IN, now_ms);
	n->peer.heard_ms = now_ms;
	link_node(p, n, now_ms);
	n->peer.in_packets++;
	n->peer.in_bytes += len;
	if (learn_port(p, &n->peer, from->port, now_ms) && to &&
		addr_is_global_unicast(to))
		learn_to(p, &n->peer, to);
}

void
peers_restore(struct peers *p, const struct endpoint *from,
	const struct addr *to, uint64_t heard_ms, uint64_t now_ms)
{
	struct node *n;

	if (table_get(&p->table, &from->addr) ||
		!peer_confs_allow(p->confs, &from->addr))
		return;
	n = add(p, &from->addr, now_ms);
	if (!n)
		return;
	unlink_node(p, n);
	prove(p, &n->peer);
	n->peer.port = from->port;
	n->peer.to = *to;
	n->peer.heard_ms = heard_ms;
	n->peer.used_ms = heard_ms;
	link_node(p, n, now_ms);
}

void
peers_error(
	struct peers *p, const struct addr *addr, int error, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (!n)
		return;
	n->peer.errors++;
	n->peer.error = error;
	n->peer.error_ms = now_ms;
}

/* --- sending ------------------------------------------------------------ */

static struct peer_way
way_of(const struct peers *p, const struct addr *addr, const struct node *n)
{
	struct peer_way way = {.port = peer_confs_get(p->confs, addr)->port};

	if (!way.port)
		way.port = n && n->peer.port ? n->peer.port : p->default_port;
	if (n)
		way.src = n->peer.to;
	return way;
}

static void
count_sent(struct peers *p, struct peer *peer, size_t len, uint64_t now_ms)
{
	peer->sent_ms = now_ms;
	peer->out_packets++;
	peer->out_bytes += len;
	step(p, peer, WAY_OUT, now_ms);
}

struct peer_way
peers_way(const struct peers *p, const struct addr *addr)
{
	return way_of(p, addr, table_get(&p->table, addr));
}

struct peer_way
peers_sent(
	struct peers *p, const struct addr *addr, size_t len, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (!n)
		n = add(p, addr, now_ms);
	if (n) {
		count_sent(p, &n->peer, len, now_ms);
		n->peer.used_ms = now_ms;
	}
	return way_of(p, addr, n);
}

struct peer_way
peers_kept_alive(
	struct peers *p, const struct addr *addr, size_t len, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (!n)
		n = add(p, addr, now_ms);
	if (n)
		count_sent(p, &n->peer, len, now_ms);
	return way_of(p, addr, n);
}

void
peers_alive(struct peers *p, const struct addr *addr, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (n)
		n->peer.alive_ms = now_ms;
}

size_t
peers_allowance(const struct peers *p, const struct addr *addr)
{
	const struct node *n = table_get(&p->table, addr);

	if (!n)
		return 0;
	if (n->peer.proof == PEER_PROVED)
		return SIZE_MAX;
	return (size_t)(n->peer.in_bytes - n->peer.answered_bytes);
}

struct peer_way
peers_answer(
	struct peers *p, const struct addr *addr, size_t len, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (peers_allowance(p, addr) < len || !n)
		return (struct peer_way){0};
	if (n->peer.proof != PEER_PROVED)
		n->peer.answered_bytes += len;
	n->peer.sent_ms = now_ms;
	return way_of(p, addr, n);
}

/* --- carried by lanes ---------------------------------------------------- */

/* When the last one went this way; 0: none did since the peer is here. A lane
 * may have read the clock after us: now_ms less a time is how long ago it was.
 */
static uint64_t
carried_ms(const struct peer *peer, const struct route_use *use, enum way way,
	uint64_t now_ms)
{
	uint64_t last_ms = use->last_ms[way];

	if (!use->packets[way] || last_ms < peer->since_ms)
		return 0;
	return last_ms < now_ms ? last_ms : now_ms;
}

static void
set_later(uint64_t *ms, uint64_t at_ms)
{
	if (at_ms > *ms)
		*ms = at_ms;
}

void
peers_carried(struct peers *p, const struct addr *addr,
	const struct route_use *use, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);
	struct peer *peer = n ? &n->peer : NULL;
	uint64_t at_ms[WAY_N];

	if (!n)
		return;
	at_ms[WAY_IN] = carried_ms(peer, use, WAY_IN, now_ms);
	at_ms[WAY_OUT] = carried_ms(peer, use, WAY_OUT, now_ms);
	if (peer->proof != PEER_PROVED)
		step(p, peer, step_ways[peer->proof],
			at_ms[step_ways[peer->proof]]);
	if (at_ms[WAY_IN]) {
		set_later(&peer->heard_ms, at_ms[WAY_IN]);
		set_later(&peer->port_heard_ms, at_ms[WAY_IN]);
		peer->in_packets += use->packets[WAY_IN];
		peer->in_bytes += use->bytes[WAY_IN];
		move_node(p, n, now_ms);
	}
	if (at_ms[WAY_OUT]) {
		set_later(&peer->sent_ms, at_ms[WAY_OUT]);
		set_later(&peer->used_ms, at_ms[WAY_OUT]);
		peer->out_packets += use->packets[WAY_OUT];
		peer->out_bytes += use->bytes[WAY_OUT];
	}
}

/* --- looking ------------------------------------------------------------ */

const struct peer *
peers_get(const struct peers *p, const struct addr *addr)
{
	const struct node *n = table_get(&p->table, addr);

	return n ? &n->peer : NULL;
}

const struct peer *
peers_next(const struct peers *p, size_t *pos)
{
	const struct node *n = table_next(&p->table, pos);

	return n ? &n->peer : NULL;
}

const struct peer *
peers_next_kept(const struct peers *p, const struct peer *after)
{
	const struct node *n =
		after ? TAILQ_NEXT(CONTAINER_OF(after, struct node, peer), link)
		      : TAILQ_FIRST(&p->kept);

	return n ? &n->peer : NULL;
}

size_t
peers_count(const struct peers *p)
{
	return p->table.n;
}

size_t
peers_proved(const struct peers *p)
{
	return p->n_proved;
}

const struct peers_stats *
peers_stats(const struct peers *p)
{
	return &p->stats;
}
