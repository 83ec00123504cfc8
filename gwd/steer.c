/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/steer.h"

/* True: it moved something. */
static bool
take(const struct steer *s, const struct addr *peer, uint64_t now_ms)
{
	struct route_use use;

	if (!routes_take(s->routes, peer, &use))
		return false;
	peers_carried(s->peers, peer, &use, now_ms);
	return true;
}

void
steer_take(const struct steer *s, const struct addr *peer, uint64_t now_ms)
{
	(void)take(s, peer, now_ms);
}

static bool
is_worth_it(const struct peer *p, uint64_t now_ms)
{
	uint64_t last_ms = p->heard_ms > p->sent_ms ? p->heard_ms : p->sent_ms;

	return p->in_packets + p->out_packets >= STEER_PACKETS &&
	       now_ms < last_ms + STEER_IDLE_MS;
}

/* Asks for the path MTU only of one in use. False: the slow way. */
static bool
find_way(const struct steer *s, const struct addr *addr, bool in_use,
	uint64_t now_ms, struct route_way *way)
{
	const struct peer *peer = peers_get(s->peers, addr);
	const struct peer_conf *conf;
	struct peer_way to;

	if (!peer || !is_worth_it(peer, now_ms) ||
		addr_eq(addr, &s->set->pub) ||
		!peer_confs_allow(s->confs, addr))
		return false;
	to = peers_way(s->peers, addr);
	conf = peer_confs_get(s->confs, addr);
	*way = (struct route_way){
		.peer = *addr,
		.port = to.port,
		.src = to.src,
		.tos = conf->tos,
		.dscp_tos = peer_confs_tos(s->confs, addr, 0),
		.ref = conf->ref,
	};
	/* Not heard from there yet: its next datagram teaches something. */
	if (peer->port == to.port)
		way->to = peer->to;
	way->mtu = in_use ? s->path_mtu(addr, now_ms, s->arg)
			  : paths_mtu(s->paths, paths_peek(s->paths, addr),
				    now_ms);
	return way->mtu;
}

static void
steer(const struct steer *s, const struct addr *peer, bool in_use,
	uint64_t now_ms)
{
	struct route_way way;

	/* Without memory for another way, the old one must not stay. */
	if (!find_way(s, peer, in_use, now_ms, &way) ||
		routes_set(s->routes, &way))
		routes_del(s->routes, peer);
}

void
steer_peer(const struct steer *s, const struct addr *peer, uint64_t now_ms)
{
	steer_take(s, peer, now_ms);
	steer(s, peer, true, now_ms);
}

/* The next so many, by turns. */
static void
steer_next(const struct steer *s, size_t n, uint64_t now_ms)
{
	const struct route *route;
	struct addr peer;

	for (; n > 0 && (route = routes_turn(s->routes)); n--) {
		peer = route_way(route)->peer;
		steer(s, &peer, take(s, &peer, now_ms), now_ms);
	}
}

void
steer_some(const struct steer *s, uint64_t now_ms)
{
	size_t n = routes_count(s->routes);

	steer_next(s, n < STEER_SOME ? n : STEER_SOME, now_ms);
}

void
steer_all(const struct steer *s, uint64_t now_ms)
{
	steer_next(s, routes_count(s->routes), now_ms);
}

/* --- life --------------------------------------------------------------- */

static void
on_ask(const struct addr *peer, uint64_t now_ms, void *arg)
{
	steer_take(arg, peer, now_ms);
}

static void
on_gone(const struct addr *peer, void *arg)
{
	const struct steer *s = arg;

	routes_del(s->routes, peer);
}

void
steer_start(struct steer *s)
{
	const struct peers_lanes lanes = {
		.ask = on_ask, .gone = on_gone, .arg = s};

	peers_set_lanes(s->peers, &lanes);
}

void
steer_stop(struct steer *s)
{
	peers_set_lanes(s->peers, NULL);
}
