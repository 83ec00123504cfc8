/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The skeleton, run as a daemon is: a process of its own, in a directory of its
 * own, with a notify socket, signals, a settings file and a control socket.
 * What it logs tells what happened in which order. Its exit code also tells of
 * leaks, when built with a leak checker.
 */
#include "libipref/daemon.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libipref/ctl.h"
#include "libipref/log.h"
#include "tests/unit/run.h"

#define TIMEOUT_MS 20000

struct settings {
	struct common_conf common;
	uint64_t fail;	  /* number of the part that does not start */
	uint64_t stop_in; /* number of the part that ends the daemon */
	uint64_t early;	  /* what early() gives; 100: goes on */
	uint64_t size;
};

static const struct conf_row rows[] = {
	{"fail", CONF_UINT, offsetof(struct settings, fail), 0, 9, "0", 0, NULL,
		"part that fails", NULL},
	{"stop-in", CONF_UINT, offsetof(struct settings, stop_in), 0, 9, "0", 0,
		NULL, "part that stops it", NULL},
	{"early", CONF_UINT, offsetof(struct settings, early), 0, 100, "100", 0,
		NULL, "exit code of early", NULL},
	{"size", CONF_UINT, offsetof(struct settings, size), 0, 9, "1",
		CONF_RELOAD, NULL, "size of it", NULL},
};

static int
start(struct daemon *d, uint64_t part)
{
	const struct settings *s = d->settings;

	if (!d->base || !d->ctl || !d->start_ms || strcmp(d->name, "tiny"))
		return -EINVAL;
	if (s->fail == part) {
		log_info("fail %d", (int)part);
		return -EIO;
	}
	log_info("start %d", (int)part);
	log_debug("detail %d", (int)part);
	if (s->stop_in == part)
		daemon_stop(d, 7);
	return 0;
}

static int
start_1(struct daemon *d)
{
	/* It would be the end, were it not ignored. */
	raise(SIGPIPE);
	return start(d, 1);
}

static int
start_2(struct daemon *d)
{
	return start(d, 2);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	daemon_stop(arg, 9);
	daemon_stop(arg, 10); /* the first counts */
}

/* With stop-in 9 the daemon stops itself, out of the loop. */
static int
start_3(struct daemon *d)
{
	static const struct timeval now;
	const struct settings *s = d->settings;

	if (s->stop_in == 9 &&
		event_base_once(d->base, -1, EV_TIMEOUT, on_timer, d, &now))
		return -EIO;
	return start(d, 3);
}

static void
stop_1(struct daemon *d)
{
	(void)d;
	log_info("stop 1");
}

static void
stop_3(struct daemon *d)
{
	(void)d;
	log_info("stop 3");
}

static const struct daemon_part parts[] = {
	{"one", start_1, stop_1},
	{"two", start_2, NULL},
	{"three", start_3, stop_3},
};

static int
early(struct daemon *d)
{
	const struct settings *s = d->settings;

	if (d->base)
		return 99;
	return s->early == 100 ? -1 : (int)s->early;
}

static void
reload(struct daemon *d)
{
	const struct settings *s = d->settings;

	log_info("size %d", (int)s->size);
}

static const char *
check(const void *settings)
{
	return common_check((struct common_conf *)settings, false);
}

static int
tiny_main(int argc, char **argv)
{
	const struct conf_table tables[] = {
		common_table, {"tiny", rows, ARRAY_LEN(rows)}};
	struct settings settings;
	const struct conf_spec conf = {.program = "tiny",
		.summary = "is a test",
		.tables = tables,
		.n_tables = ARRAY_LEN(tables),
		.size = sizeof(settings),
		.check = check};
	const struct daemon_spec spec = {.conf = &conf,
		.settings = &settings,
		.parts = parts,
		.n_parts = ARRAY_LEN(parts),
		.reload = reload,
		.early = early};

	return daemon_main(&spec, argc, argv);
}

/* A running daemon. */
struct tiny {
	char dir[64], file[96], ctl[96];
	int notify; /* the test's end of NOTIFY_SOCKET */
	int log;    /* memory file behind its stderr */
	pid_t pid;
};

static void
tiny_write(const struct tiny *t, const char *entries)
{
	FILE *f = fopen(t->file, "we");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "tiny: { %s };\n", entries);
	ck_assert_int_eq(fclose(f), 0);
}

