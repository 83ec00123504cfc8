/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's settings: start lines, sources, servers, what is refused. */
#include "dnsagentd/settings.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/run.h"

static const struct {
	const char *text;
	const char *why; /* part of it; NULL: fine */
	const char *local, *domain;
	const char *servers[SOURCE_SERVERS_MAX + 1]; /* endpoint or NAME PORT */
} sources[] = {
	{"internal:example.com:192.0.2.53", NULL, "internal", "example.com",
		{"192.0.2.53:53"}},
	{"Internal.:Example.COM.:192.0.2.53:5300,192.0.2.54", NULL, "internal",
		"example.com", {"192.0.2.53:5300", "192.0.2.54:53"}},
	{"a.b:c.d:[2001:db8::1],[2001:db8::2]:54", NULL, "a.b", "c.d",
		{"[2001:db8::1]:53", "[2001:db8::2]:54"}},
	{"internal:example.com:ns1.example.com,ns2:5300", NULL, "internal",
		"example.com", {"ns1.example.com. 53", "ns2. 5300"}},
	{"internal:example.com", "is not LOCAL:PUBLIC", NULL, NULL, {0}},
	{"internal", "is not LOCAL:PUBLIC", NULL, NULL, {0}},
	{"", "is not LOCAL:PUBLIC", NULL, NULL, {0}},
	{":example.com:192.0.2.53", "no domain name", NULL, NULL, {0}},
	{"internal::192.0.2.53", "no domain name", NULL, NULL, {0}},
	{"in..ternal:example.com:192.0.2.53", "no domain name", NULL, NULL,
		{0}},
	{"internal:example.com:", "empty", NULL, NULL, {0}},
	{"internal:example.com:192.0.2.53,", "empty", NULL, NULL, {0}},
	{"internal:example.com:192.0.2.53:0", "no ADDRESS[:PORT]", NULL, NULL,
		{0}},
	{"internal:example.com:ns1:0", "no ADDRESS[:PORT]", NULL, NULL, {0}},
	{"internal:example.com:192.0.2.256", "neither", NULL, NULL, {0}},
	{"internal:example.com:ns1:65536", "no ADDRESS[:PORT]", NULL, NULL,
		{0}},
	{"internal:example.com:ns1:x", "no ADDRESS[:PORT]", NULL, NULL, {0}},
	{"internal:example.com:[2001:db8::1", "no ADDRESS[:PORT]", NULL, NULL,
		{0}},
	{"internal:example.com:1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,"
	 "1.1.1.6,1.1.1.7,1.1.1.8,1.1.1.9",
		"more than 8", NULL, NULL, {0}},
};

static const char *
server_text(const struct server_conf *s, char *buf, size_t size)
{
	char name[NAME_TEXT_MAX];

	if (s->at.addr.ver)
		endpoint_format(&s->at, buf);
	else
		snprintf(buf, size, "%s %u", name_format(&s->host, name),
			(unsigned)s->at.port);
	return buf;
}

START_TEST(test_sources)
{
	struct source_conf s;
	const char *why;
	char buf[1200];
	size_t i, k;

	for (i = 0; i < ARRAY_LEN(sources); i++) {
		why = source_conf_parse(&s, sources[i].text);
		if (sources[i].why) {
			ck_assert_msg(why && strstr(why, sources[i].why),
				"%s: %s", sources[i].text, why ? why : "taken");
			continue;
		}
		ck_assert_msg(!why, "%s: %s", sources[i].text, why);
		ck_assert_str_eq(s.source.local, sources[i].local);
		ck_assert_str_eq(s.source.domain, sources[i].domain);
		for (k = 0; k < s.n_servers; k++) {
			ck_assert_ptr_nonnull(sources[i].servers[k]);
			ck_assert_str_eq(
				server_text(&s.servers[k], buf, sizeof(buf)),
				sources[i].servers[k]);
		}
		ck_assert_ptr_null(sources[i].servers[k]);
	}
}
END_TEST

