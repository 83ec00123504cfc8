/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * With many mappings each lookup waits for memory, twice. So lookups of some
 * packets are begun together before the first of them is translated.
 */
#include "gwd/counters.h"
#include "gwd/header.h"
#include "gwd/lane_impl.h"

void
ahead_out(struct lane *l, const uint8_t *pkt, size_t len)
{
	struct addr src, dst;

	if (l->n_ahead == AHEAD_MAX || !maps_ahead_pays(l->cfg.maps))
		return;
	counters_addrs(pkt, len, &src, &dst);
	maps_ahead_out(l->cfg.maps, &src, &dst, &l->ahead[l->n_ahead++]);
}

void
ahead_in(
	struct lane *l, const struct addr *peer, const uint8_t *pkt, size_t len)
{
	struct header h;
	size_t size;

	if (l->n_ahead == AHEAD_MAX || !maps_ahead_pays(l->cfg.maps) ||
		header_decode(&h, &size, pkt, len))
		return;
	maps_ahead_in(l->cfg.maps, peer, &h.src_ref, &h.dst_ref,
		&l->ahead[l->n_ahead++]);
}

void
ahead_end(struct lane *l)
{
	for (; l->n_ahead > 0; l->n_ahead--)
		maps_ahead_end(&l->ahead[l->n_ahead - 1]);
}
