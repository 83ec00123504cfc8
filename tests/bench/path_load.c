/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * path_load COMMAND FROM TO ADDRESS ...: one measurement of the way from one
 * network namespace to another, printed as lines of a name and a number. The
 * commands are in the table at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpu_watch.h"
#include "path_talk.h"
#include "udp_stream.h"

#define LOSS	   0.001 /* of datagrams: still counts as none */
#define FIRST_RATE 20000.0
#define TRIALS	   14	/* most */
#define FINE	   0.02 /* the bisection ends */
#define KEPT_UP	   0.9	/* less of the asked rate: that is all it can do */
#define UDP_SIZE   64

#define WARM_UP	     0.1
#define WARM_UP_EACH 1e-5 /* address */

/* Arguments after FROM, TO, ADDRESS. */
struct request {
	struct path path;
	char **args;
};

static double
real(const struct request *r, int i)
{
	return strtod(r->args[i], NULL);
}

static unsigned
whole(const struct request *r, int i)
{
	return (unsigned)strtoul(r->args[i], NULL, 10);
}

/* What arrived, a second; 0 when too much was lost, twice. */
static int
trial(struct udp_stream *s, double rate, double seconds, double *arrived)
{
	struct udp_run run;
	int i, err;

	*arrived = 0;
	for (i = 0; i < 2; i++) {
		err = udp_stream_run(s, rate, seconds, &run);
		if (err)
			return err;
		if ((double)run.got >= (double)run.sent * (1 - LOSS)) {
			*arrived = (double)run.got / run.seconds;
			return 0;
		}
	}
	return 0;
}

/* Doubles until too much is lost, then halves the interval. */
static int
bisect(struct udp_stream *s, double seconds, double *best)
{
	double good = 0, bad = 0, rate = FIRST_RATE, arrived;
	int i, err;

	*best = 0;
	for (i = 0; i < TRIALS; i++) {
		err = trial(s, rate, seconds, &arrived);
		if (err)
			return err;
		if (arrived > *best)
			*best = arrived;
		if (arrived > 0 && arrived < KEPT_UP * rate)
			break;
		if (arrived > 0)
			good = rate;
		else
			bad = rate;
		if (bad > 0 && bad - good < FINE * bad)
			break;
		rate = bad > 0 ? (good + bad) / 2 : 2 * rate;
	}
	return 0;
}

/* SIZE SEGMENTS SECONDS */
static int
cmd_udp(const struct request *r)
{
	struct udp_stream s = {
		.path = r->path,
		.size = whole(r, 0),
		.segments = whole(r, 1),
		.spread = 1,
	};
	double best;
	int err = udp_stream_start(&s);

	if (err)
		return err;
	err = bisect(&s, real(r, 2), &best);
	udp_stream_stop(&s);
	if (!err)
		printf("kpps %.1f\n", best / 1e3);
	return err;
}

/* All addresses are sent to once: what is used a first time costs more. */
static int
warm_up(struct udp_stream *s)
{
	struct udp_run run;

	return udp_stream_run(
		s, 0, WARM_UP + WARM_UP_EACH * (double)s->spread, &run);
}

/* Both gateways' processes are watched. */
static int
run_watched(struct udp_stream *s, double rate, double seconds, const int pid[2],
	struct udp_run *run, struct cpu_time t[2])
{
	struct cpu_watch w;
	int stopped, err = cpu_watch_start(&w, pid);

	if (err)
		return err;
	err = udp_stream_run(s, rate, seconds, run);
	stopped = cpu_watch_stop(&w, t);
	if (w.by_tick)
		fprintf(stderr, "path_load: user time by clock tick only\n");
	return err ? err : stopped;
}

/* SPREAD RATE SECONDS PID_A PID_B */
static int
cmd_cpu(const struct request *r)
{
	struct udp_stream s = {
		.path = r->path,
		.size = UDP_SIZE,
		.segments = 1,
		.spread = whole(r, 0),
	};
	const int pid[2] = {(int)whole(r, 3), (int)whole(r, 4)};
	struct cpu_time t[2];
	struct udp_run run;
	int err = udp_stream_start(&s);

	if (err)
		return err;
	err = warm_up(&s);
	if (!err)
		err = run_watched(&s, real(r, 1), real(r, 2), pid, &run, t);
	udp_stream_stop(&s);
	if (!err && run.got < run.sent / 2)
		err = -EHOSTUNREACH;
	if (err)
		return err;
	printf("encap.user_ns %.0f\nencap.system_ns %.0f\n",
		t[0].user_ns / (double)run.sent,
		t[0].system_ns / (double)run.sent);
	printf("decap.user_ns %.0f\ndecap.system_ns %.0f\n",
		t[1].user_ns / (double)run.got,
		t[1].system_ns / (double)run.got);
	printf("cpu.lost_percent %.2f\n",
		100 - 100 * (double)run.got / (double)run.sent);
	return 0;
}

