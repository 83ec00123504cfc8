/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building the messages that the resolver sends: answers record by record, with
 * names compressed, cut to what the asker takes.
 *
 * An answer is written into the caller's memory from front to back: begin, then
 * records in the order of their sections, then end, which adds the OPT record
 * and fills in the header. When something of the answer or authority section
 * does not fit, the message is cut to header, question and OPT with TC set (the
 * asker comes again by TCP, RFC 2181 section 9); what does not fit into the
 * additional section is left out. Sockets, clocks and the meaning of records
 * are none of its business, but for what must not reach a host: see
 * answer_relay().
 */
#ifndef RESOLVERD_ANSWER_H
#define RESOLVERD_ANSWER_H

#include "libipref/dns/screen.h"
#include "resolverd/policy.h"

#define ANSWER_UDP_MAX DNS_UDP_PAYLOAD /* bytes of a UDP answer of ours */
#define ANSWER_NAMES   128	       /* places remembered for compression */

/* Extended errors (RFC 8914). */
enum answer_ede {
	EDE_OTHER = 0,
	EDE_NONE = 1000, /* not on the wire: no extended error */
	EDE_PROHIBITED = 18,
	EDE_NOT_AUTHORITATIVE = 20,
	EDE_NOT_SUPPORTED = 21,
	EDE_UPSTREAM = 22, /* no reachable authority */
	EDE_NETWORK = 23,  /* here: the mapper gave no address */
};

#define DNS_EDNS_DO    0x8000
#define DNS_TYPE_DS    43
#define DNS_TYPE_RRSIG 46
#define DNS_TYPE_SIG   24
#define DNS_TYPE_NXT   30
#define DNS_TYPE_HINFO 13

/* What an answer takes over from the query. */
struct answer_head {
	uint16_t id;
	uint16_t flags; /* the query's: opcode, RD and CD are taken over */
	bool has_question;
	struct dns_question question; /* in the case in which it came */
	bool edns;		      /* the query had an OPT record */
	bool dnssec_ok;		      /* its DO bit */
	size_t limit; /* bytes that the asker takes: 512 to 65,535 */
};

struct answer {
	struct wbuf w;
	struct answer_head head;
	uint16_t counts[DNS_N_SECTIONS];
	size_t question_end;
	bool aa;	/* say that it is authoritative */
	bool ra;	/* recursion is available; set by answer_begin() */
	bool truncated; /* answer or authority did not fit */
	size_t names[ANSWER_NAMES]; /* where names begin that can be used */
	uint8_t name_lens[ANSWER_NAMES]; /* their lengths, uncompressed */
	size_t n_names;
	size_t compared; /* names compared label by label, a bound in tests */
};

/* buf must have room for head->limit bytes. */
void answer_begin(
	struct answer *a, const struct answer_head *head, uint8_t *buf);
/* A record; rdata is uncompressed. */
void answer_rr(struct answer *a, enum dns_section section,
	const struct name *owner, uint16_t type, uint16_t class, uint32_t ttl,
	const void *rdata, size_t rdlen);
/* A record that lies in another (screened) message; names in its rdata are
 * freed of that message's compression. */
void answer_copy(struct answer *a, enum dns_section section,
	const struct dns_rr *rr, const uint8_t *msg, size_t len);
/* Convenience: a CNAME. */
void answer_cname(struct answer *a, const struct name *owner,
	const struct name *target, uint32_t ttl);

struct answer_filter {
	/* NULL: nothing is translated, hints stay. */
	const struct domains *domains;
	uint16_t qtype; /* asked for */
};

/* Takes the records of an upstream's screened answer over: but for OPT, TSIG
 * and other records that are for one hop; A and AAAA records (with their
 * signatures) outside of the answer section, and in it when another type was
 * asked for: they may be the native addresses of translated names; and with
 * domains set the address hints in SVCB and HTTPS records whose owner or target
 * is under them (the signatures of changed types go, too). */
void answer_relay(struct answer *a, const uint8_t *msg, size_t len,
	const struct screened *s, const struct answer_filter *f);

/* OPT (when the query had one) and header. The message's length; 0 when it
 * can't be sent: an answer over TCP beyond 65,535 bytes. ede: EDE_NONE or the
 * extended error to add. */
size_t answer_end(struct answer *a, uint16_t rcode, unsigned ede);

/* A whole message without records. */
size_t answer_error(const struct answer_head *head, uint8_t *buf,
	uint16_t rcode, unsigned ede, bool ra);

/* Copies the rdata of a record of a screened message with its names
 * uncompressed into w. */
void answer_plain_rdata(struct wbuf *w, const struct dns_rr *rr,
	const uint8_t *msg, size_t len);
/* Copies SVCB rdata (uncompressed) without ipv4hint and ipv6hint, which also
 * leave the list of mandatory keys. False when there were none (then w has the
 * same bytes as rdata) or when it makes no sense (w is then marked). */
bool answer_strip_hints(struct wbuf *w, const uint8_t *rdata, size_t rdlen);

#endif
