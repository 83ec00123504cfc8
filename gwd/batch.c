/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Invariant: all packets but the last are `size` long, the last one at most. */
#include "gwd/batch.h"

void
batch_init(struct batch *b, size_t max)
{
	b->max = max < BATCH_MAX ? max : BATCH_MAX;
	b->n = b->size = b->last = b->len = 0;
}

bool
batch_takes(
	const struct batch *b, const struct addr *peer, uint8_t tos, size_t len)
{
	if (len > BATCH_BYTES - b->len)
		return false;
	if (!b->n)
		return true;
	return b->n < b->max && b->last == b->size && len <= b->size &&
	       tos == b->tos && addr_eq(peer, &b->peer);
}

uint8_t *
batch_add(struct batch *b, const struct addr *peer, uint8_t tos, size_t header,
	uint8_t *payload, size_t len)
{
	struct iovec *iov = &b->iov[2 * b->n];
	uint8_t *room = b->headers[b->n];

	if (!b->n) {
		b->peer = *peer;
		b->tos = tos;
		b->size = header + len;
	}
	b->n++;
	b->last = header + len;
	b->len += b->last;
	iov[0] = (struct iovec){.iov_base = room, .iov_len = header};
	iov[1] = (struct iovec){.iov_base = payload, .iov_len = len};
	return room;
}
