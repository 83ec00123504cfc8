/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vote: each row says what the servers said, a letter per set. */
#include "dnsagentd/quorum.h"
#include "tests/unit/dnsagentd/zones.h"
#include "tests/unit/run.h"

/* A letter: that set; "-": may vote, but has said nothing; lower case: has
 * said that set, but is silent for too long; ".": nothing and too long. */
static const struct {
	const char *votes;
	size_t winner;
} rows[] = {
	{"", QUORUM_NONE},
	{"A", 0},
	{"-", QUORUM_NONE},
	{".", QUORUM_NONE},
	{"a", QUORUM_NONE},
	{"AA", 0},
	{"AB", QUORUM_NONE},
	{"A-", QUORUM_NONE},
	{"A.", 0},
	{"Ab", 0},
	{"aB", 1},
	{"AAB", 0},
	{"BAA", 1},
	{"ABA", 0},
	{"ABC", QUORUM_NONE},
	{"A--", QUORUM_NONE},
	{"AA-", 0},
	{"A..", 0},
	{"AaB", QUORUM_NONE},
	{"AABB", QUORUM_NONE},
	{"AABBB", 2},
	{"EE", 0}, /* the empty set is a set */
	{"EA-", QUORUM_NONE},
};

static const char *const zone_a[] = {"h TXT AA 192.0.2.1 + 1", NULL};
static const char *const zone_b[] = {"h TXT AA 192.0.2.1 + 2", NULL};
static const char *const zone_c[] = {"h TXT AA gw.example.net + 1", NULL};
static const char *const zone_e[] = {NULL};

START_TEST(test_rows)
{
	static const char *const *const zones[] = {
		zone_a, zone_b, zone_c, NULL, zone_e};
	struct hosts sets[8] = {0};
	struct vote votes[8];
	size_t i, k, n;
	int c;

	for (i = 0; i < ARRAY_LEN(rows); i++) {
		n = strlen(rows[i].votes);
		for (k = 0; k < n; k++) {
			c = rows[i].votes[k];
			votes[k] = (struct vote){
				.counts = c == '-' || (c >= 'A' && c <= 'Z')};
			if (c == '-' || c == '.')
				continue;
			/* Each its own copy: content decides. */
			zone_make_hosts(
				&sets[k], zones[(c | 0x20) - 'a'], 4, false);
			votes[k].set = &sets[k];
		}
		ck_assert_msg(quorum_winner(votes, n) == rows[i].winner, "%s",
			rows[i].votes);
		for (k = 0; k < n; k++)
			hosts_fini(&sets[k]);
	}
}
END_TEST

RUN_TESTS("quorum", test_rows)
