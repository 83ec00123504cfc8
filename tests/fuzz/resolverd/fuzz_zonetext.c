/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a zone file cut into lines and words; $GENERATE templates. */
#include <stdlib.h>
#include <string.h>

#include "resolverd/zonetext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
line(char *p)
{
	char out[256], *word;
	struct generate g;

	while ((word = zonetext_word(&p))) {
		if (!*word || strchr("\n", *word))
			abort();
		if (generate_parse(&g, word) && g.stop < g.start)
			abort();
		if (generate_expand(out, sizeof(out), word, 4711) &&
			strlen(out) >= sizeof(out))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *error = NULL;
	struct zonetext t;
	FILE *f;

	if (!size)
		return 0;
	f = fmemopen((void *)(uintptr_t)data, size, "r");
	if (!f || !zonetext_init(&t, f))
		abort();
	while (zonetext_next(&t, &error) == ZONETEXT_LINE)
		line(t.buf);
	zonetext_fini(&t);
	fclose(f);
	return 0;
}
