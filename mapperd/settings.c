/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows, and how they become the mapper's configuration. */
#include "mapperd/settings.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "libipref/log.h"

#define HOLD_MS	 60000 /* nothing expires so long after a start */
#define STAGE_MS 30000 /* an unfinished set without its agent */
/* Of addresses and references in quarantine. Not a setting: what is stored must
 * find room, whatever the settings of today are. */
#define REMEMBERED_MAX (UINT32_C(1) << 26)
/* design.md, "Unsolicited mappings"; spec/concepts.md, "Reuse" */
#define TENTATIVE_MS		120000
#define TENTATIVE_QUARANTINE_MS 600000

static const char *
check_not_empty(const void *field)
{
	char *const *text = field;

	return *text && **text ? NULL : "is empty";
}

static const char *
check_users(const void *field)
{
	const struct conf_list *list = field;
	size_t i;

	for (i = 0; i < list->n; i++)
		if (!*list->v[i] || !strcmp(list->v[i], "@"))
			return "a name is empty";
	return NULL;
}

#define OFF(field) offsetof(struct mapperd_conf, field)
#define DAY	   86400

static const struct conf_row rows[] = {
	{"data", CONF_STRING, OFF(data), .def = "/var/lib/ipref",
		.arg = "DIRECTORY", .check = check_not_empty,
		.help = "directory of the database, mapperd.db"},
	{"hosts", CONF_STRING, OFF(hosts), .def = "/etc/hosts", .arg = "FILE",
		.check = check_not_empty,
		.help = "hosts file with mapping comments (#=), watched"},
	{"socket-group", CONF_STRING, OFF(socket_group), .arg = "GROUP",
		.help = "group of the mapper socket, whose members may use it; "
			"by default the daemon's own"},
	{"resolve-users", CONF_LIST, OFF(resolve_users), .flags = CONF_RELOAD,
		.arg = "USER", .check = check_users,
		.help = "users, and groups as @GROUP, that may ask for "
			"mappings; by default the socket's group"},
	{"publish-users", CONF_LIST, OFF(publish_users), .flags = CONF_RELOAD,
		.arg = "USER", .check = check_users,
		.help = "those that may publish hosts; by default the "
			"socket's group"},
	{"feed-users", CONF_LIST, OFF(feed_users), .flags = CONF_RELOAD,
		.arg = "USER", .check = check_users,
		.help = "those that may follow all mappings and have some made "
			"for packets; by default ipref-gw"},
	{"lifetime", CONF_UINT, OFF(lifetime_s), 60, 30 * DAY, "14400",
		.arg = "SECONDS",
		.help = "how long a dynamic mapping lasts after its last use"},
	{"quarantine", CONF_UINT, OFF(quarantine_s), 60, 365 * DAY, "86400",
		.arg = "SECONDS",
		.help = "how long an address or reference that has ended is "
			"not handed out again"},
	{"ttl-cap", CONF_UINT, OFF(ttl_cap_s), 1, 7 * DAY, "3600",
		.arg = "SECONDS",
		.help = "longest time to live that resolvers answer with; "
			"twice that is the quarantine when nothing else is "
			"left"},
	{"max-mappings", CONF_UINT, OFF(max_mappings), 1024, 16777216,
		"4194304", .arg = "N",
		.help = "most mappings of remote hosts, and of our own"},
	{"peer-share", CONF_UINT, OFF(peer_percent), 1, 100, "75",
		.arg = "PERCENT",
		.help = "part of the addresses that mappings caused by peers "
			"may take"},
	{"peer-quota", CONF_UINT, OFF(peer_quota), 1, 16777216, "16384",
		.arg = "N",
		.help = "most mappings that one context address may cause"},
	{"peer-net-quota", CONF_UINT, OFF(peer_net_quota), 1, 16777216, "65536",
		.arg = "N",
		.help = "most mappings that a /24 or /64 of context addresses "
			"may cause"},
	{"tentative-quota", CONF_UINT, OFF(tentative_quota), 1, 16777216,
		"1024", .arg = "N",
		.help = "most of them that one context address may have while "
			"no host has answered"},
	{"tentative-net-quota", CONF_UINT, OFF(tentative_net_quota), 1,
		16777216, "4096", .arg = "N",
		.help = "the same for a /24 or /64 of context addresses"},
	{"resolver-quota", CONF_UINT, OFF(resolver_quota), 1, 16777216, "65536",
		.arg = "N",
		.help = "most mappings behind one context address that "
			"resolvers may ask for"},
	{"reference-rate", CONF_UINT, OFF(refs_per_s), 1, 1000000, "100",
		.arg = "N", .help = "new dynamic references per second"},
	{"reference-burst", CONF_UINT, OFF(refs_burst), 1, 1000000, "1000",
		.arg = "N", .help = "new dynamic references at once"},
	{"devmode", CONF_BOOL, OFF(devmode), .flags = CONF_OPTION_ONLY,
		.help = "mapper alone, public address 198.51.100.1"},
};

