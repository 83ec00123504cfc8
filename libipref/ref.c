/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * References: text and wire forms of 128-bit integers.
 *
 * A text is one of three forms, told apart by the first sign that only one of
 * them has: a dash makes it hex groups, else a dot makes it bytes, else it is
 * a decimal. Each form checks all of its text, so that nothing is ever cut or
 * guessed: what can't be the value that its writer meant is refused.
 */
#include "libipref/ref.h"

#include <stdio.h>

#define GROUPS (REF_LEN / 2)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The value of a hex digit, 16 for anything else. */
static unsigned
hex_digit(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned)(c - 'A') + 10;
	return 16;
}

/* r = r * 10 + digit; false when that is above 128 bits. */
static bool
ref_append_digit(struct ref *r, unsigned digit)
{
	unsigned carry = digit;
	size_t i = REF_LEN;

	while (i-- > 0) {
		carry += r->b[i] * 10u;
		r->b[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return carry == 0;
}

/* Decimal; commas, between digits only, are for people's eyes. */
static bool
parse_decimal(struct ref *r, const char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (is_digit(text[i])) {
			if (!ref_append_digit(r, (unsigned)(text[i] - '0')))
				return false;
		} else if (text[i] != ',' || !i || i + 1 == len ||
			   !is_digit(text[i + 1])) {
			return false;
		}
	}
	return len > 0;
}

/* Bytes in decimal, the least significant one last. */
static bool
parse_dotted(struct ref *r, const char *text, size_t len)
{
	size_t i = 0, n = 0, digits;
	unsigned byte;

	for (;;) {
		byte = 0;
		for (digits = 0; i < len && is_digit(text[i]); i++, digits++)
			if (digits < 3)
				byte = byte * 10 + (unsigned)(text[i] - '0');
		if (!digits || digits > 3 || byte > 255 || n == REF_LEN)
			return false;
		memmove(r->b, r->b + 1, REF_LEN - 1);
		r->b[REF_LEN - 1] = (uint8_t)byte;
		n++;
		if (i == len)
			return true;
		if (text[i++] != '.')
			return false;
	}
}

/* Puts n groups where they belong: the first `high` of them at the top, the
 * others at the bottom. */
static void
place_groups(struct ref *r, const uint16_t *group, size_t n, size_t high)
{
	size_t i, to;

	for (i = 0; i < n; i++) {
		to = 2 * (i < high ? i : GROUPS - n + i);
		r->b[to] = (uint8_t)(group[i] >> 8);
		r->b[to + 1] = (uint8_t)group[i];
	}
}

/* Hex groups of 16 bits; one "--" stands for the zero groups that are missing
 * from 128 bits. The caller has seen a dash. */
static bool
parse_hex(struct ref *r, const char *text, size_t len)
{
	uint16_t group[GROUPS];
	size_t i = 0, n = 0, high = 0, digits;
	unsigned v;

	for (;;) {
		v = 0;
		for (digits = 0; i < len && hex_digit(text[i]) < 16; i++)
			if (++digits <= 4)
				v = v << 4 | hex_digit(text[i]);
		if (!digits || digits > 4 || n == GROUPS)
			return false;
		group[n++] = (uint16_t)v;
		if (i == len)
			break;
		if (text[i++] != '-')
			return false;
		if (i == len || text[i] != '-')
			continue;
		if (high)
			return false;
		high = n;
		if (++i == len)
			break;
	}
	/* "--" between groups has to stand for one at least. */
	if (high && high < n && n == GROUPS)
		return false;
	place_groups(r, group, n, high);
	return true;
}

bool
ref_parse(struct ref *r, const char *text, size_t len)
{
	bool ok;

	*r = (struct ref){0};
	if (len && memchr(text, '-', len))
		ok = parse_hex(r, text, len);
	else if (len && memchr(text, '.', len))
		ok = parse_dotted(r, text, len);
	else
		ok = parse_decimal(r, text, len);
	if (!ok)
		*r = (struct ref){0};
	return ok;
}

static unsigned
ref_group(const struct ref *r, size_t i)
{
	return (unsigned)r->b[2 * i] << 8 | r->b[2 * i + 1];
}

const char *
ref_format(const struct ref *r, char buf[REF_TEXT_MAX])
{
	size_t i = 0, at;

	while (i < GROUPS - 1 && !ref_group(r, i))
		i++;
	if (i == GROUPS - 1) {
		snprintf(buf, REF_TEXT_MAX, "%u", ref_group(r, i));
		return buf;
	}
	at = (size_t)snprintf(buf, REF_TEXT_MAX, "%x", ref_group(r, i));
	while (++i < GROUPS)
		at += (size_t)snprintf(
			buf + at, REF_TEXT_MAX - at, "-%x", ref_group(r, i));
	return buf;
}

struct ref
ref_from_u64(uint64_t v)
{
	struct ref r = {0};
	size_t i;

	for (i = REF_LEN; v; v >>= 8)
		r.b[--i] = (uint8_t)v;
	return r;
}

bool
ref_eq(const struct ref *a, const struct ref *b)
{
	return ref_cmp(a, b) == 0;
}

int
ref_cmp(const struct ref *a, const struct ref *b)
{
	return memcmp(a->b, b->b, REF_LEN);
}

bool
ref_is_zero(const struct ref *r)
{
	static const struct ref zero;

	return ref_eq(r, &zero);
}

uint8_t
ref_second_byte(const struct ref *r)
{
	return r->b[REF_LEN - 2];
}

size_t
ref_wire_len(const struct ref *r)
{
	static const uint8_t zeros[REF_LEN];

	if (memcmp(r->b + 1, zeros, REF_LEN - 8))
		return REF_LEN;
	return memcmp(r->b + 1, zeros, REF_LEN - 4) ? 8 : 4;
}

struct ref
ref_get(struct rbuf *r, size_t len)
{
	struct ref v = {0};

	if (len != 4 && len != 8 && len != REF_LEN) {
		rbuf_fail(r);
		return v;
	}
	v.b[0] = rbuf_u8(r);
	rbuf_bytes(r, v.b + REF_LEN - (len - 1), len - 1);
	if (!rbuf_ok(r))
		v = (struct ref){0};
	return v;
}

void
ref_put(struct wbuf *w, const struct ref *r, size_t len)
{
	if ((len != 4 && len != 8 && len != REF_LEN) || len < ref_wire_len(r)) {
		wbuf_fail(w);
		return;
	}
	wbuf_u8(w, r->b[0]);
	wbuf_bytes(w, r->b + REF_LEN - (len - 1), len - 1);
}
