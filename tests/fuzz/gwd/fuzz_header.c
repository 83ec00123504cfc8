/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IPREF header: what is read is written with the same meaning. */
#include <stdlib.h>

#include "gwd/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[HEADER_MAX];
	struct header h, again;
	size_t len, len_again;
	struct wbuf w;
	enum drop drop = header_decode(&h, &len, data, size);

	if (!drop != !!header_peek(data, size) && drop != DROP_TUNNEL_RESERVED)
		abort();
	if (drop)
		return 0;
	if (header_peek(data, size) != len)
		abort();
	wbuf_init(&w, out, sizeof(out));
	header_encode(&w, &h);
	if (!wbuf_ok(&w) || w.len > len || w.len != header_size(&h))
		abort();
	if (header_decode(&again, &len_again, out, w.len))
		abort();
	if (len_again != w.len || again.ttl != h.ttl ||
		again.proto != h.proto || again.df != h.df ||
		again.frag != h.frag || again.mf != h.mf ||
		again.off != h.off || again.ident != h.ident ||
		!addr_eq(&again.src_gw, &h.src_gw) ||
		!addr_eq(&again.dst_gw, &h.dst_gw) ||
		!ref_eq(&again.src_ref, &h.src_ref) ||
		!ref_eq(&again.dst_ref, &h.dst_ref))
		abort();
	return 0;
}
