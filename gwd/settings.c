/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options of the deployed gateway keep their meaning; those that only mapperd
 * has a use for are taken and ignored.
 */
#include "gwd/settings.h"

#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define OFF(field) offsetof(struct gwd_conf, field)

#define LEAST_IPV6_MTU 1280 /* RFC 8200, 5: hosts count on it */

static const char *
check_ifname(const void *field)
{
	const char *name = *(char *const *)field;

	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return "is not 1 to 15 characters long";
	if (strpbrk(name, "/: \t%") || !strcmp(name, ".") ||
		!strcmp(name, ".."))
		return "is no name of a device";
	return NULL;
}

static const char *
check_device(const void *field)
{
	return *(char *const *)field ? check_ifname(field) : NULL;
}

static const struct conf_row rows[] = {
	{"gateway-port", CONF_UINT, OFF(port), 0, UINT16_MAX, "1045",
		.flags = CONF_LENIENT, .arg = "PORT",
		.help = "port of the tunnel socket; 0 is the default"},
	{"remote-gateway-port", CONF_UINT, OFF(remote_port), 0, UINT16_MAX,
		"1045", .flags = CONF_RELOAD, .arg = "PORT",
		.help = "port of other gateways until one is learned; 0 is "
			"the default"},
	{"gateway-ifc-mtu", CONF_UINT, OFF(uplink_mtu), 576, UINT16_MAX,
		.arg = "BYTES",
		.help = "MTU of the uplink; by default that of the interface "
			"whose network has the bind address; when bound to "
			"all, that of the route to each gateway"},
	{"dec-ttl", CONF_BOOL, OFF(dec_ttl), .flags = CONF_RELOAD,
		.help = "decrement the time to live of packets; the kernel "
			"that routes into the device has done so already"},
	{"dscp", CONF_UINT, OFF(dscp), 0, 63, .flags = CONF_RELOAD, .arg = "N",
		.help = "differentiated services code point of datagrams to "
			"peers that don't carry that of the packets in them"},
	{"mark", CONF_UINT, OFF(mark), 0, UINT32_MAX, .arg = "N",
		.help = "firewall mark of the tunnel socket; 0: none"},
	{"device", CONF_STRING, OFF(device), .arg = "NAME",
		.help = "the only interface that the tunnel socket uses",
		.check = check_device},
	{"clamp-mss", CONF_BOOL, OFF(clamp_mss), .def = "true",
		.flags = CONF_RELOAD,
		.help = "lower the segment size that TCP connections agree on "
			"to what fits the path, both ways"},
	{"peer", CONF_LIST, OFF(peer), .flags = CONF_RELOAD | CONF_NO_COMMA,
		.arg = "PEER",
		.help = "what is special about another gateway: its ADDRESS, "
			"then any of port=N (never learned), mtu=BYTES (of the "
			"path), ref=REFERENCE (its own, 1), tos (the outer "
			"header carries DSCP and ECN, both ways), "
			"keep-alive=SECONDS; repeated"},
	{"allow-peers", CONF_LIST, OFF(allow_peers), .flags = CONF_RELOAD,
		.arg = "NETWORKS",
		.help = "the only gateways to exchange packets with, by "
			"context address; by default all"},
	{"deny-peers", CONF_LIST, OFF(deny_peers), .flags = CONF_RELOAD,
		.arg = "NETWORKS",
		.help = "gateways to exchange no packets with, also when "
			"allowed"},
	{"keep-alive", CONF_UINT, OFF(keep_alive_s), 0, 3600,
		.flags = CONF_RELOAD, .arg = "SECONDS",
		.help = "an echo request to each gateway in use to which "
			"nothing went for so long, so that a NAT in front of "
			"us keeps our port; 0: none"},
	{"state-file", CONF_STRING, OFF(state_file), .arg = "FILE",
		.help = "ports and path MTUs of other gateways over a restart; "
			"by default gwd.state in control-dir; empty: none"},
	{"ifname", CONF_STRING, OFF(ifname), .def = "ipref0", .arg = "NAME",
		.help = "name of the TUN device", .check = check_ifname},
	{"workers", CONF_UINT, OFF(workers), 0, SETTINGS_WORKERS_MAX, "0",
		.arg = "N",
		.help = "threads that move packets, each with a queue of the "
			"device and a socket of its own; 0: one for each "
			"processor that may be used"},
	{"tun-tso", CONF_BOOL, OFF(tun_tso), .def = "true",
		.help = "exchange many segments of a TCP connection with the "
			"kernel as one packet; off when it refuses"},
	{"tun-uso", CONF_BOOL, OFF(tun_uso), .def = "true",
		.help = "the same for UDP, since Linux 6.2"},
	{"udp-gso", CONF_BOOL, OFF(udp_gso), .def = "true",
		.help = "hand datagrams to the same gateway to the kernel as "
			"one, which it cuts; off when it refuses"},
	{"udp-gro", CONF_BOOL, OFF(udp_gro), .def = "true",
		.help = "take datagrams of the same gateway from the kernel as "
			"one; off when it refuses"},
	{"busy-poll", CONF_UINT, OFF(busy_poll_us), 0, 1000, .def = "0",
		.arg = "MICROSECONDS",
		.help = "how long a worker that has nothing to do looks for "
			"packets before it sleeps: answers are quicker, for "
			"processor time; 0: not at all"},
	{"max-remote-gateways", CONF_UINT, OFF(max_peers), 1024, 1048576,
		"16384", .flags = CONF_CLAMP, .arg = "N",
		.help = "most other gateways whose port is remembered"},
	{"max-local-ips", CONF_UINT, OFF(max_local_ips), 1024, 1048576, "16384",
		.flags = CONF_CLAMP, .arg = "N",
		.help = "most local hosts whose path MTU is remembered"},
	{"max-mappings", CONF_UINT, OFF(max_mappings), 1024, 16777216,
		"8388608", .arg = "N",
		.help = "most mappings in the copy of mapperd's"},
	{"keep-without-mapper", CONF_UINT, OFF(keep_s), 60, 31536000, "86400",
		.flags = CONF_RELOAD, .arg = "SECONDS",
		.help = "how long packets are forwarded on the copy while "
			"mapperd is away; not longer than its quarantine"},
	{"icmp-rate", CONF_UINT, OFF(icmp_rate), 0, 1000000, "1000",
		.flags = CONF_RELOAD, .arg = "N",
		.help = "most ICMP messages of our own per second; 0: none"},
	{"icmp-burst", CONF_UINT, OFF(icmp_burst), 1, 1000000, "200",
		.flags = CONF_RELOAD, .arg = "N",
		.help = "most ICMP messages of our own at once"},
	{"icmp-host-rate", CONF_UINT, OFF(icmp_host_rate), 0, 1000000, "20",
		.flags = CONF_RELOAD, .arg = "N",
		.help = "the same per second and destination"},
	{"icmp-host-burst", CONF_UINT, OFF(icmp_host_burst), 1, 1000000, "20",
		.flags = CONF_RELOAD, .arg = "N",
		.help = "the same at once and per destination"},
	{"devmode", CONF_BOOL, OFF(devmode), .flags = CONF_OPTION_ONLY,
		.help = "mapper alone: gwd has nothing to do and ends"},
};