#define ARGS 16

struct loaded {
	enum conf_action action;
	struct agent_conf settings;
	struct conf conf;
	struct conf_table tables[2];
	struct conf_spec spec;
	char **argv;
};

/* As main() does, without a file unless the words name one. Errors go to
 * stderr, which is turned away meanwhile. */
static void
load(struct loaded *l, const char *const *words)
{
	char *argv[ARGS + 2] = {(char *)(uintptr_t) "dnsagentd"};
	int n = 1, out_n, err = dup(2), null = open("/dev/null", O_WRONLY);

	while (words[n - 1]) {
		argv[n] = (char *)(uintptr_t)words[n - 1];
		n++;
	}
	agent_conf_spec(&l->spec, l->tables);
	l->spec.default_file = "/dev/null";
	ck_assert_int_eq(agent_argv(n, argv, &out_n, &l->argv), 0);
	dup2(null, 2);
	l->action = conf_load(&l->conf, &l->spec, &l->settings, out_n, l->argv);
	dup2(err, 2);
	close(err);
	close(null);
}

static void
unload(struct loaded *l)
{
	if (l->action == CONF_RUN)
		conf_fini(&l->conf);
	free(l->argv);
}

#define SRC "internal:example.com:192.0.2.53,192.0.2.54"

static const struct {
	const char *words[ARGS];
	enum conf_action action;
	uint64_t interval_ms;
	uint8_t local_ver, tunnel_ver;
	const char *mapper;
	bool debug, devmode, stamps;
	size_t n_sources; /* 0: refused by agent_sources() */
} lines[] = {
	{{SRC}, CONF_RUN, 59 * 60000, 4, 4, "/run/ipref/mapper.sock", false,
		false, false, 1},
	/* Deployed agents' start lines. */
	{{"-ea-ipver", "4", "-gw-ipver", "4", "-m",
		 "unix:///run/ipref/mapper.sock", "-t", "60", SRC},
		CONF_RUN, 3600000, 4, 4, "/run/ipref/mapper.sock", false, false,
		false, 1},
	{{"--ea-ipver=6", "--gw-ipver=6", "-m=unix:///x/y", "-debug",
		 "-time-stamps", SRC, "b:c:192.0.2.1"},
		CONF_RUN, 59 * 60000, 6, 6, "/x/y", true, false, true, 2},
	{{"-debug", "-devmode", SRC}, CONF_RUN, 59 * 60000, 4, 4,
		"/run/ipref/mapper.sock", true, true, false, 1},
	{{"-debug=false", "-devmode=false", SRC}, CONF_RUN, 59 * 60000, 4, 4,
		"/run/ipref/mapper.sock", false, false, false, 1},
	{{"-t", "0", SRC}, CONF_RUN, 60000, 4, 4, "/run/ipref/mapper.sock",
		false, false, false, 1},
	{{"-t", "100000", SRC}, CONF_RUN, 10080 * 60000ull, 4, 4,
		"/run/ipref/mapper.sock", false, false, false, 1},
	{{"-interval-seconds", "2", SRC}, CONF_RUN, 2000, 4, 4,
		"/run/ipref/mapper.sock", false, false, false, 1},
	{{"-gateway", "2001:db8::1", "-encode-net", "fd00:240::/64", SRC},
		CONF_RUN, 59 * 60000, 6, 6, "/run/ipref/mapper.sock", false,
		false, false, 1},
	{{"-gateway", "192.0.2.1", "-gw-ipver", "6", SRC}, CONF_RUN, 59 * 60000,
		4, 6, "/run/ipref/mapper.sock", false, false, false, 1},
	{{"-sources", SRC}, CONF_RUN, 59 * 60000, 4, 4,
		"/run/ipref/mapper.sock", false, false, false, 1},
	/* Operands take the place of the setting. */
	{{"-sources", SRC, "b:c:192.0.2.1"}, CONF_RUN, 59 * 60000, 4, 4,
		"/run/ipref/mapper.sock", false, false, false, 1},
	{{SRC, "internal:EXAMPLE.com:192.0.2.9"}, CONF_RUN, 59 * 60000, 4, 4,
		"/run/ipref/mapper.sock", false, false, false, 0},
	{{NULL}, CONF_RUN, 59 * 60000, 4, 4, "/run/ipref/mapper.sock", false,
		false, false, 0},
	{.words = {"-check-config", SRC}, .action = CONF_EXIT_OK},
	{.words = {"-check-config", "internal:example.com"},
		.action = CONF_EXIT_BAD},
	{.words = {"-sources", "internal:example.com"},
		.action = CONF_EXIT_BAD},
	{.words = {"-ea-ipver", "5", SRC}, .action = CONF_EXIT_BAD},
	{.words = {"-m", "/run/ipref/mapper.sock", SRC},
		.action = CONF_EXIT_BAD},
	{.words = {"-m", "unix://run", SRC}, .action = CONF_EXIT_BAD},
	{.words = {"-t", "x", SRC}, .action = CONF_EXIT_BAD},
	{.words = {"-interval-seconds", "604801", SRC},
		.action = CONF_EXIT_BAD},
	{.words = {"-resolver", "ns.example.com", SRC},
		.action = CONF_EXIT_BAD},
	{.words = {"-no-such-option", SRC}, .action = CONF_EXIT_BAD},
};

