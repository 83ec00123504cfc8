/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zone transfers out (RFC 5936): AXFR over TCP, IXFR answered with the SOA
 * alone (up to date, or by UDP) or with the whole zone (RFC 1995, 4).
 */
#ifndef RESOLVERD_XFROUT_H
#define RESOLVERD_XFROUT_H

#include "resolverd/request.h"
#include "resolverd/resolver.h"

#define XFROUT_MAX 32 /* transfers at once */

/* Takes the asker: answers now or in pieces. */
void xfrout_start(
	struct resolver *r, const struct asker *from, const struct request *rq);
void xfrout_drop_all(struct resolver *r);

#endif
