/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Invariants: every peer is in the table and on exactly one list, `proved` when
 * its proof is PEER_PROVED, else `others`; both lists are in the order in which
 * their peers were last heard from (or were made, when never heard).
 */
#include "gwd/peers.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "libipref/table.h"

struct node {
	struct peer peer;
	TAILQ_ENTRY(node) link;
};

TAILQ_HEAD(node_list, node);

struct peers {
	struct table table;		 /* struct node, by peer.addr */
	struct node_list proved, others; /* owned; the oldest first */
	size_t n_proved;
	uint16_t default_port;
	struct peers_stats stats;
};

struct peers *
peers_new(size_t max, uint16_t default_port)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	table_init(&p->table, offsetof(struct node, peer.addr),
		sizeof(struct addr), max);
	TAILQ_INIT(&p->proved);
	TAILQ_INIT(&p->others);
	p->default_port = default_port;
	return p;
}

static void
unlink_node(struct peers *p, struct node *n)
{
	if (n->peer.proof == PEER_PROVED) {
		TAILQ_REMOVE(&p->proved, n, link);
		p->n_proved--;
	} else {
		TAILQ_REMOVE(&p->others, n, link);
	}
}

static void
link_node(struct peers *p, struct node *n)
{
	if (n->peer.proof == PEER_PROVED) {
		TAILQ_INSERT_TAIL(&p->proved, n, link);
		p->n_proved++;
	} else {
		TAILQ_INSERT_TAIL(&p->others, n, link);
	}
}

static void
drop_node(struct peers *p, struct node *n)
{
	unlink_node(p, n);
	(void)table_del(&p->table, &n->peer.addr);
	free(n);
}

void
peers_free(struct peers *p)
{
	struct node *n;

	if (!p)
		return;
	while ((n = TAILQ_FIRST(&p->proved)) || (n = TAILQ_FIRST(&p->others)))
		drop_node(p, n);
	table_fini(&p->table);
	free(p);
}

void
peers_set_default_port(struct peers *p, uint16_t port)
{
	p->default_port = port;
}

/* False: nobody may go. */
static bool
make_room(struct peers *p, bool even_proved)
{
	struct node *n = TAILQ_FIRST(&p->others);

	if (p->table.n < p->table.max)
		return true;
	if (!n && even_proved)
		n = TAILQ_FIRST(&p->proved);
	if (!n)
		return false;
	p->stats.evicted++;
	if (n->peer.proof == PEER_PROVED)
		p->stats.evicted_proved++;
	drop_node(p, n);
	return true;
}

static struct node *
add(struct peers *p, const struct addr *addr, bool heard, uint64_t now_ms)
{
	struct node *n;

	if (!make_room(p, heard))
		return NULL;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->peer.addr = *addr;
	n->peer.since_ms = now_ms;
	if (table_put(&p->table, n)) {
		free(n);
		return NULL;
	}
	link_node(p, n);
	return n;
}

static void
learn_port(struct peers *p, struct peer *peer, uint16_t port, uint64_t now_ms)
{
	if (peer->port != port && peer->port &&
		now_ms - peer->port_heard_ms < PEERS_PORT_SILENT_MS) {
		peer->other_port++;
		p->stats.port_refusals++;
		return;
	}
	if (peer->port && peer->port != port)
		p->stats.port_changes++;
	peer->port = port;
	peer->port_heard_ms = now_ms;
}

void
peers_heard(struct peers *p, const struct addr *addr, uint16_t port, size_t len,
	uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (!n)
		n = add(p, addr, true, now_ms);
	if (!n)
		return;
	unlink_node(p, n);
	if (n->peer.proof == PEER_SENT_TO)
		n->peer.proof = PEER_HEARD;
	else if (n->peer.proof == PEER_ANSWERED)
		n->peer.proof = PEER_PROVED;
	link_node(p, n);
	n->peer.heard_ms = now_ms;
	n->peer.in_packets++;
	n->peer.in_bytes += len;
	learn_port(p, &n->peer, port, now_ms);
}

static uint16_t
port_of(const struct peers *p, const struct node *n)
{
	return n && n->peer.port ? n->peer.port : p->default_port;
}

uint16_t
peers_sent(
	struct peers *p, const struct addr *addr, size_t len, uint64_t now_ms)
{
	struct node *n = table_get(&p->table, addr);

	if (!n)
		n = add(p, addr, false, now_ms);
	if (n) {
		n->peer.out_packets++;
		n->peer.out_bytes += len;
		if (n->peer.proof == PEER_HEARD)
			n->peer.proof = PEER_ANSWERED;
	}
	return port_of(p, n);
}

uint16_t
peers_answer(struct peers *p, const struct addr *addr, size_t len)
{
	struct node *n = table_get(&p->table, addr);

	if (!n)
		return 0;
	if (n->peer.proof != PEER_PROVED) {
		if (n->peer.in_bytes - n->peer.answered_bytes < len)
			return 0;
		n->peer.answered_bytes += len;
	}
	return port_of(p, n);
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
