/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a client's message is: a question to be answered, a transfer, something
 * to be refused at once, or nothing to answer at all. Pure; the only place that
 * looks into messages of clients.
 */
#ifndef RESOLVERD_REQUEST_H
#define RESOLVERD_REQUEST_H

#include "resolverd/answer.h"

enum request_kind {
	REQUEST_DROP,	  /* no answer: too short, or an answer itself */
	REQUEST_ERROR,	  /* answer with rcode and ede */
	REQUEST_QUERY,	  /* head.question, class IN, one record type or ANY */
	REQUEST_TRANSFER, /* head.question: AXFR or IXFR */
};

struct request {
	enum request_kind kind;
	struct answer_head head; /* but for DROP */
	uint16_t rcode;
	unsigned ede;
	/* IXFR: the client's serial, from its SOA. */
	bool has_serial;
	uint32_t serial;
};

void request_parse(
	struct request *rq, const uint8_t *msg, size_t len, bool tcp);

#endif
