/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Query strings: a value that is given fits its buffer, is no longer than its
 * text, and a larger buffer gives the same. */
#include <stdlib.h>
#include <string.h>

#include "libipref/ctl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_key(const char *query, const char *key)
{
	char small[8], large[4096];
	bool in_small, in_large;

	in_small = ctl_query(query, key, small, sizeof(small));
	in_large = ctl_query(query, key, large, sizeof(large));
	if (in_small && (!in_large || strcmp(small, large) != 0))
		abort();
	if (in_large && strlen(large) > strlen(query))
		abort();
	if (in_large && !in_small && strlen(large) < sizeof(small))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *query;

	if (size >= 4096)
		return 0;
	query = malloc(size + 1);
	if (!query)
		abort();
	memcpy(query, data, size);
	query[size] = '\0';
	check_key(query, "a");
	check_key(query, "name");
	check_key(query, "");
	free(query);
	return 0;
}
