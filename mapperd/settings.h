/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mapperd's settings: the `mapperd` section, and the options of the deployed
 * gateway that mean nothing to a mapper. */
#ifndef MAPPERD_SETTINGS_H
#define MAPPERD_SETTINGS_H

#include "libipref/common.h"
#include "mapperd/server.h"

struct mapperd_conf {
	struct common_conf common; /* first */
	char *data;		   /* directory of the database */
	char *hosts;		   /* hosts file */
	char *socket_group;	   /* of the mapper socket; NULL: ours */
	uint64_t lifetime_s, quarantine_s, ttl_cap_s;
	uint64_t max_mappings;
	uint64_t peer_percent, peer_quota, peer_net_quota, resolver_quota;
	uint64_t tentative_quota, tentative_net_quota;
	uint64_t refs_per_s, refs_burst;
	struct conf_list resolve_users, publish_users, feed_users; /* roles.h */
	bool devmode;
};

/* spec points into tables, which have to live as long. */
void mapperd_conf_spec(struct conf_spec *spec, struct conf_table tables[3]);

/* What the mapper is made from. */
struct mapper_config settings_mapper(const struct mapperd_conf *c);

#endif
