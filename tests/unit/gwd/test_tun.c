/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read from a TUN device with queues and headers: packets one by one or
 * together, as was asked for; flows keep to their queue; who may read. */
#include "gwd/tun.h"

#include "tests/unit/gwd/tun_rig.h"

#define FLOWS 64

static void
check_plain(const struct rig *r, size_t v)
{
	uint8_t ver = here[v].ver;
	int fd = open_udp(ver);
	size_t done, len;

	ck_assert_int_eq(send_cut(fd, &there[v], SEGMENT), 0);
	for (done = 0; done < TOTAL; done += len) {
		len = TOTAL - done < SEGMENT ? TAIL : SEGMENT;
		read_packet(r, IPPROTO_UDP);
		ck_assert_uint_eq(packet.vnet.gso_type, 0);
		ck_assert_uint_eq(packet.vnet.flags, 0);
		ck_assert_uint_eq(
			packet.len, ip_header(ver) + UDP_HEADER + len);
		ck_assert_uint_eq(l4_sum(&packet, IPPROTO_UDP), 0);
		check_bytes(packet.p + packet.l4 + UDP_HEADER, len, done);
	}
	nothing_waits(r, IPPROTO_UDP);
	close(fd);
}

/* Without offloads each packet comes alone and complete; also after somebody
 * before us had them. */
START_TEST(test_plain)
{
	struct tun_offload all = {true, true};
	struct rig r;
	size_t v;

	if (!rig_open(&r, 1))
		return;
	for (v = 0; v < 2; v++)
		check_plain(&r, v);
	ck_assert_int_eq(tun_offload(r.fd[0], &all), 0);
	rig_close(&r);
	/* Works at once: nothing is lost until the kernel has noticed us. */
	ck_assert_int_eq(link_open(&r.link), 0);
	ck_assert_int_eq(tun_open_queues(r.link, NAME, 1, r.fd, &r.n), 0);
	for (v = 0; v < 2; v++)
		check_plain(&r, v);
	rig_close(&r);
}
END_TEST

/* The length of the next IPv4 packet of UDP; nobody puts a header before it. */
static size_t
read_bare(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	do {
		ck_assert_int_eq(poll(&pfd, 1, BOUND_MS), 1);
		n = tun_read(fd, packet.buf, sizeof(packet.buf));
		ck_assert_int_ge(n, 20);
	} while (packet.buf[0] != 0x45 || packet.buf[9] != IPPROTO_UDP);
	return (size_t)n;
}

/* The same for who reads without headers. */
START_TEST(test_plain_reader)
{
	struct tun_offload all = {true, true};
	size_t done, len;
	struct rig r;
	int fd, udp;

	if (!rig_open(&r, 1))
		return;
	ck_assert_int_eq(tun_offload(r.fd[0], &all), 0);
	rig_close(&r);
	ck_assert_int_eq(tun_open(NAME, &fd), 0);
	udp = open_udp(4);
	ck_assert_int_eq(send_cut(udp, &there[0], SEGMENT), 0);
	for (done = 0; done < TOTAL; done += len) {
		len = TOTAL - done < SEGMENT ? TAIL : SEGMENT;
		ck_assert_uint_eq(read_bare(fd), 20 + UDP_HEADER + len);
		check_bytes(packet.buf + 20 + UDP_HEADER, len, done);
	}
	close(udp);
	close(fd);
}
END_TEST

