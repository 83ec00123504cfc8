/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A gateway for fuzzers of the pure core: the first byte of an input chooses
 * its settings, the rest is the packet. Mappings are those of the captured
 * packets (tests/vectors/tunnel.txt), so that seeds from there get far.
 */
#ifndef TESTS_FUZZ_GWD_GATEWAY_H
#define TESTS_FUZZ_GWD_GATEWAY_H

#include <stdlib.h>

#include "gwd/core.h"
#include "gwd/maps.h"

#define REQUIRE(condition)                                                     \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

enum {
	GATEWAY_V6 = 1, /* tunnel of version 6 */
	GATEWAY_NO_PUBLIC = 2,
	GATEWAY_DEC_TTL = 4,
};

struct gateway {
	struct gw_settings set;
	struct maps *maps;
	struct addr peer;
};

static inline struct addr
gateway_addr(const char *text)
{
	struct addr a;

	REQUIRE(addr_parse(&a, text, strlen(text)));
	return a;
}

static inline void
gateway_map(struct gateway *g, bool remote, const char *local, const char *ref)
{
	struct msg_entry e = {.born = 1};

	if (remote)
		e.arec.ea = gateway_addr(local);
	else
		e.arec.ip = gateway_addr(local);
	if (remote)
		e.arec.gw = g->peer;
	REQUIRE(ref_parse(&e.arec.ref, ref, strlen(ref)));
	REQUIRE(!maps_set(g->maps, &e));
}

static inline void
gateway_init(struct gateway *g, uint8_t flags)
{
	bool v6 = flags & GATEWAY_V6;

	g->set = (struct gw_settings){
		.local_ver = 4,
		.tunnel_ver = v6 ? 6 : 4,
		.pub = gateway_addr(v6 ? "2001:db8:2::1" : "192.0.2.1"),
		.own_local = gateway_addr("10.240.0.1"),
		.own_ref = ref_from_u64(1),
		.encode_net = {.addr = gateway_addr("10.240.0.0"), .len = 12},
		.dec_ttl = flags & GATEWAY_DEC_TTL,
	};
	g->peer = gateway_addr(v6 ? "2001:db8:2::2" : "192.0.2.2");
	if (flags & GATEWAY_NO_PUBLIC)
		g->set.pub = addr_zero(g->set.tunnel_ver);
	g->maps = maps_new(&g->set.pub, 16);
	REQUIRE(g->maps);
	gateway_map(g, false, "192.168.77.10", "2576");
	gateway_map(g, false, "192.168.77.12",
		"1234-5678-9abc-def0-1122-3344-5566-0c12");
	gateway_map(g, true, "10.240.1.10", "33");
	gateway_map(g, true, "10.240.1.12",
		"fedc-ba98-7654-3210-fedc-ba98-7654-3210");
}

static inline void
gateway_fini(struct gateway *g)
{
	maps_free(g->maps);
}

/* The sum of a layer 4 with what its pseudo-header has besides addresses,
 * plus the addresses given; 0 when its checksum is right. */
static inline uint32_t
gateway_sum(uint8_t proto, const uint8_t *l4, size_t len, const uint8_t *addrs,
	size_t addrs_len)
{
	uint64_t sum = proto + len;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? l4[i] : (uint64_t)l4[i] << 8;
	for (i = 0; i < addrs_len; i++)
		sum += i % 2 ? addrs[i] : (uint64_t)addrs[i] << 8;
	return (uint32_t)(sum % 0xffff);
}

/* Whether a whole layer 4 has a checksum over addresses: TCP, UDP with one. */
static inline bool
gateway_has_sum(uint8_t proto, const uint8_t *l4, size_t len)
{
	if (proto == 6)
		return len >= 18;
	return proto == 17 && len >= 8 && (l4[6] || l4[7]);
}

/* An IPv4 packet as the gateway writes one: lengths and header checksum. */
static inline void
gateway_check_v4(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	REQUIRE(len >= 20);
	REQUIRE(p[0] == 0x45);
	REQUIRE((size_t)(p[2] << 8 | p[3]) == len);
	for (i = 0; i < 20; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	REQUIRE(sum % 0xffff == 0);
}

/* What holds for every result. out->p is on the heap, in->len + GW_GROWTH or
 * GW_REPLY_MAX bytes, so there is always room. */
static inline void
gateway_check_out(const struct packet_out *out)
{
	REQUIRE(out->drop < DROP_N);
	REQUIRE(out->drop != DROP_NO_ROOM);
	REQUIRE(out->len <= out->size);
	REQUIRE(out->drop || (!out->ask && !out->reply));
	REQUIRE(out->len > 0 || (out->drop && !out->reply));
	REQUIRE(!out->drop || (!out->used[0] && !out->used[1]));
}

static inline struct packet_out
gateway_out(size_t in_len)
{
	struct packet_out out = {.size = in_len + GW_GROWTH};

	if (out.size < GW_REPLY_MAX)
		out.size = GW_REPLY_MAX;
	out.p = malloc(out.size);
	REQUIRE(out.p);
	return out;
}

#endif
