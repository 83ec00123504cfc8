/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fetches one zone from one server by AXFR, without blocking.
 *
 * A transfer is one TCP connection (stream.h) whose messages are judged by
 * xfr.h. Records come through a callback while it runs; they are a zone only
 * when `done` says so. It ends exactly once.
 */
#ifndef LIBIPREF_DNS_TRANSFER_H
#define LIBIPREF_DNS_TRANSFER_H

#include "libipref/addr.h"
#include "libipref/dns/xfr.h"

struct event_base;
struct transfer;

struct transfer_limits {
	uint64_t bytes, records;
	uint64_t idle_ms;  /* longest silence */
	uint64_t total_ms; /* longest transfer */
};
#define TRANSFER_LIMITS                                                        \
	{                                                                      \
		.bytes = 64 << 20, .records = 1000000, .idle_ms = 30000,       \
		.total_ms = 600000                                             \
	}

struct transfer_outcome {
	bool complete;		   /* else everything is to be thrown away */
	const struct dns_soa *soa; /* of a complete one; dies with the call */
	uint64_t records, bytes, messages;
	const char *why; /* of one that is not: text for people */
};

struct transfer_config {
	struct endpoint server; /* port 0: 53 */
	struct name zone;
	struct transfer_limits limits;
	xfr_record record;
	/* Called once, from the loop; the transfer may be freed in it. */
	void (*done)(const struct transfer_outcome *o, void *arg);
	void *arg; /* of both */
};

/* NULL with errno. Nothing is called from within. */
struct transfer *transfer_new(
	struct event_base *base, const struct transfer_config *cfg) MUSTCHECK;
/* Ends it without a call of `done`. NULL is fine. */
void transfer_free(struct transfer *t);

#endif