static void
check_uso(const struct rig *r, size_t v)
{
	uint8_t ver = here[v].ver;
	int fd = open_udp(ver);

	ck_assert_int_eq(send_cut(fd, &there[v], SEGMENT), 0);
	read_packet(r, IPPROTO_UDP);
	ck_assert_uint_eq(packet.vnet.gso_type, VIRTIO_NET_HDR_GSO_UDP_L4);
	ck_assert_uint_eq(packet.vnet.gso_size, SEGMENT);
	ck_assert(packet.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	ck_assert_uint_eq(packet.vnet.csum_start, ip_header(ver));
	ck_assert_uint_eq(packet.len, ip_header(ver) + UDP_HEADER + TOTAL);
	check_bytes(packet.p + packet.l4 + UDP_HEADER, TOTAL, 0);
	nothing_waits(r, IPPROTO_UDP);
	close(fd);
}

START_TEST(test_uso)
{
	struct tun_offload want[] = {{true, true}, {false, true}};
	struct tun_offload none = {false, false};
	struct rig r;
	size_t i;

	if (!rig_open(&r, QUEUES))
		return;
	for (i = 0; i < ARRAY_LEN(want); i++) {
		bool tso = want[i].tso;

		ck_assert_int_eq(tun_offload(r.fd[i], &want[i]), 0);
		ck_assert(want[i].tso == tso);
		if (!want[i].uso) {
			printf("skipped: a kernel without USO\n");
			rig_close(&r);
			return;
		}
		check_uso(&r, 0);
		check_uso(&r, 1);
	}
	ck_assert_int_eq(tun_offload(r.fd[0], &none), 0);
	check_plain(&r, 0);
	rig_close(&r);
}
END_TEST

/* A datagram of a size that the device's MTU does not let through is refused
 * whole. */
START_TEST(test_segment_too_long)
{
	struct tun_offload all = {true, true};
	struct udp_dest d;
	static uint8_t bytes[2 * MTU];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct udp_out out = {&d, &iov, 1, MTU};
	struct rig r;
	int fd, err;

	if (!rig_open(&r, 1))
		return;
	ck_assert_int_eq(tun_offload(r.fd[0], &all), 0);
	fd = open_udp(4);
	udp_dest_init(&d, &(struct udp_to){.addr = there[0], .port = PORT});
	ck_assert_uint_eq(udp_send_many(fd, &out, 1, &err), 0);
	ck_assert(err == -EMSGSIZE || err == -EINVAL);
	out.segment = MTU - 28;
	ck_assert_uint_eq(udp_send_many(fd, &out, 1, &err), 1);
	read_packet(&r, IPPROTO_UDP);
	ck_assert_uint_eq(packet.len, 28 + sizeof(bytes));
	close(fd);
	rig_close(&r);
}
END_TEST

/* --- queues ------------------------------------------------------------- */

/* Sends from all sockets and notes which queue each one's packet came to. */
static void
spread(const struct rig *r, const int *fds, unsigned *queue)
{
	unsigned i, k;

	for (i = 0; i < FLOWS; i++)
		ck_assert_int_eq(send_cut(fds[i], &there[0], 0), 0);
	for (i = 0; i < FLOWS; i++) {
		struct sockaddr_in sin;
		socklen_t len = sizeof(sin);

		read_packet(r, IPPROTO_UDP);
		for (k = 0; k < FLOWS; k++) {
			ck_assert_int_eq(getsockname(fds[k],
						 (struct sockaddr *)&sin, &len),
				0);
			if (ntohs(sin.sin_port) == packet.src)
				break;
		}
		ck_assert_uint_lt(k, FLOWS);
		queue[k] = packet.queue;
	}
}

/* Each flow keeps to its queue, and every queue has some. */
START_TEST(test_queues)
{
	unsigned queue[2][FLOWS], i, second = 0;
	struct link_state s;
	int fds[FLOWS];
	struct rig r;

	if (!rig_open(&r, QUEUES))
		return;
	ck_assert_uint_eq(r.n, QUEUES);
	ck_assert_int_eq(link_get(r.link, NAME, &s), 0);
	ck_assert_uint_eq(s.readers, QUEUES);
	for (i = 0; i < FLOWS; i++)
		fds[i] = open_udp(4);
	spread(&r, fds, queue[0]);
	spread(&r, fds, queue[1]);
	for (i = 0; i < FLOWS; i++) {
		ck_assert_uint_eq(queue[0][i], queue[1][i]);
		second += queue[0][i];
		close(fds[i]);
	}
	ck_assert_uint_gt(second, 0);
	ck_assert_uint_lt(second, FLOWS);
	rig_close(&r);
}
END_TEST

/* A second process is refused as long as the first one is there. */
START_TEST(test_busy)
{
	struct rig r;
	int fds[QUEUES];
	unsigned n;

	if (!rig_open(&r, QUEUES))
		return;
	ck_assert_int_eq(tun_open_queues(r.link, NAME, 1, fds, &n), -EBUSY);
	close(r.fd[0]);
	ck_assert_int_eq(tun_open_queues(r.link, NAME, 1, fds, &n), -EBUSY);
	close(r.fd[1]);
	ck_assert_int_eq(tun_open_queues(r.link, NAME, 2, fds, &n), 0);
	ck_assert_uint_eq(n, 2);
	close(fds[0]);
	close(fds[1]);
	link_close(r.link);
}
END_TEST

/* A device that was made for one reader, and outlived him, has one queue and
 * works. */
START_TEST(test_single)
{
	struct rig r;
	int fds[QUEUES], fd;
	unsigned n;

	if (!may_run())
		return;
	ck_assert_int_eq(tun_open(NAME, &fd), 0);
	close(fd);
	rig_attach(&r, QUEUES);
	ck_assert_uint_eq(r.n, 1);
	ck_assert_int_eq(tun_open_queues(r.link, NAME, 1, fds, &n), -EBUSY);
	check_plain(&r, 0);
	check_plain(&r, 1);
	rig_close(&r);
}
END_TEST

RUN_TESTS("gwd tun", test_plain, test_plain_reader, test_uso,
	test_segment_too_long, test_queues, test_busy, test_single)
