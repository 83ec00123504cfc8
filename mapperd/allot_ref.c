/* SPDX-License-Identifier: GPL-2.0-or-later */
/* References: how they are drawn, and how many a second. */
#include <errno.h>

#include "mapperd/allot_impl.h"

#define REF_BITS 68

/* Refills the bucket; whether it holds one more. */
static bool
rate_take(struct allot *a, uint64_t now)
{
	uint64_t full = (uint64_t)a->cfg.refs_burst * 1000;
	uint64_t ms = now > a->tokens_at ? now - a->tokens_at : 0;

	if (ms > full)
		ms = full; /* keeps the product small */
	a->tokens += ms * a->cfg.refs_per_s;
	if (a->tokens > full)
		a->tokens = full;
	a->tokens_at = now;
	if (a->tokens < 1000)
		return false;
	a->tokens -= 1000;
	return true;
}

/* 68 random bits below one that is always set, so that every reference of
 * ours has the same form on the wire and none is below 256. */
static struct ref
random_ref(const struct allot *a)
{
	struct ref r = {{0}};
	size_t first = REF_LEN - (REF_BITS + 7) / 8;

	a->cfg.random(r.b + first, REF_LEN - first, a->cfg.arg);
	r.b[first] = (uint8_t)((r.b[first] & 0x0f) | 0x10);
	return r;
}

enum allot_result
allot_ref(struct allot *a, uint64_t now, bool limited, struct ref *out)
{
	int i;

	if (limited && !rate_take(a, now))
		return ALLOT_RATE;
	for (i = 0; i < DRAWS_MAX; i++) {
		*out = random_ref(a);
		if (ref_second_byte(out) >= SECOND_BYTE_OURS &&
			!gone_find(&a->refs, out))
			return ALLOT_OK;
	}
	return ALLOT_SPENT;
}

int
allot_ref_gone(struct allot *a, const struct ref *ref, uint64_t at)
{
	union gone_value value = {.ref = *ref};
	int err = gone_add(&a->refs, &value, CAUSE_NONE, at);

	return err == -EEXIST ? 0 : err;
}
