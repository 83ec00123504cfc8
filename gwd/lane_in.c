/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the tunnel to the TUN device. Datagrams that arrive together are
 * translated and put together again (merge.h) for one write each.
 *
 * Packets are written in the order in which they came within each flow, but for
 * those that are handed over.
 */
#include <errno.h>
#include <string.h>

#include "gwd/datagrams.h"
#include "gwd/decap.h"
#include "gwd/frag.h"
#include "gwd/header.h"
#include "gwd/lane_impl.h"
#include "gwd/maps.h"
#include "gwd/mss.h"
#include "gwd/pmtu.h"
#include "gwd/tun.h"

static void
hand(struct lane *l, const struct udp_from *from, const uint8_t *p, size_t len,
	uint16_t segment, size_t packets)
{
	const struct handed h = {
		.kind = HANDED_DATAGRAMS,
		.len = (uint32_t)len,
		.segment = segment,
		.from = *from,
	};

	(void)lane_hand(l, &h, p, WAY_IN, packets);
}

static void
passed(struct lane *l, size_t packets, size_t bytes)
{
	lane_count(&l->counters.packets[WAY_IN], packets);
	lane_count(&l->counters.bytes[WAY_IN], bytes);
}

/* --- one by one --------------------------------------------------------- */

static void
write_one(struct lane *l, const struct packet_in *in,
	const struct packet_out *out)
{
	static const struct virtio_net_hdr none;
	/* iovec has no const; nobody writes there */
	const struct iovec iov[] = {
		{(void *)(uintptr_t)&none, SUPER_VNET},
		{out->p, out->len},
	};

	lane_count(&l->counters.tun_writes, 1);
	/* before: another lane may have the answer at once */
	lane_used(l, out->used, WAY_IN);
	if (tun_writev(l->cfg.tun_fd, iov, ARRAY_LEN(iov)))
		lane_count(&l->counters.drops[WAY_IN][DROP_TUN_WRITE], 1);
	else
		passed(l, 1, in->len);
}

/* mtu: of the path to its peer. False: not this way. */
static bool
carry_one(struct lane *l, const struct packet_in *in, uint32_t mtu)
{
	struct packet_out out = {.p = l->one, .size = sizeof(l->one)};
	const struct lane_rules *r = l->rules;

	decap(&r->set, l->cfg.maps, in, &out);
	if (out.drop || out.whole || out.from_self ||
		frag_for_host(&r->set, in->p, out.len, PMTU_V6_LEAST) ||
		probe_is_answer(&r->set, &r->probe, in->p, in->len))
		return false;
	if (r->clamp_mss && mss_fit(&r->set, mtu, r->local_mtu, in->p, in->len,
				    L4_LOCAL, &out))
		lane_count(&l->counters.mss_clamped, 1);
	write_one(l, in, &out);
	return true;
}

/* --- together ----------------------------------------------------------- */

/* The device does not take a superpacket: its segments one by one, and no more
 * superpackets of this kind are made. There are no SYNs among them, so that no
 * path matters. */
static void
refused(struct lane *l, const struct merge_out *m)
{
	bool udp = l->merge.vnet.gso_type == VIRTIO_NET_HDR_GSO_UDP_L4;
	size_t i;

	for (i = 0; i < m->n; i++)
		if (!carry_one(l, m->in[i], UINT32_MAX))
			lane_count(
				&l->counters.drops[WAY_IN][DROP_TUN_WRITE], 1);
	atomic_store_explicit(
		udp ? &l->cfg.shared->tun_uso : &l->cfg.shared->tun_tso, false,
		memory_order_relaxed);
}

static void
begin(struct lane *l)
{
	const struct lane_shared *s = l->cfg.shared;

	merge_begin(&l->merge, &l->rules->set, l->cfg.maps,
		atomic_load_explicit(&s->tun_tso, memory_order_relaxed),
		atomic_load_explicit(&s->tun_uso, memory_order_relaxed));
	l->n_in = 0;
}

