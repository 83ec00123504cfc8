/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An upstream's answer: followed, relayed to a client with much or little room.
 * Whatever comes out is a good message without native addresses beside the
 * answer. The first byte chooses limit, EDNS and hints.
 */
#include <stdlib.h>

#include "resolverd/chain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Records of addresses stand in the answer section only, of the type asked. */
static void
check(const uint8_t *msg, size_t len, uint16_t qtype)
{
	enum dns_section section;
	struct screened s;
	struct dns_rr rr;
	struct rbuf r;
	size_t i;

	if (screen_message(&s, msg, len) != SCREEN_OK)
		abort();
	rbuf_init(&r, msg, len);
	rbuf_skip(&r, s.at[DNS_ANSWER]);
	for (section = DNS_ANSWER; section < DNS_N_SECTIONS; section++)
		for (i = 0; i < s.header.counts[section]; i++) {
			rr = dns_rr_get(&r);
			if ((rr.type == DNS_TYPE_A ||
				    rr.type == DNS_TYPE_AAAA) &&
				(section != DNS_ANSWER || rr.type != qtype))
				abort();
		}
}

static void
relay(const uint8_t *msg, size_t len, const struct screened *s, uint8_t how)
{
	struct name root = name_root();
	struct domains domains = {{&root, 1}, {NULL, 0}};
	struct answer_filter f = {how & 1 ? &domains : NULL, s->question.type};
	struct answer_head h = {.has_question = true,
		.question = s->question,
		.edns = how & 2,
		.limit = how & 4 ? DNS_MESSAGE_MAX : 512u + how};
	uint8_t *buf = malloc(h.limit);
	struct answer a;
	size_t n;

	if (!buf)
		abort();
	answer_begin(&a, &h, buf);
	answer_relay(&a, msg, len, s, &f);
	n = answer_end(&a, screen_rcode(s) & 15, EDE_NONE);
	if (n)
		check(buf, n, f.qtype);
	else if (h.limit < DNS_MESSAGE_MAX)
		abort();
	free(buf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct chain chain = {0};
	struct screened s;
	struct name name;

	if (!size || screen_message(&s, data + 1, size - 1) != SCREEN_OK ||
		!s.header.counts[DNS_QUESTION])
		return 0;
	name = s.question.name;
	if (chain_follow(&chain, &name, data + 1, size - 1, &s) &&
		chain.n > CHAIN_MAX)
		abort();
	chain_fini(&chain);
	relay(data + 1, size - 1, &s, data[0]);
	return 0;
}
