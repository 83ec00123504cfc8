/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel itself makes of superpackets, beside what the tests and
 * super.c say that it does: they are written to a TUN device, forwarded by the
 * kernel, and read from another, which takes superpackets or does not.
 *
 * KERNEL_CUT_FLIGHTS in the environment: how many; KERNEL_CUT_SEED: another
 * seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "gwd/link.h"
#include "gwd/super.h"
#include "gwd/tun.h"
#include "gwd/udp_many.h"
#include "tests/unit/gwd/cut.h"
#include "tests/unit/gwd/netns.h"

#define FLIGHTS	 200
#define MTU	 10000
#define BOUND_MS 5000
#define READ_MAX (FLIGHT_VNET + FLIGHT_MAX)

/* Behind the first device, and behind the second. */
static const struct addr from[] = {
	{4, {10, 1, 0, 9}}, {6, {0xfd, 1, [15] = 9}}};
static const struct addr to[] = {{4, {10, 2, 0, 9}}, {6, {0xfd, 2, [15] = 9}}};

struct rig {
	struct link *link;
	int in, out;
	bool uso;
};

static uint8_t payload[FLIGHT_MAX], w[READ_MAX], r[READ_MAX];

static bool
put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Our addresses on the devices are those of the hosts behind, but the end. */
static void
open_device(struct rig *g, const char *name, const struct addr *hosts, int *fd)
{
	struct prefix net;
	unsigned n;
	size_t i;

	ck_assert_int_eq(tun_open_queues(g->link, name, 1, fd, &n), 0);
	for (i = 0; i < 2; i++) {
		net = (struct prefix){hosts[i], i ? 64 : 16};
		net.addr.b[addr_len(hosts[i].ver) - 1] = 1;
		ck_assert_int_eq(
			link_setup(g->link, name, &net.addr, &net, MTU), 0);
	}
}

/* False: not here, which was said. */
static bool
rig_open(struct rig *g)
{
	struct tun_offload all = {true, true};

	*g = (struct rig){0};
	if (!netns_enter() || access("/dev/net/tun", R_OK | W_OK) ||
		!put_text("/proc/sys/net/ipv4/ip_forward", "1") ||
		!put_text("/proc/sys/net/ipv6/conf/all/forwarding", "1")) {
		printf("skipped: no network or TUN device of its own\n");
		return false;
	}
	ck_assert_int_eq(link_open(&g->link), 0);
	open_device(g, "tun-in", from, &g->in);
	open_device(g, "tun-out", to, &g->out);
	ck_assert_int_eq(tun_offload(g->in, &all), 0);
	g->uso = all.uso;
	return true;
}

static void
rig_close(struct rig *g)
{
	close(g->in);
	close(g->out);
	link_close(g->link);
}

/* The kernel takes one off the TTL. */
static int
write_flight(const struct rig *g, const struct flight *f, size_t *len)
{
	struct flight before = *f;
	struct virtio_net_hdr h;
	struct iovec iov = {w, 0};

	before.ttl++;
	iov.iov_len = flight_read(&before, w);
	memcpy(&h, w, sizeof(h));
	h.hdr_len = (uint16_t)flight_headers(f);
	memcpy(w, &h, sizeof(h));
	*len = iov.iov_len;
	return tun_writev(g->in, &iov, 1);
}

/* The next packet of the flight that comes out; the kernel sends others. */
static size_t
read_next(const struct rig *g, const struct flight *f)
{
	struct pollfd pfd = {.fd = g->out, .events = POLLIN};
	size_t n = addr_len(f->ver), at = f->ver == 4 ? 12 : 8;
	const uint8_t *p = r + FLIGHT_VNET;
	ssize_t len;

	do {
		ck_assert_int_eq(poll(&pfd, 1, BOUND_MS), 1);
		len = tun_read(g->out, r, sizeof(r));
		ck_assert_int_gt(len, FLIGHT_VNET + 20);
	} while (p[0] >> 4 != f->ver || memcmp(p + at, f->src.b, n));
	return (size_t)len;
}

