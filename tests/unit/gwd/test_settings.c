/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Start lines and files that gwd takes, and those that it refuses. */
#include "gwd/settings.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/run.h"

#define ARGS_MAX 64

struct loaded {
	struct conf conf;
	struct conf_spec spec;
	struct conf_table tables[SETTINGS_TABLES];
	struct gwd_conf c;
	char line[768];
	char *argv[ARGS_MAX];
};

/* A start line, its words separated by single spaces. What is said about it
 * does not matter here. */
static enum conf_action
load(struct loaded *l, const char *line)
{
	int argc = 0, err = dup(STDERR_FILENO), out = dup(STDOUT_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	enum conf_action action;
	char *save = NULL, *word;

	*l = (struct loaded){0};
	ck_assert_int_lt(snprintf(l->line, sizeof(l->line), "gwd %s", line),
		(int)sizeof(l->line));
	for (word = strtok_r(l->line, " ", &save); word;
		word = strtok_r(NULL, " ", &save)) {
		ck_assert_int_lt(argc, ARGS_MAX - 1);
		l->argv[argc++] = word;
	}
	settings_spec(&l->spec, l->tables);
	l->spec.default_file = "/nonexistent/ipref.conf";
	fflush(NULL);
	ck_assert(dup2(null, STDERR_FILENO) >= 0 &&
		  dup2(null, STDOUT_FILENO) >= 0);
	action = conf_load(&l->conf, &l->spec, &l->c, argc, l->argv);
	fflush(NULL);
	ck_assert(
		dup2(err, STDERR_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0);
	close(null);
	close(err);
	close(out);
	return action;
}

static const struct {
	const char *line;
	enum conf_action action;
} lines[] = {
	{"-gateway 192.0.2.1", CONF_RUN},
	{"--gateway=192.0.2.1", CONF_RUN},
	{"-gateway-bind 0.0.0.0", CONF_RUN},
	{"-gateway 192.0.2.1 -gateway-port 0", CONF_RUN},
	{"-gateway 192.0.2.1 -gateway-port 65535", CONF_RUN},
	{"-gateway 192.0.2.1 -gateway-port 65536", CONF_RUN},
	{"-gateway 192.0.2.1 -gateway-port -1", CONF_RUN},
	{"-gateway 192.0.2.1 -remote-gateway-port 65536", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -remote-gateway-port 2000", CONF_RUN},
	{"-gateway 192.0.2.1 -gateway-ifc-mtu 1400", CONF_RUN},
	{"-gateway 192.0.2.1 -gateway-ifc-mtu 575", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -gateway-ifc-mtu 65536", CONF_EXIT_BAD},
	{"-gateway 2001:db8::1 -gateway-ifc-mtu 1280", CONF_RUN},
	{"-gateway 2001:db8::1 -gateway-ifc-mtu 1279", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -ifname tun0", CONF_RUN},
	{"-gateway 192.0.2.1 -ifname fifteen-letters", CONF_RUN},
	{"-gateway 192.0.2.1 -ifname sixteen-lettersx", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -ifname a/b", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -ifname tun%d", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -ifname ..", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -ifname=", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -max-remote-gateways 100", CONF_RUN},
	{"-gateway 192.0.2.1 -icmp-rate 0", CONF_RUN},
	{"-gateway 192.0.2.1 -icmp-burst 0", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -keep-without-mapper 59", CONF_EXIT_BAD},
	{"-gateway 10.240.3.3", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -dscp 63", CONF_RUN},
	{"-gateway 192.0.2.1 -dscp 64", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -mark 4294967295", CONF_RUN},
	{"-gateway 192.0.2.1 -mark 4294967296", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -device wan0", CONF_RUN},
	{"-gateway 192.0.2.1 -device=", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -clamp-mss=false", CONF_RUN},
	{"-gateway 192.0.2.1 -keep-alive 3601", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -state-file=", CONF_RUN},
	{"-gateway 192.0.2.1 -peer 192.0.2.2", CONF_RUN},
	{"-gateway 192.0.2.1 -peer 192.0.2.2 -peer 192.0.2.2", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -peer 2001:db8::1", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -peer 192.0.2.1", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -deny-peers 192.0.2.0/25,192.0.3.1", CONF_RUN},
	{"-gateway 192.0.2.1 -deny-peers 192.0.2.1/25", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -allow-peers ::/0", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -workers 64", CONF_RUN},
	{"-gateway 192.0.2.1 -workers 65", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -workers -1", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -busy-poll 1000", CONF_RUN},
	{"-gateway 192.0.2.1 -busy-poll 1001", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -tun-tso -udp-gro=true", CONF_RUN},
	{"-gateway 192.0.2.1 -tun-uso=maybe", CONF_EXIT_BAD},
	{"-devmode", CONF_RUN},
	{"", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -no-such-option", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 operand", CONF_EXIT_BAD},
	{"-gateway 192.0.2.1 -check-config", CONF_EXIT_OK},
	{"-help", CONF_EXIT_OK},
	{"--version", CONF_EXIT_OK},
	/* All options of the deployed gateway. */
	{"-gateway 192.0.2.1 -gateway-bind 192.0.2.1 -gateway-pub "
	 "192.0.2.1 -gateway-port 1045 -remote-gateway-port 1045 "
	 "-gateway-ref 1 -gateway-ifc-mtu 1500 -encode-net "
	 "10.240.0.0/12 -dec-ttl -data /var/lib/ipref -mapper-socket "
	 "/run/ipref/mapper.sock -hosts /etc/hosts -max-buffers 64 "
	 "-max-remote-gateways 1024 -max-local-ips 1024 -debug tun,x "
	 "-trace -ticks -time-stamps",
		CONF_RUN},
};

START_TEST(test_lines)
{
	struct loaded l;
	size_t i;

	for (i = 0; i < ARRAY_LEN(lines); i++) {
		ck_assert_msg(load(&l, lines[i].line) == lines[i].action,
			"\"%s\"", lines[i].line);
		conf_fini(&l.conf);
	}
}
END_TEST

START_TEST(test_defaults)
{
	struct loaded l;
	struct limit_rate all, host;
	struct gw_settings set;
	struct addr own = {4, {10, 240, 0, 1}}, pub = {4, {192, 0, 2, 1}};

	ck_assert_int_eq(load(&l, "-gateway 192.0.2.1"), CONF_RUN);
	ck_assert_str_eq(l.c.ifname, "ipref0");
	ck_assert_uint_eq(settings_port(l.c.port), 1045);
	ck_assert_uint_eq(settings_port(l.c.remote_port), 1045);
	ck_assert_uint_eq(l.c.uplink_mtu, 0);
	ck_assert_uint_ge(l.c.max_peers, 1024);
	ck_assert_uint_eq(l.c.keep_s, 86400);
	ck_assert(!l.c.dec_ttl && !l.c.devmode && l.c.clamp_mss);
	ck_assert_uint_eq(l.c.dscp, 0);
	ck_assert_uint_ge(l.c.max_local_ips, 1024);
	ck_assert_ptr_null(l.c.state_file);
	all = settings_icmp_all(&l.c);
	host = settings_icmp_host(&l.c);
	ck_assert(all.per_second > host.per_second);
	ck_assert(all.burst > host.burst);
	set = settings_core(&l.c);
	ck_assert_uint_eq(set.local_ver, 4);
	ck_assert_uint_eq(set.tunnel_ver, 4);
	ck_assert(addr_eq(&set.own_local, &own));
	ck_assert(addr_eq(&set.pub, &pub));
	ck_assert_uint_eq(set.encode_net.len, 12);
	ck_assert(ref_eq(&set.own_ref, &(struct ref){.b[15] = 1}));
	conf_fini(&l.conf);
}
END_TEST

START_TEST(test_values)
{
	struct loaded l;
	struct gw_settings set;

	ck_assert_int_eq(
		load(&l, "-gateway-bind :: -encode-net fd00:1::/64 -dec-ttl "
			 "-gateway-ref 0-1234 -gateway-port 0 "
			 "-remote-gateway-port 2045 -max-remote-gateways 5 "
			 "-gateway-ifc-mtu 9000"),
		CONF_RUN);
	set = settings_core(&l.c);
	ck_assert_uint_eq(set.local_ver, 6);
	ck_assert_uint_eq(set.tunnel_ver, 6);
	ck_assert(addr_is_zero(&set.pub));
	ck_assert(set.dec_ttl);
	ck_assert_uint_eq(set.own_ref.b[14], 0x12);
	ck_assert_uint_eq(settings_port(l.c.port), 1045);
	ck_assert_uint_eq(settings_port(l.c.remote_port), 2045);
	ck_assert_uint_eq(l.c.max_peers, 1024);
	ck_assert_uint_eq(l.c.uplink_mtu, 9000);
	conf_fini(&l.conf);
}
END_TEST

/* One for each processor that this process may use, unless told otherwise. */
START_TEST(test_workers)
{
	cpu_set_t usable, one;
	struct loaded l;
	int i = 0;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(usable), &usable), 0);
	ck_assert_int_eq(load(&l, "-gateway 192.0.2.1"), CONF_RUN);
	ck_assert_uint_eq(settings_workers(&l.c),
		CPU_COUNT(&usable) < SETTINGS_WORKERS_MAX
			? (unsigned)CPU_COUNT(&usable)
			: SETTINGS_WORKERS_MAX);
	while (!CPU_ISSET(i, &usable))
		i++;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	ck_assert_uint_eq(settings_workers(&l.c), 1);
	conf_fini(&l.conf);
	ck_assert_int_eq(load(&l, "-gateway 192.0.2.1 -workers 3"), CONF_RUN);
	ck_assert_uint_eq(settings_workers(&l.c), 3);
	conf_fini(&l.conf);
}
END_TEST

/* Each offload is on unless it is switched off, by itself. */
START_TEST(test_offloads)
{
	struct loaded l;

	ck_assert_int_eq(load(&l, "-gateway 192.0.2.1"), CONF_RUN);
	ck_assert(l.c.tun_tso && l.c.tun_uso && l.c.udp_gso && l.c.udp_gro);
	ck_assert_uint_eq(l.c.busy_poll_us, 0);
	conf_fini(&l.conf);
	ck_assert_int_eq(load(&l, "-gateway 192.0.2.1 -tun-tso=false "
				  "-udp-gro=false -busy-poll 50"),
		CONF_RUN);
	ck_assert(!l.c.tun_tso && l.c.tun_uso && l.c.udp_gso && !l.c.udp_gro);
	ck_assert_uint_eq(l.c.busy_poll_us, 50);
	conf_fini(&l.conf);
	ck_assert_int_eq(
		load(&l, "-gateway 192.0.2.1 -tun-uso=false -udp-gso=false"),
		CONF_RUN);
	ck_assert(l.c.tun_tso && !l.c.tun_uso && !l.c.udp_gso && l.c.udp_gro);
	conf_fini(&l.conf);
}
END_TEST

START_TEST(test_file)
{
	char path[] = "/tmp/ipref-settings.XXXXXX", line[128];
	int fd = mkstemp(path);
	struct loaded l;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(dprintf(fd, "common: { gateway = \"192.0.2.1\"; };\n"
				     "gwd: { ifname = \"x0\"; dec-ttl = true; "
				     "gateway-port = 1046; };\n"),
		0);
	snprintf(line, sizeof(line), "-config %s -gateway-port 1047", path);
	ck_assert_int_eq(load(&l, line), CONF_RUN);
	ck_assert_str_eq(l.c.ifname, "x0");
	ck_assert(l.c.dec_ttl);
	ck_assert_uint_eq(l.c.port, 1047);
	conf_fini(&l.conf);
	/* Options of mapperd are no settings of gwd. */
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_gt(dprintf(fd, "gwd: { data = \"/tmp\"; };\n"), 0);
	ck_assert_int_eq(load(&l, line), CONF_EXIT_BAD);
	conf_fini(&l.conf);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

RUN_TESTS("gwd settings", test_lines, test_defaults, test_values, test_workers,
	test_offloads, test_file)
