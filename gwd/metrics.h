/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gwd counts, for Prometheus: /metrics of its control socket. */
#ifndef GWD_METRICS_H
#define GWD_METRICS_H

struct ctl;
struct gwd;

/* All of g is started; it is borrowed until the control socket is closed. */
void metrics_start(struct ctl *c, struct gwd *g);

#endif
