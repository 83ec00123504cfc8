/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads a zone from a file in the form of RFC 1035, section 5.
 *
 * $ORIGIN, $TTL, $INCLUDE (relative to the including file) and $GENERATE are
 * known, TTL and class stand in either order, a missing TTL is that of $TTL,
 * else of the record before, else of the SOA. Anything that is not understood
 * fails the whole file: a zone is never shorter than its text.
 */
#ifndef RESOLVERD_ZONEFILE_H
#define RESOLVERD_ZONEFILE_H

#include "resolverd/zone.h"

#define ZONEFILE_DEPTH 8    /* of $INCLUDE */
#define ZONEFILE_FILES 1000 /* read for one zone, each as often as named */

/* 0 and *out with one reference; or -errno and "FILE:LINE: what" in err. */
int zonefile_load(struct zone **out, const struct name *apex, const char *path,
	char *err, size_t size) MUSTCHECK;

#endif
