/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads of a TUN device with offloads: what is refused, what is completed, and
 * that the segments of a superpacket are the packets of which it was made,
 * byte by byte.
 *
 * SUPER_FLIGHTS in the environment: how many superpackets; SUPER_SEED: another
 * seed.
 */
#include "gwd/super.h"

#include <stdio.h>

#include "tests/unit/gwd/flight.h"
#include "tests/unit/run.h"

#define FLIGHTS 2000

static uint8_t payload[FLIGHT_MAX];

static struct flight
usual(uint8_t ver, uint8_t proto)
{
	struct addr src = addr_zero(ver), dst = addr_zero(ver);

	src.b[0] = 0x20;
	dst.b[0] = 10;
	return (struct flight){
		.ver = ver,
		.proto = proto,
		.src = src,
		.dst = dst,
		.ttl = 64,
		.flags = 0x18,
		.payload = payload,
		.len = 250,
		.size = 100,
	};
}

/* As many bytes on the heap as there are, so that reads past the end are seen.
 */
static enum drop
read_of(const uint8_t *b, size_t len, size_t *n)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct super s;
	enum drop drop;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, b, len);
	drop = super_read(&s, copy, len);
	*n = drop ? 0 : s.n;
	free(copy);
	return drop;
}

/* --- the device's header ------------------------------------------------ */

START_TEST(test_lies)
{
	static const struct {
		const char *why;
		uint8_t ver, proto;
		size_t at;     /* of a byte in the read */
		uint8_t value; /* which it gets */
		bool taken;
	} rows[] = {
		{"as it is", 4, 6, 1, 1, true},
		{"its header length means nothing", 4, 6, 3, 0xff, true},
		{"the card vouches for the checksum", 4, 6, 0, 2, true},
		{"nobody vouches for the checksum", 4, 6, 0, 0, false},
		{"flags that we don't know", 4, 6, 0, 0xf9, true},
		{"segments of nothing", 4, 17, 4, 0, false},
		{"UFO", 4, 17, 1, 3, false},
		{"a kind that we don't know", 4, 17, 1, 7, false},
		{"with CWR", 4, 6, 1, 0x81, true},
		{"CWR of nothing", 4, 6, 1, 0x80, false},
		{"IPv6 in words, IPv4 in truth", 4, 6, 1, 4, false},
		{"IPv4 in words, IPv6 in truth", 6, 6, 1, 1, false},
		{"UDP in words, TCP in truth", 4, 6, 1, 5, false},
		{"TCP in words, UDP in truth", 4, 17, 1, 1, false},
		{"a checksum elsewhere", 4, 6, 6, 22, false},
		{"a checksum far outside", 4, 6, 7, 0xff, false},
		{"a checksum field elsewhere", 4, 6, 8, 6, false},
		{"a checksum field far outside", 4, 17, 9, 0xff, false},
		{"no IP version", 4, 6, 10, 0x55, false},
		{"an IP header without end", 4, 6, 10, 0x4f, false},
		{"another total length", 4, 6, 13, 1, false},
		{"UDP's length means nothing", 4, 17, 35, 1, true},
		{"more fragments follow", 4, 6, 16, 0x20, false},
		{"not the first fragment", 4, 17, 17, 1, false},
		{"another protocol", 4, 17, 19, 33, false},
		{"a TCP header too short", 4, 6, 42, 0x40, false},
		{"a TCP header that begins in nowhere", 4, 6, 42, 0, false},
		{"another payload length", 6, 17, 14, 2, false},
		{"a fragment header", 6, 17, 16, 44, false},
	};
	uint8_t b[1024];
	size_t i, n, len;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		struct flight f = usual(rows[i].ver, rows[i].proto);

		len = flight_read(&f, b);
		b[rows[i].at] = rows[i].value;
		ck_assert_msg(!read_of(b, len, &n) == rows[i].taken, "%s",
			rows[i].why);
	}
}
END_TEST

/* A TCP header that leaves nothing, or less. */
START_TEST(test_no_payload)
{
	struct flight f = usual(4, 6);
	uint8_t b[1024];
	size_t n, len;

	f.size = 10;
	for (f.len = 30; f.len <= 41; f.len++) {
		len = flight_read(&f, b);
		b[FLIGHT_VNET + 20 + 12] = 0xf0; /* 60 bytes, 40 more */
		ck_assert_int_eq(!read_of(b, len, &n), f.len > 40);
	}
}
END_TEST

/* Every length but the right one, every value of every byte in front of the
 * payload: refused or taken, but nothing outside is touched (sanitizers), and
 * what is taken has segments. */
START_TEST(test_broken)
{
	static const uint8_t kinds[][2] = {{4, 6}, {4, 17}, {6, 6}, {6, 17}};
	uint8_t b[1024], out[1024], was;
	size_t i, at, len, n, head;
	struct super s;
	unsigned v;

	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		struct flight f = usual(kinds[i][0], kinds[i][1]);

		len = flight_read(&f, b);
		head = FLIGHT_VNET + flight_headers(&f);
		for (at = 0; at < len; at++)
			ck_assert_int_eq(read_of(b, at, &n), DROP_OFFLOAD);
		for (at = 0; at < head; at++) {
			was = b[at];
			for (v = 0; v < 256; v++) {
				b[at] = (uint8_t)v;
				if (read_of(b, len, &n) || n == 1)
					continue;
				ck_assert_int_eq(super_read(&s, b, len), 0);
				while (n--)
					ck_assert(super_segment(
						&s, n, out, sizeof(out)));
			}
			b[at] = was;
		}
	}
}
END_TEST

