/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What carries packets, put together: the lanes, the routes that they go by,
 * and the worker for all that lanes leave to it. A part of the daemon
 * (struct daemon_part).
 */
#ifndef GWD_CARRY_H
#define GWD_CARRY_H

#include "libipref/base.h"

struct daemon;
struct gwd;

int carry_start(struct daemon *d) MUSTCHECK;
void carry_stop(struct daemon *d);
/* The settings were read again. */
void carry_reload(struct gwd *g);
/* Takes into account what the lanes did until now: before anything of it is
 * shown. */
void carry_collect(struct gwd *g);

#endif
