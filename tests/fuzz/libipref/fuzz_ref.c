/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of references: what is taken prints and reads back as the same value,
 * and so do the same bytes as a wire form of each length. */
#include <stdlib.h>

#include "libipref/ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const struct ref *r)
{
	char text[REF_TEXT_MAX];
	struct ref back;

	ref_format(r, text);
	if (!ref_parse(&back, text, strlen(text)) || !ref_eq(r, &back))
		abort();
}

static void
check_wire(const uint8_t *data, size_t size, size_t len)
{
	uint8_t again[REF_LEN];
	struct rbuf in;
	struct wbuf out;
	struct ref r;

	rbuf_init(&in, data, size);
	r = ref_get(&in, len);
	if (rbuf_ok(&in) != (size >= len))
		abort();
	if (!rbuf_ok(&in))
		return;
	wbuf_init(&out, again, sizeof(again));
	ref_put(&out, &r, len);
	if (!wbuf_ok(&out) || out.len != len || memcmp(again, data, len) != 0)
		abort();
	check_text(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ref r;

	if (ref_parse(&r, (const char *)data, size))
		check_text(&r);
	check_wire(data, size, 4);
	check_wire(data, size, 8);
	check_wire(data, size, REF_LEN);
	return 0;
}
