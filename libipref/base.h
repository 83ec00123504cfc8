/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few macros that every file of the suite uses. */
#ifndef LIBIPREF_BASE_H
#define LIBIPREF_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caller has to look at the result. */
#define MUSTCHECK __attribute__((warn_unused_result))

/* fmt is the number of the printf format, args that of the first argument
 * (0: a va_list); both counted from 1. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of the given type whose member this pointer points to. */
#define CONTAINER_OF(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Length of the longest DNS name in text form, with its last dot and NUL
 * (RFC 1035, 2.3.4; every byte may be written as \DDD). */
#define NAME_TEXT_MAX 1025

#endif
