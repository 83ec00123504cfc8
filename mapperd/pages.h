/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapperd's pages at its control socket beside /status and /metrics: /mappings,
 * /sources, /watch, and the commands. Each adds its own. */
#ifndef MAPPERD_PAGES_H
#define MAPPERD_PAGES_H

#include "mapperd/filter.h"
#include "mapperd/mapperd.h"

struct ctl_metrics;
struct evbuffer;

/* How things are shown now. */
struct show pages_show(const struct mapperd *d);
/* Seconds for which it is not known yet which addresses are in use (a file that
 * was damaged, a backup put back), and of them those in which none is allotted
 * at all; 0: all are known. */
uint64_t pages_suspect_s(const struct mapperd *d);
uint64_t pages_closed_s(const struct mapperd *d);
/* The filter of a query: 200, or another HTTP status and a text in error. */
int pages_filter(const struct mapperd *d, const char *query, struct filter *f,
	struct evbuffer *error);

/* metrics.c; arg is the struct mapperd */
void metrics_show(struct ctl_metrics *m, void *arg);
/* pages.c: /mappings, /sources */
void pages_add(struct mapperd *d);
/* commands.c: POST /forget, /source/remove, /backup */
void commands_add(struct mapperd *d);

/* watch.c: /watch. NULL: no memory. */
struct watch *watch_new(struct mapperd *d) MUSTCHECK;
/* Its streams have ended. */
void watch_free(struct watch *w);
void watch_add(struct watch *w);
/* As server_config.published. */
void watch_published(
	struct watch *w, uint64_t revision, const struct change *c);

#endif
