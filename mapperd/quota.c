/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Invariant: a counter exists only while it is not zero. */
#include "mapperd/quota.h"

#include <errno.h>
#include <stdlib.h>

struct quota_key {
	struct addr addr; /* address, or network with its host bits zero */
	uint8_t what;	  /* KEY_* */
};
enum {
	KEY_RESOLVER_GW,
	KEY_PEER_GW,
	KEY_PEER_NET,
	KEY_TENTATIVE_GW,
	KEY_TENTATIVE_NET,
};

struct quota_count {
	struct quota_key key;
	uint32_t n;
};

void
quotas_init(struct quotas *q, const struct quota_limits *limits, size_t max)
{
	q->limits = *limits;
	table_init(&q->counts, offsetof(struct quota_count, key),
		sizeof(struct quota_key), max);
}

void
quotas_fini(struct quotas *q)
{
	struct quota_count *c;

	TABLE_FOREACH (&q->counts, pos, c)
		free(c);
	table_fini(&q->counts);
}

static struct addr
network_of(const struct addr *gw)
{
	struct addr net = *gw;
	size_t i;

	for (i = net.ver == 4 ? 3 : 8; i < sizeof(net.b); i++)
		net.b[i] = 0;
	return net;
}

static int
count_up(struct quotas *q, const struct quota_key *key, uint32_t limit)
{
	struct quota_count *c = table_get(&q->counts, key);

	if (c) {
		if (c->n >= limit)
			return -EDQUOT;
		c->n++;
		return 0;
	}
	if (!limit)
		return -EDQUOT;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->key = *key;
	c->n = 1;
	if (table_put(&q->counts, c)) {
		free(c);
		return -ENOMEM;
	}
	return 0;
}

static void
count_down(struct quotas *q, const struct quota_key *key)
{
	struct quota_count *c = table_get(&q->counts, key);

	if (!c || --c->n)
		return;
	table_del(&q->counts, key);
	free(c);
}

/* What counts a mapping. */
struct quota_row {
	uint8_t gw, net; /* KEY_* */
	bool has_net;
	uint32_t gw_limit, net_limit;
};

static struct quota_row
row_of(const struct quota_limits *l, enum entry_cause cause)
{
	if (cause == CAUSE_PEER)
		return (struct quota_row){KEY_PEER_GW, KEY_PEER_NET, true,
			l->peer_gw, l->peer_net};
	if (cause == CAUSE_TENTATIVE)
		return (struct quota_row){KEY_TENTATIVE_GW, KEY_TENTATIVE_NET,
			true, l->tentative_gw, l->tentative_net};
	return (struct quota_row){
		.gw = KEY_RESOLVER_GW, .gw_limit = l->resolver_gw};
}

int
quotas_take(struct quotas *q, const struct addr *gw, enum entry_cause cause,
	bool force)
{
	struct quota_row row = row_of(&q->limits, cause);
	struct quota_key key = {*gw, row.gw};
	struct quota_key net = {network_of(gw), row.net};
	int err;

	if (force)
		row.gw_limit = row.net_limit = UINT32_MAX;
	err = count_up(q, &key, row.gw_limit);
	if (err || !row.has_net)
		return err;
	err = count_up(q, &net, row.net_limit);
	if (err)
		count_down(q, &key);
	return err;
}

void
quotas_give(struct quotas *q, const struct addr *gw, enum entry_cause cause)
{
	struct quota_row row = row_of(&q->limits, cause);
	struct quota_key key = {*gw, row.gw};
	struct quota_key net = {network_of(gw), row.net};

	if (row.has_net)
		count_down(q, &net);
	count_down(q, &key);
}
