/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-1-3 (Aumasson and Bernstein's SipHash with one round per word and
 * three at the end) of 64-bit words: the keyed hash of our tables. Words are
 * taken in host order: the value never leaves this process.
 *
 * What one table hashes must be prefix-free: no key's words begin another's.
 */
#ifndef LIBIPREF_SIP_H
#define LIBIPREF_SIP_H

#include "libipref/base.h"

struct sip {
	uint64_t v[4];
};

/* A seed that outsiders don't know; never waits. */
void sip_seed(uint64_t seed[2]);

static inline uint64_t
sip_rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static inline void
sip_round(struct sip *s)
{
	uint64_t *v = s->v;

	v[0] += v[1];
	v[1] = sip_rotl(v[1], 13) ^ v[0];
	v[0] = sip_rotl(v[0], 32);
	v[2] += v[3];
	v[3] = sip_rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = sip_rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = sip_rotl(v[1], 17) ^ v[2];
	v[2] = sip_rotl(v[2], 32);
}

static inline void
sip_init(struct sip *s, const uint64_t seed[2])
{
	s->v[0] = seed[0] ^ UINT64_C(0x736f6d6570736575);
	s->v[1] = seed[1] ^ UINT64_C(0x646f72616e646f6d);
	s->v[2] = seed[0] ^ UINT64_C(0x6c7967656e657261);
	s->v[3] = seed[1] ^ UINT64_C(0x7465646279746573);
}

static inline void
sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

static inline uint64_t
sip_end(struct sip *s)
{
	s->v[2] ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

#endif