/* Each as from its host; as cut.h says; as super.c would make of the write. */
static void
check_cut(const struct rig *g, const struct flight *f, size_t written)
{
	static uint8_t want[FLIGHT_MAX], before[READ_MAX];
	const uint8_t *p = r + FLIGHT_VNET;
	size_t i, len;
	struct cut c;
	bool known;

	memcpy(before, w, written);
	/* as forwarded, which cut.h takes care to look at */
	before[FLIGHT_VNET + (f->ver == 4 ? 8 : 7)] = f->ttl;
	if (f->ver == 4) {
		flight_put(before + FLIGHT_VNET + 10, 0, 2);
		flight_put(before + FLIGHT_VNET + 10,
			~flight_sum(before + FLIGHT_VNET, flight_l4(f), 0), 2);
	}
	known = cut_begin(&c, before, written);
	ck_assert(known == !f->options);
	for (i = 0; i < flight_count(f); i++) {
		len = read_next(g, f) - FLIGHT_VNET;
		ck_assert_uint_eq(len, flight_packet(f, i, want));
		if (memcmp(p, want, len))
			ck_abort_msg("packet %zu", i);
		if (!known)
			continue;
		ck_assert_uint_eq(len, cut_packet(&c, i, want));
		if (memcmp(p, want, len))
			ck_abort_msg("packet %zu, cut", i);
	}
}

/* The superpacket comes whole, or, when its kind does not, in pieces. */
static void
check_whole(const struct rig *g, const struct flight *f)
{
	static uint8_t got[FLIGHT_MAX], want[FLIGHT_MAX];
	size_t i, at = 0, len;
	struct super s;

	while (at < flight_count(f)) {
		len = read_next(g, f);
		ck_assert_int_eq(super_read(&s, r, len), DROP_NONE);
		ck_assert_uint_eq(s.n, flight_count(f));
		for (i = 0; i < s.n; i++, at++) {
			len = super_segment(&s, i, got, sizeof(got));
			ck_assert_uint_eq(len, flight_packet(f, at, want));
			if (memcmp(got, want, len))
				ck_abort_msg("packet %zu, segment", at);
		}
	}
}

static void
check_flights(struct rig *g, struct tun_offload *offload)
{
	unsigned long n = flight_number("KERNEL_CUT_FLIGHTS", FLIGHTS), i;
	uint64_t seed = flight_number("KERNEL_CUT_SEED", 20261124), rng = seed;
	unsigned most = udp_most_segments();
	struct flight f;
	size_t len;
	int err;

	printf("kernel cut: seed %llu\n", (unsigned long long)seed);
	ck_assert_int_eq(tun_offload(g->out, offload), 0);
	for (i = 0; i < n; i++) {
		flight_random(&f, &rng, &from[i % 2], &to[i % 2], payload);
		if (f.proto == 17 && !g->uso)
			continue;
		if (f.ttl == 255)
			f.ttl = 64;
		err = write_flight(g, &f, &len);
		if (err) {
			/* as with UDP_SEGMENT */
			ck_assert_int_eq(err, -EINVAL);
			ck_assert_uint_eq(f.proto, 17);
			ck_assert_uint_gt(flight_count(&f), most);
			continue;
		}
		if (offload->tso)
			check_whole(g, &f);
		else
			check_cut(g, &f, len);
	}
}

START_TEST(test_pieces)
{
	struct tun_offload none = {0};
	struct rig g;

	if (!rig_open(&g))
		return;
	check_flights(&g, &none);
	rig_close(&g);
}
END_TEST

START_TEST(test_whole)
{
	struct tun_offload all = {true, true};
	struct rig g;

	if (!rig_open(&g))
		return;
	check_flights(&g, &all);
	rig_close(&g);
}
END_TEST

RUN_TESTS("kernel cut", test_pieces, test_whole)
