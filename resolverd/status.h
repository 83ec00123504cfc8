/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What resolverd shows of itself: members of /status, metrics. */
#ifndef RESOLVERD_STATUS_H
#define RESOLVERD_STATUS_H

#include "resolverd/resolver.h"

struct ctl;

/* r has to outlive the control socket's pages. */
void status_add(struct ctl *ctl, struct resolver *r);

#endif