START_TEST(test_lines)
{
	struct source_conf *list;
	struct loaded l;
	struct msg_format fmt;
	size_t i, n;
	int err;

	for (i = 0; i < ARRAY_LEN(lines); i++) {
		load(&l, lines[i].words);
		ck_assert_msg(l.action == lines[i].action, "row %zu: %d", i,
			(int)l.action);
		if (l.action != CONF_RUN) {
			unload(&l);
			continue;
		}
		fmt = agent_format(&l.settings);
		ck_assert_uint_eq(
			agent_interval_ms(&l.settings), lines[i].interval_ms);
		ck_assert_uint_eq(fmt.local_ver, lines[i].local_ver);
		ck_assert_uint_eq(fmt.tunnel_ver, lines[i].tunnel_ver);
		ck_assert_str_eq(
			agent_mapper_path(&l.settings), lines[i].mapper);
		ck_assert_int_eq(l.settings.common.debug.n > 0, lines[i].debug);
		ck_assert_int_eq(l.settings.devmode, lines[i].devmode);
		ck_assert_int_eq(
			l.settings.common.time_stamps, lines[i].stamps);
		err = agent_sources(&l.conf, &l.settings, &list, &n);
		ck_assert_msg(
			(err == 0) == (lines[i].n_sources > 0), "row %zu", i);
		ck_assert_uint_eq(n, lines[i].n_sources);
		free(list);
		unload(&l);
	}
}
END_TEST

START_TEST(test_resolvers)
{
	static const char *const words[] = {"-resolver",
		"192.0.2.1,[2001:db8::1]:54", "-context-resolver", "192.0.2.2",
		SRC, NULL};
	struct endpoint servers[LOOKUP_SERVERS_MAX];
	char buf[ENDPOINT_TEXT_MAX];
	struct loaded l;

	load(&l, words);
	ck_assert_int_eq(l.action, CONF_RUN);
	ck_assert_uint_eq(agent_resolvers(&l.settings.resolver, servers), 2);
	ck_assert_str_eq(endpoint_format(&servers[1], buf), "[2001:db8::1]:54");
	ck_assert_uint_eq(
		agent_resolvers(&l.settings.context_resolver, servers), 1);
	unload(&l);
	/* Whatever /etc/resolv.conf says here: there is one to ask. */
	ck_assert_uint_ge(agent_resolvers(&(struct conf_list){0}, servers), 1);
	ck_assert_uint_ne(servers[0].addr.ver, 0);
	ck_assert_uint_ne(servers[0].port, 0);
}
END_TEST

RUN_TESTS("settings", test_sources, test_lines, test_resolvers)
