/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS names as values: wire form, text form, comparing.
 *
 * A name is its uncompressed wire form (RFC 1035, 3.1): labels, each behind its
 * length, and the root's zero; always complete, never relative. Names compare
 * without regard to ASCII case (RFC 4343) and keep the case they came in. Bytes
 * behind the name are zero, so that a lowered name (name_lower()) can be a hash
 * key as a whole. No allocation.
 */
#ifndef LIBIPREF_DNS_NAME_H
#define LIBIPREF_DNS_NAME_H

#include "libipref/base.h"
#include "libipref/buf.h"

#define NAME_WIRE_MAX  255
#define NAME_LABEL_MAX 63

struct name {
	uint8_t len; /* bytes of b in use, 1 to 255; 0: no name */
	uint8_t b[NAME_WIRE_MAX];
};

/* The root. */
struct name name_root(void);
/* From presentation form (RFC 1035, 5.1): with or without the last dot, \X and
 * \DDD escapes; "." is the root. False for an empty text or label, a label over
 * 63 or a name over 255 bytes, a broken escape. No NUL needed. */
bool name_parse(struct name *n, const char *text, size_t len) MUSTCHECK;
/* Presentation form with the last dot and NUL, special and unprintable bytes
 * escaped; returns buf; "-" for no name. Reads back as the same name. */
const char *name_format(const struct name *n, char buf[NAME_TEXT_MAX]);

/* The name at the cursor, whose p is the first byte of the DNS message:
 * compression is followed, backwards only and at most 127 times, so that no
 * loop exists. The cursor then stands behind the name as it was written.
 * Anything wrong marks the cursor and gives no name (len 0). */
struct name name_get(struct rbuf *msg);
/* As name_get() for names that may not be compressed: a pointer marks. */
struct name name_get_plain(struct rbuf *r);
/* Uncompressed wire form. No name marks the cursor. */
void name_put(struct wbuf *w, const struct name *n);

bool name_eq(const struct name *a, const struct name *b);
/* Canonical order (RFC 4034, 6.1): a parent stands before everything below it,
 * and that stands together. <0, 0, >0. */
int name_cmp(const struct name *a, const struct name *b);
/* n is the name itself or below it; everything is under the root. */
bool name_under(const struct name *n, const struct name *top);
/* ASCII letters become lower case, in place. */
void name_lower(struct name *n);
/* Labels without the root's: 0 for the root. */
size_t name_labels(const struct name *n);
/* The first label's bytes, inside n, and their number; 0 for the root. */
const uint8_t *name_first(const struct name *n, size_t *len);
/* The first label is "*". */
bool name_is_wild(const struct name *n);
/* n without its first label; false (and *up the root) for the root. */
bool name_parent(const struct name *n, struct name *up) MUSTCHECK;
/* label.domain; false when the label is empty or over 63 bytes or the whole
 * too long. The label is raw bytes, not escaped. */
bool name_join(struct name *n, const uint8_t *label, size_t len,
	const struct name *domain) MUSTCHECK;

#endif
