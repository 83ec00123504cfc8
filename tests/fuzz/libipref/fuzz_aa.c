/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AA strings and sources: whatever is taken keeps its promises and, written
 * anew, reads as the same. */
#include <stdio.h>
#include <stdlib.h>

#include "libipref/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_aa(const struct aa *aa)
{
	char gw[ADDR_TEXT_MAX], ref[REF_TEXT_MAX], text[NAME_TEXT_MAX + 100];
	struct aa again;
	int len;

	if ((aa->gw.ver != 0) == (aa->name[0] != '\0'))
		abort();
	len = snprintf(text, sizeof(text), "AA %s + %s",
		aa->gw.ver ? addr_format(&aa->gw, gw) : aa->name,
		ref_format(&aa->ref, ref));
	if (aa_parse(&again, text, (size_t)len) != AA_OK ||
		!addr_eq(&aa->gw, &again.gw) || !ref_eq(&aa->ref, &again.ref) ||
		strcmp(aa->name, again.name) != 0 ||
		aa_usable(aa) != aa_usable(&again))
		abort();
}

static void
check_source(const struct source *s)
{
	char text[SOURCE_TEXT_MAX];
	struct source again;

	source_format(s, text);
	if (!source_parse(&again, text, strlen(text)) || !source_eq(s, &again))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source source;
	struct aa aa;

	switch (aa_parse(&aa, (const char *)data, size)) {
	case AA_OK:
		check_aa(&aa);
		break;
	case AA_NONE:
		if (size >= 3 && !memcmp(data, "AA ", 3))
			abort();
		break;
	case AA_BROKEN:
		if (aa_usable(&aa))
			abort();
		break;
	}
	if (source_parse(&source, (const char *)data, size))
		check_source(&source);
	return 0;
}
