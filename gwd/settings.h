/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings of gwd: section `gwd` of ipref.conf and its options. */
#ifndef GWD_SETTINGS_H
#define GWD_SETTINGS_H

#include "gwd/core.h"
#include "gwd/limit.h"
#include "gwd/peer_conf.h"
#include "libipref/common.h"

#define SETTINGS_PORT	     1045
#define SETTINGS_WORKERS_MAX 64

struct gwd_conf {
	struct common_conf common; /* first */
	uint64_t port, remote_port;
	uint64_t uplink_mtu; /* 0: found out */
	bool dec_ttl;
	bool clamp_mss; /* in SYNs, both ways */
	uint64_t dscp;	/* of the outer header; 0 to 63 */
	uint64_t mark;	/* of the tunnel socket; 0: none */
	char *device;	/* of the tunnel socket; NULL: any */
	struct conf_list peer, allow_peers, deny_peers; /* settings_peers() */
	uint64_t keep_alive_s; /* to peers in use; 0: none */
	char *state_file;      /* NULL: settings_state_file(); "": none */
	char *ifname;
	uint64_t workers; /* settings_workers() */
	/* What may be asked of the kernel: superpackets at the device, at the
	 * tunnel sockets. */
	bool tun_tso, tun_uso, udp_gso, udp_gro;
	uint64_t busy_poll_us; /* 0: not at all */
	uint64_t max_peers, max_local_ips, max_mappings;
	uint64_t keep_s; /* how long the copy serves without mapperd */
	uint64_t icmp_rate, icmp_burst, icmp_host_rate, icmp_host_burst;
	bool devmode;
	char reason[256]; /* private: of the check */
};

/* Fills spec and the tables it points to, which have to live as long. */
#define SETTINGS_TABLES 3
void settings_spec(
	struct conf_spec *spec, struct conf_table tables[SETTINGS_TABLES]);

/* What the pure core wants to know. */
struct gw_settings settings_core(const struct gwd_conf *c);
/* What is set about peers, the caller's for peer_confs_fini(); 0, or -errno
 * with the reason in why. Once the settings are read, only memory may be short.
 */
int settings_peers(const struct gwd_conf *c, struct peer_confs *peers,
	char *why, size_t size) MUSTCHECK;
/* How many threads move packets: 1 to SETTINGS_WORKERS_MAX. */
unsigned settings_workers(const struct gwd_conf *c);
/* Port 0 stands for the default, as with deployed gateways. */
uint16_t settings_port(uint64_t port);
struct limit_rate settings_icmp_all(const struct gwd_conf *c);
struct limit_rate settings_icmp_host(const struct gwd_conf *c);

#endif
