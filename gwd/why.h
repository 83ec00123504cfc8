/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that gwd knows about one address: the page /why of its control socket,
 * an object.
 *
 *	address=A	a host's address here, an ea, a gateway's address
 *	gw=A&ref=R	an IPREF address
 */
#ifndef GWD_WHY_H
#define GWD_WHY_H

struct ctl;
struct gwd;

/* All of g is started; it is borrowed until the control socket is closed. */
void why_start(struct ctl *c, struct gwd *g);

#endif
