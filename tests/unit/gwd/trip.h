/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A packet on its way from a host of site A to a host of site B, described
 * without regard to IP versions, and written from the description as it has to
 * look at either end: plainly, every checksum over every byte, with nothing of
 * gwd's but addresses. So what A's host sends and what B's host has to get come
 * from one description.
 *
 * An ICMP error holds the description of the packet that it is about, which
 * went the other way.
 */
#ifndef TESTS_UNIT_GWD_TRIP_H
#define TESTS_UNIT_GWD_TRIP_H

#include <string.h>

#include "libipref/addr.h"
#include "libipref/base.h"

#define TRIP_L4_MAX 2048
#define TRIP_MAX    4096
#define TRIP_SUMS   8

enum site_nr {
	A,
	B
};

/* A host's address at its own site and the one that stands for it at the
 * other. */
struct trip_host {
	struct addr at[2];
};

enum trip_kind {
	TRIP_PLAIN,
	TRIP_ECHO, /* an ICMP message without a packet in it */
	TRIP_ERROR
};

struct trip {
	enum trip_kind kind;
	const struct trip_host *src, *dst;
	uint8_t ttl, tos, proto; /* ICMP is 1 */
	bool df;		 /* of IPv4 */
	bool frag, mf;		 /* off, mf, ident count; IPv6: the header */
	size_t off;
	uint32_t ident;
	size_t options; /* bytes of IPv4 options, IPv6 extension headers */

	const uint8_t *data; /* layer 4; its checksum is put in */
	size_t len;	     /* of the whole message */
	size_t field;	     /* where its checksum is; 0: none */
	uint16_t wrong;	     /* what is added to the right checksum */
	bool none;	     /* the checksum is 0: none */
	size_t there;	     /* bytes from off on that are there */
	size_t claimed;	     /* ... that length fields say: there or more */

	uint8_t type[2][2];  /* ICMP: type and code in the form of 4, of 6 */
	uint32_t rest;	     /* of an error: its MTU, else 0 */
	struct trip *inner;  /* of an error; NULL: it has lost it */
	uint32_t pseudo_len; /* of an echo, for its checksum in IPv6 */
};

/* What was written, and where there are checksums in which the two forms of
 * zero are equal (in UDP and its like they are not). */
struct trip_bytes {
	uint8_t p[TRIP_MAX];
	size_t len;
	size_t sums[TRIP_SUMS], n_sums;
};

static inline void
trip_put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline uint32_t
trip_get16(const uint8_t *p)
{
	return (uint32_t)(p[0] << 8 | p[1]);
}

/* Sums modulo 0xffff. */
static inline uint32_t
trip_sum(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += trip_get16(p + i);
	if (len % 2)
		sum += (uint32_t)p[len - 1] << 8;
	return (uint32_t)(sum % 0xffff);
}

static inline uint32_t
trip_pseudo(const struct trip *t, enum site_nr site, uint32_t len)
{
	const struct addr *src = &t->src->at[site], *dst = &t->dst->at[site];
	uint32_t proto = t->proto == 1 ? 58 : t->proto;

	return trip_sum(src->b, 16) + trip_sum(dst->b, 16) + proto +
	       len / 65536 + len % 65536;
}

/* The whole of layer 4, which carries no packet. */
static inline void
trip_form(const struct trip *t, enum site_nr site, uint8_t *l4)
{
	uint8_t ver = t->src->at[site].ver;
	uint32_t sum;

	memcpy(l4, t->data, t->len);
	if (t->kind == TRIP_ECHO)
		memcpy(l4, t->type[ver == 6], 2);
	if (!t->field)
		return;
	trip_put16(l4 + t->field, 0);
	if (t->none)
		return;
	sum = trip_sum(l4, t->len);
	if (t->proto != 1)
		sum += trip_pseudo(t, site, (uint32_t)t->len);
	else if (ver == 6)
		sum += trip_pseudo(t, site, t->pseudo_len);
	sum = (0xffff - sum % 0xffff + t->wrong) % 0xffff;
	trip_put16(l4 + t->field, sum || t->proto == 6 ? sum : 0xffff);
}

static inline void
trip_options4(uint8_t *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = 1; /* no operation */
	if (n >= 8) {	  /* a record of the route */
		p[0] = 7;
		p[1] = 7;
		p[2] = 4;
		memset(p + 3, 0, 4);
	}
}

static inline size_t
trip_header(const struct trip *t, enum site_nr site)
{
	if (t->src->at[site].ver == 4)
		return 20 + t->options;
	return 40 + t->options + (t->frag ? 8 : 0);
}

/* Bytes of its layer 4 that are there. */
static inline size_t
trip_l4_len(const struct trip *t, enum site_nr site)
{
	size_t len = 8;

	if (t->kind != TRIP_ERROR)
		return t->there;
	for (t = t->inner; t; t = t->inner) {
		len += trip_header(t, site);
		len += t->kind == TRIP_ERROR ? 8 : t->there;
	}
	return len;
}

