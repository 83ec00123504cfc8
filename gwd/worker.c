/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A job is one packet on its way; each ends in exactly one of: passed on,
 * waiting for the mapper, or one drop counted. An ICMP error of ours that goes
 * with a drop is counted by itself.
 *
 * At most BATCH packets are taken from one descriptor before the loop looks at
 * the others.
 */
#include "gwd/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gwd/decap.h"
#include "gwd/encap.h"
#include "gwd/frag.h"
#include "gwd/maps.h"
#include "gwd/tun.h"
#include "gwd/udp.h"
#include "libipref/log.h"

#define BATCH	   64
#define PACKET_MAX 65536
#define N_IDENTS   64

struct worker {
	struct worker_config cfg;
	struct event *tun, *udp; /* owned */
	struct counters counters;
	uint64_t now_ms;	  /* of this call from the loop */
	uint32_t number;	  /* for packet_in.number */
	uint32_t ident[N_IDENTS]; /* random, for packets that we split */
	size_t n_idents;	  /* of them not yet used */
	struct log_limit limit;
	uint8_t in[PACKET_MAX];
	uint8_t out[PACKET_MAX + GW_GROWTH];
	uint8_t piece[PACKET_MAX]; /* of out, or a reply about it */
};

struct job {
	enum way way;
	struct packet_in in;
	unsigned asked; /* 1 << ASK_*: what it has waited for: never twice */
};

static const char *const way_names[] = {[WAY_OUT] = "out", [WAY_IN] = "in"};

static void
trace(const struct worker *w, const struct job *j, const char *what)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];
	struct addr a = j->in.from, b = {0};

	if (!*w->cfg.trace && !log_wants(LOG_LEVEL_DEBUG))
		return;
	if (j->way == WAY_OUT)
		counters_addrs(j->in.p, j->in.len, &a, &b);
	log_at(*w->cfg.trace ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
		"packet %s: %s > %s, %zu bytes: %s", way_names[j->way],
		addr_format(&a, src), addr_format(&b, dst), j->in.len, what);
}

static void
drop_job(struct worker *w, const struct job *j, enum drop drop)
{
	counters_drop(&w->counters, drop, j->way, &j->in, w->now_ms);
	trace(w, j, drop_label(drop));
}

static void
pass_job(struct worker *w, const struct job *j, const struct packet_out *out)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(out->used); i++)
		if (out->used[i])
			maps_used(w->cfg.maps, out->used[i], j->way);
	w->counters.packets[j->way]++;
	w->counters.bytes[j->way] += j->in.len;
	trace(w, j, "passed");
}

/* --- writing ------------------------------------------------------------ */

static int
send_peer(struct worker *w, const struct addr *peer, const uint8_t *pkt,
	size_t len)
{
	uint16_t port = peers_sent(w->cfg.peers, peer, len, w->now_ms);

	return udp_send(w->cfg.udp_fd, pkt, len, peer, port);
}

static int
send_local(struct worker *w, const struct packet_out *out)
{
	if (out->from_self && w->cfg.raw_fd >= 0)
		return raw_send(w->cfg.raw_fd, out->p, out->len);
	return tun_write(w->cfg.tun_fd, out->p, out->len);
}

/* An ICMP error of ours about a packet that was dropped; bounded in number, and
 * to peers in bytes. What can't be sent is the same loss as any. */
static void
reply(struct worker *w, const struct job *j, const struct packet_out *out)
{
	bool to_peer = out->reply == REPLY_PEER;
	struct addr src, dst = out->peer;
	uint16_t port = 0;
	int err;

	if (!to_peer)
		counters_addrs(out->p, out->len, &src, &dst);
	if (!limit_take(w->cfg.limit, &dst, w->now_ms)) {
		drop_job(w, j, DROP_ICMP_LIMITED);
		return;
	}
	if (to_peer) {
		port = peers_answer(w->cfg.peers, &dst, out->len);
		if (!port) {
			drop_job(w, j, DROP_ICMP_LIMITED);
			return;
		}
		err = udp_send(w->cfg.udp_fd, out->p, out->len, &dst, port);
	} else {
		err = send_local(w, out);
	}
	if (err)
		drop_job(w, j, to_peer ? DROP_UDP_SEND : DROP_TUN_WRITE);
	else
		w->counters.replies[to_peer ? WAY_OUT : WAY_IN]++;
}

static uint32_t
next_ident(struct worker *w)
{
	ssize_t n;

	if (!w->n_idents) {
		/* Up to 256 bytes come whole (getrandom(2)). */
		do
			n = getrandom(w->ident, sizeof(w->ident), 0);
		while (n < 0 && errno == EINTR);
		if (n != (ssize_t)sizeof(w->ident))
			bug("getrandom: %s", strerror(errno));
		w->n_idents = N_IDENTS;
	}
	return w->ident[--w->n_idents];
}

/* Cuts the tunnel packet in out; 0 or -errno of the first piece lost. */
static int
send_pieces(struct worker *w, const struct packet_out *out, size_t room)
{
	uint32_t ident = next_ident(w);
	size_t off = 0, n, pieces = 0;
	int err = 0;

	while (!err && (n = frag_piece(out->p, out->len, room, ident, &off,
				w->piece, sizeof(w->piece)))) {
		err = send_peer(w, &out->peer, w->piece, n);
		pieces++;
	}
	if (!pieces)
		return -EMSGSIZE;
	w->counters.fragmented++;
	w->counters.pieces += pieces;
	return err;
}

