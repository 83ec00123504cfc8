/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counters per context address and per its network (/24 or /64): what an
 * outsider makes us remember is bounded per outsider.
 */
#ifndef MAPPERD_QUOTA_H
#define MAPPERD_QUOTA_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/table.h"
#include "mapperd/entry.h"

struct quota_limits {
	uint32_t peer_gw, peer_net;	      /* mappings that peers caused */
	uint32_t resolver_gw;		      /* that resolvers asked for */
	uint32_t tentative_gw, tentative_net; /* tentative ones */
};

struct quotas {
	struct quota_limits limits;
	struct table counts; /* struct quota_count, owned */
};

/* At most max addresses and networks have counters. */
void quotas_init(
	struct quotas *q, const struct quota_limits *limits, size_t max);
void quotas_fini(struct quotas *q);

/* One mapping more behind gw: 0; -EDQUOT: one too many; -ENOMEM. With force
 * it is counted whatever the limits say (it is there already). */
int quotas_take(struct quotas *q, const struct addr *gw, enum entry_cause cause,
	bool force) MUSTCHECK;
/* One less. */
void quotas_give(
	struct quotas *q, const struct addr *gw, enum entry_cause cause);

#endif
