/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP addresses, prefixes and endpoints as values.
 *
 * Every struct addr made here starts from zero, so that bytes beyond the
 * version's are zero and equal addresses are equal byte by byte. inet_pton and
 * inet_ntop do the text of an address; they want NUL and don't know lengths,
 * hence the copies, and a NUL inside the text is refused before it could cut
 * it short.
 */
#include "libipref/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

size_t
addr_len(uint8_t ver)
{
	return ver == 4 ? 4 : ver == 6 ? 16 : 0;
}

bool
addr_parse(struct addr *a, const char *text, size_t len)
{
	char copy[ADDR_TEXT_MAX];

	*a = (struct addr){0};
	if (!len || len >= sizeof(copy) || memchr(text, '\0', len))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, a->b) == 1) {
		a->ver = 4;
		return true;
	}
	*a = (struct addr){0};
	if (inet_pton(AF_INET6, copy, a->b) == 1) {
		a->ver = 6;
		return true;
	}
	*a = (struct addr){0};
	return false;
}

const char *
addr_format(const struct addr *a, char buf[ADDR_TEXT_MAX])
{
	int family = a->ver == 4 ? AF_INET : AF_INET6;

	if (!addr_len(a->ver) || !inet_ntop(family, a->b, buf, ADDR_TEXT_MAX))
		memcpy(buf, "-", 2);
	return buf;
}

struct addr
addr_from_bytes(uint8_t ver, const void *bytes)
{
	struct addr a = {.ver = ver};

	/* lengths that the compiler knows */
	if (ver == 4)
		memcpy(a.b, bytes, 4);
	else if (ver == 6)
		memcpy(a.b, bytes, 16);
	else
		a.ver = 0;
	return a;
}

struct addr
addr_zero(uint8_t ver)
{
	return (struct addr){.ver = ver};
}

struct addr
addr_get(struct rbuf *r, uint8_t ver)
{
	size_t len = addr_len(ver);
	const uint8_t *p;

	if (!len) {
		rbuf_fail(r);
		return (struct addr){0};
	}
	p = rbuf_take(r, len);
	return p ? addr_from_bytes(ver, p) : addr_zero(ver);
}

void
addr_put(struct wbuf *w, const struct addr *a, uint8_t ver)
{
	size_t len = addr_len(ver);

	if (!len || a->ver != ver)
		wbuf_fail(w);
	else
		wbuf_bytes(w, a->b, len);
}

bool
addr_eq(const struct addr *a, const struct addr *b)
{
	return a->ver == b->ver && !memcmp(a->b, b->b, sizeof(a->b));
}

int
addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->ver != b->ver)
		return a->ver < b->ver ? -1 : 1;
	return memcmp(a->b, b->b, sizeof(a->b));
}

bool
addr_is_zero(const struct addr *a)
{
	static const uint8_t zeros[sizeof(a->b)];

	return !memcmp(a->b, zeros, sizeof(zeros));
}

/* The four bytes of an IPv4 address, also of one in v4-mapped form: a socket
 * would send to that one by IPv4. NULL for others. */
static const uint8_t *
v4_bytes(const struct addr *a)
{
	static const uint8_t mapped[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (a->ver == 4)
		return a->b;
	if (a->ver == 6 && !memcmp(a->b, mapped, sizeof(mapped)))
		return a->b + sizeof(mapped);
	return NULL;
}

bool
addr_is_loopback(const struct addr *a)
{
	static const struct addr one = {.ver = 6, .b = {[15] = 1}};
	const uint8_t *v4 = v4_bytes(a);

	return v4 ? v4[0] == 127 : addr_eq(a, &one);
}

bool
addr_is_link_local(const struct addr *a)
{
	const uint8_t *v4 = v4_bytes(a);

	if (v4)
		return v4[0] == 169 && v4[1] == 254;
	return a->ver == 6 && a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

bool
addr_is_multicast(const struct addr *a)
{
	const uint8_t *v4 = v4_bytes(a);

	if (v4)
		return (v4[0] & 0xf0) == 0xe0;
	return a->ver == 6 && a->b[0] == 0xff;
}

bool
addr_is_global_unicast(const struct addr *a)
{
	static const uint8_t none[4], all[4] = {255, 255, 255, 255};
	const uint8_t *v4 = v4_bytes(a);

	if (!addr_len(a->ver) || addr_is_zero(a))
		return false;
	if (v4 && (!memcmp(v4, none, 4) || !memcmp(v4, all, 4)))
		return false;
	return !addr_is_loopback(a) && !addr_is_link_local(a) &&
	       !addr_is_multicast(a);
}

uint8_t
addr_second_byte(const struct addr *a)
{
	size_t len = addr_len(a->ver);

	return len ? a->b[len - 2] : 0;
}

void
addr_to_sockaddr(const struct addr *a, uint16_t port,
	struct sockaddr_storage *ss, socklen_t *len)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(port)};

	memset(ss, 0, sizeof(*ss));
	*len = 0;
	if (a->ver == 4) {
		memcpy(&in.sin_addr, a->b, 4);
		memcpy(ss, &in, sizeof(in));
		*len = sizeof(in);
	} else if (a->ver == 6) {
		memcpy(&in6.sin6_addr, a->b, 16);
		memcpy(ss, &in6, sizeof(in6));
		*len = sizeof(in6);
	}
}