static inline size_t
trip_claimed(const struct trip *t, enum site_nr site)
{
	return t->kind == TRIP_ERROR ? trip_l4_len(t, site) : t->claimed;
}

static inline size_t
trip_header4(const struct trip *t, enum site_nr site, uint8_t *p)
{
	size_t header = 20 + t->options;

	memset(p, 0, header);
	p[0] = (uint8_t)(0x40 + header / 4);
	p[1] = t->tos;
	trip_put16(p + 2, (uint32_t)(header + trip_claimed(t, site)));
	trip_put16(p + 4, t->ident & 0xffff);
	trip_put16(p + 6, (t->df ? 0x4000u : 0) | (t->mf ? 0x2000u : 0) |
				  (uint32_t)(t->off / 8));
	p[8] = t->ttl;
	p[9] = t->proto;
	memcpy(p + 12, t->src->at[site].b, 4);
	memcpy(p + 16, t->dst->at[site].b, 4);
	trip_options4(p + 20, t->options);
	trip_put16(p + 10, (0xffff - trip_sum(p, header)) % 0xffff);
	return header;
}

/* Extension headers: hop-by-hop first, then destination options and a routing
 * header that is done, in turn. */
static inline size_t
trip_header6(const struct trip *t, enum site_nr site, uint8_t *p)
{
	uint8_t *next = p + 6;
	size_t at = 40, n, payload;

	memset(p, 0, 40 + t->options + 8);
	p[0] = (uint8_t)(0x60 | t->tos >> 4);
	p[1] = (uint8_t)(t->tos << 4);
	p[7] = t->ttl;
	memcpy(p + 8, t->src->at[site].b, 16);
	memcpy(p + 24, t->dst->at[site].b, 16);
	for (n = 0; n < t->options / 8; n++, at += 8) {
		*next = n == 0 ? 0 : n % 2 ? 60 : 43;
		next = p + at;
		if (n % 2 || n == 0)
			p[at + 2] = 1, p[at + 3] = 4; /* padding */
	}
	if (t->frag) {
		*next = 44;
		next = p + at;
		trip_put16(p + at + 2, (uint32_t)(t->off | t->mf));
		trip_put16(p + at + 4, t->ident >> 16);
		trip_put16(p + at + 6, t->ident & 0xffff);
		at += 8;
	}
	*next = t->proto == 1 ? 58 : t->proto;
	payload = at - 40 + trip_claimed(t, site);
	trip_put16(p + 4, (uint32_t)payload);
	return at;
}

static inline void trip_packet(
	const struct trip *t, enum site_nr site, struct trip_bytes *out);

static inline void
trip_error(const struct trip *t, enum site_nr site, struct trip_bytes *out)
{
	uint8_t ver = t->src->at[site].ver, *l4 = out->p + out->len;
	size_t start = out->len, len;
	uint32_t sum;

	memset(l4, 0, 8);
	memcpy(l4, t->type[ver == 6], 2);
	if (ver == 6)
		trip_put16(l4 + 4, t->rest >> 16);
	trip_put16(l4 + 6, t->rest & 0xffff);
	out->sums[out->n_sums++] = start + 2;
	out->len += 8;
	if (t->inner)
		trip_packet(t->inner, site, out);
	len = out->len - start;
	sum = trip_sum(l4, len);
	if (ver == 6)
		sum += trip_pseudo(t, site, (uint32_t)len);
	trip_put16(l4 + 2, 0xffff - sum % 0xffff);
}

/* Appends the packet as it looks at that site. */
static inline void
trip_packet(const struct trip *t, enum site_nr site, struct trip_bytes *out)
{
	uint8_t whole[TRIP_L4_MAX];
	uint8_t *p = out->p + out->len;

	out->len += t->src->at[site].ver == 6 ? trip_header6(t, site, p)
					      : trip_header4(t, site, p);
	if (t->kind == TRIP_ERROR) {
		trip_error(t, site, out);
		return;
	}
	trip_form(t, site, whole);
	if ((t->proto == 1 || t->proto == 6) && t->off <= t->field &&
		t->field + 2 <= t->off + t->there)
		out->sums[out->n_sums++] = out->len + t->field - t->off;
	memcpy(out->p + out->len, whole + t->off, t->there);
	out->len += t->there;
}

/* Whether got is these bytes, but for the two forms of zero in checksums. */
static inline bool
trip_same(const struct trip_bytes *want, const uint8_t *got, size_t len)
{
	uint8_t copy[TRIP_MAX];
	size_t i, at;

	if (len != want->len)
		return false;
	memcpy(copy, got, len);
	for (i = 0; i < want->n_sums; i++) {
		at = want->sums[i];
		if (trip_get16(copy + at) % 0xffff !=
			trip_get16(want->p + at) % 0xffff)
			return false;
		memcpy(copy + at, want->p + at, 2);
	}
	return !memcmp(copy, want->p, len);
}

#endif
