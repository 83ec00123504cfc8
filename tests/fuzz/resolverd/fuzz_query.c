/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's message judged, and answered with what it asks for: the first byte
 * chooses UDP or TCP, and an error to answer with.
 */
#include <stdlib.h>

#include "resolverd/request.h"
#include "resolverd/reverse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
answer(const struct request *rq)
{
	uint8_t *buf = malloc(rq->head.limit);
	struct screened s;
	size_t len;

	if (!buf)
		abort();
	len = answer_error(&rq->head, buf, rq->rcode, rq->ede, true);
	if (!len || len > rq->head.limit ||
		screen_message(&s, buf, len) != SCREEN_OK ||
		s.header.id != rq->head.id || !(s.header.flags & DNS_QR) ||
		(rq->head.edns && screen_rcode(&s) != rq->rcode))
		abort();
	free(buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request rq;
	struct name name;
	struct prefix p;
	bool whole;

	if (!size)
		return 0;
	request_parse(&rq, data + 1, size - 1, data[0] & 1);
	if (rq.kind == REQUEST_DROP)
		return 0;
	if (rq.kind != REQUEST_ERROR)
		rq.ede = data[0] & 2 ? EDE_UPSTREAM : EDE_NONE;
	answer(&rq);
	if (rq.head.has_question &&
		reverse_parse(&p, &whole, &rq.head.question.name) && whole) {
		reverse_name(&name, &p);
		if (!name_eq(&name, &rq.head.question.name))
			abort();
	}
	return 0;
}
