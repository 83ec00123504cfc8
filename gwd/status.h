/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gwd shows on its control socket: members of /status, /metrics, and the
 * pages /peers and /drops (JSON). */
#ifndef GWD_STATUS_H
#define GWD_STATUS_H

struct ctl;
struct gwd;

/* All of g is started; it is borrowed until the control socket is closed. */
void status_start(struct ctl *c, struct gwd *g);

#endif
