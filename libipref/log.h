/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines on stderr, one write each, with the <N> priority prefix that
 * journald reads (sd-daemon(3)); time stamps only when asked for.
 *
 * Lines read "subject: what", lower case, without newline; log_init() has to
 * come first, else lines go out at level INFO without a name. Pure code does
 * not log. Safe to use from several threads.
 */
#ifndef LIBIPREF_LOG_H
#define LIBIPREF_LOG_H

#include "libipref/base.h"

/* syslog's numbers (RFC 5424, 6.2.1). */
enum log_level {
	LOG_LEVEL_ERR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Lines above max are not written. ident is borrowed for good. */
void log_init(const char *ident, enum log_level max, bool time_stamps);
/* Whether a line of this level would be written. */
bool log_wants(enum log_level level);

void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* As log_at(), with ": " and the text of err (a positive errno) behind. */
void log_errno_at(enum log_level level, int err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#define log_err(...)	log_at(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)	log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_notice(...) log_at(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...)	log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_wants(LOG_LEVEL_DEBUG))                                \
			log_at(LOG_LEVEL_DEBUG, __VA_ARGS__);                  \
	} while (0)
#define log_err_errno(err, ...)	 log_errno_at(LOG_LEVEL_ERR, err, __VA_ARGS__)
#define log_warn_errno(err, ...) log_errno_at(LOG_LEVEL_WARN, err, __VA_ARGS__)

/* For lines that outsiders can cause: at most `burst` lines per second for one
 * limit; the first line after a silence says how many were left out. The
 * struct is the caller's, zeroed at first, for one thread. */
struct log_limit {
	uint64_t window;  /* the second (CLOCK_MONOTONIC) being counted */
	uint32_t written; /* lines in it */
	uint32_t left_out;
};
#define LOG_LIMIT_BURST 5
void log_limited(struct log_limit *l, enum log_level level, const char *fmt,
	...) PRINTF_LIKE(3, 4);

/* An error of the operator or the system at start: logs and exits with 1. */
void fatal(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));
/* An error of ours: logs with file and line and aborts. */
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
void bug_at(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4)
	__attribute__((noreturn));

/* Milliseconds of CLOCK_BOOTTIME: every now_ms of the suite. */
uint64_t now_ms(void);

#endif
