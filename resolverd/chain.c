/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Aliases. Each step costs one link, so a loop ends at CHAIN_MAX. */
#include "resolverd/chain.h"

#include <stdlib.h>

bool
chain_push(struct chain *c, uint16_t type, const struct name *owner,
	const struct name *target, uint32_t ttl)
{
	struct chain_link *more;

	if (c->n >= CHAIN_MAX)
		return false;
	more = reallocarray(c->links, c->n + 1, sizeof(*more));
	if (!more)
		return false;
	c->links = more;
	more[c->n++] = (struct chain_link){type, ttl, *owner, *target};
	return true;
}

void
chain_cut(struct chain *c, size_t n)
{
	if (c->n > n)
		c->n = n;
}

void
chain_fini(struct chain *c)
{
	free(c->links);
	*c = (struct chain){0};
}

bool
rr_find(struct dns_rr *rr, enum dns_section section, const struct name *owner,
	uint16_t type, const uint8_t *msg, size_t len, const struct screened *s)
{
	struct rbuf r;
	size_t i;

	rbuf_init(&r, msg, len);
	rbuf_skip(&r, s->at[section]);
	for (i = 0; i < s->header.counts[section]; i++) {
		*rr = dns_rr_get(&r);
		if (!rbuf_ok(&r))
			return false;
		if (rr->type == type && rr->class == DNS_CLASS_IN &&
			(!owner || name_eq(&rr->owner, owner)))
			return true;
	}
	return false;
}

bool
chain_follow(struct chain *c, struct name *name, const uint8_t *msg, size_t len,
	const struct screened *s)
{
	struct name target;
	struct dns_rr rr;

	while (rr_find(&rr, DNS_ANSWER, name, DNS_TYPE_CNAME, msg, len, s)) {
		if (!dns_target_get(&target, &rr, msg, len) ||
			!chain_push(c, DNS_TYPE_CNAME, name, &target, rr.ttl))
			return false;
		*name = target;
	}
	return true;
}

void
chain_write(const struct chain *c, struct answer *a)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		answer_rr(a, DNS_ANSWER, &c->links[i].owner, c->links[i].type,
			DNS_CLASS_IN, c->links[i].ttl, c->links[i].target.b,
			c->links[i].target.len);
}
