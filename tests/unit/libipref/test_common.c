/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared settings: deployed start lines, contradictions, derived values. */
#include "libipref/common.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/capture.h"
#include "tests/unit/run.h"

static const char *
check_needed(const void *settings)
{
	return common_check((struct common_conf *)settings, true);
}

static const char *
check_not_needed(const void *settings)
{
	return common_check((struct common_conf *)settings, false);
}

/* Loads the words (between spaces) into c; what was said on stderr is the
 * caller's. conf_fini() is, too. */
static enum conf_action
load(struct conf *conf, struct common_conf *c, const char *words, bool need,
	char **err)
{
	static char copy[512];
	static char *argv[32];
	static struct conf_spec spec;
	struct capture capture;
	enum conf_action action;
	char *save = NULL;
	int argc = 1;

	spec = (struct conf_spec){.program = "x",
		.summary = "tests",
		.tables = &common_table,
		.n_tables = 1,
		.size = sizeof(*c),
		.check = need ? check_needed : check_not_needed};
	snprintf(copy, sizeof(copy), "%s", words);
	argv[0] = "x";
	for (argv[argc] = strtok_r(copy, " ", &save); argv[argc];
		argv[argc] = strtok_r(NULL, " ", &save))
		argc++;
	capture_start(&capture, STDERR_FILENO);
	action = conf_load(conf, &spec, c, argc, argv);
	*err = capture_end(&capture);
	return action;
}

static const struct gateway_case {
	const char *words;
	bool need;
	const char *bind, *pub; /* "-": none */
	uint8_t local_ver, tunnel_ver;
	const char *own; /* local address */
} gateways[] = {
	{"", false, "-", "-", 4, 4, "10.240.0.1"},
	{"-gateway 192.0.2.1", true, "192.0.2.1", "192.0.2.1", 4, 4,
		"10.240.0.1"},
	{"-gateway-bind 192.0.2.1", true, "192.0.2.1", "192.0.2.1", 4, 4,
		"10.240.0.1"},
	{"-gateway-pub 192.0.2.1", true, "192.0.2.1", "192.0.2.1", 4, 4,
		"10.240.0.1"},
	{"-gateway-pub 192.0.2.1 -gateway-bind 0.0.0.0", true, "0.0.0.0",
		"192.0.2.1", 4, 4, "10.240.0.1"},
	{"-gateway-pub 0.0.0.0 -gateway-bind 192.168.1.1", true, "192.168.1.1",
		"0.0.0.0", 4, 4, "10.240.0.1"},
	{"-gateway 0.0.0.0", true, "0.0.0.0", "0.0.0.0", 4, 4, "10.240.0.1"},
	{"-gateway ::", true, "::", "::", 4, 6, "10.240.0.1"},
	{"-gateway 192.0.2.1 -gateway-bind 192.168.1.1", true, "192.168.1.1",
		"192.0.2.1", 4, 4, "10.240.0.1"},
	{"-gateway 192.0.2.1 -gateway-bind 0.0.0.0 -gateway-pub 192.0.2.1",
		true, "0.0.0.0", "192.0.2.1", 4, 4, "10.240.0.1"},
	{"--gateway=2001:db8::1", true, "2001:db8::1", "2001:db8::1", 4, 6,
		"10.240.0.1"},
	{"-gateway 2001:db8::1 -encode-net fd00:1:2::/64", true, "2001:db8::1",
		"2001:db8::1", 6, 6, "fd00:1:2::1"},
	{"-gateway 192.0.2.1 -encode-net fd00::/8", true, "192.0.2.1",
		"192.0.2.1", 6, 4, "fd00::1"},
	{"-gateway 192.0.2.1 -encode-net 172.24.32.0/19", true, "192.0.2.1",
		"192.0.2.1", 4, 4, "172.24.32.1"},
	{"-gateway-bind 127.0.0.1 -gateway-pub 192.0.2.1", true, "127.0.0.1",
		"192.0.2.1", 4, 4, "10.240.0.1"},
};

static void
check_gateway(const struct gateway_case *g, const struct common_conf *c)
{
	struct msg_format format = common_format(c);
	struct addr own = common_own_local(c);
	char buf[ADDR_TEXT_MAX];

	ck_assert_str_eq(addr_format(&c->gateway_bind, buf), g->bind);
	ck_assert_str_eq(addr_format(&c->gateway_pub, buf), g->pub);
	ck_assert_uint_eq(format.local_ver, g->local_ver);
	ck_assert_uint_eq(format.tunnel_ver, g->tunnel_ver);
	ck_assert_int_eq(format.dialect, MSG_DIALECT_1);
	ck_assert_str_eq(addr_format(&own, buf), g->own);
}

START_TEST(test_gateway)
{
	struct common_conf c;
	struct conf conf;
	char *err;
	size_t i;

	for (i = 0; i < ARRAY_LEN(gateways); i++) {
		ck_assert_int_eq(load(&conf, &c, gateways[i].words,
					 gateways[i].need, &err),
			CONF_RUN);
		ck_assert_str_eq(err, "");
		check_gateway(&gateways[i], &c);
		/* The same again: a reload checks twice. */
		ck_assert_ptr_null(common_check(&c, gateways[i].need));
		check_gateway(&gateways[i], &c);
		free(err);
		conf_fini(&conf);
	}
}
END_TEST

