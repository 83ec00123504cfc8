/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lanes, with threads of their own, between a socket pair, which stands for the
 * TUN device, and tunnel sockets on the loopback interface; behind these a peer
 * and its host. What goes from host to host is a flight of packets (flight.h),
 * looked at when it comes out. The test itself is the control thread.
 */
#ifndef TESTS_UNIT_GWD_LANE_RIG_H
#define TESTS_UNIT_GWD_LANE_RIG_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gwd/datagrams.h"
#include "gwd/decap.h"
#include "gwd/encap.h"
#include "gwd/handover.h"
#include "gwd/header.h"
#include "gwd/lanes.h"
#include "gwd/maps.h"
#include "gwd/qs.h"
#include "gwd/ring.h"
#include "gwd/routes.h"
#include "gwd/udp_many.h"
#include "tests/unit/gwd/cut.h"
#include "tests/unit/gwd/netns.h"

#define BOUND_MS   10000
#define NET	   198 /* all of 198.0.0.0/24 is ours */
#define TCP	   6
#define UDP	   17
#define TCP_SYN	   0x02
#define RIG_LANES  2
#define RIG_MTU	   60000 /* of the path, and of the device */
#define RIG_RECORD (1 << 17)

struct gateway {
	struct gw_settings set;
	struct maps *maps;
	struct addr host, remote; /* its own, and what the other one's is here
				   */
};

struct rig {
	struct gateway a, b; /* A is ours */
	struct lanes_config cfg;
	struct lanes *lanes;
	struct routes *routes;
	struct route_way way; /* to B */
	struct counters counters;
	atomic_bool all;
	int lan[RIG_LANES], tun[RIG_LANES], udp[RIG_LANES];
	int peer;
	/* what was received last, and how much of it was looked at */
	uint8_t message[UDP_GRO_ROOM];
	struct udp_in in;
	struct datagrams got;
	size_t n_got;
	uint8_t write[FLIGHT_VNET + FLIGHT_MAX];
	struct cut cut;
	size_t n_cut;
	/* a record of a ring */
	struct handed handed;
	uint8_t bytes[RIG_RECORD];
};

static uint8_t payload[FLIGHT_MAX];

/* --- making it ---------------------------------------------------------- */

static inline struct addr
address(uint8_t ver, uint8_t first, uint8_t last)
{
	struct addr addr = addr_zero(ver);

	addr.b[0] = first;
	addr.b[addr_len(ver) - 1] = last;
	return addr;
}

static inline void
gateway_init(struct gateway *g, uint8_t local, uint8_t nr)
{
	*g = (struct gateway){
		.set =
			{
				.local_ver = local,
				.tunnel_ver = 4,
				.pub = address(4, NET, nr),
				.own_local = address(local, 0x21, nr),
				.own_ref = ref_from_u64(0x100),
				.encode_net = {address(local, 10, 0), 8},
			},
		.host = address(local, 0x22, nr),
		.remote = address(local, 10, nr),
	};
	g->maps = maps_new(&g->set.pub, 100);
	ck_assert_ptr_nonnull(g->maps);
	maps_share(g->maps, qs_retire);
}

static inline void
map(struct gateway *g, const struct addr *local, bool ours,
	const struct addr *gw, uint64_t ref)
{
	struct msg_entry e = {.flags = MSG_ENTRY_LISTED, .born = 1};

	if (ours)
		e.arec.ip = *local;
	else
		e.arec.ea = *local;
	e.arec.gw = *gw;
	e.arec.ref = ref_from_u64(ref);
	ck_assert_int_eq(maps_set(g->maps, &e), 0);
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

static inline int
open_socket(const struct addr *bind)
{
	int fd;

	ck_assert_int_eq(udp_open(&(struct udp_config){.bind = *bind}, &fd), 0);
	return fd;
}

static inline void
open_pair(struct rig *r, size_t i)
{
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair),
		0);
	r->lan[i] = pair[0];
	r->tun[i] = pair[1];
}

static inline void
open_ends(struct rig *r)
{
	const struct addr any = addr_zero(4);
	size_t i;

	for (i = 0; i < RIG_LANES; i++) {
		open_pair(r, i);
		r->udp[i] = open_socket(&any);
		ck_assert_int_eq(udp_set_gro(r->udp[i], true), 0);
	}
	r->peer = open_socket(&r->b.set.pub);
	ck_assert_int_eq(udp_set_gro(r->peer, true), 0);
}

