/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/recent.h"

#include <string.h>

#include "gwd/counters.h"
#include "gwd/header.h"

void
recent_init(struct recent *r, uint64_t seed)
{
	r->seed = seed;
}

static uint64_t
mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t
mix_bytes(uint64_t h, const uint8_t b[16])
{
	uint64_t words[2];

	memcpy(words, b, sizeof(words));
	return mix(mix(h, words[0]), words[1]);
}

static size_t
slot_of(const struct recent *r, const struct recent_key *k)
{
	uint64_t h = mix(r->seed, (uint64_t)k->kind << 8 | k->addr.ver);

	h = mix_bytes(h, k->addr.b);
	h = mix_bytes(h, k->ref.b);
	return (h >> 32) % RECENT_SLOTS;
}

static bool
key_eq(const struct recent_key *a, const struct recent_key *b)
{
	return a->kind == b->kind && addr_eq(&a->addr, &b->addr) &&
	       ref_eq(&a->ref, &b->ref);
}

static void
note(struct recent *r, enum recent_kind kind, const struct addr *addr,
	const struct ref *ref, const struct recent_drop *drop)
{
	struct recent_key key = {.kind = kind};
	struct recent_slot *slot;
	uint64_t since = drop->at_ms, count = 0;

	if (addr)
		key.addr = *addr;
	if (ref)
		key.ref = *ref;
	slot = &r->slots[slot_of(r, &key)];
	if (key_eq(&slot->key, &key)) {
		since = slot->last.since_ms;
		count = slot->last.count;
	}
	slot->key = key;
	slot->last = *drop;
	slot->last.since_ms = since;
	slot->last.count = count + 1;
}

/* A packet whose addresses can't be read is about nobody. */
static void
note_out(struct recent *r, struct recent_drop *drop, const struct packet_in *in)
{
	counters_addrs(in->p, in->len, &drop->src, &drop->dst);
	if (!drop->src.ver)
		return;
	note(r, RECENT_LOCAL, &drop->src, NULL, drop);
	note(r, RECENT_LOCAL, &drop->dst, NULL, drop);
}

static void
note_in(struct recent *r, struct recent_drop *drop, const struct packet_in *in)
{
	struct header h;
	size_t size;

	drop->src = in->from;
	drop->refs = !header_decode(&h, &size, in->p, in->len);
	if (drop->refs) {
		drop->dst = h.dst_gw;
		drop->src_ref = h.src_ref;
		drop->dst_ref = h.dst_ref;
		note(r, RECENT_IPREF, &drop->src, &drop->src_ref, drop);
		note(r, RECENT_OWN, NULL, &drop->dst_ref, drop);
	}
	note(r, RECENT_PEER, &drop->src, NULL, drop);
}

void
recent_note(struct recent *r, enum drop drop, enum way way,
	const struct packet_in *in, uint64_t now_ms)
{
	struct recent_drop last = {
		.at_ms = now_ms,
		.drop = drop,
		.way = way,
		.len = in->len,
	};

	if (drop == DROP_ICMP_LIMITED)
		return;
	if (way == WAY_OUT)
		note_out(r, &last, in);
	else
		note_in(r, &last, in);
}

const struct recent_drop *
recent_get(const struct recent *r, enum recent_kind kind,
	const struct addr *addr, const struct ref *ref)
{
	struct recent_key key = {.kind = kind};
	const struct recent_slot *slot;

	if (addr)
		key.addr = *addr;
	if (ref)
		key.ref = *ref;
	slot = &r->slots[slot_of(r, &key)];
	return key_eq(&slot->key, &key) ? &slot->last : NULL;
}
