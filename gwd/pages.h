/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lists on gwd's control socket, JSON arrays with an object a line.
 *
 *	/drops		reasons for which packets were dropped; all=1: every one
 *	/peers		other gateways, in portions
 */
#ifndef GWD_PAGES_H
#define GWD_PAGES_H

#include <jansson.h>

#include "gwd/counters.h"

struct ctl;
struct gwd;
struct peer;

/* All of g is started; it is borrowed until the control socket is closed. */
void pages_start(struct ctl *c, struct gwd *g);

/* A peer as /peers shows it. */
json_t *pages_peer(const struct gwd *g, const struct peer *p, uint64_t now_ms);

#endif
