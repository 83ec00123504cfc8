/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines on stderr.
 *
 * A line is put together on the stack and goes out with one write(2), at most
 * LINE_ROOM bytes (less than PIPE_BUF, so lines of several threads or processes
 * on one pipe do not mix). Control characters are shown as '?': what outsiders
 * wrote can't begin a line of its own or a priority prefix. errno is kept. What
 * can't be written is lost: a log must not stop the one who logs.
 *
 * The three settings are the process's, hence atomics at file scope: log_init()
 * runs again when the settings are read again, while other threads log.
 */
#include "libipref/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_ROOM 3072
_Static_assert(LINE_ROOM < PIPE_BUF, "a line is one atomic write");

static _Atomic(const char *) log_ident;
static atomic_int log_max = LOG_LEVEL_INFO;
static atomic_bool log_stamps;

struct line {
	char text[LINE_ROOM];
	size_t len; /* always room left for "...\n" */
};

#define LINE_END (LINE_ROOM - sizeof("...\n"))

static void
line_vadd(struct line *l, const char *fmt, va_list ap)
{
	size_t room = LINE_END - l->len;
	size_t i, from = l->len;
	int n;

	if (l->len >= LINE_END)
		return;
	n = vsnprintf(l->text + l->len, room, fmt, ap);
	if (n < 0)
		return;
	if ((size_t)n < room) {
		l->len += (size_t)n;
	} else {
		memcpy(l->text + LINE_END - 1, "...", 3);
		l->len = LINE_END + 2;
	}
	for (i = from; i < l->len; i++)
		if ((unsigned char)l->text[i] < ' ' || l->text[i] == 0x7f)
			l->text[i] = '?';
}

static void line_add(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void
line_add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line_vadd(l, fmt, ap);
	va_end(ap);
}

static void
line_start(struct line *l, enum log_level level)
{
	const char *ident = atomic_load(&log_ident);
	struct timespec ts;
	struct tm tm;
	char stamp[32];

	l->len = 0;
	line_add(l, "<%d>", (int)level);
	if (atomic_load(&log_stamps) && !clock_gettime(CLOCK_REALTIME, &ts) &&
		gmtime_r(&ts.tv_sec, &tm) &&
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm))
		line_add(l, "%s.%03ldZ ", stamp, ts.tv_nsec / 1000000);
	if (ident)
		line_add(l, "%s: ", ident);
}

static void
line_write(struct line *l)
{
	ssize_t n;

	l->text[l->len++] = '\n';
	do
		n = write(STDERR_FILENO, l->text, l->len);
	while (n < 0 && errno == EINTR);
}

void
log_init(const char *ident, enum log_level max, bool time_stamps)
{
	atomic_store(&log_ident, ident);
	atomic_store(&log_max, (int)max);
	atomic_store(&log_stamps, time_stamps);
}

bool
log_wants(enum log_level level)
{
	return (int)level <= atomic_load(&log_max);
}

static void
log_vat(enum log_level level, int err, const char *fmt, va_list ap)
{
	int saved = errno;
	struct line l;
	char cause[128];

	line_start(&l, level);
	line_vadd(&l, fmt, ap);
	if (err)
		line_add(&l, ": %s", strerror_r(err, cause, sizeof(cause)));
	line_write(&l);
	errno = saved;
}

void
log_at(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	log_vat(level, 0, fmt, ap);
	va_end(ap);
}

void
log_errno_at(enum log_level level, int err, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	log_vat(level, err, fmt, ap);
	va_end(ap);
}

/* True when a line may be written now, with *left_out the number of those that
 * were not written before it. */
static bool
limit_allows(struct log_limit *l, uint32_t *left_out)
{
	struct timespec ts = {0};
	uint64_t second;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	second = (uint64_t)ts.tv_sec;
	if (second != l->window) {
		l->window = second;
		l->written = 0;
	}
	if (l->written >= LOG_LIMIT_BURST) {
		if (l->left_out < UINT32_MAX)
			l->left_out++;
		return false;
	}
	l->written++;
	*left_out = l->left_out;
	l->left_out = 0;
	return true;
}

void
log_limited(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	uint32_t left_out;
	struct line line;
	va_list ap;

	if (!log_wants(level) || !limit_allows(l, &left_out))
		return;
	line_start(&line, level);
	va_start(ap, fmt);
	line_vadd(&line, fmt, ap);
	va_end(ap);
	if (left_out)
		line_add(&line, " (%u like it left out before)", left_out);
	line_write(&line);
	errno = saved;
}

void
fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vat(LOG_LEVEL_ERR, 0, fmt, ap);
	va_end(ap);
	exit(1);
}

void
bug_at(const char *file, int line, const char *fmt, ...)
{
	struct line l;
	va_list ap;

	line_start(&l, LOG_LEVEL_ERR);
	line_add(&l, "bug at %s:%d: ", file, line);
	va_start(ap, fmt);
	line_vadd(&l, fmt, ap);
	va_end(ap);
	line_write(&l);
	abort();
}

uint64_t
now_ms(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_BOOTTIME, &ts))
		bug("no CLOCK_BOOTTIME: %s", strerror(errno));
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