/* SPREAD SEGMENTS SECONDS PID_A PID_B NAMESPACE DEVICE */
static int
cmd_flood(const struct request *r)
{
	struct udp_stream s = {
		.path = r->path,
		.size = UDP_SIZE,
		.segments = whole(r, 1),
		.spread = whole(r, 0),
	};
	const int pid[2] = {(int)whole(r, 3), (int)whole(r, 4)};
	struct cpu_time t[2];
	struct udp_run run;
	uint64_t before, after;
	const char *how;
	double left;
	int err = udp_stream_start(&s);

	if (err)
		return err;
	err = warm_up(&s);
	if (!err)
		err = path_sent_by(r->args[5], r->args[6], &before);
	if (!err)
		err = run_watched(&s, 0, real(r, 2), pid, &run, t);
	if (!err)
		err = path_sent_by(r->args[5], r->args[6], &after);
	udp_stream_stop(&s);
	if (!err && (after == before || !run.got))
		err = -EHOSTUNREACH;
	if (err)
		return err;
	left = (double)(after - before);
	how = s.segments > 1 ? "uso" : "full";
	printf("encap.%s_kpps %.1f\n", how,
		left * 1e6 / (t[0].user_ns + t[0].system_ns));
	printf("encap.%s_user_ns %.0f\n", how, t[0].user_ns / left);
	printf("decap.%s_user_ns %.0f\n", how, t[1].user_ns / (double)run.got);
	return 0;
}

/* N */
static int
cmd_rtt(const struct request *r)
{
	struct round_trips t;
	int err = round_trips(&r->path, whole(r, 0), &t);

	if (!err)
		printf("median_us %.1f\np99_us %.1f\n", t.median_us, t.p99_us);
	return err;
}

/* SECONDS */
static int
cmd_flows(const struct request *r)
{
	double rate;
	int err = connections(&r->path, real(r, 0), &rate);

	if (!err)
		printf("rate %.0f\n", rate);
	return err;
}

static const struct command {
	const char *name, *args;
	int n; /* arguments */
	int (*run)(const struct request *r);
	const char *help;
} commands[] = {
	{"udp", "SIZE SEGMENTS SECONDS", 3, cmd_udp,
		"most datagrams a second without loss, so many to a call, "
		"by trials of SECONDS"},
	{"cpu", "SPREAD RATE SECONDS PID_A PID_B", 5, cmd_cpu,
		"CPU time a packet of the two gateways at that rate, to so "
		"many addresses from ADDRESS on"},
	{"flood", "SPREAD SEGMENTS SECONDS PID_A PID_B NAMESPACE DEVICE", 7,
		cmd_flood,
		"packets that leave the device for each second of CPU that "
		"gateway A uses, when flooded"},
	{"rtt", "N", 1, cmd_rtt, "round trips, one at a time"},
	{"flows", "SECONDS", 1, cmd_flows, "TCP connections a second"},
};

static int
usage(void)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(stderr, "path_load %s FROM TO ADDRESS %s: %s\n",
			commands[i].name, commands[i].args, commands[i].help);
	return 2;
}

int
main(int argc, char **argv)
{
	struct request r;
	size_t i = 0;
	int err;

	while (argc > 4 && i < ARRAY_LEN(commands) &&
		(strcmp(argv[1], commands[i].name) ||
			argc - 5 != commands[i].n))
		i++;
	if (argc <= 4 || i == ARRAY_LEN(commands) ||
		!addr_parse(&r.path.addr, argv[4], strlen(argv[4])))
		return usage();
	r.path.from = argv[2];
	r.path.to = argv[3];
	r.args = argv + 5;
	err = commands[i].run(&r);
	if (err)
		fprintf(stderr, "path_load %s: %s\n", argv[1], strerror(-err));
	return err ? 1 : 0;
}
