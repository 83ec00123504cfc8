/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines as they arrive at the other end of stderr. */
#include "libipref/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/capture.h"
#include "tests/unit/run.h"

static const enum log_level levels[] = {LOG_LEVEL_ERR, LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG};

/* Says one line of each level, by the macro of that level. */
static void
say_all(void)
{
	log_err("peer %d: %s", 1, "err");
	log_warn("peer %d: %s", 1, "warn");
	log_notice("peer %d: %s", 1, "notice");
	log_info("peer %d: %s", 1, "info");
	log_debug("peer %d: %s", 1, "debug");
}

START_TEST(test_levels)
{
	static const char *const lines[] = {"<3>gwd: peer 1: err\n",
		"<4>gwd: peer 1: warn\n", "<5>gwd: peer 1: notice\n",
		"<6>gwd: peer 1: info\n", "<7>gwd: peer 1: debug\n"};
	struct capture c;
	char want[256], *text;
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(levels); i++) {
		log_init("gwd", levels[i], false);
		capture_start(&c, STDERR_FILENO);
		say_all();
		text = capture_end(&c);
		want[0] = '\0';
		for (j = 0; j <= i; j++)
			strcat(want, lines[j]);
		ck_assert_str_eq(text, want);
		free(text);
		for (j = 0; j < ARRAY_LEN(levels); j++)
			ck_assert_int_eq(log_wants(levels[j]), j <= i);
	}
}
END_TEST

START_TEST(test_before_init)
{
	struct capture c;
	char *text;

	capture_start(&c, STDERR_FILENO);
	log_info("early");
	log_debug("not wanted");
	text = capture_end(&c);
	ck_assert_str_eq(text, "<6>early\n");
	free(text);
}
END_TEST

START_TEST(test_errno)
{
	struct capture c;
	char *text;

	log_init("x", LOG_LEVEL_INFO, false);
	capture_start(&c, STDERR_FILENO);
	errno = EXDEV;
	log_err_errno(ENOENT, "file %s", "a");
	log_warn_errno(0, "no cause");
	log_warn("%s", "plain");
	ck_assert_int_eq(errno, EXDEV);
	text = capture_end(&c);
	ck_assert_str_eq(text, "<3>x: file a: No such file or directory\n"
			       "<4>x: no cause\n<4>x: plain\n");
	free(text);
}
END_TEST

/* What outsiders wrote can't begin a line. */
START_TEST(test_control_characters)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"a\n<0>b", "<4>x: a?<0>b\n"},
		{"\r\t\x1b[31m\x7f", "<4>x: ???[31m?\n"},
		{"h\xc3\xa9", "<4>x: h\xc3\xa9\n"},
		{"%s%n", "<4>x: %s%n\n"},
		{"", "<4>x: \n"},
	};
	struct capture c;
	char *text;
	size_t i;

	log_init("x", LOG_LEVEL_INFO, false);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		capture_start(&c, STDERR_FILENO);
		log_warn("%s", cases[i].in);
		text = capture_end(&c);
		ck_assert_str_eq(text, cases[i].out);
		free(text);
	}
}
END_TEST

/* Lines of every length around the bound: whole, or cut with "...". */
START_TEST(test_long_lines)
{
	static char big[4096];
	struct capture c;
	char *text;
	size_t len, n, longest = 0;
	bool cut;

	log_init("x", LOG_LEVEL_INFO, false);
	for (len = 2990; len < sizeof(big); len += len < 3090 ? 1 : 200) {
		memset(big, 'a', len);
		big[len] = '\0';
		capture_start(&c, STDERR_FILENO);
		log_err_errno(EIO, "%s", big);
		text = capture_end(&c);
		n = strlen(text);
		cut = strstr(text, "...\n") != NULL;
		ck_assert_int_eq(text[n - 1], '\n');
		ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
		if (!cut)
			ck_assert_ptr_nonnull(strstr(text, ": Input/output"));
		if (n > longest)
			longest = n;
		free(text);
	}
	ck_assert_uint_ge(longest, 3000);
	ck_assert_uint_lt(longest, 4096);
}
END_TEST

START_TEST(test_time_stamps)
{
	struct capture c;
	struct tm tm;
	char *text, *end;
	time_t said, now = time(NULL);

	log_init("x", LOG_LEVEL_INFO, true);
	capture_start(&c, STDERR_FILENO);
	log_info("hello");
	text = capture_end(&c);
	ck_assert_int_eq(strncmp(text, "<6>", 3), 0);
	memset(&tm, 0, sizeof(tm));
	end = strptime(text + 3, "%Y-%m-%dT%H:%M:%S", &tm);
	ck_assert_ptr_nonnull(end);
	said = timegm(&tm);
	ck_assert_int_ge(said, now);
	ck_assert_int_le(said, now + 60);
	ck_assert_int_eq(*end, '.');
	ck_assert_uint_eq(strspn(end + 1, "0123456789"), 3);
	ck_assert_str_eq(end + 4, "Z x: hello\n");
	free(text);
}
END_TEST

