/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One row per setting; lists are parsed once here only to refuse bad ones. */
#include "resolverd/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libipref/dns/message.h"
#include "resolverd/upstream.h"

#define PRIVATE_NETS                                                           \
	"127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,"   \
	"169.254.0.0/16,::1/128,fc00::/7,fe80::/10"
#define LOOPBACK_NETS "127.0.0.0/8,::1/128"

static const char *
check_ipver(const void *field)
{
	uint64_t v;

	memcpy(&v, field, sizeof(v));
	return !v || v == 4 || v == 6 ? NULL : "is neither 4 nor 6";
}

#define FIELD(f) offsetof(struct resolver_conf, f)

static const struct conf_row rows[] = {
	{.name = "listen",
		.type = CONF_LIST,
		.off = FIELD(listen),
		.def = "127.0.0.1:53",
		.arg = "ADDRESS[:PORT]",
		.help = "address to answer at by UDP and TCP, any number of "
			"them"},
	{.name = "upstream",
		.type = CONF_LIST,
		.off = FIELD(upstream),
		.arg = "ADDRESS[:PORT]",
		.help = "DNS server that other names are asked of, any number "
			"of them"},
	{.name = "domains",
		.type = CONF_LIST,
		.off = FIELD(domains),
		.def = ".",
		.flags = CONF_RELOAD,
		.arg = "DOMAIN",
		.help = "names under these are translated"},
	{.name = "except",
		.type = CONF_LIST,
		.off = FIELD(except),
		.flags = CONF_RELOAD,
		.arg = "DOMAIN",
		.help = "but names under these are not"},
	{.name = "zone",
		.type = CONF_LIST,
		.off = FIELD(zone),
		.flags = CONF_RELOAD | CONF_NO_COMMA,
		.arg = "DOMAIN=FILE",
		.help = "zone to answer from a file, any number of them"},
	{.name = "transfer-to",
		.type = CONF_LIST,
		.off = FIELD(transfer_to),
		.def = LOOPBACK_NETS,
		.flags = CONF_RELOAD,
		.arg = "NETWORK",
		.help = "who may have the zones by AXFR; 'any' for all"},
	{.name = "allow",
		.type = CONF_LIST,
		.off = FIELD(allow),
		.def = PRIVATE_NETS,
		.flags = CONF_RELOAD,
		.arg = "NETWORK",
		.help = "who may ask; 'any' for all"},
	{.name = "ttl-cap",
		.type = CONF_UINT,
		.off = FIELD(ttl_cap),
		.min = 1,
		.max = 5400,
		.def = "3600",
		.flags = CONF_RELOAD,
		.arg = "SECONDS",
		.help = "longest TTL of a translated address"},
	{.name = "ea-ipver",
		.type = CONF_UINT,
		.off = FIELD(ea_ipver),
		.max = 6,
		.arg = "4|6",
		.help = "IP version of the local network; that of encode-net "
			"unless given",
		.check = check_ipver},
	{.name = "gw-ipver",
		.type = CONF_UINT,
		.off = FIELD(gw_ipver),
		.max = 6,
		.arg = "4|6",
		.help = "IP version of the tunnel; that of the gateway's "
			"address unless given",
		.check = check_ipver},
	{.name = "mapper-pipeline",
		.type = CONF_UINT,
		.off = FIELD(mapper_pipeline),
		.max = 65535,
		.def = "0",
		.arg = "N",
		.help = "requests that the mapper gets before it has answered; "
			"0 for any number, 1 for a deployed gateway"},
	{.name = "mapper-timeout",
		.type = CONF_UINT,
		.off = FIELD(mapper_timeout),
		.min = 50,
		.max = 4000,
		.def = "800",
		.flags = CONF_RELOAD,
		.arg = "MILLISECONDS",
		.help = "how long an answer of the mapper is waited for"},
	{.name = "max-queries",
		.type = CONF_UINT,
		.off = FIELD(max_queries),
		.min = 1,
		.max = 1000000,
		.def = "10000",
		.flags = CONF_RELOAD,
		.arg = "N",
		.help = "queries under way at once"},
	{.name = "tcp-clients",
		.type = CONF_UINT,
		.off = FIELD(tcp_clients),
		.min = 1,
		.max = 100000,
		.def = "1000",
		.arg = "N",
		.help = "TCP clients at once"},
	{.name = "tcp-idle",
		.type = CONF_UINT,
		.off = FIELD(tcp_idle),
		.min = 1,
		.max = 3600,
		.def = "10",
		.arg = "SECONDS",
		.help = "a TCP client that asks nothing for so long is closed"},
};