static void
too_big(struct worker *w, const struct job *j, const struct packet_out *out)
{
	struct packet_out r = {.p = w->piece, .size = sizeof(w->piece)};

	frag_too_big(w->cfg.set, &j->in, out->p, out->len, w->cfg.path_mtu, &r);
	drop_job(w, j, r.drop);
	if (r.reply)
		reply(w, j, &r);
}

static void
send_tunnel(struct worker *w, const struct job *j, const struct packet_out *out)
{
	size_t room = frag_room(w->cfg.set, w->cfg.path_mtu);
	int err;

	if (out->len <= room) {
		err = send_peer(w, &out->peer, out->p, out->len);
	} else if (frag_forbidden(out->p)) {
		too_big(w, j, out);
		return;
	} else {
		err = send_pieces(w, out, room);
	}
	if (err)
		drop_job(w, j, DROP_UDP_SEND);
	else
		pass_job(w, j, out);
}

/* --- translating -------------------------------------------------------- */

static void
refuse(struct worker *w, const struct job *j, const struct packet_out *out)
{
	enum drop drop = out->drop;

	if (out->ask && !(j->asked & 1U << out->ask)) {
		drop = w->cfg.wait(
			&j->in, out, j->asked, w->now_ms, w->cfg.arg);
		if (!drop) {
			w->counters.waited++;
			trace(w, j, "waits");
			return;
		}
	}
	drop_job(w, j, drop);
	/* Nothing is said while it is only us who don't know. */
	if (out->reply && drop == out->drop)
		reply(w, j, out);
}

static void
run_out(struct worker *w, struct job *j)
{
	struct packet_out out = {.p = w->out, .size = sizeof(w->out)};

	j->in.number = w->number++;
	encap(w->cfg.set, w->cfg.maps, &j->in, &out);
	if (out.drop)
		refuse(w, j, &out);
	else
		send_tunnel(w, j, &out);
}

/* port 0: a packet that waited; its sender was noted when it came. */
static void
run_in(struct worker *w, struct job *j, uint16_t port)
{
	struct packet_out out = {.p = w->out, .size = sizeof(w->out)};

	j->in.number = w->number++;
	decap(w->cfg.set, w->cfg.maps, &j->in, &out);
	if (out.peer_ok && port)
		peers_heard(
			w->cfg.peers, &j->in.from, port, j->in.len, w->now_ms);
	if (out.drop)
		refuse(w, j, &out);
	else if (send_local(w, &out))
		drop_job(w, j, DROP_TUN_WRITE);
	else
		pass_job(w, j, &out);
}

void
worker_again(struct worker *w, const struct waiting *p)
{
	struct job j = {
		.way = p->from.ver ? WAY_IN : WAY_OUT,
		.in = {.p = p->p, .len = p->len, .from = p->from},
		.asked = p->asked,
	};

	w->now_ms = now_ms();
	if (j.way == WAY_IN)
		run_in(w, &j, 0);
	else
		run_out(w, &j);
}

void
worker_drop(struct worker *w, const struct waiting *p, enum drop drop)
{
	const struct job j = {
		.way = p->from.ver ? WAY_IN : WAY_OUT,
		.in = {.p = p->p, .len = p->len, .from = p->from},
	};

	w->now_ms = now_ms();
	drop_job(w, &j, drop);
}

/* --- reading ------------------------------------------------------------ */

/* True: nothing more is to be read now. */
static bool
read_failed(struct worker *w, const char *what, ssize_t err)
{
	if (err == -EAGAIN)
		return true;
	log_limited(&w->limit, LOG_LEVEL_ERR, "%s: can't be read: %s", what,
		strerror((int)-err));
	return err != -EMSGSIZE;
}

static void
on_tun(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	ssize_t n;
	int i;

	(void)what;
	w->now_ms = now_ms();
	for (i = 0; i < BATCH; i++) {
		struct job j = {.way = WAY_OUT};

		n = tun_read(fd, w->in, sizeof(w->in));
		if (n < 0)
			break;
		j.in.p = w->in;
		j.in.len = (size_t)n;
		run_out(w, &j);
	}
	if (i == BATCH || !read_failed(w, "tun", n) || n == -EAGAIN)
		return;
	/* A device that was deleted says so for ever. */
	(void)event_del(w->tun);
	w->cfg.failed(w->cfg.arg);
}

static void
on_udp(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct endpoint from;
	ssize_t n;
	int i;

	(void)what;
	w->now_ms = now_ms();
	for (i = 0; i < BATCH; i++) {
		struct job j = {.way = WAY_IN};

		n = udp_recv(fd, w->in, sizeof(w->in), &from);
		if (n < 0 && read_failed(w, "tunnel socket", n))
			return;
		if (n < 0)
			continue;
		j.in.p = w->in;
		j.in.len = (size_t)n;
		j.in.from = from.addr;
		run_in(w, &j, from.port);
	}
}

/* --- life --------------------------------------------------------------- */

struct worker *
worker_new(const struct worker_config *cfg)
{
	struct worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->cfg = *cfg;
	w->number = next_ident(w);
	w->tun = event_new(
		cfg->base, cfg->tun_fd, EV_READ | EV_PERSIST, on_tun, w);
	w->udp = event_new(
		cfg->base, cfg->udp_fd, EV_READ | EV_PERSIST, on_udp, w);
	if (!w->tun || !w->udp || event_add(w->tun, NULL) ||
		event_add(w->udp, NULL)) {
		worker_free(w);
		return NULL;
	}
	return w;
}

void
worker_free(struct worker *w)
{
	if (!w)
		return;
	if (w->tun)
		event_free(w->tun);
	if (w->udp)
		event_free(w->udp);
	free(w);
}

const struct counters *
worker_counters(const struct worker *w)
{
	return &w->counters;
}
