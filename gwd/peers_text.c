/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A line is pairs of a word and a value, of either kind in one order. */
#include "gwd/peers_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_DIGITS 12 /* seconds of 30,000 years */

const char *
peers_text_format(const struct peers_line *l, char buf[PEERS_TEXT_MAX])
{
	char addr[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	addr_format(&l->addr, addr);
	if (l->kind == PEERS_KIND_PEER)
		snprintf(buf, PEERS_TEXT_MAX,
			"peer %s port %u to %s heard %" PRIu64, addr, l->port,
			addr_format(&l->to, to), l->at_s);
	else
		snprintf(buf, PEERS_TEXT_MAX, "path %s mtu %u until %" PRIu64,
			addr, l->mtu, l->at_s);
	return buf;
}

/* --- reading ------------------------------------------------------------ */

struct reading {
	char *save;	 /* of strtok_r() */
	const char *why; /* the first thing that was wrong; NULL: none */
};

/* The value of the next pair, whose word is `name`; never NULL. */
static const char *
value(struct reading *r, const char *name)
{
	char *word = strtok_r(NULL, " ", &r->save);
	char *text = strtok_r(NULL, " ", &r->save);

	if (word && text && !strcmp(word, name))
		return text;
	if (!r->why)
		r->why = "a word or its value is missing";
	return "";
}

static uint64_t
number(struct reading *r, const char *name, uint64_t min, uint64_t max)
{
	const char *text = value(r, name);
	size_t digits = strspn(text, "0123456789");
	uint64_t n = strtoull(text, NULL, 10);

	if (r->why)
		return 0;
	if (digits && !text[digits] && digits <= NUMBER_DIGITS && n >= min &&
		n <= max)
		return n;
	r->why = "a number makes no sense";
	return 0;
}

static struct addr
host(struct reading *r, const char *text, uint8_t ver)
{
	struct addr a = {0};

	if (!r->why && (!addr_parse(&a, text, strlen(text)) || a.ver != ver ||
			       !addr_is_global_unicast(&a)))
		r->why = "an address is none of a gateway";
	return r->why ? (struct addr){0} : a;
}

static void
read_peer(struct reading *r, struct peers_line *l, uint8_t ver)
{
	const char *to;

	l->kind = PEERS_KIND_PEER;
	l->port = (uint16_t)number(r, "port", 1, UINT16_MAX);
	to = value(r, "to");
	if (strcmp(to, "-"))
		l->to = host(r, to, ver);
	l->at_s = number(r, "heard", 0, UINT64_MAX);
}

static void
read_path(struct reading *r, struct peers_line *l)
{
	l->kind = PEERS_KIND_PATH;
	l->mtu = (uint32_t)number(r, "mtu", 1, UINT16_MAX);
	l->at_s = number(r, "until", 0, UINT64_MAX);
}

const char *
peers_text_parse(struct peers_line *l, const char *text, uint8_t ver)
{
	char line[PEERS_TEXT_MAX];
	struct reading r = {0};
	const char *kind, *addr;

	*l = (struct peers_line){0};
	if (strlen(text) >= sizeof(line))
		return "too long";
	strcpy(line, text);
	kind = strtok_r(line, " ", &r.save);
	addr = strtok_r(NULL, " ", &r.save);
	if (!kind || !addr)
		return "a word or its value is missing";
	l->addr = host(&r, addr, ver);
	if (!strcmp(kind, "peer"))
		read_peer(&r, l, ver);
	else if (!strcmp(kind, "path"))
		read_path(&r, l);
	else
		return "neither \"peer\" nor \"path\"";
	if (!r.why && strtok_r(NULL, " ", &r.save))
		r.why = "more than there should be";
	return r.why;
}
