/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mapperd is told about the copy of the mappings (proto/mapper.md): which
 * tentative entries are held (FEED_HOLD, before each FEED_START), which of them
 * have been proved (FEED_PROVED), which entries are in use (FEED_USED).
 *
 * For the feed, which owns the connection and knows when there is somebody to
 * tell. Of each kind one request is under way at most; what was not
 * acknowledged is told again.
 */
#ifndef GWD_REPORT_H
#define GWD_REPORT_H

#include "libipref/mclient.h"

struct maps;
struct report;

struct report_config {
	struct mclient *mc; /* borrowed, as maps */
	struct maps *maps;
	/* Milliseconds */
	uint64_t used;	/* between two reports of use */
	uint64_t hold;	/* for the answer to FEED_HOLD; one that doesn't come is
			 * waited for but once */
	uint64_t reply; /* for the other answers */
	uint64_t retry; /* until mapperd is told of proved ones again */
	/* The end of report_hold(), from within it or from the loop. all:
	 * mapperd has been told of all, and what it does not hold is gone. */
	void (*held)(bool all, void *arg);
	void *arg;
};

/* All count entries, but for timeouts. */
struct report_stats {
	uint64_t used;	   /* acknowledged */
	uint64_t held;	   /* told as held */
	uint64_t not_held; /* of them, removed because mapperd does not */
	uint64_t unheld;   /* FEED_HOLDs without an ACK */
	uint64_t proved;   /* told as proved, each time */
	uint64_t promoted; /* of them, acknowledged, and ordinary now */
	uint64_t refused;  /* of them, acknowledged, and tentative still */
};

/* NULL: no memory. */
struct report *report_new(const struct report_config *cfg) MUSTCHECK;
/* After mclient_free(), for requests may be under way. NULL is fine. */
void report_free(struct report *r);

/* On each connection, before each FEED_START: all tentative entries are told as
 * held. held() comes once, unless the connection ends before. */
void report_hold(struct report *r);
/* Reports use now; also with nothing in use: the mapper waits for a first
 * report before it lets anything end. */
void report_used(struct report *r);
/* Tells what it is time to tell. */
void report_tick(struct report *r, uint64_t now_ms);

const struct report_stats *report_stats(const struct report *r);

#endif
