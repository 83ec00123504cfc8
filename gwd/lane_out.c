/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the TUN device into the tunnel. What is read in a turn stays where it
 * was read until it is sent; batches hold headers and point to payloads.
 *
 * Packets leave in the order in which they were read, but for those that are
 * handed over.
 */
#include <errno.h>
#include <string.h>

#include "gwd/burst.h"
#include "gwd/encap.h"
#include "gwd/frag.h"
#include "gwd/lane_impl.h"
#include "gwd/maps.h"
#include "gwd/mss.h"
#include "gwd/super.h"
#include "gwd/tun.h"

#define READ_MAX (SUPER_VNET + SUPER_MAX)
#define ROOM_NEXT                                                              \
	(READ_MAX + SUPER_MAX + GW_GROWTH) /* read, and translated             \
					    */

/* --- sending ------------------------------------------------------------ */

static struct udp_out
message(struct lane_batch *t, size_t first, size_t n)
{
	return (struct udp_out){
		.dest = &t->dest,
		.iov = &t->b.iov[2 * first],
		.n_iov = 2 * n,
		.segment = n > 1 ? (uint16_t)t->b.size : 0,
	};
}

/* n packets of a batch, `bytes` in all. */
static void
sent(struct lane *l, const struct lane_batch *t, size_t n, size_t bytes)
{
	lane_count(&l->counters.packets[WAY_OUT], n);
	lane_count(&l->counters.bytes[WAY_OUT], t->local_bytes * n / t->b.n);
	route_count(t->route, l->cfg.id, WAY_OUT, n, bytes, l->now_ms);
}

static void
sent_all(struct lane *l, const struct lane_batch *t)
{
	sent(l, t, t->b.n, t->b.len);
}

static bool
is_no_room(int err)
{
	return err == -EAGAIN || err == -ENOBUFS;
}

/* Packet i of a batch can't be sent just so: perhaps cut, or from another
 * address of ours, by the worker. */
static void
hand_unsent(struct lane *l, const struct lane_batch *t, size_t i)
{
	const struct iovec *iov = &t->b.iov[2 * i];
	struct handed h = {
		.kind = HANDED_TOO_BIG,
		.from = {.from.addr = t->b.peer, .tos = t->b.tos},
	};

	/* nothing is being received now */
	memcpy(l->one, iov[0].iov_base, iov[0].iov_len);
	memcpy(l->one + iov[0].iov_len, iov[1].iov_base, iov[1].iov_len);
	h.len = (uint32_t)(iov[0].iov_len + iov[1].iov_len);
	(void)lane_hand(l, &h, l->one, WAY_OUT, 1);
}

/* How many went. */
static size_t
send_each(struct lane *l, struct lane_batch *t)
{
	size_t i, n = 0, bytes = 0;
	struct udp_out v;
	int err;

	for (i = 0; i < t->b.n; i++) {
		v = message(t, i, 1);
		if (udp_send_many(l->cfg.udp_fd, &v, 1, &err) == 1) {
			n++;
			bytes += v.iov[0].iov_len + v.iov[1].iov_len;
		} else if (is_no_room(err)) {
			lane_count(
				&l->counters.drops[WAY_OUT][DROP_UDP_SEND], 1);
		} else {
			hand_unsent(l, t, i);
		}
	}
	sent(l, t, n, bytes);
	return n;
}

/* What kernels say when a path takes no batches: its device computes no
 * checksums, for example. Some say the same of a packet that is too large. */
static bool
is_no_gso(int err)
{
	return err == -EIO || err == -EINVAL || err == -EOPNOTSUPP;
}

static void
failed(struct lane *l, struct lane_batch *t, int err)
{
	size_t n = t->b.n;

	if (is_no_room(err)) {
		lane_count(&l->counters.drops[WAY_OUT][DROP_UDP_SEND], n);
		return;
	}
	if (send_each(l, t) == n && n > 1 && is_no_gso(err) &&
		route_batches(t->route)) {
		route_no_batches(t->route);
		lane_count(&l->counters.gso_refused, 1);
	}
}

static void
flush(struct lane *l)
{
	struct udp_out v[OUT_BATCHES];
	size_t i, done, n = l->n_batches;
	int err = 0;

	l->n_batches = 0;
	for (i = 0; i < n; i++)
		v[i] = message(&l->batches[i], 0, l->batches[i].b.n);
	for (i = 0; i < n; i++) {
		done = udp_send_many(l->cfg.udp_fd, v + i, n - i, &err);
		lane_count(&l->counters.udp_sends, done);
		for (; done > 0; done--)
			sent_all(l, &l->batches[i++]);
		if (i < n)
			failed(l, &l->batches[i], err);
	}
}

/* The last batch to this peer if it takes one more packet, so that packets of a
 * flow stay in order. NULL: none. */
static struct lane_batch *
open_batch(struct lane *l, const struct addr *peer, uint8_t tos, size_t len)
{
	struct lane_batch *t;
	size_t i;

	for (i = l->n_batches; i > 0; i--) {
		t = &l->batches[i - 1];
		if (addr_eq(&t->b.peer, peer))
			return batch_takes(&t->b, peer, tos, len) ? t : NULL;
	}
	return NULL;
}

