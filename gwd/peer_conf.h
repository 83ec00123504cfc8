/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator says of peer gateways: with which of them packets are
 * exchanged, and what is special about some. Pure.
 *
 * A peer is a context address. A line of the setting `peer` is words separated
 * by space: ADDRESS, then any of port=N, mtu=N, ref=REF, tos, keep-alive=N,
 * each once. `allow-peers` and `deny-peers` are networks, or addresses for
 * networks of one; deny wins; without an allowed one all are allowed.
 */
#ifndef GWD_PEER_CONF_H
#define GWD_PEER_CONF_H

#include "libipref/addr.h"
#include "libipref/base.h"
#include "libipref/conf.h"
#include "libipref/ref.h"

struct peer_conf {
	struct addr addr;
	uint16_t port;	/* the only one; 0: learned */
	uint32_t mtu;	/* of an outer packet on the path; 0: found out */
	struct ref ref; /* the peer's own reference */
	bool tos;	/* the outer header carries DSCP and ECN, both ways */
	uint32_t keep_alive_s; /* 0: none */
	bool keep_alive_set;   /* by this line: also while not in use */
};

/* Sorted, none inside another. */
struct prefix_set {
	struct prefix *v; /* owned */
	size_t n;
};

struct peer_confs {
	struct peer_conf *v; /* owned; sorted by address */
	size_t n;
	struct prefix_set allow, deny;
	struct peer_conf others; /* of those without a line; no address */
	uint8_t dscp;		 /* of the outer header to those without tos */
};

struct peer_conf_lists {
	const struct conf_list *peer, *allow, *deny;
	uint8_t ver;	       /* of the tunnel, so of the addresses */
	uint8_t dscp;	       /* 0 to 63 */
	uint32_t keep_alive_s; /* of those without their own; 0: none */
};

/* Parses one line. False: the reason is in why. */
bool peer_conf_parse(struct peer_conf *c, const char *text, uint8_t ver,
	char *why, size_t size) MUSTCHECK;

/* 0; -EINVAL or -ENOMEM with the reason in why ("peer: ADDRESS: ..."), nothing
 * to free then. */
int peer_confs_init(struct peer_confs *c, const struct peer_conf_lists *lists,
	char *why, size_t size) MUSTCHECK;
void peer_confs_fini(struct peer_confs *c);

/* What holds for this peer: its line, or &c->others. Valid until c is freed. */
const struct peer_conf *peer_confs_get(
	const struct peer_confs *c, const struct addr *addr);
/* Whether packets are exchanged with this peer. */
bool peer_confs_allow(const struct peer_confs *c, const struct addr *addr);
/* DSCP and ECN of the outer header of a packet to this peer; tos: of the packet
 * inside. */
uint8_t peer_confs_tos(
	const struct peer_confs *c, const struct addr *peer, uint8_t tos);

#endif
