/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings of resolverd: its section of ipref.conf and its options.
 */
#ifndef RESOLVERD_SETTINGS_H
#define RESOLVERD_SETTINGS_H

#include "libipref/common.h"
#include "resolverd/policy.h"

struct resolver_conf {
	struct common_conf common; /* first: libipref/common.h */
	struct conf_list listen, upstream, domains, except, zone, transfer_to,
		allow;
	uint64_t ttl_cap;	     /* seconds */
	uint64_t ea_ipver, gw_ipver; /* 0: from the common settings */
	uint64_t mapper_pipeline;    /* requests unanswered at once; 0: any */
	uint64_t mapper_timeout;     /* ms */
	uint64_t max_queries, tcp_clients;
	uint64_t tcp_idle; /* seconds */
	char reason[512];  /* private: of settings_check() */
};

/* Settings in the form in which they are used, but for those that only start
 * uses. */
struct policy {
	struct domains domains;
	struct prefix_list allow, transfer_to;
};

extern const struct conf_table settings_table;
/* For struct conf_spec: a struct resolver_conf. */
const char *settings_check(const void *settings);

/* The IP versions in force. */
struct msg_format settings_format(const struct resolver_conf *c);
/* 0 and *p is filled and the caller's; -ENOMEM. Settings that were checked
 * parse. */
int policy_make(struct policy *p, const struct resolver_conf *c) MUSTCHECK;
void policy_fini(struct policy *p);

#endif
