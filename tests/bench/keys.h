/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the measurements ask for: key i is the same in every program and run. */
#ifndef TESTS_BENCH_KEYS_H
#define TESTS_BENCH_KEYS_H

#include "libipref/msg.h"
#include "window.h"

#define KEY_NAME_MAX 32 /* with NUL */

extern const struct msg_format key_format; /* 4 over 4, first dialect */

/* A number that looks random, of i. */
uint64_t key_mix(uint64_t i);
/* gw and ref of key i; there are 4,096 gws. */
struct arec key_arec(uint64_t i);
/* The DNS name that is asked for; all are of one length below ten millions. */
const char *key_name(uint64_t i, char buf[KEY_NAME_MAX]);
/* Record i of a set of hosts: ip, no gw (the own context), a listed ref. */
struct arec key_host(uint64_t i, uint64_t seed);

/* MC_GET_EA for keys first to first + n - 1, or (random) for n out of 0 to
 * first - 1. 0 or -errno. */
int keys_ask(
	struct questions *q, uint64_t first, size_t n, bool random) MUSTCHECK;
void questions_free(struct questions *q);

#endif
