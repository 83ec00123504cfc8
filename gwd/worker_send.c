/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker's writing part: to the tunnel in the sizes that a path takes, to
 * the local network, and ICMP errors of ours either way. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>

#include "gwd/first_hop.h"
#include "gwd/frag.h"
#include "gwd/icmp.h"
#include "gwd/lost.h"
#include "gwd/mss.h"
#include "gwd/probe.h"
#include "gwd/trim.h"
#include "gwd/tun.h"
#include "gwd/udp.h"
#include "gwd/worker_impl.h"
#include "libipref/log.h"

#define USUAL_MTU	1500 /* of a path that can't be known */
#define SEND_TRIES	8
#define SIZE_TRIES	3
#define HOPS_PER_SECOND 1000 /* most questions to the kernel's routes */

/* False: there is no route, or the routes have been asked too often. */
static bool
ask_first_hop(struct worker *w, const struct addr *peer, uint32_t *mtu)
{
	if (w->now_ms / 1000 != w->hops_second) {
		w->hops_second = w->now_ms / 1000;
		w->hops_left = HOPS_PER_SECOND;
	}
	if (!w->hops_left)
		return false;
	w->hops_left--;
	return !first_hop_mtu(w->cfg.udp_fd, peer, mtu);
}

uint32_t
send_path_mtu(struct worker *w, const struct addr *peer)
{
	uint32_t mtu = paths_get(w->cfg.paths, peer, w->now_ms);

	if (mtu)
		return mtu;
	/* A wrong guess is found out by sending. */
	if (!ask_first_hop(w, peer, &mtu))
		mtu = USUAL_MTU;
	paths_first_hop(w->cfg.paths, peer, mtu, w->now_ms);
	mtu = paths_get(w->cfg.paths, peer, w->now_ms);
	return mtu ? mtu : USUAL_MTU;
}

/* The path to peer is known not to take len bytes. */
static bool
is_narrower(const struct worker *w, const struct addr *peer, size_t len)
{
	uint32_t mtu = paths_mtu(
		w->cfg.paths, paths_peek(w->cfg.paths, peer), w->now_ms);

	return mtu && frag_room(w->cfg.set, mtu) < len;
}

/* The kernel won't take a datagram of this size: why is in the error queue,
 * unless that had no room or is off. */
static void
learn_why(struct worker *w, const struct addr *peer, size_t len)
{
	uint32_t mtu;

	if (errors_take(w) || is_narrower(w, peer, len))
		return;
	if (ask_first_hop(w, peer, &mtu))
		(void)paths_learn(w->cfg.paths, peer, mtu, w->now_ms);
}

/* A send may fail for what the network said about another datagram, to another
 * peer even; it is repeated then. -EMSGSIZE: the path is now known to be
 * narrower than this datagram, or nothing is known to help. */
static int
send_datagram(struct worker *w, const struct udp_to *to, const uint8_t *pkt,
	size_t len)
{
	int i, err = 0;

	for (i = 0; i < SEND_TRIES; i++) {
		err = udp_send(w->cfg.udp_fd, pkt, len, to);
		if (!err || err == -EAGAIN || err == -ENOBUFS)
			return err;
		if (i && err == -EMSGSIZE)
			learn_why(w, &to->addr, len);
		else if (i && !udp_errors_any(w->cfg.udp_fd))
			return err;
		if (is_narrower(w, &to->addr, len))
			return -EMSGSIZE;
	}
	return err;
}

static int
send_way(struct worker *w, const struct addr *peer, const struct peer_way *way,
	uint8_t tos, const uint8_t *pkt, size_t len)
{
	const struct udp_to to = {
		.addr = *peer,
		.port = way->port,
		.src = way->src,
		.tos = peer_confs_tos(w->cfg.confs, peer, tos),
	};

	return send_datagram(w, &to, pkt, len);
}

/* pkt: the packet in out, or a piece of it. */
static int
send_peer(struct worker *w, const struct packet_out *out, const uint8_t *pkt,
	size_t len)
{
	const struct addr *to = &out->peer;
	struct peer_way way;

	/* An answer to a peer's keep-alive is no use of it: two that keep each
	 * other's ports open would do so for ever. */
	if (probe_is_echo(w->cfg.set, &peer_confs_get(w->cfg.confs, to)->ref,
		    pkt, len))
		way = peers_kept_alive(w->cfg.peers, to, len, w->now_ms);
	else
		way = peers_sent(w->cfg.peers, to, len, w->now_ms);
	return send_way(w, to, &way, out->tos, pkt, len);
}

