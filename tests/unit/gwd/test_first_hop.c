/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/first_hop.h"

#include <stdio.h>
#include <unistd.h>

#include "gwd/link.h"
#include "gwd/udp.h"
#include "gwd/udp_errors.h"
#include "tests/unit/gwd/netns.h"

/* What the kernel says of its own loopback device, by another way. */
static uint32_t
device_mtu(void)
{
	FILE *f = fopen("/sys/class/net/lo/mtu", "re");
	uint32_t mtu = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%u", &mtu), 1);
	fclose(f);
	return mtu < UINT16_MAX ? mtu : UINT16_MAX;
}

START_TEST(test_loopback)
{
	static const struct addr rows[] = {
		{4, {127, 0, 0, 9}},
		{6, {[15] = 1}},
	};
	uint32_t mtu;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		fd = socket(
			rows[i].ver == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
		if (fd < 0)
			continue; /* a kernel without IPv6 */
		mtu = 0;
		ck_assert_int_eq(first_hop_mtu(fd, &rows[i], &mtu), 0);
		ck_assert_uint_eq(mtu, device_mtu());
		close(fd);
	}
}
END_TEST

/* A socket of one device has its routes only. */
START_TEST(test_device)
{
	static const struct addr elsewhere = {4, {192, 0, 2, 77}};
	uint32_t mtu = 0;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3), 0);
	ck_assert_int_eq(first_hop_mtu(fd, &elsewhere, &mtu), 0);
	ck_assert_uint_eq(mtu, device_mtu());
	close(fd);
}
END_TEST

START_TEST(test_no_route)
{
	static const struct addr loopback = {4, {127, 0, 0, 9}};
	struct link *l;
	uint32_t mtu = 0;

	ck_assert_int_eq(link_open(&l), 0);
	ck_assert_int_eq(link_route_mtu(l, &loopback, 0, 0, &mtu), 0);
	ck_assert_uint_ge(mtu, device_mtu());
	mtu = 0;
	ck_assert_int_lt(link_route_mtu(l, &loopback, 0, INT32_MAX, &mtu), 0);
	ck_assert_uint_eq(mtu, 0);
	link_close(l);
}
END_TEST

/* Anybody can tell the kernel that the path is narrow. */
START_TEST(test_forged)
{
	const struct endpoint e = {{4, {198, 51, 100, 7}}, 1045};
	const struct udp_config cfg = {.bind = {4, {127, 0, 0, 1}}, 1045};
	static struct udp_error said;
	uint32_t mtu = 0;
	int fd;

	if (!netns_enter())
		return;
	ck_assert_int_eq(udp_open(&cfg, &fd), 0);
	ck_assert_int_eq(udp_errors_set(fd, 4, true), 0);
	ck_assert_int_eq(first_hop_mtu(fd, &e.addr, &mtu), 0);
	ck_assert_uint_eq(mtu, device_mtu());
	netns_forge(4, 576, cfg.port, &e);
	ck_assert_int_eq(udp_errors_next(fd, &said), 0);
	ck_assert_uint_eq(said.mtu, 576);
	ck_assert_int_eq(first_hop_mtu(fd, &e.addr, &mtu), 0);
	ck_assert_uint_eq(mtu, device_mtu());
	close(fd);
}
END_TEST

RUN_TESTS(
	"gwd first hop", test_loopback, test_device, test_no_route, test_forged)
