/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings as operators see them: one JSON object each, the same wherever a
 * mapping is shown. Pure. */
#ifndef MAPPERD_SHOW_H
#define MAPPERD_SHOW_H

#include "mapperd/hostset.h"

/* Bytes that the members of one mapping take at most, with NUL: a name and a
 * source whose every byte is escaped, and the rest. */
#define SHOW_MAX (6 * (ENTRY_NAME_MAX + SOURCE_TEXT_MAX) + 1024)

struct show {
	const struct hostset *sets; /* names of owners */
	struct addr pub;	    /* our own context; zeros: not known */
	uint64_t now;
};

/* What is shown of an entry; borrows its name. */
struct entry_data show_entry(const struct entry *e);

/* The members of a mapping's object, without braces: kind, ea or ip, gw, ref,
 * owner, cause, name, listed, tentative, and with `life` expires_seconds,
 * age_seconds, revision. Returns their length. */
size_t show_mapping(char buf[SHOW_MAX], const struct entry_data *d,
	const struct show *how, bool life);

/* "mapper", "tentative", "hosts", a source's text; NULL: a source that is not
 * known any more. */
const char *show_owner(
	uint32_t owner, const struct hostset *sets, char buf[SOURCE_TEXT_MAX]);

/* The context of a mapping: our own public address for our own one. */
const struct addr *show_gw(const struct entry_data *d, const struct show *how);

#endif
