/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start lines of the deployed gateway: each option, in each form, and what it
 * means. */
#include "tests/unit/options.h"

#include "gwd/settings.h"

static struct conf_table tables[SETTINGS_TABLES];

START_TEST(test_forms)
{
	struct option_rig r = {.user = FOR_GWD};

	settings_spec(&r.spec, tables);
	options_check_forms(&r);
}
END_TEST

START_TEST(test_help)
{
	struct option_rig r = {.user = FOR_GWD};

	settings_spec(&r.spec, tables);
	options_check_help(&r);
}
END_TEST

/* A start line with all of them does what it did. */
START_TEST(test_meaning)
{
	char *argv[] = {"gwd", "-gateway-bind", "192.0.2.9", "-gateway-pub",
		"198.51.100.9", "-gateway-port=2045", "-remote-gateway-port",
		"2046", "--gateway-ref", "77", "-gateway-ifc-mtu", "1400",
		"-encode-net", "10.128.0.0/12", "-dec-ttl", "-mapper-socket",
		"/tmp/m", "-max-local-ips", "99999", "-max-remote-gateways",
		"20000", "-debug", "tun", "-trace=true", "-time-stamps", NULL};
	struct conf_spec spec;
	struct gwd_conf c;
	struct gw_settings set;
	struct conf conf;

	settings_spec(&spec, tables);
	spec.default_file = "/nonexistent/ipref.conf";
	ck_assert_int_eq(conf_load(&conf, &spec, &c, ARRAY_LEN(argv) - 1, argv),
		CONF_RUN);
	set = settings_core(&c);
	ck_assert_uint_eq(c.common.gateway_bind.b[0], 192);
	ck_assert_uint_eq(set.pub.b[0], 198);
	ck_assert_uint_eq(settings_port(c.port), 2045);
	ck_assert_uint_eq(settings_port(c.remote_port), 2046);
	ck_assert_uint_eq(set.own_ref.b[15], 77);
	ck_assert_uint_eq(c.uplink_mtu, 1400);
	ck_assert_uint_eq(set.own_local.b[1], 128);
	ck_assert_uint_eq(set.own_local.b[3], 1);
	ck_assert(set.dec_ttl);
	ck_assert_str_eq(c.common.mapper_socket, "/tmp/m");
	ck_assert_uint_eq(c.max_local_ips, 99999);
	ck_assert_uint_eq(c.max_peers, 20000);
	ck_assert(c.common.trace && c.common.time_stamps);
	ck_assert_uint_eq(c.common.debug.n, 1);
	conf_fini(&conf);
}
END_TEST

RUN_TESTS("gwd options", test_forms, test_help, test_meaning)
