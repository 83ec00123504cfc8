/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP segments with any options: clamping lowers MSS options and nothing else,
 * and a right checksum stays right.
 *
 * Input: settings, MSS (2 bytes), path MTU (2 bytes), a TCP segment.
 */
#include "gwd/mss.h"
#include "tests/fuzz/gwd/checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TCP	6
#define TCP_SUM 16

/* Marks the bytes that may change: the checksum, values of MSS options. */
static void
changeable(const uint8_t *tcp, size_t len, uint16_t mss, bool *may)
{
	size_t end = len > 12 ? (size_t)(tcp[12] >> 4) * 4 : 0, at = 20;

	memset(may, 0, len * sizeof(*may));
	while (end <= len && at < end && tcp[at]) {
		if (tcp[at] == 1) {
			at++;
			continue;
		}
		if (at + 1 >= end || tcp[at + 1] < 2 || tcp[at + 1] > end - at)
			return;
		if (tcp[at] == 2 && tcp[at + 1] == 4 &&
			(tcp[at + 2] << 8 | tcp[at + 3]) > mss)
			may[at + 2] = may[at + 3] = may[TCP_SUM] =
				may[TCP_SUM + 1] = true;
		at += tcp[at + 1];
	}
}

static void
clamping(enum l4_end to, const uint8_t *tcp, size_t len, uint16_t mss)
{
	uint8_t *copy = malloc(len + 1);
	bool *may = malloc(len * sizeof(*may) + 1), any = false, changed;
	size_t i;

	REQUIRE(copy && may);
	memcpy(copy, tcp, len);
	changeable(tcp, len, mss, may);
	changed = mss_clamp(to, copy, len, mss);
	for (i = 0; i < len; i++) {
		any |= may[i] && i != TCP_SUM && i != TCP_SUM + 1;
		REQUIRE(may[i] || copy[i] == tcp[i]);
	}
	REQUIRE(changed == (any && mss));
	if (changed) {
		REQUIRE(check_sum(0, copy, len) == check_sum(0, tcp, len));
		changeable(copy, len, mss, may);
		for (i = 0; i < len; i++)
			REQUIRE(!may[i]);
		REQUIRE(!mss_clamp(to, copy, len, mss));
	}
	free(copy);
	free(may);
}

/* A full segment fits the path, and the gateway's interface. */
static void
choosing(const struct gateway *g, uint32_t path_mtu, uint32_t local_mtu)
{
	size_t outer = g->set.tunnel_ver == 6 ? 48 : 28;
	size_t local = g->set.local_ver == 6 ? 60 : 40, header;
	uint16_t mss;

	for (header = HEADER_MIN; header <= HEADER_MAX; header += 4) {
		mss = mss_of(&g->set, header, path_mtu, local_mtu);
		if (!mss)
			continue;
		REQUIRE(mss + 20 + header + outer <= path_mtu);
		REQUIRE(mss + local <= local_mtu);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gateway *g;
	uint16_t mss, path_mtu;
	size_t at;

	if (size < 5)
		return 0;
	g = gateway_get(data[0]);
	mss = (uint16_t)(data[1] << 8 | data[2]);
	path_mtu = (uint16_t)(data[3] << 8 | data[4]);
	choosing(g, path_mtu, mss);
	clamping(L4_TUNNEL, data + 5, size - 5, mss);
	clamping(L4_LOCAL, data + 5, size - 5, mss);
	at = mss_syn(data + 5, size - 5);
	REQUIRE(at + (at ? 20 : 0) <= size - 5);
	return 0;
}