static inline bool
wants_all(const void *rig)
{
	return atomic_load(&((const struct rig *)rig)->all);
}

/* What r->way says is so from now on. */
static inline void
rig_route(struct rig *r)
{
	ck_assert_int_eq(routes_set(r->routes, &r->way), 0);
}

/* Addresses that may be those of gateways. False: not here, which was said. */
static inline bool
may_run(void)
{
	struct ifreq ifr = {.ifr_name = "lo:1"};
	struct sockaddr_storage ss;
	struct addr addr = address(4, NET, 1);
	socklen_t len;
	int fd;

	if (!netns_enter()) {
		printf("skipped: no network of its own\n");
		return false;
	}
	addr_to_sockaddr(&addr, 0, &ss, &len);
	memcpy(&ifr.ifr_addr, &ss, sizeof(ifr.ifr_addr));
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(ioctl(fd, SIOCSIFADDR, &ifr), 0);
	close(fd);
	return true;
}

/* Nothing runs yet: cfg and way can be changed. local: IP version of A's
 * network; B's is 4. */
static inline bool
rig_init(struct rig *r, uint8_t local)
{
	uint64_t a_ref = 0x1234, b_ref = UINT64_C(1) << 40;
	size_t i;

	if (!may_run())
		return false;
	*r = (struct rig){.in = {.buf = r->message, .size = UDP_GRO_ROOM}};
	for (i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	ck_assert_int_eq(qs_writer_start(), 0);
	gateway_init(&r->a, local, 1);
	gateway_init(&r->b, 4, 2);
	map(&r->a, &r->a.host, true, &r->a.set.pub, a_ref);
	map(&r->b, &r->b.remote, false, &r->a.set.pub, a_ref);
	map(&r->a, &r->a.remote, false, &r->b.set.pub, b_ref);
	map(&r->b, &r->b.host, true, &r->b.set.pub, b_ref);
	open_ends(r);
	r->routes = routes_new(10, RIG_LANES, qs_retire);
	ck_assert_ptr_nonnull(r->routes);
	r->way = (struct route_way){
		.peer = r->b.set.pub,
		.port = port_of(r->peer),
		.src = r->a.set.pub,
		.to = r->a.set.pub,
		.mtu = RIG_MTU,
		.ref = r->b.set.own_ref,
	};
	r->cfg = (struct lanes_config){
		.n = 1,
		.tun_fds = r->tun,
		.udp_fds = r->udp,
		.n_udp = 1,
		.maps = r->a.maps,
		.routes = r->routes,
		.rules = {.set = r->a.set, .local_mtu = RIG_MTU},
		.tun_tso = true,
		.tun_uso = true,
		.most_segments = udp_most_segments(),
	};
	return true;
}

static inline void
rig_start(struct rig *r)
{
	rig_route(r);
	r->lanes = lanes_new(&r->cfg);
	ck_assert_ptr_nonnull(r->lanes);
	ck_assert_int_eq(lanes_start(r->lanes, wants_all, r), 0);
}

static inline void
rig_fini(struct rig *r)
{
	size_t i;

	lanes_stop(r->lanes);
	lanes_free(r->lanes);
	qs_writer_end();
	routes_free(r->routes);
	maps_free(r->a.maps);
	maps_free(r->b.maps);
	for (i = 0; i < RIG_LANES; i++) {
		close(r->lan[i]);
		close(r->tun[i]);
		close(r->udp[i]);
	}
	close(r->peer);
}

/* --- looking ------------------------------------------------------------ */

static inline void
until_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	ck_assert_int_eq(poll(&p, 1, BOUND_MS), 1);
}

/* Something that lanes count reaches this number, and not more. */
static inline void
until_counted(struct rig *r, const uint64_t *counter, uint64_t n)
{
	int ms;

	for (ms = 0; ms < BOUND_MS; ms++) {
		lanes_collect(r->lanes, &r->counters, 1);
		if (*counter >= n)
			break;
		poll(NULL, 0, 1);
	}
	ck_assert_uint_eq(*counter, n);
}

