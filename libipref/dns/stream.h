/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DNS client's TCP connection: whole messages, each behind its two-byte
 * length (RFC 1035, 4.2.2; RFC 7766), over a bufferevent.
 *
 * A stream connects by itself, sends what it is given as soon as it can, and
 * hands over each message that arrives; what the messages say is no matter of
 * its. It ends once, with a reason: refused, closed, silent for too long, or
 * over its time in all. It never holds more than two messages unread.
 */
#ifndef LIBIPREF_DNS_STREAM_H
#define LIBIPREF_DNS_STREAM_H

#include "libipref/addr.h"
#include "libipref/base.h"

struct event_base;
struct stream;

struct stream_config {
	struct endpoint server; /* port 0: 53 */
	uint64_t idle_ms;	/* longest silence, connecting included */
	uint64_t total_ms;	/* longest life */
	/* A message, which dies with the call. True: go on; false: the stream
	 * is not to be touched any more (the callback may have freed it, or
	 * will). */
	bool (*message)(const uint8_t *msg, size_t len, void *arg);
	/* The stream has ended: err is an errno (ECONNRESET: the server closed,
	 * ETIMEDOUT). It may be freed here. */
	void (*end)(int err, void *arg);
	void *arg;
};

/* NULL with errno. The callbacks come from the loop, never from here. */
struct stream *stream_new(
	struct event_base *base, const struct stream_config *cfg) MUSTCHECK;
/* Closes; no callback comes any more. NULL is fine. */
void stream_free(struct stream *s);
/* Queues one message: 0, -EMSGSIZE, -ENOMEM. */
int stream_send(struct stream *s, const void *msg, size_t len) MUSTCHECK;

#endif
