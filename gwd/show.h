/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Members of the JSON objects that gwd's pages are made of. What jansson has no
 * memory for is left out. */
#ifndef GWD_SHOW_H
#define GWD_SHOW_H

#include <jansson.h>

#include "gwd/core.h"

/* Takes the reference to value. */
void show_put(json_t *o, const char *key, json_t *value);
void show_number(json_t *o, const char *key, uint64_t v);
/* Null: version 0. */
void show_addr(json_t *o, const char *key, const struct addr *a);
void show_ref(json_t *o, const char *key, const struct ref *r);
/* A time as seconds ago; null: never. */
void show_ago(json_t *o, const char *key, uint64_t at_ms, uint64_t now_ms);
/* "out", "in". */
const char *show_way(enum way way);

#endif