static void
flush(struct lane *l)
{
	struct merge_out m;
	size_t i, bytes;
	int err;

	while (merge_next(&l->merge, &m)) {
		lane_count(&l->counters.tun_writes, 1);
		lane_used(l, m.used, WAY_IN);
		err = tun_writev(l->cfg.tun_fd, m.iov, m.n_iov);
		if (err == -EINVAL && m.n > 1) {
			refused(l, &m);
			continue;
		}
		if (err) {
			lane_count(&l->counters.drops[WAY_IN][DROP_TUN_WRITE],
				m.n);
			continue;
		}
		for (i = bytes = 0; i < m.n; i++)
			bytes += m.in[i]->len;
		passed(l, m.n, bytes);
	}
	begin(l);
}

/* --- taking ------------------------------------------------------------- */

/* One datagram from a peer whose way is known. False: handed over. */
static bool
take_one(struct lane *l, const struct udp_in *m, const struct route_way *way,
	const uint8_t *p, size_t len)
{
	struct packet_in *in;

	if (l->n_in == MERGE_MAX)
		flush(l);
	in = &l->in[l->n_in];
	*in = (struct packet_in){
		.p = p,
		.len = len,
		.from = way->peer,
		.number = l->number++,
		.tos = way->tos ? m->from.tos : 0,
	};
	if (merge_add(&l->merge, in)) {
		l->n_in++;
		return true;
	}
	flush(l);
	if (carry_one(l, in, way->mtu))
		return true;
	hand(l, &m->from, p, len, 0, 1);
	return false;
}

static void
take_datagrams(struct lane *l, const struct udp_in *m,
	const struct datagrams *d, const struct route *route,
	const struct route_way *way)
{
	size_t i, len, count = datagrams_count(d), n = 0, bytes = 0;
	const uint8_t *p;

	for (i = 0; i < count; i++) {
		p = datagrams_get(d, i, &len);
		if (take_one(l, m, way, p, len)) {
			n++;
			bytes += len;
		}
	}
	if (n)
		route_count(route, l->cfg.id, WAY_IN, n, bytes, l->now_ms);
}

/* Who learns ports, and who may send at all, is the control thread's. */
static void
take(struct lane *l, const struct udp_in *m)
{
	const struct datagrams d = {
		.p = m->buf, .len = m->len, .size = m->segment};
	const struct route_way *way;
	const struct route *route;

	if (m->lost) {
		lane_count(&l->counters.drops[WAY_IN][DROP_NO_ROOM], 1);
		return;
	}
	route = lane_route(l, &m->from.from.addr, &way);
	if (!l->hand_all && route && m->from.from.port == way->port &&
		way->to.ver && addr_eq(&m->from.to, &way->to)) {
		take_datagrams(l, m, &d, route, way);
	} else {
		flush(l);
		hand(l, &m->from, m->buf, m->len, m->segment,
			datagrams_count(&d));
	}
}

/* The lookups of a message and of those behind it, as many as may be begun
 * together; how many messages these are, at least one. */
static size_t
look_ahead(struct lane *l, const struct udp_in *m, size_t n)
{
	size_t i, k, count, len, total = 0;
	const uint8_t *p;

	for (i = 0; i < n; i++) {
		const struct datagrams d = {m[i].buf, m[i].len, m[i].segment};

		count = datagrams_count(&d);
		if (i && total + count > AHEAD_MAX)
			break;
		for (k = 0; k < count; k++) {
			p = datagrams_get(&d, k, &len);
			ahead_in(l, &m[i].from.from.addr, p, len);
		}
		total += count;
	}
	ahead_end(l);
	return i;
}

static void
take_all(struct lane *l, size_t n)
{
	size_t i, ahead = 0;

	begin(l);
	for (i = 0; i < n; i++) {
		if (i == ahead)
			ahead += look_ahead(l, &l->messages[i], n - i);
		take(l, &l->messages[i]);
	}
	flush(l);
}

size_t
lane_in(struct lane *l)
{
	size_t total = 0;
	int i, n;

	for (i = 0; i < IN_RECVS && l->cfg.receives; i++) {
		n = udp_recv_many(l->cfg.udp_fd, l->messages, IN_MESSAGES);
		if (n == -EAGAIN)
			break;
		/* Else it is what the network said of a datagram of ours;
		 * others may wait behind it. */
		if (n < 0)
			continue;
		lane_count(&l->counters.udp_recvs, 1);
		take_all(l, (size_t)n);
		total += (size_t)n;
	}
	l->ready[WAY_IN] = i == IN_RECVS;
	return total;
}
