/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Zone transfers: a stream, its messages to xfr.h, one outcome. */
#include "libipref/dns/transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "libipref/dns/stream.h"

#define QUERY_MAX (DNS_HEADER + NAME_WIRE_MAX + 4)

struct transfer {
	struct transfer_config cfg;
	struct xfr xfr;
	struct stream *stream; /* owned */
};

static void
report(struct transfer *t, bool complete, const char *why)
{
	const struct transfer_outcome o = {
		.complete = complete,
		.soa = complete ? &t->xfr.soa : NULL,
		.records = t->xfr.records,
		.bytes = t->xfr.bytes,
		.messages = t->xfr.messages,
		.why = why,
	};

	t->cfg.done(&o, t->cfg.arg);
}

static bool
take_message(const uint8_t *msg, size_t len, void *arg)
{
	struct transfer *t = arg;
	enum xfr_result res = xfr_message(&t->xfr, msg, len);
	char why[XFR_TEXT_MAX];

	if (res == XFR_MORE)
		return true;
	/* Nothing may arrive after the outcome. */
	stream_free(t->stream);
	t->stream = NULL;
	report(t, res == XFR_DONE, xfr_text(&t->xfr, res, why));
	return false;
}

static void
take_end(int err, void *arg)
{
	struct transfer *t = arg;
	char why[XFR_TEXT_MAX];
	const char *what = strerror(err);

	if (err == ECONNRESET)
		what = "the server closed the connection";
	snprintf(why, sizeof(why), "%s after %llu records", what,
		(unsigned long long)t->xfr.records);
	stream_free(t->stream);
	t->stream = NULL;
	report(t, false, t->xfr.records ? why : what);
}

static int
start(struct transfer *t, struct event_base *base)
{
	const struct stream_config sc = {
		.server = t->cfg.server,
		.idle_ms = t->cfg.limits.idle_ms,
		.total_ms = t->cfg.limits.total_ms,
		.message = take_message,
		.end = take_end,
		.arg = t,
	};
	struct xfr_config xc = {
		.zone = t->cfg.zone,
		.max_bytes = t->cfg.limits.bytes,
		.max_records = t->cfg.limits.records,
		.record = t->cfg.record,
		.arg = t->cfg.arg,
	};
	uint8_t query[QUERY_MAX];
	struct wbuf w;

	if (getrandom(&xc.id, sizeof(xc.id), 0) != (ssize_t)sizeof(xc.id))
		return -errno;
	xfr_init(&t->xfr, &xc);
	wbuf_init(&w, query, sizeof(query));
	xfr_query_put(&t->xfr, &w);
	if (!wbuf_ok(&w))
		return -EINVAL;
	t->stream = stream_new(base, &sc);
	if (!t->stream)
		return -errno;
	return stream_send(t->stream, query, w.len);
}

struct transfer *
transfer_new(struct event_base *base, const struct transfer_config *cfg)
{
	struct transfer *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return NULL;
	t->cfg = *cfg;
	err = start(t, base);
	if (err) {
		transfer_free(t);
		errno = -err;
		return NULL;
	}
	return t;
}

void
transfer_free(struct transfer *t)
{
	if (!t)
		return;
	stream_free(t->stream);
	free(t);
}
