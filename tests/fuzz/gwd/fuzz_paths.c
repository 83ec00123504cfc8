/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The path MTU table under any sequence of messages, sends and settings: what
 * is believed stays within its bounds, the table too, and nobody who is in use
 * goes for one who is not.
 *
 * Input: first hop's MTU (2 bytes; 0: it differs), then steps of a byte that
 * says what, a byte that says who, and 2 bytes of MTU or time.
 */
#include <stdlib.h>

#include "gwd/paths.h"
#include "libipref/buf.h"
#include "tests/fuzz/gwd/gateway.h"

#define MAX    4
#define LOWEST PATHS_LOWEST_V4
#define FIXED  700

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
	struct paths *paths;
	uint32_t initial, hop; /* hop: of all whose first hop is asked for */
	uint64_t now;
};

static struct addr
who(uint8_t n)
{
	return (struct addr){4, {192, 0, 2, n % 8}};
}

static void
check_mtu(const struct bench *b, const struct path *path, uint32_t mtu)
{
	uint32_t most = path && path->fixed ? path->fixed
			: b->initial	    ? b->initial
					    : b->hop;
	uint32_t least = most < LOWEST ? most : LOWEST;

	REQUIRE(mtu <= most && mtu >= least);
}

static void
get(struct bench *b, const struct addr *a)
{
	uint32_t mtu = paths_get(b->paths, a, b->now);
	const struct path *path = paths_peek(b->paths, a);

	if (!mtu) {
		REQUIRE(!b->initial && (!path || !path->fixed));
		paths_first_hop(b->paths, a, b->hop, b->now);
		mtu = paths_get(b->paths, a, b->now);
		path = paths_peek(b->paths, a);
		if (!mtu)
			REQUIRE(!path);
	}
	if (mtu)
		check_mtu(b, path, mtu);
}

static bool
used(const struct bench *b, const struct path *path)
{
	return path->fixed ||
	       (path->used_ms && b->now - path->used_ms < PATHS_IDLE_MS);
}

/* Who must still be there after a message about another. */
static unsigned
in_use(const struct bench *b)
{
	const struct path *path;
	unsigned found = 0;
	size_t pos = 0;

	while ((path = paths_next(b->paths, &pos)))
		if (used(b, path))
			found |= 1U << path->addr.b[3];
	return found;
}

static void
learn(struct bench *b, const struct addr *a, uint32_t mtu)
{
	unsigned before = in_use(b);
	const struct path *path;

	paths_learn(b->paths, a, mtu, b->now);
	REQUIRE((in_use(b) & before) == before);
	path = paths_peek(b->paths, a);
	if (path && path->learned)
		REQUIRE(path->learned >= LOWEST);
}

static void
step(struct bench *b, struct rbuf *r)
{
	uint8_t what = rbuf_u8(r);
	struct addr a = who(rbuf_u8(r));
	uint32_t n = rbuf_be16(r);

	switch (what % 7) {
	case 0:
	case 1:
		get(b, &a);
		break;
	case 2:
		learn(b, &a, n);
		break;
	case 3:
		b->now += n * 20;
		break;
	case 4:
		paths_restore(b->paths, &a, n, n * 100, b->now);
		break;
	case 5:
		paths_fix(b->paths, &a, FIXED + n % 800);
		break;
	case 6:
		if (n % 16 == 0)
			paths_unfix(b->paths);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench b = {.hop = 1500, .now = 1000000};
	struct rbuf r;

	rbuf_init(&r, data, size);
	b.initial = rbuf_be16(&r);
	b.paths = paths_new(MAX, LOWEST, b.initial);
	REQUIRE(b.paths);
	while (rbuf_ok(&r) && rbuf_left(&r)) {
		step(&b, &r);
		REQUIRE(paths_count(b.paths) <= MAX);
	}
	paths_free(b.paths);
	return 0;
}
