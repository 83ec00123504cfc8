/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps the mapper in possession of one source's set.
 *
 * A set goes out as MC_HOST_DATA batches of at most 1,200 bytes, a window of
 * them at once, each resent under a new batch id until it is acknowledged.
 * When all are, MC_HOST_DATA_HASH asks whether the mapper holds it: at once,
 * again at 90 to 100 % of each interval, and after each reconnect; a NACK sends
 * everything again. An empty set is one batch without records (mapper.md). A
 * new set replaces the one under way; nothing is ever given up.
 */
#ifndef DNSAGENTD_PUSH_H
#define DNSAGENTD_PUSH_H

#include "dnsagentd/set.h"
#include "libipref/mclient.h"

struct event_base;
struct push;

struct push_config {
	struct mclient *mapper;	     /* borrowed */
	struct msg_format fmt;	     /* what it speaks */
	const struct source *source; /* borrowed */
	uint64_t interval_ms;	     /* of the heartbeat */
	uint64_t ack_ms;	     /* patience for an ACK, and the
				      * first pause after a refusal; 0: 5 s */
};

enum push_state {
	PUSH_NOTHING, /* no set yet */
	PUSH_SENDING, /* batches are not acknowledged yet */
	PUSH_ASKING,  /* all are; the HASH is not */
	PUSH_HELD,    /* the mapper said that it holds the set */
};

struct push_stats {
	enum push_state state;
	uint64_t records, hash;		   /* of the set */
	uint64_t batches_acked, n_batches; /* of the set */
	uint64_t sets;			   /* begun */
	uint64_t batches, resent, refused; /* of all sets; refused: by NACK */
	uint64_t hash_acks, hash_nacks;
	uint64_t held_ms; /* now_ms() of the last ACK of a HASH; 0: never */
};

/* NULL: no memory. */
struct push *push_new(
	struct event_base *base, const struct push_config *cfg) MUSTCHECK;
/* NULL is fine. To be freed before the mclient. */
void push_free(struct push *p);

/* From now on this is the set; its records move into p and *set becomes empty.
 * One that equals the present one changes nothing. 0 or -ENOMEM: the present
 * one stays, *set is the caller's still. */
int push_take(struct push *p, struct set *set) MUSTCHECK;
/* The mapper is connected (again). */
void push_up(struct push *p);
void push_set_interval(struct push *p, uint64_t interval_ms);
const struct push_stats *push_stats(const struct push *p);
const char *push_state_text(enum push_state s);

#endif