/* What a lane has given to the control thread, in r->handed and r->bytes. */
static inline void
take_handed(struct rig *r, unsigned lane)
{
	struct ring *ring = lanes_ring(r->lanes, lane);
	const uint8_t *record;
	size_t len;

	while (!(record = ring_peek(ring, &len)))
		if (ring_sleep(ring))
			until_readable(ring_fd(ring));
	ck_assert_uint_ge(len, sizeof(r->handed));
	memcpy(&r->handed, record, sizeof(r->handed));
	ck_assert_uint_eq(len, sizeof(r->handed) + r->handed.len);
	ck_assert_uint_le(r->handed.len, sizeof(r->bytes));
	memcpy(r->bytes, record + sizeof(r->handed), r->handed.len);
	ring_next(ring);
}

/* It is these bytes. */
static inline void
check_handed(struct rig *r, enum handed_kind kind, const void *p, size_t len)
{
	take_handed(r, 0);
	ck_assert_int_eq(r->handed.kind, kind);
	ck_assert_uint_eq(r->handed.len, len);
	ck_assert_mem_eq(r->bytes, p, len);
}

/* Processor time of all lanes until now. */
static inline long
lanes_cpu_ms(void)
{
	long user, sys, ms = 0;
	char path[300], line[512];
	struct dirent *d;
	DIR *dir = opendir("/proc/self/task");
	FILE *f;

	ck_assert_ptr_nonnull(dir);
	while ((d = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/self/task/%s/stat",
			d->d_name);
		f = d->d_name[0] == '.' ? NULL : fopen(path, "re");
		if (!f)
			continue;
		if (fgets(line, sizeof(line), f) &&
			strstr(line, "(gwd-worker") &&
			sscanf(strchr(line, ')'),
				") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
				"%*s %ld %ld",
				&user, &sys) == 2)
			ms += (user + sys) * 1000 / sysconf(_SC_CLK_TCK);
		fclose(f);
	}
	closedir(dir);
	return ms;
}

/* --- flights ------------------------------------------------------------ */

/* From the host of this gateway to the other's. */
static inline struct flight
flight_from(const struct gateway *g, uint8_t proto, size_t len, size_t size)
{
	return (struct flight){
		.ver = g->set.local_ver,
		.proto = proto,
		.src = g->host,
		.dst = g->remote,
		.ttl = 64,
		.df = true,
		.seq = 0xfffffff0,
		.flags = 0x18,
		.payload = payload,
		.len = len,
		.size = size,
	};
}

/* As it comes out there. */
static inline struct flight
flight_at(const struct flight *f, const struct gateway *g)
{
	struct flight there = *f;

	there.ver = g->set.local_ver;
	there.src = g->remote;
	there.dst = g->host;
	there.tos = 0;
	return there;
}

/* All bytes of its packets. */
static inline size_t
flight_bytes(const struct flight *f)
{
	return f->len + flight_count(f) * flight_headers(f);
}

static inline void
check_packet(const struct flight *there, size_t i, uint8_t *p, size_t len)
{
	static uint8_t want[FLIGHT_MAX];

	ck_assert_uint_eq(len, flight_packet(there, i, want));
	cut_forget_ident(p);
	cut_forget_ident(want);
	ck_assert_mem_eq(p, want, len);
}

static inline void
write_read(struct rig *r, unsigned lane, const uint8_t *read, size_t len)
{
	ck_assert_int_eq(send(r->lan[lane], read, len, 0), (ssize_t)len);
}

/* The device gives a packet. */
static inline void
host_sends(struct rig *r, const struct flight *f, size_t i)
{
	static uint8_t read[FLIGHT_VNET + FLIGHT_MAX];

	memset(read, 0, FLIGHT_VNET);
	write_read(r, 0, read,
		FLIGHT_VNET + flight_packet(f, i, read + FLIGHT_VNET));
}

/* ... or a superpacket. */
static inline void
host_sends_super(struct rig *r, const struct flight *f)
{
	static uint8_t read[FLIGHT_VNET + FLIGHT_MAX];

	write_read(r, 0, read, flight_read(f, read));
}

