/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that people write: AA strings, hosts-file lines, sources
 * (spec/text-formats.md). Parsers only: they look at nothing but their text,
 * log nothing and say in an enum what is wrong.
 *
 * References in them are taken in the forms that deployed programs read, too:
 * no commas, no dots (ref_parse() takes those), so that what we serve means
 * the same to everybody.
 */
#ifndef LIBIPREF_TEXT_H
#define LIBIPREF_TEXT_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/ref.h"

/* One mapping published in DNS: "AA 192.0.2.1 + 11". */
struct aa {
	struct addr gw;		  /* version 0 when given by name */
	char name[NAME_TEXT_MAX]; /* lower case, without the last dot; empty
				   * when gw is given */
	struct ref ref;
};

enum aa_result {
	AA_OK,
	AA_NONE,   /* does not begin with "AA ": another TXT string */
	AA_BROKEN, /* begins so, but does not parse */
};

/* One character-string of a TXT record (raw bytes, not escaped). Whether the
 * values can be used (reference 0, context not global unicast) is the
 * caller's: see aa_usable(). A name has labels of letters, digits, "-" and "_",
 * the last one no number. Not AA_OK: *aa is zero. */
enum aa_result aa_parse(struct aa *aa, const char *s, size_t len) MUSTCHECK;
/* Reference not 0 and a given context address global unicast; a context by
 * name passes (its addresses are checked when they are known). An all-zeros
 * context is not usable here; to an agent it is the mapper's own. */
bool aa_usable(const struct aa *aa);

enum hosts_kind {
	HOSTS_PLAIN,  /* empty, comment, or a line without mapping: ignored */
	HOSTS_LOCAL,  /* "loc", "local": stays invisible */
	HOSTS_PUB,    /* one of our hosts, published: ip, gw, ref */
	HOSTS_EXT,    /* a remote host at a fixed ea: ea, gw, ref */
	HOSTS_BROKEN, /* refused; error says why */
};

struct hosts_line {
	enum hosts_kind kind;
	struct addr addr; /* the ip of PUB and LOCAL, the ea of EXT */
	struct addr gw;	  /* version 0 or zeros: our own context address */
	bool has_ref;	  /* PUB may ask the mapper to allot one */
	struct ref ref;
	const char *error; /* BROKEN: static text, lower case, no newline */
};

/* One line without its newline. Checks syntax only; hosts_check() the rest. */
void hosts_parse(struct hosts_line *h, const char *line, size_t len);
/* What spec/text-formats.md refuses for a network: versions, not global
 * unicast, inside/outside the encoding network, reference 0, second-byte rule;
 * for EXT also the network's all-zeros and the gateway's own local address and
 * an all-zeros context. Whether the context of an EXT is our own public address
 * is the caller's. Returns NULL or the reason as static text. */
const char *hosts_check(const struct hosts_line *h, const struct prefix *encode,
	uint8_t tunnel_ver);

/* A DNS source: "local:public", domains without trailing dots, lower case. */
struct source {
	char local[256];  /* with NUL */
	char domain[256]; /* the public domain, with NUL */
};

/* Both parts 1 to 255 bytes of visible ASCII without ":" and empty labels; one
 * trailing dot and upper case are taken off. */
bool source_parse(struct source *s, const char *text, size_t len) MUSTCHECK;
#define SOURCE_TEXT_MAX 512
const char *source_format(const struct source *s, char buf[SOURCE_TEXT_MAX]);
bool source_eq(const struct source *a, const struct source *b);

#endif
