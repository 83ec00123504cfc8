/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The items that messages of the mapper protocol are made of: for each letter
 * of proto/mapper.def how it is decoded, encoded and written as text.
 *
 * For msg.c alone, which walks the letters of a row. An item reads and writes
 * its own fields of struct msg and knows nothing about commands.
 */
#ifndef LIBIPREF_MSG_ITEM_H
#define LIBIPREF_MSG_ITEM_H

#include "libipref/buf.h"
#include "libipref/msg.h"

/* A message being decoded. */
struct msg_in {
	struct msg *m; /* fmt is set */
	struct rbuf r;
	bool versions; /* a record of other IP versions was met */
};

/* A message being encoded. */
struct msg_out {
	const struct msg *m;
	const struct msg_format *fmt;
	struct wbuf w;
	size_t i; /* records written */
	bool bad; /* m holds what no packet may hold */
};

/* A message being written as text. */
struct msg_line {
	const struct msg *m;
	char *buf;
	size_t size, len; /* len < size; buf[len] is NUL */
	size_t i;	  /* records written */
	bool cut;	  /* did not fit: ends with dots, nothing is added */
};

struct msg_item {
	void (*decode)(struct msg_in *in);
	void (*encode)(struct msg_out *o);
	void (*text)(struct msg_line *l);
	/* For items with * or ?: there is one more, i being written. NULL:
	 * the item can't have them. */
	bool (*more)(const struct msg *m, size_t i);
};

/* The item of a letter, or NULL. */
const struct msg_item *msg_item(char letter);

/* Adds to the line, as far as there is room. */
void msg_line_add(struct msg_line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
