/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vote. n is the number of servers of one source: a handful. */
#include "dnsagentd/quorum.h"

static bool
speaks(const struct vote *v)
{
	return v->counts && v->set;
}

size_t
quorum_winner(const struct vote *votes, size_t n)
{
	size_t i, k, voters = 0, same;

	for (i = 0; i < n; i++)
		voters += votes[i].counts;
	for (i = 0; i < n; i++) {
		if (!speaks(&votes[i]))
			continue;
		same = 1;
		for (k = i + 1; k < n; k++)
			same += speaks(&votes[k]) &&
				hosts_eq(votes[i].set, votes[k].set);
		if (2 * same > voters)
			return i;
	}
	return QUORUM_NONE;
}
