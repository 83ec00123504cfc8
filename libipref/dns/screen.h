/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks a DNS message as a whole before anything else (ldns too) may parse it.
 *
 * A message passes when its header's counts can be true for its size, every
 * name ends (compression points backwards, no loops), every record lies inside
 * it, the rdata of each type that holds names, strings or fixed fields is made
 * as its type wants, there is at most one question, one OPT (owner the root)
 * and one TSIG (the last record of all), both in the additional section only,
 * and nothing remains behind the last record. No allocation; time is linear in
 * the message's length. What the message says is the caller's to judge.
 */
#ifndef LIBIPREF_DNS_SCREEN_H
#define LIBIPREF_DNS_SCREEN_H

#include "libipref/dns/message.h"

enum screen_result {
	SCREEN_OK,
	SCREEN_SHORT,	  /* fewer than 12 bytes: not even a header */
	SCREEN_LONG,	  /* more than 65,535 bytes */
	SCREEN_COUNTS,	  /* the counts can't be true for this size */
	SCREEN_QUESTIONS, /* more than one */
	SCREEN_QUESTION,  /* cut, or its name is broken */
	SCREEN_RECORD,	  /* cut, or its owner name is broken */
	SCREEN_RDATA,	  /* not as the type wants it */
	SCREEN_OPT,	  /* twice, not in the additional section, owned */
	SCREEN_TSIG,	  /* twice, not the last record, class not ANY */
	SCREEN_TRAILING,  /* bytes remain */
	SCREEN_N_RESULTS,
};

struct screened {
	struct dns_header header;
	struct dns_question question; /* all zero when there is none */
	/* Where each section begins; that of an empty one is where it would. */
	size_t at[DNS_N_SECTIONS];
	size_t opt, tsig; /* where these records begin; 0: none */
	/* From the OPT record; payload 0 when there is none. */
	uint16_t payload;  /* UDP size that the sender takes */
	uint8_t ext_rcode; /* upper 8 bits of the rcode */
	uint8_t edns_version;
	uint16_t edns_flags; /* 0x8000: DO */
};

/* On failure s holds the header if there was one (s->header.id may then be
 * answered), the rest is not to be used. */
enum screen_result screen_message(
	struct screened *s, const void *msg, size_t len) MUSTCHECK;
/* The whole rcode, with the OPT record's part. */
uint16_t screen_rcode(const struct screened *s);
/* "name of the question is broken": for logs (static text). */
const char *screen_text(enum screen_result r);

#endif