/* The next datagram for the peer. */
static inline const uint8_t *
peer_next(struct rig *r, size_t *len)
{
	if (!r->got.p || r->n_got == datagrams_count(&r->got)) {
		until_readable(r->peer);
		ck_assert_int_eq(udp_recv_many(r->peer, &r->in, 1), 1);
		ck_assert(!r->in.lost);
		r->got = (struct datagrams){
			r->message, r->in.len, r->in.segment};
		r->n_got = 0;
	}
	return datagrams_get(&r->got, r->n_got++, len);
}

/* Packet i of a flight that left A arrives at B. */
static inline void
peer_gets(struct rig *r, const struct flight *f, size_t i)
{
	static uint8_t p[FLIGHT_MAX + GW_GROWTH];
	const struct flight there = flight_at(f, &r->b);
	struct packet_in in = {.from = r->a.set.pub};
	struct packet_out out = {.p = p, .size = sizeof(p)};

	in.p = peer_next(r, &in.len);
	decap(&r->b.set, r->b.maps, &in, &out);
	ck_assert_int_eq(out.drop, DROP_NONE);
	check_packet(&there, i, p, out.len);
}

static inline void
peer_gets_all(struct rig *r, const struct flight *f)
{
	size_t i;

	for (i = 0; i < flight_count(f); i++)
		peer_gets(r, f, i);
}

/* Bytes from this socket to A, cut into datagrams of this size (0: not). */
static inline void
send_from(struct rig *r, int fd, const struct udp_to *how, uint8_t *p,
	size_t len, uint16_t segment)
{
	struct iovec iov = {p, len};
	struct udp_to to = *how;
	struct udp_dest d;
	struct udp_out o = {&d, &iov, 1, segment};
	int err;

	if (!to.addr.ver)
		to.addr = r->a.set.pub;
	to.port = port_of(r->udp[0]);
	udp_dest_init(&d, &to);
	ck_assert_uint_eq(udp_send_many(fd, &o, 1, &err), 1);
}

/* The datagrams of a flight that leaves B: where they are, one behind the
 * other; *size: of each but the last. */
static inline uint8_t *
peer_makes(const struct rig *r, const struct flight *f, size_t *len,
	uint16_t *size)
{
	static uint8_t p[FLIGHT_MAX], bytes[2 * FLIGHT_MAX];
	struct packet_in in = {.p = p};
	struct packet_out out;
	size_t i;

	*len = *size = 0;
	for (i = 0; i < flight_count(f); i++) {
		in.len = flight_packet(f, i, p);
		out = (struct packet_out){
			.p = bytes + *len, .size = sizeof(bytes) - *len};
		encap(&r->b.set, r->b.maps, &in, &out);
		ck_assert_int_eq(out.drop, DROP_NONE);
		if (!i)
			*size = (uint16_t)out.len;
		*len += out.len;
	}
	return bytes;
}

/* Together, with this outer TOS. */
static inline size_t
peer_sends(struct rig *r, const struct flight *f, uint8_t tos)
{
	const struct udp_to to = {.tos = tos};
	uint16_t size;
	size_t len;
	uint8_t *bytes = peer_makes(r, f, &len, &size);

	send_from(r, r->peer, &to, bytes, len, flight_count(f) > 1 ? size : 0);
	return len;
}

/* The next packet for A's host: its length. */
static inline size_t
host_next(struct rig *r, uint8_t *p)
{
	ssize_t n;

	if (r->n_cut == r->cut.n) {
		until_readable(r->lan[0]);
		n = recv(r->lan[0], r->write, sizeof(r->write), 0);
		ck_assert_int_gt(n, 0);
		ck_assert(cut_begin(&r->cut, r->write, (size_t)n));
		r->n_cut = 0;
	}
	return cut_packet(&r->cut, r->n_cut++, p);
}

/* Packet i of a flight that left B arrives at A's host. */
static inline void
host_gets(struct rig *r, const struct flight *f, size_t i, uint8_t tos)
{
	static uint8_t p[FLIGHT_MAX];
	struct flight there = flight_at(f, &r->a);

	there.tos = tos;
	check_packet(&there, i, p, host_next(r, p));
}

static inline void
host_gets_all(struct rig *r, const struct flight *f, uint8_t tos)
{
	size_t i;

	for (i = 0; i < flight_count(f); i++)
		host_gets(r, f, i, tos);
}

#endif
