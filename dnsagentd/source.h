/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One source: its servers' votes, the lookups for what won, the set for the
 * mapper.
 *
 * Each good transfer leads to a vote; what the quorum says goes through a round
 * of lookups (also when it is what it was: local addresses change too), and the
 * resulting set to push.h. A set with unknown names (names.h) waits, at most
 * 10 minutes, then goes without them if any name was found. Whatever fails
 * changes nothing at the mapper.
 */
#ifndef DNSAGENTD_SOURCE_H
#define DNSAGENTD_SOURCE_H

#include "dnsagentd/names.h"
#include "dnsagentd/push.h"
#include "dnsagentd/server.h"

struct source_config {
	struct event_base *base;
	const struct agent_conf *settings; /* borrowed; changes on reload */
	struct msg_format fmt;
	struct mclient *mapper; /* NULL: sets are printed only */
	size_t lookups;		/* of one kind, under way at once */
	uint64_t first_poll_ms; /* to the first poll of its first server */
	void (*print)(const char *line, void *arg); /* without a mapper */
	void *arg;
};

struct source_stats {
	bool quorum;  /* the last vote had a winner */
	size_t hosts; /* published by the zone */
	uint64_t skipped[ZONE_N_SKIPS];
	uint64_t left_out, duplicates; /* of the last set */
	size_t unanswered;	       /* names in the last round */
	uint64_t waiting_ms; /* since when unknown names hold up a set; 0 */
	uint64_t rounds;
};

struct source_state {
	struct source_config cfg;
	struct source_conf conf; /* own copy */
	char label[SOURCE_TEXT_MAX];
	struct server servers[SOURCE_SERVERS_MAX];
	size_t n_servers; /* initialised */
	struct names *names;
	struct push *push;	/* NULL without a mapper */
	struct hosts_ref *next; /* won while a round was under way */
	struct event *retry;	/* of a round with unanswered names */
	uint64_t retry_ms;
	bool printed; /* a set was, with this hash */
	uint64_t printed_hash;
	struct log_limit limit;
	struct source_stats stats;
};

/* s is the caller's, to be ended by source_fini(), also after a failure:
 * -ENOMEM. */
int source_init(struct source_state *s, const struct source_config *cfg,
	const struct source_conf *conf) MUSTCHECK;
void source_fini(struct source_state *s);
/* The mapper is connected (again). */
void source_mapper_up(struct source_state *s);
/* After settings have changed. */
void source_reload(struct source_state *s);

#endif
