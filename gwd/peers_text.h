/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of the state file: what is kept of peers over a restart, as text. Pure.
 *
 *	gwd-state 1
 *	peer 198.51.100.7 port 1045 to 192.0.2.1 heard 1763918000
 *	path 198.51.100.7 mtu 1400 until 1763918400
 *
 * Times are seconds of the wall clock, for the file may outlive the machine's
 * uptime. `to -`: not known.
 */
#ifndef GWD_PEERS_TEXT_H
#define GWD_PEERS_TEXT_H

#include "libipref/addr.h"
#include "libipref/base.h"

#define PEERS_TEXT_FIRST "gwd-state 1" /* the first line */
#define PEERS_TEXT_MAX	 192	       /* of a line, with NUL */

enum peers_kind {
	PEERS_KIND_PEER,
	PEERS_KIND_PATH,
};

struct peers_line {
	enum peers_kind kind;
	struct addr addr;
	uint16_t port;	/* PEER */
	struct addr to; /* PEER; version 0: not known */
	uint32_t mtu;	/* PATH */
	uint64_t at_s;	/* PEER: last heard; PATH: believed until */
};

/* Without newline; returns buf. */
const char *peers_text_format(
	const struct peers_line *l, char buf[PEERS_TEXT_MAX]);
/* Addresses have to be of version ver. NULL, or why it is refused (static
 * text). */
const char *peers_text_parse(
	struct peers_line *l, const char *text, uint8_t ver) MUSTCHECK;

#endif
