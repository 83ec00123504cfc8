/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See keys.h. The names are as long as those of real hosts, as mapperd keeps
 * them: what it needs for one mapping is measured with its name. */
#include "keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct msg_format key_format = {4, 4, MSG_DIALECT_1};

uint64_t
key_mix(uint64_t i)
{
	i += UINT64_C(0x9e3779b97f4a7c15);
	i = (i ^ i >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	i = (i ^ i >> 27) * UINT64_C(0x94d049bb133111eb);
	return i ^ i >> 31;
}

struct arec
key_arec(uint64_t i)
{
	struct arec rec = {
		.gw = {4, {20, (uint8_t)(i >> 8 & 15), (uint8_t)i, 1}}};
	const uint64_t halves[2] = {key_mix(i), key_mix(~i)};

	memcpy(rec.ref.b, halves, sizeof(halves));
	return rec;
}

const char *
key_name(uint64_t i, char buf[KEY_NAME_MAX])
{
	snprintf(buf, KEY_NAME_MAX, "h%07" PRIu64 ".bench.example.",
		i % 10000000);
	return buf;
}

struct arec
key_host(uint64_t i, uint64_t seed)
{
	struct arec rec = {.ip = {4, {172, (uint8_t)(16 + (i >> 16 & 15)),
					     (uint8_t)(i >> 8), (uint8_t)i}}};
	uint64_t r = key_mix(i ^ seed << 32);

	/* The second byte says that people list it (spec/concepts.md). */
	rec.ref = ref_from_u64((r & ~UINT64_C(0xff00)) | (r & 0xf00));
	return rec;
}

int
keys_ask(struct questions *q, uint64_t first, size_t n, bool random)
{
	char name[KEY_NAME_MAX];
	struct arec rec;
	struct msg m = {
		.mode = MSG_REQ,
		.cmd = MSG_MC_GET_EA,
		.id = 1,
		.arecs = &rec,
		.n = 1,
	};
	uint64_t key;
	size_t i;

	*q = (struct questions){.bytes = calloc(n, QUESTION_MAX), .n = n};
	if (!q->bytes)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		key = random ? key_mix(i) % first : first + i;
		rec = key_arec(key);
		m.str.p = key_name(key, name);
		m.str.len = strlen(name);
		if (msg_encode(&m, &key_format, q->bytes + i * q->len,
			    QUESTION_MAX, &q->len) != MSG_OK)
			return -EINVAL;
	}
	return 0;
}

void
questions_free(struct questions *q)
{
	free(q->bytes);
	*q = (struct questions){0};
}
