/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * References: 128-bit unsigned integers, opaque to all but the network that
 * allotted them (spec/concepts.md); their text forms (spec/text-formats.md,
 * "References") and short wire forms (spec/tunnel.md, "References on the
 * wire"). Values without ownership; no allocation.
 */
#ifndef LIBIPREF_REF_H
#define LIBIPREF_REF_H

#include "libipref/base.h"
#include "libipref/buf.h"

#define REF_LEN	     16
#define REF_TEXT_MAX 40 /* the longest text written, with NUL */

struct ref {
	uint8_t b[REF_LEN]; /* most significant byte first */
};

/* Any form of text-formats.md, ours-only ones (commas, dots) too; len bytes,
 * no NUL needed, no surrounding space. */
bool ref_parse(struct ref *r, const char *text, size_t len) MUSTCHECK;
/* Decimal below 65536, else hex groups; with NUL; returns buf. What is written
 * reads back as the same value. */
const char *ref_format(const struct ref *r, char buf[REF_TEXT_MAX]);

struct ref ref_from_u64(uint64_t v);
bool ref_eq(const struct ref *a, const struct ref *b);
/* Numeric order: <0, 0, >0. */
int ref_cmp(const struct ref *a, const struct ref *b);
bool ref_is_zero(const struct ref *r);
/* The second-to-last byte: B of the second-byte rule (spec/concepts.md). */
uint8_t ref_second_byte(const struct ref *r);

/* Length in bytes of the shortest wire form: 4, 8 or 16. */
size_t ref_wire_len(const struct ref *r);
/* Wire form of len 4, 8 or 16 bytes. Writing into a form that is too short,
 * or of another length, marks the cursor. */
struct ref ref_get(struct rbuf *r, size_t len);
void ref_put(struct wbuf *w, const struct ref *r, size_t len);

#endif
