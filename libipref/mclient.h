/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the mapper: requests by id, time-outs, reconnecting.
 *
 * One connection, made again by itself after it ended: at first after 50 to
 * 100 ms, then doubling to at most 1 s, always with jitter. Requests may be
 * made at any time: while there is no connection, those that say RESEND wait
 * for the next one within their time-out, others fail at once. Every request
 * ends in exactly one call of its callback, unless it is cancelled.
 */
#ifndef LIBIPREF_MCLIENT_H
#define LIBIPREF_MCLIENT_H

#include "libipref/base.h"
#include "libipref/conn.h"
#include "libipref/msg.h"

struct mclient;
struct mreq; /* one request under way; valid until its callback or cancel */

enum mclient_result {
	MCLIENT_ACK,
	MCLIENT_NACK,
	MCLIENT_TIMEOUT,
	MCLIENT_GONE, /* no connection, or it ended before the answer */
};

/* answer is NULL but for ACK and NACK; it dies with the call. */
typedef void (*mclient_done)(
	enum mclient_result res, const struct msg *answer, void *arg);

struct mclient_config {
	const char *path;      /* of the mapper socket; copied */
	struct msg_format fmt; /* dialect 1 or 2: what we speak */
	size_t max_requests;   /* under way at once; at most 65535 */
	size_t max_sent;       /* of them unanswered on the socket at once; the
				* others wait their turn (0: no limit; deployed
				* mappers want 1) */
	/* All may be NULL. up: connected (called again after each reconnect);
	 * down: the connection ended; data: a message that is no answer. None
	 * of them, nor a request's callback, may free the client. */
	void (*up)(void *arg);
	void (*down)(void *arg);
	void (*data)(const struct msg *m, void *arg);
	void *arg;
};

struct mclient_stats {
	bool connected;
	uint64_t since_ms; /* now_ms() of the last change of connected */
	uint64_t connects, requests, acks, nacks, timeouts, gone;
	uint64_t strays; /* answers that nobody waits for */
	struct conn_stats conn;
};

/* Starts connecting from the loop, never from here. NULL: no memory. */
struct mclient *mclient_new(
	struct event_base *base, const struct mclient_config *cfg) MUSTCHECK;
/* Ends all requests without calling back. NULL is fine. */
void mclient_free(struct mclient *mc);

enum {
	/* Safe to ask twice: sent again after a reconnect, within the time-out.
	 */
	MCLIENT_RESEND = 1,
};

/* Sends a REQ; its id is set here. The message is copied. The callback comes
 * from the loop, never from within this call. NULL with errno: EAGAIN (too
 * many under way), ENOTCONN (no connection, not RESEND), EINVAL, ENOMEM. */
struct mreq *mclient_request(struct mclient *mc, const struct msg *req,
	uint64_t timeout_ms, unsigned flags, mclient_done done,
	void *arg) MUSTCHECK;
/* Its callback will not come; an answer that arrives counts as stray. */
void mclient_cancel(struct mclient *mc, struct mreq *r);
/* A DATA message (-EINVAL: it is none); 0 or -errno as conn_send(). */
int mclient_send(struct mclient *mc, const struct msg *m) MUSTCHECK;
/* Ends the connection and makes a new one (after a protocol error); from the
 * loop, later. */
void mclient_reset(struct mclient *mc, const char *why);

const struct mclient_stats *mclient_stats(const struct mclient *mc);

#endif
