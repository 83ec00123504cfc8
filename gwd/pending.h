/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that wait for an answer of the mapper. Pure: it asks nobody and sees
 * no clock.
 *
 * What is waited for is a question (who stands behind this ea, which ea has
 * this host, which reference has ours). The packets of a question are kept in
 * the order in which they came and leave together, by pending_take(), when the
 * answer or a change of the mappings has come; each leaves alone, by
 * pending_expire(), when its time is over. All is bounded: packets per
 * question, packets in all, their bytes, their time, questions.
 *
 * A question is one of three things: to be asked (nobody has been asked yet, or
 * the connection ended before the answer), asked, or refused; a refusal is
 * remembered for a short while so that a stream of packets to nobody is one
 * question a second.
 */
#ifndef GWD_PENDING_H
#define GWD_PENDING_H

#include <sys/queue.h>

#include "gwd/core.h"

#define PENDING_EACH	   16	     /* packets per question */
#define PENDING_PACKETS	   4096	     /* in all */
#define PENDING_BYTES	   (8 << 20) /* in all */
#define PENDING_WAIT_MS	   2000
#define PENDING_QUESTIONS  4096
#define PENDING_REFUSALS   1024 /* remembered; the oldest go first */
#define PENDING_REFUSED_MS 1000

struct question {
	enum ask ask;
	struct addr addr;
	struct ref ref; /* ASK_EA only, else zero */
};

struct waiting {
	TAILQ_ENTRY(waiting) link; /* of the question, then of the taker */
	TAILQ_ENTRY(waiting) in_all;
	struct query *query; /* what it waits for; NULL once taken */
	uint64_t until_ms;
	struct packet_in in; /* of p; from: version 0 for a local packet */
	unsigned asked;	     /* 1 << ASK_*: what it has waited for by now */
	enum drop drop;	     /* what it is dropped for when the answer is no */
	uint8_t p[];
};

TAILQ_HEAD(waiting_list, waiting);

enum pending_result {
	PENDING_ASK,	 /* it waits, and the question has to be asked */
	PENDING_WAITS,	 /* it waits, the question is known already */
	PENDING_REFUSED, /* answered with no a moment ago: it does not wait */
	PENDING_FULL,	 /* a bound is reached, or memory: it does not wait */
};

struct pending;

struct question question_of(
	enum ask ask, const struct addr *addr, const struct ref *ref);

/* NULL: no memory. */
struct pending *pending_new(void) MUSTCHECK;
/* Frees the packets too. */
void pending_free(struct pending *p);

/* Copies the packet in (in->from: version 0 for a local packet); out says what
 * it waits for. asked: what it has waited for before. */
enum pending_result pending_add(struct pending *p, const struct packet_in *in,
	const struct packet_out *out, unsigned asked,
	uint64_t now_ms) MUSTCHECK;

/* The question has been sent to the mapper. */
void pending_asked(struct pending *p, const struct question *q);
/* It got no answer: true when packets wait for it, it is to be asked again
 * then; else it is forgotten. */
bool pending_unanswered(struct pending *p, const struct question *q) MUSTCHECK;
/* One of the questions to be asked (after the mapper has come back): *q. The
 * caller asks it, or stops. False: none is left. */
bool pending_to_ask(const struct pending *p, struct question *q) MUSTCHECK;

/* Ends a question, if there is such a one: its packets, the first first, are
 * appended to list (initialised) and are the caller's, for waiting_free(). */
void pending_take(
	struct pending *p, const struct question *q, struct waiting_list *list);
/* As pending_take() for those whose time is over; a question that was asked
 * stays without packets until its answer. */
void pending_expire(
	struct pending *p, uint64_t now_ms, struct waiting_list *list);
/* When the next packet's time is over; UINT64_MAX: none waits. */
uint64_t pending_next_ms(const struct pending *p);
/* The answer to this question is no: remembered for a while. */
void pending_refuse(
	struct pending *p, const struct question *q, uint64_t now_ms);

/* A copy of the packet in, for which out asks; asked: what it has waited for
 * before. NULL: no memory. */
struct waiting *waiting_new(const struct packet_in *in,
	const struct packet_out *out, unsigned asked) MUSTCHECK;
void waiting_free(struct waiting *w);

size_t pending_packets(const struct pending *p);
size_t pending_bytes(const struct pending *p);
size_t pending_questions(const struct pending *p);

#endif
