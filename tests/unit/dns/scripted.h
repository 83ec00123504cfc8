/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for scripted DNS servers in tests: writers that fail the test
 * instead of reporting, and a listener on a loopback port of its own.
 */
#ifndef TESTS_UNIT_DNS_SCRIPTED_H
#define TESTS_UNIT_DNS_SCRIPTED_H

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libipref/addr.h"
#include "libipref/dns/screen.h"

static inline struct name
named(const char *text)
{
	struct name n;

	ck_assert_msg(name_parse(&n, text, strlen(text)), "%s", text);
	return n;
}

/* A record with an uncompressed owner. */
static inline void
put_rr(struct wbuf *w, const char *owner, uint16_t type, const void *rdata,
	size_t len)
{
	struct name n = named(owner);

	dns_rr_put(w, &n, type, DNS_CLASS_IN, 300, rdata, len);
}

static inline void
put_soa(struct wbuf *w, const char *owner, uint32_t serial)
{
	struct name root = name_root();
	uint8_t rdata[64];
	struct wbuf r;
	size_t i;

	wbuf_init(&r, rdata, sizeof(rdata));
	name_put(&r, &root);
	name_put(&r, &root);
	wbuf_be32(&r, serial);
	for (i = 0; i < 4; i++)
		wbuf_be32(&r, 3600);
	put_rr(w, owner, DNS_TYPE_SOA, rdata, r.len);
}

static inline void
put_txt(struct wbuf *w, const char *owner, const char *text)
{
	uint8_t rdata[256];
	size_t len = strlen(text);

	ck_assert_uint_lt(len, 256);
	rdata[0] = (uint8_t)len;
	memcpy(rdata + 1, text, len);
	put_rr(w, owner, DNS_TYPE_TXT, rdata, 1 + len);
}

static inline void
put_addr(struct wbuf *w, const char *owner, const char *text)
{
	struct addr a;

	ck_assert(addr_parse(&a, text, strlen(text)));
	put_rr(w, owner, a.ver == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA, a.b,
		addr_len(a.ver));
}

static inline void
put_target(struct wbuf *w, const char *owner, uint16_t type, const char *target)
{
	struct name n = named(target);

	put_rr(w, owner, type, n.b, n.len);
}

/* A socket of this type bound to 127.0.0.1 and a free port. */
static inline int
bound_socket(int type, struct endpoint *e)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	ck_assert(endpoint_from_sockaddr(e, (struct sockaddr *)&sin, len));
	return fd;
}

#endif
