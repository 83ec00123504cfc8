/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows mapperd (proto/mapper.md, "The feed"): keeps the copy of the mappings
 * as mapperd has them, tells what is held, proved and in use (report.h), and
 * asks mapperd about what the copy does not know.
 *
 *	AWAY --connected--> HOLDING --told--> STARTING --ACK--> COPYING or
 *	  ^                    ^                  |             CATCHING_UP
 *	  |                  retry              NACK                 |
 *	  |                    |                  v               FEED_AT
 *	  +--- the end ---- REFUSED <-------------+                  v
 *	                                                         FOLLOWING
 *
 * A connection that ends, a gap in the revisions, another store's identity or
 * silence lead to AWAY from anywhere. The copy goes on serving meanwhile, for
 * as long as keep_ms says.
 */
#ifndef GWD_FEED_H
#define GWD_FEED_H

#include "gwd/pending.h"
#include "libipref/mclient.h"
#include "libipref/msg.h"

struct event_base;
struct maps;
struct feed;

enum feed_state {
	FEED_AWAY,
	FEED_HOLDING,
	FEED_STARTING,
	FEED_REFUSED,
	FEED_COPYING,
	FEED_CATCHING_UP,
	FEED_FOLLOWING,
	FEED_N_STATES
};

enum feed_answer {
	FEED_YES,  /* it is in the copy now */
	FEED_NO,   /* there is no such mapping, and there will be none */
	FEED_NONE, /* no answer */
};

/* Milliseconds; proto/mapper.md gives them. */
struct feed_times {
	uint64_t tick;	  /* how often the others are looked at */
	uint64_t used;	  /* between two reports of use */
	uint64_t silence; /* of mapperd, until reconnecting */
	uint64_t refused; /* until a refused follower asks again */
	uint64_t hold;	  /* for the answer to FEED_HOLD: a mapper that does not
			   * know it gives none */
	uint64_t start;	  /* for the answer to FEED_START and to reports */
	uint64_t retry;	  /* of a report of proved ones */
	uint64_t keep;	  /* the copy serves without mapperd */
	uint64_t keep_tentative; /* of it, the tentative entries */
};
extern const struct feed_times feed_times_default;

struct feed_config {
	const char *path; /* of the mapper socket; copied */
	struct msg_format fmt;
	struct msg_profile profile;
	struct feed_times times;
	struct maps *maps; /* borrowed; the feed is its one writer */
	/* An entry came into the copy. */
	void (*changed)(const struct msg_entry *e, void *arg);
	/* To a question of feed_ask(). */
	void (*answered)(
		const struct question *q, enum feed_answer answer, void *arg);
	/* Questions can be asked (again). */
	void (*ready)(void *arg);
	void *arg;
};

struct feed_stats {
	enum feed_state state;
	uint64_t store, revision; /* of the copy, when it is whole; else 0 */
	uint64_t followed_ms;	  /* when the mapper was last followed */
	uint64_t copies, catch_ups, gaps, refusals;
	uint64_t sets, dels; /* entries */
	uint64_t not_held;   /* entries that the copy had no room for */
	uint64_t asked, yes, no, unanswered;
	char refused_why[256]; /* by the last refusal; empty: none since */
};

/* Connects from the loop. NULL: no memory. */
struct feed *feed_new(
	struct event_base *base, const struct feed_config *cfg) MUSTCHECK;
/* Answers that are still out will not come. NULL is fine. */
void feed_free(struct feed *f);
void feed_set_keep(struct feed *f, uint64_t keep_ms);

/* Whether mapperd is there and takes us for its gateway. */
bool feed_can_ask(const struct feed *f);
/* Asks; answered() comes later, once, from the loop. 0 or -errno (-ENOTCONN
 * when it can't be asked now). */
int feed_ask(struct feed *f, const struct question *q) MUSTCHECK;

const struct feed_stats *feed_stats(const struct feed *f);
const struct report_stats *feed_report_stats(const struct feed *f);
const struct mclient_stats *feed_mclient_stats(const struct feed *f);
const char *feed_state_name(enum feed_state s);

#endif
