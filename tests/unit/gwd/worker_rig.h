/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Worker, waiting packets and feed, the ends of the TUN device and of the
 * tunnel, and a scripted mapper; for test_worker.c and its like. The rig reads
 * both ends, as lanes do, and lets the worker take from rings. */
#ifndef TESTS_UNIT_GWD_WORKER_RIG_H
#define TESTS_UNIT_GWD_WORKER_RIG_H

#include "gwd/worker.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "gwd/feed.h"
#include "gwd/maps.h"
#include "gwd/offload.h"
#include "gwd/ring.h"
#include "gwd/tracer.h"
#include "gwd/tun.h"
#include "gwd/udp.h"
#include "gwd/wait.h"
#include "tests/unit/gwd/mapper.h"

#define STORE	     1234
#define RIG_RINGS    2
#define RIG_RING     (1 << 20) /* bytes */
#define RIG_MTU	     1448      /* of the device, as it were */
#define IP_HEADER    20
#define UDP_HEADER   8
#define IPREF_HEADER 20 /* IPv4 contexts, short references */

static const struct addr pub = {4, {192, 0, 2, 1}};
static const struct addr peer = {4, {127, 0, 0, 2}};
static const struct addr loopback6 = {6, {[15] = 1}};
static const struct addr known = {4, {10, 240, 1, 1}};
static const struct addr unknown = {4, {10, 240, 1, 5}};
static const struct addr listed = {4, {192, 168, 84, 10}};
static const struct addr unlisted = {4, {192, 168, 84, 11}};

struct rig {
	struct mapper mp;
	struct gw_settings set;
	struct maps *maps;
	struct peers *peers;
	struct paths *paths, *hosts;
	bool clamp_mss, trace;
	struct tracer *tracer;
	struct peer_confs confs;
	struct limit limit;
	struct wait *wait;
	struct worker *worker;
	struct feed *feed;
	uint64_t revision;
	uint8_t tos; /* of what hosts send */
	int lan;     /* our end of the TUN device */
	int tun, udp;
	int peer; /* the peer's socket */
	struct event *tun_ev, *udp_ev;
	struct ring *rings[RIG_RINGS];
	int udp_fds[2]; /* udp, and a lane's that the rig does not read */
	bool failed;
	/* What the worker said, and how many packets from the peer it had
	 * counted when it last said that it would count one. */
	unsigned n_before_heard, n_changed;
	struct addr changed; /* last */
	uint64_t heard_then;
};

static inline enum drop
on_wait(const struct packet_in *in, const struct packet_out *out,
	unsigned asked, uint64_t now, void *arg)
{
	struct rig *r = arg;

	return wait_packet(r->wait, in, out, asked, now);
}

static inline void
on_failed(void *arg)
{
	struct rig *r = arg;

	r->failed = true;
}

static inline void
on_before_heard(const struct addr *addr, void *arg)
{
	struct rig *r = arg;
	const struct peer *p = peers_get(r->peers, addr);

	r->n_before_heard++;
	r->heard_then = p ? p->in_packets : 0;
}

static inline void
on_changed(const struct addr *addr, void *arg)
{
	struct rig *r = arg;

	r->n_changed++;
	r->changed = *addr;
}

static inline void
on_tun(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t b[OFFLOAD_HEADER + UINT16_MAX];
	struct rig *r = arg;
	ssize_t n = tun_read(fd, b, sizeof(b));

	(void)what;
	if (n >= 0)
		worker_tun(r->worker, b, (size_t)n);
}

/* Errors are the worker's, from the error queue. */
static inline void
on_udp(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t b[UINT16_MAX];
	struct udp_from from;
	struct rig *r = arg;
	ssize_t n = udp_recv(fd, b, sizeof(b), &from);

	(void)what;
	if (n >= 0)
		worker_datagrams(r->worker, &from, b, (size_t)n, 0);
}

