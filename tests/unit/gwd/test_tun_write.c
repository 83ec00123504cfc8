/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written to a TUN device with headers arrives at sockets: superpackets
 * whole or cut; a connection's, whose segments come together in return. */
#include "gwd/tun.h"

#include "tests/unit/gwd/tun_rig.h"

#define TCP_HEADER  20
#define TCP_PAYLOAD 20000

/* --- writing ------------------------------------------------------------ */

/* IP and UDP headers of a packet from `there`; the checksum is for the kernel
 * to complete. Returns the length. */
static size_t
put_udp(uint8_t *b, size_t v, uint16_t port, size_t payload)
{
	size_t udp_len = UDP_HEADER + payload;
	uint32_t pseudo = cksum_addr(&there[v]) + cksum_addr(&here[v]) +
			  IPPROTO_UDP + (uint32_t)udp_len;
	struct wbuf w;

	wbuf_init(&w, b, IP6_HEADER + UDP_HEADER);
	if (v == 0) {
		wbuf_be16(&w, 0x4500);
		wbuf_be16(&w, 20 + udp_len);
		wbuf_be32(&w, 0x4000); /* DF */
		wbuf_be32(&w, 0x40110000);
	} else {
		wbuf_be32(&w, 0x60000000);
		wbuf_be16(&w, udp_len);
		wbuf_be16(&w, 0x1140);
	}
	addr_put(&w, &there[v], here[v].ver);
	addr_put(&w, &here[v], here[v].ver);
	if (v == 0)
		wbuf_patch16(&w, 10, cksum_field(cksum_sum(b, 20)));
	wbuf_be16(&w, PORT);
	wbuf_be16(&w, port);
	wbuf_be16(&w, udp_len);
	wbuf_be16(&w, cksum_fold(pseudo));
	ck_assert(wbuf_ok(&w));
	return w.len;
}

/* A superpacket to this port, its pieces where they are. */
static int
write_uso(const struct rig *r, size_t v, uint16_t port, uint8_t gso)
{
	static uint8_t bytes[TOTAL];
	uint8_t head[IP6_HEADER + UDP_HEADER];
	struct virtio_net_hdr vnet = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = gso,
		.gso_size = SEGMENT,
		.csum_start = (uint16_t)ip_header(here[v].ver),
		.csum_offset = 6,
	};
	struct iovec iov[4] = {{&vnet, sizeof(vnet)}, {head, 0},
		{bytes, SEGMENT}, {bytes + SEGMENT, TOTAL - SEGMENT}};
	size_t i;

	for (i = 0; i < TOTAL; i++)
		bytes[i] = (uint8_t)i;
	iov[1].iov_len = put_udp(head, v, port, TOTAL);
	vnet.hdr_len = (uint16_t)iov[1].iov_len;
	return tun_writev(r->fd[r->n - 1], iov, ARRAY_LEN(iov));
}

static void
check_written(const struct rig *r, size_t v, bool gro)
{
	static uint8_t buf[65535];
	struct udp_in in = {.buf = buf, .size = sizeof(buf)};
	const struct udp_config cfg = {.bind = here[v]};
	struct pollfd pfd = {.events = POLLIN};
	struct sockaddr_in6 ss;
	socklen_t len = sizeof(ss);
	size_t done = 0, want;

	ck_assert_int_eq(udp_open(&cfg, &pfd.fd), 0);
	ck_assert_int_eq(udp_set_gro(pfd.fd, gro), 0);
	/* The port is in the same place with IPv4. */
	ck_assert_int_eq(getsockname(pfd.fd, (struct sockaddr *)&ss, &len), 0);
	ck_assert_int_eq(
		write_uso(r, v, ntohs(ss.sin6_port), VIRTIO_NET_HDR_GSO_UDP_L4),
		0);
	while (done < TOTAL) {
		want = TOTAL - done < SEGMENT ? TAIL : SEGMENT;
		ck_assert_int_eq(poll(&pfd, 1, BOUND_MS), 1);
		ck_assert_int_eq(udp_recv_many(pfd.fd, &in, 1), 1);
		ck_assert_uint_eq(in.len, gro ? TOTAL : want);
		ck_assert_uint_eq(in.segment, gro ? SEGMENT : 0);
		ck_assert(addr_eq(&in.from.from.addr, &there[v]));
		check_bytes(buf, in.len, done);
		done += in.len;
	}
	ck_assert_int_eq(udp_recv_many(pfd.fd, &in, 1), -EAGAIN);
	close(pfd.fd);
}

