/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names as keys: bytes whose plain order is the canonical order of names, and
 * in which a name below another has the other's key as a prefix.
 *
 * A key has the labels in reverse (the top-level one first), in lower case,
 * each closed by a 0; inside labels 0 is written 1 1 and 1 is written 1 2.
 * The root's key is empty. Pure.
 */
#ifndef DNSAGENTD_KEY_H
#define DNSAGENTD_KEY_H

#include "libipref/dns/name.h"

#define KEY_MAX (2 * NAME_WIRE_MAX)

struct key {
	const uint8_t *p; /* borrowed */
	size_t len;
};

/* Writes the name's key; returns its length. */
size_t key_make(const struct name *n, uint8_t out[KEY_MAX]);
/* The name that the key was made of, in lower case. */
void key_name(struct key k, struct name *n);
int key_cmp(struct key a, struct key b);
/* k is top or below it. */
bool key_under(struct key k, struct key top);

#endif