static inline uint16_t
port_of(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint e;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert(
		endpoint_from_sockaddr(&e, (const struct sockaddr *)&ss, len));
	return e.port;
}

static inline void
open_ends(struct rig *r)
{
	bool v6 = r->set.tunnel_ver == 6;
	const struct udp_config here = {
		.bind = v6 ? loopback6 : (struct addr){4, {127, 0, 0, 1}}};
	const struct udp_config there = {.bind = v6 ? loopback6 : peer};
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
	r->lan = pair[0];
	r->tun = pair[1];
	ck_assert_int_eq(udp_open(&here, &r->udp), 0);
	ck_assert_int_eq(udp_open(&there, &r->peer), 0);
	r->udp_fds[0] = r->udp;
	ck_assert_int_eq(udp_open(&here, &r->udp_fds[1]), 0);
}

static inline void
start_reading(struct rig *r)
{
	r->tun_ev =
		event_new(r->mp.base, r->tun, EV_READ | EV_PERSIST, on_tun, r);
	r->udp_ev =
		event_new(r->mp.base, r->udp, EV_READ | EV_PERSIST, on_udp, r);
	ck_assert_ptr_nonnull(r->tun_ev);
	ck_assert_ptr_nonnull(r->udp_ev);
	ck_assert_int_eq(event_add(r->tun_ev, NULL), 0);
	ck_assert_int_eq(event_add(r->udp_ev, NULL), 0);
}

static inline void
start_worker(struct rig *r)
{
	const struct limit_rate all = {1000, 100}, each = {10, 10};
	struct worker_config cfg = {
		.base = r->mp.base,
		.tun_fd = r->tun,
		.udp_fd = r->udp,
		.udp_fds = r->udp_fds,
		.n_udp_fds = ARRAY_LEN(r->udp_fds),
		.rings = r->rings,
		.n_rings = RIG_RINGS,
		.raw_fd = -1,
		.set = &r->set,
		.maps = r->maps,
		.peers = r->peers,
		.confs = &r->confs,
		.limit = &r->limit,
		.paths = r->paths,
		.hosts = r->hosts,
		.local_mtu = RIG_MTU,
		.clamp_mss = &r->clamp_mss,
		.trace = &r->trace,
		.wait = on_wait,
		.before_heard = on_before_heard,
		.changed = on_changed,
		.failed = on_failed,
		.arg = r,
	};

	size_t i;

	for (i = 0; i < RIG_RINGS; i++) {
		r->rings[i] = ring_new(RIG_RING);
		ck_assert_ptr_nonnull(r->rings[i]);
	}
	limit_init(&r->limit, &all, &each, 1);
	r->wait = wait_new(r->mp.base);
	r->tracer = cfg.tracer = tracer_new(r->mp.base, r->maps);
	r->worker = worker_new(&cfg);
	ck_assert_ptr_nonnull(r->wait);
	ck_assert_ptr_nonnull(r->tracer);
	ck_assert_ptr_nonnull(r->worker);
}

static inline void
start_feed(struct rig *r)
{
	const struct feed_config cfg = {
		.path = r->mp.path,
		.fmt = {4, 4, MSG_DIALECT_1},
		.profile = {r->set.encode_net, r->set.pub, r->set.own_ref},
		.times = feed_times_default,
		.maps = r->maps,
		.changed = wait_changed,
		.answered = wait_answered,
		.ready = wait_ready,
		.arg = r->wait,
	};

	r->feed = feed_new(r->mp.base, &cfg);
	ck_assert_ptr_nonnull(r->feed);
	wait_connect(r->wait, r->feed, r->worker);
}

static inline struct msg_entry
remote(const struct addr *ea, uint64_t ref)
{
	return (struct msg_entry){.flags = MSG_ENTRY_LISTED,
		.born = 1,
		.arec = {.ea = *ea, .gw = peer, .ref = ref_from_u64(ref)}};
}

