/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gwd/show.h"

void
show_put(json_t *o, const char *key, json_t *value)
{
	/* A value that is NULL is refused, so the member is not there. */
	(void)json_object_set_new(o, key, value);
}

void
show_number(json_t *o, const char *key, uint64_t v)
{
	show_put(o, key, json_integer((json_int_t)v));
}

void
show_addr(json_t *o, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	show_put(o, key,
		a->ver ? json_string(addr_format(a, text)) : json_null());
}

void
show_ref(json_t *o, const char *key, const struct ref *r)
{
	char text[REF_TEXT_MAX];

	show_put(o, key, json_string(ref_format(r, text)));
}

void
show_ago(json_t *o, const char *key, uint64_t at_ms, uint64_t now_ms)
{
	if (at_ms)
		show_number(o, key, (now_ms - at_ms) / 1000);
	else
		show_put(o, key, json_null());
}

const char *
show_way(enum way way)
{
	static const char *const names[WAY_N] = {
		[WAY_OUT] = "out", [WAY_IN] = "in"};

	return names[way];
}