static void
tiny_init(struct tiny *t)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	*t = (struct tiny){.dir = "/tmp/ipref-daemon-XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(t->dir));
	snprintf(t->file, sizeof(t->file), "%s/conf", t->dir);
	snprintf(t->ctl, sizeof(t->ctl), "%s/tiny.ctl", t->dir);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/notify", t->dir);
	t->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(
		bind(t->notify, (struct sockaddr *)&sun, sizeof(sun)), 0);
	ck_assert_int_eq(setenv("NOTIFY_SOCKET", sun.sun_path, 1), 0);
	t->log = memfd_create("log", MFD_CLOEXEC);
	ck_assert_int_ge(t->log, 0);
	ck_assert_int_eq(fcntl(t->log, F_SETFL, O_APPEND), 0);
	tiny_write(t, "");
}

/* Starts it with these words (between spaces) behind the file and directory. */
static void
tiny_start(struct tiny *t, const char *words)
{
	char copy[256], *argv[32] = {"tiny", "-config", t->file, "-control-dir",
				t->dir};
	char *save = NULL;
	int argc = 5;

	snprintf(copy, sizeof(copy), "%s", words);
	for (argv[argc] = strtok_r(copy, " ", &save); argv[argc];
		argv[argc] = strtok_r(NULL, " ", &save))
		argc++;
	fflush(NULL);
	t->pid = fork();
	ck_assert_int_ge(t->pid, 0);
	if (t->pid == 0) {
		dup2(t->log, STDERR_FILENO);
		exit(tiny_main(argc, argv));
	}
}

/* The next message on the notify socket begins so. */
static void
tiny_expect(const struct tiny *t, const char *begin)
{
	struct pollfd pfd = {.fd = t->notify, .events = POLLIN};
	char text[256];
	ssize_t n;

	ck_assert_int_eq(poll(&pfd, 1, TIMEOUT_MS), 1);
	n = recv(t->notify, text, sizeof(text) - 1, 0);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	if (strncmp(text, begin, strlen(begin)))
		ck_abort_msg("%s instead of %s", text, begin);
}

/* Nothing more was said to systemd. */
static void
tiny_expect_none(const struct tiny *t)
{
	char byte;

	ck_assert_int_lt(recv(t->notify, &byte, 1, MSG_DONTWAIT), 0);
}

static int
tiny_wait(const struct tiny *t)
{
	int status;

	ck_assert_int_eq(waitpid(t->pid, &status, 0), t->pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* All that it logged, the caller's. */
static char *
tiny_log(const struct tiny *t)
{
	off_t len = lseek(t->log, 0, SEEK_END);
	char *text = calloc(1, (size_t)len + 1);

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(pread(t->log, text, (size_t)len, 0), len);
	return text;
}

/* The lines between the commas stand in the log, in this order, with others of
 * "start", "stop" and "fail" nowhere. */
static void
tiny_check_log(const struct tiny *t, const char *want)
{
	char *text = tiny_log(t), *line, *save = NULL;
	char got[256] = "";
	size_t n = 0;

	for (line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "<6>tiny: ", 9))
			continue;
		if (!strncmp(line + 9, "debug:", 6))
			continue;
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s",
			n ? "," : "", line + 9);
	}
	ck_assert_str_eq(got, want);
	free(text);
}

static void
tiny_fini(struct tiny *t)
{
	char path[128];

	close(t->notify);
	close(t->log);
	snprintf(path, sizeof(path), "%s/notify", t->dir);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unlink(t->file), 0);
	/* Its own socket is gone. */
	ck_assert_int_eq(rmdir(t->dir), 0);
}

START_TEST(test_start_and_stop)
{
	static const int signals[] = {SIGTERM, SIGINT};
	struct tiny t;
	size_t i;
	char *log;

	for (i = 0; i < ARRAY_LEN(signals); i++) {
		tiny_init(&t);
		tiny_start(&t, "");
		tiny_expect(&t, "READY=1");
		ck_assert_int_eq(kill(t.pid, signals[i]), 0);
		tiny_expect(&t, "STOPPING=1");
		ck_assert_int_eq(tiny_wait(&t), 0);
		tiny_expect_none(&t);
		tiny_check_log(&t, "start 1,start 2,start 3,stop 3,stop 1");
		log = tiny_log(&t);
		ck_assert_ptr_nonnull(
			strstr(log, i ? "<5>tiny: stopping: SIGINT\n"
				      : "<5>tiny: stopping: SIGTERM\n"));
		free(log);
		tiny_fini(&t);
	}
}
END_TEST