START_TEST(test_write)
{
	struct tun_offload all = {true, true};
	struct rig r;
	size_t v;

	if (!rig_open(&r, QUEUES))
		return;
	ck_assert_int_eq(tun_offload(r.fd[0], &all), 0);
	if (!all.uso) {
		printf("skipped: a kernel without USO\n");
		rig_close(&r);
		return;
	}
	for (v = 0; v < 2; v++) {
		check_written(&r, v, true);
		check_written(&r, v, false);
	}
	/* A kind that does not exist. */
	ck_assert_int_eq(write_uso(&r, 0, PORT, 99), -EINVAL);
	rig_close(&r);
}
END_TEST

/* --- TCP ---------------------------------------------------------------- */

/* Answers the SYN that was read, from `there`. */
static void
write_syn_ack(const struct rig *r)
{
	uint8_t head[20 + TCP_HEADER];
	struct virtio_net_hdr vnet = {0};
	struct iovec iov[] = {{&vnet, sizeof(vnet)}, {head, sizeof(head)}};
	struct rbuf syn;
	struct wbuf w;

	rbuf_init(&syn, packet.p + packet.l4 + 4, 4);
	(void)put_udp(head, 0, packet.src, TCP_HEADER - UDP_HEADER);
	head[9] = IPPROTO_TCP;
	head[10] = head[11] = 0;
	wbuf_init(&w, head, sizeof(head));
	wbuf_room(&w, 20);
	wbuf_patch16(&w, 10, cksum_field(cksum_sum(head, 20)));
	wbuf_be16(&w, PORT);
	wbuf_be16(&w, packet.src);
	wbuf_be32(&w, 1);
	wbuf_be32(&w, rbuf_be32(&syn) + 1);
	wbuf_be16(&w, 0x5012); /* SYN, ACK */
	wbuf_be16(&w, 65535);
	wbuf_be32(&w, 0);
	ck_assert(wbuf_ok(&w));
	wbuf_patch16(&w, 20 + 16,
		cksum_field(cksum_addr(&there[0]) + cksum_addr(&here[0]) +
			    IPPROTO_TCP + TCP_HEADER +
			    cksum_sum(head + 20, TCP_HEADER)));
	ck_assert_int_eq(
		tun_writev(r->fd[packet.queue], iov, ARRAY_LEN(iov)), 0);
}

/* What a connection sends comes in superpackets. */
START_TEST(test_tso)
{
	static uint8_t bytes[TCP_PAYLOAD];
	struct tun_offload o = {.tso = true};
	struct sockaddr_storage ss;
	struct pollfd pfd = {.events = POLLOUT};
	socklen_t len;
	struct rig r;

	if (!rig_open(&r, QUEUES))
		return;
	ck_assert_int_eq(tun_offload(r.fd[0], &o), 0);
	ck_assert(o.tso && !o.uso);
	pfd.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	addr_to_sockaddr(&there[0], PORT, &ss, &len);
	ck_assert_int_eq(
		connect(pfd.fd, (const struct sockaddr *)&ss, len), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	read_packet(&r, IPPROTO_TCP);
	write_syn_ack(&r);
	ck_assert_int_eq(poll(&pfd, 1, BOUND_MS), 1);
	ck_assert_int_eq(send(pfd.fd, bytes, sizeof(bytes), MSG_NOSIGNAL),
		(ssize_t)sizeof(bytes));
	do
		read_packet(&r, IPPROTO_TCP);
	while (packet.len == packet.l4 + TCP_HEADER);
	ck_assert_uint_eq(packet.vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	ck_assert_uint_le(packet.vnet.gso_size, MTU - 40);
	ck_assert_uint_gt(packet.len, MTU);
	ck_assert(packet.vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	close(pfd.fd);
	rig_close(&r);
}
END_TEST

RUN_TESTS("gwd tun write", test_write, test_tso)
