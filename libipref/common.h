/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings that daemons share: the `common` section of ipref.conf.
 *
 * Every daemon embeds a struct common_conf as the FIRST member of its settings
 * and lists common_table in its conf_spec. The options of the deployed gateway
 * (spec/options.md) that mapperd and gwd both use are here, under their names.
 */
#ifndef LIBIPREF_COMMON_H
#define LIBIPREF_COMMON_H

#include "libipref/conf.h"
#include "libipref/msg.h"

struct common_conf {
	struct addr gateway;	  /* short for bind and pub */
	struct addr gateway_bind; /* tunnel socket */
	struct addr gateway_pub;  /* public (context) address; zeros: unknown */
	struct ref gateway_ref;	  /* own reference */
	struct prefix encode_net;
	char *mapper_socket;
	/* Directory of the control sockets, each <daemon>.ctl; row
	 * "control-dir", default "/run/ipref". */
	char *control_dir;
	uint64_t log_level; /* enum log_level */
	struct conf_list
		debug; /* parts of deployed programs; any: debug level */
	bool trace;
	bool time_stamps;
};

extern const struct conf_table common_table;

/* Resolves -gateway and defaults: bind from pub, pub from bind; call from the
 * spec's check. NULL or the reason. need_gateway: one of the three has to be
 * there. */
const char *common_check(struct common_conf *c, bool need_gateway);
/* Local version from encode_net, tunnel version from the gateway's addresses
 * (4 when there is none); dialect 1. */
struct msg_format common_format(const struct common_conf *c);
/* The gateway's own local address: the encoding network's with last byte 1
 * (spec/concepts.md). */
struct addr common_own_local(const struct common_conf *c);

#endif
