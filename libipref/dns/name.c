/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS names.
 *
 * Invariant: a struct name with len > 0 holds whole labels that end in the
 * root's zero at b[len - 1], and zeros behind; only the functions here make
 * one. A pointer has to lead before the place where the labels at hand began,
 * so each jump goes further back, and JUMPS_MAX bounds their number: what a
 * name costs does not grow with the message.
 */
#include "libipref/dns/name.h"

#include <string.h>

#define JUMPS_MAX    127
#define POINTER_BITS 0xc0
#define HEADER_LEN   12 /* of a message: no name begins in it */

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

struct name
name_root(void)
{
	return (struct name){.len = 1};
}

/* Adds one label before the root's zero, which is written by the caller. */
static bool
add_label(struct name *n, size_t *used, const uint8_t *label, size_t len)
{
	if (len > NAME_LABEL_MAX || *used + 1 + len + 1 > NAME_WIRE_MAX)
		return false;
	n->b[*used] = (uint8_t)len;
	memcpy(n->b + *used + 1, label, len);
	*used += 1 + len;
	return true;
}

/* One character of presentation form, escaped or not, at text[*at]. */
static bool
text_byte(const char *text, size_t len, size_t *at, uint8_t *byte)
{
	unsigned value = 0;
	size_t i;

	if (text[*at] != '\\') {
		*byte = (uint8_t)text[(*at)++];
		return true;
	}
	if (++*at == len)
		return false;
	if (text[*at] < '0' || text[*at] > '9') {
		*byte = (uint8_t)text[(*at)++];
		return true;
	}
	for (i = 0; i < 3; i++, ++*at) {
		if (*at == len || text[*at] < '0' || text[*at] > '9')
			return false;
		value = value * 10 + (unsigned)(text[*at] - '0');
	}
	*byte = (uint8_t)value;
	return value <= UINT8_MAX;
}

/* The bytes up to the next dot that is not escaped, or the end. */
static bool
text_label(const char *text, size_t len, size_t *at, uint8_t *label, size_t *n)
{
	*n = 0;
	while (*at < len && text[*at] != '.') {
		if (*n == NAME_LABEL_MAX)
			return false;
		if (!text_byte(text, len, at, &label[*n]))
			return false;
		++*n;
	}
	return *n > 0;
}

bool
name_parse(struct name *n, const char *text, size_t len)
{
	uint8_t label[NAME_LABEL_MAX];
	size_t at = 0, used = 0, label_len;

	memset(n, 0, sizeof(*n));
	if (len == 1 && text[0] == '.') {
		*n = name_root();
		return true;
	}
	do {
		if (!text_label(text, len, &at, label, &label_len) ||
			!add_label(n, &used, label, label_len)) {
			memset(n, 0, sizeof(*n));
			return false;
		}
		at++; /* the dot */
	} while (at < len);
	n->len = (uint8_t)(used + 1);
	return true;
}

static char *
format_byte(char *out, uint8_t c)
{
	if (c <= ' ' || c >= 0x7f) {
		*out++ = '\\';
		*out++ = (char)('0' + c / 100);
		*out++ = (char)('0' + c / 10 % 10);
		*out++ = (char)('0' + c % 10);
		return out;
	}
	if (strchr(".\\\"();@$", c))
		*out++ = '\\';
	*out++ = (char)c;
	return out;
}

const char *
name_format(const struct name *n, char buf[NAME_TEXT_MAX])
{
	const uint8_t *p = n->b;
	char *out = buf;
	size_t len;

	if (n->len <= 1) {
		memcpy(buf, n->len ? "." : "-", 2);
		return buf;
	}
	while ((len = *p++) > 0) {
		while (len--)
			out = format_byte(out, *p++);
		*out++ = '.';
	}
	*out = '\0';
	return buf;
}

/* Moves to where a pointer leads, which must lie before `before`. */
static bool
follow(const struct rbuf *msg, struct rbuf *r, uint8_t high, size_t before)
{
	size_t target = (size_t)(high & ~POINTER_BITS) << 8 | rbuf_u8(r);

	if (!rbuf_ok(r) || target < HEADER_LEN || target >= before)
		return false;
	rbuf_init(r, msg->p, msg->len);
	rbuf_skip(r, target);
	return rbuf_ok(r);
}