static inline void
send_set(struct rig *r, const struct msg_entry *e)
{
	const struct msg m = {.mode = MSG_DATA,
		.cmd = MSG_FEED_SET,
		.revision = r->revision,
		.n = 1,
		.entries = e};

	mapper_send(&r->mp, &m);
}

/* own: the public address, of the tunnel's version. With 6 the mapper can't be
 * followed. */
static inline void
rig_init_at(struct rig *r, const struct addr *own, uint32_t path_mtu)
{
	*r = (struct rig){
		.set = {.local_ver = 4,
			.tunnel_ver = own->ver,
			.pub = *own,
			.own_local = {4, {10, 240, 0, 1}},
			.own_ref = ref_from_u64(1),
			.encode_net = {{4, {10, 240}}, 12}},
		.revision = 5,
		.clamp_mss = true,
	};
	mapper_init(&r->mp);
	open_ends(r);
	r->maps = maps_new(own, 10000);
	r->peers = peers_new(16, port_of(r->peer));
	r->paths = paths_new(16, PATHS_LOWEST_V4, path_mtu);
	r->hosts = paths_new(16, PATHS_LOWEST_V6, 1500);
	start_worker(r);
	start_reading(r);
	start_feed(r);
}

static inline void
rig_init(struct rig *r, uint32_t path_mtu)
{
	rig_init_at(r, &pub, path_mtu);
}

/* The mapper is there, with the known mappings. */
static inline void
follow(struct rig *r)
{
	struct mapper_req q;
	struct msg ack = {.mode = MSG_ACK,
		.cmd = MSG_FEED_START,
		.store = STORE,
		.revision = r->revision};
	const struct msg at = {.mode = MSG_DATA,
		.cmd = MSG_FEED_AT,
		.store = STORE,
		.revision = r->revision};
	struct msg_entry e = remote(&known, 7);

	q = mapper_expect(&r->mp, MSG_FEED_START);
	ack.id = q.m.id;
	mapper_send(&r->mp, &ack);
	send_set(r, &e);
	e = (struct msg_entry){.flags = MSG_ENTRY_LISTED,
		.arec = {.ip = listed, .ref = ref_from_u64(9)}};
	send_set(r, &e);
	mapper_send(&r->mp, &at);
	q = mapper_expect(&r->mp, MSG_FEED_USED);
	mapper_answer(&r->mp, &q, true);
}

static inline void
rig_fini(struct rig *r)
{
	size_t i;

	feed_free(r->feed);
	event_free(r->tun_ev);
	event_free(r->udp_ev);
	worker_free(r->worker);
	tracer_free(r->tracer);
	for (i = 0; i < RIG_RINGS; i++)
		ring_free(r->rings[i]);
	wait_free(r->wait);
	peers_free(r->peers);
	paths_free(r->paths);
	paths_free(r->hosts);
	maps_free(r->maps);
	mapper_fini(&r->mp);
	close(r->lan);
	close(r->tun);
	close(r->udp);
	close(r->udp_fds[1]);
	close(r->peer);
	ck_assert(!r->failed);
}

static inline const struct counters *
counted(const struct rig *r)
{
	return worker_counters(r->worker);
}

/* A packet comes out of the device, behind the device's header. */
static inline void
host_sends_packet(struct rig *r, uint8_t *p, size_t len)
{
	uint8_t nothing[OFFLOAD_HEADER] = {0};
	const struct iovec parts[] = {{nothing, sizeof(nothing)}, {p, len}};

	ck_assert_int_eq(writev(r->lan, parts, ARRAY_LEN(parts)),
		(ssize_t)(sizeof(nothing) + len));
}

/* Writes a host's UDP packet, whose payload begins with the mark: its length.
 */