bool
endpoint_from_sockaddr(
	struct endpoint *e, const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	const uint8_t *v4;

	*e = (struct endpoint){0};
	memcpy(&ss, sa, len < sizeof(ss) ? len : sizeof(ss));
	if (ss.ss_family == AF_INET && len >= sizeof(in)) {
		memcpy(&in, &ss, sizeof(in));
		e->addr = addr_from_bytes(4, &in.sin_addr);
		e->port = ntohs(in.sin_port);
		return true;
	}
	if (ss.ss_family == AF_INET6 && len >= sizeof(in6)) {
		memcpy(&in6, &ss, sizeof(in6));
		e->addr = addr_from_bytes(6, &in6.sin6_addr);
		e->port = ntohs(in6.sin6_port);
		v4 = v4_bytes(&e->addr);
		if (v4)
			e->addr = addr_from_bytes(4, v4);
		return true;
	}
	return false;
}

/* A decimal of at most max, without sign or leading zeros. */
static bool
decimal_parse(unsigned *v, const char *text, size_t len, unsigned max)
{
	size_t i;

	*v = 0;
	if (!len || (len > 1 && text[0] == '0'))
		return false;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*v = *v * 10 + (unsigned)(text[i] - '0');
		if (*v > max)
			return false;
	}
	return true;
}

/* ":PORT", all of it, or nothing at all. */
static bool
port_parse(uint16_t *port, const char *text, size_t len)
{
	unsigned v;

	*port = 0;
	if (!len)
		return true;
	if (text[0] != ':' ||
		!decimal_parse(&v, text + 1, len - 1, UINT16_MAX) || !v)
		return false;
	*port = (uint16_t)v;
	return true;
}

bool
endpoint_parse(struct endpoint *e, const char *text, size_t len)
{
	const char *end;
	size_t n;

	*e = (struct endpoint){0};
	if (len && text[0] == '[') {
		end = memchr(text, ']', len);
		if (!end)
			return false;
		n = (size_t)(end - text);
		return addr_parse(&e->addr, text + 1, n - 1) &&
		       e->addr.ver == 6 &&
		       port_parse(&e->port, end + 1, len - n - 1);
	}
	if (addr_parse(&e->addr, text, len))
		return true;
	end = len ? memchr(text, ':', len) : NULL;
	if (!end)
		return false;
	n = (size_t)(end - text);
	return addr_parse(&e->addr, text, n) && e->addr.ver == 4 &&
	       port_parse(&e->port, end, len - n);
}

const char *
endpoint_format(const struct endpoint *e, char buf[ENDPOINT_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	addr_format(&e->addr, text);
	if (!e->port || !addr_len(e->addr.ver))
		snprintf(buf, ENDPOINT_TEXT_MAX, "%s", text);
	else if (e->addr.ver == 4)
		snprintf(buf, ENDPOINT_TEXT_MAX, "%s:%u", text, e->port);
	else
		snprintf(buf, ENDPOINT_TEXT_MAX, "[%s]:%u", text, e->port);
	return buf;
}

/* How many of the 8 bits of byte i of an address belong to the prefix, as a
 * mask. */
static uint8_t
prefix_mask(const struct prefix *p, size_t i)
{
	size_t bits = p->len > i * 8 ? p->len - i * 8 : 0;

	if (bits >= 8)
		return 0xff;
	return (uint8_t)(0xff00 >> bits);
}

bool
prefix_parse(struct prefix *p, const char *text, size_t len)
{
	const char *slash = len ? memchr(text, '/', len) : NULL;
	size_t n = slash ? (size_t)(slash - text) : 0;
	unsigned bits;
	size_t i;

	*p = (struct prefix){0};
	if (!slash || !addr_parse(&p->addr, text, n))
		return false;
	if (!decimal_parse(&bits, slash + 1, len - n - 1,
		    (unsigned)addr_len(p->addr.ver) * 8))
		return false;
	p->len = (uint8_t)bits;
	for (i = 0; i < addr_len(p->addr.ver); i++)
		if (p->addr.b[i] & (uint8_t)~prefix_mask(p, i))
			return false;
	return true;
}

const char *
prefix_format(const struct prefix *p, char buf[PREFIX_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	addr_format(&p->addr, text);
	if (addr_len(p->addr.ver))
		snprintf(buf, PREFIX_TEXT_MAX, "%s/%u", text, p->len);
	else
		snprintf(buf, PREFIX_TEXT_MAX, "%s", text);
	return buf;
}

bool
prefix_has(const struct prefix *p, const struct addr *a)
{
	size_t len = addr_len(p->addr.ver);
	size_t i;

	if (!len || p->addr.ver != a->ver)
		return false;
	for (i = 0; i < len; i++)
		if ((p->addr.b[i] ^ a->b[i]) & prefix_mask(p, i))
			return false;
	return true;
}

bool
prefix_eq(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_eq(&a->addr, &b->addr);
}

uint8_t
prefix_host_bits(const struct prefix *p)
{
	return (uint8_t)(addr_len(p->addr.ver) * 8 - p->len);
}

struct addr
prefix_host(const struct prefix *p, uint64_t n)
{
	struct addr a = p->addr;
	size_t i = addr_len(a.ver);

	while (i-- > 0 && n) {
		a.b[i] |= (uint8_t)(n & (uint8_t)~prefix_mask(p, i));
		n >>= 8;
	}
	return a;
}