void
worker_keep_alive(struct worker *w, const struct addr *peer, const uint8_t *pkt,
	size_t len)
{
	struct peer_way way;

	worker_begin(w);
	way = peers_kept_alive(w->cfg.peers, peer, len, w->now_ms);
	(void)send_way(w, peer, &way, 0, pkt, len);
	way_changed(w, peer);
}

/* Before each packet the device has a header that says nothing here. */
static int
write_device(struct worker *w, const struct packet_out *out)
{
	static uint8_t nothing[SUPER_VNET];
	const struct iovec parts[] = {
		{nothing, sizeof(nothing)}, {out->p, out->len}};

	return tun_writev(w->cfg.tun_fd, parts, ARRAY_LEN(parts));
}

int
send_local(struct worker *w, const struct packet_out *out)
{
	if (out->from_self && w->cfg.raw_fd >= 0)
		return raw_send(w->cfg.raw_fd, out->p, out->len);
	return write_device(w, out);
}

static int
reply_to_peer(struct worker *w, const struct packet_out *out, size_t len)
{
	const struct peer_way way =
		peers_answer(w->cfg.peers, &out->peer, len, w->now_ms);

	return send_way(w, &out->peer, &way, 0, out->p, len);
}

void
send_reply(struct worker *w, const struct job *j, const struct packet_out *out)
{
	bool to_peer = out->reply == REPLY_PEER;
	struct addr src, dst = out->peer;
	size_t len = out->len;
	int err;

	if (to_peer)
		len = trim_error(
			out->p, len, peers_allowance(w->cfg.peers, &dst));
	else
		counters_addrs(out->p, len, &src, &dst);
	/* who may get none takes nothing from those who may */
	if (!len || !limit_take(w->cfg.limit, &dst, to_peer, w->now_ms)) {
		job_drop(w, j, DROP_ICMP_LIMITED);
		return;
	}
	err = to_peer ? reply_to_peer(w, out, len) : send_local(w, out);
	if (err)
		job_drop(w, j, to_peer ? DROP_UDP_SEND : DROP_TUN_WRITE);
	else
		w->counters.replies[to_peer ? WAY_OUT : WAY_IN]++;
}

uint32_t
send_ident(struct worker *w)
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

/* tunnel is the IPREF packet, out its other form or itself. */
static void
clamp_mss(struct worker *w, const struct addr *peer, const uint8_t *tunnel,
	size_t len, enum l4_end to, const struct packet_out *out)
{
	if (!*w->cfg.clamp_mss || !mss_syn(tunnel, len))
		return;
	if (mss_fit(w->cfg.set, send_path_mtu(w, peer), w->cfg.local_mtu,
		    tunnel, len, to, out))
		w->counters.mss_clamped++;
}

/* Cuts the tunnel packet in out; 0 or -errno of the first piece lost. */
static int
send_pieces(struct worker *w, const struct packet_out *out, size_t room)
{
	uint32_t ident = send_ident(w);
	size_t off = 0, n, pieces = 0;
	int err = 0;

	while (!err && (n = frag_piece(out->p, out->len, room, ident, &off,
				w->piece, sizeof(w->piece)))) {
		err = send_peer(w, out, w->piece, n);
		pieces++;
	}
	if (!pieces)
		return -EMSGSIZE;
	w->counters.fragmented++;
	w->counters.pieces += pieces;
	return err;
}

static void
too_big(struct worker *w, const struct job *j, const struct packet_out *out,
	uint32_t path_mtu)
{
	struct packet_out r = {.p = w->piece, .size = sizeof(w->piece)};

	frag_too_big(w->cfg.set, &j->in, out->p, out->len, path_mtu, &r);
	job_drop(w, j, r.drop);
	if (r.reply)
		send_reply(w, j, &r);
}

