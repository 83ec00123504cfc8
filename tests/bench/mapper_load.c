/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapper_load COMMAND ...: one measurement of a mapper, printed as lines of a
 * name and a number. The commands are in the table at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keys.h"
#include "libipref/conn.h"
#include "publish.h"
#include "window.h"

#define PICKS	   131072 /* questions about known references, in turn */
#define SERVING_MS 60000

static int
fail(const char *what, int err)
{
	fprintf(stderr, "mapper_load: %s: %s\n", what, strerror(-err));
	return 1;
}

static int
run(const char *path, const struct window_plan *plan)
{
	struct window_result r;
	int fd, err = conn_connect(path, &fd);

	if (err)
		return fail(path, err);
	/* Questions are due at their time, not some 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1);
	err = window_run(fd, plan, &r);
	close(fd);
	if (!err && r.unexpected)
		err = -EREMOTEIO;
	if (!err)
		printf("rate %.0f\np50_us %.0f\np99_us %.0f\nmax_us %.0f\n",
			(double)r.answered / r.seconds,
			window_quantile(&r, 0.5), window_quantile(&r, 0.99),
			window_quantile(&r, 1));
	if (err == -EREMOTEIO)
		fprintf(stderr, "mapper_load: %llu of %llu refused\n",
			(unsigned long long)r.unexpected,
			(unsigned long long)r.answered);
	window_result_free(&r);
	return err ? fail(path, err) : 0;
}

/* SOCKET FIRST COUNT ROOM */
static int
cmd_make(char **a)
{
	struct questions q;
	struct window_plan plan = {
		.questions = &q,
		.count = strtoull(a[2], NULL, 10),
		.room = (unsigned)strtoul(a[3], NULL, 10),
		.expect = MSG_ACK,
	};
	int err = keys_ask(
		&q, strtoull(a[1], NULL, 10), (size_t)plan.count, false);
	int rc = err ? fail("questions", err) : run(a[0], &plan);

	questions_free(&q);
	return rc;
}

/* SOCKET N ROOM SECONDS, and what is different about the others */
static int
ask_known(char **a, double rate, enum msg_mode expect)
{
	struct questions q;
	struct window_plan plan = {
		.questions = &q,
		.room = rate > 0 ? WINDOW_MAX
				 : (unsigned)strtoul(a[2], NULL, 10),
		.seconds = strtod(a[3], NULL),
		.rate = rate,
		.expect = expect,
	};
	int err = keys_ask(&q, strtoull(a[1], NULL, 10), PICKS, true);
	int rc = err ? fail("questions", err) : run(a[0], &plan);

	questions_free(&q);
	return rc;
}

static int
cmd_ask(char **a)
{
	return ask_known(a, 0, MSG_ACK);
}

static int
cmd_echo(char **a)
{
	return ask_known(a, 0, MSG_REQ);
}

static int
cmd_pace(char **a)
{
	return ask_known(a, strtod(a[2], NULL), MSG_ACK);
}

static int
cmd_pace_echo(char **a)
{
	return ask_known(a, strtod(a[2], NULL), MSG_REQ);
}

/* SOCKET HOSTS SEED */
static int
cmd_publish(char **a)
{
	double seconds;
	int fd, err = conn_connect(a[0], &fd);

	if (err)
		return fail(a[0], err);
	seconds = publish_set(
		fd, strtoull(a[1], NULL, 10), strtoull(a[2], NULL, 10));
	close(fd);
	if (seconds < 0)
		return fail("publish", (int)seconds);
	printf("seconds %.3f\n", seconds);
	return 0;
}

/* FILE COMMAND...: runs it, and notes in the file when. */
static int
cmd_exec(char **a)
{
	FILE *f = fopen(a[0], "we");

	if (!f)
		return fail(a[0], -errno);
	fprintf(f, "%llu\n", (unsigned long long)clock_ns());
	fclose(f);
	execv(a[1], a + 1);
	return fail(a[1], -errno);
}

static bool
answers(const char *path, const struct questions *q)
{
	const struct timeval tv = {SERVING_MS / 1000, 0};
	uint8_t buf[QUESTION_MAX];
	struct msg m;
	ssize_t n = -1;
	int fd;

	if (conn_connect(path, &fd))
		return false;
	if (!fcntl(fd, F_SETFL, 0) &&
		!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) &&
		send(fd, q->bytes, q->len, MSG_NOSIGNAL) > 0)
		n = recv(fd, buf, sizeof(buf), 0);
	close(fd);
	return n > 0 && msg_decode(&m, &key_format, buf, (size_t)n) == MSG_OK &&
	       m.mode == MSG_ACK;
}

/* exec's note, when it is there. */
static bool
read_note(const char *path, uint64_t *at)
{
	unsigned long long n;
	FILE *f = fopen(path, "re");
	bool ok = f && fscanf(f, "%llu", &n) == 1;

	if (f)
		fclose(f);
	if (ok)
		*at = n;
	return ok;
}

/* SOCKET FILE: how long after exec's note key 0 is answered. */
static int
cmd_serving(char **a)
{
	const struct timespec pause = {0, 1000000};
	uint64_t since, end = clock_ns() + SERVING_MS * UINT64_C(1000000);
	struct questions q;
	int err = keys_ask(&q, 0, 1, false);

	while (!err && !(read_note(a[1], &since) && answers(a[0], &q))) {
		if (clock_ns() > end)
			err = -ETIMEDOUT;
		nanosleep(&pause, NULL); /* poll */
	}
	questions_free(&q);
	if (err)
		return fail(a[0], err);
	printf("seconds %.4f\n", (double)(clock_ns() - since) / 1e9);
	return 0;
}

static const struct command {
	const char *name, *args;
	int n; /* arguments, at least */
	int (*run)(char **args);
	const char *help;
} commands[] = {
	{"make", "SOCKET FIRST COUNT ROOM", 4, cmd_make,
		"ask for new references, ROOM of them in flight"},
	{"ask", "SOCKET N ROOM SECONDS", 4, cmd_ask,
		"ask for known ones out of the first N"},
	{"pace", "SOCKET N RATE SECONDS", 4, cmd_pace,
		"the same, so many a second"},
	{"echo", "SOCKET N ROOM SECONDS", 4, cmd_echo,
		"the same of echo_server"},
	{"pace_echo", "SOCKET N RATE SECONDS", 4, cmd_pace_echo,
		"the same, so many a second"},
	{"publish", "SOCKET HOSTS SEED", 3, cmd_publish,
		"publish a set of hosts"},
	{"exec", "FILE COMMAND...", 2, cmd_exec, "note the time, run it"},
	{"serving", "SOCKET FILE", 2, cmd_serving,
		"seconds from that note until the first answer"},
};

int
main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 1 && i < ARRAY_LEN(commands); i++)
		if (!strcmp(argv[1], commands[i].name) &&
			argc - 2 >= commands[i].n)
			return commands[i].run(argv + 2);
	for (i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(stderr, "mapper_load %s %s: %s\n", commands[i].name,
			commands[i].args, commands[i].help);
	return 2;
}
