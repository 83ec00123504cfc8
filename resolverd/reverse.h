/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of the reverse trees (in-addr.arpa, ip6.arpa) and the addresses that
 * they stand for.
 */
#ifndef RESOLVERD_REVERSE_H
#define RESOLVERD_REVERSE_H

#include "libipref/addr.h"
#include "libipref/dns/name.h"

/* Reads as much of an address as the name tells: a whole one has 32 or 128
 * bits, 240.10.in-addr.arpa is 10.240.0.0/16. *whole is false when labels are
 * left that are no part of an address. False: not a reverse name at all. */
bool reverse_parse(
	struct prefix *p, bool *whole, const struct name *n) MUSTCHECK;
/* The name of as many bits as labels can tell: p->len rounded up to 8 or 4. */
void reverse_name(struct name *n, const struct prefix *p);
/* Bits that one label tells: 8 (IPv4), 4. */
unsigned reverse_step(uint8_t ver);

#endif