static size_t
count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Says n lines within one second of the limit's clock. */
static char *
say_limited(struct log_limit *limit, int n)
{
	struct log_limit before = *limit;
	struct capture c;
	char *text;
	uint64_t window;
	int i;

	for (;;) {
		capture_start(&c, STDERR_FILENO);
		log_limited(limit, LOG_LEVEL_WARN, "drop %d", 0);
		window = limit->window;
		for (i = 1; i < n; i++)
			log_limited(limit, LOG_LEVEL_WARN, "drop %d", i);
		text = capture_end(&c);
		if (limit->window == window)
			return text;
		free(text);
		*limit = before;
	}
}

START_TEST(test_limit)
{
	struct log_limit limit = {0};
	char *text;

	log_init("x", LOG_LEVEL_INFO, false);
	text = say_limited(&limit, 25);
	ck_assert_uint_eq(count_lines(text), LOG_LIMIT_BURST);
	ck_assert_ptr_null(strstr(text, "left out"));
	ck_assert_uint_eq(limit.left_out, 25 - LOG_LIMIT_BURST);
	free(text);
	/* Another second. */
	limit.window--;
	text = say_limited(&limit, 2);
	ck_assert_str_eq(text, "<4>x: drop 0 (20 like it left out before)\n"
			       "<4>x: drop 1\n");
	ck_assert_uint_eq(limit.left_out, 0);
	free(text);
}
END_TEST

/* Lines that the level leaves out do not count. */
START_TEST(test_limit_and_level)
{
	struct log_limit limit = {0};
	struct capture c;
	char *text;
	int i;

	log_init("x", LOG_LEVEL_INFO, false);
	capture_start(&c, STDERR_FILENO);
	for (i = 0; i < 20; i++)
		log_limited(&limit, LOG_LEVEL_DEBUG, "no");
	text = capture_end(&c);
	ck_assert_str_eq(text, "");
	ck_assert_uint_eq(limit.left_out, 0);
	free(text);
}
END_TEST

#define N_THREADS 4
#define N_LINES	  200

static void *
say_many(void *arg)
{
	int i;

	for (i = 0; i < N_LINES; i++)
		log_info("thread %s line %d end", (const char *)arg, i);
	return NULL;
}

START_TEST(test_threads)
{
	static char *names[N_THREADS] = {"a", "b", "c", "d"};
	pthread_t threads[N_THREADS];
	int next[N_THREADS] = {0};
	struct capture c;
	char *text, *line, *save = NULL, name;
	int i, n;

	log_init("x", LOG_LEVEL_INFO, false);
	capture_start(&c, STDERR_FILENO);
	for (i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, say_many, names[i]),
			0);
	for (i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	text = capture_end(&c);
	for (line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		ck_assert_int_eq(
			sscanf(line, "<6>x: thread %c line %d end", &name, &n),
			2);
		ck_assert_int_eq(n, next[name - 'a']++);
	}
	for (i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(next[i], N_LINES);
	free(text);
}
END_TEST

static void
end_fatal(void)
{
	fatal("device %s: gone", "tun0");
}

static void
end_bug(void)
{
	bug("count is %d", -1);
}

/* How the process ends, and what it says last. */
START_TEST(test_ends)
{
	static const struct {
		void (*end)(void);
		const char *first, *last; /* parts of its line */
		bool aborts;
	} cases[] = {
		{end_fatal, "<3>x: device tun0: gone\n", ": gone\n", false},
		{end_bug, "<3>x: bug at ", ": count is -1\n", true},
	};
	struct capture c;
	char *text, *line;
	int status;
	size_t i;
	pid_t pid;

	log_init("x", LOG_LEVEL_INFO, false);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		capture_start(&c, STDERR_FILENO);
		pid = fork();
		if (pid == 0) {
			cases[i].end();
			_exit(99);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		text = capture_end(&c);
		if (cases[i].aborts)
			ck_assert_int_eq(WTERMSIG(status), SIGABRT);
		else
			ck_assert_int_eq(WEXITSTATUS(status), 1);
		ck_assert_int_eq(
			strncmp(text, cases[i].first, strlen(cases[i].first)),
			0);
		line = strstr(text, cases[i].last);
		ck_assert_ptr_nonnull(line);
		ck_assert_str_eq(line, cases[i].last);
		free(text);
	}
}
END_TEST

START_TEST(test_now)
{
	struct timespec ts;
	uint64_t a, b, boot;

	a = now_ms();
	ck_assert_int_eq(clock_gettime(CLOCK_BOOTTIME, &ts), 0);
	boot = (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
	b = now_ms();
	ck_assert_uint_le(a, boot);
	ck_assert_uint_le(boot, b);
}
END_TEST

RUN_TESTS("log", test_levels, test_before_init, test_errno,
	test_control_characters, test_long_lines, test_time_stamps, test_limit,
	test_limit_and_level, test_threads, test_ends, test_now)
