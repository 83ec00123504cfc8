/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gwd shows of itself: members of /status on its control socket. */
#ifndef GWD_STATUS_H
#define GWD_STATUS_H

struct ctl;
struct gwd;

/* All of g is started; it is borrowed until the control socket is closed. */
void status_start(struct ctl *c, struct gwd *g);

#endif