static bool
read_labels(struct rbuf *msg, bool compressed, struct name *n)
{
	struct rbuf r = *msg;
	size_t used = 0, began = r.pos, jumps = 0;
	const uint8_t *label;
	uint8_t len;

	while ((len = rbuf_u8(&r)) != 0) {
		if ((len & POINTER_BITS) == POINTER_BITS) {
			if (!compressed || ++jumps > JUMPS_MAX ||
				!follow(msg, &r, len, began))
				return false;
			began = r.pos;
			if (jumps == 1)
				rbuf_skip(msg, 2);
			continue;
		}
		label = rbuf_take(&r, len);
		if (!label || !add_label(n, &used, label, len))
			return false;
		if (!jumps)
			rbuf_skip(msg, 1 + (size_t)len);
	}
	if (!jumps)
		rbuf_skip(msg, 1);
	n->len = (uint8_t)(used + 1);
	return rbuf_ok(&r) && rbuf_ok(msg);
}

static struct name
get(struct rbuf *msg, bool compressed)
{
	struct name n = {0};

	if (!rbuf_ok(msg) || !read_labels(msg, compressed, &n)) {
		rbuf_fail(msg);
		return (struct name){0};
	}
	return n;
}

struct name
name_get(struct rbuf *msg)
{
	return get(msg, true);
}

struct name
name_get_plain(struct rbuf *r)
{
	return get(r, false);
}

void
name_put(struct wbuf *w, const struct name *n)
{
	if (n->len)
		wbuf_bytes(w, n->b, n->len);
	else
		wbuf_fail(w);
}

/* Lengths of labels are below 'A', so they may be lowered along. */
bool
name_eq(const struct name *a, const struct name *b)
{
	size_t i;

	if (a->len != b->len)
		return false;
	for (i = 0; i < a->len; i++)
		if (lower(a->b[i]) != lower(b->b[i]))
			return false;
	return true;
}

/* Where each label of n begins, first one first; their number. */
static size_t
label_starts(const struct name *n, uint8_t starts[NAME_WIRE_MAX / 2])
{
	size_t pos = 0, count = 0;

	if (!n->len)
		return 0;
	while (n->b[pos]) {
		starts[count++] = (uint8_t)pos;
		pos += 1 + (size_t)n->b[pos];
	}
	return count;
}

/* Labels at these places, as strings of bytes without case. */
static int
label_cmp(const uint8_t *a, const uint8_t *b)
{
	size_t i, len = *a < *b ? *a : *b;

	for (i = 1; i <= len; i++)
		if (lower(a[i]) != lower(b[i]))
			return lower(a[i]) < lower(b[i]) ? -1 : 1;
	return (*a > *b) - (*a < *b);
}

int
name_cmp(const struct name *a, const struct name *b)
{
	uint8_t at_a[NAME_WIRE_MAX / 2], at_b[NAME_WIRE_MAX / 2];
	size_t n_a = label_starts(a, at_a), n_b = label_starts(b, at_b);
	int order;

	while (n_a && n_b) {
		order = label_cmp(a->b + at_a[--n_a], b->b + at_b[--n_b]);
		if (order)
			return order;
	}
	return (n_a > n_b) - (n_a < n_b);
}

bool
name_under(const struct name *n, const struct name *top)
{
	size_t pos = 0, i;

	if (!top->len || n->len < top->len)
		return false;
	while (n->len - pos > top->len)
		pos += 1 + (size_t)n->b[pos];
	if (n->len - pos != top->len)
		return false;
	for (i = 0; i < top->len; i++)
		if (lower(n->b[pos + i]) != lower(top->b[i]))
			return false;
	return true;
}

void
name_lower(struct name *n)
{
	size_t i;

	for (i = 0; i < n->len; i++)
		n->b[i] = lower(n->b[i]);
}

size_t
name_labels(const struct name *n)
{
	uint8_t starts[NAME_WIRE_MAX / 2];

	return label_starts(n, starts);
}

const uint8_t *
name_first(const struct name *n, size_t *len)
{
	*len = n->len ? n->b[0] : 0;
	return n->b + 1;
}

bool
name_is_wild(const struct name *n)
{
	return n->len > 2 && n->b[0] == 1 && n->b[1] == '*';
}

bool
name_parent(const struct name *n, struct name *up)
{
	size_t skip = n->len ? 1 + (size_t)n->b[0] : 0;
	struct name parent = {0};

	if (n->len <= 1) {
		*up = name_root();
		return false;
	}
	parent.len = (uint8_t)(n->len - skip);
	memcpy(parent.b, n->b + skip, parent.len);
	*up = parent;
	return true;
}

bool
name_join(struct name *n, const uint8_t *label, size_t len,
	const struct name *domain)
{
	struct name joined = {0};

	if (!len || len > NAME_LABEL_MAX || !domain->len ||
		1 + len + domain->len > NAME_WIRE_MAX)
		return false;
	joined.b[0] = (uint8_t)len;
	memcpy(joined.b + 1, label, len);
	memcpy(joined.b + 1 + len, domain->b, domain->len);
	joined.len = (uint8_t)(1 + len + domain->len);
	*n = joined;
	return true;
}