/* Runs that end by themselves. */
static const struct {
	const char *words;
	int exit_code;
	const char *log;
	bool ready; /* it was, before */
} runs[] = {
	{"-fail 1", 1, "fail 1", false},
	{"-fail 2", 1, "start 1,fail 2,stop 1", false},
	{"-fail 3", 1, "start 1,start 2,fail 3,stop 1", false},
	{"-stop-in 1", 7, "start 1,stop 1", false},
	{"-stop-in 2", 7, "start 1,start 2,stop 1", false},
	{"-stop-in 3", 7, "start 1,start 2,start 3,stop 3,stop 1", false},
	{"-stop-in 9", 9, "start 1,start 2,start 3,stop 3,stop 1", true},
	{"-early 0", 0, "", false},
	{"-early 5", 5, "", false},
	{"-nope", 2, "", false},
	{"-size 10", 2, "", false},
	{"operand", 2, "", false},
	{"-control-dir /nonexistent", 1, "", false},
	{"-control-dir /dev/null", 1, "", false},
	{"-log-level 5 -stop-in 9", 9, "", true},
};

START_TEST(test_runs)
{
	struct tiny t;
	size_t i;

	for (i = 0; i < ARRAY_LEN(runs); i++) {
		tiny_init(&t);
		tiny_start(&t, runs[i].words);
		ck_assert_int_eq(tiny_wait(&t), runs[i].exit_code);
		tiny_check_log(&t, runs[i].log);
		if (runs[i].ready)
			tiny_expect(&t, "READY=1");
		/* What never stood up does not say that it lies down. */
		if (runs[i].exit_code != 2 && !strstr(runs[i].words, "early"))
			tiny_expect(&t, "STOPPING=1");
		tiny_expect_none(&t);
		tiny_fini(&t);
	}
}
END_TEST

START_TEST(test_debug)
{
	struct tiny t;
	char *log;

	tiny_init(&t);
	tiny_start(&t, "-debug store -stop-in 9");
	ck_assert_int_eq(tiny_wait(&t), 9);
	log = tiny_log(&t);
	ck_assert_ptr_nonnull(strstr(log, "<7>tiny: detail 3\n"));
	free(log);
	tiny_fini(&t);
}
END_TEST

/* Asks for /status: a new reference. */
static json_t *
tiny_status(const struct tiny *t)
{
	json_t *obj;
	char *body;
	size_t len;
	int status;

	ck_assert_int_eq(
		ctl_get(t->ctl, "/status", TIMEOUT_MS, &status, &body, &len),
		0);
	ck_assert_int_eq(status, 200);
	obj = json_loads(body, 0, NULL);
	ck_assert_ptr_nonnull(obj);
	free(body);
	return obj;
}

START_TEST(test_status)
{
	const char *program, *version, *config;
	int pid, uptime, ready;
	struct tiny t;
	json_t *obj;

	tiny_init(&t);
	tiny_start(&t, "");
	tiny_expect(&t, "READY=1");
	obj = tiny_status(&t);
	ck_assert_int_eq(
		json_unpack_ex(obj, NULL, JSON_STRICT,
			"{s:s, s:s, s:i, s:i, s:b, s:s}", "program", &program,
			"version", &version, "pid", &pid, "uptime_seconds",
			&uptime, "ready", &ready, "config", &config),
		0);
	ck_assert_str_eq(program, "tiny");
	ck_assert_str_eq(version, IPREF_VERSION);
	ck_assert_int_eq(pid, t.pid);
	ck_assert_int_eq(ready, 1);
	ck_assert_str_eq(config, t.file);
	json_decref(obj);
	ck_assert_int_eq(kill(t.pid, SIGTERM), 0);
	ck_assert_int_eq(tiny_wait(&t), 0);
	tiny_fini(&t);
}
END_TEST

