/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One frame at a time; see dbwal.h. */
#include "mapperd/dbwal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libipref/buf.h"

#define HEADER_LEN 32
#define FRAME_LEN  24
#define MAGIC	   UINT32_C(0x377f0682) /* and one more: sums are big-endian */

struct wal {
	FILE *f;
	uint8_t *frame; /* its header and page */
	size_t page;	/* bytes */
	bool big_endian;
	uint8_t salts[8];
	uint32_t sum[2]; /* of all up to here */
};

static uint32_t
word(const struct wal *w, const uint8_t *p)
{
	return w->big_endian ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
				       (uint32_t)p[2] << 8 | p[3]
			     : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
				       (uint32_t)p[1] << 8 | p[0];
}

static uint32_t
be32(const uint8_t *p)
{
	struct rbuf r;

	rbuf_init(&r, p, 4);
	return rbuf_be32(&r);
}

/* len: a multiple of 8. */
static void
add_sum(struct wal *w, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len; i += 8) {
		w->sum[0] += word(w, p + i) + w->sum[1];
		w->sum[1] += word(w, p + i + 4) + w->sum[0];
	}
}

static bool
read_header(struct wal *w)
{
	uint8_t h[HEADER_LEN];

	if (fread(h, sizeof(h), 1, w->f) != 1)
		return false;
	w->big_endian = be32(h) & 1;
	w->page = be32(h + 8);
	memcpy(w->salts, h + 16, sizeof(w->salts));
	add_sum(w, h, 24);
	return (be32(h) & ~UINT32_C(1)) == MAGIC && w->page >= 512 &&
	       w->page <= 65536 && !(w->page & (w->page - 1)) &&
	       be32(h + 24) == w->sum[0] && be32(h + 28) == w->sum[1];
}

/* Of this log's present turn: frames of earlier ones have other salts. */
static bool
frame_is_ours(const struct wal *w)
{
	return be32(w->frame) &&
	       !memcmp(w->frame + 8, w->salts, sizeof(w->salts));
}

/* Whether it follows those before it; only then the sum goes on. */
static bool
frame_is_whole(struct wal *w)
{
	uint32_t before[2] = {w->sum[0], w->sum[1]};

	add_sum(w, w->frame, 8);
	add_sum(w, w->frame + FRAME_LEN, w->page);
	if (frame_is_ours(w) && be32(w->frame + 16) == w->sum[0] &&
		be32(w->frame + 20) == w->sum[1])
		return true;
	memcpy(w->sum, before, sizeof(before));
	return false;
}

/* How many transactions end behind the first frame that is not in order. */
static unsigned
commits_lost(struct wal *w)
{
	bool broken = false;
	unsigned lost = 0;

	while (fread(w->frame, FRAME_LEN + w->page, 1, w->f) == 1) {
		broken = broken || !frame_is_whole(w);
		if (broken && frame_is_ours(w) && be32(w->frame + 4))
			lost++;
	}
	return lost;
}

const char *
dbwal_damage(const char *path)
{
	struct wal w = {.f = fopen(path, "re")};
	const char *damage = NULL;

	if (!w.f)
		return NULL;
	if (!read_header(&w)) {
		/* The header is on the disk before anything behind it. */
		if (!fseek(w.f, 0, SEEK_END) && ftell(w.f) > HEADER_LEN)
			damage = "its log begins with something else";
	} else {
		w.frame = malloc(FRAME_LEN + w.page);
		if (w.frame && commits_lost(&w) > 1)
			damage = "its log is broken in the middle";
	}
	free(w.frame);
	fclose(w.f);
	return damage;
}
