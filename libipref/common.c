/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The settings that daemons share: their rows, and what must hold between them.
 *
 * -gateway is short for the bind and the public address and fills whichever of
 * the two was not given; of those two each is the other's default. The version
 * of these addresses is the tunnel's, that of the encoding network the local
 * network's; the two are independent.
 */
#include "libipref/common.h"

#include "libipref/log.h"

#define ENCODE_HOST_BITS_MIN 13

static const char *
check_public(const void *field)
{
	const struct addr *a = field;

	if (addr_is_zero(a) || addr_is_global_unicast(a))
		return NULL;
	return "is neither a global unicast address nor all zeros";
}

static const char *
check_bind(const void *field)
{
	const struct addr *a = field;

	if (addr_is_zero(a) || addr_is_loopback(a) || addr_is_global_unicast(a))
		return NULL;
	return "is no address that a host can have";
}

static const char *
check_ref(const void *field)
{
	return ref_is_zero(field) ? "is no reference of a host" : NULL;
}

static const char *
check_encode_net(const void *field)
{
	const struct prefix *p = field;
	struct addr last = prefix_host(p, UINT64_MAX);

	if (prefix_host_bits(p) < ENCODE_HOST_BITS_MIN)
		return "has less than 13 host bits";
	/* Both ends, so that nothing special lies in between but for nets that
	 * are shorter than the special ones. */
	if (!addr_is_global_unicast(&p->addr) ||
		!addr_is_global_unicast(&last) || p->len < 4)
		return "is not global unicast";
	return NULL;
}

#define OFF(field) offsetof(struct common_conf, field)

static const struct conf_row rows[] = {
	{"gateway", CONF_ADDR, OFF(gateway), .arg = "ADDRESS",
		.help = "short for gateway-bind and gateway-pub, for those "
			"that are not given",
		.check = check_public},
	{"gateway-bind", CONF_ADDR, OFF(gateway_bind), .arg = "ADDRESS",
		.help = "address of the tunnel socket, 0.0.0.0 or :: for all; "
			"by default the public address",
		.check = check_bind},
	{"gateway-pub", CONF_ADDR, OFF(gateway_pub), .arg = "ADDRESS",
		.help = "own public (context) address, all zeros when it is "
			"not known; by default the bind address",
		.check = check_public},
	{"gateway-ref", CONF_REF, OFF(gateway_ref), .def = "1",
		.help = "the gateway's own reference", .check = check_ref},
	{"encode-net", CONF_PREFIX, OFF(encode_net), .def = "10.240.0.0/12",
		.help = "encoding network, free of real hosts, at least 13 "
			"host bits; its version is the local network's",
		.check = check_encode_net},
	{"mapper-socket", CONF_STRING, OFF(mapper_socket), .arg = "PATH",
		.def = "/run/ipref/mapper.sock",
		.help = "socket of the mapper"},
	{"control-dir", CONF_STRING, OFF(control_dir), .arg = "DIRECTORY",
		.def = "/run/ipref",
		.help = "directory of the control sockets, NAME.ctl for each "
			"daemon"},
	{"log-level", CONF_UINT, OFF(log_level), LOG_LEVEL_ERR, LOG_LEVEL_DEBUG,
		.def = "6", .flags = CONF_RELOAD, .arg = "LEVEL",
		.help = "what is logged: 3 errors, 4 also warnings, 5 also "
			"notices, 6 also information, 7 also details"},
	{"debug", CONF_LIST, OFF(debug), .flags = CONF_RELOAD, .arg = "PARTS",
		.help = "parts to log in detail, separated by commas; any of "
			"them raises log-level to 7"},
	{"trace", CONF_BOOL, OFF(trace), .flags = CONF_RELOAD,
		.help = "log packets and messages, one line each"},
	{"time-stamps", CONF_BOOL, OFF(time_stamps), .flags = CONF_RELOAD,
		.help = "begin log lines with the time"},
};

const struct conf_table common_table = {"common", rows, ARRAY_LEN(rows)};

static bool
is_given(const struct addr *a)
{
	return a->ver != 0;
}

/* Fills bind and pub; all other rules want both. */
static const char *
fill_gateway(struct common_conf *c)
{
	if (is_given(&c->gateway) && is_given(&c->gateway_bind) &&
		is_given(&c->gateway_pub) &&
		!addr_eq(&c->gateway, &c->gateway_bind) &&
		!addr_eq(&c->gateway, &c->gateway_pub))
		return "gateway is neither gateway-bind nor gateway-pub, which "
		       "are both given";
	if (!is_given(&c->gateway_bind))
		c->gateway_bind =
			is_given(&c->gateway) ? c->gateway : c->gateway_pub;
	if (!is_given(&c->gateway_pub))
		c->gateway_pub =
			is_given(&c->gateway) ? c->gateway : c->gateway_bind;
	return NULL;
}

const char *
common_check(struct common_conf *c, bool need_gateway)
{
	const char *reason = fill_gateway(c);

	if (reason)
		return reason;
	if (!is_given(&c->gateway_bind))
		return need_gateway ? "one of gateway, gateway-bind and "
				      "gateway-pub is needed"
				    : NULL;
	if (c->gateway_bind.ver != c->gateway_pub.ver)
		return "gateway-bind and gateway-pub are of different IP "
		       "versions";
	reason = check_public(&c->gateway_pub);
	if (reason)
		return "gateway-pub, by default the bind address, is neither a "
		       "global unicast address nor all zeros";
	if (prefix_has(&c->encode_net, &c->gateway_bind) ||
		prefix_has(&c->encode_net, &c->gateway_pub))
		return "encode-net has the gateway's own address in it";
	return NULL;
}

struct msg_format
common_format(const struct common_conf *c)
{
	uint8_t tunnel =
		c->gateway_pub.ver ? c->gateway_pub.ver : c->gateway_bind.ver;

	return (struct msg_format){
		.local_ver = c->encode_net.addr.ver,
		.tunnel_ver = tunnel ? tunnel : 4,
		.dialect = MSG_DIALECT_1,
	};
}

struct addr
common_own_local(const struct common_conf *c)
{
	return prefix_host(&c->encode_net, 1);
}