static const struct conf_row unused_rows[] = {
	{"data", CONF_NOTHING, .flags = CONF_OPTION_ONLY, .arg = "DIRECTORY",
		.help = "for mapperd, taken and not used here"},
	{"hosts", CONF_NOTHING, .flags = CONF_OPTION_ONLY, .arg = "FILE",
		.help = "for mapperd, taken and not used here"},
	{"max-buffers", CONF_NOTHING, .flags = CONF_OPTION_ONLY, .arg = "N",
		.help = "taken and not used"},
	{"ticks", CONF_NOTHING, .flags = CONF_OPTION_ONLY,
		.help = "taken and not used"},
};

/* The reason begins with the setting's name: conf adds its place. */
static const char *
check_peers(struct gwd_conf *c)
{
	struct peer_confs peers;
	bool self;

	if (c->devmode)
		return NULL;
	if (settings_peers(c, &peers, c->reason, sizeof(c->reason)))
		return c->reason;
	self = peer_confs_get(&peers, &c->common.gateway_pub) != &peers.others;
	peer_confs_fini(&peers);
	return self ? "peer: a line about this gateway itself" : NULL;
}

static const char *
check_all(const void *settings)
{
	/* Defaults are filled in: common_check() is about that too. */
	struct gwd_conf *c = (struct gwd_conf *)(uintptr_t)settings;
	const char *reason = common_check(&c->common, !c->devmode);

	if (reason)
		return reason;
	if (c->uplink_mtu && c->uplink_mtu < LEAST_IPV6_MTU &&
		common_format(&c->common).tunnel_ver == 6)
		return "gateway-ifc-mtu is below the 1280 of IPv6";
	return check_peers(c);
}