START_TEST(test_too_long)
{
	static uint8_t b[SUPER_VNET + SUPER_MAX + 1];
	size_t n;

	ck_assert_int_eq(read_of(b, sizeof(b) - 1, &n), DROP_NONE);
	ck_assert_int_eq(read_of(b, sizeof(b), &n), DROP_OFFLOAD);
}
END_TEST

/* --- ordinary packets --------------------------------------------------- */

/* The device left the checksum of one packet to us. */
START_TEST(test_completed)
{
	static const uint8_t kinds[][2] = {{4, 6}, {4, 17}, {6, 6}, {6, 17}};
	uint8_t b[1024], want[1024];
	struct super s;
	size_t i, len;
	int gso;

	for (i = 0; i < 2 * ARRAY_LEN(kinds); i++) {
		struct flight f = usual(kinds[i / 2][0], kinds[i / 2][1]);

		f.size = f.len; /* one segment: nothing is to be cut */
		gso = i % 2;
		len = flight_read(&f, b);
		if (!gso)
			b[1] = VIRTIO_NET_HDR_GSO_NONE;
		ck_assert_int_eq(super_read(&s, b, len), DROP_NONE);
		ck_assert_uint_eq(s.n, 1);
		ck_assert_ptr_eq(s.p, b + SUPER_VNET);
		ck_assert_uint_eq(s.len, flight_packet(&f, 0, want));
		ck_assert_mem_eq(s.p, want, s.len);
	}
}
END_TEST

/* A computed 0 is no "none"; without the flag nothing is changed. */
START_TEST(test_zero)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_offset = 2};
	uint8_t b[SUPER_VNET + 4] = {0};
	struct super s;

	memcpy(b, &h, sizeof(h));
	b[SUPER_VNET] = b[SUPER_VNET + 1] = 0xff;
	ck_assert_int_eq(super_read(&s, b, sizeof(b)), DROP_NONE);
	ck_assert_uint_eq(s.p[2] << 8 | s.p[3], 0xffff);
	b[0] = 0;
	b[SUPER_VNET + 2] = b[SUPER_VNET + 3] = 7;
	ck_assert_int_eq(super_read(&s, b, sizeof(b)), DROP_NONE);
	ck_assert_uint_eq(s.p[2] << 8 | s.p[3], 0x0707);
}
END_TEST

/* The last place where the field fits, and one further. */
START_TEST(test_field_bounds)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 4};
	uint8_t b[SUPER_VNET + 10] = {0};
	size_t n;

	h.csum_offset = 4;
	memcpy(b, &h, sizeof(h));
	ck_assert_int_eq(read_of(b, sizeof(b), &n), DROP_NONE);
	h.csum_offset = 5;
	memcpy(b, &h, sizeof(h));
	ck_assert_int_eq(read_of(b, sizeof(b), &n), DROP_OFFLOAD);
	h.csum_start = 11;
	h.csum_offset = 0;
	memcpy(b, &h, sizeof(h));
	ck_assert_int_eq(read_of(b, sizeof(b), &n), DROP_OFFLOAD);
}
END_TEST

/* --- segments ----------------------------------------------------------- */

static void
check_flight(const struct flight *f, uint8_t *b)
{
	static uint8_t got[FLIGHT_MAX], want[FLIGHT_MAX];
	size_t len = flight_read(f, b), i, n, bytes = 0;
	struct super s;

	ck_assert_int_eq(super_read(&s, b, len), DROP_NONE);
	ck_assert_uint_eq(s.n, flight_count(f));
	for (i = 0; i < s.n; i++) {
		n = super_segment(&s, i, got, sizeof(got));
		bytes += n;
		if (n != flight_packet(f, i, want) || memcmp(got, want, n))
			ck_abort_msg("segment %zu of %zu", i, s.n);
	}
	ck_assert_uint_eq(super_bytes(&s), bytes);
	n = super_segment(&s, 0, got, sizeof(got));
	ck_assert_uint_eq(super_segment(&s, 0, got, n - 1), 0);
}

/* As long as length fields can say. */
START_TEST(test_longest)
{
	static const uint8_t kinds[][2] = {{4, 6}, {4, 17}, {6, 6}, {6, 17}};
	static const size_t sizes[] = {500, 1448, 32768, 65000};
	static uint8_t b[FLIGHT_VNET + FLIGHT_MAX];
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		for (k = 0; k < ARRAY_LEN(sizes); k++) {
			struct flight f = usual(kinds[i][0], kinds[i][1]);

			f.size = sizes[k];
			f.len = FLIGHT_MAX - flight_headers(&f);
			check_flight(&f, b);
		}
}
END_TEST

START_TEST(test_segments)
{
	static uint8_t b[FLIGHT_VNET + FLIGHT_MAX];
	unsigned long n = flight_number("SUPER_FLIGHTS", FLIGHTS), i;
	uint64_t seed = flight_number("SUPER_SEED", 20261123), rng = seed;
	struct flight f;

	for (i = 0; i < n; i++) {
		f = usual(i % 2 ? 6 : 4, 6);
		flight_random(&f, &rng, &f.src, &f.dst, payload);
		check_flight(&f, b);
	}
	printf("super: %lu flights of seed %llu\n", n,
		(unsigned long long)seed);
}
END_TEST

RUN_TESTS("super", test_lies, test_no_payload, test_broken, test_too_long,
	test_completed, test_zero, test_field_bounds, test_longest,
	test_segments)
