/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names as keys. KEY_MAX is enough: each byte of a name becomes two at most,
 * and the length of a label makes room for the 0 that closes it. */
#include "dnsagentd/key.h"

#include <string.h>

#define CLOSE  0
#define ESCAPE 1

static size_t
put_label(const uint8_t *label, size_t len, uint8_t *out)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (label[i] > ESCAPE) {
			out[n++] = label[i];
			continue;
		}
		out[n++] = ESCAPE;
		out[n++] = (uint8_t)(label[i] + 1);
	}
	out[n++] = CLOSE;
	return n;
}

size_t
key_make(const struct name *n, uint8_t out[KEY_MAX])
{
	uint8_t starts[NAME_WIRE_MAX / 2];
	struct name low = *n;
	size_t labels = 0, pos = 0, len = 0;

	name_lower(&low);
	while (low.b[pos]) {
		starts[labels++] = (uint8_t)pos;
		pos += 1 + (size_t)low.b[pos];
	}
	while (labels) {
		pos = starts[--labels];
		len += put_label(low.b + pos + 1, low.b[pos], out + len);
	}
	return len;
}

void
key_name(struct key k, struct name *n)
{
	uint8_t label[NAME_LABEL_MAX + 1];
	size_t i = 0, len;

	*n = name_root();
	while (i < k.len) {
		for (len = 0; k.p[i] != CLOSE; i++) {
			if (k.p[i] == ESCAPE)
				label[len++] = (uint8_t)(k.p[++i] - 1);
			else
				label[len++] = k.p[i];
		}
		i++;
		/* Can't fail: the key was made of a name. */
		if (!name_join(n, label, len, n))
			return;
	}
}

int
key_cmp(struct key a, struct key b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.p, b.p, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool
key_under(struct key k, struct key top)
{
	return k.len >= top.len && (!top.len || !memcmp(k.p, top.p, top.len));
}
