/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gateways for fuzzers of the pure core: the first byte of an input chooses
 * one of all combinations of IP versions and settings, the rest is the packet.
 * Mappings are those of the captured packets (tests/vectors/tunnel.txt), so
 * that seeds from there get far.
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

/* The first byte of an input; tests/fuzz/gwd/seeds.py knows them too. */
enum {
	GATEWAY_V6 = 1,	      /* tunnel of version 6 */
	GATEWAY_LOCAL_V6 = 2, /* local network of version 6 */
	GATEWAY_NO_PUBLIC = 4,
	GATEWAY_DEC_TTL = 8,
	GATEWAY_N = 16,
};

struct gateway {
	struct gw_settings set;
	struct maps *maps;
	struct addr peer;
};

/* Of our hosts, and of the peer's. */
static const struct {
	const char *v4, *v6, *ref;
} gateway_ours[] =
	{
		{"192.168.77.10", "fd00:77::a", "2576"},
		{"192.168.77.11", "fd00:77::b", "0-0-0-0-12-3456-789a-0b11"},
		{"192.168.77.12", "fd00:77::c",
			"1234-5678-9abc-def0-1122-3344-5566-0c12"},
},
  gateway_theirs[] = {
	  {"10.240.1.10", "fd00:240::10a", "33"},
	  {"10.240.1.12", "fd00:240::10c",
		  "fedc-ba98-7654-3210-fedc-ba98-7654-3210"},
	  {"10.240.1.16", "fd00:240::110", "16777216"},
};

static inline struct addr
gateway_addr(const char *text)
{
	struct addr a;

	REQUIRE(addr_parse(&a, text, strlen(text)));
	return a;
}

static inline struct addr
gateway_local_addr(const struct gateway *g, const char *v4, const char *v6)
{
	return gateway_addr(g->set.local_ver == 6 ? v6 : v4);
}

static inline struct ref
gateway_ref(const char *text)
{
	struct ref ref;

	REQUIRE(ref_parse(&ref, text, strlen(text)));
	return ref;
}

static inline void
gateway_map(struct gateway *g, struct msg_entry *e, const char *ref)
{
	e->born = 1;
	e->arec.ref = gateway_ref(ref);
	REQUIRE(!maps_set(g->maps, e));
}

static inline void
gateway_init(struct gateway *g, uint8_t flags)
{
	bool v6 = flags & GATEWAY_V6, local_v6 = flags & GATEWAY_LOCAL_V6;
	size_t i;

	g->set = (struct gw_settings){
		.local_ver = local_v6 ? 6 : 4,
		.tunnel_ver = v6 ? 6 : 4,
		.pub = gateway_addr(v6 ? "2001:db8:2::1" : "192.0.2.1"),
		.own_local =
			gateway_addr(local_v6 ? "fd00:240::1" : "10.240.0.1"),
		.own_ref = ref_from_u64(1),
		.encode_net = {.addr = gateway_addr(
				       local_v6 ? "fd00:240::" : "10.240.0.0"),
			.len = local_v6 ? 64 : 12},
		.dec_ttl = flags & GATEWAY_DEC_TTL,
	};
	g->peer = gateway_addr(v6 ? "2001:db8:2::2" : "192.0.2.2");
	if (flags & GATEWAY_NO_PUBLIC)
		g->set.pub = addr_zero(g->set.tunnel_ver);
	g->maps = maps_new(&g->set.pub, 16);
	REQUIRE(g->maps);
	for (i = 0; i < ARRAY_LEN(gateway_ours); i++) {
		struct msg_entry e = {0};

		e.arec.ip = gateway_local_addr(
			g, gateway_ours[i].v4, gateway_ours[i].v6);
		gateway_map(g, &e, gateway_ours[i].ref);
	}
	for (i = 0; i < ARRAY_LEN(gateway_theirs); i++) {
		struct msg_entry e = {.arec.gw = g->peer};

		e.arec.ea = gateway_local_addr(
			g, gateway_theirs[i].v4, gateway_theirs[i].v6);
		gateway_map(g, &e, gateway_theirs[i].ref);
	}
}

/* Translating changes neither settings nor mappings, so each is made once. */
static inline const struct gateway *
gateway_get(uint8_t flags)
{
	static struct gateway all[GATEWAY_N];
	struct gateway *g = &all[flags % GATEWAY_N];

	if (!g->maps)
		gateway_init(g, flags);
	return g;
}

/* Room as promised, and not a byte more. */
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

/* What holds for every result. */
static inline void
gateway_check_out(const struct packet_out *out)
{
	REQUIRE(out->drop < DROP_N);
	REQUIRE(out->drop != DROP_NO_ROOM);
	REQUIRE(out->len <= out->size);
	REQUIRE(out->drop || (!out->ask && !out->reply));
	REQUIRE(out->len > 0 || (out->drop && !out->reply));
	REQUIRE(!out->drop || (!out->used[0] && !out->used[1]));
	REQUIRE(!out->reply || out->len <= GW_REPLY_MAX);
}

#endif