enum list_kind {
	LIST_NAMES,
	LIST_PREFIXES,
	LIST_ENDPOINTS
};

static const char *
check_list(
	enum list_kind kind, const struct conf_list *l, char *err, size_t size)
{
	struct endpoint_list ends = {0};
	struct prefix_list nets = {0};
	struct name_list names = {0};
	const char *wrong;

	switch (kind) {
	case LIST_NAMES:
		wrong = name_list_parse(&names, l, err, size);
		break;
	case LIST_PREFIXES:
		wrong = prefix_list_parse(&nets, l, err, size);
		break;
	default:
		wrong = endpoint_list_parse(&ends, l, DNS_PORT, err, size);
	}
	name_list_fini(&names);
	prefix_list_fini(&nets);
	endpoint_list_fini(&ends);
	return wrong;
}

/* The reasons begin with the setting's name: conf adds its place. */
static const char *
check_lists(const struct resolver_conf *c, char *err, size_t size)
{
	const struct {
		const char *name;
		const struct conf_list *list;
		enum list_kind kind;
	} lists[] = {
		{"listen", &c->listen, LIST_ENDPOINTS},
		{"upstream", &c->upstream, LIST_ENDPOINTS},
		{"domains", &c->domains, LIST_NAMES},
		{"except", &c->except, LIST_NAMES},
		{"transfer-to", &c->transfer_to, LIST_PREFIXES},
		{"allow", &c->allow, LIST_PREFIXES},
	};
	size_t i, used;

	for (i = 0; i < ARRAY_LEN(lists); i++) {
		used = (size_t)snprintf(err, size, "%s: ", lists[i].name);
		if (check_list(lists[i].kind, lists[i].list, err + used,
			    size - used))
			return err;
	}
	if (c->upstream.n > UPSTREAM_SERVERS_MAX) {
		snprintf(err, size, "upstream: more than %d servers",
			UPSTREAM_SERVERS_MAX);
		return err;
	}
	return NULL;
}

static const char *
check_zones(const struct resolver_conf *c, char *err, size_t size)
{
	struct zone_conf z;
	size_t i, used;

	used = (size_t)snprintf(err, size, "zone: ");
	for (i = 0; i < c->zone.n; i++) {
		if (zone_conf_parse(&z, c->zone.v[i], err + used, size - used))
			return err;
		if (access(z.path, R_OK)) {
			snprintf(err, size, "zone: %s: %s", z.path,
				strerror(errno));
			return err;
		}
	}
	return NULL;
}

const char *
settings_check(const void *settings)
{
	/* conf_spec: the checker may fill fields of its own struct. */
	struct resolver_conf *c = (void *)(uintptr_t)settings;
	const char *wrong = common_check(&c->common, false);

	if (wrong)
		return wrong;
	if (!c->listen.n)
		return "listen: no address";
	wrong = check_lists(c, c->reason, sizeof(c->reason));
	if (!wrong)
		wrong = check_zones(c, c->reason, sizeof(c->reason));
	return wrong;
}

const struct conf_table settings_table = {"resolverd", rows, ARRAY_LEN(rows)};

struct msg_format
settings_format(const struct resolver_conf *c)
{
	struct msg_format f = common_format(&c->common);

	if (c->ea_ipver)
		f.local_ver = (uint8_t)c->ea_ipver;
	if (c->gw_ipver)
		f.tunnel_ver = (uint8_t)c->gw_ipver;
	return f;
}

int
policy_make(struct policy *p, const struct resolver_conf *c)
{
	char err[256];

	*p = (struct policy){0};
	if (name_list_parse(
		    &p->domains.domains, &c->domains, err, sizeof(err)) ||
		name_list_parse(
			&p->domains.except, &c->except, err, sizeof(err)) ||
		prefix_list_parse(&p->allow, &c->allow, err, sizeof(err)) ||
		prefix_list_parse(
			&p->transfer_to, &c->transfer_to, err, sizeof(err))) {
		policy_fini(p);
		return -ENOMEM;
	}
	return 0;
}

void
policy_fini(struct policy *p)
{
	name_list_fini(&p->domains.domains);
	name_list_fini(&p->domains.except);
	prefix_list_fini(&p->allow);
	prefix_list_fini(&p->transfer_to);
}