/* Options of the deployed gateway that are gwd's, or nobody's any more. */
#define GWD_ROW(name, value)                                                   \
	{                                                                      \
		name, CONF_NOTHING, .flags = CONF_OPTION_ONLY, .arg = value,   \
				    .help = "for gwd, taken and not used here" \
	}

static const struct conf_row gwd_rows[] = {
	GWD_ROW("gateway-port", "N"),
	GWD_ROW("remote-gateway-port", "N"),
	GWD_ROW("gateway-ifc-mtu", "N"),
	GWD_ROW("dec-ttl", NULL),
	GWD_ROW("max-buffers", "N"),
	GWD_ROW("max-remote-gateways", "N"),
	GWD_ROW("max-local-ips", "N"),
	GWD_ROW("ticks", NULL),
};

static const char *
check_all(const void *settings)
{
	/* Defaults are filled in: common_check() is about that too. */
	struct mapperd_conf *c = (struct mapperd_conf *)(uintptr_t)settings;

	if (c->devmode)
		c->common.gateway_bind = c->common.gateway_pub =
			c->common.gateway = (struct addr){4, {198, 51, 100, 1}};
	if (c->tentative_quota > c->peer_quota)
		return "tentative-quota: more than peer-quota";
	if (c->tentative_net_quota > c->peer_net_quota)
		return "tentative-net-quota: more than peer-net-quota";
	if (c->peer_quota > c->peer_net_quota)
		return "peer-quota: more than peer-net-quota";
	if (c->tentative_quota > c->tentative_net_quota)
		return "tentative-quota: more than tentative-net-quota";
	return common_check(&c->common, !c->devmode);
}

void
mapperd_conf_spec(struct conf_spec *spec, struct conf_table tables[3])
{
	tables[0] = (struct conf_table){"mapperd", rows, ARRAY_LEN(rows)};
	tables[1] = common_table;
	tables[2] =
		(struct conf_table){"mapperd", gwd_rows, ARRAY_LEN(gwd_rows)};
	*spec = (struct conf_spec){
		.program = "mapperd",
		.summary = "owns the mappings: allots addresses and references",
		.tables = tables,
		.n_tables = 3,
		.size = sizeof(struct mapperd_conf),
		.check = check_all,
		.default_file = IPREF_SYSCONFDIR "/ipref/ipref.conf",
	};
}

static void
fill_random(void *buf, size_t len, void *arg)
{
	(void)arg;
	/* Up to 256 bytes come whole or not at all (getrandom(2)). */
	while (getrandom(buf, len, 0) != (ssize_t)len)
		if (errno != EINTR)
			bug("getrandom: error %d", errno);
}

struct mapper_config
settings_mapper(const struct mapperd_conf *c)
{
	struct msg_format fmt = common_format(&c->common);
	struct mapper_config m = {
		.rules =
			{
				.encode = c->common.encode_net,
				.tunnel_ver = fmt.tunnel_ver,
				.pub = c->common.gateway_pub,
			},
		.own_ref = c->common.gateway_ref,
		.own_local = common_own_local(&c->common),
		.lease_ms = c->lifetime_s * 1000,
		.hold_ms = HOLD_MS,
		.stage_ms = STAGE_MS,
		.tentative_ms = TENTATIVE_MS,
		.max_entries = (size_t)c->max_mappings,
	};

	if (!m.rules.pub.ver)
		m.rules.pub = addr_zero(fmt.tunnel_ver);
	m.allot = (struct allot_config){
		.encode = c->common.encode_net,
		.own_local = m.own_local,
		.quarantine_ms = c->quarantine_s * 1000,
		.reuse_ms = c->ttl_cap_s * 2000,
		.peer_percent = (uint32_t)c->peer_percent,
		.peer_gw = (uint32_t)c->peer_quota,
		.peer_net = (uint32_t)c->peer_net_quota,
		.tentative_quarantine_ms = TENTATIVE_QUARANTINE_MS,
		.tentative_gw = (uint32_t)c->tentative_quota,
		.tentative_net = (uint32_t)c->tentative_net_quota,
		.resolver_gw = (uint32_t)c->resolver_quota,
		.refs_per_s = (uint32_t)c->refs_per_s,
		.refs_burst = (uint32_t)c->refs_burst,
		.max = REMEMBERED_MAX,
		.random = fill_random,
	};
	return m;
}
