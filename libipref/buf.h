/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checked cursors over bytes: the only place that knows about byte order and
 * raw positions.
 *
 * Both cursors remember their first failure ("sticky"). After it, reads return
 * zero and consume nothing, writes write nothing, so that a decoder is a list
 * of fields in wire order with one check at its end: rbuf_done() for "nothing
 * failed and nothing remains", rbuf_ok() and wbuf_ok() for "nothing failed".
 * A cursor borrows the bytes; it allocates and frees nothing. All integers are
 * big-endian on the wire and host order in arguments and results.
 */
#ifndef LIBIPREF_BUF_H
#define LIBIPREF_BUF_H

#include <string.h>

#include "libipref/base.h"

struct rbuf {
	const uint8_t *p; /* the first byte; borrowed */
	size_t len;	  /* bytes in all */
	size_t pos;	  /* bytes consumed; <= len */
	bool bad;	  /* a read went past the end, or rbuf_fail() */
};

static inline void
rbuf_init(struct rbuf *r, const void *p, size_t len)
{
	*r = (struct rbuf){.p = p, .len = len};
}

/* Marks the cursor: what was read makes no sense. */
static inline void
rbuf_fail(struct rbuf *r)
{
	r->bad = true;
}

static inline bool MUSTCHECK
rbuf_ok(const struct rbuf *r)
{
	return !r->bad;
}

/* Bytes not yet consumed; 0 after a failure. */
static inline size_t
rbuf_left(const struct rbuf *r)
{
	return r->bad ? 0 : r->len - r->pos;
}

/* Nothing failed and nothing remains. */
static inline bool MUSTCHECK
rbuf_done(const struct rbuf *r)
{
	return !r->bad && r->pos == r->len;
}

/* The next n bytes, consumed, inside the borrowed memory; NULL (and the mark)
 * when there are fewer. With n of 0 the result is not to be read. */
static inline const uint8_t *
rbuf_take(struct rbuf *r, size_t n)
{
	const uint8_t *p;

	if (r->bad || n > r->len - r->pos) {
		r->bad = true;
		return NULL;
	}
	p = r->p + r->pos;
	r->pos += n;
	return p;
}

/* Copies the next n bytes to dst; zeros on failure. */
static inline void
rbuf_bytes(struct rbuf *r, void *dst, size_t n)
{
	const uint8_t *p = rbuf_take(r, n);

	if (p)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

static inline void
rbuf_skip(struct rbuf *r, size_t n)
{
	(void)rbuf_take(r, n);
}

static inline uint8_t
rbuf_u8(struct rbuf *r)
{
	const uint8_t *p = rbuf_take(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t
rbuf_be16(struct rbuf *r)
{
	const uint8_t *p = rbuf_take(r, 2);

	if (!p)
		return 0;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
rbuf_be32(struct rbuf *r)
{
	const uint8_t *p = rbuf_take(r, 4);

	if (!p)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t
rbuf_be64(struct rbuf *r)
{
	uint64_t high;

	/* Half of a number is no number. */
	if (rbuf_left(r) < 8) {
		rbuf_fail(r);
		return 0;
	}
	high = rbuf_be32(r);
	return high << 32 | rbuf_be32(r);
}

struct wbuf {
	uint8_t *p;  /* the first byte; borrowed */
	size_t size; /* room in all */
	size_t len;  /* bytes written; <= size */
	bool bad;    /* a write did not fit, or a value its width */
};

static inline void
wbuf_init(struct wbuf *w, void *p, size_t size)
{
	*w = (struct wbuf){.p = p, .size = size};
}

static inline void
wbuf_fail(struct wbuf *w)
{
	w->bad = true;
}

static inline bool MUSTCHECK
wbuf_ok(const struct wbuf *w)
{
	return !w->bad;
}

/* n bytes of room, counted as written, to be filled by the caller; NULL (and
 * the mark) when there is less. */
static inline uint8_t *
wbuf_room(struct wbuf *w, size_t n)
{
	uint8_t *p;

	if (w->bad || n > w->size - w->len) {
		w->bad = true;
		return NULL;
	}
	p = w->p + w->len;
	w->len += n;
	return p;
}

static inline void
wbuf_bytes(struct wbuf *w, const void *src, size_t n)
{
	uint8_t *p = wbuf_room(w, n);

	if (p && n)
		memcpy(p, src, n);
}

static inline void
wbuf_zeros(struct wbuf *w, size_t n)
{
	uint8_t *p = wbuf_room(w, n);

	if (p)
		memset(p, 0, n);
}

/* The value is wider than the field on purpose: what does not fit is refused,
 * not cut. */
static inline void
wbuf_u8(struct wbuf *w, uint64_t v)
{
	uint8_t *p = wbuf_room(w, 1);

	if (v > UINT8_MAX)
		w->bad = true;
	else if (p)
		p[0] = (uint8_t)v;
}

static inline void
wbuf_be16(struct wbuf *w, uint64_t v)
{
	uint8_t *p = wbuf_room(w, 2);

	if (v > UINT16_MAX) {
		w->bad = true;
	} else if (p) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void
wbuf_be32(struct wbuf *w, uint64_t v)
{
	uint8_t *p = wbuf_room(w, 4);

	if (v > UINT32_MAX) {
		w->bad = true;
	} else if (p) {
		p[0] = (uint8_t)(v >> 24);
		p[1] = (uint8_t)(v >> 16);
		p[2] = (uint8_t)(v >> 8);
		p[3] = (uint8_t)v;
	}
}

static inline void
wbuf_be64(struct wbuf *w, uint64_t v)
{
	if (w->size - w->len < 8) {
		w->bad = true;
		return;
	}
	wbuf_be32(w, v >> 32);
	wbuf_be32(w, v & UINT32_MAX);
}

/* Overwrites two bytes that were written at position pos. */
static inline void
wbuf_patch16(struct wbuf *w, size_t pos, uint64_t v)
{
	if (w->bad)
		return;
	if (v > UINT16_MAX || w->len < 2 || pos > w->len - 2) {
		w->bad = true;
		return;
	}
	w->p[pos] = (uint8_t)(v >> 8);
	w->p[pos + 1] = (uint8_t)v;
}

#endif
