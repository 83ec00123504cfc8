/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IP addresses, prefixes and endpoints of either version, as values.
 *
 * An address is its version and its bytes in network order; unused bytes are
 * zero, so that two addresses are equal when their structs are equal byte by
 * byte (addr_eq) and a struct can be a hash key. Version 0 is "no address".
 * Nothing here resolves names; scope ids do not exist.
 */
#ifndef LIBIPREF_ADDR_H
#define LIBIPREF_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "libipref/base.h"
#include "libipref/buf.h"

#define ADDR_TEXT_MAX	  46		      /* with NUL */
#define PREFIX_TEXT_MAX	  (ADDR_TEXT_MAX + 4) /* with NUL */
#define ENDPOINT_TEXT_MAX (ADDR_TEXT_MAX + 8) /* with NUL */

struct addr {
	uint8_t ver;   /* 4, 6; 0: no address */
	uint8_t b[16]; /* network order; bytes beyond the version's are 0 */
};

struct prefix {
	struct addr addr; /* host bits zero */
	uint8_t len;	  /* bits: 0 to 32 or 128 */
};

struct endpoint {
	struct addr addr;
	uint16_t port; /* host order; 0: not given */
};

/* Bytes of an address of this version: 4, 16; 0 for any other. */
size_t addr_len(uint8_t ver);

/* From/to plain text (inet_pton; RFC 5952 form). No brackets, zone, port,
 * leading zeros or surrounding space. len bytes, no NUL needed. */
bool addr_parse(struct addr *a, const char *text, size_t len) MUSTCHECK;
/* Writes text with NUL and returns buf; "-" for version 0. */
const char *addr_format(const struct addr *a, char buf[ADDR_TEXT_MAX]);

/* From addr_len(ver) bytes in network order; ver must be 4 or 6. */
struct addr addr_from_bytes(uint8_t ver, const void *bytes);
/* The all-zeros address of a version. */
struct addr addr_zero(uint8_t ver);
/* Wire form, addr_len(ver) bytes. Writing an address of another version
 * marks the cursor. */
struct addr addr_get(struct rbuf *r, uint8_t ver);
void addr_put(struct wbuf *w, const struct addr *a, uint8_t ver);

bool addr_eq(const struct addr *a, const struct addr *b);
/* Numeric order, IPv4 before IPv6: <0, 0, >0. */
int addr_cmp(const struct addr *a, const struct addr *b);
/* All bytes zero (of any version, also of 0). */
bool addr_is_zero(const struct addr *a);
/* Of these four a v4-mapped IPv6 address (::ffff:127.0.0.1) is what its IPv4
 * address is: that is where a socket would send to. */
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
bool addr_is_multicast(const struct addr *a);
/* "Global unicast" as spec/concepts.md defines it: an address that is not
 * unspecified, loopback, link-local, multicast or 255.255.255.255. */
bool addr_is_global_unicast(const struct addr *a);
/* The second-to-last byte: B of the second-byte rule (spec/concepts.md). */
uint8_t addr_second_byte(const struct addr *a);

/* ss receives a sockaddr_in or sockaddr_in6 and *len its size; port in host
 * order. Version 0 gives *len = 0. */
void addr_to_sockaddr(const struct addr *a, uint16_t port,
	struct sockaddr_storage *ss, socklen_t *len);
/* A v4-mapped IPv6 address becomes IPv4. False for another family. */
bool endpoint_from_sockaddr(
	struct endpoint *e, const struct sockaddr *sa, socklen_t len) MUSTCHECK;

/* "ADDR", "ADDR4:PORT", "[ADDR6]:PORT", "[ADDR6]"; port stays 0 when absent,
 * a given one is 1 to 65535. */
bool endpoint_parse(struct endpoint *e, const char *text, size_t len) MUSTCHECK;
const char *endpoint_format(
	const struct endpoint *e, char buf[ENDPOINT_TEXT_MAX]);

/* "ADDR/LEN"; host bits must be zero. */
bool prefix_parse(struct prefix *p, const char *text, size_t len) MUSTCHECK;
const char *prefix_format(const struct prefix *p, char buf[PREFIX_TEXT_MAX]);
/* a is of the prefix's version and inside it. */
bool prefix_has(const struct prefix *p, const struct addr *a);
bool prefix_eq(const struct prefix *a, const struct prefix *b);
/* Host bits: 32 or 128 less len. */
uint8_t prefix_host_bits(const struct prefix *p);
/* The prefix's address with the host part set to the low host bits of n
 * (host order). */
struct addr prefix_host(const struct prefix *p, uint64_t n);

#endif