void
send_denied(struct worker *w, const struct job *j)
{
	struct packet_out r = {.p = w->piece, .size = sizeof(w->piece)};
	struct packet p;

	job_drop(w, j, DROP_PEER_DENIED);
	if (packet_parse(&p, w->cfg.set->local_ver, j->in.p, j->in.len, false))
		return;
	icmp_reply_local(w->cfg.set, &j->in, &p, ICMP_UNREACHABLE,
		ICMP_UNREACHABLE_ADMIN, 0, &r);
	if (r.reply)
		send_reply(w, j, &r);
}

/* Cuts the IPv6 packet in out; 0 or -errno of the first piece lost. */
static int
send_host_pieces(struct worker *w, const struct packet_out *out, uint32_t mtu)
{
	struct packet_out piece = {.p = w->piece, .from_self = out->from_self};
	uint32_t ident = send_ident(w);
	size_t off = 0, pieces = 0;
	int err = 0;

	while (!err && (piece.len = frag_host_piece(out->p, out->len, mtu,
				ident, &off, w->piece, sizeof(w->piece)))) {
		err = send_local(w, &piece);
		pieces++;
	}
	w->counters.fragmented++;
	w->counters.pieces += pieces;
	return err;
}

void
send_host(struct worker *w, const struct job *j, const struct packet_out *out)
{
	uint32_t mtu = UINT32_MAX;
	struct addr src, dst;
	int err;

	if (w->cfg.set->local_ver == 6) {
		counters_addrs(out->p, out->len, &src, &dst);
		mtu = paths_get(w->cfg.hosts, &dst, w->now_ms);
	}
	clamp_mss(w, &j->in.from, j->in.p, j->in.len, L4_LOCAL, out);
	job_used(w, j, out);
	if (frag_for_host(w->cfg.set, j->in.p, out->len, mtu))
		err = send_host_pieces(w, out, mtu);
	else
		err = send_local(w, out);
	if (err)
		job_drop(w, j, DROP_TUN_WRITE);
	else
		job_pass(w, j, out);
}

/* Of out, which was made of a local packet of this length. -E2BIG: it is larger
 * than the path, of *mtu, and must not be cut; another -errno: it is lost. */
static int
send_fitting(struct worker *w, const struct packet_out *out, size_t local_len,
	uint32_t *mtu)
{
	int i, err = -EMSGSIZE;
	size_t room;

	/* Again when sending shows that the path is narrower. */
	for (i = 0; err == -EMSGSIZE && i < SIZE_TRIES; i++) {
		*mtu = send_path_mtu(w, &out->peer);
		room = frag_room(w->cfg.set, *mtu);
		if (out->len <= room)
			err = send_peer(w, out, out->p, out->len);
		else if (frag_forbidden(out->p) &&
			 !frag_despite_d(w->cfg.set, local_len))
			return -E2BIG;
		else
			err = send_pieces(w, out, room);
	}
	return err;
}

static void
end_sent(struct worker *w, const struct job *j, const struct packet_out *out,
	int err)
{
	if (err)
		job_drop(w, j, DROP_UDP_SEND);
	else
		job_pass(w, j, out);
}

void
send_tunnel(struct worker *w, const struct job *j, const struct packet_out *out)
{
	uint32_t mtu;
	int err;

	clamp_mss(w, &out->peer, out->p, out->len, L4_TUNNEL, out);
	job_used(w, j, out);
	err = send_fitting(w, out, j->in.len, &mtu);
	if (err == -E2BIG)
		too_big(w, j, out, mtu);
	else
		end_sent(w, j, out, err);
	way_changed(w, &out->peer);
}

void
send_refused(
	struct worker *w, const struct job *j, const struct packet_out *out)
{
	struct packet_out r = {.p = w->piece, .size = sizeof(w->piece)};
	uint32_t mtu;
	int err;

	learn_why(w, &out->peer, out->len);
	job_used(w, j, out);
	err = send_fitting(w, out, j->in.len, &mtu);
	if (err != -E2BIG) {
		end_sent(w, j, out, err);
	} else {
		lost_reply(w->cfg.set, w->cfg.maps, out->p, out->len, mtu,
			w->number++, &r);
		job_drop(w, j, r.drop);
		if (r.reply)
			send_reply(w, j, &r);
	}
	way_changed(w, &out->peer);
}