static inline size_t
put_udp(const struct rig *r, uint8_t *p, size_t size, const struct addr *src,
	const struct addr *dst, size_t payload, bool df, uint8_t mark)
{
	size_t len = IP_HEADER + UDP_HEADER + payload;
	struct wbuf w;

	ck_assert_uint_le(len, size);
	memset(p, 0, len);
	wbuf_init(&w, p, size);
	wbuf_u8(&w, 0x45);
	wbuf_u8(&w, r->tos);
	wbuf_be16(&w, len);
	wbuf_be16(&w, 0);
	wbuf_be16(&w, df ? 0x4000 : 0);
	wbuf_be32(&w, 0x40110000); /* TTL 64, UDP */
	addr_put(&w, src, 4);
	addr_put(&w, dst, 4);
	wbuf_be16(&w, 1000);
	wbuf_be16(&w, 2000);
	wbuf_be16(&w, UDP_HEADER + payload);
	wbuf_be16(&w, 0);
	wbuf_u8(&w, mark);
	ck_assert(wbuf_ok(&w));
	return len;
}

static inline void
host_sends(struct rig *r, const struct addr *src, const struct addr *dst,
	size_t payload, bool df, uint8_t mark)
{
	static uint8_t p[UINT16_MAX];

	host_sends_packet(
		r, p, put_udp(r, p, sizeof(p), src, dst, payload, df, mark));
}

/* What comes out at a descriptor, within the bound; of the device, without its
 * header, which has to be there and to say nothing. */
static inline size_t
receive(struct rig *r, int fd, uint8_t *buf, size_t size)
{
	static const uint8_t nothing[OFFLOAD_HEADER];
	ssize_t n;

	RUN_UNTIL(&r->mp, (n = recv(fd, buf, size, MSG_DONTWAIT)) >= 0);
	if (fd != r->lan)
		return (size_t)n;
	ck_assert_int_ge(n, OFFLOAD_HEADER);
	ck_assert_mem_eq(buf, nothing, sizeof(nothing));
	n -= OFFLOAD_HEADER;
	memmove(buf, buf + OFFLOAD_HEADER, (size_t)n);
	return (size_t)n;
}

static inline bool
is_empty(int fd)
{
	uint8_t b;

	return recv(fd, &b, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}

/* The peer gets an unfragmented packet with this mark. */
static inline void
peer_gets(struct rig *r, uint8_t mark)
{
	uint8_t p[4096];
	size_t n = receive(r, r->peer, p, sizeof(p));

	ck_assert_uint_gt(n, IPREF_HEADER + UDP_HEADER);
	ck_assert_uint_eq(p[0] & 0xfe, 0x10);
	ck_assert_uint_eq(p[IPREF_HEADER + UDP_HEADER], mark);
}

/* The host gets this ICMP error from the gateway. */
static inline void
host_gets(struct rig *r, uint8_t type, uint8_t code)
{
	uint8_t p[4096];
	size_t n = receive(r, r->lan, p, sizeof(p));
	struct addr src, dst;

	ck_assert_uint_gt(n, IP_HEADER + 8);
	counters_addrs(p, n, &src, &dst);
	ck_assert(addr_eq(&src, &r->set.own_local));
	ck_assert(addr_eq(&dst, &listed));
	ck_assert_uint_eq(p[9], 1);
	ck_assert_uint_eq(p[IP_HEADER], type);
	ck_assert_uint_eq(p[IP_HEADER + 1], code);
}

static inline void
answer(struct rig *r, const struct mapper_req *q, const struct arec *rec)
{
	const struct msg m = {.mode = MSG_ACK,
		.cmd = q->m.cmd,
		.id = q->m.id,
		.mark = {1, 6},
		.n = 1,
		.arecs = rec};

	mapper_send(&r->mp, &m);
}

static inline void
answer_unknown(struct rig *r)
{
	struct mapper_req q = mapper_expect(&r->mp, MSG_LOOKUP_EA);
	struct msg_entry e = remote(&unknown, 8);

	ck_assert(addr_eq(&q.arecs[0].ea, &unknown));
	answer(r, &q, &e.arec);
}

#endif