static struct lane_batch *
new_batch(struct lane *l, const struct route *route,
	const struct route_way *way, uint8_t tos)
{
	struct lane_batch *t;

	if (l->n_batches == OUT_BATCHES)
		flush(l);
	t = &l->batches[l->n_batches++];
	batch_init(&t->b, route_batches(route) ? l->cfg.most_segments : 1);
	t->b.peer = way->peer;
	t->route = route;
	t->local_bytes = 0;
	udp_dest_init(&t->dest, &(struct udp_to){.addr = way->peer,
					.port = way->port,
					.src = way->src,
					.tos = tos});
	return t;
}

/* The batch that takes a packet of len bytes this way. */
static struct lane_batch *
batch_for(struct lane *l, const struct route *route,
	const struct route_way *way, uint8_t tos, size_t len)
{
	struct lane_batch *t = open_batch(l, &way->peer, tos, len);

	return t ? t : new_batch(l, route, way, tos);
}

static uint8_t
outer_tos(const struct route_way *way, uint8_t tos)
{
	return way->tos ? tos : way->dscp_tos;
}

/* --- taking ------------------------------------------------------------- */

static void
hand(struct lane *l, const uint8_t *read, size_t len, size_t packets)
{
	const struct handed h = {.kind = HANDED_TUN, .len = (uint32_t)len};

	flush(l);
	(void)lane_hand(l, &h, read, WAY_OUT, packets);
}

/* False: not this way. */
static bool
take_super(struct lane *l, const struct super *s)
{
	const struct gw_settings *set = &l->rules->set;
	const struct route_way *way;
	const struct route *route;
	struct lane_batch *t;
	struct burst b;
	size_t bytes = 0, before;
	bool all;

	if (!burst_begin(&b, set, l->cfg.maps, s))
		return false;
	route = lane_route(l, &b.peer, &way);
	if (!route || burst_size(&b) > frag_room(set, way->mtu))
		return false;
	b.tos = outer_tos(way, b.tos);
	do {
		t = batch_for(l, route, way, b.tos, burst_size(&b));
		before = bytes;
		all = burst_fill(&b, &t->b);
		bytes = super_bytes(s) * b.next / s->n;
		t->local_bytes += bytes - before;
	} while (!all);
	lane_used(l, b.used, WAY_OUT);
	return true;
}

/* out: where it may be written. */
static bool
take_one(struct lane *l, const struct super *s, uint8_t *p, size_t size)
{
	const struct packet_in in = {
		.p = s->p, .len = s->len, .number = l->number++};
	const struct gw_settings *set = &l->rules->set;
	struct packet_out out = {.p = p, .size = size};
	const struct route_way *way;
	const struct route *route;
	struct lane_batch *t;
	uint8_t tos;

	encap(set, l->cfg.maps, &in, &out);
	if (out.drop || out.mtu_of.ver || out.whole)
		return false;
	route = lane_route(l, &out.peer, &way);
	if (!route || out.len > frag_room(set, way->mtu) ||
		probe_is_echo(set, &way->ref, p, out.len))
		return false;
	if (l->rules->clamp_mss && mss_fit(set, way->mtu, l->rules->local_mtu,
					   p, out.len, L4_TUNNEL, &out))
		lane_count(&l->counters.mss_clamped, 1);
	tos = outer_tos(way, out.tos);
	t = batch_for(l, route, way, tos, out.len);
	batch_add(&t->b, &way->peer, tos, 0, p, out.len);
	t->local_bytes += s->len;
	lane_used(l, out.used, WAY_OUT);
	l->used += out.len;
	return true;
}

static void
take(struct lane *l, uint8_t *read, size_t len)
{
	struct super s;

	if (super_read(&s, read, len)) {
		hand(l, read, len, 1);
		return;
	}
	/* its checksum is there now */
	if (s.n == 1)
		memset(read, 0, SUPER_VNET);
	if (l->hand_all || !(s.n > 1 ? take_super(l, &s)
				     : take_one(l, &s, l->out_bytes + l->used,
					       sizeof(l->out_bytes) - l->used)))
		hand(l, read, len, s.n);
}

struct a_read {
	uint8_t *p;
	size_t len;
};

/* Some reads, one behind the other, with room for what is made of them: how
 * many. *err: why there are no more for now, 0. */
static size_t
read_some(struct lane *l, struct a_read *v, size_t max, int *err)
{
	size_t made = 0, n;
	ssize_t len;

	*err = 0;
	for (n = 0; n < max; n++) {
		if (sizeof(l->out_bytes) - l->used - made < ROOM_NEXT)
			break;
		v[n].p = l->out_bytes + l->used;
		len = tun_read(l->cfg.tun_fd, v[n].p, READ_MAX);
		if (len < 0) {
			*err = (int)len;
			break;
		}
		v[n].len = (size_t)len;
		l->used += v[n].len;
		made += v[n].len + GW_GROWTH;
		if (v[n].len > SUPER_VNET)
			ahead_out(
				l, v[n].p + SUPER_VNET, v[n].len - SUPER_VNET);
	}
	return n;
}

size_t
lane_out(struct lane *l)
{
	struct a_read v[OUT_AHEAD];
	size_t i, n, total = 0;
	int err;

	l->used = 0;
	do {
		n = read_some(l, v, OUT_AHEAD, &err);
		ahead_end(l);
		for (i = 0; i < n; i++)
			take(l, v[i].p, v[i].len);
		total += n;
	} while (n == OUT_AHEAD && total < OUT_READS);
	flush(l);
	lane_count(&l->counters.tun_reads, total);
	if (err == -EAGAIN)
		l->ready[WAY_OUT] = false;
	else if (err)
		lane_gone(l, -err);
	return total;
}
