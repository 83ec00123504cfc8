/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each look is bounded, in peers looked at and in requests sent; what it leaves
 * is left to the next.
 */
#include "gwd/keepalive.h"

#include <event2/event.h>
#include <stdlib.h>

#include "libipref/log.h"

#define LOOK_MAX 65536
#define SEND_MAX 1024

struct keepalive {
	struct keepalive_config cfg;
	struct event *timer; /* owned */
	size_t pos;	     /* in the walk over all peers */
	size_t sent;	     /* in this look */
	uint16_t number;     /* of the next request */
};

static void
send_probe(struct keepalive *k, const struct addr *addr, const struct ref *ref)
{
	uint8_t pkt[PROBE_MAX];
	size_t len = probe_put(k->cfg.set, k->cfg.id, addr, ref, k->number++,
		pkt, sizeof(pkt));

	k->cfg.send(addr, pkt, len, k->cfg.arg);
	k->sent++;
}

static void
look_at(struct keepalive *k, const struct addr *addr, const struct peer *p,
	const struct peer_conf *c, uint64_t now_ms)
{
	if (probe_is_due(p, c, now_ms) && peer_confs_allow(k->cfg.confs, addr))
		send_probe(k, addr, &c->ref);
}

void
keepalive_look(struct keepalive *k, uint64_t now_ms)
{
	const struct peer_confs *confs = k->cfg.confs;
	const struct peer_conf *c;
	const struct peer *p;
	struct addr addr;
	size_t i;

	k->sent = 0;
	for (i = 0; i < confs->n && k->sent < SEND_MAX; i++)
		if (confs->v[i].keep_alive_set)
			look_at(k, &confs->v[i].addr,
				peers_get(k->cfg.peers, &confs->v[i].addr),
				&confs->v[i], now_ms);
	if (!confs->others.keep_alive_s)
		return;
	for (i = 0; i < LOOK_MAX && k->sent < SEND_MAX; i++) {
		p = peers_next(k->cfg.peers, &k->pos);
		if (!p) {
			k->pos = 0;
			break;
		}
		addr = p->addr;
		c = peer_confs_get(confs, &addr);
		if (!c->keep_alive_set)
			look_at(k, &addr, p, c, now_ms);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	keepalive_look(arg, now_ms());
}

struct keepalive *
keepalive_new(const struct keepalive_config *cfg)
{
	const struct timeval tick = {.tv_sec = PROBE_TICK_MS / 1000};
	struct keepalive *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->cfg = *cfg;
	k->timer = event_new(cfg->base, -1, EV_PERSIST, on_timer, k);
	if (!k->timer || event_add(k->timer, &tick)) {
		keepalive_free(k);
		return NULL;
	}
	return k;
}

void
keepalive_free(struct keepalive *k)
{
	if (!k)
		return;
	if (k->timer)
		event_free(k->timer);
	free(k);
}
