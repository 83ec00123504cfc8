/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hosts-file lines, addresses, endpoints and prefixes, all from the same text:
 * what is refused says why, what is taken is what the rules allow. */
#include <stdlib.h>

#include "libipref/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A taken mapping breaks none of the rules of spec/text-formats.md. */
static void
check_taken(const struct hosts_line *h, const struct prefix *encode)
{
	bool ext = h->kind == HOSTS_EXT;

	if (!addr_is_global_unicast(&h->addr) ||
		prefix_has(encode, &h->addr) != ext)
		abort();
	if (ext && (addr_second_byte(&h->addr) >= 16 || !h->has_ref ||
			   addr_is_zero(&h->gw)))
		abort();
	if (h->has_ref && ref_is_zero(&h->ref))
		abort();
	if (!ext && h->has_ref && ref_second_byte(&h->ref) >= 16)
		abort();
}

static void
check_line(const char *text, size_t size)
{
	static const struct prefix encodes[] = {
		{.addr = {.ver = 4, .b = {10, 240}}, .len = 12},
		{.addr = {.ver = 6, .b = {0xfd, 0, 2, 0x40}}, .len = 64},
	};
	struct hosts_line h;
	size_t i;

	hosts_parse(&h, text, size);
	if ((h.kind == HOSTS_BROKEN) != (h.error != NULL))
		abort();
	for (i = 0; i < ARRAY_LEN(encodes); i++) {
		const char *error = hosts_check(&h, &encodes[i], 4);

		if (h.error && error != h.error)
			abort();
		if (!error && (h.kind == HOSTS_PUB || h.kind == HOSTS_EXT))
			check_taken(&h, &encodes[i]);
	}
}

static void
check_endpoint(const char *text, size_t size)
{
	char buf[ENDPOINT_TEXT_MAX];
	struct endpoint e, again;

	if (!endpoint_parse(&e, text, size))
		return;
	endpoint_format(&e, buf);
	if (!endpoint_parse(&again, buf, strlen(buf)) ||
		!addr_eq(&e.addr, &again.addr) || e.port != again.port)
		abort();
}

static void
check_prefix(const char *text, size_t size)
{
	char buf[PREFIX_TEXT_MAX];
	struct prefix p, again;
	struct addr last;

	if (!prefix_parse(&p, text, size))
		return;
	prefix_format(&p, buf);
	last = prefix_host(&p, UINT64_MAX);
	if (!prefix_parse(&again, buf, strlen(buf)) || !prefix_eq(&p, &again) ||
		!prefix_has(&p, &p.addr) || !prefix_has(&p, &last))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	check_line(text, size);
	check_endpoint(text, size);
	check_prefix(text, size);
	return 0;
}
