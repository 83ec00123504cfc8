/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of zone files (RFC 1035, 5.1) below the level of records: logical
 * lines, words, $GENERATE templates.
 *
 * A logical line has its comments and parentheses taken away; quotes and
 * escapes stay as they are. Words are cut off its front.
 */
#ifndef RESOLVERD_ZONETEXT_H
#define RESOLVERD_ZONETEXT_H

#include <stdio.h>

#include "libipref/base.h"

#define ZONETEXT_LINE_MAX 140000 /* bytes of a logical line: 64 KB of rdata */

struct zonetext {
	FILE *in;      /* the caller's */
	unsigned line; /* lines read so far */
	unsigned at;   /* where the logical line given last began; from 1 */
	char *buf;     /* owned; ZONETEXT_LINE_MAX bytes */
};

/* False: no memory. */
bool zonetext_init(struct zonetext *t, FILE *in) MUSTCHECK;
void zonetext_fini(struct zonetext *t);

enum zonetext_result {
	ZONETEXT_LINE, /* buf holds one that is not empty, NUL-terminated */
	ZONETEXT_END,
	ZONETEXT_BAD, /* *error says why (static text) */
};
enum zonetext_result zonetext_next(struct zonetext *t, const char **error);

/* Cuts the next word off: NUL-terminated in place, *p moved behind it; NULL
 * when there is none. A quoted string is one word, with its quotes. */
char *zonetext_word(char **p);

struct generate {
	unsigned start, stop, step;
};

/* "1-10", "0-254/2"; at most 65,536 steps. */
bool generate_parse(struct generate *g, const char *text) MUSTCHECK;
/* Writes the template with every $ and ${OFFSET,WIDTH,BASE} replaced by the
 * value; \$ is a $. False when it makes no sense or does not fit. */
bool generate_expand(
	char *out, size_t size, const char *template, unsigned value) MUSTCHECK;

#endif