void
settings_spec(struct conf_spec *spec, struct conf_table tables[SETTINGS_TABLES])
{
	tables[0] = (struct conf_table){"gwd", rows, ARRAY_LEN(rows)};
	tables[1] = common_table;
	tables[2] =
		(struct conf_table){"gwd", unused_rows, ARRAY_LEN(unused_rows)};
	*spec = (struct conf_spec){
		.program = "gwd",
		.summary = "carries packets between networks",
		.tables = tables,
		.n_tables = SETTINGS_TABLES,
		.size = sizeof(struct gwd_conf),
		.check = check_all,
		.default_file = IPREF_SYSCONFDIR "/ipref/ipref.conf",
	};
}

struct gw_settings
settings_core(const struct gwd_conf *c)
{
	struct msg_format fmt = common_format(&c->common);

	return (struct gw_settings){
		.local_ver = fmt.local_ver,
		.tunnel_ver = fmt.tunnel_ver,
		.pub = c->common.gateway_pub,
		.own_local = common_own_local(&c->common),
		.own_ref = c->common.gateway_ref,
		.encode_net = c->common.encode_net,
		.dec_ttl = c->dec_ttl,
	};
}

int
settings_peers(const struct gwd_conf *c, struct peer_confs *peers, char *why,
	size_t size)
{
	const struct peer_conf_lists lists = {
		.peer = &c->peer,
		.allow = &c->allow_peers,
		.deny = &c->deny_peers,
		.ver = common_format(&c->common).tunnel_ver,
		.dscp = (uint8_t)c->dscp,
		.keep_alive_s = (uint32_t)c->keep_alive_s,
	};

	return peer_confs_init(peers, &lists, why, size);
}

unsigned
settings_workers(const struct gwd_conf *c)
{
	cpu_set_t usable;
	long n;

	if (c->workers)
		return (unsigned)c->workers;
	/* More processors than the set has room for are not told. */
	n = sched_getaffinity(0, sizeof(usable), &usable)
		    ? sysconf(_SC_NPROCESSORS_ONLN)
		    : CPU_COUNT(&usable);
	if (n < 1)
		return 1;
	return n < SETTINGS_WORKERS_MAX ? (unsigned)n : SETTINGS_WORKERS_MAX;
}

uint16_t
settings_port(uint64_t port)
{
	return port ? (uint16_t)port : SETTINGS_PORT;
}

struct limit_rate
settings_icmp_all(const struct gwd_conf *c)
{
	return (struct limit_rate){c->icmp_rate, c->icmp_burst};
}

struct limit_rate
settings_icmp_host(const struct gwd_conf *c)
{
	return (struct limit_rate){c->icmp_host_rate, c->icmp_host_burst};
}
