/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * First fragments of ICMPv6 echoes, which wait for the length of the whole
 * message: its checksum covers that, and only the last fragment tells. Pure: it
 * sees no clock.
 *
 * The last fragment passes at once; if it comes before the first one, what it
 * told is remembered instead. Either way it is bounded: messages each way, of
 * them those of one source, bytes, time. Where a bound is reached the oldest
 * goes; so what arrives in a flood lives shorter, and no longer than that. The
 * two ways don't share: nothing from outside touches what leaves.
 */
#ifndef GWD_HELD_H
#define GWD_HELD_H

#include "gwd/core.h"
#include "gwd/pending.h"

#define HELD_MAX   64		/* messages, each way */
#define HELD_EACH  8		/* of one source: local host, peer */
#define HELD_BYTES (256u << 10) /* each way */
#define HELD_MS	   1500

struct held;

/* NULL: no memory. */
struct held *held_new(void) MUSTCHECK;
/* Frees the packets too. */
void held_free(struct held *h);

/* The first fragment `in`, about which out asks ASK_WHOLE. True: it is held
 * (copied), or *whole is not 0: then it is to be translated again with that as
 * in->whole. False: it can't be held. Those that had to go for it are appended
 * to lost (initialised) and are the caller's, for waiting_free(). */
bool held_first(struct held *h, enum way way, const struct packet_in *in,
	const struct packet_out *out, unsigned asked, uint64_t now_ms,
	uint32_t *whole, struct waiting_list *lost) MUSTCHECK;
/* A last fragment was translated, and out->whole says how long its message is.
 * Returns the first one, if it waits, with its `whole` set; it is the caller's.
 */
struct waiting *held_last(struct held *h, enum way way,
	const struct packet_in *in, const struct packet_out *out,
	uint64_t now_ms, struct waiting_list *lost) MUSTCHECK;

/* Those that have waited in vain are appended to lost. */
void held_expire(struct held *h, uint64_t now_ms, struct waiting_list *lost);
/* Packets held. */
size_t held_packets(const struct held *h);

#endif
