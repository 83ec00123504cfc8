/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In place of libipref's mclient: no socket, no time. Requests wait in a list
 * until a step of the fuzzer answers them, lets them time out or ends the
 * connection; the program's own definitions go before the library's.
 */
#ifndef TESTS_FUZZ_GWD_MCLIENT_H
#define TESTS_FUZZ_GWD_MCLIENT_H

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "libipref/log.h"
#include "libipref/mclient.h"
#include "tests/fuzz/gwd/gateway.h"

#define FAKE_REQUESTS 24 /* under way at once; then EAGAIN */

struct mreq {
	TAILQ_ENTRY(mreq) link;
	uint8_t cmd;
	uint16_t id;
	mclient_done done;
	void *arg;
};

struct mclient {
	struct mclient_config cfg;
	bool up, resetting;
	TAILQ_HEAD(, mreq) reqs; /* owned; the oldest first */
	size_t n_reqs;
	uint16_t last_id;
	struct mclient_stats stats;
};

static struct mclient *fake; /* the one there is */
static uint64_t fake_now;

uint64_t
now_ms(void)
{
	return fake_now;
}

struct mclient *
mclient_new(struct event_base *base, const struct mclient_config *cfg)
{
	REQUIRE(base && !fake);
	fake = calloc(1, sizeof(*fake));
	REQUIRE(fake);
	fake->cfg = *cfg;
	TAILQ_INIT(&fake->reqs);
	return fake;
}

static struct mreq *
fake_take(struct mclient *mc, struct mreq *r)
{
	TAILQ_REMOVE(&mc->reqs, r, link);
	mc->n_reqs--;
	return r;
}

void
mclient_free(struct mclient *mc)
{
	struct mreq *r;

	if (!mc)
		return;
	while ((r = TAILQ_FIRST(&mc->reqs)))
		free(fake_take(mc, r));
	free(mc);
	fake = NULL;
}

/* Whatever is sent must be a message. */
struct mreq *
mclient_request(struct mclient *mc, const struct msg *req, uint64_t timeout_ms,
	unsigned flags, mclient_done done, void *arg)
{
	static uint8_t buf[MSG_MAX];
	struct mreq *r;
	struct msg m = *req;
	size_t len;

	REQUIRE(timeout_ms && !flags);
	REQUIRE(msg_encode(&m, &mc->cfg.fmt, buf, sizeof(buf), &len) == MSG_OK);
	if (!mc->up || mc->n_reqs == FAKE_REQUESTS) {
		errno = mc->up ? EAGAIN : ENOTCONN;
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	REQUIRE(r);
	r->cmd = req->cmd;
	r->id = ++mc->last_id ? mc->last_id : ++mc->last_id;
	r->done = done;
	r->arg = arg;
	TAILQ_INSERT_TAIL(&mc->reqs, r, link);
	mc->n_reqs++;
	return r;
}

void
mclient_reset(struct mclient *mc, const char *why)
{
	REQUIRE(why);
	mc->resetting = true;
}

const struct mclient_stats *
mclient_stats(const struct mclient *mc)
{
	return &mc->stats;
}

/* --- what steps do ----------------------------------------------------------
 */

static struct mreq *
fake_nth(struct mclient *mc, size_t n)
{
	struct mreq *r = TAILQ_FIRST(&mc->reqs);

	for (n = mc->n_reqs ? n % mc->n_reqs : 0; n; n--)
		r = TAILQ_NEXT(r, link);
	return r;
}

static void
fake_end(struct mclient *mc, struct mreq *r, enum mclient_result res,
	const struct msg *answer)
{
	fake_take(mc, r);
	r->done(res, answer, r->arg);
	free(r);
}

static void
fake_down(struct mclient *mc)
{
	struct mreq *r;

	mc->resetting = false;
	if (!mc->up)
		return;
	mc->up = false;
	while ((r = TAILQ_FIRST(&mc->reqs)))
		fake_end(mc, r, MCLIENT_GONE, NULL);
	mc->cfg.down(mc->cfg.arg);
}

static void
fake_up(struct mclient *mc)
{
	if (mc->up)
		return;
	mc->up = true;
	mc->cfg.up(mc->cfg.arg);
}

/* A packet of the mapper's, which decoded. */
static void
fake_packet(struct mclient *mc, const struct msg *m)
{
	struct mreq *r;

	if (!mc->up)
		return;
	if (m->mode == MSG_DATA) {
		mc->cfg.data(m, mc->cfg.arg);
		return;
	}
	TAILQ_FOREACH(r, &mc->reqs, link)
	{
		if (r->id != m->id || r->cmd != m->cmd)
			continue;
		fake_end(mc, r, m->mode == MSG_ACK ? MCLIENT_ACK : MCLIENT_NACK,
			m);
		return;
	}
}

#endif