static const struct {
	const char *words, *err;
} refused[] = {
	{"", "one of gateway, gateway-bind and gateway-pub is needed"},
	{"-gateway-bind 192.0.2.1 -gateway-pub 2001:db8::1",
		"option -gateway-bind: gateway-bind and gateway-pub are of "
		"different IP versions"},
	{"-gateway 192.0.2.1 -gateway-bind ::",
		"option -gateway-bind: gateway-bind and gateway-pub are of "
		"different IP versions"},
	{"-gateway 192.0.2.1 -gateway-bind 192.0.2.2 -gateway-pub 192.0.2.3",
		"option -gateway: gateway is neither gateway-bind nor "
		"gateway-pub, which are both given"},
	{"-gateway 127.0.0.1",
		"option -gateway: \"127.0.0.1\" is neither a global unicast "
		"address nor all zeros"},
	{"-gateway-pub 224.0.0.1",
		"option -gateway-pub: \"224.0.0.1\" is neither a global "
		"unicast address nor all zeros"},
	{"-gateway-pub fe80::1",
		"option -gateway-pub: \"fe80::1\" is neither a global unicast "
		"address nor all zeros"},
	{"-gateway-bind 127.0.0.1",
		"gateway-pub, by default the bind address, is neither a global "
		"unicast address nor all zeros"},
	{"-gateway-bind ff02::1",
		"option -gateway-bind: \"ff02::1\" is no address that a host "
		"can have"},
	{"-gateway 10.241.0.1",
		"encode-net has the gateway's own address in it"},
	{"-gateway-pub 192.0.2.1 -gateway-bind 10.9.0.1 -encode-net "
	 "10.8.0.0/13",
		"option -encode-net: encode-net has the gateway's own address "
		"in it"},
	{"-gateway 192.0.2.1 -encode-net 10.240.0.0/20",
		"option -encode-net: \"10.240.0.0/20\" has less than 13 host "
		"bits"},
	{"-gateway 192.0.2.1 -encode-net fd00::/116",
		"option -encode-net: \"fd00::/116\" has less than 13 host "
		"bits"},
	{"-gateway 192.0.2.1 -encode-net 127.0.0.0/8",
		"option -encode-net: \"127.0.0.0/8\" is not global unicast"},
	{"-gateway 192.0.2.1 -encode-net 0.0.0.0/0",
		"option -encode-net: \"0.0.0.0/0\" is not global unicast"},
	{"-gateway 192.0.2.1 -encode-net 224.0.0.0/8",
		"option -encode-net: \"224.0.0.0/8\" is not global unicast"},
	{"-gateway 192.0.2.1 -gateway-ref 0",
		"option -gateway-ref: \"0\" is no reference of a host"},
	{"-gateway 192.0.2.1 -log-level 2",
		"option -log-level: 2 is out of range, 3 to 7"},
	{"-gateway 192.0.2.1 -log-level 8",
		"option -log-level: 8 is out of range, 3 to 7"},
};

START_TEST(test_refused)
{
	struct common_conf c;
	struct conf conf;
	char *err, want[256];
	size_t i;

	for (i = 0; i < ARRAY_LEN(refused); i++) {
		ck_assert_int_eq(load(&conf, &c, refused[i].words, true, &err),
			CONF_EXIT_BAD);
		snprintf(want, sizeof(want), "x: %s\n", refused[i].err);
		ck_assert_str_eq(err, want);
		free(err);
	}
}
END_TEST

START_TEST(test_defaults)
{
	struct common_conf c;
	struct conf conf;
	char *err, buf[REF_TEXT_MAX];

	ck_assert_int_eq(load(&conf, &c, "", false, &err), CONF_RUN);
	ck_assert_str_eq(ref_format(&c.gateway_ref, buf), "1");
	ck_assert_str_eq(c.mapper_socket, "/run/ipref/mapper.sock");
	ck_assert_str_eq(c.control_dir, "/run/ipref");
	ck_assert_uint_eq(c.log_level, 6);
	ck_assert_uint_eq(c.debug.n, 0);
	ck_assert(!c.trace);
	ck_assert(!c.time_stamps);
	free(err);
	conf_fini(&conf);
}
END_TEST

/* A start line of a deployed gateway, as far as it concerns all daemons. */
START_TEST(test_deployed_line)
{
	struct common_conf c;
	struct conf conf;
	char *err, buf[REF_TEXT_MAX];

	ck_assert_int_eq(
		load(&conf, &c,
			"-gateway-bind 192.168.1.1 -gateway-pub=192.0.2.1 "
			"--gateway-ref 0-1234 -debug fwd_to_peers.go,mapper "
			"-trace -time-stamps=true -mapper-socket /x",
			true, &err),
		CONF_RUN);
	ck_assert_str_eq(ref_format(&c.gateway_ref, buf), "4660");
	ck_assert_uint_eq(c.debug.n, 2);
	ck_assert_str_eq(c.debug.v[0], "fwd_to_peers.go");
	ck_assert(c.trace);
	ck_assert(c.time_stamps);
	ck_assert_str_eq(c.mapper_socket, "/x");
	free(err);
	conf_fini(&conf);
}
END_TEST

RUN_TESTS(
	"common", test_gateway, test_refused, test_defaults, test_deployed_line)
