/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has the echo requests that probe.h describes sent, by a timer. */
#ifndef GWD_KEEPALIVE_H
#define GWD_KEEPALIVE_H

#include "gwd/probe.h"

struct event_base;
struct keepalive;

/* All pointers are borrowed. */
struct keepalive_config {
	struct event_base *base;
	const struct gw_settings *set;
	const struct peers *peers;
	const struct peer_confs *confs;
	const struct probe_id *id;
	/* Sends an IPREF packet, and tells peers_kept_alive(). */
	void (*send)(const struct addr *peer, const uint8_t *pkt, size_t len,
		void *arg);
	void *arg;
};

/* NULL: no memory. */
struct keepalive *keepalive_new(const struct keepalive_config *cfg) MUSTCHECK;
/* NULL is fine. */
void keepalive_free(struct keepalive *k);
/* What is due now; the timer does that. */
void keepalive_look(struct keepalive *k, uint64_t now_ms);

#endif