START_TEST(test_reload)
{
	struct tiny t;
	char *log;

	tiny_init(&t);
	tiny_start(&t, "");
	tiny_expect(&t, "READY=1");
	tiny_write(&t, "size = 5;");
	ck_assert_int_eq(kill(t.pid, SIGHUP), 0);
	tiny_expect(&t, "RELOADING=1\nMONOTONIC_USEC=");
	tiny_expect(&t, "READY=1");
	/* Refused: the hook is not called. */
	tiny_write(&t, "size = 50;");
	ck_assert_int_eq(kill(t.pid, SIGHUP), 0);
	tiny_expect(&t, "RELOADING=1\nMONOTONIC_USEC=");
	tiny_expect(&t, "READY=1");
	/* The log's level is reloaded as well. */
	tiny_write(&t, "size = 6; log-level = 5;");
	ck_assert_int_eq(kill(t.pid, SIGHUP), 0);
	tiny_expect(&t, "RELOADING=1\nMONOTONIC_USEC=");
	tiny_expect(&t, "READY=1");
	ck_assert_int_eq(kill(t.pid, SIGTERM), 0);
	ck_assert_int_eq(tiny_wait(&t), 0);
	tiny_check_log(&t, "start 1,start 2,start 3,size 5");
	log = tiny_log(&t);
	ck_assert_ptr_nonnull(strstr(
		log, "<3>tiny: settings: not reloaded, the old ones stay\n"));
	ck_assert_ptr_nonnull(
		strstr(log, "conf:1: tiny.size: 50 is out of range, 0 to 9\n"));
	free(log);
	tiny_fini(&t);
}
END_TEST

/* A second one finds the first one's control socket, and leaves it alone. */
START_TEST(test_two)
{
	struct tiny t, second;
	char *log;

	tiny_init(&t);
	tiny_start(&t, "");
	tiny_expect(&t, "READY=1");
	second = t;
	second.log = memfd_create("log", MFD_CLOEXEC);
	tiny_start(&second, "");
	ck_assert_int_eq(tiny_wait(&second), 1);
	tiny_expect(&t, "STOPPING=1");
	log = tiny_log(&second);
	ck_assert_ptr_nonnull(strstr(log, "Address already in use"));
	free(log);
	close(second.log);
	json_decref(tiny_status(&t));
	ck_assert_int_eq(kill(t.pid, SIGTERM), 0);
	ck_assert_int_eq(tiny_wait(&t), 0);
	tiny_fini(&t);
}
END_TEST

/* Killed without a word, the next one takes its place. */
START_TEST(test_killed)
{
	struct tiny t;
	int status;

	tiny_init(&t);
	tiny_start(&t, "");
	tiny_expect(&t, "READY=1");
	ck_assert_int_eq(kill(t.pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(t.pid, &status, 0), t.pid);
	ck_assert_int_eq(access(t.ctl, F_OK), 0);
	tiny_start(&t, "");
	tiny_expect(&t, "READY=1");
	json_decref(tiny_status(&t));
	ck_assert_int_eq(kill(t.pid, SIGTERM), 0);
	ck_assert_int_eq(tiny_wait(&t), 0);
	tiny_fini(&t);
}
END_TEST

/* In a child, whose descriptors 3 to 6 are systemd's. */
static int
take_fds(void)
{
	char pid[32];
	int i;

	for (i = 3; i < 7; i++)
		if (dup2(STDIN_FILENO, i) != i)
			return 1;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "4", 1);
	setenv("LISTEN_FDNAMES", "mapper:tunnel:mapper.ctl:tunnel", 1);
	if (daemon_listen_fd("nope") != -1)
		return 2;
	if (daemon_listen_fd("tunnel") != 4 || daemon_listen_fd("tunnel") != 6)
		return 3;
	if (daemon_listen_fd("tunnel") != -1)
		return 4;
	if (daemon_listen_fd("mapper") != 3 || daemon_listen_fd("mapper") != -1)
		return 5;
	if (daemon_listen_fd("mapper.ctl") != 5)
		return 6;
	if (!(fcntl(3, F_GETFD) & FD_CLOEXEC))
		return 7;
	unsetenv("LISTEN_FDS");
	return daemon_listen_fd("mapper") == -1 ? 0 : 8;
}

START_TEST(test_listen_fds)
{
	int status;
	pid_t pid;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	ck_assert_int_eq(daemon_listen_fd("mapper"), -1);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(take_fds());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

RUN_TESTS("daemon", test_start_and_stop, test_runs, test_debug, test_status,
	test_reload, test_two, test_killed, test_listen_fds)
