/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings: defaults, what is refused and with which words. */
#include "tests/unit/run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "resolverd/settings.h"
#include "tests/unit/capture.h"

static enum conf_action
load(struct conf *c, struct resolver_conf *s, char **argv, int argc,
	char **said)
{
	struct conf_table tables[] = {common_table, settings_table};
	struct conf_spec spec = {.program = "resolverd",
		.summary = "test",
		.tables = tables,
		.n_tables = 2,
		.size = sizeof(*s),
		.check = settings_check,
		.default_file = "/nowhere/ipref.conf"};
	enum conf_action action;
	struct capture cap;

	capture_start(&cap, STDERR_FILENO);
	action = conf_load(c, &spec, s, argc, argv);
	*said = capture_end(&cap);
	return action;
}

START_TEST(test_defaults)
{
	char *argv[] = {"resolverd", NULL};
	struct resolver_conf s;
	struct policy p;
	struct conf c;
	struct addr a = addr_zero(4);
	struct name root = name_root();
	char *said;

	ck_assert_int_eq(load(&c, &s, argv, 1, &said), CONF_RUN);
	ck_assert_uint_eq(s.listen.n, 1);
	ck_assert_str_eq(s.listen.v[0], "127.0.0.1:53");
	ck_assert_uint_eq(s.ttl_cap, 3600);
	ck_assert_uint_eq(settings_format(&s).local_ver, 4);
	ck_assert_uint_eq(settings_format(&s).tunnel_ver, 4);
	ck_assert_int_eq(policy_make(&p, &s), 0);
	ck_assert(domains_have(&p.domains, &root));
	a.b[0] = 10;
	ck_assert(prefix_list_has(&p.allow, &a));
	ck_assert(!prefix_list_has(&p.transfer_to, &a));
	a.b[0] = 8;
	ck_assert(!prefix_list_has(&p.allow, &a));
	a.b[0] = 127;
	ck_assert(prefix_list_has(&p.allow, &a));
	ck_assert(prefix_list_has(&p.transfer_to, &a));
	policy_fini(&p);
	conf_fini(&c);
	free(said);
}
END_TEST

START_TEST(test_versions)
{
	char *argv[] = {"resolverd", "-ea-ipver", "6", "--gw-ipver=6", NULL};
	struct resolver_conf s;
	struct conf c;
	char *said;

	ck_assert_int_eq(load(&c, &s, argv, 4, &said), CONF_RUN);
	ck_assert_uint_eq(settings_format(&s).local_ver, 6);
	ck_assert_uint_eq(settings_format(&s).tunnel_ver, 6);
	conf_fini(&c);
	free(said);
}
END_TEST

static const struct {
	const char *option, *said; /* part of it */
} bad[] = {
	{"--listen=nonsense", "'nonsense' is not an address"},
	{"--listen=192.0.2.1:0", "is not an address"},
	{"--upstream=192.0.2.1,ns.example", "'ns.example' is not an address"},
	{"--domains=a..b", "'a..b' is not a domain name"},
	{"--except=a..b", "'a..b' is not a domain name"},
	{"--allow=10.0.0.0/99", "'10.0.0.0/99' is not"},
	{"--transfer-to=x", "'x' is not"},
	{"--zone=internal", "'internal' is not ZONE=FILE"},
	{"--zone=internal=/nowhere/db",
		"/nowhere/db: No such file or directory"},
	{"--ea-ipver=5", "is neither 4 nor 6"},
	{"--gw-ipver=1", "is neither 4 nor 6"},
	{"--ttl-cap=0", "ttl-cap"},
	{"--ttl-cap=5401", "ttl-cap"},
	{"--mapper-timeout=49", "mapper-timeout"},
	{"--max-queries=0", "max-queries"},
	{"--tcp-clients=0", "tcp-clients"},
	{"--tcp-idle=0", "tcp-idle"},
	{"--mapper-pipeline=65536", "mapper-pipeline"},
	{"--nonsense=1", "nonsense"},
};

START_TEST(test_bad)
{
	char option[64], *argv[] = {"resolverd", option, NULL}, *said;
	struct resolver_conf s;
	struct conf c;
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++) {
		strcpy(option, bad[i].option);
		ck_assert_int_eq(load(&c, &s, argv, 2, &said), CONF_EXIT_BAD);
		ck_assert_msg(strstr(said, bad[i].said) != NULL, "%s: %s",
			option, said);
		/* The place is named, too. */
		ck_assert_msg(strchr(said, '-') != NULL, "%s", said);
		free(said);
	}
}
END_TEST

RUN_TESTS("settings", test_defaults, test_versions, test_bad)
