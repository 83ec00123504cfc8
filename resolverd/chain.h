/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The aliases that led from the name asked for to the one that has the answer:
 * CNAMEs, and the DNAMEs that they come of. Bounded, so that loops end.
 */
#ifndef RESOLVERD_CHAIN_H
#define RESOLVERD_CHAIN_H

#include "resolverd/answer.h"

#define CHAIN_MAX 16

struct chain_link {
	uint16_t type; /* CNAME or DNAME */
	uint32_t ttl;
	struct name owner, target;
};

struct chain {
	struct chain_link *links; /* owned */
	size_t n;
};

/* False: CHAIN_MAX reached, or no memory. */
bool chain_push(struct chain *c, uint16_t type, const struct name *owner,
	const struct name *target, uint32_t ttl) MUSTCHECK;
/* Forgets all but the first n. */
void chain_cut(struct chain *c, size_t n);
void chain_fini(struct chain *c);
/* Follows the CNAMEs of a screened answer from *name on; *name becomes the last
 * target. False: too many. */
bool chain_follow(struct chain *c, struct name *name, const uint8_t *msg,
	size_t len, const struct screened *s) MUSTCHECK;
void chain_write(const struct chain *c, struct answer *a);

/* The first record of this type of a screened message's section with this owner
 * (NULL: any); false when there is none. */
bool rr_find(struct dns_rr *rr, enum dns_section section,
	const struct name *owner, uint16_t type, const uint8_t *msg, size_t len,
	const struct screened *s) MUSTCHECK;

#endif
